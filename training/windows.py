"""A snapshot's windows of token ids: computed once, and kept for the next training while nothing about them changes.

Knows nothing of how a session becomes windows: that is `training.encode`.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from sqlite_utils import Database

from training.cuts import Split
from training.encode import Window, windows
from training.processes import uncollected
from training.reuse import Derived, Key, key_of, version_of
from training.snapshot import Snapshot
from twin.prompt import PromptSpec
from twin.session_lines import read_session
from twin.tokens import Tokenizer

_RENDERERS = (
    "training.encode",
    "training.windows",
    "twin.session_lines",
    "twin.prompt",
    "twin.tokens",
    "twin.templates",
    "twin.marks",
    "twin.placeholders",
)
_BATCH = 256  # sessions
_SMALL = 24  # characters of texts that are worth remembering: most are said again


def windows_of(
    snapshot: Snapshot, splits: Iterable[Split], spec: PromptSpec, tokenizer: Tokenizer, db: Database
) -> dict[Split, list[Window]]:
    """The windows of some parts, each part's in order; see `training.encode.windows`.

    What these parts need is kept for the next time, and nothing else.

    Raises:
        SettingsError: the system text leaves no room for a conversation.
    """
    with uncollected():
        return _windows_of(snapshot, splits, spec, tokenizer, Derived(db, "tokens"))


def _windows_of(
    snapshot: Snapshot, splits: Iterable[Split], spec: PromptSpec, tokenizer: Tokenizer, kept: Derived
) -> dict[Split, list[Window]]:
    known = kept.all()
    code = f"{version_of(*_RENDERERS)} {json.dumps(spec.as_dict(), sort_keys=True)}"
    keys: dict[Split, list[Key]] = {}
    added: dict[Key, bytes] = {}
    many = _Batched(tokenizer)
    for split in splits:
        keys[split] = []
        lines = iter(snapshot.lines(split))
        while batch := list(islice(lines, _BATCH)):
            found = [key_of(code, [line]) for line in batch]
            keys[split] += found
            missing = {k: line for k, line in zip(found, batch, strict=True) if k not in known and k not in added}
            added.update(_encode(missing, spec, many))
    unused = known.keys() - {key for found in keys.values() for key in found}
    if added or unused:
        kept.renew(added, unused)
    known.update(added)
    numbers: list[int] = []
    return {
        split: [window for key in found for window in read_windows(known[key], numbers)]
        for split, found in keys.items()
    }


def _encode(missing: dict[Key, str], spec: PromptSpec, tokenizer: _Batched) -> dict[Key, bytes]:
    sessions = {key: read_session(line) for key, line in missing.items()}
    tokenizer.prepare(bubble.text for session in sessions.values() for turn in session.turns for bubble in turn.bubbles)
    return {key: write_windows(windows([session], spec, tokenizer)) for key, session in sessions.items()}


class _Batched:
    """A tokenizer that is asked for many texts at once, which is faster, and for the same text only once."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._frames: dict[str, list[int]] = {}
        self._texts: dict[str, list[int]] = {}

    @property
    def bos(self) -> tuple[int, ...]:
        """See Tokenizer."""
        return self._tokenizer.bos

    def prepare(self, texts: Iterable[str]) -> None:
        """Tokenize messages that will be asked for."""
        self._texts = {text: ids for text, ids in self._texts.items() if len(text) <= _SMALL}
        self._add(self._texts, texts, special=False)

    def encode(self, texts: Sequence[str], *, special: bool) -> list[list[int]]:
        """See Tokenizer."""
        known = self._frames if special else self._texts
        self._add(known, texts, special=special)
        return [known[text] for text in texts]

    def _add(self, known: dict[str, list[int]], texts: Iterable[str], *, special: bool) -> None:
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        if missing:
            known.update(zip(missing, self._tokenizer.encode(missing, special=special), strict=True))


def write_windows(found: Sequence[Window]) -> bytes:
    """Windows as bytes: a line of JSON with their numbers, then all ids (4 bytes each), then what is supervised."""
    head = [[len(window.ids), window.turns, window.characters, window.truncated] for window in found]
    ids = array("i", [token for window in found for token in window.ids])
    mask = bytes(seen for window in found for seen in window.supervised)
    return json.dumps(head, separators=(",", ":")).encode() + b"\n" + ids.tobytes() + mask


def read_windows(written: bytes, numbers: list[int]) -> Iterator[Window]:
    """The inverse of `write_windows`.

    Args:
        numbers: 0, 1, 2 ... as far as it goes, and made longer here: so that an id is one object wherever it occurs,
            which takes a quarter of the memory.
    """
    end = written.index(b"\n") + 1
    head = json.loads(written[:end])
    ids = array("i", written[end : end + 4 * sum(length for length, *_ in head)])
    numbers.extend(range(len(numbers), 1 + max(ids, default=0)))
    mask = written[end + 4 * len(ids) :]
    place = 0
    for length, turns, characters, truncated in head:
        part = slice(place, place + length)
        shared = tuple(map(numbers.__getitem__, ids[part]))
        yield Window(shared, tuple(map(bool, mask[part])), turns, characters, truncated)
        place += length
