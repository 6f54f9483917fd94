"""Where a secret stands in a message, and what kind it is; how finds that compete for the same place are settled.

Knows nothing of how secrets are found.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Label = Literal[
    "PASSWORD",
    "EMAIL",
    "PHONE",
    "CARD",
    "IBAN",
    "API_KEY",
    "PRIVATE_KEY",
    "CRYPTO",
    "SEED",
    "IP",
    "ADDRESS",
    "ID",
    "OTP",
    "CRED_URL",
]
LABELS: tuple[Label, ...] = get_args(Label)

PLACEHOLDERS: dict[Label, str] = {
    "PASSWORD": "[password]",
    "EMAIL": "[email]",
    "PHONE": "[phone]",
    "CARD": "[card]",
    "IBAN": "[account]",
    "API_KEY": "[api key]",
    "PRIVATE_KEY": "[private key]",
    "CRYPTO": "[wallet]",
    "SEED": "[seed phrase]",
    "IP": "[ip]",
    "ADDRESS": "[address]",
    "ID": "[id]",
    "OTP": "[code]",
    "CRED_URL": "[secret]",
}

_JOINED: frozenset[Label] = frozenset({"ADDRESS", "SEED", "PRIVATE_KEY"})


@dataclass(frozen=True, slots=True)
class Span:
    """A secret in a text: code point offsets, `end` exclusive."""

    start: int
    end: int
    label: Label


@dataclass(frozen=True, slots=True)
class Hit:
    """What one rule believes, in offsets of the folded text; where hits overlap the higher rank wins."""

    start: int
    end: int
    label: Label
    rank: int


def settle(hits: Iterable[Hit]) -> list[Hit]:
    """The hits that stand, by position, none overlapping another.

    Higher rank first, then the longer, then the earlier. Overlapping hits of a kind that is cut out whole
    (addresses, seed phrases, private keys) are one hit over all of them.
    """
    kept: list[Hit] = []
    starts: list[int] = []
    for hit in sorted(_joined(hits), key=lambda h: (-h.rank, h.start - h.end, h.start)):
        place = bisect_left(starts, hit.start)
        if (place and kept[place - 1].end > hit.start) or (place < len(kept) and kept[place].start < hit.end):
            continue
        kept.insert(place, hit)
        starts.insert(place, hit.start)
    return kept


def _joined(hits: Iterable[Hit]) -> list[Hit]:
    """The hits, with overlapping ones of a kind in `_JOINED` made one."""
    done: list[Hit] = []
    last: dict[Label, int] = {}
    for hit in sorted(hits, key=lambda h: h.start):
        before = last.get(hit.label)
        if before is not None and done[before].end > hit.start:
            old = done[before]
            done[before] = Hit(old.start, max(old.end, hit.end), hit.label, max(old.rank, hit.rank))
            continue
        if hit.label in _JOINED:
            last[hit.label] = len(done)
        done.append(hit)
    return done


def replace(text: str, spans: Sequence[Span]) -> str:
    """`text` with a typed placeholder for each span: "[password]", "[phone]" and so on.

    Args:
        spans: as `find` gives them: by position, not overlapping, within the text.
    """
    parts: list[str] = []
    done = 0
    for span in spans:
        parts += (text[done : span.start], PLACEHOLDERS[span.label])
        done = span.end
    return "".join((*parts, text[done:]))
