"""The rules of the house, kept by a machine: what may import what, and what a file must tell its reader."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("twin", "bot", "ingest", "training", "inference")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").glob("*.py"))
ENVIRONMENT = ROOT / "twin" / "settings.py"
LONGEST_FILE = 500


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def test_imports_only_point_down() -> None:
    """The contracts stand in pyproject.toml under [tool.importlinter]."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache"]
    ran = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "COLUMNS": "120"}, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "0 broken" in ran.stdout


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_says_what_it_is_and_what_it_refuses_to_know(path: Path) -> None:
    told = ast.get_docstring(tree(path)) or ""
    first, *others = told.split("\n\n")
    assert first, "no docstring"
    assert others, "no second paragraph: what does it refuse to know?"


@pytest.mark.parametrize("path", [*MODULES, *TESTS], ids=name)
def test_no_file_is_too_long_to_read(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST_FILE


def reads_environment(node: ast.AST) -> bool:
    """`os.getenv(...)`, or `os.environ` read in any way; setting a variable for a library is no reading."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
        return node.attr in ("getenv", "getenvb")
    match node:
        case ast.Subscript(value=ast.Attribute(attr="environ"), ctx=ast.Load()):
            return True
        case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="environ"), attr=method)):
            return method not in ("setdefault", "update")
    return False


@pytest.mark.parametrize("path", [path for path in MODULES if path != ENVIRONMENT], ids=name)
def test_only_the_settings_read_the_environment(path: Path) -> None:
    assert [node.lineno for node in ast.walk(tree(path)) if reads_environment(node)] == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", [path for path in MODULES if path.name not in ("cli.py", "__main__.py")], ids=name)
def test_only_the_command_line_exits(path: Path) -> None:
    calls = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    assert [call.lineno for call in calls if ast.unparse(call.func) in ("sys.exit", "exit", "quit", "os._exit")] == []


def functions_of(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    functions = (node for node in ast.walk(tree(path)) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))
    return [function for function in functions if function.name.startswith("test_")]


def asserts(function: ast.AST) -> bool:
    """Whether it states something itself, or waits for something to become true."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func).split(".")[-1]
            if called.startswith(("assert", "check", "expect", "raises", "eventually", "until")):
                return True
    return False


@pytest.mark.parametrize("path", [path for path in TESTS if path.name.startswith("test_")], ids=name)
def test_every_test_states_something_and_its_name_is_a_sentence(path: Path) -> None:
    functions = functions_of(path)
    assert [function.name for function in functions if not asserts(function)] == []
    assert [function.name for function in functions if function.name.count("_") < 3] == []


def test_a_test_file_is_named_after_what_it_tests() -> None:
    """`test_<package>_<module or capability>.py`, or one of the tests of the whole."""
    whole = {
        "test_architecture.py",
        "test_readme.py",
        "test_demo_corpus.py",
        "test_arithmetic_example.py",
        "test_end_to_end.py",
    }
    odd = [
        path.name
        for path in TESTS
        if path.name.startswith("test_")
        and path.name not in whole
        and not path.name.startswith(tuple(f"test_{package}_" for package in PACKAGES))
    ]
    assert odd == []
