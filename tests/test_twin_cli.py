"""The front door: light, and every failure one sentence."""

from __future__ import annotations

import logging
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

import twin.cli
from twin import __version__
from twin.cli import VERBS
from twin.errors import ModelError
from twin.settings import Settings, settings_file

Run = Callable[..., Any]
HEAVY = ("torch", "transformers", "peft", "telethon", "telegram", "pydantic", "httpx", "sqlite_utils", "rich")


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Make `twin probe` do what the test says."""

    def install(body: Callable[[], object]) -> None:
        monkeypatch.setitem(VERBS, "probe", ("twin.cli", "probe", "Probe."))
        monkeypatch.setattr(twin.cli, "probe", click.Command("probe", callback=body), raising=False)

    return install


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_help_imports_nothing_heavy_and_no_room() -> None:
    ran = python(
        "import sys\n"
        "from twin.cli import main\n"
        "try: main(['--help'])\n"
        f"except SystemExit: print(sorted(({{*{HEAVY!r}}} | {{'bot', 'training', 'ingest', 'inference'}})"
        " & {name.split('.')[0] for name in sys.modules}))"
    )
    assert ran.stderr == ""
    assert ran.stdout.splitlines()[-1] == "[]"


def test_every_verb_is_listed_with_one_line(run_twin: Run) -> None:
    ran = run_twin("--help")
    assert ran.code == 0
    lines = [line.strip() for line in ran.out.split("Commands:\n")[1].splitlines()]
    assert [line.split(maxsplit=1) for line in lines] == [[name, text] for name, (_, _, text) in VERBS.items()]
    assert all(text.endswith(".") and len(text) < 60 for _, _, text in VERBS.values())


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_explains_itself(run_twin: Run, name: str) -> None:
    ran = run_twin(name, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"Usage: twin {name} ")


def test_the_version_is_told(run_twin: Run) -> None:
    assert run_twin("--version").out == f"twin, version {__version__}\n"


def test_an_unknown_verb_names_the_nearest(run_twin: Run) -> None:
    near, far = run_twin("trian"), run_twin("xyzzy")
    assert (near.code, far.code) == (2, 2)
    assert "There is no verb 'trian': did you mean 'train'?" in near.err
    assert "There is no verb 'xyzzy': `twin --help` lists them." in far.err


@pytest.mark.parametrize("arguments", [["jobs", "--jsn"], ["jobs", "--limit", "0"], ["adapters", "show"], ["--quiet"]])
def test_a_wrong_option_is_explained_with_exit_code_2(home: Settings, run_twin: Run, arguments: list[str]) -> None:
    ran = run_twin(*arguments)
    assert ran.code == 2
    assert "Error: " in ran.err
    assert "Traceback" not in ran.err


def test_a_twin_error_is_one_sentence_with_exit_code_2(run_twin: Run, verb: Callable[..., None]) -> None:
    def body() -> None:
        raise ModelError("The base model is missing", "run `twin doctor`")

    verb(body)
    ran = run_twin("probe")
    assert (ran.code, ran.out, ran.err) == (2, "", "twin: The base model is missing: run `twin doctor`.\n")


@pytest.mark.parametrize("text", ["[reply]\ntop_p = 9\n", "nonsense"])
def test_a_broken_file_is_one_sentence_for_every_verb_that_reads_it(home: Settings, run_twin: Run, text: str) -> None:
    settings_file(home.home).write_text(text)
    for name in ("jobs", "worker", "up"):
        ran = run_twin(name)
        assert ran.code == 2
        assert ran.err.count("\n") == 1
        assert ran.err.startswith("twin: ")


def test_a_database_that_is_none_is_one_sentence(home: Settings, run_twin: Run) -> None:
    home.database.write_text("not a database, but long enough to be taken for one\n" * 20)
    ran = run_twin("jobs")
    assert ran.code == 2
    assert "is encrypted, or is no database: say where its key is" in ran.err


def test_what_nobody_foresaw_is_one_sentence_that_quotes_nothing_private(
    run_twin: Run, verb: Callable[..., None]
) -> None:
    def body() -> None:
        raise KeyError("the text of a message")

    verb(body)
    ran = run_twin("probe")
    assert ran.code == 1
    assert ran.err.startswith("twin: Something unforeseen, KeyError in test_twin_cli.py line ")
    assert ran.err.endswith(": run it again as `twin --verbose ...` for the details.\n")
    assert "the text" not in ran.err


def test_with_verbose_what_nobody_foresaw_is_shown_whole_but_for_tokens_and_logins(
    run_twin: Run, verb: Callable[..., None]
) -> None:
    token = "123456789:" + "A" * 35

    def body() -> None:
        raise KeyError(f"anything at http://somebody:pass@host/bot{token}/getMe")

    verb(body)
    ran = run_twin("--verbose", "probe")
    assert ran.code == 1 and "Traceback" in ran.err and "anything at http://<login>@host/bot<token>/getMe" in ran.err
    assert token not in ran.err and "somebody" not in ran.err


def test_a_full_disk_is_called_that(run_twin: Run, verb: Callable[..., None]) -> None:
    def body() -> None:
        raise OSError(28, "No space left on device", "twin.db")

    verb(body)
    assert "OSError ([Errno 28] No space left on device: 'twin.db')" in run_twin("probe").err


def test_ctrl_c_says_stopped(run_twin: Run, verb: Callable[..., None]) -> None:
    def body() -> None:
        raise KeyboardInterrupt

    verb(body)
    ran = run_twin("probe")
    assert (ran.code, ran.err.strip()) == (130, "Stopped.")


def test_a_reader_that_went_away_is_no_error() -> None:
    ran = subprocess.run(
        f"{sys.executable} -m twin --help | true", shell=True, capture_output=True, text=True, check=False
    )
    assert ran.stderr == ""


@pytest.mark.parametrize("package", ["torch", "transformers", "peft", "bitsandbytes"])
def test_without_the_ml_packages_a_verb_that_needs_them_says_how_to_get_them(package: str, tmp_path: Path) -> None:
    """As after `pip install .`, without `[ml]`: the import system is made not to find the package."""
    (tmp_path / "needs_it.py").write_text(f"import {package}.nn\n")
    ran = python(
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] == '{package}':\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "from twin.cli import VERBS, main\n"
        "VERBS['probe'] = ('needs_it', 'probe', 'Probe.')\n"
        "main(['probe'])"
    )
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr == (
        f"twin: This machine has no {package}: install twin with `pip install '.[ml]'` to train or serve.\n"
    )


def test_everything_a_verb_creates_is_the_owners_alone(
    run_twin: Run, verb: Callable[..., None], tmp_path: Path
) -> None:
    def body() -> None:
        (tmp_path / "file").touch()
        (tmp_path / "folder").mkdir()

    verb(body)
    assert run_twin("probe").code == 0
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o700


def test_tokens_never_reach_the_log(run_twin: Run, verb: Callable[..., None]) -> None:
    token = "123456789:" + "A" * 35

    def body() -> None:
        logging.getLogger("bot").info("calling https://api.telegram.org/bot%s/getMe", token)
        logging.getLogger("httpx").info("this library logs addresses")
        try:
            raise ValueError(f"https://api.telegram.org/bot{token}/getMe")
        except ValueError:
            logging.getLogger("bot").exception("it failed")

    verb(body)
    ran = run_twin("probe")
    assert ran.err.count("<token>") == 2
    assert token not in ran.err
    assert "this library" not in ran.err
