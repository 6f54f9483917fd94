"""A preview of a secret for its owner's eyes, who should recognise it and learn nothing from it.

Knows nothing of kinds of secrets.
"""

from __future__ import annotations

_SHORTEST = 8  # a value below this many characters is not shown at all
_STARS = "*" * 8  # always as many: the length of a value is nobody's business


def masked(value: str) -> str:
    """First and last character with eight stars between: "s********8"; only the stars for a value shorter than eight.

    Line breaks and other unprintable characters at the ends are shown as stars too.
    """
    stripped = value.strip()
    if len(stripped) < _SHORTEST:
        return _STARS
    first, last = stripped[0], stripped[-1]
    return f"{first if first.isprintable() else '*'}{_STARS}{last if last.isprintable() else '*'}"
