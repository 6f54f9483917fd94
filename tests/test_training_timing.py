"""The owner's pace: what is put into made-up histories comes out of the fit again, and nothing but numbers does."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.timing import fit
from twin.errors import DatasetError, SettingsError
from twin.messages import Message
from twin.timing import KINDS, LEVELS, USUAL_GAPS, Kind, Spread, Timing, kind_of

START = datetime(2024, 3, 4, 12, 0, tzinfo=UTC)
UNTIL = datetime(2025, 1, 1, tzinfo=UTC)
THEIRS = {"question": "are you coming?", "acknowledgement": "ok", "statement": "we went to the lake with everybody"}
LIKED = json.dumps([{"emoji": "👍", "by_owner": True, "by_other": False}])


class History:
    """One dialog, written message by message."""

    def __init__(self, start: datetime = START) -> None:
        self.messages: list[Message] = []
        self.now = start

    def say(self, is_owner: bool, text: str, after: float, **more: Any) -> None:
        self.now += timedelta(seconds=after)
        number = len(self.messages) + 1
        self.messages.append(Message(7, number, self.now, 1 if is_owner else 7, is_owner, text, **more))


def pace(characters: int) -> float:
    """The median pause of the made-up owner."""
    return 2 + 0.3 * characters


def delay(hour: int) -> float:
    """The median delay of the made-up owner: slow from 22 to 6 o'clock."""
    return 600 if hour >= 22 or hour < 6 else 30


def made(rng: Random, days: int = 120) -> History:
    """Ten exchanges a day at random hours, with a log-normal spread around `pace` and `delay`."""
    history = History()
    for day in range(days):
        for hour in sorted(rng.sample(range(24), 10)):
            history.now = max(history.now, START + timedelta(days=day, hours=hour - 12, minutes=rng.randrange(30)))
            history.say(False, "tell me what you did all day", 1)
            history.say(True, "x", delay(history.now.hour) * math.exp(rng.gauss(0, 0.4)))
            for characters in rng.choices((3, 8, 15, 30, 60), k=2):
                history.say(True, "x" * characters, pace(characters) * math.exp(rng.gauss(0, 0.5)))
    return history


@pytest.fixture(scope="module")
def fitted() -> Timing:
    return fit([made(Random(1)).messages], until=UNTIL, timezone="UTC")


@pytest.mark.parametrize("characters", [3, 8, 15, 30, 60])
def test_pauses_come_back_by_the_length_of_the_bubble(fitted: Timing, characters: int) -> None:
    rng = Random(2)
    drawn = [fitted.sample_gap(rng, characters) for _ in range(4000)]
    assert statistics.median(drawn) == pytest.approx(pace(characters), rel=0.12)
    spread = statistics.quantiles([math.log1p(seconds) for seconds in drawn], n=10)
    assert spread[-1] - spread[0] > 0.6, "people do not type like a metronome"


@pytest.mark.parametrize("hour", [0, 3, 9, 13, 18])
def test_delays_come_back_by_the_hour_of_the_day(fitted: Timing, hour: int) -> None:
    rng = Random(3)
    drawn = [fitted.sample_latency(rng, hour) for _ in range(4000)]
    assert statistics.median(drawn) == pytest.approx(delay(hour), rel=0.15)


def test_a_bubble_between_two_lengths_takes_a_time_between_theirs(fitted: Timing) -> None:
    medians = [fitted.gap(characters).median for characters in range(1, 400)]
    assert medians == sorted(medians)
    assert fitted.gap(240).median == pytest.approx(4 * fitted.gap(60).median, rel=0.01), "the same speed goes on"


def test_the_same_seed_draws_the_same_pace(fitted: Timing) -> None:
    first, second = Random(4), Random(4)
    drawn = [(fitted.sample_gap(first, n), fitted.sample_latency(first, n % 24)) for n in range(1, 60)]
    assert drawn == [(fitted.sample_gap(second, n), fitted.sample_latency(second, n % 24)) for n in range(1, 60)]


def test_a_few_absurd_pauses_do_not_move_the_pace() -> None:
    history = made(Random(5), days=30)
    before = fit([history.messages], until=UNTIL, timezone="UTC")
    for _ in range(15):  # of 600
        history.say(False, "and then?", 7200)
        history.say(True, "x", 30)
        history.say(True, "x" * 30, 299)
    after = fit([history.messages], until=UNTIL, timezone="UTC")
    assert after.gap(30).median == pytest.approx(before.gap(30).median, rel=0.1)


def test_a_second_thought_is_no_pace_of_a_burst() -> None:
    history = History()
    for _ in range(60):
        history.say(False, "and then?", 7200)
        history.say(True, "x", 30)
        history.say(True, "x" * 10, 4)
        history.say(True, "x" * 10, 1800)
    timing = fit([history.messages], until=UNTIL, timezone="UTC")
    assert timing.gap(10) == Spread(60, (4.0,) * len(LEVELS))


def test_media_and_forwards_were_not_typed() -> None:
    history = History()
    for _ in range(60):
        history.say(False, "and then?", 7200)
        history.say(True, "x", 30)
        history.say(True, "x" * 10, 4)
        history.say(True, "", 60, media="photo")
        history.say(True, "x" * 10, 60, forwarded_from="Somebody")
        history.say(True, "x" * 10, 60, via_bot="somebot")
    assert fit([history.messages], until=UNTIL, timezone="UTC").gap(10) == Spread(60, (4.0,) * len(LEVELS))


def test_an_edit_does_not_change_what_was_typed_at_first() -> None:
    history = History()
    for _ in range(60):
        history.say(False, "and then?", 7200)
        history.say(True, "x", 30)
        history.say(True, "x" * 500, 4, first_text="x" * 10)
    assert [gap.characters for gap in fit([history.messages], until=UNTIL, timezone="UTC").gaps] == [10]


def test_hours_are_those_of_the_owners_clock() -> None:
    history = History(datetime(2024, 7, 1, 20, 5, tzinfo=UTC))
    for _ in range(60):
        history.say(False, "are you there?", 86390)
        history.say(True, "x", 10)
    for timezone, hour in (("UTC", 20), ("Europe/Berlin", 22), ("Asia/Kolkata", 1), ("America/Los_Angeles", 13)):
        latency = fit([history.messages], until=UNTIL, timezone=timezone).latency
        assert max(range(24), key=lambda at: latency[at].count) == hour, timezone


def test_a_sparse_hour_leans_on_its_neighbours() -> None:
    history = History(datetime(2024, 3, 4, 10, 0, tzinfo=UTC))
    for day in range(100):
        for hour, seconds in ((10, 20), (11, 20), (22, 900), (23, 900)):
            history.now = START.replace(hour=hour) + timedelta(days=day)
            history.say(False, "are you there?", 0)
            history.say(True, "x", seconds)
    history.now = START.replace(hour=12) + timedelta(days=100)
    history.say(False, "are you there?", 0)
    history.say(True, "x", 3000)
    latency = fit([history.messages], until=UNTIL, timezone="UTC").latency
    assert latency[12].count == 1
    assert latency[12].median == pytest.approx(20, abs=1), "one odd answer is no habit"
    assert latency[21].count == 0
    assert latency[21].median == pytest.approx(900, abs=1), "nobody ever wrote at nine, but at ten"


def exchanges(chances: dict[Kind, float], reacted: float, rounds: int = 500) -> History:
    """Turns of every kind of the other's, unanswered with the given chances, some of those with an emoji."""
    rng, history = Random(6), History()
    for _ in range(rounds):
        for kind, chance in chances.items():
            media = "photo" if kind == "media" else None
            silent = rng.random() < chance
            reactions = LIKED if silent and rng.random() < reacted else None
            history.say(False, THEIRS.get(kind, ""), 7200, media=media, reactions=reactions)
            if not silent:
                history.say(True, "x", 30)
    history.say(True, "x", 7200 * 24)
    return history


def test_the_chance_of_no_answer_comes_back_by_kind() -> None:
    chances: dict[Kind, float] = {"question": 0.05, "media": 0.3, "acknowledgement": 0.7, "statement": 0.15}
    timing = fit([exchanges(chances, reacted=0.4).messages], until=UNTIL, timezone="UTC")
    for kind, chance in chances.items():
        assert timing.no_answer(kind) == pytest.approx(chance, abs=0.05)
        assert timing.reaction(kind) == pytest.approx(0.4 * chance, abs=0.05)


def reacted_with(*emoji: str, by_owner: bool = True) -> str:
    return json.dumps([{"emoji": one, "by_owner": by_owner, "by_other": not by_owner} for one in emoji])


def test_which_emoji_the_owner_gives_is_counted_by_kind_up_to_the_cut() -> None:
    history = History()
    history.say(False, "we are back from the lake", 60, reactions=reacted_with("❤"))
    history.say(False, "ok", 60, reactions=reacted_with("👍", "❤"))
    history.say(True, "ok", 60, reactions=reacted_with("🔥"))
    history.say(False, "", 60, media="photo", reactions=reacted_with("🔥"))
    history.say(True, "where is that", 60)
    history.say(False, "ok", 60, reactions=reacted_with("👎", by_owner=False))
    history.say(False, "nice", 60, reactions=reacted_with("custom", "paid", "some words"))
    history.say(False, "ok", 86_400 * 400, reactions=reacted_with("💯"))
    timing = fit([history.messages], until=UNTIL, timezone="UTC")
    assert timing.emoji == {"statement": {"❤": 1}, "acknowledgement": {"👍": 1, "❤": 1}, "media": {"🔥": 1}}
    assert Timing.from_dict(json.loads(json.dumps(timing.as_dict()))) == timing


def test_a_pace_saved_before_emoji_were_counted_is_still_read() -> None:
    new = Timing(emoji={"media": {"👍": 3}}).as_dict()
    old = {name: value for name, value in new.items() if name != "emoji"} | {"format": 1}
    assert Timing.from_dict(old) == Timing()


def test_a_kind_that_was_hardly_seen_leans_on_all_together() -> None:
    timing = fit([exchanges({"statement": 0.5}, reacted=0).messages], until=UNTIL, timezone="UTC")
    assert timing.no_answer("media") == pytest.approx(timing.no_answer("statement"), abs=0.02)
    assert Timing().no_answer("question") == 0, "who is not known answers"


def test_who_comes_back_to_it_later_is_told_from_who_never_answers() -> None:
    history = History()
    for n in range(100):
        history.say(False, "what do you think?", 30 * 3600)
        history.say(True, "x", 4 * 3600 if n % 2 else 25 * 3600)
    timing = fit([history.messages], until=UNTIL, timezone="UTC")
    asked = timing.answers["question"]
    assert (asked.turns, asked.unanswered, asked.later) == (100, 100, 50)
    assert timing.comes_back("question") == pytest.approx(0.5)


def test_an_explicit_reply_is_an_answer_however_late() -> None:
    history = History()
    for _ in range(20):
        history.say(False, "what do you think?", 30 * 3600)
        history.say(True, "x", 5 * 3600, reply_to=len(history.messages))
    timing = fit([history.messages], until=UNTIL, timezone="UTC")
    assert timing.answers["question"].unanswered == 0
    assert timing.latency[12].median == 5 * 3600


@pytest.mark.parametrize(("minutes", "counted"), [(59, 0), (61, 1)])
def test_what_may_still_be_answered_counts_for_nothing(minutes: int, counted: int) -> None:
    history = History()
    history.say(False, "what do you think?", 0)
    elsewhere = [
        replace(history.messages[0], chat_id=8, sent_at=history.now + timedelta(minutes=minutes), is_owner=True)
    ]
    timing = fit([history.messages, elsewhere], until=UNTIL, timezone="UTC")
    assert sum(answers.unanswered for answers in timing.answers.values()) == counted
    cut = fit([history.messages, elsewhere], until=history.now + timedelta(minutes=30), timezone="UTC")
    assert cut.answers == {}, "at the cut nobody could know"


def test_with_next_to_nothing_seen_the_usual_pace_is_taken() -> None:
    timing = fit([], until=UNTIL, timezone="UTC")
    assert timing.gaps == USUAL_GAPS
    assert 0 < timing.sample_gap(Random(1), 30) < 60
    assert 0 < timing.sample_latency(Random(1), 3) < 300
    few = History()
    for _ in range(15):
        few.say(False, "and then?", 7200)
        few.say(True, "x" * 5, 30)
        few.say(True, "x" * 100, 5)
    assert len(fit([few.messages], until=UNTIL, timezone="UTC").gaps) == 1, "too few to tell lengths apart"


def test_an_unknown_time_zone_is_refused() -> None:
    with pytest.raises(SettingsError, match="time zone"):
        fit([], until=UNTIL, timezone="Mars/Olympus")


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        ("question", ["where?", "где ты?", "你在吗？", "وينك؟", "どこ？笑", "what? lol", "you ok❓", "Ինչպե՞ս ես"]),
        (
            "acknowledgement",
            [
                "ok",
                "👍",
                "да",
                "haha yes",
                "hahahahhhhhhh",
                "好的",
                "哈哈哈哈哈哈哈",
                "응",
                "ㅋㅋㅋㅋㅋㅋ",
                "תודה",
                "...",
                "",
            ],
        ),
        (
            "statement",
            [
                "I will be there at nine",
                "я уже выхожу из дома",
                "我明天上午去机场",
                "https://example.org/?q=1",
                "תודה רבה לך על הכל",
            ],
        ),
    ],
)
def test_a_message_is_of_its_kind_in_any_language(kind: Kind, texts: list[str]) -> None:
    assert [kind_of(text) for text in texts] == [kind] * len(texts)


def test_a_picture_with_a_question_is_a_question() -> None:
    assert kind_of("which one?", "photo") == "question"
    assert kind_of("the lake this morning", "photo") == kind_of("", "sticker") == "media"


moments = st.integers(0, 40 * 24 * 3600).map(lambda seconds: START + timedelta(seconds=seconds))


@st.composite
def dialogs(draw: st.DrawFn) -> list[list[Message]]:
    return [
        [
            Message(
                chat,
                number,
                moment,
                None,
                draw(st.booleans()),
                draw(st.sampled_from(["", "hm", "and why is that?", "x" * 40])),
                media=draw(st.sampled_from([None, None, "photo"])),
                reply_to=draw(st.one_of(st.none(), st.integers(1, 12))),
                reactions=draw(st.sampled_from([None, LIKED])),
            )
            for number, moment in enumerate(draw(st.lists(moments, max_size=12)), 1)
        ]
        for chat in range(draw(st.integers(0, 3)))
    ]


def numbers_and_keys(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from numbers_and_keys(item)
    elif isinstance(value, list):
        for item in value:
            yield from numbers_and_keys(item)
    else:
        yield value


@settings(max_examples=60, deadline=None)
@given(dialogs(), st.randoms(use_true_random=False))
def test_whatever_was_said_the_pace_is_sound(history: list[list[Message]], rng: Random) -> None:
    timing = fit(history, until=START + timedelta(days=30), timezone="Europe/Berlin")
    shuffled = [rng.sample(messages, len(messages)) for messages in rng.sample(history, len(history))]
    assert fit(shuffled, until=START + timedelta(days=30), timezone="Europe/Berlin") == timing
    for kind in KINDS:
        assert 0 <= timing.reaction(kind) <= timing.no_answer(kind) <= 1
        assert 0 <= timing.comes_back(kind) <= timing.no_answer(kind)
    for spread in (*timing.latency, *(timing.gap(n) for n in (1, 7, 1000))):
        assert 0 <= spread.seconds[0] <= spread.at(0.3) <= spread.at(0.6) <= spread.at(1) == spread.seconds[-1]


@settings(max_examples=60, deadline=None)
@given(dialogs())
def test_it_is_written_and_read_without_a_change(history: list[list[Message]]) -> None:
    timing = fit(history, until=START + timedelta(days=30), timezone="UTC")
    written = json.dumps(timing.as_dict())
    assert Timing.from_dict(json.loads(written)) == timing
    texts = {value for value in numbers_and_keys(timing.as_dict()) if isinstance(value, str)}
    words = (
        "format timezone until levels gaps latency answers characters count seconds turns unanswered later reacted UTC"
        " emoji 👍"
    )
    assert texts <= {*words.split(), *KINDS, timing.as_dict()["until"]}, "numbers only"


@settings(max_examples=60, deadline=None)
@given(dialogs(), dialogs())
def test_nothing_later_than_the_cut_goes_into_it(history: list[list[Message]], other: list[list[Message]]) -> None:
    until = START + timedelta(days=20)
    beacon = [Message(99, 1, until + timedelta(days=1), None, False, "x")]
    early = [[message for message in messages if message.sent_at < until] for messages in history]
    late = [[message for message in messages if message.sent_at >= until] for messages in other]
    pairs = [
        [*(early[n] if n < len(early) else []), *(late[n] if n < len(late) else [])]
        for n in range(max(len(early), len(late)))
    ]
    assert fit([*pairs, beacon], until=until, timezone="UTC") == fit([*early, beacon], until=until, timezone="UTC")


@pytest.mark.parametrize(
    "damage",
    [
        {"format": 3},
        {"emoji": {"question": {"👍": 0}}},
        {"emoji": {"question": ["👍"]}},
        {"gaps": []},
        {"latency": []},
        {"until": "yesterday"},
        {"answers": {"question": {"turns": 1, "texts": 2}}},
        {"gaps": [{"characters": 5, "count": 1, "seconds": [3, 2, 1, 1, 1, 1, 1]}]},
        {"gaps": [{"characters": 0, "count": 1, "seconds": [1] * 7}]},
        {"gaps": [{"characters": 5, "count": 1, "seconds": [1, 2, math.nan, 3, 3, 3, 3]}]},
        {"latency": None},
    ],
)
def test_damaged_values_are_refused_with_a_remedy(damage: dict[str, Any]) -> None:
    with pytest.raises(DatasetError, match="twin dataset build"):
        Timing.from_dict(Timing().as_dict() | damage)
