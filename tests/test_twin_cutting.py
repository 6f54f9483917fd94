"""A conversation over its budget is cut into stretches that grow; successive prompts extend one another."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from twin.cutting import Stretch, stretches
from twin.messages import Conversation, Turn
from twin.prompt import PromptSpec, encode_prompt

lengths_ = st.lists(st.integers(1, 60), max_size=40)
rooms = st.integers(20, 200)
shares = st.sampled_from([0.0, 0.25, 0.5, 1.0])


class Characters:
    """A tokenizer of one token a character."""

    bos = (1,)

    def encode(self, texts: Sequence[str], *, special: bool) -> list[list[int]]:
        return [[ord(letter) for letter in text] for text in texts]


def test_what_fits_is_one_stretch_and_nothing_is_none():
    assert stretches([5, 5, 5], 15, 7) == [Stretch(0, 0, 3)]
    assert stretches([], 15, 7) == []


def test_a_full_stretch_starts_again_with_the_latest_turns_up_to_the_share():
    assert stretches([4, 4, 4, 4, 4], 12, 6) == [Stretch(0, 0, 3), Stretch(2, 3, 5)]
    assert stretches([4, 4, 4, 4, 4], 12, 0) == [Stretch(0, 0, 3), Stretch(3, 3, 5)]
    assert stretches([4, 4, 40, 4], 12, 8) == [Stretch(0, 0, 2), Stretch(2, 2, 3), Stretch(3, 3, 4)]


@given(lengths_, rooms, shares)
def test_every_turn_is_new_once_and_no_stretch_of_turns_that_fit_is_over_the_room(lengths, room, share):
    found = stretches(lengths, room, int(share * room))
    assert [n for part in found for n in range(part.new, part.end)] == list(range(len(lengths)))
    for part in found:
        assert part.start <= part.new < part.end
        assert sum(lengths[part.start : part.new]) <= share * room
        assert sum(lengths[part.start : part.end]) <= room or part.end - part.start == 1


@given(lengths_, lengths_, rooms, shares)
def test_what_is_said_later_moves_no_earlier_cut(lengths, later, room, share):
    before = stretches(lengths, room, int(share * room))
    after = stretches(lengths + later, room, int(share * room))
    if before:
        assert after[: len(before) - 1] == before[:-1]
        assert (after[len(before) - 1].start, after[len(before) - 1].new) == (before[-1].start, before[-1].new)


def talk(lengths: Sequence[int]) -> list[Turn]:
    """Turns of so many letters, each different, the first one the other side's."""
    return [Turn.of("owner" if n % 2 else "other", [f"{n:03}" + "x" * length]) for n, length in enumerate(lengths)]


@given(st.lists(st.integers(1, 40), min_size=2, max_size=60), st.integers(120, 600))
@example([1, 1, 1, 39, 1, 19, 40, 1, 1], 207)
def test_a_prompt_extends_the_one_before_it_until_the_budget_is_full(lengths, budget):
    spec = PromptSpec(context_tokens=budget)
    turns = talk(lengths)
    asked = [tuple(turns[: n + 1]) for n, turn in enumerate(turns) if turn.speaker == "other"]
    prompts = [encode_prompt(spec, Characters(), Conversation(said), 20) for said in asked]
    for earlier, later, said in zip(prompts[:-1], prompts[1:], asked[1:], strict=True):
        assert len(later) <= budget - 20
        assert f"{len(said) - 1:03}x" in "".join(map(chr, later)), "the last turn is always in"
        if later[: len(earlier)] != earlier:
            latest = sum(len(turn.bubbles[0].text) + 8 for turn in said[-2:])
            most = len(Characters.bos) + (budget - 20) // 2 + latest
            assert len(later) <= most, "it starts again only where it must, with half"


def test_a_prompt_that_starts_again_holds_about_half_of_what_it_held():
    turns = talk([10] * 201)
    prompts = [
        encode_prompt(PromptSpec(context_tokens=1000), Characters(), Conversation(tuple(turns[: n + 1])), 100)
        for n in range(0, 201, 2)
    ]
    fallen = [(a, b) for a, b in pairwise(prompts) if b[: len(a)] != a]
    assert 7 <= len(fallen) <= 11
    assert all(len(a) > 820 and 400 < len(b) < 500 for a, b in fallen)


def test_no_moment_of_asking_moves_a_cut():
    spec = PromptSpec(context_tokens=300, time_of_day=True, gaps=True)
    noon = datetime(2024, 5, 1, 12, tzinfo=UTC)
    for count in range(1, 40, 2):
        said = tuple(talk([12] * count))
        prompts = [
            "".join(map(chr, encode_prompt(spec, Characters(), Conversation(said, at=at), 20)))
            for at in (None, noon, noon + timedelta(hours=11))
        ]
        assert len({prompt.rpartition("Me")[0] for prompt in prompts}) == 1
