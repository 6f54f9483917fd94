"""The whole row of a system: parrots, constants and wrong people each fail where they should, the owner nowhere."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from training.fidelity.material import Bubbles, Context, Material, Reply
from training.fidelity.report import Report
from training.fidelity.rows import ROWS, applying, voids
from training.fidelity.scores import SystemReport, Yardsticks, evaluate_system
from training.fidelity.systems import NEAREST, OWNER, RANDOM, STRANGER, System, without_model
from twin.messages import Conversation, Session, Turn

SIZE = 60
NOUNS = ("train", "garden", "kitchen", "concert", "river", "window", "mountain", "hammer", "guitar", "market", "bridge")
VERBS = ("saw", "lost", "painted", "found", "moved", "missed", "bought", "fixed", "sold", "cleaned")


def owner(draw: random.Random) -> Bubbles:
    """Small letters, no full stops, several bubbles, a laugh."""
    first = f"i {draw.choice(VERBS)} the {draw.choice(NOUNS)} near my {draw.choice(NOUNS)}"
    return tuple([first, "lol", f"so {draw.choice(NOUNS)}"][: draw.randint(1, 3)])


def partner(draw: random.Random) -> Bubbles:
    """Capitals and full stops, one bubble."""
    return (f"Well, I {draw.choice(VERBS)} a {draw.choice(NOUNS)}. Did you see the {draw.choice(NOUNS)}?",)


@pytest.fixture(scope="module")
def material() -> Material:
    draw = random.Random(1)

    def replies(who: Callable[[random.Random], Bubbles], count: int) -> tuple[Reply, ...]:
        return tuple(Reply(who(draw), place % 4) for place in range(count))

    def context(place: int, prefix: str) -> Context:
        asked, said = Turn.of("other", partner(draw)), owner(draw)
        session = Session(place % 4 + 1, (asked, Turn.of("owner", said)))
        return Context(f"{prefix}:{place}:1", Conversation((asked,)), session, 1, Reply(said, place % 4))

    contexts = tuple(context(place, "test") for place in range(SIZE))
    return Material(
        contexts,
        owner_train=replies(owner, 200),
        owner_val=replies(owner, 100),
        owner_test=tuple(found.true for found in contexts),
        partner_train=replies(partner, 200),
        partner_val=replies(partner, 100),
        partner_test=replies(partner, SIZE),
        past=tuple(context(place, "train") for place in range(200)),
    )


@pytest.fixture(scope="module")
def yardsticks(material) -> Yardsticks:
    return Yardsticks.of(material, embed=None)


def measured(yardsticks: Yardsticks, replies: list[Bubbles], name: str = "system") -> SystemReport:
    return evaluate_system(yardsticks, System(name, name, lambda _, __: replies), replies)


def test_the_owner_is_the_ceiling_and_somebody_else_the_bottom(material, yardsticks):
    found = {
        system.name: evaluate_system(yardsticks, system, system.answer(material.contexts, lambda _: None))
        for system in without_model(material)
    }
    assert list(found) == [NEAREST, RANDOM, STRANGER, OWNER]
    assert found[OWNER].separation.fidelity.value == 1 and found[STRANGER].separation.fidelity.value == 0
    assert found[STRANGER].separation.auc.value > 0.95 and found[OWNER].separation.auc.value < 0.65
    assert found[OWNER].acceptance.share.value > 0.9 and found[STRANGER].acceptance.share.value < 0.1
    assert found[OWNER].style.excess.value == 0 and found[STRANGER].style.excess.value > 0.1
    assert found[OWNER].copying.excess.value == 0


def test_whoever_writes_as_the_owner_does_without_copying_does_well_everywhere(yardsticks):
    draw = random.Random(7)
    found = measured(yardsticks, [owner(draw) for _ in range(SIZE)])
    assert found.separation.fidelity.value == pytest.approx(1, abs=0.25)
    assert found.acceptance.share.value > 0.9 and abs(found.style.excess.value) < 0.02
    assert found.copying.habits.loops == 0 and found.missing == 0


def test_a_parrot_of_past_replies_has_the_style_and_is_told_by_what_it_copies(material, yardsticks):
    draw = random.Random(3)
    found = measured(yardsticks, [draw.choice(material.owner_train).bubbles for _ in range(SIZE)])
    assert found.separation.fidelity.value > 0.7
    assert found.copying.excess.low > 0.3 and found.copying.habits.longest >= 8


def test_one_and_the_same_reply_to_everything_fails_by_style_and_by_variety(yardsticks):
    found = measured(yardsticks, [("lol", "ok lol")] * SIZE)
    assert found.copying.habits.most_frequent == 1 and found.copying.habits.distinct_2 < 0.05
    assert found.separation.fidelity.value < 0.3 and found.style.excess.value > 0.05


def test_silence_is_counted_and_wins_nothing(yardsticks):
    found = measured(yardsticks, [()] * SIZE)
    assert found.missing == SIZE == found.asked and math.isnan(found.bubbles)
    assert found.separation.fidelity.value < 0.3 and found.acceptance.share.value < 0.1
    assert found.copying.habits.missing == 1


def test_numbers_repeat_and_hold_no_message(material, yardsticks):
    draw = random.Random(5)
    replies = [owner(draw) for _ in range(SIZE)]
    once, again = (measured(yardsticks, replies).as_dict() for _ in range(2))
    assert once == again == json.loads(json.dumps(once, allow_nan=False))
    told = json.dumps([once, yardsticks.as_dict()])
    assert not any(noun in told for noun in NOUNS)


def test_every_row_is_written_or_void_with_a_reason(material, yardsticks):
    systems = tuple(measured(yardsticks, [("hey",)] * SIZE, name) for name in ("one", "two"))
    at = datetime(2026, 1, 1, tzinfo=UTC)
    report = Report(None, "0" * 16, at, "full", 0, SIZE, {}, {}, yardsticks.as_dict(), systems, None, (), 1.0)
    rows = applying(report)
    assert {row.title for row in rows} >= {"Fidelity", "Taken for you", "Style divergence", "Loops", "No reply"}
    assert all(row.text(systems[0]) != "–" for row in rows)
    assert voids(report) == [] and len({row.title for row in ROWS if not row.title.startswith(" ")}) > 15
