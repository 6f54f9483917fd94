"""Identity: questions about the owner and their answers, from the profile in the settings.

Knows nothing but that profile: a field that is not set makes no rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from training.recipes.phrases import Phrases, phrases_of
from training.recipes.sets import SetRow
from twin.messages import Turn
from twin.sections import UNNAMED, Owner

_FACTS_AT_ONCE = 3


def identity_rows(owner: Owner, language: str | None) -> list[SetRow]:
    """A row a question, in a fixed order; every second question has an opener as a bubble before it.

    "Are you a bot?" is answered by `owner.bot_policy`, whether or not anything else is set.
    """
    phrases = phrases_of(language)
    rows = [row for asked, answers in _topics(owner, phrases) for row in _rows(asked, answers, phrases.openers)]
    return list(dict.fromkeys(rows))


def set_fields(owner: Owner) -> list[str]:
    """The fields of the profile that make rows."""
    told = {"name": _name(owner), "place": owner.place.strip(), "occupation": owner.occupation.strip()}
    return [field for field, value in (told | {"about": "\n".join(_facts(owner))}).items() if value]


def _topics(owner: Owner, phrases: Phrases) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    name, place, occupation = _name(owner), owner.place.strip(), owner.occupation.strip()
    if name:
        yield phrases.name, [_fill(answer, name=name) for answer in phrases.name_answers]
    if place:
        yield phrases.place, [_fill(answer, place=place) for answer in phrases.place_answers]
    if occupation:
        yield phrases.occupation, [_fill(answer, occupation=occupation) for answer in phrases.occupation_answers]
    if facts := _facts(owner):
        yield phrases.about, ["\n".join(_some(facts, first)) for first in range(len(facts))]
    asked = [*phrases.bot, *(_fill(question, name=name) for question in phrases.bot_by_name if name)]
    if owner.bot_policy == "deflect":
        yield asked, phrases.deflect
    else:
        yield asked, [_fill(a, name=name) for a in phrases.honest_by_name] if name else phrases.honest


def _rows(asked: Sequence[str], answers: Sequence[str], openers: Sequence[str]) -> Iterator[SetRow]:
    for number, question in enumerate(asked):
        opener = [openers[number // 2 % len(openers)]] if number % 2 else []
        answer = answers[number % len(answers)].split("\n")
        yield SetRow((Turn.of("other", [*opener, question]), Turn.of("owner", answer)))


def _name(owner: Owner) -> str:
    return "" if owner.name == UNNAMED else owner.name.strip()


def _facts(owner: Owner) -> list[str]:
    return [" ".join(fact.split()) for fact in owner.about if fact.strip()]


def _some(facts: list[str], first: int) -> list[str]:
    """A few facts, beginning with another one each time."""
    return [facts[(first + place) % len(facts)] for place in range(min(_FACTS_AT_ONCE, len(facts)))]


def _fill(phrase: str, **words: str) -> str:
    """Put words into a phrase; what they hold is never read as a field of its own."""
    return phrase.format(**{field: " ".join(word.split()) for field, word in words.items()})
