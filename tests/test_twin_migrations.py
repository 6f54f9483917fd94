"""Old databases move forward: from every earlier schema, every row of every table, and everything works on them.

Nothing here names a migration: one that is appended is tested as soon as it is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from ingest.outgoing import Selection, export, teller
from ingest.standing import standings
from twin import search_index
from twin.forget import forget, undo
from twin.jobs import RETRAIN, JobQueue
from twin.messages import Message
from twin.migrations import migrations
from twin.search import Query, search
from twin.settings import Settings
from twin.store import Store

MIGRATIONS = [migration.name for migration in migrations._migrations]
ROWS = 3
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def tables(db: Database) -> list[str]:
    """Those that hold rows of their own: not SQLite's, the migrations', or what is behind a virtual table."""
    kinds = {name: kind for _, name, kind, *_ in db.execute("pragma table_list")}
    found = [name for name in db.table_names() if not name.startswith(("sqlite_", "_sqlite_"))]
    return [name for name in found if kinds[name] == "table"]


def in_order(db: Database) -> list[str]:
    """Every table after those that it refers to; what was worked out from others, and goes when they change, last."""
    waiting, done = tables(db), list[str]()
    while waiting:
        ready = [
            name for name in waiting if all(key.other_table in [*done, name] for key in db.table(name).foreign_keys)
        ]
        assert ready, "tables that refer to one another"
        done += ready
        waiting = [name for name in waiting if name not in ready]
    return sorted(done, key=lambda name: name.startswith("derived_"))


def invented(db: Database, table: str) -> Iterator[dict[str, Any]]:
    """Rows with a value in every column; what a column refers to is there."""
    columns = db.table(table).columns
    refers = {key.column: (key.other_table, key.other_column) for key in db.table(table).foreign_keys}
    for number in range(1, ROWS + 1):
        row: dict[str, Any] = {}
        for column in columns:
            if column.name in refers:
                other, key = refers[column.name]
                row[column.name] = [found[key] for found in db.table(other).rows][number - 1]
            elif column.type.upper() in ("INTEGER", "INT"):
                row[column.name] = number
            elif column.type.upper() in ("FLOAT", "REAL"):
                row[column.name] = number + 0.5
            elif column.type.upper() == "BLOB":
                row[column.name] = f"{column.name} {number}".encode()
            else:
                row[column.name] = json.dumps([f"{column.name} {number}"])  # some columns hold JSON
        yield row


def old_database(file: Path, until: str) -> dict[str, list[dict[str, Any]]]:
    """A database as it was before a migration, with rows in every table; returns them."""
    db = Database(file)
    migrations.apply(db, stop_before=until)
    for table in in_order(db):
        db.table(table).insert_all(list(invented(db, table)), ignore=True)
    held = {table: list(db.table(table).rows) for table in tables(db)}
    assert all(len(rows) == ROWS for rows in held.values())
    db.close()
    return held


def shape(db: Database) -> dict[str, Any]:
    """Columns, indexes and triggers, as far as they do not depend on the way here."""
    things = {
        (kind, name) for kind, name in db.execute("select type, name from sqlite_master where name not like 'sqlite_%'")
    }
    return {"things": things, "columns": {table.name: table.columns_dict for table in db.tables}}


@pytest.mark.parametrize("until", MIGRATIONS[1:])
def test_every_older_database_moves_forward_with_every_row_of_every_table(tmp_path: Path, until: str) -> None:
    file = tmp_path / "twin.db"
    held = old_database(file, until)
    with Store.open(file) as store, Store.open(tmp_path / "blank.db") as blank:
        assert [migration.name for migration in migrations.applied(store.db)] == MIGRATIONS
        assert shape(store.db) == shape(blank.db)
        assert store.db.execute("pragma integrity_check").fetchall() == [("ok",)]
        assert store.db.execute("pragma foreign_key_check").fetchall() == []
        for table, rows in held.items():
            kept = [{column: row[column] for column in rows[0]} for row in store.db.table(table).rows]
            assert kept == rows, table


@pytest.mark.parametrize("until", MIGRATIONS[1:])
def test_everything_works_on_a_database_that_was_old(home: Settings, tmp_path: Path, until: str) -> None:
    old_database(home.database, until)
    with Store.open(home.database) as store:
        store.add_dialog(1, "Anna", "anna_p")
        sent = NOW + timedelta(days=1)
        assert store.write_messages([Message(1, 100, sent, 1, False, "a new marzipan", reactions="[]")]) == 1
        assert store.mark_deleted(1, [100], NOW) == 1
        search_index.update(store)
        assert [hit.message_id for hit in search(store, Query.parse("marzipan"))] == [100]
        assert len(search(store, Query.parse("text"))) == ROWS  # the old ones were indexed, too
        store.dialog_table.include(2, False)
        store.dialog_table.tag(3, "friend")
        assert store.dialog_table.excluded() == {2} and store.dialog_table.find("3").relation == "friend"
        assert [standing.dialog.messages for standing in standings(store)] == [2, 1, 1]
        assert JobQueue(store.db).enqueue(RETRAIN, "test", 1.0).state == "queued"
        left = export(store, tmp_path / "out", "telegram", teller(store, home.owner), Selection())
        assert left.messages == ROWS + 1
        told = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
        assert len(told["chats"]["list"]) == ROWS
        forget(store, home, 1, sent, NOW)
        assert [message.text for message in store.messages(1)] == ["a new marzipan"]
        assert len(search(store, Query.parse("text"))) == ROWS - 1
        assert undo(store, 1) >= 1
