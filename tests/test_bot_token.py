"""`twin bot --set-token`: the token goes into a file that only its owner can read, and nowhere else."""

from __future__ import annotations

import io
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from bot.token import keep
from tests.bot_api import TOKEN
from twin.errors import BotError
from twin.settings import bot_token, load_settings


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def enter(run_twin: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """`enter(line)`: the command, with that on its stdin."""

    def run(line: str) -> Any:
        monkeypatch.setattr(sys, "stdin", io.StringIO(line))
        return run_twin("bot", "--set-token")

    return run


def test_the_token_is_kept_for_its_owner_alone_and_not_shown(enter: Callable[[str], Any]) -> None:
    home = load_settings().home
    ran = enter(f" {TOKEN}\nanother line\n")
    file = home / "bot-token"
    assert ran.code == 0 and str(file) in ran.out
    assert TOKEN.split(":")[1] not in ran.out + ran.err
    assert file.read_text() == f"{TOKEN}\n" and bot_token(load_settings()) == TOKEN
    assert (_mode(home), _mode(file)) == (0o700, 0o600)
    assert list(home.iterdir()) == [file]


def test_a_new_token_replaces_one_that_others_could_read(enter: Callable[[str], Any]) -> None:
    file = keep(load_settings().home, "1:old")
    file.chmod(0o644)
    assert enter(TOKEN).code == 0
    assert file.read_text() == f"{TOKEN}\n" and _mode(file) == 0o600


@pytest.mark.parametrize("line", ["", "\n", "hunter2 and more\n", "123456:\n", "١٢٣:abc\n"])
def test_what_is_no_token_is_refused_in_one_sentence_and_the_old_one_stays(
    enter: Callable[[str], Any], line: str
) -> None:
    file = keep(load_settings().home, TOKEN)
    ran = enter(line)
    assert ran.code == 2 and ran.out == "" and ran.err.count("\n") == 1
    assert "BotFather" in ran.err and "hunter2" not in ran.err
    assert file.read_text() == f"{TOKEN}\n"


def test_at_a_terminal_the_token_is_typed_unseen(run_twin: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal("seen"))
    monkeypatch.setattr(click.termui, "hidden_prompt_func", lambda prompt: TOKEN)
    ran = run_twin("bot", "--set-token")
    assert ran.code == 0 and TOKEN.split(":")[1] not in ran.out + ran.err
    assert bot_token(load_settings()) == TOKEN


def test_a_home_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BotError, match="cannot be written"):
        keep(tmp_path / "file" / "home", TOKEN)


def test_a_missing_token_names_the_command(run_twin: Callable[..., Any]) -> None:
    assert "`twin bot --set-token`" in run_twin("bot").err


@pytest.mark.parametrize("arguments", [["--set-token", TOKEN], [TOKEN]])
def test_a_token_on_the_command_line_is_refused_and_not_repeated(
    run_twin: Callable[..., Any], arguments: list[str]
) -> None:
    ran = run_twin("bot", *arguments)
    assert ran.code == 2 and "--set-token" in ran.err and TOKEN.split(":")[1] not in ran.out + ran.err
    assert bot_token(load_settings()) is None
