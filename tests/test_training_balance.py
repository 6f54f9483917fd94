"""Balance: repetition is capped, large dialogs are held back, and what stays is spread and stays the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.balance import balance, shares
from training.reasons import DIALOG_SHARE, REPEATED
from training.sheet import Sheet
from twin.messages import Bubble, Session, Turn
from twin.sections import DatasetSettings

START = datetime(2024, 1, 1, tzinfo=UTC)
WORDS = [
    "alder",
    "birch",
    "cedar",
    "dogwood",
    "elm",
    "fir",
    "gum",
    "hazel",
    "ivy",
    "juniper",
    "kapok",
    "larch",
    "maple",
    "nutmeg",
    "oak",
    "pine",
    "quince",
    "rowan",
]


def session(replies: list[str | list[str]], chat: int = 7, at: int = 0) -> Session:
    """A question and a reply, again and again."""
    moment = START + timedelta(hours=at)
    turns = []
    for reply in replies:
        bubbles = [reply] if isinstance(reply, str) else reply
        turns.append(Turn("other", (Bubble("so?"),), moment, moment))
        turns.append(Turn("owner", tuple(map(Bubble, bubbles)), moment, moment))
    return Session(chat, tuple(turns))


def taught(found: list[Session], **how) -> tuple[list[tuple[str, ...]], dict[int, str]]:
    """The replies that are taught, and the rows of the others with their reasons."""
    reasons = balance(Sheet.of(found), DatasetSettings(**how))
    turns = [turn for one in found for turn in one.turns]
    kept = [turn for row, turn in enumerate(turns) if turn.speaker == "owner" and row not in reasons]
    return [tuple(bubble.text for bubble in turn.bubbles) for turn in kept], reasons


def long_one(seed: int) -> str:
    """Twelve words in an order of their own."""
    return " ".join(Random(seed).sample(WORDS, 12))


def test_a_long_reply_is_taught_twice_at_most_however_it_is_varied():
    wish = "Happy birthday {}, all the best to you and yours, have a great day!"
    found = [session([wish.format(name)], at=n) for n, name in enumerate(("Ann", "Bo", "Cy", "Di", "ED!!!", "Flo"))]
    kept, reasons = taught(found)
    assert len(kept) == 2 and set(reasons.values()) == {REPEATED}


def test_a_long_bubble_is_a_repetition_whatever_stands_beside_it():
    pasted = "our address is on the website, just follow the link at the bottom of it"
    kept, _ = taught([session([[pasted, f"{word} then"]], at=n) for n, word in enumerate(WORDS)])
    assert len(kept) == 2


def test_short_replies_are_style_and_capped_generously():
    found = [session(["ok", "Ok!!", "OKKKK", "lol", "see you at 5", "see you at 17"] * 30, at=1)]
    assert len(taught(found)[0]) == 180
    kept, reasons = taught(found, max_repeats=10)
    assert len(kept) == 30 and set(reasons.values()) == {REPEATED}
    assert len(taught(found, max_repeats=0)[0]) == 180


def test_a_short_reply_may_always_be_two_percent_of_all():
    kept, _ = taught([session([f"{WORDS[n % 18]} {n // 18 * 'x'}y" for n in range(950)] + ["ok"] * 50)], max_repeats=1)
    assert kept.count(("ok",)) == 20


def test_replies_of_signs_alone_are_told_apart():
    kept, _ = taught([session(["😂", "😂😂😂😂", "👍", "?!", "..."], at=3)], max_repeats=1)
    assert len(kept) == 4


@pytest.mark.parametrize(
    "script",
    [
        "так что мы тогда решили поехать на озеро все вместе {}",
        "那么我们当时决定一起开车去湖边玩而且带上了所有的朋友还有很多吃的东西因为天气非常好{}大家都特别开心",
    ],
)
def test_long_repetitions_are_found_in_other_scripts(script):
    kept, _ = taught([session([script.format(word)], at=n) for n, word in enumerate(("утром", "днем", "ночью", "да"))])
    assert len(kept) == 2


def test_different_long_replies_are_all_taught():
    found = [session([long_one(seed)], at=seed) for seed in range(40)]
    assert len(taught(found)[0]) > 35


def test_what_stays_is_spread_over_the_years_and_stays_when_more_comes():
    found = [session(["good morning"], at=day * 24) for day in range(1000)]
    _, reasons = taught(found, max_repeats=50)
    kept = sorted({2 * n + 1 for n in range(1000)} - set(reasons))
    assert 0 < kept[0] < 300 and kept[-1] > 1700 and len(kept) == 50
    _, later = taught(
        [*found, *(session(["good morning"], at=24_000 + day * 24) for day in range(100))], max_repeats=50
    )
    still = sorted({2 * n + 1 for n in range(1000)} - set(later))
    assert set(still) <= set(kept) and len(still) >= 40


def test_a_large_dialog_is_flattened_by_whole_conversations():
    found = [session([long_one(n * 40 + m) + f" {m}" for m in range(10)], chat=1, at=n) for n in range(40)]
    found += [session([f"{WORDS[n]} it is"], chat=2 + n, at=n) for n in range(18)]
    _, reasons = taught(found, dialog_temperature=0.5, max_repeats=0)
    assert set(reasons.values()) == {DIALOG_SHARE} and all(row < 800 for row in reasons)
    withheld = [sum(row // 20 == number for row in reasons) for number in range(40)]
    assert sorted(set(withheld))[0] == 0 and sum(0 < count < 10 for count in withheld) <= 1


def test_a_cap_holds_for_every_dialog():
    found = [session([f"{word} {chat}{number}y" for number, word in enumerate(WORDS)], chat=chat) for chat in range(3)]
    kept, _ = taught(found, dialog_cap=5, max_repeats=0)
    assert len(kept) == 15


@given(
    sizes=st.dictionaries(st.integers(1, 50), st.integers(1, 100_000), min_size=1),
    temperature=st.floats(0, 1),
    cap=st.none() | st.integers(1, 1000),
)
def test_shares_never_exceed_what_there_is_and_keep_the_order_of_sizes(sizes, temperature, cap):
    found = shares(sizes, temperature, cap)
    assert found.keys() == sizes.keys()
    assert all(1 <= found[chat] <= min(size, cap or size) for chat, size in sizes.items())
    ordered = sorted(sizes, key=sizes.__getitem__)
    assert [found[chat] for chat in ordered] == sorted(found.values())
    assert cap or temperature < 1 or found == sizes
    if temperature == 0:
        assert max(found.values()) <= round(sum(sizes.values()) / len(sizes)) or max(found.values()) == 1


def test_nothing_is_no_problem_for_balance():
    assert balance(Sheet.of([]), DatasetSettings()) == {} and shares({}, 0.5) == {}
