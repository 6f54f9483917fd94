"""Which of the owner's turns are taught: not one chat above all others, and nothing over and over again.

Knows nothing of storage or tokens. Turns that are not to be taught stay where they are, as context, with the reason.

Repetition is what a model learns by heart (Lee et al. 2022, "Deduplicating Training Data Makes Language Models
Better"; Kandpal et al. 2022). So near-duplicate replies are capped: long ones at two, short everyday ones ("ok",
"lol"), which are part of how somebody writes, generously. Of a dialog with n turns, n^T * e^(1-T) are taught, where e
= N/k is an equal share of all N turns for each of the k dialogs and T the temperature: T = 1 leaves everything as it
is, T = 0 gives each dialog at most an equal share. It is the exponential smoothing by which multilingual models
sample languages (p^T, with T = 0.7 in mBERT and 0.3 in XLM-R, Conneau et al. 2020), without its oversampling: nothing
is taught twice.

Which turns stay is decided by hashes of where they stand, so they are spread over the whole period, are the same on
every machine, and mostly stay the same ones when new messages come.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from training.likeness import LONG, Likeness, short_key, units
from twin.messages import Session, Turn
from twin.sections import DatasetSettings

REPEATED, DIALOG_SHARE = "repeated", "dialog share"
LONG_REPEATS = 2
_SHORT_SHARE = 0.02

Place = tuple[int, int]
"""Of a turn: index of its session, index in the session."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A turn that could be taught.

    Attributes:
        place: where it stands.
        chat_id: the dialog.
        rank: by a hash of its session, then of itself: uniform, and the same everywhere.
    """

    place: Place
    chat_id: int
    rank: tuple[int, int]
    turn: Turn


def balance(found: Sequence[Session], settings: DatasetSettings) -> list[Session]:
    """The same sessions, in which turns that are too many are withheld as "repeated" or for their "dialog share".

    Args:
        found: the owner's own conversations of the training period, in any fixed order.
    """
    candidates = list(_candidates(found))
    withheld: dict[Place, str] = dict.fromkeys(repeated(candidates, settings.max_repeats), REPEATED)
    left = [candidate for candidate in candidates if candidate.place not in withheld]
    withheld |= dict.fromkeys(
        beyond_share(left, settings.dialog_temperature, settings.dialog_cap),
        DIALOG_SHARE,
    )
    return withhold(found, withheld)


def withhold(found: Sequence[Session], reasons: Mapping[Place, str]) -> list[Session]:
    """The same sessions with these turns withheld."""
    touched: defaultdict[int, dict[int, str]] = defaultdict(dict)
    for (session, turn), reason in reasons.items():
        touched[session][turn] = reason
    return [
        session if place not in touched else _with_reasons(session, touched[place])
        for place, session in enumerate(found)
    ]


def repeated(candidates: Sequence[Candidate], max_repeats: int) -> Iterator[Place]:
    """The turns that say again what as many others as are allowed say already.

    Args:
        max_repeats: how many short replies may be alike; beyond it, up to 2 % of all. 0 allows any number.
    """
    if not max_repeats:
        return
    short_cap = max(max_repeats, math.ceil(_SHORT_SHARE * len(candidates)))
    texts = [units(candidate.turn) for candidate in candidates]
    long_texts = sorted({text for its in texts for text in its if len(text) >= LONG})
    places = {text: place for place, text in enumerate(long_texts)}
    likeness, short = Likeness(long_texts), Counter[str]()
    for candidate, its in sorted(zip(candidates, texts, strict=True), key=lambda pair: pair[0].rank[1]):
        keys = [short_key(text) for text in its if text not in places]
        long = [places[text] for text in its if text in places]
        if any(short[key] >= short_cap for key in keys) or any(likeness.count(p) >= LONG_REPEATS for p in long):
            yield candidate.place
            continue
        short.update(keys)
        for place in long:
            likeness.add(place)


def beyond_share(candidates: Sequence[Candidate], temperature: float, cap: int | None) -> Iterator[Place]:
    """The turns beyond their dialog's share, whole conversations if possible: context is not to be read in vain."""
    by_dialog: defaultdict[int, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        by_dialog[candidate.chat_id].append(candidate)
    for chat_id, allowed in shares({c: len(turns) for c, turns in by_dialog.items()}, temperature, cap).items():
        turns = by_dialog[chat_id]
        if allowed < len(turns):
            yield from (turn.place for turn in sorted(turns, key=lambda c: c.rank)[allowed:])


def shares(sizes: Mapping[int, int], temperature: float, cap: int | None = None) -> dict[int, int]:
    """How many turns of each dialog are taught: at least one, at most all it has. See the module for the formula."""
    if not sizes:
        return {}
    equal = sum(sizes.values()) / len(sizes)
    return {
        chat_id: max(1, min(size, round(size**temperature * equal ** (1 - temperature)), cap or size))
        for chat_id, size in sizes.items()
    }


def _candidates(found: Iterable[Session]) -> Iterator[Candidate]:
    for number, session in enumerate(found):
        rank = -1
        for place, turn in enumerate(session.turns):
            if turn.is_supervisable:
                rank = rank if rank >= 0 else _hash(f"{session.chat_id} {session.turns[0].started_at}")
                yield Candidate((number, place), session.chat_id, (rank, _mix(rank + place)), turn)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def _mix(number: int) -> int:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014): neighbouring numbers come out far apart."""
    number = (number + 0x9E3779B97F4A7C15) % 2**64
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    number = (number ^ number >> 27) * 0x94D049BB133111EB % 2**64
    return number ^ number >> 31


def _with_reasons(session: Session, reasons: Mapping[int, str]) -> Session:
    turns = tuple(
        replace(turn, withheld=reasons[place]) if place in reasons else turn for place, turn in enumerate(session.turns)
    )
    return replace(session, turns=turns)
