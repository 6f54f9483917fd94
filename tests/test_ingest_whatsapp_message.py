"""What an entry says: words, media left out or attached, or something that nobody said."""

from __future__ import annotations

from collections import Counter

import pytest

from ingest.source import Skip
from ingest.whatsapp_message import kind_of, read_text
from ingest.whatsapp_words import OMITTED
from twin.placeholders import LANGUAGES

LRM = "\u200e"


def read(raw: str, inexact: Counter[str] | None = None) -> tuple[str, str | None]:
    return read_text(raw, Counter() if inexact is None else inexact)


@pytest.mark.parametrize(
    "text", ["hi", "two\nlines", "a < b > c", "<3", "<sigh>", "null and void", "see: there", "1. 2."]
)
def test_words_are_left_as_they_are(text: str) -> None:
    assert read(text) == (text, None)


@pytest.mark.parametrize(
    ("raw", "media"),
    [
        (f"{LRM}image omitted", "photo"),
        ("image omitted", "photo"),
        (f"{LRM}video omitted", "video_file"),
        (f"{LRM}audio omitted", "voice_message"),
        (f"{LRM}sticker omitted", "sticker"),
        (f"{LRM}GIF omitted", "animation"),
        (f"{LRM}Contact card omitted", "contact"),
        (f"{LRM}document omitted", "file"),
        (f"report.pdf • {LRM}12 pages {LRM}document omitted", "file"),
        (f"{LRM}Bild weggelassen", "photo"),
        (f"{LRM}изображение отсутствует", "photo"),
        (f"{LRM}图片已省略", "photo"),
        ("<Media omitted>", "file"),
        ("<Medien ausgeschlossen>", "file"),
        ("<Multimedia omitido>", "file"),
        ("<Без медиафайлов>", "file"),
        ("<تم استبعاد الوسائط>", "file"),
        ("<省略多媒体文件>", "file"),
        (f"{LRM}<attached: 00000012-PHOTO-2025-03-13-10-18-00.jpg>", "photo"),
        (f"{LRM}<Anhang: 00000012-AUDIO-2025-03-13-10-18-00.opus>", "voice_message"),
        (f"report.pdf • 12 pages {LRM}<attached: 00000012-report.pdf>", "file"),
        (f"{LRM}IMG-20250313-WA0001.jpg (file attached)", "photo"),
        ("PTT-20250313-WA0001.opus (Datei angehängt)", "voice_message"),
        ("VID-20250313-WA0001.mp4 (something new)", "video_file"),
        ("STK-20250313-WA0001.webp (archivo adjunto)", "sticker"),
        ("Anna.vcf (fichier joint)", "contact"),
        ("notes of today.docx (файл добавлен)", "file"),
        ("location: https://maps.google.com/?q=1.5,2.5", "location"),
        (f"{LRM}Standort: https://foursquare.com/v/1", "location"),
        ("live location shared", "location"),
    ],
)
def test_media_left_out_or_attached_is_kept_as_its_kind(raw: str, media: str) -> None:
    assert read(raw) == ("", media)


@pytest.mark.parametrize(
    "raw",
    [
        "<Media omitted>\nwhat a view",
        f"{LRM}IMG-20250313-WA0001.jpg (file attached)\nwhat a view",
        f"what a view {LRM}<attached: 00000012-PHOTO-2025-03-13-10-18-00.jpg>",
        f"what a view {LRM}image omitted",
    ],
)
def test_a_caption_is_the_text_of_its_picture(raw: str) -> None:
    text, media = read(raw)
    assert text == "what a view" and media in ("photo", "file")


def test_a_sentence_about_such_words_is_a_sentence() -> None:
    for text in ("I got an image omitted there", "notes.txt (see there)", "it says This message was deleted"):
        assert read(text) == (text, None)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (f"{LRM}This message was deleted.", "deleted by its sender"),
        ("You deleted this message", "deleted by its sender"),
        ("Du hast diese Nachricht gelöscht.", "deleted by its sender"),
        ("Данное сообщение удалено", "deleted by its sender"),
        ("このメッセージは削除されました", "deleted by its sender"),
        ("null", "self-destructing"),
        (f"{LRM}Missed voice call, {LRM}Tap to call back", "service message"),
        ("Missed video call", "service message"),
        ("Verpasster Sprachanruf", "service message"),
        (f"{LRM}Messages and calls are end-to-end encrypted.", "service message"),
        ("", "empty"),
        (f" {LRM} ", "service message"),
    ],
)
def test_what_nobody_said_is_left_out_under_its_reason(raw: str, reason: str) -> None:
    with pytest.raises(Skip) as verdict:
        read(raw)
    assert str(verdict.value) in (reason, "empty")


@pytest.mark.parametrize(
    "mark",
    [f"{LRM}<This message was edited>", "<Diese Nachricht wurde bearbeitet.>", f"{LRM}<Words nobody here knows>"],
)
def test_the_mark_of_an_edit_is_taken_off_and_counted(mark: str) -> None:
    inexact: Counter[str] = Counter()
    assert read(f"ok then {mark}", inexact) == ("ok then", None)
    assert inexact == {"edited at a time that is not told": 1}


def test_an_unknown_mark_on_its_own_is_taken_for_media_and_counted() -> None:
    inexact: Counter[str] = Counter()
    assert read("<Meedia välja jäetud>", inexact) == ("", "file")
    assert inexact.total() == 1


def test_a_poll_keeps_its_question() -> None:
    assert read(f"{LRM}POLL:\nWhere to?\n{LRM}OPTION: here ({LRM}1 vote)") == ("Where to?", "poll")


def test_kinds_are_told_by_the_names_that_whatsapp_gives_files() -> None:
    assert kind_of("00000012-GIF-2025-03-13.mp4") == "animation"
    assert kind_of("song.mp3") == "audio_file"
    assert kind_of("archive.tar.gz") == "file"


def test_placeholders_have_words_for_every_kind() -> None:
    from twin.placeholders import placeholder

    kinds = {*OMITTED.values(), *(kind_of(name) for name in ("a.opus", "a.webp", "a.gif", "a.vcf", "a.mp3", "a"))}
    assert "en" in LANGUAGES
    assert all(placeholder(kind, language="de") != f"[{kind}]" for kind in kinds - {"animation", "sticker"})
