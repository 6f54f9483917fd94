"""A Telegram Desktop export as a source: its shapes, its owner, and what it leaves out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingest.source import Source
from tests.exports import ANNA, BORIS, OWNER, Raw, chat, full, opened, said, small_talk, without, write
from twin.errors import IngestError
from twin.messages import Message


def made(folder: Path, export: Any, **options: Any) -> Source:
    return opened(write(folder, export), **options)


def read(source: Source) -> dict[int, list[Message]]:
    return {dialog.chat_id: list(dialog.messages) for dialog in source.dialogs()}


def ids(source: Source) -> dict[int, list[int]]:
    return {chat_id: [message.message_id for message in messages] for chat_id, messages in read(source).items()}


def test_a_full_export_yields_each_private_dialog_with_its_messages(tmp_path: Path) -> None:
    source = made(tmp_path, full(chat(small_talk()), chat(small_talk(BORIS, 50, 2), BORIS, "Boris")))
    assert [(d.chat_id, d.name, len(list(d.messages))) for d in source.dialogs()] == [
        (ANNA, "Anna", 6),
        (BORIS, "Boris", 2),
    ]


def test_a_single_chat_is_an_export_too(tmp_path: Path) -> None:
    assert ids(made(tmp_path, chat(small_talk()))) == {ANNA: [1, 2, 3, 4, 5, 6]}


def test_private_dialogs_among_the_left_chats_come_in_too(tmp_path: Path) -> None:
    source = made(tmp_path, full(chat(small_talk()), left=[chat(small_talk(BORIS), BORIS)]))
    assert set(read(source)) == {ANNA, BORIS}


def test_the_order_of_keys_does_not_matter(tmp_path: Path) -> None:
    backwards: Callable[[Raw], Raw] = lambda raw: dict(reversed(raw.items()))  # noqa: E731
    export = full(backwards(chat(small_talk())), backwards(chat(small_talk(BORIS), BORIS)))
    source = made(tmp_path, backwards(export))
    assert source.owner.id == OWNER
    assert set(ids(source)) == {ANNA, BORIS}


def test_everything_else_is_left_out_and_counted(tmp_path: Path) -> None:
    source = made(
        tmp_path,
        full(
            chat([said(1), said(2, type="service"), said(3, text=""), 5, None], ANNA),
            chat([said(4)], 9, "Bot", "bot_chat"),
            chat([said(5), said(6)], 10, "Club", "private_supergroup"),
            chat([said(7)], 11, "News", "public_channel"),
            chat([said(8)], OWNER, None, "saved_messages"),
            chat([said(9)], OWNER, "Me", "personal_chat"),
            chat([said(10)], 777000, "Telegram"),
            chat([said(11)], 12, "R", "replies"),
            without(chat([said(12)]), "id"),
            without(chat([said(13)]), "type"),
            "no chat",
            left=[chat([said(14)] * 3, 13, "Old club", "private_group")],
        ),
    )
    assert ids(source) == {ANNA: [1]}
    assert source.tally.messages == {
        "service message": 1,
        "empty": 1,
        "malformed": 4,
        "with a bot": 1,
        "in a group": 5,
        "in a channel": 1,
        "saved messages": 2,
        "from Telegram itself": 1,
        "in another kind of chat": 1,
    }
    assert source.tally.dialogs == {
        "with a bot": 1,
        "in a group": 2,
        "in a channel": 1,
        "saved messages": 2,
        "from Telegram itself": 1,
        "in another kind of chat": 1,
        "malformed": 3,
    }


def test_an_export_tells_its_owner(tmp_path: Path) -> None:
    owner = made(tmp_path, full(chat(small_talk()))).owner
    assert (owner.id, owner.known_from) == (OWNER, "the export")


def test_the_settings_win_over_the_export_and_the_command_line_over_both(tmp_path: Path) -> None:
    export = full(chat(small_talk()))
    assert made(tmp_path, export, settings=5).owner.id == 5
    assert made(tmp_path, export, settings=5, asked=6).owner.id == 6


def test_without_being_told_the_owner_is_who_shares_every_dialog(tmp_path: Path) -> None:
    chats = [chat(small_talk()), chat(small_talk(BORIS), BORIS), chat([said(99, 300)], 300, "Only they wrote")]
    owner = made(tmp_path, full(*chats, owner=None)).owner
    assert (owner.id, owner.known_from) == (OWNER, "who writes in every dialog beside its partner")
    assert made(tmp_path, chats[0]).owner.id == OWNER


def test_two_candidates_for_the_owner_are_not_guessed_between(tmp_path: Path) -> None:
    messages = [said(1, OWNER), said(2, ANNA), said(3, BORIS)]
    with pytest.raises(IngestError, match="--owner-id"):
        made(tmp_path, chat(messages))
    assert made(tmp_path, chat(messages), asked=OWNER).owner.id == OWNER


def test_nobody_is_the_owner_when_only_the_partner_wrote(tmp_path: Path) -> None:
    with pytest.raises(IngestError, match="--owner-id"):
        made(tmp_path, chat([said(1, ANNA)]))


@pytest.mark.parametrize(
    ("export", "problem"),
    [
        ([], "is not a Telegram Desktop export"),
        ({}, "is not a Telegram Desktop export"),
        ({"messages": [{"role": "user"}]}, "is not a Telegram Desktop export"),
        ({"chats": 5}, "is not a Telegram Desktop export"),
        ({"chats": {"list": []}}, "holds no private dialog"),
        ({"personal_information": {"user_id": 5}, "contacts": {"list": []}}, "holds no private dialog"),
        (chat(small_talk(), kind="private_group"), "holds no private dialog"),
    ],
)
def test_json_that_holds_no_private_dialog_is_refused(tmp_path: Path, export: Any, problem: str) -> None:
    with pytest.raises(IngestError, match=problem):
        made(tmp_path, export)


def test_a_file_that_changes_between_the_two_readings_is_refused(tmp_path: Path) -> None:
    for now in (small_talk(count=5), small_talk(count=7)):
        source = made(tmp_path, chat(small_talk(count=6)))
        write(tmp_path, chat(now))
        with pytest.raises(IngestError, match="changed while it was being read"):
            read(source)


def test_dialogs_that_are_not_read_to_their_end_do_not_shift_the_next(tmp_path: Path) -> None:
    source = made(tmp_path, full(chat(small_talk()), chat(small_talk(BORIS, 50, 2), BORIS)))
    firsts = [(dialog.chat_id, next(dialog.messages).message_id) for dialog in source.dialogs()]
    assert firsts == [(ANNA, 1), (BORIS, 50)]
