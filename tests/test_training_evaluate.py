"""Held-out questions: asked as they would have been asked at that moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from training.evaluate import questions
from twin.messages import Bubble, Peer, Session, Turn
from twin.prompt import PromptSpec, render_prompt

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
ANNA = Peer("Anna", "friend")


def session(*turns: tuple[str, list[Bubble]]) -> Session:
    timed = [
        Turn(who, tuple(parts), NOON + timedelta(minutes=n), NOON + timedelta(minutes=n))  # type: ignore[arg-type]
        for n, (who, parts) in enumerate(turns)
    ]
    return Session(7, tuple(timed), ANNA, previous_at=NOON - timedelta(days=3))


def asked(found: Session, spec: PromptSpec) -> list[tuple[str, list[str]]]:
    return [
        (
            "".join(part.text for group in render_prompt(spec, question.conversation) for part in group),
            [part.text for part in question.answer.bubbles],
        )
        for question in questions([found], 10)
    ]


def test_a_question_tells_with_whom_and_when_as_the_adapter_was_taught() -> None:
    found = session(("other", [Bubble("hi")]), ("owner", [Bubble("yo"), Bubble("what's up")]))
    spec = PromptSpec(peer="name", time_of_day=True, gaps=True)
    prompt = "(with Anna)\n\nThem (12h, after days):\nhi\n\nMe (12h, after minutes):\n"
    assert asked(found, spec) == [(prompt, ["yo", "what's up"])]
    assert asked(found, PromptSpec()) == [("Them:\nhi\n\nMe:\n", ["yo", "what's up"])]


def test_what_the_owners_turn_begins_with_that_is_not_theirs_is_part_of_the_question() -> None:
    quote, photo = Bubble("[in reply to] when?", authored=False), Bubble("[photo]", authored=False)
    found = session(("other", [Bubble("hi")]), ("owner", [photo, quote, Bubble("now"), photo]))
    assert asked(found, PromptSpec()) == [
        ("Them:\nhi\n\nMe:\n[photo]\n[in reply to] when?\n", ["now", "[photo]"]),
    ]


def test_openings_and_turns_that_teach_nothing_are_not_asked_about() -> None:
    photo = Bubble("[photo]", authored=False)
    found = session(("owner", [Bubble("hey")]), ("other", [Bubble("hi")]), ("owner", [photo]), ("other", [Bubble("a")]))
    assert questions([found], 10) == []
