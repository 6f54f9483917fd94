"""How two sightings of one message become one row, whichever comes first: the rules, as SQL.

Knows nothing of sources or of connections; `messages` is the table, `temp.incoming` what was staged for it.

The later edit says what a message reads, the earliest version what it read first, and what only one of them tells is
kept. So any order and repetition of sightings ends in the same row.
"""

from __future__ import annotations

# What a source tells of a message, in the order of a staged row.
TOLD = (
    "chat_id",
    "message_id",
    "sent_at",
    "sender_id",
    "is_owner",
    "text",
    "reply_to",
    "forwarded_from",
    "via_bot",
    "edited_at",
    "media",
    "media_note",
    "entities",
    "reactions",
    "first_text",
    "first_edited_at",
    "deleted_at",
)
CREATE_STAGE = f"create temp table incoming as select {', '.join(TOLD)} from messages limit 0"  # noqa: S608
STAGE = f"insert into temp.incoming values ({', '.join('?' * len(TOLD))})"  # noqa: S608

_LATER = "coalesce(excluded.edited_at, 0) > coalesce(messages.edited_at, 0)"
_EARLIER = "coalesce(excluded.edited_at, 0) < coalesce(messages.edited_at, 0)"
_SAME_TEXT = "excluded.text = messages.text"
_EDITED = f"case when {_EARLIER} then messages.edited_at else excluded.edited_at end"


def _of_version(name: str) -> str:
    """Belongs to the text it came with; two sightings of one text complete each other."""
    return (
        f"case when {_EARLIER} then messages.{name} when {_LATER} or not {_SAME_TEXT} then excluded.{name}"
        f" else coalesce(excluded.{name}, messages.{name}) end"
    )


def _richest(name: str) -> str:
    """Of one text, the version that tells most: an export drops formatting inside formatting."""
    length = "(length(coalesce({0}.{1}, '')), coalesce({0}.{1}, ''))"
    more = f"{length.format('excluded', name)} > {length.format('messages', name)}"
    return (
        f"case when {_EARLIER} then messages.{name} when {_LATER} or not {_SAME_TEXT} or {more} then excluded.{name}"
        f" else messages.{name} end"
    )


def _of_message(name: str) -> str:
    """Never changes: whoever tells it is believed, of two the later version."""
    return (
        f"case when {_EARLIER} then coalesce(messages.{name}, excluded.{name})"
        f" else coalesce(excluded.{name}, messages.{name}) end"
    )


def _first_text(row: str) -> str:
    """The text of the earliest version that a row knows; it is its only one as long as `first_edited_at` is null."""
    return f"case when {row}.first_edited_at is null then {row}.text else {row}.first_text end"


def _first_edited(row: str) -> str:
    return f"coalesce({row}.first_edited_at, {row}.edited_at, 0)"


def _of_first(told: str, kept: str) -> str:
    """Of the earliest version that either row knows; null when that is still what the message reads."""
    is_told = f"{_first_edited('excluded')} < {_first_edited('messages')}"
    edited = f"min({_first_edited('excluded')}, {_first_edited('messages')})"
    text = f"case when {is_told} then {_first_text('excluded')} else {_first_text('messages')} end"
    is_current = f"({edited}, {text}) = (coalesce({_EDITED}, 0), {_of_version('text')})"
    return f"case when {is_current} then null when {is_told} then {told} else {kept} end"


_MERGED = {
    **{name: _of_message(name) for name in ("sent_at", "sender_id", "is_owner")},
    **{name: _of_message(name) for name in ("reply_to", "forwarded_from", "via_bot", "reactions")},
    **{name: _of_version(name) for name in ("text", "media", "media_note")},
    "entities": _richest("entities"),
    "edited_at": _EDITED,
    "first_text": _of_first(_first_text("excluded"), _first_text("messages")),
    "first_edited_at": _of_first(_first_edited("excluded"), _first_edited("messages")),
    "deleted_at": ("coalesce(min(messages.deleted_at, excluded.deleted_at), messages.deleted_at, excluded.deleted_at)"),
}
UPSERT_STAGED = f"""
insert into messages ({", ".join(TOLD)})
select {", ".join(TOLD)} from temp.incoming where true order by rowid
on conflict (chat_id, message_id) do update set {", ".join(f"{name} = {rule}" for name, rule in _MERGED.items())}
where ({", ".join(f"messages.{name}" for name in _MERGED)}) is not ({", ".join(_MERGED.values())})
"""  # noqa: S608 - column names are constants of this module

# The owner wanted these forgotten: they are not stored again.
DROP_FORGOTTEN = (
    "delete from temp.incoming where sent_at <"
    " (select max(before) from forgotten where forgotten.chat_id = incoming.chat_id)"
)
