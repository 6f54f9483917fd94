"""Reactions to a message, as one compact text, whatever source tells of them.

Knows nothing of exports or of Telegram's objects.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

CUSTOM = "custom"  # an emoji of somebody's own drawing, which has no text
PAID = "paid"


def compact(votes: Iterable[tuple[str, bool, bool]]) -> str | None:
    """Votes as the `reactions` of a `Message`.

    Args:
        votes: (emoji, whether the owner gave it, whether somebody else did); the same emoji may come several times.

    Returns:
        a JSON list sorted by emoji; None when nobody reacted.
    """
    owner: dict[str, bool] = {}
    other: dict[str, bool] = {}
    for emoji, by_owner, by_other in votes:
        owner[emoji] = owner.get(emoji, False) or by_owner
        other[emoji] = other.get(emoji, False) or by_other
    found = [{"emoji": emoji, "by_owner": owner[emoji], "by_other": other[emoji]} for emoji in sorted(owner)]
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")) if found else None
