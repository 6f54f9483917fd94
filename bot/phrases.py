"""Phrases: what the bot itself says to guests, in every language that it speaks; the words stand in phrases.toml.

Knows nothing of who is spoken to. What it says to its owner alone stands in bot/wording.py.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from twin.language import FALLBACK
from twin.sections import UNNAMED

GUESTS_COMMANDS = ("start", "help", "status", "quiz", "reset", "forget")


def languages() -> frozenset[str]:
    """The languages that the bot speaks, as ISO 639-1."""
    return frozenset(_catalogue())


def phrase(language: str, key: str, owner: str = UNNAMED, **facts: Any) -> str:
    """One of the catalogue's phrases.

    Args:
        language: ISO 639-1; one that the bot does not speak counts as English.
        owner: the owner's name, as `owner.name` tells it.
    """
    catalogue = _catalogue()
    known = catalogue.get(language) or catalogue[FALLBACK]
    if owner == UNNAMED:
        key = f"{key}_nameless" if f"{key}_nameless" in known else key
        owner = known["owner"]
    return known[key].format(name=owner, **facts)


def commands(language: str) -> dict[str, str]:
    """The commands that guests have, with what they do."""
    return {name: phrase(language, f"command_{name}") for name in GUESTS_COMMANDS}


@cache
def _catalogue() -> dict[str, dict[str, str]]:
    return tomllib.loads(files("bot").joinpath("phrases.toml").read_text(encoding="utf-8"))
