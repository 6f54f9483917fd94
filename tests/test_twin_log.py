"""`twin up --log-file`: what is said also stands in a file, which turns and which only its owner can read."""

from __future__ import annotations

import logging
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import twin.log
from twin.errors import SettingsError
from twin.log import log_to_file, passed_on, set_up_logging
from twin.settings import Settings

TOKEN = "123456789:" + "A" * 35


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_file_hears_what_stderr_hears_and_no_token(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging()
    log_to_file(tmp_path / "logs" / "up.log")
    passed_on.info(f"bot    | 100% of {TOKEN} came")
    logging.getLogger("twin.supervisor").warning("bot ended")
    lines = (tmp_path / "logs" / "up.log").read_text().splitlines()
    assert lines[0] == "bot    | 100% of <token> came"
    assert lines[1].endswith("WARNING twin.supervisor: bot ended")
    assert capsys.readouterr().err.splitlines() == lines


def test_a_file_that_is_full_turns_and_the_oldest_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twin.log, "_MEGABYTES", 0.001)
    set_up_logging()
    log_to_file(tmp_path / "up.log")
    for number in range(200):
        passed_on.info(f"worker | line {number:03d} " + "." * 80)
    files = sorted(file.name for file in tmp_path.iterdir())
    assert files == ["up.log", "up.log.1", "up.log.2", "up.log.3", "up.log.4"]
    assert all(file.stat().st_size <= 1000 for file in tmp_path.iterdir())
    assert (tmp_path / "up.log").read_text().splitlines()[-1].startswith("worker | line 199")


def test_a_log_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    (tmp_path / "up.log").touch()
    (tmp_path / "up.log").chmod(0o644)
    log_to_file(tmp_path / "up.log")
    assert stat.S_IMODE((tmp_path / "up.log").stat().st_mode) == 0o600


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="choose another --log-file"):
        log_to_file(tmp_path / "file" / "up.log")


def test_up_writes_what_its_children_say_into_the_file(
    home: Settings, run_twin: Callable[..., Any], tmp_path: Path
) -> None:
    ran = run_twin("up", "--log-file", tmp_path / "up.log")
    for handler in logging.getLogger().handlers:
        handler.close()
    assert ran.code == 2
    assert "bot    | twin: There is no bot token" in (tmp_path / "up.log").read_text()
    assert "bot    | twin: There is no bot token" in ran.err
