"""Held-out moments: asked as they would have been asked then, spread over the period, called the same in every run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.snapshots import publish
from training.cuts import Cuts
from training.fidelity.gather import Placed, evenly, gather
from training.snapshot import Account, Snapshot
from twin.errors import DatasetError
from twin.messages import Bubble, Peer, Session, Turn
from twin.prompt import PromptSpec, render_prompt

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
ANNA = Peer("Anna", "friend")


def session(*turns: tuple[str, list[Bubble]], chat: int = 7, origin: str = "telegram") -> Session:
    timed = [
        Turn(who, tuple(parts), NOON + timedelta(minutes=n), NOON + timedelta(minutes=n))  # type: ignore[arg-type]
        for n, (who, parts) in enumerate(turns)
    ]
    return Session(chat, tuple(timed), ANNA, origin, NOON - timedelta(days=3))


def talk(count: int, chat: int = 7, origin: str = "telegram") -> Session:
    """So many questions and answers."""
    said = [("other" if n % 2 == 0 else "owner", [Bubble(f"line {n} of {chat}")]) for n in range(2 * count)]
    return session(*said, chat=chat, origin=origin)


def snapshot(folder: Path, **parts: list[Session]) -> Snapshot:
    every = {"train": [], "val": [], "test": []} | parts
    return publish(folder, Cuts(NOON, NOON + timedelta(days=1)), every, Account())


def asked(found: Session, spec: PromptSpec) -> list[tuple[str, tuple[str, ...]]]:
    return [
        (
            "".join(part.text for group in render_prompt(spec, context.conversation) for part in group),
            context.true.bubbles,
        )
        for context in Placed(found, 0).contexts()
    ]


def test_a_moment_tells_with_whom_and_when_as_the_adapter_was_taught() -> None:
    found = session(("other", [Bubble("hi")]), ("owner", [Bubble("yo"), Bubble("what's up")]))
    spec = PromptSpec(peer="name", time_of_day=True, gaps=True)
    prompt = "(with Anna)\n\nThem (12h, after days):\nhi\n\nMe (12h, after minutes):\n"
    assert asked(found, spec) == [(prompt, ("yo", "what's up"))]
    assert asked(found, PromptSpec()) == [("Them:\nhi\n\nMe:\n", ("yo", "what's up"))]


def test_what_the_owners_turn_begins_with_that_is_not_theirs_is_part_of_what_is_asked() -> None:
    quote, photo = Bubble("[in reply to] when?", authored=False), Bubble("[photo]", authored=False)
    found = session(("other", [Bubble("hi")]), ("owner", [photo, quote, Bubble("now"), photo]))
    assert asked(found, PromptSpec()) == [("Them:\nhi\n\nMe:\n[photo]\n[in reply to] when?\n", ("now",))]


def test_openings_and_turns_that_teach_nothing_are_not_asked_about() -> None:
    photo = Bubble("[photo]", authored=False)
    found = session(("owner", [Bubble("hey")]), ("other", [Bubble("hi")]), ("owner", [photo]), ("other", [Bubble("a")]))
    assert asked(found, PromptSpec()) == []


def test_everybodys_words_stand_in_the_part_they_were_said_in(tmp_path: Path) -> None:
    book = talk(3, chat=0, origin="book")
    made = snapshot(tmp_path, train=[talk(4), book], val=[talk(2, 8)], test=[talk(3, 9), talk(5)])
    found = gather(made)
    assert [len(part) for part in (found.owner_train, found.owner_val, found.owner_test)] == [4, 2, 8]
    assert [len(part) for part in (found.partner_train, found.partner_val, found.partner_test)] == [4, 2, 8]
    assert {reply.dialog for reply in found.owner_train} == {7}, "what was imported is nobody's style here"
    assert [context.true.bubbles for context in found.past] == [(f"line {n} of 7",) for n in (1, 3, 5, 7)]
    assert [context.id for context in found.contexts][:4] == ["9:0:1", "9:0:3", "9:0:5", "7:1:1"]
    assert gather(made).contexts == found.contexts
    assert all(context.conversation.turns[-1].speaker == "other" for context in found.contexts)


def test_fewer_moments_are_spread_over_the_whole_period(tmp_path: Path) -> None:
    found = gather(snapshot(tmp_path, test=[talk(50), talk(50, 8)]), 10).contexts
    assert [context.true.dialog for context in found] == [7] * 5 + [8] * 5
    assert [context.turn for context in found[:5]] == [11, 31, 51, 71, 91]


def test_a_home_with_imported_sets_alone_is_measured_on_them(tmp_path: Path) -> None:
    found = gather(snapshot(tmp_path, test=[talk(2, 0, "book"), talk(2, 0, "book")]))
    assert [reply.dialog for reply in found.owner_test] == [-1, -1, -2, -2]


def test_a_test_part_without_a_reply_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="has no reply of yours: ingest newer dialogs"):
        gather(snapshot(tmp_path, test=[session(("other", [Bubble("hi")]))]))


@given(st.integers(0, 60), st.integers(1, 60))
def test_spreading_takes_each_at_most_once_and_in_order(size: int, count: int) -> None:
    taken = evenly(range(size), count)
    assert taken == sorted(set(taken)) and len(taken) == min(size, count)
