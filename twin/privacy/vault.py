"""The vault: which secrets were found in the owner's messages, kept so that a reply can be checked for them.

Knows no secret: only keyed HMACs of them (HMAC-SHA-256, RFC 2104, cut to 128 bits), their labels and their lengths.

    vault.json   0600: {"version", "anywhere": [length, ...], "whole": [...], "marked": [...], "entries": {hmac: label}}
    vault.key    0600: 32 random bytes; without them the HMACs tell nothing, not even by trial

A value is normalised before it is hashed, and a reply in the same way before it is searched, so that letter case,
spaces, separators and full-width digits make no difference. Whoever has both files can try values one by one, as
always with short secrets; a copy of the home or of the vault without its key cannot be tried.
"""

from __future__ import annotations

import hmac
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from twin.errors import StoreError
from twin.privacy.home_key import KEY_FILE, LOCKED, read_key, refuse_open, replace_file

__all__ = ["KEY_FILE", "VAULT_FILE", "Entry", "Vault", "stands_in"]

VAULT_FILE = "vault.json"
_VERSION = 1
_DIGEST_BYTES = 16
_SHORTEST = 4
_ANYWHERE_FROM = 8
_SEED_WORDS = 4
_PHONE_DIGITS = (9, 7)  # without country and trunk prefixes, and as a neighbour would write it
_USERINFO = re.compile(r"//([^/@\s]+)@")

Entry = tuple[str, int, str]
"""Of a part of a secret: how it is searched for, its length, its HMAC."""


@dataclass(slots=True)
class Vault:
    """The secrets of one home, as HMACs.

    `contains` and `labels` search a text; `add` and `save` belong to whoever rebuilds it.
    """

    home: Path
    key: bytes = field(repr=False)
    entries: dict[str, str] = field(default_factory=dict, repr=False)
    anywhere: set[int] = field(default_factory=set)
    whole: set[int] = field(default_factory=set)
    marked: set[int] = field(default_factory=set)

    @classmethod
    def open(cls, home: Path) -> Vault:
        """The vault of a home as it was last saved; empty before the first build.

        Raises:
            StoreError: it or its key is damaged, missing beside the other, or can be read by others.
        """
        file = home / VAULT_FILE
        vault = cls(home, read_key(home, may_make=not file.exists()))
        if not file.exists():
            return vault
        refuse_open(file)
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
            if values["version"] != _VERSION:
                raise ValueError
            vault.entries = {str(digest): str(label) for digest, label in values["entries"].items()}
            vault.anywhere, vault.whole, vault.marked = (set(values[n]) for n in ("anywhere", "whole", "marked"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreError(f"The vault {file} is damaged", LOCKED) from error
        return vault

    @classmethod
    def empty(cls, home: Path) -> Vault:
        """A vault with nothing in it under the home's key, which is made if there is none; not saved.

        Raises:
            StoreError: the key is damaged, or can be read by others.
        """
        return cls(home, read_key(home, may_make=True))

    @classmethod
    @contextmanager
    def rebuild(cls, home: Path) -> Iterator[Vault]:
        """A fresh vault with the home's key, saved at the end; on an error the one that is there stays."""
        vault = cls.empty(home)
        yield vault
        vault.save()

    def __len__(self) -> int:
        return len(self.entries)

    def add(self, label: str, value: str) -> bool:
        """Remember a secret; False when it is too short (fewer than 4 characters) to be told from ordinary words."""
        entries = self.entries_of(label, value)
        self.put(label, entries)
        return bool(entries)

    def entries_of(self, label: str, value: str) -> list[Entry]:
        """What is remembered of a secret; it tells nothing without the key."""
        entries: list[Entry] = []
        for part in _parts(label, value):
            plain, _ = _squeeze(part)
            if len(plain) >= _SHORTEST:
                kind = "anywhere" if len(plain) >= _ANYWHERE_FROM else "whole"
            elif len(plain := _without_spaces(part)) >= _SHORTEST:
                kind = "marked"
            else:
                continue
            entries.append((kind, len(plain), self._digest(plain)))
        return entries

    def put(self, label: str, entries: Iterable[Entry]) -> None:
        """Remember what `entries_of` returned, under this key."""
        lengths = {"anywhere": self.anywhere, "whole": self.whole, "marked": self.marked}
        for kind, length, digest in entries:
            lengths[kind].add(length)
            self.entries.setdefault(digest, label)

    @property
    def mark(self) -> str:
        """Tells the key of this vault from another one, and nothing else about it."""
        return self._digest("the key's mark")

    def contains(self, text: str) -> bool:
        """Whether any secret stands in the text: see `labels`."""
        return bool(self.labels(text))

    def labels(self, text: str) -> frozenset[str]:
        """The labels of the secrets in a text; join the bubbles of a reply, for a secret may be spread over them.

        Secrets of 8 and more letters and digits are found anywhere, shorter ones between word boundaries only. Takes
        two to three microseconds for each character and each length in the vault.
        """
        return frozenset(self.values_in(text).values())

    def values_in(self, text: str, before: str = "") -> dict[str, str]:
        """By secret that stands in a text, as it is written there but for case, spaces and signs: its label.

        Args:
            before: what stands in front of it, where a secret may begin that ends in the text.
        """
        if not self.entries:
            return {}
        plain, boundaries = _squeeze(before + text)
        head = len(_squeeze(before)[0])
        bare, bare_head = _without_spaces(before + text), len(_without_spaces(before))
        tried = {part for length in self.anywhere for part in _windows(plain, length, head)}
        tried |= {part for length in self.marked for part in _windows(bare, length, bare_head)}
        tried |= {
            plain[end - length : end]
            for end in boundaries
            if end > head
            for length in self.whole
            if end - length in boundaries
        }
        labels = ((value, self.entries.get(self._digest(value))) for value in tried)
        return {value: label for value, label in labels if label is not None}

    def save(self) -> None:
        """Replace the file, whole or not at all."""
        values = {
            "version": _VERSION,
            "anywhere": sorted(self.anywhere),
            "whole": sorted(self.whole),
            "marked": sorted(self.marked),
            "entries": dict(sorted(self.entries.items())),
        }
        try:
            replace_file(self.home / VAULT_FILE, (json.dumps(values, indent=1) + "\n").encode())
        except OSError as error:
            raise StoreError(
                f"The vault cannot be written to {self.home} ({error.strerror})",
                "check the permissions and the free disk space",
            ) from error

    def _digest(self, plain: str) -> str:
        return hmac.digest(self.key, plain.encode("utf-8", "surrogatepass"), "sha256")[:_DIGEST_BYTES].hex()


def _parts(label: str, value: str) -> Iterator[str]:
    """What is remembered of a secret: all of it, and those parts that give it away by themselves."""
    match label:
        case "PHONE":
            digits, _ = _squeeze("".join(c for c in value if c.isdigit()))
            for count in _PHONE_DIGITS if len(digits) > _PHONE_DIGITS[-1] else (len(digits),):
                yield digits[-count:]
            return
        case "SEED":
            words = value.split()
            for start in range(len(words) - _SEED_WORDS + 1):
                yield " ".join(words[start : start + _SEED_WORDS])
        case "PRIVATE_KEY":
            yield from (line for line in value.splitlines() if len(line) >= 32)
        case "CRED_URL":
            if userinfo := _USERINFO.search(value):
                yield userinfo[1].partition(":")[2] or userinfo[1]
    yield value


def stands_in(value: str, text: str) -> bool:
    """Whether a secret stands in a text, however it is spelled there.

    Args:
        value: as `Vault.values_in` tells it, or in any spelling.
    """
    plain = _squeeze(value)[0]
    if len(plain) >= _SHORTEST:
        return plain in _squeeze(text)[0]
    return _without_spaces(value) in _without_spaces(text)


def _windows(text: str, length: int, head: int) -> Iterator[str]:
    """Every part of that length that ends beyond the head."""
    return (text[start : start + length] for start in range(max(0, head - length + 1), len(text) - length + 1))


def _squeeze(text: str) -> tuple[str, frozenset[int]]:
    """A text's letters and digits alone, in lower case, and the places between them where a word ends or begins."""
    plain: list[str] = []
    boundaries = {0}
    kind_before = ""
    for char in unicodedata.normalize("NFKC", text).casefold():
        kind = _kind(char)
        if kind != kind_before or kind == "ideograph":
            boundaries.add(len(plain))
        if kind:
            plain.append(str(unicodedata.digit(char)) if kind == "digit" else char)
        kind_before = kind
    boundaries.add(len(plain))
    return "".join(plain), frozenset(boundaries)


def _kind(char: str) -> str:
    """ "" for what is neither letter nor digit: it parts words and is dropped."""
    if not char.isalnum():
        return ""
    if char.isdecimal():
        return "digit"
    return "ideograph" if char >= "\u2e80" and unicodedata.category(char) == "Lo" else "letter"


def _without_spaces(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())
