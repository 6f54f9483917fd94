"""Secrets that one message alone does not show: answers to "what's the password?", and values sent in pieces.

Knows nothing of who spoke or when; it sees consecutive messages of one conversation, oldest first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from twin.privacy.detect import find
from twin.privacy.questions import CLUES, Topic, is_asking, topics_of
from twin.privacy.seeds import is_mnemonic
from twin.privacy.spans import Span
from twin.privacy.values import CJK
from twin.privacy.vocabulary import NO_ANSWER

_ANSWERS = 4  # messages after a question in which its answer is looked for
_LONGEST_ANSWER = 200  # characters
_LONGEST_PIECE = 4096  # Telegram's limit for a message, characters
_MOST_PIECES = 24


_IT_WAS = re.compile(
    r"^\W{0,3}(?:(?:that'?s|thats|this is|its|it's|that is|that was|is|\^+|↑+|это|вот это|вот|то|был|was|这是"
    r"|这个是|这就是|是)\s?){1,2}(?:the |my |our |мой |наш |我的?)?"
)


def find_window(texts: Sequence[str]) -> list[list[Span]]:
    """Everything secret in consecutive messages of one conversation.

    What `find` sees in each message alone is always covered; on top of that come answers to a question in one of the
    four messages before, values that the next message names ("that's the wifi password"), and values sent in pieces.
    The cost is linear in the messages.

    Args:
        texts: oldest first.

    Returns:
        for each message its spans, as `find` gives them.
    """
    window = _Window(texts)
    window.join_pieces(_TORN)
    for place, low in enumerate(window.low):
        if CLUES.search(low):
            window.look_for_answers(place)
            window.look_back(place)
    window.join_pieces(_LISTED)
    return window.spans


class _Window:
    """The messages of one call and what was found in each."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = [text or "" for text in texts]
        self.low = [text.lower() for text in self.texts]
        self.spans = [find(text) for text in self.texts]

    def look_for_answers(self, place: int) -> None:
        """Read the messages after one that asks for something as answers to it."""
        following = range(place + 1, min(place + 1 + _ANSWERS, len(self.texts)))
        if not following:
            return
        low = self.low[place][-300:]
        asking = is_asking(low)
        for topic in topics_of(low):
            if any(span.label in topic.labels for span in self.spans[place]):
                continue  # it was told along with the question
            for distance, later in enumerate(following, start=1):
                if self._answer(topic, later, asking, distance):
                    break

    def _answer(self, topic: Topic, place: int, asking: bool, distance: int) -> bool:
        """Read one message as the answer to a question on a topic; whether it was one."""
        text = self.texts[place]
        stripped = text.strip()
        if not stripped or len(stripped) > _LONGEST_ANSWER or stripped.endswith(("?", "？")):
            return False
        words = stripped.split()
        if len(words) > (5 if topic.labels & {"PASSWORD", "OTP"} else 12):
            return False
        prompt = topic.prompts[_script(stripped)]
        found = [
            Span(span.start - len(prompt), span.end - len(prompt), span.label)
            for span in find(prompt + text)
            if span.start >= len(prompt) and span.label in topic.labels
        ]
        kept = [span for span in found if self._is_answer(text[span.start : span.end], words, asking, distance)]
        for span in kept:
            self._add(place, span)
        return bool(kept)

    def _is_answer(self, value: str, words: list[str], asking: bool, distance: int) -> bool:
        if any(map(str.isdecimal, value)) or "@" in value or set(value) & set("_!#$%&*"):
            return asking or (distance <= 2 and len(words) <= 2)
        if len(value.split()) > 3:  # words of a seed phrase
            return True
        return asking and distance <= 2 and len(words) == 1 and value.lower() not in NO_ANSWER

    def look_back(self, place: int) -> None:
        """Read the message before one like "that's the wifi password" as what it names."""
        low = self.low[place]
        if not place or len(low) > 60 or not _IT_WAS.match(low) or self.spans[place]:
            return
        before = self.texts[place - 1].strip()
        if not before or " " in before or before.isalpha():
            return
        for topic in topics_of(low):
            self._answer(topic, place - 1, True, 1)

    def join_pieces(self, pieces: tuple[tuple[_IsPiece, str], ...]) -> None:
        """Find values that go on in the next message: digits, the halves of an address or of a key, mnemonic words."""
        for run, separator in _runs(self.texts, self.spans, pieces):
            starts: list[int] = []
            joined = ""
            for place in run:
                joined += separator if joined else ""
                starts.append(len(joined))
                joined += self.texts[place]
            for span in find(joined):
                self._share_out(span, run, starts)
        if pieces is _TORN:
            self._follow_private_keys()

    def _share_out(self, span: Span, run: range, starts: list[int]) -> None:
        """Give each message its part of a span that crosses messages."""
        parts = []
        for place, start in zip(run, starts, strict=True):
            begin, end = max(span.start - start, 0), min(span.end - start, len(self.texts[place]))
            if begin < end:
                parts.append((place, Span(begin, end, span.label)))
        if len(parts) > 1:
            for place, part in parts:
                self._add(place, part)

    def _follow_private_keys(self) -> None:
        """A private key that is cut off goes on in messages of nothing but its lines."""
        for place in range(1, len(self.texts)):
            before = self.spans[place - 1]
            open_key = bool(before) and before[-1].label == "PRIVATE_KEY" and "-----END" not in self.texts[place - 1]
            if open_key and all(map(_KEY_LINE.fullmatch, self.texts[place].split("\n"))):
                self.spans[place] = [Span(0, len(self.texts[place]), "PRIVATE_KEY")]

    def _add(self, place: int, span: Span) -> None:
        """Take a span in, over what it covers whole; beside what is there otherwise."""
        there = self.spans[place]
        if any(old.start <= span.start and span.end <= old.end for old in there):
            return
        outside = [old for old in there if not (span.start <= old.start and old.end <= span.end)]
        if any(old.start < span.end and span.start < old.end for old in outside):
            start = min([span.start, *(old.start for old in outside if old.end > span.start and old.start < span.end)])
            end = max([span.end, *(old.end for old in outside if old.end > span.start and old.start < span.end)])
            outside = [old for old in outside if not (start <= old.start and old.end <= end)]
            span = Span(start, end, span.label)
        self.spans[place] = sorted([*outside, span], key=lambda one: one.start)


def _script(text: str) -> int:
    """Which prompt fits an answer: 0 English, 1 Russian, 2 Chinese."""
    if re.search(r"[а-яё]", text, re.I):
        return 1
    return 2 if re.search(rf"[{CJK}]", text) else 0


_DIGITS = re.compile(r"[\s+()\d.\-/]{2,40}")
_ENDS_IN_DIGITS = re.compile(r"\+?\d[\d ()\-]{0,24}\s*$")
_TOKEN = re.compile(r"\S{12,4096}")
_MAIL_HEAD = re.compile(r"(?:^|\s)[\w.+\-]{2,64}@?\s*$", re.ASCII)
_MAIL_TAIL = re.compile(
    r"\s*(?:@(?:[\w\-]+\.){1,3}(?:com|ru|org|net|edu|de|cn|uk|io|me|fr|ua|kz|by|co|it|es|pl|ch|at|nl|eu|us|ca"
    r"|au|jp|info|dev|pro)|[\w\-]+\.(?:com|ru|org|net|de|cn|uk|io|me|fr|ua|kz|by|co))\s*",
    re.ASCII,
)
_HOUSE = re.compile(
    r"\s*(?:(?:д|дом|кв|квартира|корп|корпус|к|подъезд|под|этаж|эт|домофон|оф|офис)\.?\s?[0-9]|(?:apt|flat"
    r"|unit|suite|#|apartment|floor)\.?\s?[0-9a-z]|[0-9]{1,4}[а-яa-z]?(?:\s?[/\-]\s?[0-9]{1,4})?\s*$"
    r"|[0-9]{5,6}\s|[0-9]{1,4}\s?(?:号|栋|楼|单元|室))",
    re.I,
)
_STREET = re.compile(
    r"(?:(?<![а-я])(?:ул|улица|пр-т|проспект|просп|пер|переулок|наб|шоссе|бульвар|б-р)(?![а-я])|[路街道巷弄区]\s*$"
    r"|小区\s*$)|(?<![a-z])(?:street|st|road|rd|ave|avenue|lane)(?![a-z])",
    re.I,
)
_KEY_LINE = re.compile(r"[A-Za-z0-9+/=]{8,80}|-----END [A-Z ]{3,40}-----")


_IsPiece = Callable[[Sequence[str], Sequence[Sequence[Span]], int, int], bool]


def _runs(
    texts: Sequence[str], spans: Sequence[Sequence[Span]], pieces: tuple[tuple[_IsPiece, str], ...]
) -> Iterator[tuple[range, str]]:
    """Neighbouring messages that may be pieces of one value, and what to put between them."""
    place = 0
    while place < len(texts) - 1:
        for is_piece, separator in pieces:
            end = place + 1
            while end < len(texts) and end - place < _MOST_PIECES and is_piece(texts, spans, place, end):
                end += 1
            if end - place > 1 and sum(len(texts[one]) for one in range(place, end)) <= 2 * _LONGEST_PIECE:
                yield range(place, end), separator
                if separator == "\n":
                    place = end - 2
                break
        place += 1


def _digits_go_on(texts: Sequence[str], spans: Sequence[Sequence[Span]], first: int, place: int) -> bool:
    if not _DIGITS.fullmatch(texts[place]) or sum(map(str.isdecimal, texts[place])) < 2:
        return False
    return place - 1 > first or bool(_ENDS_IN_DIGITS.search(texts[first][-40:]))


def _address_goes_on(texts: Sequence[str], spans: Sequence[Sequence[Span]], first: int, place: int) -> bool:
    if place - first > 4 or len(texts[place]) > 60 or not _HOUSE.match(texts[place]):
        return False
    begins = any(span.label == "ADDRESS" for span in spans[first]) or bool(_STREET.search(texts[first][-60:]))
    return begins and len(texts[first]) < 200


def _mail_goes_on(texts: Sequence[str], spans: Sequence[Sequence[Span]], first: int, place: int) -> bool:
    if place != first + 1 or not _MAIL_TAIL.fullmatch(texts[place]):
        return False
    return bool(_MAIL_HEAD.search(texts[first][-70:])) and ("@" in texts[place] or texts[first].rstrip().endswith("@"))


def _key_goes_on(texts: Sequence[str], spans: Sequence[Sequence[Span]], first: int, place: int) -> bool:
    if place != first + 1 or not _TOKEN.fullmatch(texts[place].strip()):
        return False
    last = texts[first].rsplit(maxsplit=1)[-1:] or [""]
    return (
        len(last[0]) >= 12 and texts[first] == texts[first].rstrip() and any(map(str.isdecimal, last[0] + texts[place]))
    )


def _words_go_on(texts: Sequence[str], spans: Sequence[Sequence[Span]], first: int, place: int) -> bool:
    return is_mnemonic(texts[place]) and (place - 1 > first or is_mnemonic(texts[first]))


_TORN: tuple[tuple[_IsPiece, str], ...] = (
    (_digits_go_on, " "),
    (_mail_goes_on, ""),
    (_key_goes_on, ""),
    (_words_go_on, "\n"),
)
_LISTED: tuple[tuple[_IsPiece, str], ...] = ((_address_goes_on, ", "),)
