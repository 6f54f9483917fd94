"""Examining many conversations for secrets: on all cores, and never again while neither they nor the rules change.

Knows nothing of what becomes of what is found.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice

from training.processes import cores, spread
from training.reasons import FAILED
from training.reuse import Derived, Key, key_of, version_of
from training.scrubbing import Finding, examine, read_findings, write_findings
from twin.errors import DatasetError

_CHUNK_TEXTS = 500
_LIBRARIES = ("phonenumbers", "python-stdnum", "mnemonic")
_WORTH_PROCESSES = 20_000  # texts: below, starting processes takes longer than the work

Window = Sequence[str]


def examine_all(
    windows: Sequence[Window],
    kept: Derived,
    *,
    also_used: Collection[Key] = (),
    workers: int | None = None,
    on_progress: Callable[[float], None] = lambda _: None,
) -> list[tuple[Key, list[Finding]]]:
    """The findings of every window, in order: one a text, or none at all where nothing was found in the whole window.
    And the key under which they are kept.

    Args:
        windows: texts of conversations, oldest first.
        kept: findings of earlier times; renewed with what these windows need, and nothing else
        also_used: but these keys.
        workers: processes, by default one a core; for little work none.
        on_progress: called with the share that is done.

    Raises:
        DatasetError: a worker process died.
    """
    known = kept.all()
    rules = version_of("twin.privacy", "training.scrubbing", libraries=_LIBRARIES)
    keys = [key_of(rules, texts) for texts in windows]
    missing = {key: list(texts) for key, texts in zip(keys, windows, strict=True) if key not in known}
    if workers is None:
        workers = cores() if sum(map(len, missing.values())) >= _WORTH_PROCESSES else 1
    added: dict[Key, bytes] = {}
    failed: dict[Key, bytes] = {}
    for key, findings in _examined(missing, workers):
        (failed if any(found.gone == FAILED for found in findings) else added)[key] = write_findings(findings)
        on_progress((len(added) + len(failed)) / len(missing))
    unused = known.keys() - set(keys) - set(also_used)
    if added or unused:
        kept.renew(added, unused)
    everything = known | added | failed
    return [
        (key, read_findings(written, len(texts)) if (written := everything[key]) else [])
        for key, texts in zip(keys, windows, strict=True)
    ]


def _examined(missing: Mapping[Key, Window], workers: int) -> Iterator[tuple[Key, list[Finding]]]:
    chunks = list(_chunks(missing))
    try:
        for chunk, found in zip(
            chunks, spread(examine_chunk, [windows for _, windows in chunks], workers), strict=True
        ):
            yield from zip(chunk[0], found, strict=True)
    except ChildProcessError as error:
        raise DatasetError(
            "A process that looked for secrets was ended from outside", "free some memory and build again"
        ) from error


def examine_chunk(windows: Sequence[Window]) -> list[list[Finding]]:
    """The findings of some windows: the work of one process."""
    return [examine(texts) for texts in windows]


def _chunks(missing: Mapping[Key, Window]) -> Iterator[tuple[list[Key], list[Window]]]:
    """Windows by the handful, about equally many texts in each."""
    items = iter(missing.items())
    while first := next(items, None):
        keys, windows, texts = [first[0]], [first[1]], len(first[1])
        while texts < _CHUNK_TEXTS and (more := list(islice(items, 1))):
            keys.append(more[0][0])
            windows.append(more[0][1])
            texts += len(more[0][1])
        yield keys, windows
