"""Whether a burst is answered, met with an emoji, or with nothing: drawn from what the owner does, as a dataset tells.

Knows nothing of Telegram's requests, or of how what was decided is remembered.

What is always answered, whatever the owner would do: a question, for silence after one is rude, and a program that does
not answer looks broken; the first message of a chat, and what follows a line of the bot's own, for the same reason;
whoever calls the twin by name in a group; and what follows a silence, so that nobody is ignored twice in a row. What
the owner answers within a day counts as answered: they were late, and the twin has nothing else to do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from telegram.constants import ReactionEmoji

from bot.bursts import Heard
from bot.history import Act
from bot.pauses import Paces
from twin.sections import Telegram
from twin.timing import Kind, Timing, kind_of

LEAST_REACTIONS = 10
"""The owner's emoji that must have been seen before the twin gives any; of one kind of message, before that kind has a
choice of its own."""

_VARIATION = "\ufe0f"  # "show this as an emoji": some clients write it, others do not
_ALLOWED = {emoji.value.replace(_VARIATION, ""): emoji.value for emoji in ReactionEmoji}


@dataclass(frozen=True, slots=True)
class Reaction:
    """An emoji on the last message of a burst; "" is silence: neither that nor words."""

    emoji: str = ""


SILENCE = Reaction()


class Temper:
    """Draws what the owner would do.

    Args:
        paces: where the owner's rates are.
        random: where chance comes from.
    """

    def __init__(self, telegram: Telegram, paces: Paces, random: Random) -> None:
        self._silence, self._reactions = telegram.silence, telegram.reactions
        self._paces = paces
        self._random = random

    @property
    def is_moody(self) -> bool:
        """Whether anything but words is ever to be drawn."""
        return self._silence or self._reactions

    def draw(self, adapter: str | None, heard: Sequence[Heard], last_act: Act | None) -> Reaction | None:
        """What a burst is met with in place of words; None: it is answered.

        Args:
            adapter: the version that would answer; the rates are of the dialogs it learned from.
            last_act: what the twin did last in that chat, None before anything.
        """
        rates = self._rates(adapter, heard, last_act)
        if rates is None:
            return None
        kind = _kind(heard)
        emoji = usable(rates, kind) if self._reactions else Counter()
        reacts = rates.reaction(kind) if emoji else 0.0
        chance = self._random.random()
        if chance < reacts:
            return Reaction(self._random.choices(list(emoji), list(emoji.values()))[0])
        if not self._silence:
            return None
        silent = rates.no_answer(kind) - rates.comes_back(kind) - rates.reaction(kind)
        return SILENCE if reacts <= chance < reacts + silent else None

    def as_reaction(
        self, adapter: str | None, heard: Sequence[Heard], last_act: Act | None, bubbles: Sequence[str]
    ) -> Reaction | None:
        """A reply of one emoji alone as a reaction, if the owner reacts to such messages; None: it is sent as it is.

        What must be answered is answered with a message.
        """
        emoji = _ALLOWED.get(bubbles[0].strip().replace(_VARIATION, "")) if len(bubbles) == 1 else None
        if emoji is None or not self._reactions:
            return None
        rates = self._rates(adapter, heard, last_act)
        kind = _kind(heard)
        return Reaction(emoji) if rates and rates.emoji.get(kind) and usable(rates, kind) else None

    def _rates(self, adapter: str | None, heard: Sequence[Heard], last_act: Act | None) -> Timing | None:
        """The owner's rates; None if this has to be answered, or nothing is known or wanted."""
        if not self.is_moody or last_act not in ("owner", "reaction"):
            return None
        is_asked = any(one.is_called or kind_of(one.message.text, one.message.media) == "question" for one in heard)
        return None if is_asked else self._paces.of(adapter)


def usable(timing: Timing, kind: Kind) -> Counter[str]:
    """How often the owner gave the emoji that a bot may give, to a kind of message; to all kinds where that is rare.

    Returns:
        in Telegram's own spelling, the commonest first; empty if there are fewer than `LEAST_REACTIONS` in all.
    """
    by_kind: dict[str, Counter[str]] = {}
    for of, found in timing.emoji.items():
        counts = by_kind.setdefault(of, Counter())
        for emoji, count in sorted(found.items()):
            if (allowed := _ALLOWED.get(emoji.replace(_VARIATION, ""))) is not None:
                counts[allowed] += count
    mine, together = by_kind.get(kind, Counter()), Counter[str]()
    for counts in by_kind.values():
        together += counts
    chosen = mine if mine.total() >= LEAST_REACTIONS else together
    if chosen.total() < LEAST_REACTIONS:
        return Counter()
    return Counter(dict(sorted(chosen.items(), key=lambda item: (-item[1], item[0]))))


def _kind(heard: Sequence[Heard]) -> Kind:
    """Of the last message: that is how the rates were counted."""
    last = heard[-1].message
    return kind_of(last.text, last.media)
