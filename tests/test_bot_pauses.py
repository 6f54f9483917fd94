"""Pauses are drawn from the owner's own pace, within bounds, and the same with the same chance."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bot.pauses import Paces, Pauses
from twin.manifest import BaseIdentity, Manifest
from twin.prompt import PromptSpec
from twin.sections import Telegram
from twin.settings import Settings
from twin.timing import LEVELS, Gap, Spread, Timing

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC).timestamp()


def always(seconds: float) -> Spread:
    return Spread(100, (seconds,) * len(LEVELS))


def pace(gap: float, latency: float, **fields: Any) -> Timing:
    return Timing(gaps=(Gap(10, always(gap)),), latency=(always(latency),) * 24, **fields)


def dataset(home: Path, fingerprint: str, timing: Timing | str | None, built: int = 1) -> None:
    """A snapshot's folder, as far as pauses look at it."""
    folder = home / "datasets" / fingerprint
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    os.utime(folder / "manifest.json", (built, built))
    if timing is not None:
        text = timing if isinstance(timing, str) else json.dumps(timing.as_dict())
        (folder / "timing.json").write_text(text)


def pauses(home: Path, **telegram: Any) -> Pauses:
    return Pauses(Settings(home=home, telegram=Telegram(**telegram)), Random(7))


def test_before_and_between_bubbles_passes_what_the_owner_takes(tmp_path: Path) -> None:
    dataset(tmp_path, "aa", pace(4, 11))
    found = pauses(tmp_path)
    assert found.before_first(None, NOON) == pytest.approx(11) and found.before(None, "0123456789") == pytest.approx(4)
    assert found.before(None, "0123456789" * 2) == pytest.approx(8), "a longer bubble takes longer to type"


def test_no_pause_is_longer_than_the_settings_allow(tmp_path: Path) -> None:
    dataset(tmp_path, "aa", pace(400, 3_000))
    found = pauses(tmp_path, longest_pause_seconds=15)
    assert (found.before_first(None, NOON), found.before(None, "hi")) == (15, 15)


def test_the_impatient_and_those_of_whom_no_pace_is_known_get_the_fixed_pause(tmp_path: Path) -> None:
    unknown = pauses(tmp_path / "empty", bubble_pause_seconds=0.5)
    assert (unknown.before_first(None, NOON), unknown.before(None, "hi")) == (0, 0.5)
    dataset(tmp_path, "aa", pace(4, 11))
    fast = pauses(tmp_path, pacing="fast", bubble_pause_seconds=0.5)
    assert (fast.before_first(None, NOON), fast.before(None, "hi")) == (0, 0.5)


def test_the_hour_is_the_owners_own(tmp_path: Path) -> None:
    by_hour = tuple(always(hour) for hour in range(24))
    dataset(tmp_path, "aa", Timing(timezone="Asia/Tokyo", latency=by_hour))
    assert pauses(tmp_path, longest_pause_seconds=60).before_first(None, NOON) == pytest.approx(21)


def test_the_same_chance_draws_the_same_pauses(tmp_path: Path) -> None:
    dataset(tmp_path, "aa", Timing())
    one, two = pauses(tmp_path), pauses(tmp_path)
    drawn = [one.before(None, "x" * number) for number in range(1, 40)]
    assert drawn == [two.before(None, "x" * number) for number in range(1, 40)] and len(set(drawn)) > 10


def test_the_pace_is_that_of_what_the_version_learned_from_else_the_newest(tmp_path: Path) -> None:
    dataset(tmp_path, "old", pace(1, 1), built=1)
    dataset(tmp_path, "new", pace(2, 2), built=2)
    adapter = tmp_path / "adapters" / "v1"
    adapter.mkdir(parents=True)
    base, created = BaseIdentity("tiny", "f00", "none"), "2026-11-21T12:00:00+00:00"
    manifest = Manifest("v1", created, base, PromptSpec(), "old", 10, {}, {}, {})
    (adapter / "twin.json").write_text(json.dumps(manifest.as_dict()))
    paces = Paces(tmp_path / "adapters", tmp_path / "datasets")
    assert paces.of("v1") == pace(1, 1) and paces.of("gone") == paces.of(None) == pace(2, 2)


@pytest.mark.parametrize(
    "damaged", ["{", "[]", '{"format": 99}', json.dumps(pace(1, 1, timezone="No/Where").as_dict())]
)
def test_a_damaged_pace_is_logged_and_counts_as_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damaged: str
) -> None:
    dataset(tmp_path, "aa", damaged)
    assert pauses(tmp_path).before(None, "hi") == Telegram().bubble_pause_seconds
    assert "cannot be read" in caplog.text
