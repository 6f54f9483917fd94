"""What earlier builds worked out and the next one need not work out again: found secrets' places, and token ids.

Knows nothing of how either is computed, and holds no text: keys are hashes, places are numbers, tokens are ids.

Entries that the newest build did not use are deleted with it. All tables are named `derived_*`: whoever deletes
messages may delete every row of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from sqlite_utils import Database

Key = bytes
_KEY_BYTES = 16


def key_of(version: str, texts: Iterable[str]) -> Key:
    """16 bytes that tell one list of texts, under one version of what looks at them, from every other."""
    digest = hashlib.blake2b(digest_size=_KEY_BYTES)
    digest.update(version.encode() + b"\0")
    for text in texts:
        said = text.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(said) + said)
    return digest.digest()


def version_of(*modules: str, libraries: Sequence[str] = ()) -> str:
    """What tells one state of the code from another: the sources of these modules, or all of a package's.

    No number that somebody has to remember to raise: what older code worked out is never taken for the newer one's.

    Args:
        libraries: distributions whose versions matter too; those that are not installed count as none.
    """
    digest = hashlib.blake2b(digest_size=_KEY_BYTES)
    for name in modules:
        file = Path(find_spec(name).origin)  # type: ignore[union-attr, arg-type]
        for source in sorted(file.parent.glob("*.py")) if file.name == "__init__.py" else [file]:
            digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    installed = []
    for library in libraries:
        with suppress(PackageNotFoundError):
            installed.append(f"{library} {version(library)}")
    return f"{digest.hexdigest()} {installed}"


class Derived:
    """One table `derived_*` of values by key.

    Args:
        name: "scrub" or "tokens".
    """

    def __init__(self, db: Database, name: str) -> None:
        self._db = db
        self._table = f"derived_{name}"

    def keys(self) -> set[Key]:
        """All keys."""
        return {row[0] for row in self._db.execute(f"select key from {self._table}")}  # noqa: S608

    def all(self) -> dict[Key, bytes]:
        """Every value by its key."""
        return dict(self._db.execute(f"select key, value from {self._table}").fetchall())  # noqa: S608

    def get(self, key: Key) -> bytes | None:
        """One value."""
        row = self._db.execute(f"select value from {self._table} where key = ?", [key]).fetchone()  # noqa: S608
        return None if row is None else bytes(row[0])

    def renew(self, added: Mapping[Key, bytes], unused: Iterable[Key]) -> None:
        """Add values and delete those that nobody needs any more, in one short transaction."""
        with locked(self._db):
            self._db.conn.executemany(
                f"insert or replace into {self._table} (key, value) values (?, ?)",  # noqa: S608
                added.items(),
            )
            self._db.conn.executemany(
                f"delete from {self._table} where key = ?",  # noqa: S608
                [(key,) for key in unused],
            )


@contextmanager
def locked(db: Database) -> Iterator[None]:
    """One write transaction, all or nothing; inside of another's a part of that."""
    if db.conn.in_transaction:
        with db.atomic():
            yield
        return
    db.conn.execute("begin immediate")
    try:
        yield
        db.conn.execute("commit")
    except BaseException:
        db.rollback()
        raise
