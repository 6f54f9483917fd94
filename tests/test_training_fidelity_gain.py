"""Person-specific gain: credit for the owner's habits alone, on the same conversations with the roles swapped."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest

from tests.learning import overfit
from tests.talks import chatter, contexts_of, reader_of, talk
from training.encode import pack, windows
from training.evaluate import HeldOut, held_out_loss
from training.fidelity.gain import Costs, Stretch, costs, person_gain, sessions_of, stretches, swapped
from twin.prompt import PromptSpec


def spoken(chat: int, mine: str, theirs: str, turns: int = 10):
    draw = random.Random(chat)

    def words(alphabet):
        return " ".join("".join(draw.choices(alphabet, k=3)) for _ in range(3))

    return talk(chat, *(words((theirs, mine)[place % 2]) for place in range(turns)))


def held_out(nats: float, characters: int = 100) -> HeldOut:
    return HeldOut(nats * math.log(2), 10, characters, 1)


def some_costs(owner: list[float], partner: list[float]) -> Costs:
    return Costs(tuple(map(held_out, owner)), tuple(map(held_out, partner)))


def some_stretches(places: list[int]) -> list[Stretch]:
    row = pack(windows(chatter(1, turns=2), PromptSpec(), _Letters()), 1000)[0]
    return [Stretch(place, row, row) for place in places]


class _Letters:
    bos = (1,)

    def encode(self, texts, *, special):
        return [[2 + ord(letter) for letter in text] for text in texts]


def test_the_gain_is_what_is_saved_on_the_owner_less_what_is_saved_on_partners():
    found = some_stretches([0, 1, 2, 3, 4, 5])
    base = some_costs([200.0] * 6, [300.0] * 6)
    gain = person_gain(found, base, some_costs([150.0] * 6, [270.0] * 6))
    assert (gain.owner.value, gain.partner.value) == (pytest.approx(0.5), pytest.approx(0.3))
    assert [gain.person.value, gain.person.low, gain.person.high] == pytest.approx([0.2] * 3)
    assert (gain.sessions, gain.stretches) == (6, 6)


def test_an_interval_comes_from_drawing_whole_sessions_again():
    places = [0, 0, 0, 0, 1, 2, 3, 4]
    saved = [40.0] * 4 + [0.0] * 4
    twin = some_costs([200 - its for its in saved], [200.0] * 8)
    gain = person_gain(some_stretches(places), some_costs([200.0] * 8, [200.0] * 8), twin)
    alone = person_gain(some_stretches(list(range(8))), some_costs([200.0] * 8, [200.0] * 8), twin)
    assert gain.person.value == alone.person.value == pytest.approx(0.2)
    assert gain.person.high - gain.person.low > alone.person.high - alone.person.low
    assert person_gain([], Costs((), ()), Costs((), ())).as_dict()["person"] is None


def test_the_costs_of_the_owner_are_those_that_held_out_loss_gives(tiny_base):
    reader, sessions = reader_of(tiny_base("llama")), chatter(3, turns=4)
    found = stretches(reader.spec, reader.tokenizer, sessions)
    ticks: list[int] = []
    its = costs(reader, found, lambda: ticks.append(1))
    rows = pack(windows(sessions, reader.spec, reader.tokenizer), 2048)
    whole = held_out_loss(reader.model, rows, reader.device)
    assert its.held_out.nats == pytest.approx(whole.nats, rel=1e-5) and its.held_out.turns == whole.turns
    assert len(ticks) == 2 * len(found) == 2 * len(its.partner)


def test_a_swapped_session_has_the_partners_words_where_the_owners_were():
    session = talk(1, "hey", "*[photo]|yo")
    secret = replace(session, turns=(session.turns[0], replace(session.turns[1], withheld="secret")))
    assert [turn.speaker for turn in swapped(secret).turns] == ["owner", "other"]
    assert swapped(swapped(session)) == session and not swapped(secret).turns[1].is_authored


@pytest.mark.parametrize("most", [300, 900, 10**9])
def test_stretches_cover_the_period_evenly_and_no_turn_twice(tiny_base, most):
    reader, sessions = reader_of(tiny_base("llama")), [*chatter(2, turns=60), talk(7, "x", "y" * 2000, "z")]
    found = stretches(reader.spec, reader.tokenizer, sessions, most)
    every = stretches(reader.spec, reader.tokenizer, sessions)
    assert {one.session for one in every} == {0, 1}, "turns too long for a stretch stand without the other side"
    assert sum(one.owner.turns for one in every) == sum(one.partner.turns for one in every) == 60
    assert sum(len(one.owner.ids) for one in found[1:]) <= most and {*map(id, found)}
    assert [one.session for one in found] == sorted(one.session for one in found)


def test_sessions_of_contexts_are_named_once_in_order():
    sessions = chatter(3)
    assert sessions_of(contexts_of(sessions)) == sessions


def test_who_learned_the_owners_letters_gains_and_who_learned_everybodys_does_not(tiny_base):
    mine, theirs = "nopqrst", "abcdefg"
    sessions = [spoken(n, mine, theirs) for n in range(6)]
    reader = reader_of(tiny_base("llama"))
    found = stretches(reader.spec, reader.tokenizer, sessions)
    base = costs(reader, found)
    person, anybody = reader_of(tiny_base("llama")), reader_of(tiny_base("llama"))
    overfit(person, [spoken(50 + n, mine, theirs) for n in range(6)], steps=20)
    overfit(anybody, [spoken(50 + n, mine + theirs, mine + theirs) for n in range(6)], steps=20)
    specific = person_gain(found, base, costs(person, found))
    general = person_gain(found, base, costs(anybody, found))
    assert specific.person.low > 0.5, "bits a character"
    assert abs(general.person.value) < 0.2 * general.owner.value and general.owner.low > 0.5
