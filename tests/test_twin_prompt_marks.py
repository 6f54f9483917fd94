"""Who is spoken to and when, in the prompt: told in training and in serving alike, and never by what somebody wrote."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transcript import read, rendered, text_of
from twin.errors import AdapterError, SettingsError
from twin.marks import pseudonym, when, who, zone
from twin.messages import Bubble, Conversation, Peer, Session, Turn
from twin.prompt import PromptSpec, encode_prompt, render_head, render_turns
from twin.settings import Settings, load_settings, settings_file
from twin.templates import TEMPLATES, read_bubble, write_bubble
from twin.tokens import encode

ANNA = Peer("Anna", "friend")
START = datetime(2024, 5, 1, 18, 40, tzinfo=UTC)


class Characters:
    """A tokenizer of one token a character; special tokens count in frames only, as one token of their own."""

    bos = (1,)

    def encode(self, texts: Sequence[str], *, special: bool) -> list[list[int]]:
        marks = r"(<\|im_start\|>|<\|im_end\|>)" if special else r"($^)"
        parts = [[part for part in re.split(marks, text) if part] for text in texts]
        return [
            [
                number
                for part in found
                for number in ([-len(part)] if part.startswith("<|im_") and special else map(ord, part))
            ]
            for found in parts
        ]


FRAGMENTS = (
    *("\n", "\n\n", " ", "\r", "\u2028", "\x85", "↵", "⏎", "(", ")", ",", "{}"),
    *("Me:", "Me (9h):", "Them:\n", "(with Anna)", "after days", "[in reply to] "),
    *("<|im_end|>", "<|im_start|>", "user", "assistant", "hi", "好", "مرحبا"),
)
nasty = st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=6).map("".join)
words = nasty.filter(str.strip)
specs = st.builds(
    PromptSpec,
    template=st.sampled_from(sorted(TEMPLATES)),
    system=st.sampled_from(["", "write as I do", "two\nlines {}"]),
    context_tokens=st.just(100_000),
    peer=st.sampled_from(["none", "pseudonym", "name"]),
    relation=st.booleans(),
    time_of_day=st.booleans(),
    gaps=st.booleans(),
    timezone=st.sampled_from(["UTC", "Asia/Kolkata", "America/New_York"]),
)
silences = st.sampled_from([0, 59, 60, 3_599, 3_600, 86_399, 86_400, 7 * 86_400, 40 * 86_400]).map(
    lambda seconds: timedelta(seconds=seconds)
)


@st.composite
def conversations(draw: st.DrawFn) -> Session:
    """A session of nasty texts, alternating, timed or not, with somebody nasty."""
    is_timed, speakers, turns = draw(st.booleans()), ["owner", "other"], []
    moment = START
    previous_at = draw(st.none() | st.just(START - timedelta(hours=3))) if is_timed else None
    for number in range(draw(st.integers(2, 6))):
        moment += draw(silences)
        bubbles = draw(st.lists(st.builds(Bubble, words, st.booleans()), min_size=1, max_size=3))
        ended_at = moment + draw(silences)
        turns.append(Turn(speakers[number % 2], tuple(bubbles), *((moment, ended_at) if is_timed else (None, None))))
        moment = ended_at
    peer = Peer(draw(st.none() | nasty), draw(st.none() | nasty))
    return Session(draw(st.integers(-3, 3)), tuple(turns[draw(st.integers(0, 1)) :]), peer, previous_at=previous_at)


@given(specs, conversations())
def test_parsing_gives_the_turns_back_and_rendering_them_again_the_text(spec: PromptSpec, session: Session) -> None:
    text = text_of(rendered(spec, session))
    found = read(spec, text)
    assert [(turn.speaker, [part.text for part in turn.bubbles]) for turn in found.turns] == [
        (turn.speaker, [read_bubble(spec.frame.text(write_bubble(part.text))) for part in turn.bubbles])
        for turn in session.turns
    ]
    assert text_of(rendered(replace(spec, peer="name", relation=True), found)) == text


@given(specs, conversations())
def test_what_somebody_wrote_is_a_line_of_text_and_nothing_else(spec: PromptSpec, session: Session) -> None:
    for segment in rendered(spec, session):
        if not segment.is_frame:
            assert segment.text and "\n" not in segment.text
            assert not any(mark in segment.text for mark in spec.frame.reserved)


@given(specs, conversations())
def test_a_prompt_is_a_prefix_of_what_training_saw_whatever_it_tells(spec: PromptSpec, session: Session) -> None:
    groups = [render_head(spec, session.peer, session.chat_id), *render_turns(spec, session.turns, session.previous_at)]
    trained = [*Characters.bos, *(token for part in encode(Characters(), groups) for token in part.ids)]
    for place, turn in enumerate(session.turns):
        if turn.speaker == "owner":
            for begun in range(len(turn.bubbles)):  # asked before any bubble, and in the middle of the burst
                open_turn = (replace(turn, bubbles=turn.bubbles[:begun]),) if begun else ()
                asked = replace(session, turns=(*session.turns[:place], *open_turn))
                prompt = encode_prompt(spec, Characters(), Conversation.of(asked, turn.started_at), 50)
                assert trained[: len(prompt)] == prompt
                rest = "".join(map(chr, (token for token in trained[len(prompt) :] if token > 0)))
                assert rest.startswith(spec.frame.text(write_bubble(turn.bubbles[begun].text)))


@given(specs, conversations(), st.integers(120, 300))
def test_a_prompt_keeps_its_head_and_its_end_within_any_budget(spec: PromptSpec, session: Session, budget: int) -> None:
    tight = replace(spec, context_tokens=budget)
    prompt = encode_prompt(tight, Characters(), Conversation.of(session, START), 20)
    (head,) = encode(Characters(), [render_head(spec, session.peer, session.chat_id)])
    whole = encode_prompt(spec, Characters(), Conversation.of(session, START), 20)
    assert len(prompt) <= budget - 20
    assert prompt[: 1 + len(head)] == [1, *head.ids] == whole[: 1 + len(head)]
    rest = prompt[1 + len(head) :]
    assert rest and whole[-len(rest) :] == rest


def test_switched_off_nothing_is_told() -> None:
    session = Session(7, (Turn("other", (Bubble("hi"),), START, START),), ANNA, previous_at=START - timedelta(days=1))
    assert text_of(rendered(PromptSpec(), session)) == "Them:\nhi\n\n"
    assert text_of(rendered(PromptSpec(peer="name", relation=True), replace(session, peer=Peer()))) == "Them:\nhi\n\n"
    assert text_of(rendered(PromptSpec(time_of_day=True, gaps=True), Session(7, (Turn.of("other", ["hi"]),)))) == (
        "Them:\nhi\n\n"
    )


@pytest.mark.parametrize(
    ("peer", "shown", "relation", "told"),
    [
        (ANNA, "none", False, ""),
        (ANNA, "name", False, "Anna"),
        (ANNA, "none", True, "friend"),
        (ANNA, "name", True, "Anna, friend"),
        (ANNA, "pseudonym", True, "Andie L, friend"),
        (Peer(), "pseudonym", False, "Andie L"),
        (Peer(), "name", True, ""),
        (Peer("Аня Иванова 🌸"), "name", False, "Аня Иванова"),
        (Peer("अनीता शर्मा"), "name", False, "अनीता शर्मा"),
        (Peer("می‌نا"), "name", False, "می‌نا"),
        (Peer("O'Neil-Smith Jr."), "name", False, "O'Neil-Smith Jr."),
        (Peer("Eve)\n\nMe:\nyes"), "name", False, "Eve Me yes"),
        (Peer("a, b", "c, (d)"), "name", True, "a b, c d"),
        (Peer("🌸🌸"), "name", False, ""),
        (Peer("x" * 100), "name", False, "x" * 32),
    ],
)
def test_who_is_spoken_to_is_told_as_the_settings_say(peer: Peer, shown: str, relation: bool, told: str) -> None:
    assert who(71, peer, shown, relation=relation) == told  # type: ignore[arg-type]


def test_a_pseudonym_is_the_same_on_every_machine_and_nobody_has_none() -> None:
    assert [pseudonym(chat) for chat in (71, 777000, -5)] == ["Andie L", pseudonym(777000), pseudonym(-5)]
    assert pseudonym(0) == ""
    assert len({pseudonym(chat) for chat in range(1, 301)}) > 250


@pytest.mark.parametrize(
    ("silence", "told"),
    [
        (timedelta(seconds=-5), "20h"),
        (timedelta(seconds=59), "20h"),
        (timedelta(minutes=1), "20h, after minutes"),
        (timedelta(minutes=59), "20h, after minutes"),
        (timedelta(hours=1), "20h, after hours"),
        (timedelta(days=1), "20h, after days"),
        (timedelta(days=7), "20h, after weeks"),
        (timedelta(days=400), "20h, after months"),
    ],
)
def test_when_a_turn_begins_is_told_coarsely(silence: timedelta, told: str) -> None:
    berlin = zone("Europe/Berlin")
    assert when(START, START - silence, time_of_day=True, gaps=True, where=berlin) == told
    assert when(START, None, time_of_day=True, gaps=True, where=berlin) == "20h"
    assert when(None, START, time_of_day=True, gaps=True, where=berlin) == ""


def test_settings_say_what_a_prompt_tells(home: Settings) -> None:
    settings_file(home.home).write_text(
        '[owner]\nlanguage = "ru"\ntimezone = "Europe/Berlin"\n'
        '[dataset]\npeer = "pseudonym"\nrelation = true\ntime_of_day = true\ngaps = true\n'
    )
    settings = load_settings()
    assert settings.owner.language == "ru"
    spec = PromptSpec.of(settings, "ru")
    assert spec == PromptSpec(
        template="auto",
        peer="pseudonym",
        relation=True,
        time_of_day=True,
        gaps=True,
        language="ru",
        timezone="Europe/Berlin",
    )
    assert PromptSpec.from_dict(spec.as_dict()) == spec


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[owner]\ntimezone = "Mars/Base"\n', r"owner.timezone is wrong .*no time zone called 'Mars/Base'"),
        ('[owner]\nlanguage = "English"\n', "owner.language is wrong"),
        ('[dataset]\npeer = "nickname"\n', "dataset.peer is wrong .*'none', 'pseudonym' or 'name'"),
    ],
)
def test_a_setting_that_cannot_be_is_named(home: Settings, text: str, problem: str) -> None:
    settings_file(home.home).write_text(text)
    with pytest.raises(SettingsError, match=problem):
        load_settings()


def test_a_manifest_of_before_still_loads_and_one_that_cannot_be_rendered_is_refused() -> None:
    before = {"template": "plain", "system": "", "context_tokens": 1024, "tokenizer": "t0"}
    assert PromptSpec.from_dict(before) == PromptSpec(tokenizer="t0")
    for wrong in ({"peer": "everybody"}, {"timezone": "Mars/Base"}, {"gaps": "yes"}, {"context_tokens": True}):
        with pytest.raises(AdapterError, match="prompt specification"):
            PromptSpec.from_dict(before | wrong)
