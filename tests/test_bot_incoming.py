"""A live message is shown as the same message is in the training data, kind by kind."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from telegram import Message as TelegramMessage

from bot.incoming import as_message
from ingest.desktop_message import read_message
from ingest.source import Skip
from tests.exports import ANNA, NOON, OWNER, said
from twin.conversations import bubble

FILE = {"file_id": "f", "file_unique_id": "u"}
SIZED = FILE | {"width": 3, "height": 4}
STICKER = SIZED | {"type": "regular", "is_animated": False, "is_video": False}
PLACE = {"latitude": 1.5, "longitude": 2.5}
POLL = {
    "id": "1",
    "question": "q",
    "options": [],
    "total_voter_count": 0,
    "is_closed": False,
    "is_anonymous": True,
    "type": "regular",
    "allows_multiple_answers": False,
    "allows_revoting": False,
    "members_only": False,
}
GIVEAWAY = {"chats": [], "winners_selection_date": NOON, "winner_count": 1}
INVOICE = {"title": "t", "description": "d", "start_parameter": "s", "currency": "EUR", "total_amount": 1}
FROM = {"type": "hidden_user", "sender_user_name": "Cleo", "date": NOON}


def exported(fields: dict[str, Any]) -> str | None:
    """How the training data shows a message of an export."""
    try:
        shown = bubble(read_message(said(7, ANNA, **({"text": ""} | fields)), ANNA, "Anna", OWNER, Counter()))
    except Skip:
        return None
    return shown and shown.text


def live(fields: dict[str, Any]) -> str | None:
    """How the conversation shows a message of the Bot API."""
    anna = {"id": ANNA, "first_name": "Anna"}
    raw = {"message_id": 7, "date": NOON, "chat": anna | {"type": "private"}, "from": anna | {"is_bot": False}}
    shown = bubble(as_message(TelegramMessage.de_json(raw | fields, None)))
    return shown and shown.text


@pytest.mark.parametrize(
    ("export", "api", "text"),
    [
        ({"text": "hi "}, {"text": "hi "}, "hi"),
        ({"text": "hi", "forwarded_from": "Cleo"}, {"text": "hi", "forward_origin": FROM}, "[forwarded] hi"),
        ({"photo": "p.jpg"}, {"photo": [SIZED]}, "[photo]"),
        ({"photo": "p.jpg", "text": "look"}, {"photo": [SIZED], "caption": "look"}, "[photo] look"),
        (
            {"file": "x", "media_type": "sticker", "sticker_emoji": "🍋"},
            {"sticker": STICKER | {"emoji": "🍋"}},
            "[sticker 🍋]",
        ),
        ({"file": "x", "media_type": "sticker"}, {"sticker": STICKER}, "[sticker]"),
        (
            {"file": "x", "media_type": "voice_message", "duration_seconds": 5},
            {"voice": FILE | {"duration": 5}},
            "[voice message 5 s]",
        ),
        ({"file": "x", "media_type": "voice_message"}, {"voice": FILE | {"duration": 0}}, "[voice message]"),
        (
            {"file": "x", "media_type": "video_message", "duration_seconds": 9},
            {"video_note": FILE | {"length": 240, "duration": 9}},
            "[video message 9 s]",
        ),
        (
            {"file": "x", "media_type": "animation", "duration_seconds": 2, "text": "ha"},
            {"animation": SIZED | {"duration": 2}, "document": FILE, "caption": "ha"},
            "[animation 2 s] ha",
        ),
        (
            {"file": "x", "media_type": "video_file", "duration_seconds": 70},
            {"video": SIZED | {"duration": 70}},
            "[video file 70 s]",
        ),
        (
            {"file": "x", "media_type": "audio_file", "duration_seconds": 180},
            {"audio": FILE | {"duration": 180}},
            "[audio file 180 s]",
        ),
        ({"file": "x.pdf", "mime_type": "application/pdf"}, {"document": FILE}, "[file]"),
        ({"contact_information": {}}, {"contact": {"phone_number": "0", "first_name": "B"}}, "[contact]"),
        ({"location_information": PLACE}, {"location": PLACE}, "[location]"),
        (
            {"location_information": PLACE, "live_location_period_seconds": 60},
            {"location": PLACE | {"live_period": 60}},
            "[location]",
        ),
        (
            {"place_name": "p", "address": "a", "location_information": PLACE},
            {"venue": {"location": PLACE, "title": "p", "address": "a"}, "location": PLACE},
            "[location]",
        ),
        ({"poll": {"question": "q", "answers": []}}, {"poll": POLL}, "[poll]"),
        ({"game_title": "g"}, {"game": {"title": "g", "description": "d", "photo": [SIZED]}}, "[game]"),
        ({"invoice_information": {}}, {"invoice": INVOICE}, "[invoice]"),
        ({"giveaway_information": {}}, {"giveaway": GIVEAWAY}, "[giveaway]"),
        ({"paid_media": {}}, {"paid_media": {"star_count": 1, "paid_media": []}}, "[paid media]"),
        ({"todo_list": {}}, {"checklist": {"title": "t", "tasks": []}}, "[todo list]"),
        ({}, {"pinned_message": {"message_id": 6, "date": NOON, "chat": {"id": ANNA, "type": "private"}}}, None),
    ],
)
def test_a_live_message_is_shown_as_the_training_data_shows_it(
    export: dict[str, Any], api: dict[str, Any], text: str | None
) -> None:
    assert exported(export) == live(api) == text


@pytest.mark.parametrize(
    ("api", "text"),
    [
        ({"dice": {"emoji": "🎲", "value": 3}}, "[dice 🎲]"),
        ({"story": {"chat": {"id": ANNA, "type": "private"}, "id": 1}}, "[story]"),
    ],
)
def test_a_kind_that_exports_leave_out_is_shown_as_the_live_account_brings_it_in(
    api: dict[str, Any], text: str
) -> None:
    assert live(api) == text


def test_a_live_message_says_what_it_answers() -> None:
    chat = {"id": ANNA, "first_name": "Anna", "type": "private"}
    raw = {"message_id": 7, "date": NOON, "chat": chat, "text": "yes"}
    answered = raw | {"reply_to_message": {"message_id": 3, "date": NOON, "chat": chat, "text": "coming?"}}
    assert as_message(TelegramMessage.de_json(answered, None)).reply_to == 3
    assert as_message(TelegramMessage.de_json(raw, None)).reply_to is None
