"""What is seen while live ingest runs: bars and countdowns at a terminal, a line in the log elsewhere."""

from __future__ import annotations

import asyncio
import io
import logging

import pytest
from rich.console import Console

from ingest.telegram_account import RemoteDialog
from ingest.telegram_display import Display
from ingest.telegram_login import qr_code
from ingest.telegram_patience import duration
from ingest.telegram_pull import Pulled
from ingest.telegram_rows import Counts


def terminal() -> tuple[Display, io.StringIO]:
    seen = io.StringIO()
    return Display(Console(file=seen, force_terminal=True, width=100)), seen


@pytest.fixture
def no_sleep(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await real(0)

    monkeypatch.setattr("ingest.telegram_display.asyncio.sleep", sleep)
    return slept


def test_a_wait_is_counted_down_at_a_terminal(no_sleep: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    display, _ = terminal()
    told: list[str] = []
    monkeypatch.setattr(display, "describe", told.append)
    asyncio.run(display.wait(75.5, "Telegram asks to wait"))
    assert told[:2] == ["Telegram asks to wait: going on in 1:15", "Telegram asks to wait: going on in 1:14"]
    assert sum(no_sleep) == 75.5


def test_a_wait_within_the_reading_goes_back_to_the_bar(no_sleep: list[float]) -> None:
    display, seen = terminal()
    with display.busy("Reading", total=10):
        asyncio.run(display.wait(2, "Telegram asks to wait"))
        display.on_page(Pulled(RemoteDialog(1, "Anna \x1b[2J[bold]", None, 1, None, None), read=7, total=10))
        assert display._bars is not None and display._bars.tasks[0].completed == 7
        assert "Anna" in display._bars.tasks[0].description and "7 of 10" in display._bars.tasks[0].description
    assert "\x1b[2J[bold]" not in seen.getvalue()


def test_elsewhere_a_wait_is_one_line_in_the_log(no_sleep: list[float], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    display = Display(Console(file=io.StringIO()))
    asyncio.run(display.wait(75, "Telegram asks to wait"))
    assert [record.getMessage() for record in caplog.records] == [
        "Telegram asks to wait: going on in 1 minute 15 seconds"
    ]
    display.on_round([Counts(added=2), Counts(deleted=1)])
    display.on_round([Counts(added=2), Counts(deleted=1)])
    assert caplog.messages[1:] == ["Following: 2 new, 0 edited, 1 deleted so far"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (61, "1 minute 1 second"),
        (83_000, "23 hours 3 minutes"),
        (200_000, "2 days 7 hours"),
        (86_400, "1 day"),
    ],
)
def test_a_time_is_told_in_its_two_largest_units(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_qr_code_fits_a_terminal_and_has_its_quiet_zone() -> None:
    lines = qr_code("tg://login?token=" + "A" * 43).splitlines()
    assert len(lines) < 24 and {len(line) for line in lines} == {len(lines[0])}
    assert set(lines[0]) == {"█"}
