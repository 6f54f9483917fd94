"""The database schema, as appended migrations: never edit one that has been released, add the next.

Knows only tables; what rows mean is told by the modules that read them.
"""

from __future__ import annotations

from sqlite_utils import Database, Migrations

migrations = Migrations("twin")


@migrations()
def m001_messages(db: Database) -> None:
    """Raw history: one row a message, identity (chat_id, message_id); times are UTC epoch seconds."""
    db.table("dialogs").create(
        {"chat_id": int, "name": str, "kind": str, "first_seen_at": int},
        pk="chat_id",
        not_null={"kind"},
    )
    db.table("messages").create(
        {
            "chat_id": int,
            "message_id": int,
            "sent_at": int,
            "sender_id": int,
            "is_owner": int,
            "text": str,
            "reply_to": int,
            "forwarded_from": str,
            "via_bot": str,
            "edited_at": int,
            "media": str,
            "media_note": str,
            "entities": str,
        },
        pk=("chat_id", "message_id"),
        not_null={"sent_at", "is_owner", "text"},
        foreign_keys=[("chat_id", "dialogs", "chat_id")],
    )
    db.table("messages").create_index(["chat_id", "sent_at"])
    db.table("ingest_runs").create(
        {
            "id": int,
            "source": str,
            "owner_id": int,
            "finished_at": int,
            "added": int,
            "updated": int,
            "unchanged": int,
            "skipped": str,
        },
        pk="id",
    )


@migrations()
def m002_jobs(db: Database) -> None:
    """The queue between bot, scheduler and worker; at most one open job of a kind, enforced here."""
    db.table("jobs").create(
        {
            "id": int,
            "kind": str,
            "state": str,
            "requested_by": str,
            "created_at": float,
            "started_at": float,
            "heartbeat_at": float,
            "finished_at": float,
            "worker": str,
            "attempts": int,
            "progress": str,
            "result": str,
            "error": str,
        },
        pk="id",
        not_null={"kind", "state", "created_at"},
        defaults={"attempts": 0},
    )
    db.execute("create unique index one_open_job on jobs (kind) where state in ('queued', 'running')")


@migrations()
def m003_promotions(db: Database) -> None:
    """Which adapter serves: the newest promotion that was not withdrawn, never 'the newest folder'."""
    db.table("promotions").create(
        {"id": int, "version": str, "promoted_at": float, "reason": str, "withdrawn_at": float},
        pk="id",
        not_null={"version", "promoted_at"},
    )


@migrations()
def m004_bot(db: Database) -> None:
    """The bot's own chats (never training data) and its durable inbox, keyed by Telegram's update_id."""
    db.table("bot_messages").create(
        {
            "id": int,
            "chat_id": int,
            "speaker": str,
            "text": str,
            "sent_at": float,
            "adapter": str,
        },
        pk="id",
        not_null={"chat_id", "speaker", "text", "sent_at"},
    )
    db.table("bot_messages").create_index(["chat_id", "id"])
    db.table("bot_inbox").create(
        {"update_id": int, "chat_id": int, "received_at": float, "payload": str, "answered_at": float},
        pk="update_id",
        not_null={"received_at", "payload"},
    )


@migrations()
def m005_bot_replies(db: Database) -> None:
    """So that a restart neither repeats nor forgets: which open update a row belongs to, which bubbles were sent,
    and which message of the bot follows which training."""
    messages = db.table("bot_messages")
    messages.add_column("update_id", int)
    messages.add_column("message_id", int)
    db.execute("create unique index one_row_an_update on bot_messages (update_id) where speaker = 'other'")
    db.table("bot_watches").create(
        {"job_id": int, "chat_id": int, "message_id": int},
        pk="job_id",
        not_null={"chat_id", "message_id"},
    )


@migrations()
def m006_message_details(db: Database) -> None:
    """A row id that stays (the search index needs one that a vacuum does not renumber), what a message said before
    its first edit and when that was, deletions, and reactions."""
    db.execute("alter table messages rename to messages_before")
    db.table("messages").create(
        {
            "id": int,
            "chat_id": int,
            "message_id": int,
            "sent_at": int,
            "sender_id": int,
            "is_owner": int,
            "text": str,
            "reply_to": int,
            "forwarded_from": str,
            "via_bot": str,
            "edited_at": int,
            "media": str,
            "media_note": str,
            "entities": str,
            "reactions": str,
            "first_text": str,
            "first_edited_at": int,
            "deleted_at": int,
        },
        pk="id",
        not_null={"chat_id", "message_id", "sent_at", "is_owner", "text"},
        foreign_keys=[("chat_id", "dialogs", "chat_id")],
    )
    kept = (
        "chat_id, message_id, sent_at, sender_id, is_owner, text, reply_to, forwarded_from, via_bot, edited_at,"
        " media, media_note, entities"
    )
    db.execute(f"insert into messages ({kept}) select {kept} from messages_before order by rowid")  # noqa: S608
    db.execute("drop table messages_before")
    db.table("messages").create_index(["chat_id", "message_id"], unique=True)
    db.table("messages").create_index(["chat_id", "sent_at"])


@migrations()
def m007_dialog_details(db: Database) -> None:
    """Who the other person is, what they are to the owner, and whether the dialog counts."""
    dialogs = db.table("dialogs")
    dialogs.add_column("username", str)
    dialogs.add_column("language", str)
    dialogs.add_column("relation", str)
    dialogs.add_column("is_included", int, not_null_default=1)


@migrations()
def m008_forgotten(db: Database) -> None:
    """What the owner wanted forgotten: messages of a dialog sent before that time are never stored again; and which
    training sets of that time had held some of them, so that what learned from those is known."""
    db.table("forgotten").create(
        {"id": int, "chat_id": int, "before": int, "forgotten_at": float, "is_done": int},
        pk="id",
        not_null={"chat_id", "before", "forgotten_at", "is_done"},
        defaults={"is_done": 0},
    )
    db.table("forgotten").create_index(["chat_id", "before"])
    db.table("forgotten_snapshots").create(
        {"forgotten_id": int, "fingerprint": str, "held": int},
        pk=("forgotten_id", "fingerprint"),
        not_null={"held"},
        foreign_keys=[("forgotten_id", "forgotten", "id")],
    )


@migrations()
def m009_cursors(db: Database) -> None:
    """How far the live account has been read: of a dialog, everything from `oldest_id` to `newest_id` is stored."""
    db.table("cursors").create(
        {
            "chat_id": int,
            "owner_id": int,
            "oldest_id": int,
            "newest_id": int,
            "is_complete": int,
            "updated_at": int,
        },
        pk="chat_id",
        not_null={"owner_id", "oldest_id", "newest_id", "is_complete", "updated_at"},
    )


@migrations()
def m010_search(db: Database) -> None:
    """The search index, written by twin/search_index.py, and the messages that it does not hold yet. Newest first is
    its own order: a row's id is the message's time and, below that, its row id (`sent_at << 25 | id & 0x1FFFFFF`).

    Triggers keep out of it what no longer holds, whoever writes to `messages`. The one on updates looks before it
    inserts: an upsert overrides conflict clauses of triggers (https://www.sqlite.org/lang_createtrigger.html)."""
    db.execute(
        "create virtual table search using"
        " fts5(text, tags, id unindexed, tokenize = 'ascii', prefix = '1 2', columnsize = 0)"
    )
    db.execute("insert into search (search, rank) values ('automerge', 8)")
    db.execute("create table search_pending (id integer primary key)")
    db.execute("insert into search_pending select id from messages")
    add = (
        "insert into search_pending select new.id"
        " where not exists (select 1 from search_pending where search_pending.id = new.id);"
    )
    remove = "delete from search where rowid = (old.sent_at << 25) | (old.id & 33554431);"
    said = "(old.text, old.sent_at, old.is_owner) is not (new.text, new.sent_at, new.is_owner)"
    db.execute(
        "create trigger message_said after insert on messages begin insert into search_pending values (new.id); end"
    )
    db.execute(
        "create trigger message_changed after update of text, sent_at, is_owner on messages"
        f" when {said} begin {remove} {add} end"
    )
    remove += " delete from search_pending where id = old.id;"
    db.execute(f"create trigger message_gone after delete on messages begin {remove} end")


@migrations()
def m011_ingest_files(db: Database) -> None:
    """Files that were read, by their bytes, so that none is read twice. `report` holds numbers and ids, no names and
    no text; `rules` what the owner had excluded and forgotten of its dialogs, by which it was read."""
    db.table("ingest_files").create(
        {
            "id": int,
            "sha256": str,
            "part": str,
            "size": int,
            "format": str,
            "version": int,
            "owner_id": int,
            "me": str,
            "timezone": str,
            "run_id": int,
            "rules": str,
            "report": str,
        },
        pk="id",
        not_null={"sha256", "part", "size", "format", "version", "owner_id", "run_id", "rules", "report"},
    )
    db.table("ingest_files").create_index(["sha256", "part"])


@migrations()
def m012_sets(db: Database) -> None:
    """Conversations from elsewhere, mixed into training by weight, and what models were asked to make them."""
    db.table("sets").create(
        {"name": str, "kind": str, "weight": float, "is_synthetic": int, "added_at": float, "source": str},
        pk="name",
        not_null={"kind", "weight", "is_synthetic", "added_at"},
    )
    db.table("set_rows").create(
        {
            "name": str,
            "number": int,
            "turns": str,
            "system": str,
            "owner_turns": int,
            "characters": int,
            "chats": str,
        },
        pk=("name", "number"),
        not_null={"turns", "owner_turns", "characters"},
        foreign_keys=[("name", "sets", "name")],
    )
    db.table("recipe_answers").create(
        {
            "key": str,
            "recipe": str,
            "model": str,
            "answer": str,
            "ended": str,
            "prompt_tokens": int,
            "completion_tokens": int,
            "asked_at": float,
            "chats": str,
        },
        pk="key",
        not_null={"recipe", "model", "answer", "asked_at"},
    )


@migrations()
def m013_derived(db: Database) -> None:
    """What a build worked out and the next may use again: places of secrets and token ids by hashes, never text.
    Whoever deletes messages may delete every row of the tables called derived_*."""
    for table in ("derived_scrub", "derived_tokens"):
        db.execute(f"create table {table} (key blob primary key, value blob not null) without rowid")


@migrations()
def m014_bot_media(db: Database) -> None:
    """The bot keeps what came, not how it was shown: placeholders are written when a conversation is read, in the
    language of the adapter that reads it; and a reply tells what it answers."""
    messages = db.table("bot_messages")
    for name, kind in (("reply_to", int), ("media", str), ("media_note", str), ("is_forwarded", int)):
        messages.add_column(name, kind)


@migrations()
def m015_derived_kept(db: Database) -> None:
    """How a dialog's finished conversations went into the newest training set, so that the next build reads only what
    came after. Whatever happens to a message before that end, by whatever program, takes the row away; and while a
    build runs (`building`), so does any change of the dialog."""
    db.execute(
        "create table derived_kept"
        " (chat_id integer primary key, until integer, token text, snapshot text, value blob, building text)"
    )
    for event, rows in (("insert", ("new",)), ("update", ("new", "old")), ("delete", ("old",))):
        gone = "".join(
            f" delete from derived_kept where chat_id = {row}.chat_id"  # noqa: S608
            f" and (until >= {row}.sent_at or building is not null);"
            for row in rows
        )
        db.execute(f"create trigger derived_kept_{event} after {event} on messages begin{gone} end")


@migrations()
def m016_evaluations(db: Database) -> None:
    """What was measured of each adapter, so that it can be shown later: numbers as JSON, never message text."""
    db.table("evaluations").create(
        {"id": int, "version": str, "at": float, "kind": str, "numbers": str},
        pk="id",
        not_null={"version", "at", "kind", "numbers"},
    )
    db.table("evaluations").create_index(["version", "at"])


@migrations()
def m017_job_options(db: Database) -> None:
    """How a job is to be done, as JSON: a training that is to serve whatever the gate says; and which ends of trainings
    nobody followed were told to the owner."""
    db.table("jobs").add_column("options", str, not_null_default="{}")
    db.table("bot_told").create({"job_id": int}, pk="job_id")


@migrations()
def m018_bot_people(db: Database) -> None:
    """Whom the owner let in or kept out from within Telegram, and who was told what answers them; invites as hashes;
    which updates counted against the limits (ids and times, for a day); what the owner switched while the bot runs."""
    db.table("bot_people").create(
        {"user_id": int, "name": str, "is_allowed": int, "decided_at": float, "disclosed_at": float}, pk="user_id"
    )
    db.table("bot_invites").create(
        {"hash": str, "expires_at": float, "used_by": int, "told": int},
        pk="hash",
        not_null={"expires_at", "told"},
        defaults={"told": 0},
    )
    admitted = db.table("bot_admitted")
    admitted.create({"update_id": int, "user_id": int, "at": float}, pk="update_id", not_null={"user_id", "at"})
    admitted.create_index(["user_id", "at"])
    admitted.create_index(["at"])
    db.table("bot_limits_told").create(
        {"user_id": int, "what": str, "at": float}, pk=("user_id", "what"), not_null={"at"}
    )
    db.table("bot_switches").create({"name": str, "value": str}, pk="name", not_null={"value"})


@migrations()
def m019_bot_unsettled(db: Database) -> None:
    """What of a chat is not answered yet is asked for at every message: found without reading all of the chat."""
    db.execute("create index bot_messages_unsettled on bot_messages (chat_id, id) where update_id is not null")


@migrations()
def m020_business(db: Database) -> None:
    """The owner's own chats (Telegram Business): the connection and its rights; whom they were seen with, how each is
    treated, and when the other wrote last; suggested replies and what became of them. Of a draft, `version` counts its
    changes and `shown` those that its card shows."""
    db.table("business_connections").create(
        {"id": str, "user_id": int, "can_reply": int, "is_enabled": int, "seen_at": float, "told": int},
        pk="id",
        not_null={"user_id", "can_reply", "is_enabled", "seen_at", "told"},
    )
    db.table("business_dialogs").create(
        {"chat_id": int, "name": str, "mode": str, "heard_at": float, "seen_at": float},
        pk="chat_id",
        not_null={"seen_at"},
    )
    drafts = db.table("business_drafts")
    drafts.create(
        {
            "id": int,
            "place": int,
            "update_id": int,
            "until_id": int,
            "created_at": float,
            "adapter": str,
            "bubbles": str,
            "outcome": str,
            "said": str,
            "note": str,
            "decided_by": int,
            "is_asked": int,
            "card_id": int,
            "version": int,
            "shown": int,
        },
        pk="id",
        not_null={"place", "until_id", "created_at", "bubbles", "outcome", "is_asked", "version", "shown"},
        defaults={"is_asked": 0, "version": 1, "shown": 0},
    )
    drafts.create_index(["place", "outcome"])
    drafts.create_index(["card_id"])


@migrations()
def m021_quizzes(db: Database) -> None:
    """Who told the owner from which version, at which moment (a hash); which menu was shown where (0: everywhere)."""
    db.table("quizzes").create(
        {
            "id": int,
            "version": str,
            "user_id": int,
            "moment": str,
            "side": str,
            "asked_at": float,
            "is_right": int,
            "answered_at": float,
        },
        pk="id",
        not_null={"version", "user_id", "moment", "side", "asked_at"},
    )
    db.table("quizzes").create_index(["version", "user_id"])
    db.table("bot_menus").create({"chat_id": int, "mark": str}, pk="chat_id", not_null={"mark"})
