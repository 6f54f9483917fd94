"""A book's text: pages of a PDF or a text file, repaired into paragraphs and cut into passages.

Knows nothing of questions. What goes: running heads and feet, page numbers, headings, hyphens at the ends of lines.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from textwrap import dedent

from training.recipes.account import Account
from training.recipes.prose import pieces
from twin.errors import DatasetError

SHORTEST, LONGEST = 300, 2_000  # of a passage, in characters
_EDGE = 2  # lines at either edge of a page in which heads and feet are looked for
_REPEATS = 3  # ... that repeat on so many pages
_UNWRAPPED = 120  # characters; where lines are longer, each is a paragraph
_NUMBER = re.compile(
    r"[-–—|.\s]*(?:page|стр(?:аница|\.)?|seite|第)?\s*(?:\d{1,4}|[ivxlc]{1,7})\s*(?:页|頁)?(?:\s*(?:of|/|из|von)\s*\d{1,4})?[-–—|.\s]*",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"(?:chapter|part|book|глава|часть|книга|kapitel)\s+(?:\d+|[ivxlc]+|\w{1,12})(?:\W.{0,60})?|第.{1,6}[章部节].{0,30}",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+(?:-\w+)+|\w+")
_CONTENTS = re.compile(r".*(?:\.\s?){4,}\s*\d{1,4}")
_SEPARATOR = re.compile(r"[\s*·•~#=_—–-]+")
_TERMINAL = re.compile(r"[.!?…。！？:：][\"'”’»」』)\]]*$")
_HYPHEN = re.compile(r"(\w+)[-\u2010\u00ad]$")
_CJK = r"[\u3040-\u30ff\u3400-\u9fff\uff00-\uffef\u3000-\u303f]"
_BETWEEN_CJK = re.compile(rf"(?<={_CJK})\s+(?={_CJK})")
_LIGATURES = {ord("\ufb00"): "ff", ord("\ufb01"): "fi", ord("\ufb02"): "fl", ord("\ufb03"): "ffi", ord("\ufb04"): "ffl"}


def read_passages(path: Path, account: Account) -> list[str]:
    """A book's passages in order, each of SHORTEST to LONGEST characters, paragraphs separated by newlines.

    Raises:
        DatasetError: it cannot be read, is locked or scanned, or is shorter than one passage.
    """
    is_pdf = path.suffix.casefold() == ".pdf" or _begins_as_pdf(path)
    found = passages(paragraphs(_pdf_pages(path) if is_pdf else _text_pages(path), account), account)
    if not found:
        hint = "it may be scanned: run OCR first" if is_pdf else "give it a longer text"
        raise DatasetError(f"{path.name} holds no passage of {SHORTEST} characters", hint)
    return found


def passages(found: Sequence[str], account: Account) -> list[str]:
    """Paragraphs gathered until they are long enough, cut where they are too long; all of the text is in one passage.

    Only a text that is shorter than SHORTEST as a whole is left out, and counted.
    """
    done: list[str] = []
    open_ = ""
    for paragraph in found:
        open_ = f"{open_}\n{paragraph}" if open_ else paragraph
        if len(open_) >= SHORTEST:
            done += pieces(open_, LONGEST, SHORTEST)
            open_ = ""
    if open_ and done:
        done += pieces(f"{done.pop()}\n{open_}", LONGEST, SHORTEST)
    elif open_:
        account.leave_out(1, "shorter than a passage")
    return done


def paragraphs(pages: Sequence[str], account: Account) -> list[str]:
    """Pages as they were printed to the paragraphs that were written; what goes is counted in `account`."""
    whole = [_lines(page) for page in pages]
    whole = whole if len(whole) > 1 else _split_at_numbers(whole[0] if whole else [])
    words = Counter(word.casefold() for lines in whole for line in lines for word in _WORD.findall(line))
    edges = _edges(whole)
    kept: list[list[str]] = []
    for lines in whole:
        body = _without_edges(lines, edges, account)
        for number, block in enumerate(_blocks(body, _width(body))):
            if _is_no_prose(block):
                account.notes["headings, separators and lines of contents left out"] += 1
                kept.append([])
            elif number == 0 and kept and kept[-1] and not _TERMINAL.search(kept[-1][-1]):
                kept[-1] += block  # a page's end is no paragraph's end
            else:
                kept.append(list(block))
    return [text for block in kept if (text := _joined(block, words))]


def _begins_as_pdf(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(5) == b"%PDF-"
    except OSError:
        return False


def _pdf_pages(path: Path) -> list[str]:
    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it warns of every oddity; its words quote the file
    try:
        reader = PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            raise DatasetError(f"{path.name} is locked with a password", "save it without one")
        return [page.extract_text() for page in reader.pages]
    except OSError as error:
        raise DatasetError(f"{path.name} cannot be read ({error.strerror})", "check the path") from error
    except DatasetError:
        raise
    except Exception as error:
        # Whatever a damaged file makes pypdf stumble over: PyPdfError, KeyError, RecursionError, zlib.error ...
        raise DatasetError(
            f"{path.name} is no PDF that can be read ({type(error).__name__})", "save it as text"
        ) from error


def _text_pages(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").split("\f")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path.name} is not UTF-8 text", "save it as UTF-8") from error
    except OSError as error:
        raise DatasetError(f"{path.name} cannot be read ({error.strerror})", "check the path") from error


def _lines(page: str) -> list[str]:
    """Lines of printable text; a blank line stays one, and the white space before a line stays (it may indent)."""
    text = page.translate(_LIGATURES).replace("\u00a0", " ").replace("\t", "    ")
    text = text.replace("\r\n", "\n")
    text = "".join(sign if sign.isprintable() or sign in "\n\u00ad\u200c\u200d" else " " for sign in text)
    return [re.sub(r"(?<=\S)\s{2,}", " ", line.rstrip()) for line in dedent(text).split("\n")]


def _split_at_numbers(lines: list[str]) -> list[list[str]]:
    """A text without form feeds may have page numbers all the same: lines of their own that count upwards."""
    places = [place for place, line in enumerate(lines) if re.fullmatch(r"[-–—\s]*\d{1,4}[-–—\s]*", line)]
    numbers = [int(re.sub(r"\D", "", lines[place])) for place in places]
    if len(places) < _REPEATS or any(later <= sooner for sooner, later in pairwise(numbers)):
        return [lines]
    starts = [0, *(place + 1 for place in places)]
    return [lines[start:end] for start, end in zip(starts, [*starts[1:], len(lines)], strict=True)]


def _edges(pages: Sequence[Sequence[str]]) -> tuple[set[str], set[str]]:
    """What repeats at the tops of pages, and what at their ends, whatever number stands in it."""
    tops: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    for lines in pages:
        said = [line for line in lines if line.strip()]
        tops.update({_shape(line) for line in said[:_EDGE] if len(line) <= 100})
        ends.update({_shape(line) for line in said[-_EDGE:] if len(line) <= 100})
    return _repeated(tops), _repeated(ends)


def _repeated(seen: Counter[str]) -> set[str]:
    """Lines with a page number before or behind them need to be seen only twice."""
    return {
        shape
        for shape, count in seen.items()
        if re.search(r"\w", shape) and count >= (2 if shape.startswith("# ") or shape.endswith(" #") else _REPEATS)
    }


def _shape(line: str) -> str:
    return re.sub(r"\d+", "#", " ".join(line.split())).casefold()


def _without_edges(lines: list[str], edges: tuple[set[str], set[str]], account: Account) -> list[str]:
    """A page without its head, foot and number."""
    for repeated in edges:  # the head, then, turned round, the foot
        for _ in range(_EDGE):
            place = next((place for place, line in enumerate(lines) if line.strip()), None)
            if place is None or not (_shape(lines[place]) in repeated or _NUMBER.fullmatch(lines[place])):
                break
            account.notes["running heads, feet and page numbers left out"] += 1
            lines = lines[place + 1 :]
        lines = lines[::-1]
    return lines


def _width(lines: Sequence[str]) -> int:
    """How long a full line is: what nine of ten are not longer than."""
    lengths = sorted(len(line) for line in lines if line.strip())
    return lengths[len(lengths) * 9 // 10] if lengths else 0


def _blocks(lines: Sequence[str], width: int) -> Iterator[list[str]]:
    """Lines that belong together: up to a blank line, an indented one, or one on which the next word had found room."""
    block: list[str] = []
    for line, after in zip(lines, [*lines[1:], ""], strict=False):
        text = line.strip()
        starts = not text or (line.startswith("  ") and bool(block)) or bool(_HEADING.fullmatch(text))
        if block and starts:
            yield block
            block = []
        if text:
            block.append(text)
            is_whole = width > _UNWRAPPED or bool(_HEADING.fullmatch(text))
            had_room = len(line) + 1 + _first_word(after) < 0.9 * width
            if is_whole or (had_room and _TERMINAL.search(text)):
                yield block
                block = []
    if block:
        yield block


def _first_word(line: str) -> int:
    """How long it is; of Chinese and Japanese one sign may stand alone."""
    return 1 if re.match(_CJK, line) else len(line.split(" ")[0])


def _is_no_prose(block: Sequence[str]) -> bool:
    if all(_CONTENTS.fullmatch(line[:200]) or _SEPARATOR.fullmatch(line) or _NUMBER.fullmatch(line) for line in block):
        return True
    text = " ".join(block)
    return len(text) <= 80 and (bool(_HEADING.fullmatch(text)) or (text.isupper() and len(block) <= 2))


def _joined(lines: Sequence[str], words: Counter[str]) -> str:
    """One paragraph as one line. A hyphen at a line's end goes, unless the word is written with one elsewhere."""
    text = ""
    for line in lines:
        hyphen = _HYPHEN.search(text)
        after = re.match(r"\w+", line)
        if hyphen and after and line[0].islower():
            whole = f"{hyphen[1]}{after[0]}".casefold()
            stays = words[f"{hyphen[1]}-{after[0]}".casefold()] > words[whole]
            text = (text if stays and text[-1] == "-" else text[:-1]) + line
        else:
            text = f"{text} {line}" if text else line
    return _BETWEEN_CJK.sub("", " ".join(text.replace("\u00ad", "").split()))
