"""Overheard: what other people wrote, word for word, as a keyed Bloom filter, so that a reply can be checked for it.

Knows no text and no names, only keyed bits; nothing of databases or of conversations.

    overheard    0600: one line of JSON {"version", "mark", "windows", "sha256"}, then the filter's bits

A text is compared by its windows: 40 characters of its words, folded and a space apart, from the beginning of a word
on. So case, width, punctuation, emoji and the number of spaces make no difference, and a stretch of 20 Chinese
characters, of which each is a word, is as long as one of 40 letters. The filter (Bloom 1970; the rbloom package) says
yes to one in a million windows that it never saw. Its bits are set by BLAKE2b-128 under the home's key (RFC 7693): who
has no key learns nothing from it; who has the home can try whole windows one by one, as with the vault.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rbloom import Bloom

from twin.errors import StoreError
from twin.privacy.home_key import read_key, refuse_open, replace_file
from twin.words import words_of

OVERHEARD_FILE = "overheard"
WINDOW = 40
"""How many characters of words, folded and a space apart, make an overlap."""
FALSE_POSITIVES = 1e-6
"""The share of windows that the filter takes for known although it never saw them."""
_VERSION = 1
_PURPOSE = b"twin overheard"  # other hashes under the same key are others


def plain(text: str) -> str:
    """The words of a text, folded, a space apart; in scripts without spaces every letter is a word."""
    return " ".join(words_of(text))


def windows(words: str, since: int = 0) -> Iterator[str]:
    """The windows of words as `plain` gives them, in order.

    Args:
        since: only those that reach beyond so many characters.
    """
    start = 0
    while start + WINDOW <= len(words):
        if start + WINDOW > since:
            yield words[start : start + WINDOW]
        start = words.find(" ", start) + 1
        if not start:
            return


class Digests:
    """Windows as numbers of 128 bits, under one home's key."""

    def __init__(self, key: bytes) -> None:
        self._blank = hashlib.blake2b(digest_size=16, key=key, person=_PURPOSE)

    def __call__(self, window: str) -> bytes:
        digest = self._blank.copy()
        digest.update(window.encode("utf-8", "surrogatepass"))
        return digest.digest()

    @property
    def mark(self) -> str:
        """Tells this key from another one, and nothing else about it."""
        return self("the key's mark").hex()


def _number(digest: bytes) -> int:
    """What rbloom sets bits by: any number that 16 bytes hold."""
    return int.from_bytes(digest, "little", signed=True)


@dataclass(frozen=True, slots=True)
class Overheard:
    """The windows of other people's messages. Any thread may search it.

    Attributes:
        count: how many windows it was made of.
    """

    digests: Digests = field(repr=False)
    bloom: Bloom = field(repr=False)
    count: int

    @classmethod
    def of(cls, digests: Digests, found: Iterable[bytes], count: int) -> Overheard:
        """Of windows as digests.

        Args:
            count: how many there are.
        """
        bloom = Bloom(max(1, count), FALSE_POSITIVES, _number)
        bloom.update(found)
        return cls(digests, bloom, count)

    @classmethod
    def open(cls, home: Path) -> Overheard | None:
        """What was last saved in a home; None when nothing was, or under another key.

        Raises:
            StoreError: it is damaged, or it or the key can be read by others.
        """
        file = home / OVERHEARD_FILE
        if not file.exists():
            return None
        refuse_open(file)
        digests = Digests(read_key(home, may_make=True))
        try:
            head, _, bits = file.read_bytes().partition(b"\n")
            told = json.loads(head)
            if told["version"] != _VERSION or told["sha256"] != hashlib.sha256(bits).hexdigest():
                raise ValueError
            if told["mark"] != digests.mark:
                return None
            return cls(digests, Bloom.load_bytes(bits, _number), int(told["windows"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"The note of what others wrote is damaged ({file})", "delete that file: it is made anew"
            ) from error

    def save(self, home: Path) -> None:
        """Replace the file, whole or not at all.

        Raises:
            StoreError: it cannot be written.
        """
        bits = self.bloom.save_bytes()
        told = {
            "version": _VERSION,
            "mark": self.digests.mark,
            "windows": self.count,
            "sha256": hashlib.sha256(bits).hexdigest(),
        }
        try:
            replace_file(home / OVERHEARD_FILE, json.dumps(told).encode() + b"\n" + bits)
        except OSError as error:
            raise StoreError(
                f"What others wrote cannot be noted in {home} ({error.strerror})",
                "check the permissions and the free disk space",
            ) from error

    def found_in(self, words: str, since: int = 0) -> list[str]:
        """The windows of words (see `plain`) that somebody else wrote; `since` as in `windows`."""
        return [window for window in windows(words, since) if self.digests(window) in self.bloom]
