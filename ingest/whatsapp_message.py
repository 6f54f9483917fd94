"""What one entry of a WhatsApp chat says: words, media left out or attached, or something that nobody said.

Knows nothing of files, times or people.
"""

from __future__ import annotations

import re
from collections import Counter

from ingest.source import Skip
from ingest.whatsapp_words import ATTACHED, CALLS, DELETED, EDITED, INVISIBLE, OMITTED, fold

EDIT = "edited at a time that is not told"
UNKNOWN_MARK = "an unknown mark taken for media left out"

_MARK = "\u200e"  # left-to-right mark: WhatsApp sets it before what it says itself
_ATTACHED_IOS = re.compile(r"<[^<>:\n]{1,30}:\s?(?P<file>[^<>\n]+\.\w{1,5})>$")
_ATTACHED_ANDROID = re.compile(r"(?P<file>[^\n]*\.\w{0,5}) \((?P<words>[^()\n]{3,40})\)$")
_OWN_NAME = re.compile(r"(?:IMG|VID|AUD|PTT|STK|DOC)-\d{8}-WA\d+")
_BRACKETS = re.compile(r"<[^<>\n]{2,60}>")
_LAST_BRACKETS = re.compile(rf"\s*(?P<mark>[{INVISIBLE}]*)<(?P<words>[^<>\n]{{3,60}})>[{INVISIBLE}\s]*$")
_PLACE = re.compile(r"[^\n:]{2,30}: https://(?:maps\.google\.com|(?:www\.)?foursquare\.com)/\S+")
_FILE_NAME = re.compile(r"[^\n]+\.\w{1,5}(?: •.*)?")
_KINDS = (
    (re.compile(r"PTT-|-AUDIO-|\.opus$", re.IGNORECASE), "voice_message"),
    (re.compile(r"STK-|-STICKER-|\.webp$", re.IGNORECASE), "sticker"),
    (re.compile(r"-GIF-|\.gif$", re.IGNORECASE), "animation"),
    (re.compile(r"IMG-|-PHOTO-|\.(?:jpe?g|png|heic)$", re.IGNORECASE), "photo"),
    (re.compile(r"VID-|-VIDEO-|\.(?:mp4|mov|3gp)$", re.IGNORECASE), "video_file"),
    (re.compile(r"AUD-|\.(?:mp3|m4a|aac|amr|ogg|wav)$", re.IGNORECASE), "audio_file"),
    (re.compile(r"\.vcf$", re.IGNORECASE), "contact"),
)


def read_text(raw: str, inexact: Counter[str]) -> tuple[str, str | None]:
    """The words, or a caption, and the kind of media; None for no media.

    Args:
        raw: everything behind the sender's name.
        inexact: gets a count for what had to be guessed or dropped.

    Raises:
        Skip: nobody said it; the reason says why.
    """
    if fold(raw) in DELETED:
        raise Skip("deleted by its sender")
    if raw.strip() == "null":  # what Android writes for media that could be seen once
        raise Skip("self-destructing")
    first, _, rest = raw.partition("\n")
    if (found := _media(first, inexact)) is not None:
        kind, before = found
        return _join(before, rest), kind
    if first.startswith(_MARK):
        if first.strip().endswith(":") and first.isupper() and rest:
            return _join(rest.partition("\n")[0], ""), "poll"
        raise Skip("service message")
    if fold(raw) in CALLS:
        raise Skip("service message")
    text = _without_edit_mark(raw, inexact).strip(INVISIBLE + " \n")
    if not text:
        raise Skip("empty")
    return text, None


def _media(line: str, inexact: Counter[str]) -> tuple[str, str] | None:
    """The kind of media that the first line tells of, and the words before; None for none."""
    bare = line.strip(INVISIBLE + " ")
    if (kind := OMITTED.get(fold(bare))) is not None:
        return kind, ""
    before, mark, last = line.rpartition(_MARK)
    if mark and (kind := OMITTED.get(fold(last))) is not None:
        return kind, _caption(before)
    if (found := _ATTACHED_IOS.search(bare)) is not None:
        return kind_of(found["file"]), _caption(bare[: found.start()])
    if (found := _ATTACHED_ANDROID.fullmatch(bare)) is not None and (
        line.startswith(_MARK) or fold(found["words"]) in ATTACHED or _OWN_NAME.match(found["file"])
    ):
        return kind_of(found["file"]), ""
    if _PLACE.fullmatch(bare):
        return "location", ""
    if _BRACKETS.fullmatch(bare) and fold(bare) not in EDITED and (" " in bare or not bare.isascii()):
        inexact[UNKNOWN_MARK] += 1
        return "file", ""
    return None


def kind_of(file: str) -> str:
    """The kind of media by a file's name, as WhatsApp names files."""
    return next((kind for pattern, kind in _KINDS if pattern.search(file)), "file")


def _caption(words: str) -> str:
    """A document's own name and number of pages are not what anybody said."""
    words = words.strip(INVISIBLE + " ")
    return "" if _FILE_NAME.fullmatch(words) else words


def _join(before: str, rest: str) -> str:
    return "\n".join(part for part in (before.strip(INVISIBLE + " "), rest.strip(INVISIBLE + " \n")) if part)


def _without_edit_mark(raw: str, inexact: Counter[str]) -> str:
    found = _LAST_BRACKETS.search(raw)
    if found is None or not (found["mark"] or fold(found["words"]) in EDITED):
        return raw
    inexact[EDIT] += 1
    return raw[: found.start()]
