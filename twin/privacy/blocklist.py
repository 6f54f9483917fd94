"""The owner's blocklist: words and people that a twin is never to learn of.

Knows nothing of secrets or detectors; it only says whether a text mentions one of them.

An entry is matched without regard to letter case, full-width forms and ё/е. In scripts that write spaces it is
matched word by word ("ann" is not in "anna"); an entry that ends in `*` matches every ending, as inflected languages
need ("анн*"). Where words are not parted by spaces (Chinese, Japanese, Thai ...) it is found anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from twin.words import UNSPACED, fold

_UNSPACED = re.compile(f"[{UNSPACED}]")
_NEVER = re.compile(r"(?!)")


@dataclass(frozen=True)
class Blocklist:
    """Words and names as one compiled pattern."""

    pattern: re.Pattern[str] = _NEVER
    people: re.Pattern[str] = _NEVER

    @classmethod
    def of(cls, words: Iterable[str], people: Iterable[str]) -> Blocklist:
        """Of the entries that the owner listed; empty ones count for nothing."""
        words, people = list(words), list(people)
        return cls(_compile([*words, *people]), _compile(people))

    @property
    def has_entries(self) -> bool:
        """Whether the owner listed anything."""
        return self.pattern is not _NEVER

    def mentions(self, text: str) -> bool:
        """Whether a text holds one of the words or names one of the people."""
        return self.has_entries and self.pattern.search(_fold(text)) is not None

    def is_person(self, *names: str | None) -> bool:
        """Whether one of these names (of a dialog: the name, the username) is that of a listed person."""
        return any(name and self.people.search(_fold(name.removeprefix("@"))) for name in names)


def _compile(entries: Iterable[str]) -> re.Pattern[str]:
    """One alternative an entry, the longest first and in a fixed order."""
    folded = {_fold(entry).strip().removeprefix("@") for entry in entries}
    patterns = [_pattern(entry) for entry in sorted(folded, key=lambda e: (-len(e), e)) if entry.strip("* ")]
    return re.compile("|".join(patterns)) if patterns else _NEVER


def _pattern(entry: str) -> str:
    any_ending = entry.endswith("*")
    entry = entry.rstrip("* ")
    words = r"[\s\u200b]+".join(re.escape(word) for word in entry.split())
    before = "" if _UNSPACED.match(entry[0]) else r"(?<!\w)"
    after = "" if any_ending or _UNSPACED.match(entry[-1]) else r"(?!\w)"
    return f"{before}{words}{after}"


def _fold(text: str) -> str:
    return fold(text).replace("ё", "е")
