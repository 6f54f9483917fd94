"""Reasons: what became of a turn of the owner, or of a message, in the words of manifests and tables.

Knows nothing of who decides.
"""

from __future__ import annotations

from typing import Final

SUPERVISED: Final = "supervised"
NOT_OWN: Final = "not own words"
"""Only forwards, media, or what was sent via a bot."""
SECRET: Final = "secret"
BLOCKED: Final = "blocked"
"""It holds a word, or names a person, of the owner's list."""
FAILED: Final = "scrub failed"
ALSO_HELD_OUT: Final = "also in held-out"
REPEATED: Final = "repeated"
DIALOG_SHARE: Final = "dialog share"
JOINED: Final = "joined with the one before"
"""It is one turn with the one before: what stood between is left out."""

STATUSES: Final = ("", SUPERVISED, NOT_OWN, SECRET, BLOCKED, FAILED, ALSO_HELD_OUT, REPEATED, DIALOG_SHARE)
"""What a turn that is there can be, for tables of numbers; "" is a turn of the other side."""


def told(reason: str) -> str:
    """What became of turns of the owner, as a line of a table says it."""
    if reason == JOINED:
        return "said as one with the turn before"
    return "learned from, or held out" if reason == SUPERVISED else f"not learned from: {reason}"
