"""One exported message becomes one Message, or a counted reason why not."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from ingest.desktop_message import read_message
from ingest.source import Skip
from tests.exports import ANNA, NOON, OWNER, said, without
from twin.messages import Message


def read(raw: Any, inexact: Counter[str] | None = None) -> Message:
    return read_message(raw, ANNA, "Anna", OWNER, Counter() if inexact is None else inexact)


def test_a_plain_message_keeps_its_identity_time_sender_and_words() -> None:
    assert read(said(7, OWNER, "ahoy\nthere", at=NOON)) == Message(
        ANNA, 7, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC), OWNER, True, "ahoy\nthere"
    )


def test_the_other_person_is_not_the_owner() -> None:
    message = read(said(7, ANNA))
    assert (message.sender_id, message.is_owner) == (ANNA, False)


@pytest.mark.parametrize("sender", ["user100", "100", 100])
def test_old_and_new_sender_ids_name_the_same_user(sender: Any) -> None:
    assert read(said(7, from_id=sender)).is_owner


def test_a_deleted_account_has_no_name_but_may_have_an_id() -> None:
    assert read(said(7, ANNA, **{"from": None})).sender_id == ANNA
    message = read(without(said(7, ANNA, **{"from": None}), "from_id"))
    assert (message.sender_id, message.is_owner) == (None, False)


def test_without_a_sender_id_only_the_partners_name_tells_who_it_was() -> None:
    assert not read(without(said(7, **{"from": "Anna"}), "from_id")).is_owner
    with pytest.raises(Skip, match="sender unknown"):
        read(without(said(7, **{"from": "Somebody"}), "from_id"))


@pytest.mark.parametrize(
    ("fields", "media", "note"),
    [
        ({"photo": "(File not included.)", "width": 3, "height": 4}, "photo", None),
        ({"file": "x.pdf", "mime_type": "application/pdf"}, "file", None),
        ({"file": "x", "media_type": "sticker", "sticker_emoji": "🍋"}, "sticker", "🍋"),
        ({"file": "x", "media_type": "sticker"}, "sticker", None),
        ({"file": "x", "media_type": "voice_message", "duration_seconds": 5}, "voice_message", "5 s"),
        ({"file": "x", "media_type": "video_message", "duration_seconds": 9}, "video_message", "9 s"),
        ({"file": "x", "media_type": "video_file", "duration_seconds": 70}, "video_file", "70 s"),
        ({"file": "x", "media_type": "animation"}, "animation", None),
        ({"file": "x", "media_type": "audio_file", "title": "t"}, "audio_file", None),
        ({"contact_information": {"phone_number": "+0"}}, "contact", None),
        ({"location_information": {"latitude": 0, "longitude": 0}}, "location", None),
        ({"location_information": None}, "location", None),
        ({"place_name": "p", "address": "a"}, "location", None),
        ({"poll": {"question": "q", "answers": []}}, "poll", None),
        ({"game_title": "g"}, "game", None),
        ({"invoice_information": "i"}, "invoice", None),
    ],
)
def test_media_is_kept_as_a_kind_and_what_a_placeholder_can_tell(
    fields: dict[str, Any], media: str, note: str | None
) -> None:
    message = read(said(7, text="", **fields))
    assert (message.media, message.media_note, message.text) == (media, note, "")


@pytest.mark.parametrize(
    "fields",
    [
        {"photo": "p", "photo_file_size": 5, "media_spoiler": True},
        {"file": "f", "file_name": "n", "file_size": 5, "thumbnail": "t", "thumbnail_file_size": 1},
        {"contact_information": {}, "contact_vcard": "v", "contact_vcard_file_size": 9},
        {"location_information": {}, "live_location_period_seconds": 900},
        {"game_title": "g", "game_link": "l"},
        {"poll": {"question": ["q", {"type": "bold", "text": "?"}], "answers": [{"text": ["a"], "chosen": True}]}},
        {"todo_list": {"title": "t", "answers": []}},
        {"giveaway_information": {}},
        {"giveaway_results": {}},
        {"paid_stars_amount": 5},
    ],
)
def test_what_newer_exports_add_to_media_does_no_harm(fields: dict[str, Any]) -> None:
    inexact: Counter[str] = Counter()
    message = read(said(7, text="look", **fields), inexact)
    assert (message.text, message.media is None, inexact.total()) == ("look", False, 0)


def test_what_stands_beside_the_words_does_no_harm() -> None:
    buttons = [[{"type": "callback", "text": "yes", "dataBase64": "eA", "data": ""}]]
    inexact: Counter[str] = Counter()
    message = read(
        said(7, inline_bot_buttons=buttons, author="A", saved_from="B", forwarded_from="C", forwarded_from_id="user5"),
        inexact,
    )
    assert (message.text, message.forwarded_from, inexact.total()) == ("marzipan", "C", 0)


def rich(*blocks: Any) -> Any:
    return without(said(7, rich_message={"rtl": False, "part": False, "blocks": list(blocks)}), "text", "text_entities")


def plain(text: str) -> Any:
    return {"type": "plain", "text": text}


def test_a_message_in_blocks_keeps_its_words_a_line_a_block() -> None:
    inexact: Counter[str] = Counter()
    message = read(
        rich(
            {"type": "heading", "level": 1, "text": plain("Title")},
            {"type": "divider"},
            {
                "type": "paragraph",
                "text": {"type": "concat", "text": [plain("one "), {"type": "bold", "text": plain("2")}]},
            },
            {"type": "list", "items": [{"text": plain("a")}, {"blocks": [{"type": "paragraph", "text": plain("b")}]}]},
        ),
        inexact,
    )
    assert (message.text, message.entities) == ("Title\none 2\nab", None)
    assert inexact == {"a layout in blocks kept as its words": 1}


@pytest.mark.parametrize("blocks", [[], [None], ["x"], [{"type": "plain", "text": 5}], [[[[plain("")]]]]])
def test_a_message_in_blocks_without_words_is_empty(blocks: list[Any]) -> None:
    with pytest.raises(Skip, match="empty"):
        read(rich(*blocks))


def test_blocks_may_be_nested_however_deep() -> None:
    block: Any = plain("deep")
    for _ in range(50_000):
        block = [block]
    assert read(rich(block)).text == "deep"


def reaction(emoji: str = "👍", count: int = 1, *from_ids: str) -> dict[str, Any]:
    recent = [{"from": "N", "from_id": from_id, "date": "2024-01-01T00:00:00"} for from_id in from_ids]
    return {"type": "emoji", "count": count, "emoji": emoji} | ({"recent": recent} if recent else {})


@pytest.mark.parametrize(
    ("given", "by_owner", "by_other"),
    [
        (reaction("👍", 1, f"user{OWNER}"), True, False),
        (reaction("👍", 1, f"user{ANNA}"), False, True),
        (reaction("👍", 2, f"user{ANNA}", f"user{OWNER}"), True, True),
        (reaction("👍", 2, f"user{ANNA}"), True, True),
        (reaction("👍", 2), True, True),
    ],
)
def test_a_reaction_tells_who_of_the_two_gave_it(given: dict[str, Any], by_owner: bool, by_other: bool) -> None:
    inexact: Counter[str] = Counter()
    message = read(said(7, reactions=[given]), inexact)
    assert json.loads(message.reactions or "") == [{"emoji": "👍", "by_owner": by_owner, "by_other": by_other}]
    assert inexact == {}


@pytest.mark.parametrize(("sender", "by_owner"), [(OWNER, False), (ANNA, True)])
def test_one_reaction_by_nobody_named_is_by_whoever_did_not_write(sender: int, by_owner: bool) -> None:
    inexact: Counter[str] = Counter()
    message = read(said(7, sender, reactions=[reaction()]), inexact)
    assert json.loads(message.reactions or "") == [{"emoji": "👍", "by_owner": by_owner, "by_other": not by_owner}]
    assert inexact == {"a reaction taken to be by the one who did not write the message": 1}


def test_reactions_of_every_kind_stand_in_the_order_of_their_emoji() -> None:
    own = f"user{OWNER}"
    custom = {"type": "custom_emoji", "count": 1, "document_id": "stickers/x.tgs", "recent": [{"from_id": own}]}
    paid = {"type": "paid", "count": 2}
    found = json.loads(read(said(7, reactions=[reaction("😀", 1, own), paid, custom])).reactions or "")
    assert [(one["emoji"], one["by_owner"], one["by_other"]) for one in found] == [
        ("custom", True, False),
        ("paid", True, True),
        ("😀", True, False),
    ]


@pytest.mark.parametrize(
    "odd", [None, 5, "x", {}, {"type": "emoji", "count": 0, "emoji": "x"}, {**reaction(), "recent": 5}, {"type": ["x"]}]
)
def test_a_reaction_of_unknown_shape_is_dropped_and_counted(odd: Any) -> None:
    inexact: Counter[str] = Counter()
    assert read(said(7, reactions=[odd]), inexact).reactions is None
    assert inexact == {"a detail of unknown shape left out": 1}


def test_a_caption_is_the_text_of_its_photo() -> None:
    message = read(said(7, text="look", photo="p.jpg"))
    assert (message.media, message.text) == ("photo", "look")


def test_formatted_text_is_joined_and_its_entities_kept_in_utf16_units() -> None:
    parts = [
        "😀 see ",
        {"type": "link", "text": "x.example"},
        {"type": "text_link", "text": "ö", "href": "https://x.example"},
        " now",
    ]
    entities = [{"type": "plain", "text": p} if isinstance(p, str) else p for p in parts]
    message = read(said(7, text=parts, text_entities=entities))
    assert message.text == "😀 see x.exampleö now"
    assert json.loads(message.entities or "") == [
        {"type": "link", "offset": 7, "length": 9},
        {"type": "text_link", "offset": 16, "length": 1, "href": "https://x.example"},
    ]


def test_old_exports_have_entities_only_inside_the_text() -> None:
    message = read(without(said(7, text=["a ", {"type": "bold", "text": "b"}]), "text_entities"))
    assert (message.text, message.entities) == ("a b", '[{"type":"bold","offset":2,"length":1}]')


def test_plain_text_has_no_entities() -> None:
    assert read(said(7, text="plain")).entities is None
    assert read(said(7, text=["plain", " too"], text_entities=[])).entities is None


def test_replies_forwards_bots_and_edits_are_kept() -> None:
    message = read(
        said(7, reply_to_message_id=3, forwarded_from="News", via_bot="@gif", edited_unixtime=str(NOON), edited="x")
    )
    assert (message.reply_to, message.forwarded_from, message.via_bot) == (3, "News", "@gif")
    assert message.edited_at == datetime.fromtimestamp(NOON, UTC)


def test_a_forward_from_a_deleted_account_is_still_a_forward() -> None:
    assert read(said(7, forwarded_from=None)).forwarded_from == "deleted account"


def test_an_answer_to_something_in_another_chat_replies_to_nothing_here() -> None:
    assert read(said(7, reply_to_message_id=3, reply_to_peer_id="channel9")).reply_to is None
    assert read(said(7, reply_to_message_id=3, reply_to_peer_id=f"user{ANNA}")).reply_to == 3


def test_old_exports_have_local_time_only_which_is_read_as_utc_and_counted() -> None:
    inexact: Counter[str] = Counter()
    message = read(without(said(7, date="2019-05-01T10:00:00"), "date_unixtime"), inexact)
    assert message.sent_at == datetime(2019, 5, 1, 10, tzinfo=UTC)
    assert inexact == {"time without a zone, read as UTC": 1}


def test_never_edited_is_1970_in_old_exports() -> None:
    assert read(said(7, edited="1970-01-01T01:00:00")).edited_at is None


@pytest.mark.parametrize(
    "fields",
    [
        {"reply_to_message_id": "three"},
        {"reply_to_message_id": 2**64},
        {"edited_unixtime": "soon"},
        {"via_bot": 5},
        {"forwarded_from": ["x"]},
        {"media_type": {"x": 1}},
        {"media_type": "sticker", "sticker_emoji": 5},
        {"media_type": "voice_message", "duration_seconds": "long"},
        {"text_entities": [{"type": "bold", "text": "something else"}]},
        {"text_entities": [{"type": ["bold"], "text": "marzipan"}]},
    ],
)
def test_a_detail_of_unknown_shape_is_dropped_and_counted_and_the_message_kept(fields: dict[str, Any]) -> None:
    inexact: Counter[str] = Counter()
    assert read(said(7, **fields), inexact).text == "marzipan"
    assert inexact.total() == 1


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (said(7, type="service", action="phone_call"), "service message"),
        ({"id": 7, "type": "unsupported"}, "not supported by the export"),
        (said(7, photo="p", self_destruct_period_seconds=10), "self-destructing"),
        (said(7, text=""), "empty"),
        (said(7, from_id="channel5"), "sender unknown"),
        (said(7, from_id={"x": 1}), "sender unknown"),
        (without(said(7), "id"), "malformed"),
        (without(said(7), "type"), "malformed"),
        (without(said(7), "date", "date_unixtime"), "malformed"),
        (said(7, id="7"), "malformed"),
        (said(7, id=True), "malformed"),
        (said(7, id=2**63), "malformed"),
        (said(7, date_unixtime="1e9"), "malformed"),
        (said(7, date_unixtime="9" * 5_000), "malformed"),
        (said(7, date_unixtime=10**18), "malformed"),
        (said(7, date_unixtime=-5), "malformed"),
        (without(said(7, date="yesterday"), "date_unixtime"), "malformed"),
        (without(said(7, date="0001-01-01T00:00:00+14:00"), "date_unixtime"), "malformed"),
        (said(7, text=None), "malformed"),
        (said(7, text=5), "malformed"),
        (said(7, text=[["deep"]]), "malformed"),
        (said(7, text=[{"type": "bold"}]), "malformed"),
        ("a string", "malformed"),
        (None, "malformed"),
        ([], "malformed"),
    ],
)
def test_what_cannot_be_kept_is_skipped_under_a_reason(raw: Any, reason: str) -> None:
    inexact: Counter[str] = Counter()
    with pytest.raises(Skip) as verdict:
        read(raw, inexact)
    assert str(verdict.value) == reason
    assert inexact.total() == 0
