"""What the owner would not answer in words is drawn from their own rates, and some things are always answered."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.bursts import Heard
from bot.history import Act
from bot.pauses import Paces
from bot.temper import SILENCE, Reaction, Temper, usable
from tests.stages import Chance
from tests.test_bot_pauses import dataset
from twin.messages import Message
from twin.sections import Telegram
from twin.timing import Answers, Timing

# 100 turns: 20 with an emoji, 10 answered within a day, 30 with nothing, 40 answered; a kind's own rates, as all are it
RATES = {"acknowledgement": Answers(100, 60, 10, 20)}
EMOJI = {"acknowledgement": {"👍": 15, "❤️": 5}}


def heard(text: str = "ok", media: str | None = None, *, is_called: bool = False) -> Heard:
    return Heard(1, Message(7, 1, datetime(2024, 1, 1, tzinfo=UTC), 7, False, text, media=media), None, is_called)


def temper(home: Path, chance: Random, timing: Timing | None = None, **telegram: Any) -> Temper:
    if not (home / "datasets").exists():
        dataset(home, "aa", timing or Timing(answers=RATES, emoji=EMOJI))
    chosen = Telegram(**({"silence": True, "reactions": True} | telegram))
    return Temper(chosen, Paces(home / "adapters", home / "datasets"), chance)


def drawn(home: Path, chance: float, *burst: Heard, last_act: Act | None = "owner", **telegram: Any) -> Reaction | None:
    fixed = Chance()
    fixed.coming = [chance, 0.0]
    return temper(home, fixed, **telegram).draw("v0", burst or (heard(),), last_act)


@pytest.mark.parametrize(
    ("chance", "met"),
    [(0.0, Reaction("👍")), (0.199, Reaction("👍")), (0.2, SILENCE), (0.499, SILENCE), (0.5, None), (0.999, None)],
)
def test_chance_decides_by_the_owners_own_rates(tmp_path: Path, chance: float, met: Reaction | None) -> None:
    assert drawn(tmp_path, chance) == met


def test_over_many_messages_the_owners_rates_and_emoji_come_back(tmp_path: Path) -> None:
    mood = temper(tmp_path, Random(5))
    met = Counter(mood.draw("v0", [heard()], "owner") for _ in range(20_000))
    shares = {reaction.emoji if reaction else "words": count / 20_000 for reaction, count in met.items()}
    assert shares == pytest.approx({"👍": 0.15, "❤": 0.05, "": 0.3, "words": 0.5}, abs=0.015)


def test_by_default_everything_is_answered_and_nothing_drawn(tmp_path: Path) -> None:
    chance = Chance()
    chance.coming = [0.0]
    off = temper(tmp_path, chance, silence=False, reactions=False)
    assert not off.is_moody and off.draw("v0", [heard()], "owner") is None
    assert off.as_reaction("v0", [heard()], "owner", ["👍"]) is None
    assert chance.coming == [0.0]


@pytest.mark.parametrize(("chance", "met"), [(0.0, SILENCE), (0.299, SILENCE), (0.3, None)])
def test_with_silence_alone_what_would_get_an_emoji_is_answered(
    tmp_path: Path, chance: float, met: Reaction | None
) -> None:
    assert drawn(tmp_path, chance, reactions=False) == met


@pytest.mark.parametrize(("chance", "met"), [(0.1, Reaction("👍")), (0.3, None)])
def test_with_reactions_alone_nobody_is_met_with_silence(tmp_path: Path, chance: float, met: Reaction | None) -> None:
    assert drawn(tmp_path, chance, silence=False) == met


@pytest.mark.parametrize(
    ("burst", "last_act"),
    [
        ((heard("where?"),), "owner"),
        ((heard("where?"), heard("ok")), "owner"),
        ((heard("which?", "photo"),), "owner"),
        ((heard(is_called=True),), "owner"),
        ((heard(),), None),
        ((heard(),), "silence"),
        ((heard(),), "line"),
    ],
    ids=["a question", "a question before", "a picture with one", "by name", "the first", "after silence", "a failure"],
)
def test_what_must_be_answered_is(tmp_path: Path, burst: tuple[Heard, ...], last_act: Act | None) -> None:
    assert [drawn(tmp_path, chance / 10, *burst, last_act=last_act) for chance in range(10)] == [None] * 10


def test_after_an_emoji_the_owner_may_give_another(tmp_path: Path) -> None:
    assert drawn(tmp_path, 0.0, last_act="reaction") == Reaction("👍")


def test_who_always_answers_later_is_never_silent(tmp_path: Path) -> None:
    dataset(tmp_path, "aa", Timing(answers={"acknowledgement": Answers(100, 60, 60, 0)}))
    assert [drawn(tmp_path, chance / 20) for chance in range(20)] == [None] * 20


def test_where_no_dataset_tells_everything_is_answered(tmp_path: Path) -> None:
    (tmp_path / "datasets").mkdir()
    assert drawn(tmp_path, 0.0) is None


@pytest.mark.parametrize(
    ("emoji", "found"),
    [
        ({"acknowledgement": {"👍": 9}}, {}),
        ({"acknowledgement": {"👍": 10}}, {"👍": 10}),
        ({"acknowledgement": {"👍": 9}, "media": {"😍": 1}}, {"👍": 9, "😍": 1}),
        ({"acknowledgement": {"👍": 10}, "media": {"😍": 90}}, {"👍": 10}),
        ({"acknowledgement": {"🫠": 500, "👍": 9}}, {}),
        ({"acknowledgement": {"❤️": 6, "❤": 6, "☃️": 1}}, {"❤": 12, "☃": 1}),
    ],
    ids=["too few", "enough", "leaning on all", "its own", "not for bots", "spelt differently"],
)
def test_emoji_are_those_that_bots_may_give_and_the_owner_gave(
    emoji: dict[Any, dict[str, int]], found: dict[str, int]
) -> None:
    assert usable(Timing(emoji=emoji), "acknowledgement") == found


@given(st.dictionaries(st.sampled_from(["question", "media", "statement"]), st.dictionaries(st.text(), st.integers(1))))
def test_whatever_was_counted_only_real_reactions_come_of_it(emoji: dict[Any, dict[str, int]]) -> None:
    timing = Timing.from_dict(json.loads(json.dumps(Timing(emoji=emoji).as_dict())))
    found = usable(timing, "media")
    assert not found or found.total() >= 10


@pytest.mark.parametrize(
    ("bubbles", "met"),
    [
        (["👍"], Reaction("👍")),
        ([" ❤️ "], Reaction("❤")),
        (["👍", "👍"], None),
        (["👍👍"], None),
        (["🫠"], None),
        ([], None),
    ],
)
def test_a_reply_of_one_emoji_alone_may_be_a_reaction(tmp_path: Path, bubbles: list[str], met: Reaction | None) -> None:
    assert temper(tmp_path, Chance()).as_reaction("v0", [heard()], "owner", bubbles) == met


def test_such_a_reply_is_sent_where_words_are_due_or_the_owner_never_reacts(tmp_path: Path) -> None:
    mood = temper(tmp_path, Chance())
    assert mood.as_reaction("v0", [heard("where?")], "owner", ["👍"]) is None
    assert mood.as_reaction("v0", [heard()], "silence", ["👍"]) is None
    assert mood.as_reaction("v0", [heard("", "photo")], "owner", ["👍"]) is None, "the owner has none for pictures"
