"""/settings: what the owner may turn while the bot runs; it outlives a restart and goes before twin.toml.

Knows nothing of how a temperature, a pace or a language is used.
"""

from __future__ import annotations

from typing import Any

from bot import wording
from bot.phrases import languages
from bot.speech import AUTO
from bot.switches import Switches
from twin.sections import Reply
from twin.settings import Settings

_TEMPERATURE, _PACING, _LANGUAGE = "temperature", "pacing", "language"
_MOST_TEMPERATURE = 2.0
_DEFAULT = "default"


class Tuning:
    """Temperature, pacing and language, over the settings."""

    def __init__(self, settings: Settings, switches: Switches) -> None:
        self._settings = settings
        self._switches = switches

    def how(self) -> Reply | None:
        """How replies are sampled; None: as the settings say."""
        temperature = self._switches.get(_TEMPERATURE)
        return None if temperature is None else self._settings.reply.model_copy(update={_TEMPERATURE: temperature})

    def pacing(self) -> str:
        """How bubbles follow one another; see `telegram.pacing`."""
        return str(self._switches.get(_PACING) or self._settings.telegram.pacing)

    def language(self) -> str:
        """What the bot itself speaks; see `telegram.language`."""
        return str(self._switches.get(_LANGUAGE) or self._settings.telegram.language)

    def command(self, words: list[str]) -> str:
        """Turn what the words say, and answer with what is set now, or with how to ask."""
        match [word.lower() for word in words]:
            case []:
                pass
            case [("temperature" | "pacing" | "language") as name, word] if word == _DEFAULT:
                self._switches.clear(name)
            case ["temperature", word] if (number := _number(word)) is not None:
                self._switches.set(_TEMPERATURE, number)
            case ["pacing", ("owner" | "fast") as pace]:
                self._switches.set(_PACING, pace)
            case ["language", word] if word == AUTO or word in languages():
                self._switches.set(_LANGUAGE, word)
            case _:
                return wording.SETTINGS_USAGE
        return wording.settings(self._values())

    def _values(self) -> dict[str, tuple[Any, bool]]:
        how = self.how() or self._settings.reply
        return {
            name: (value, self._switches.get(name) is not None)
            for name, value in (
                (_TEMPERATURE, f"{how.temperature:g}"),
                (_PACING, self.pacing()),
                (_LANGUAGE, self.language()),
            )
        }


def _number(word: str) -> float | None:
    """A temperature; None if it is none."""
    try:
        number = float(word)
    except ValueError:
        return None
    return number if 0 <= number <= _MOST_TEMPERATURE else None
