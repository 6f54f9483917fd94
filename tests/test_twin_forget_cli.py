"""`twin forget`: it asks, tells what is gone, and says clearly when what serves learned from it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

import twin.forget
import twin.forget_cli
from inference.doctor import examine
from tests.conftest import Ran
from tests.forgetting import (
    PLANTED,
    adapter,
    fill,
    remember,
)
from twin.registry import Registry
from twin.settings import Settings
from twin.store import Store


@pytest.fixture
def served(home: Settings, store: Store) -> Registry:
    """A home in which v1 served before v2, and both learned from Anna."""
    fill(store)
    registry = Registry(home.adapters, store.db)
    for number, version in enumerate(("v1", "v2")):
        adapter(registry, version, remember(home)["of both"] if version == "v2" else "gone")
        registry.promote(version, "good", float(number))
    return registry


def test_the_command_says_what_is_gone_and_that_what_serves_is_stale(
    served: Registry, run_twin: Callable[..., Ran], store: Store
) -> None:
    ran = run_twin("forget", "@anna_p", "--yes")
    assert (ran.code, ran.err) == (0, "")
    assert "Forgotten of Anna: 6 messages, 2 messages between them and the bot, 1 reply suggested to them" in ran.out
    assert "v2 still serves and may repeat it: `twin adapters withdraw" in ran.out
    assert PLANTED not in ran.out
    assert served.candidates() == ["v2"]  # v1 is not fallen back to
    listed = run_twin("adapters", "list")
    assert "stale" in listed.out and "Retrain" in listed.out
    rows = json.loads(run_twin("adapters", "list", "--json").out)
    assert [(row["version"], row["serves"], row["stale"]) for row in rows] == [("v2", True, True), ("v1", False, True)]
    assert "stale" in run_twin("adapters", "promote", "v1").err
    assert "Stale" in run_twin("adapters", "show", "v2").out
    finding = next(finding for finding in examine(quick=True) if finding.check == "adapter")
    assert not finding.ok and "twin adapters withdraw v2" in finding.remedy and not finding.optional
    assert "No adapter serves now" in run_twin("adapters", "withdraw", "v2").out
    assert served.current() is None
    assert "No ingest brings them back" in ran.out
    assert "excluded" not in run_twin("dialogs", "list").out and "forgotten" in run_twin("dialogs", "list").out
    assert "brings in whatever it finds" in run_twin("forget", "--undo", "Anna").out
    assert "Nothing of Anna was forgotten" in run_twin("forget", "--undo", "Anna").out


def test_what_serves_is_withdrawn_at_once_if_that_is_wanted(served: Registry, run_twin: Callable[..., Ran]) -> None:
    told = json.loads(run_twin("forget", "Anna", "--yes", "--withdraw", "--json").out)
    assert (told["stale"], told["serving"], told["withdrawn"]) == (["v2", "v1"], None, "v2")
    assert served.current() is None


def test_it_asks_first_and_then_about_what_serves(
    served: Registry, run_twin: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    asked: list[str] = []

    def answer(question: str, abort: bool = False) -> bool:
        asked.append(question)
        return True

    assert "say --yes" in run_twin("forget", "Anna").err
    assert store.message_count() == 11
    monkeypatch.setattr(twin.forget_cli, "is_interactive", lambda: True)
    monkeypatch.setattr(twin.forget_cli.click, "confirm", answer)
    ran = run_twin("forget", "Anna", "--before", "2026-05-01")
    assert asked == ["Forget it for good?", "v2 serves and learned from it. Withdraw it now?"]
    assert "6 messages" in ran.out and "Adapters that learned from it: v2, v1" in ran.out
    assert "v2 does not serve any more" in ran.out and served.current() is None
