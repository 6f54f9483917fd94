"""SQLite: a plain database with the tables `dialogs` and `messages`, and nothing of jobs, bot, search or training.

Knows nothing of the database that the messages come from. Times are UTC seconds since 1970.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from ingest.writers import Leaving, Teller
from twin.merging import TOLD
from twin.store import row_of

_SCHEMA = """
create table owner (id integer, name text not null);
create table dialogs (
    chat_id integer primary key, name text, username text, language text, relation text, is_included integer not null
);
create table messages (
    chat_id integer not null references dialogs, message_id integer not null, sent_at integer not null,
    sender_id integer, is_owner integer not null, text text not null, reply_to integer, forwarded_from text,
    via_bot text, edited_at integer, media text, media_note text, entities text, reactions text,
    first_text text, first_edited_at integer, deleted_at integer,
    primary key (chat_id, message_id)
);
create index messages_by_time on messages (chat_id, sent_at);
"""
_INSERT = f"insert into messages ({', '.join(TOLD)}) values ({', '.join('?' * len(TOLD))})"  # noqa: S608 - constants


def write(out: Path, dialogs: Iterator[Leaving], owner: Teller) -> None:
    """See `Write`."""
    try:
        with closing(sqlite3.connect(out)) as db:
            db.executescript(_SCHEMA)
            with db:
                db.execute("insert into owner values (?, ?)", [owner.id or None, owner.name])
                for leaving in dialogs:
                    known = leaving.dialog
                    db.execute(
                        "insert into dialogs values (?, ?, ?, ?, ?, ?)",
                        [
                            known.chat_id,
                            known.name,
                            known.username,
                            known.language,
                            known.relation,
                            int(known.is_included),
                        ],
                    )
                    db.executemany(_INSERT, map(row_of, leaving.messages))
    except sqlite3.OperationalError as error:
        raise OSError(0, str(error)) from error
