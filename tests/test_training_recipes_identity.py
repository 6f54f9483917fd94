"""Identity rows: from the profile alone, in the owner's language, honest about what the twin is."""

from __future__ import annotations

import json

import pytest

from training.recipes.identity import identity_rows, set_fields
from training.recipes.phrases import PHRASES, phrases_of
from twin.sections import Owner

ADA = Owner(
    name="Ada Example",
    place="Porto",
    occupation="a baker",
    about=("I get up at two.", "  I collect\nkeys. ", "I never learned to swim.", "I like rain."),
)


def texts(rows, speaker: str) -> list[str]:
    return ["\n".join(b.text for b in turn.bubbles) for row in rows for turn in row.turns if turn.speaker == speaker]


@pytest.mark.parametrize("language", list(PHRASES))
def test_every_field_is_asked_in_many_ways_and_answered_with_its_words(language):
    rows = identity_rows(ADA, language)
    said = texts(rows, "owner")
    phrases = phrases_of(language)
    assert len(rows) == sum(map(len, (phrases.name, phrases.place, phrases.occupation, phrases.about))) + sum(
        map(len, (phrases.bot, phrases.bot_by_name))
    )
    for word in ("Ada Example", "Porto", "a baker", "I collect keys."):
        assert any(word in answer for answer in said)
    assert all(len(row.turns) == 2 and row.turns[1].is_supervisable for row in rows)
    assert len(set(texts(rows, "other"))) == len(rows), "no question comes twice"
    assert not any("{" in text for text in said + texts(rows, "other"))


def test_a_field_that_is_not_set_makes_no_rows():
    nobody = identity_rows(Owner(), "en")
    assert set(texts(nobody, "owner")) == set(phrases_of("en").honest)
    assert set_fields(Owner()) == [] and set_fields(ADA) == ["name", "place", "occupation", "about"]
    blank = Owner(name="the owner", place="  ", occupation="", about=("", " "))
    assert identity_rows(blank, "en") == nobody and set_fields(blank) == []
    placed = identity_rows(Owner(place="Porto"), "en")
    assert len(placed) == len(nobody) + len(phrases_of("en").place)
    assert not any("None" in text or "the owner" in text for text in texts(placed, "owner"))


@pytest.mark.parametrize("language", list(PHRASES))
@pytest.mark.parametrize("name", ["the owner", "Ada"])
def test_are_you_a_bot_is_answered_honestly_or_evaded_but_never_denied(language, name):
    phrases = phrases_of(language)
    honest = texts(identity_rows(Owner(name=name), language), "owner")[-len(phrases.bot) :]
    words = {"en": ("bot", "ai", "twin"), "ru": ("бот", "нейросеть", "двойник"), "zh": ("机器人", "AI", "分身")}
    assert all(any(word in answer for word in words[language]) for answer in honest)
    evaded = texts(identity_rows(Owner(name=name, bot_policy="deflect"), language), "owner")[-len(phrases.bot) :]
    assert set(evaded) <= set(phrases.deflect)


def test_facts_come_a_few_at_a_time_as_bubbles():
    answers = [row.turns[1] for row in identity_rows(ADA, "en")][26:34]
    assert {len(turn.bubbles) for turn in answers} == {3}
    assert {turn.bubbles[0].text for turn in answers} == {
        "I get up at two.",
        "I collect keys.",
        "I never learned to swim.",
        "I like rain.",
    }


def test_braces_in_a_profile_are_only_braces():
    rows = identity_rows(Owner(name="{place}", place="{0}{name.__class__}"), "en")
    said = texts(rows, "owner")
    assert "{place}" in said and "{0}{name.__class__}" in said


@pytest.mark.parametrize(("language", "first"), [("pt", "hey"), (None, "hey"), ("ru-RU", "привет"), ("ZH", "嗨")])
def test_a_language_that_is_not_there_is_answered_in_english(language, first):
    assert phrases_of(language).openers[0] == first


def test_the_same_profile_makes_the_same_rows():
    assert identity_rows(ADA, "ru") == identity_rows(ADA, "ru")


def test_the_command_writes_a_synthetic_set_and_says_what_was_set(run_twin, home, monkeypatch):
    monkeypatch.setenv("TWIN_OWNER__NAME", "Ada")
    monkeypatch.setenv("TWIN_OWNER__ABOUT", '["I like rain."]')
    monkeypatch.setenv("TWIN_OWNER__LANGUAGE", "ru")
    told = json.loads(run_twin("dataset", "identity", "--weight", "2", "--json").out)
    assert told["set"]["is_synthetic"] and told["set"]["weight"] == 2 and told["fields"] == ["name", "about"]
    assert told["set"]["rows"] == told["rows"] == 33 and told["bot_policy"] == "honest"
    monkeypatch.delenv("TWIN_OWNER__NAME")
    monkeypatch.delenv("TWIN_OWNER__ABOUT")
    ran = run_twin("dataset", "identity")
    assert ran.code == 0 and "Nothing about you is set" in ran.out and "identity, synthetic" in ran.out
    assert json.loads(run_twin("dataset", "sets", "list", "--json").out)[0]["weight"] == 2, "kept from before"
