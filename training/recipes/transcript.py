"""Transcripts: who said what in a podcast or an interview, with one of the speakers as the owner.

Knows nothing of sound; times are read past.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from training.recipes.account import Account
from training.recipes.prose import end_of, pieces
from training.recipes.sets import SetRow
from twin.errors import DatasetError
from twin.messages import Bubble, Turn

BUBBLE = 400  # longest bubble of the owner's, in characters: three or four spoken sentences
TURN = 1_200  # longest turn of the owner's, so that it fits into a context window
OTHERS_TURN = 1_200
ROW_TURNS = 20
LISTENING = "…"  # stands for a listener's nod where a monologue is cut
_KEYS = ("segments", "utterances", "transcript", "turns", "messages", "conversation", "results")
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d{1,3})?"
_TIME = rf"[\[(]?{_CLOCK}(?:\s*(?:-->|[-–])\s*{_CLOCK})?[\])]?"
_LABEL = r"(?P<name>[^\W_][^:：\[\](){}<>|\"“”«»?!;,\t]{0,39}?)"
_SAID = re.compile(rf"(?:{_TIME}\s*[-–]?\s*)?{_LABEL}\s*(?:{_TIME})?\s*[:：](?!//|(?<=\d:)\d\d)\s*(?P<text>.*)")
_ALONE = re.compile(rf"(?:{_TIME}\s*[-–]?\s*{_LABEL}|(?P<first>[^\W\d_][^:：\[\](){{}}]{{0,39}}?)\s+{_TIME})\s*")
_ONLY_TIME = re.compile(rf"(?:{_TIME}|WEBVTT|\d+)\s*")
_BOLD = re.compile(r"(\*\*|__)(.+?)\1")
_DIRECTION = re.compile(
    r"\[[^\[\]]{1,40}\]|\((?:[^()]{0,20}(?:laugh|applause|music|inaudible|crosstalk|pause|sigh|сме[её]|аплод|музык|неразб"
    r"|пауза|вздыха|笑|掌声|音乐|听不清)[^()]{0,20})\)",
    re.IGNORECASE,
)
_PARTICLES = {"de", "da", "del", "di", "van", "von", "der", "den", "la", "le", "bin", "al", "el", "and", "и"}


@dataclass(frozen=True, slots=True)
class Line:
    """Something a speaker said without a break."""

    speaker: str
    text: str


def read_transcript(path: Path, account: Account) -> list[Line]:
    """A transcript's lines in their order: JSON (an array, lines, or an object around an array), else text.

    Raises:
        DatasetError: it cannot be read, or holds no speakers.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path.name} is not UTF-8 text", "save it as UTF-8") from error
    except OSError as error:
        raise DatasetError(f"{path.name} cannot be read ({error.strerror})", "check the path") from error
    lines = list(
        _from_json(text, account) if text.lstrip()[:1] in ("{", "[") and _is_json(text) else _from_text(text, account)
    )
    if not lines:
        raise DatasetError(
            f"{path.name} names no speakers", 'write "Name: text" lines, or JSON turns {"from": "Name", "text": "..."}'
        )
    return lines


def speakers(lines: Sequence[Line]) -> list[tuple[str, int, int]]:
    """Who speaks: the name as first written, how many runs of lines, how many characters; most characters first."""
    names: dict[str, str] = {}
    runs: Counter[str] = Counter()
    characters: Counter[str] = Counter()
    for key, run in groupby(lines, key=lambda line: _key(line.speaker)):
        said = list(run)
        names.setdefault(key, said[0].speaker)
        runs[key] += 1
        characters[key] += sum(len(line.text) for line in said)
    return sorted(((names[key], runs[key], characters[key]) for key in names), key=lambda who: -who[2])


def choose(lines: Sequence[Line], owner: str) -> str | None:
    """The one speaker that is meant: an exact name in any case, else the beginning of one; None if that is not one."""
    names, asked = [name for name, _, _ in speakers(lines)], _key(owner)
    exact = [name for name in names if _key(name) == asked]
    found = exact or [name for name in names if asked and _key(name).startswith(asked)]
    return found[0] if len(found) == 1 else None


def transcript_rows(lines: Sequence[Line], owner: str, account: Account) -> Iterator[SetRow]:
    """Conversations of at most about ROW_TURNS turns; all who are not the owner are the other side.

    A monologue of the owner is cut at sentence ends into turns of at most TURN characters, between which the other
    side nods. Long words of others are shortened to their end, where the question is.
    """
    turns: list[Turn] = []
    for is_owner, run in groupby(lines, key=lambda line: _key(line.speaker) == _key(owner)):
        texts = [" ".join(line.text.split()) for line in run]
        if len(turns) >= ROW_TURNS and not is_owner:
            yield from _row(turns, account)
            turns = []
        turns += _owner_turns(texts, account) if is_owner else [_others_turn(texts, account)]
    yield from _row(turns, account)


def _row(turns: Sequence[Turn], account: Account) -> Iterator[SetRow]:
    last = max((place for place, turn in enumerate(turns) if turn.speaker == "owner"), default=-1)
    if last >= 0:
        account.take(turns[: last + 1])
        yield SetRow(tuple(turns[: last + 1]))


def _owner_turns(texts: Sequence[str], account: Account) -> list[Turn]:
    bubbles = [piece for text in texts for piece in pieces(text, BUBBLE)]
    parts: list[list[str]] = [[]]
    for bubble in bubbles:
        if parts[-1] and sum(map(len, parts[-1])) + len(bubble) > TURN:
            parts.append([])
        parts[-1].append(bubble)
    account.notes.update(["monologues cut into turns"] if len(parts) > 1 else [])
    nod = Turn("other", (Bubble(LISTENING, authored=False),))
    return [turn for part in parts for turn in (nod, Turn.of("owner", part))][1:]


def _others_turn(texts: Sequence[str], account: Account) -> Turn:
    kept: list[str] = []
    room = OTHERS_TURN
    for text in reversed(texts):
        if room <= 0:
            break
        kept.insert(0, end_of(text, room))
        room -= len(text)
    account.notes.update(["turns of others shortened to their end"] if room < 0 else [])
    return Turn.of("other", kept)


def _key(name: str) -> str:
    return " ".join(name.split()).casefold()


def _is_json(text: str) -> bool:
    """Whether it is JSON, or JSON lines: a text may begin with "[00:01:02]" as well."""
    for part in (text, text.lstrip().partition("\n")[0]):
        try:
            if isinstance(json.loads(part), (dict, list)):
                return True
        except (ValueError, RecursionError):
            continue
    return False


def _from_json(text: str, account: Account) -> Iterator[Line]:
    for number, entry in enumerate(_entries(text), 1):
        turn = entry if isinstance(entry, dict) else {}
        name = next((turn[key] for key in ("from", "speaker", "name", "role") if key in turn), None)
        words = next((turn[key] for key in ("text", "value", "content") if key in turn), None)
        if not isinstance(name, (str, int)) or not str(name).strip() or not isinstance(words, str):
            account.leave_out(number, "no speaker or no text")
        elif not _is_unicode(f"{name}{words}"):
            account.leave_out(number, "text that is not Unicode")
        elif said := _without_directions(words, account):
            yield Line(str(name).strip(), said)
        else:
            account.leave_out(number, "nothing said")


def _entries(text: str) -> list[Any]:
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        return [_or_none(line) for line in text.splitlines() if line.strip()]
    if isinstance(whole, dict):
        return next((whole[key] for key in _KEYS if isinstance(whole.get(key), list)), [whole])
    return list(whole)


def _or_none(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= sign <= "\udfff" for sign in text)


def _from_text(text: str, account: Account) -> Iterator[Line]:
    """A line without a name goes on with the one before; blank lines and times alone are nothing."""
    speaker: str | None = None
    for number, raw in enumerate(text.splitlines(), 1):
        line = _BOLD.sub(r"\2", raw).strip(" \t>\ufeff")
        if not line or _ONLY_TIME.fullmatch(line):
            continue
        if (alone := _ALONE.fullmatch(line)) and _is_name(alone["name"] or alone["first"]):
            speaker, line = (alone["name"] or alone["first"]).strip(), ""
        elif (said := _SAID.fullmatch(line)) and _is_name(said["name"]):
            speaker, line = said["name"].strip(), said["text"]
        if speaker is None:
            account.leave_out(number, "before the first speaker")
        elif words := _without_directions(line, account):
            yield Line(speaker, words)


def _is_name(label: str) -> bool:
    """Up to five words, of which several begin with capitals or have none; "https" is nobody."""
    words = label.split()
    if not 1 <= len(words) <= 5 or not any(sign.isalpha() for sign in label) or label.casefold() in ("http", "https"):
        return False
    return len(words) == 1 or all(not word[0].islower() or word.casefold() in _PARTICLES for word in words)


def _without_directions(text: str, account: Account) -> str:
    """Without "[laughs]" and the like, which nobody said."""
    words, count = _DIRECTION.subn(" ", text)
    if count:
        account.notes["stage directions left out"] += count
    return " ".join(words.split())
