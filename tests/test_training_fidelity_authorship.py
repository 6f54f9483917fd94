"""Authorship acceptance: the owner passes, others do not, in packs of ten."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.writers import breezy, material, proper, replies
from training.fidelity import authorship, masking
from training.fidelity.authorship import Verifier
from training.fidelity.material import Bubbles, Material

COUNT = 100


@pytest.fixture(scope="module")
def made() -> Material:
    return material(contexts=COUNT)


@pytest.fixture(scope="module")
def judge(made: Material) -> Verifier:
    return authorship.verifier(made, masking.fit(made))


def test_the_real_owner_passes_nearly_always(judge: Verifier) -> None:
    assert judge.void is None
    assert judge.owner.value > 0.98


def test_an_imitation_passes_and_a_stranger_does_not(judge: Verifier) -> None:
    assert authorship.acceptance(judge, replies(breezy, COUNT, 9)).share.value > 0.98
    assert authorship.acceptance(judge, replies(proper, COUNT, 10)).share.value < 0.15


def test_about_five_percent_of_partners_packs_pass(judge: Verifier, made: Material) -> None:
    partners = [reply.bubbles for reply in made.partner_test]
    assert 0.02 < authorship.acceptance(judge, partners).share.value < 0.09


@pytest.mark.parametrize("said", [("Perhaps I'll move.",), (), ("",)], ids=["the same", "nothing", "emptiness"])
def test_saying_the_wrong_thing_or_nothing_never_passes(judge: Verifier, said: Bubbles) -> None:
    assert authorship.acceptance(judge, [said] * COUNT).share.value < 0.05


def test_half_an_imitation_has_an_interval_around_its_share(judge: Verifier) -> None:
    mixed = [*replies(breezy, 30, 11), *replies(proper, 70, 12)]
    share = authorship.acceptance(judge, mixed).share
    assert share.low <= share.value <= share.high
    assert share.low < share.high


def test_two_seeds_agree_within_two_hundredths(judge: Verifier, made: Material) -> None:
    other = authorship.verifier(made, judge.mask, seed=1)
    assert other.owner.value == pytest.approx(judge.owner.value, abs=0.02)
    assert other.threshold == pytest.approx(judge.threshold, abs=0.1)


def test_only_the_validation_period_is_learned_from(judge: Verifier, made: Material) -> None:
    other = replace(made, owner_train=made.owner_train[:100], owner_test=())
    again = authorship.verifier(other, judge.mask)
    assert again.threshold == judge.threshold


def test_a_short_validation_period_gives_a_reason(made: Material) -> None:
    judge = authorship.verifier(replace(made, owner_val=made.owner_val[:12]), masking.fit(made))
    found = authorship.acceptance(judge, replies(breezy, COUNT, 13))
    assert found.void is not None and "12 replies" in found.void
    assert found.as_dict()["share"] is None


def test_partners_who_say_little_give_a_reason(made: Material) -> None:
    judge = authorship.verifier(replace(made, partner_test=made.partner_test[:30]), masking.fit(made))
    assert judge.void is not None and "10" in judge.void
    assert authorship.acceptance(judge, [("hi",)] * 3).as_dict()["share"] is None


def test_fewer_replies_than_a_pack_give_a_reason(judge: Verifier) -> None:
    assert authorship.acceptance(judge, replies(breezy, 9, 1)).void == "a pack is 10 replies"


def test_the_verdict_can_be_written_as_json(judge: Verifier) -> None:
    told = json.loads(json.dumps([judge.as_dict(), authorship.acceptance(judge, replies(breezy, 20, 1)).as_dict()]))
    assert set(told[1]["share"]) == {"value", "low", "high"}
