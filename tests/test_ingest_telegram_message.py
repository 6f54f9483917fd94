"""The same message, seen live and in an export, is the same row; what only one of them tells is kept."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telethon.tl import types

from ingest import desktop_message, telegram_message
from ingest.source import Skip
from ingest.telegram_message import Names
from tests import exports, telegram_objects
from tests.exports import ANNA, BORIS, NOON, OWNER, Raw, without
from tests.telegram_objects import GIF_BOT, NEWS, START, document, photo, reactions
from tests.telegram_server import through_bytes
from twin.messages import Message

GONE = 555
NAMES = Names(
    [*telegram_objects.people(), telegram_objects.user(GONE, deleted=True)],
    [telegram_objects.channel(NEWS, "News"), telegram_objects.channel(NEWS + 1, "Club", megagroup=True)],
)
FILE = {"file": "(File not included.)", "mime_type": "application/octet-stream"}
VIDEO, VOICE = types.DocumentAttributeVideo, types.DocumentAttributeAudio
STICKERS = types.InputStickerSetEmpty()
POINT = types.GeoPoint(1.0, 2.0, 3)


def live(text: str = "marzipan", **fields: Any) -> Message:
    """One message as the account gives it, out of Telegram's bytes."""
    raw = through_bytes(telegram_objects.said(7, text, **fields))
    return telegram_message.read_message(raw, ANNA, OWNER, NAMES)


def exported(raw: Raw) -> Message:
    return desktop_message.read_message(raw, ANNA, "Anna", OWNER, Counter())


def from_export(text: Any = "marzipan", sender: int = ANNA, **fields: Any) -> Message:
    return exported(exports.said(7, sender, text, **fields))


MEDIA: dict[str, tuple[Any, Raw]] = {
    "photo": (photo(), {"photo": "(File not included.)", "width": 3, "height": 4}),
    "file": (document(types.DocumentAttributeFilename("x.pdf")), {**FILE, "file_name": "x.pdf"}),
    "voice": (document(VOICE(5, voice=True)), {**FILE, "media_type": "voice_message", "duration_seconds": 5}),
    "music": (document(VOICE(200, title="t")), {**FILE, "media_type": "audio_file", "duration_seconds": 200}),
    "round video": (
        document(VIDEO(9.6, 240, 240, round_message=True)),
        {**FILE, "media_type": "video_message", "duration_seconds": 9},
    ),
    "video": (document(VIDEO(70.2, 3, 4)), {**FILE, "media_type": "video_file", "duration_seconds": 70}),
    "animation": (
        document(VIDEO(3.9, 3, 4), types.DocumentAttributeAnimated()),
        {**FILE, "media_type": "animation", "duration_seconds": 3},
    ),
    "animation without a length": (
        document(types.DocumentAttributeAnimated(), types.DocumentAttributeImageSize(3, 4)),
        {**FILE, "media_type": "animation"},
    ),
    "sticker": (
        document(types.DocumentAttributeSticker("🍋", STICKERS)),
        {**FILE, "media_type": "sticker", "sticker_emoji": "🍋"},
    ),
    "video sticker": (
        document(VIDEO(2.0, 3, 4), types.DocumentAttributeSticker("🍋", STICKERS)),
        {**FILE, "media_type": "sticker", "sticker_emoji": "🍋", "duration_seconds": 2},
    ),
    "sticker without an emoji": (
        document(types.DocumentAttributeSticker("", STICKERS)),
        {**FILE, "media_type": "sticker"},
    ),
    "custom emoji as a sticker": (
        document(types.DocumentAttributeCustomEmoji("🦊", STICKERS)),
        {**FILE, "media_type": "sticker", "sticker_emoji": "🦊"},
    ),
    "contact": (
        types.MessageMediaContact("+000", "A", "B", "", 0),
        {"contact_information": {"first_name": "A", "last_name": "B", "phone_number": "+000"}},
    ),
    "location": (types.MessageMediaGeo(POINT), {"location_information": {"latitude": 1.0, "longitude": 2.0}}),
    "location that moves": (
        types.MessageMediaGeoLive(POINT, 60),
        {"location_information": {"latitude": 1.0, "longitude": 2.0}, "live_location_period_seconds": 60},
    ),
    "venue": (
        types.MessageMediaVenue(POINT, "Cafe", "Street 1", "foursquare", "1", ""),
        {"place_name": "Cafe", "address": "Street 1", "location_information": {"latitude": 1.0, "longitude": 2.0}},
    ),
    "poll": (
        types.MessageMediaPoll(
            types.Poll(1, types.TextWithEntities("Tea?", []), [], 0), types.PollResults(total_voters=0)
        ),
        {"poll": {"question": "Tea?", "closed": False, "total_voters": 0, "answers": []}},
    ),
    "game": (
        types.MessageMediaGame(types.Game(1, 2, "g", "Game", "d", types.PhotoEmpty(3))),
        {"game_title": "Game", "game_description": "d"},
    ),
    "invoice": (
        types.MessageMediaInvoice("t", "d", "EUR", 100, "p"),
        {"invoice_information": {"title": "t", "description": "d", "amount": 100, "currency": "EUR"}},
    ),
    "giveaway": (types.MessageMediaGiveaway([1], 2, START), {"giveaway_information": {"quantity": 2}}),
    "giveaway results": (
        types.MessageMediaGiveawayResults(1, 2, 3, 0, [4], START),
        {"giveaway_results": {"channel": 1, "winners": []}},
    ),
    "paid media": (types.MessageMediaPaidMedia(5, []), {"paid_stars_amount": 5}),
    "todo list": (
        types.MessageMediaToDo(types.TodoList(types.TextWithEntities("t", []), [])),
        {"todo_list": {"title": "t"}},
    ),
    "preview of a link": (types.MessageMediaWebPage(types.WebPageEmpty(1)), {}),
    "nothing": (types.MessageMediaEmpty(), {}),
}


@pytest.mark.parametrize("kind", list(MEDIA))
@pytest.mark.parametrize("caption", ["", "look, marzipan"])
def test_every_kind_of_media_is_the_same_row_live_and_exported(kind: str, caption: str) -> None:
    media, fields = MEDIA[kind]
    if caption or fields:
        assert live(caption, media=media) == from_export(caption, **fields)
    else:
        with pytest.raises(Skip, match="empty"):
            live(caption, media=media)


ENTITIES: dict[str, tuple[Any, Raw]] = {
    "unknown": (types.MessageEntityUnknown(5, 4), {}),
    "mention": (types.MessageEntityMention(5, 4), {}),
    "hashtag": (types.MessageEntityHashtag(5, 4), {}),
    "bot_command": (types.MessageEntityBotCommand(5, 4), {}),
    "link": (types.MessageEntityUrl(5, 4), {}),
    "email": (types.MessageEntityEmail(5, 4), {}),
    "bold": (types.MessageEntityBold(5, 4), {}),
    "italic": (types.MessageEntityItalic(5, 4), {}),
    "code": (types.MessageEntityCode(5, 4), {}),
    "pre": (types.MessageEntityPre(5, 4, "py"), {"language": "py"}),
    "text_link": (types.MessageEntityTextUrl(5, 4, "https://x.example/é"), {"href": "https://x.example/é"}),
    "mention_name": (types.MessageEntityMentionName(5, 4, BORIS), {"user_id": BORIS}),
    "phone": (types.MessageEntityPhone(5, 4), {}),
    "cashtag": (types.MessageEntityCashtag(5, 4), {}),
    "underline": (types.MessageEntityUnderline(5, 4), {}),
    "strikethrough": (types.MessageEntityStrike(5, 4), {}),
    "blockquote": (types.MessageEntityBlockquote(5, 4), {"collapsed": False}),
    "bank_card": (types.MessageEntityBankCard(5, 4), {}),
    "spoiler": (types.MessageEntitySpoiler(5, 4), {}),
    "custom_emoji": (types.MessageEntityCustomEmoji(5, 4, 5 << 60), {"document_id": str(5 << 60)}),
}  # fmt: skip


@pytest.mark.parametrize("kind", list(ENTITIES))
def test_every_kind_of_formatting_is_the_same_row_live_and_exported(kind: str) -> None:
    entity, extras = ENTITIES[kind]
    parts = [
        {"type": "plain", "text": "🍋 ab"},
        {"type": kind, "text": "cd🍋", **extras},
        {"type": "plain", "text": "."},
    ]
    seen = live("🍋 abcd🍋.", entities=[entity])
    assert seen == from_export([part if len(part) > 2 else part["text"] for part in parts], text_entities=parts)
    assert json.loads(seen.entities or "") == [{"type": kind, "offset": 5, "length": 4, **extras}]


def test_an_export_that_names_a_file_instead_of_a_custom_emoji_tells_less_and_the_live_account_more() -> None:
    part = {"type": "custom_emoji", "text": "🍋", "document_id": "(File not included. Change data exporting settings.)"}
    told = json.loads(from_export([part], text_entities=[part]).entities or "")
    seen = json.loads(live("🍋", entities=[types.MessageEntityCustomEmoji(0, 2, 5)]).entities or "")
    assert told == [{"type": "custom_emoji", "offset": 0, "length": 2}]
    assert seen == [{**told[0], "document_id": "5"}]


def test_formatting_inside_formatting_is_kept_live() -> None:
    seen = live("marzipan", entities=[types.MessageEntityBold(0, 8), types.MessageEntityItalic(4, 4)])
    assert json.loads(seen.entities or "") == [
        {"type": "bold", "offset": 0, "length": 8},
        {"type": "italic", "offset": 4, "length": 4},
    ]


def test_a_kind_of_formatting_that_came_later_is_named_as_telegram_names_it() -> None:
    seen = live("tomorrow", entities=[types.MessageEntityFormattedDate(0, 8, START)])
    assert json.loads(seen.entities or "") == [{"type": "formatted_date", "offset": 0, "length": 8}]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30), st.data())
def test_any_stretch_of_any_text_is_marked_at_the_same_place(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    units = [len(text[:at].encode("utf-16-le")) // 2 for at in (start, end)]
    pieces = (("plain", text[:start]), ("bold", text[start:end]), ("plain", text[end:]))
    parts = [{"type": kind, "text": piece} for kind, piece in pieces if piece]
    seen = live(text, entities=[types.MessageEntityBold(units[0], units[1] - units[0])])
    assert seen == from_export(parts, text_entities=parts)


@pytest.mark.parametrize("by_owner", [True, False])
def test_who_said_it_when_is_the_same_live_and_exported(by_owner: bool) -> None:
    assert live(by_owner=by_owner) == from_export(sender=OWNER if by_owner else ANNA)
    assert live(by_owner=by_owner).sent_at == datetime.fromtimestamp(NOON + 70, UTC)


def test_what_the_owner_sent_may_come_without_a_sender() -> None:
    assert live(by_owner=True, from_id=None) == from_export(sender=OWNER)


FORWARDS: dict[str, tuple[Any, Raw]] = {
    "from a person": ({"from_id": types.PeerUser(BORIS)}, {"forwarded_from": "Boris B."}),
    "from a channel": ({"from_id": types.PeerChannel(NEWS), "channel_post": 3}, {"forwarded_from": "News"}),
    "from a deleted account": ({"from_id": types.PeerUser(GONE)}, {"forwarded_from": None}),
    "from somebody nobody knows": ({"from_id": types.PeerUser(556)}, {"forwarded_from": None}),
    "from somebody who hides": ({"from_name": "Clara"}, {"forwarded_from": "Clara"}),
}


@pytest.mark.parametrize("kind", list(FORWARDS))
def test_a_forward_is_the_same_row_live_and_exported(kind: str) -> None:
    header, fields = FORWARDS[kind]
    assert live(fwd_from=types.MessageFwdHeader(date=START, **header)) == from_export(**fields)


def test_a_forward_from_nobody_at_all_is_still_somebody_elses() -> None:
    assert live(fwd_from=types.MessageFwdHeader(date=START)).forwarded_from == "unknown"


def test_a_bot_that_helped_is_the_same_row_live_and_exported() -> None:
    assert live(via_bot_id=GIF_BOT) == from_export(via_bot="@gif")


def test_a_bot_that_wrote_in_the_owners_name_is_no_owner() -> None:
    assert live(by_owner=True, via_business_bot_id=GIF_BOT).via_bot == "@gif"
    assert live(via_bot_id=999).via_bot == "a bot"


REPLIES: dict[str, tuple[Any, Raw]] = {
    "here": (types.MessageReplyHeader(reply_to_msg_id=3), {"reply_to_message_id": 3}),
    "here with a quote": (
        types.MessageReplyHeader(reply_to_msg_id=3, quote=True, quote_text="zip"),
        {"reply_to_message_id": 3},
    ),
    "elsewhere": (
        types.MessageReplyHeader(reply_to_msg_id=3, reply_to_peer_id=types.PeerChannel(NEWS)),
        {"reply_to_message_id": 3, "reply_to_peer_id": f"channel{NEWS}"},
    ),
    "with a private dialog elsewhere": (
        types.MessageReplyHeader(reply_to_msg_id=3, reply_to_peer_id=types.PeerUser(BORIS)),
        {"reply_to_message_id": 3, "reply_to_peer_id": f"user{BORIS}"},
    ),
    "to a story": (types.MessageReplyStoryHeader(types.PeerUser(ANNA), 3), {}),
}


@pytest.mark.parametrize("kind", list(REPLIES))
def test_an_answer_is_the_same_row_live_and_exported(kind: str) -> None:
    header, fields = REPLIES[kind]
    assert live(reply_to=header) == from_export(**fields)


def test_an_edit_is_the_same_row_live_and_exported_unless_telegram_hides_it() -> None:
    at = datetime.fromtimestamp(NOON + 99, UTC)
    assert live(edit_date=at) == from_export(edited_unixtime=str(NOON + 99), edited="x")
    assert live(edit_date=at, edit_hide=True).edited_at is None


def recent(*givers: int) -> list[Raw]:
    return [{"from": f"Name {giver}", "from_id": f"user{giver}", "date": "2023-11-14T23:13:20"} for giver in givers]


def test_reactions_of_both_sides_are_the_same_row_live_and_exported() -> None:
    seen = live(reactions=reactions(("🔥", [OWNER]), ("👍", [ANNA, OWNER]), (77, [ANNA])))
    assert seen == from_export(
        reactions=[
            {"type": "emoji", "count": 1, "emoji": "🔥", "recent": recent(OWNER)},
            {"type": "emoji", "count": 2, "emoji": "👍", "recent": recent(ANNA, OWNER)},
            {"type": "custom_emoji", "count": 1, "document_id": "x.webp", "recent": recent(ANNA)},
        ]
    )
    assert json.loads(seen.reactions or "") == [
        {"emoji": "custom", "by_owner": False, "by_other": True},
        {"emoji": "👍", "by_owner": True, "by_other": True},
        {"emoji": "🔥", "by_owner": True, "by_other": False},
    ]


def test_two_custom_emoji_are_told_as_one() -> None:
    seen = live(reactions=reactions((77, [ANNA]), (78, [OWNER])))
    assert json.loads(seen.reactions or "") == [{"emoji": "custom", "by_owner": True, "by_other": True}]


def test_no_reactions_and_empty_ones_are_none() -> None:
    assert live(reactions=reactions()).reactions is None
    empty = types.MessageReactions([types.ReactionCount(types.ReactionEmpty(), 1)])
    assert live(reactions=empty).reactions is None
    assert live().reactions is None


def test_what_the_export_leaves_out_is_kept_live() -> None:
    dice = live("", media=types.MessageMediaDice(6, "🎲"))
    story = live("", media=types.MessageMediaStory(types.PeerUser(ANNA), 3))
    assert (dice.media, dice.media_note, story.media) == ("dice", "🎲", "story")


def test_a_kind_of_media_that_came_later_is_named_as_telegram_names_it() -> None:
    call = types.InputGroupCall(1, 2)
    assert live("", media=types.MessageMediaVideoStream(call)).media == "video_stream"


def test_a_message_written_in_blocks_is_kept_as_its_words() -> None:
    blocks = [
        types.PageBlockHeading1(types.TextPlain("Cake")),
        types.PageBlockParagraph(types.TextConcat([types.TextPlain("with "), types.TextBold(types.TextPlain("nuts"))])),
        types.PageBlockDivider(),
    ]
    assert live("", rich_message=types.RichMessage(blocks, [], [])).text == "Cake\nwith nuts"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (telegram_objects.service(7), "service message"),
        (types.MessageEmpty(7, None), "deleted meanwhile"),
        (telegram_objects.said(7, ttl_period=60), "self-destructing"),
        (telegram_objects.said(7, "", media=photo(ttl=10)), "self-destructing"),
        (telegram_objects.said(7, "", media=document(VOICE(5, voice=True), ttl=0x7FFFFFFF)), "self-destructing"),
        (telegram_objects.said(7, "", media=types.MessageMediaUnsupported()), "of a kind that is not supported"),
        (telegram_objects.said(7, ""), "empty"),
        (telegram_objects.said(7, from_id=types.PeerChannel(NEWS)), "sender unknown"),
    ],
)
def test_what_is_not_stored_has_its_reason(raw: Any, reason: str) -> None:
    with pytest.raises(Skip) as verdict:
        telegram_message.read_message(through_bytes(raw), ANNA, OWNER, NAMES)
    assert str(verdict.value) == reason


def test_names_are_first_and_last_and_of_several_usernames_the_active_one() -> None:
    several = [types.Username("sold", active=False), types.Username("mine", active=True)]
    person = telegram_objects.user(5, None, "Li", usernames=several)
    assert (telegram_message.person_name(person), telegram_message.username(person)) == ("Li", "mine")
    assert telegram_message.person_name(telegram_objects.user(5, deleted=True)) is None


def test_the_export_itself_still_reads_what_only_it_has() -> None:
    raw = without(exports.said(7, ANNA, **{"from": None}), "from_id")
    assert exported(raw).sender_id is None
