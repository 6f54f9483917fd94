"""What was staged of a run, looked at before it is written: what the owner keeps out, counts, a rehearsal.

Knows nothing of sources; the stage is the temporary table `incoming` of the store's own connection.
"""

from __future__ import annotations

from datetime import UTC, datetime

from twin.dialogs import Dialog
from twin.merging import UPSERT_STAGED
from twin.store import Store, Written

_EXCLUDED = "in (select chat_id from dialogs where not is_included)"
_REHEARSE = UPSERT_STAGED.replace("insert into messages (", "insert into temp.rehearsal as messages (", 1)


def leave_out_excluded(store: Store) -> dict[int, int]:
    """Drop from the stage the dialogs that the owner excluded; returns how many messages each had."""
    rows = store.db.execute(
        f"select chat_id, count(*) from temp.incoming where chat_id {_EXCLUDED} group by chat_id"  # noqa: S608 - constant
    ).fetchall()
    store.db.conn.execute(f"delete from temp.incoming where chat_id {_EXCLUDED}")  # noqa: S608 - constant
    return dict(rows)


def staged_dialogs(store: Store, names: dict[int, str | None], languages: dict[int, str | None]) -> list[Dialog]:
    """The dialogs of which something is staged, with what is, most messages first."""
    rows = store.db.execute(
        "select chat_id, count(*), sum(is_owner), min(sent_at), max(sent_at) from temp.incoming"
        " group by chat_id order by count(*) desc, chat_id"
    )
    return [
        Dialog(
            chat_id=chat_id,
            name=names.get(chat_id),
            messages=messages,
            owner_messages=owned,
            first_at=datetime.fromtimestamp(first, UTC),
            last_at=datetime.fromtimestamp(last, UTC),
            language=languages.get(chat_id),
        )
        for chat_id, messages, owned, first, last in rows
    ]


def strangers_staged(store: Store) -> bool:
    """Whether somebody wrote who is neither the owner nor the person the dialog is with."""
    found = store.db.execute(
        "select 1 from temp.incoming where not is_owner and sender_id is not null and sender_id <> chat_id limit 1"
    )
    return found.fetchone() is not None


class Rehearsal:
    """What writing would do, found out by reading the database only.

    The rows concerned are copied into the connection's own temporary file, and the same statement is run on the copy.
    What was rehearsed counts as written for the next rehearsal of the same object.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        store.db.execute("create temp table rehearsal as select * from messages limit 0")
        store.db.execute("create unique index temp.rehearsed on rehearsal (chat_id, message_id)")

    def __enter__(self) -> Rehearsal:
        return self

    def __exit__(self, *_: object) -> None:
        self._store.db.execute("drop table if exists temp.rehearsal")

    def write_staged(self) -> Written:
        """What `Store.write_staged` would come to."""
        db = self._store.db
        with db.atomic():
            db.conn.execute(
                "insert or ignore into temp.rehearsal select messages.* from messages"
                " join (select distinct chat_id, message_id from temp.incoming) using (chat_id, message_id)"
            )
            staged = _count(self._store, "incoming")
            before = _count(self._store, "rehearsal")
            changed = int(db.conn.execute(_REHEARSE).rowcount)
            added = _count(self._store, "rehearsal") - before
        return Written(added, changed - added, staged - changed)


def _count(store: Store, table: str) -> int:
    return int(store.db.execute(f"select count(*) from temp.{table}").fetchone()[0])  # noqa: S608 - constants
