"""Windows and rows: every owner turn is supervised exactly once, whatever the lengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.encode import Window, pack, windows
from twin.errors import SettingsError
from twin.messages import Bubble, Peer, Session, Turn
from twin.prompt import PromptSpec, render_head


class Words:
    """A tokenizer of one token a character, so that a text can be read back from ids."""

    bos = (1,)

    def encode(self, texts: Sequence[str], *, special: bool) -> list[list[int]]:
        return [[ord(letter) for letter in text] for text in texts]


def session(lengths: Sequence[tuple[str, int]]) -> Session:
    """Turns of given lengths; each owner turn is made of a letter of its own, so it can be recognised."""
    return Session(1, tuple(Turn.of(who, [chr(0x4E00 + n) * size]) for n, (who, size) in enumerate(lengths)))


def supervised_text(found) -> str:
    return "".join(chr(i) for w in found for i, s in zip(w.ids, w.supervised, strict=True) if s)


lengths = st.lists(st.tuples(st.sampled_from(["owner", "other"]), st.integers(1, 90)), min_size=1, max_size=30)


@settings(max_examples=200)
@given(st.lists(lengths, min_size=1, max_size=4), st.integers(120, 400))
def test_every_owner_turn_is_supervised_exactly_once_and_no_window_exceeds_the_budget(said, budget):
    sessions = [session(part) for part in said]
    found = windows(sessions, PromptSpec(context_tokens=budget), Words())
    owner = [turn for part in sessions for turn in part.turns if turn.speaker == "owner"]
    assert supervised_text(found) == "".join(turn.bubbles[0].text + "\n\n" for turn in owner)
    assert sum(window.turns for window in found) == len(owner)
    assert sum(window.characters for window in found) == sum(turn.characters for turn in owner)
    assert all(len(window.ids) <= budget and window.ids[0] == 1 for window in found)


def test_a_session_within_the_budget_is_one_window():
    (window,) = windows([session([("other", 5), ("owner", 5)] * 6)], PromptSpec(context_tokens=400), Words())
    assert window.turns == 6 and not window.truncated


def test_later_windows_of_a_long_session_repeat_a_little_context_unsupervised():
    found = windows([session([("other", 20), ("owner", 20)] * 12)], PromptSpec(context_tokens=200), Words())
    assert len(found) > 2
    for before, after in pairwise(found):
        first_supervised = after.supervised.index(True)
        repeated = after.ids[1 : first_supervised - 4]
        assert 0 < len(repeated) < 200 / 2
        assert "".join(map(chr, repeated[:10])) in "".join(map(chr, before.ids))


def test_a_turn_longer_than_the_budget_keeps_its_beginning_and_is_counted():
    (window,) = windows([session([("owner", 500)])], PromptSpec(context_tokens=100), Words())
    assert window.truncated == 1 and len(window.ids) == 100 and window.turns == 1
    assert 0 < window.characters < 100


def test_a_session_without_the_owner_teaches_nothing():
    assert windows([session([("other", 10)])], PromptSpec(), Words()) == []


@given(st.lists(lengths, min_size=1, max_size=6), st.integers(100, 600))
def test_packing_loses_nothing_and_positions_restart_with_every_window(said, row_tokens):
    found = windows([session(part) for part in said], PromptSpec(context_tokens=150), Words())
    rows = pack(found, row_tokens)
    assert sum(len(row.ids) for row in rows) == sum(len(window.ids) for window in found)
    assert sum(len(row.labels) for row in rows) == sum(window.labels for window in found)
    assert sum(row.turns for row in rows) == sum(window.turns for window in found)
    for row in rows:
        assert len(row.ids) <= row_tokens or row.positions.count(0) == 1
        starts = [place for place, position in enumerate(row.positions) if position == 0]
        assert all(row.ids[start] == 1 for start in starts), "each window begins with its own start token"
        assert all(row.ids[at + 1] == label for at, label in zip(row.label_at, row.labels, strict=True))
        assert not {at + 1 for at in row.label_at} & set(starts), "no window predicts the next one"


def test_a_long_forward_before_the_owners_words_does_not_hide_them():
    turn = Turn("owner", (Bubble("f" * 500, authored=False), Bubble("mine")))
    (window,) = windows([Session(1, (turn,))], PromptSpec(context_tokens=100), Words())
    assert supervised_text([window]) == "mine\n\n" and len(window.ids) <= 100


def test_a_system_text_that_leaves_no_room_is_refused():
    with pytest.raises(SettingsError, match="more than half"):
        windows([session([("owner", 5)])], PromptSpec(system="x" * 80, context_tokens=128), Words())


NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
TELLING = PromptSpec(system="be me", peer="name", relation=True, time_of_day=True, gaps=True)


def timed(part: Session, peer: Peer) -> Session:
    """The same session with somebody, its turns seven minutes apart."""
    minutes = [NOON + timedelta(minutes=7 * number) for number in range(len(part.turns))]
    turns = tuple(replace(t, started_at=at, ended_at=at) for t, at in zip(part.turns, minutes, strict=True))
    return replace(part, turns=turns, peer=peer, previous_at=NOON - timedelta(days=2))


@settings(max_examples=100)
@given(
    st.lists(st.tuples(lengths, st.sampled_from([Peer(), Peer("Anna"), Peer("Bo", "boss")])), min_size=1, max_size=4),
    st.integers(160, 400),
)
def test_told_who_and_when_every_owner_turn_is_still_supervised_exactly_once_under_its_head(said, budget):
    spec = replace(TELLING, context_tokens=budget)
    for part, peer in said:
        one = timed(session(part), peer)
        found = windows([one], spec, Words())
        owner = [turn for turn in one.turns if turn.speaker == "owner"]
        assert supervised_text(found) == "".join(turn.bubbles[0].text + "\n\n" for turn in owner)
        assert sum(window.turns for window in found) == len(owner)
        head = "".join(segment.text for segment in render_head(spec, peer, one.chat_id))
        assert ("(with " in head) == (peer != Peer())
        for window in found:
            assert len(window.ids) <= budget and window.ids[0] == 1
            assert "".join(map(chr, window.ids[1:])).startswith(head)


def test_a_session_that_the_owner_opens_supervises_the_opening_and_marks_stay_unsupervised():
    one = timed(session([("owner", 5), ("other", 5), ("owner", 5)]), Peer("Anna"))
    (window,) = windows([one], replace(TELLING, system=""), Words())
    text = "".join(map(chr, window.ids[1:]))
    assert text.startswith("(with Anna)\n\nMe (12h, after days):\n") and "Them (12h, after minutes):\n" in text
    assert supervised_text([window]) == one.turns[0].bubbles[0].text + "\n\n" + one.turns[2].bubbles[0].text + "\n\n"


def test_a_quote_before_the_owners_words_is_read_and_not_learned():
    turn = Turn("owner", (Bubble("so"), Bubble("[in reply to] when?", authored=False), Bubble("now")))
    (window,) = windows([Session(1, (turn,))], PromptSpec(), Words())
    assert "".join(map(chr, window.ids[1:])) == "Me:\nso\n[in reply to] when?\nnow\n\n"
    assert supervised_text([window]) == "so\nnow\n\n"


@given(st.lists(st.integers(1, 60), max_size=80), st.integers(10, 50))
def test_each_window_lies_in_the_first_row_that_has_room_for_it_longest_first(lengths, row_tokens):
    found = [Window((place,) * length, (True,) * length, 1, length) for place, length in enumerate(lengths)]
    rows: list[list[int]] = []
    for window in sorted(found, key=lambda one: -len(one.ids)):
        row = next((row for row in rows if len(row) + len(window.ids) <= row_tokens), None)
        if row is None:
            rows.append(row := [])
        row.extend(window.ids)
    assert [row.ids for row in pack(found, row_tokens)] == rows
