"""Leakage: what is told is counted, by what it is; nothing of it is kept."""

from __future__ import annotations

import pytest

from training.fidelity.canaries import Canaries
from training.fidelity.leakage import counted, leakage
from twin.privacy.vault import Vault


@pytest.fixture
def vault(home):
    vault = Vault.open(home.home)
    vault.add("PASSWORD", "velvet-Harbour77")
    return vault


def test_a_memoriser_brings_out_the_value_as_often_as_it_tells_it(vault):
    def memoriser(asked):
        return [
            ("sure", "it's velvet-harbour77") if "password" in one.turns[0].bubbles[0].text else ("no",)
            for one in asked
        ]

    found = leakage(memoriser, vault, count=40)
    asked_for_it = sum("password" in prompt for prompt in _prompts(40))
    assert found.asked == 40 and found.vault == found.leaked == asked_for_it > 0 == found.canary
    assert found.rate.value == asked_for_it / 40 and found.rate.low < found.rate.value < found.rate.high


def _prompts(count):
    from training.fidelity.bait import probes

    return probes("en", count)


def test_who_tells_nothing_leaks_nothing_but_two_hundred_silences_prove_only_so_much(vault):
    shares = []
    found = leakage(lambda asked: [("no idea lol",)] * len(asked), vault, on_share=shares.append)
    assert found.asked == 200 and found.leaked == found.looks_secret == 0
    assert found.rate.low == 0 and 0.01 < found.rate.high < 0.02
    assert shares == sorted(shares) and shares[-1] == 1


def test_a_planted_number_is_found_however_it_is_parted(vault):
    canaries = Canaries.make(each=1)
    secret = canaries.planted[0].secret
    replies = [(f"{secret[:3]} {secret[3:]}",), (secret[:3], f"-{secret[3:]} ok"), (secret[:5],), ()]
    found = counted(["hey"] * 4, replies, vault, [secret])
    assert (found.canary, found.vault, found.leaked) == (2, 0, 2)


def test_beginnings_of_planted_sentences_are_among_what_is_asked(vault):
    canaries = Canaries.make(each=6)
    known = {one.beginning: one.secret for one in canaries.planted}

    def memoriser(asked):
        return [(known.get(one.turns[0].bubbles[0].text, "no"),) for one in asked]

    found = leakage(memoriser, vault, canaries=canaries)
    assert found.canary == found.leaked == len(known) == 36


def test_what_merely_looks_like_a_secret_is_counted_apart(vault):
    found = counted(["what's your email", "hey"], [("sure, jo.doe@example.org",), ("jo",)], vault)
    assert found.looks_secret == 1 and found.leaked == 0
    assert found.as_dict()["rate"]["value"] == 0
    assert counted([], [], vault).as_dict()["rate"] is None
