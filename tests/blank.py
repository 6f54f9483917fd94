"""Empty databases in memory, many a second: the schema is made once and copied.

Knows nothing of what they are for.
"""

from __future__ import annotations

from functools import cache

from sqlite_utils import Database

from twin.migrations import migrations
from twin.store import Store


@cache
def _schema() -> bytes:
    db = Database(memory=True)
    migrations.apply(db)
    made: bytes = db.conn.serialize()
    db.close()
    return made


def blank_store() -> Store:
    """A store of its own, to be closed."""
    db = Database(memory=True)
    db.conn.deserialize(_schema())
    return Store(db)
