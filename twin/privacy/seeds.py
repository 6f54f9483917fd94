"""Seed phrases: the mnemonic words that open a wallet, in every language of BIP 39, in rows and in numbered lists.

Knows nothing of wallets; whether the words' checksum holds does not matter, people mistype.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache, partial

from mnemonic import Mnemonic

from twin.privacy.clues import word_set
from twin.privacy.folding import Folded
from twin.privacy.spans import Hit
from twin.privacy.values import CJK

_hit = partial(Hit, label="SEED")

_LANGUAGES = (
    "english",
    "russian",
    "spanish",
    "french",
    "italian",
    "portuguese",
    "czech",
    "turkish",
    "korean",
    "japanese",
)
_FEWEST = 11  # words in a row; a phrase has 12, 15, 18, 21 or 24, and one may be misspelled
_DISTINCT = 8
_SEED_WORD = re.compile(
    r"(?<![a-z])(?:seeds?(?:[ -]?phrase)?|mnemonics?|(?:recovery|backup|secret|wallet)\s(?:phrase|words?|seed"
    r"|key)|(?:12|24|twelve|twenty[ -]four)[ -]words?"
    r"|frase\s(?:semilla|di recupero|de recuperaci[oó]n|seed)|phrase\sde\s(?:r[eé]cup[eé]ration|passe)"
    r"|wiederherstellungs\w+|frase-semente)(?![a-z])"
    r"|(?<![а-я])(?:сид(?:ка|ку|ки|[ -]?фраз\w*)?|мнемон\w+|фраз\w+\sвосстановлени\w+|(?:12|24)\sслов\w?"
    r"|секретн\w+\s(?:фраз\w+|слов\w+)|бэкап\w*)(?![а-я])"
    r"|助记词|助記詞|恢复短语|恢复词|种子词|备份词|备份短语|记忆词"
)
_WORDS = re.compile(r"(?:[^\W\d_][\u0300-\u036f\u3099\u309a]*)+")
_COUNTS = (12, 15, 18, 21, 24)
_INTRODUCES = word_set("seed phrase secret word key wallet backup recovery mnemonic recipe")
_FIRST = re.compile(r"(?:^|[^0-9])1[.):\-]")
_CJK_WORDS = re.compile(rf"(?<![{CJK}])[{CJK}](?:[ \n,，、]{{1,2}}[{CJK}]){{{_FEWEST - 1},23}}(?![{CJK}])")
_CJK_TIGHT = re.compile(r"[\u4e00-\u9fff]{12,24}")
_BETWEEN = re.compile(r"[\s,;|/\-]{1,4}(?:\(?\d{1,2}[.):\-]?\s{0,2})?|[\s,;.]{0,3}\(?\d{1,2}[.):\-]\s{0,2}")
# Words of the English list that prose is made of: a drawn phrase has hardly two of them.
_PROSE = word_set(
    "about all any that they will like make this you just sure what there only more over when then very "
    "people thing try can good much know want need say tell have keep help give "
    "look own same other great time day way year life love use into under off such each every too also even "
    "always once maybe really enough quite kind"
)
_NUMBERING = re.compile(r"\(?\b1[.):\-]?\s{0,2}$")


@cache
def _lists() -> dict[str, frozenset[str]]:
    """The BIP 39 word lists by language, composed (NFC) and in lower case."""
    return {
        name: frozenset(unicodedata.normalize("NFC", word).lower() for word in Mnemonic(name).wordlist)
        for name in _LANGUAGES
    }


@cache
def _languages_of() -> dict[str, int]:
    """Every word of the lists, with a bit for each language that has it."""
    known: dict[str, int] = {}
    for bit, words in enumerate(_lists().values()):
        for word in words:
            known[word] = known.get(word, 0) | 1 << bit
    return known


@cache
def _chinese() -> frozenset[str]:
    return frozenset(Mnemonic("chinese_simplified").wordlist) | frozenset(Mnemonic("chinese_traditional").wordlist)


def is_mnemonic(text: str) -> bool:
    """Whether a message is nothing but words of the BIP 39 lists (perhaps numbered): a piece of a phrase."""
    if len(text) > 240:
        return False
    known, words = _languages_of(), 0
    for part in text.lower().split():
        word = part.strip(".,;:()-0123456789")
        if word and word not in known and unicodedata.normalize("NFC", word) not in known:
            return False
        words += bool(word)
    return words > 0


def find_seeds(folded: Folded) -> Iterator[Hit]:
    """Runs of mnemonic words, one after another or as a numbered list, in any language of BIP 39."""
    named = _SEED_WORD.search(folded.low)
    runs = list(_runs(folded, named.end() if named else 0, 8 if named else _FEWEST))
    yield from runs
    if not folded.low.isascii():
        for match in _CJK_WORDS.finditer(folded.low):
            signs = set(re.findall(rf"[{CJK}]", match[0]))
            if len(signs) >= _DISTINCT and signs <= _chinese():
                yield _hit(*match.span(), rank=90)
    if named and not runs:
        yield from _told(folded, named.end())


def _runs(folded: Folded, told: int, fewest: int) -> Iterator[Hit]:
    """Maximal runs of words of one language's list with nothing but numbering and separators between."""
    low, known = folded.low, _languages_of()
    if not told and len(known.keys() & set(_WORDS.findall(unicodedata.normalize("NFC", low)))) < _DISTINCT:
        return
    run: list[tuple[int, int]] = []
    common = 0
    for word in _WORDS.finditer(low):
        bits = known.get(word[0], 0) or known.get(unicodedata.normalize("NFC", word[0]), 0)
        gap = low[run[-1][1] : word.start()] if run else ""
        joined = bool(run) and bits & common and _BETWEEN.fullmatch(gap) and not _FIRST.search(gap)
        if joined:
            run.append(word.span())
            common &= bits
            continue
        yield from _run_hit(low, run, told, fewest)
        run, common = ([word.span()], bits) if bits else ([], 0)
    yield from _run_hit(low, run, told, fewest)


def _run_hit(low: str, run: list[tuple[int, int]], told: int, fewest: int) -> Iterator[Hit]:
    if run and run[0][0] < told < run[-1][0]:  # the words for it, as "recovery phrase", are in the lists too
        run = [word for word in run if word[0] >= told]
    words = [low[start:end] for start, end in run]
    while words and words[0] in _INTRODUCES and len(words) not in _COUNTS:
        words, run = words[1:], run[1:]
    is_complete = told > 0 and len(words) in _COUNTS  # even if one word is repeated, as in the test vectors
    if len(words) < fewest or (not is_complete and len(set(words)) < min(_DISTINCT, len(words) - 1)):
        return
    if sum(word in _PROSE for word in words) > max(2, len(words) // 4):
        return
    start = run[0][0]
    numbering = _NUMBERING.search(low[max(0, start - 6) : start])
    yield _hit(start - len(numbering[0]) if numbering else start, run[-1][1], rank=90)


_LISTED = re.compile(
    r"[\s:=\-是\"']{0,6}(?P<words>(?:\(?\d{0,2}[.):]?\s{0,2}[a-z]{3,10}[\s,;.\-]{1,3}){11,32}[a-z]{3,10}(?!"
    r"[a-z])|(?:\(?\d{0,2}[.):]?\s{0,2}[а-я]{3,12}[\s,;.\-]{1,3}){11,32}[а-я]{3,12}(?![а-я]))"
)
_GRAMMAR = word_set(
    "the and for you that with this have was are not but what all your from они что это как для так все его она"
)


def _told(folded: Folded, at: int) -> Iterator[Hit]:
    """After a word for it: twelve and more plain words of any list (Monero, SLIP-39), or Chinese without spaces."""
    low = folded.low
    listed = _LISTED.match(low, at)
    if listed:
        words = _WORDS.findall(listed["words"])
        if len(set(words)) >= _DISTINCT and not _GRAMMAR & set(words):
            yield _hit(*listed.span("words"), rank=88)
    for match in _CJK_TIGHT.finditer(low, at, at + 60):
        if len(match[0]) in (12, 15, 18, 21, 24) and set(match[0]) <= _chinese():
            yield _hit(*match.span(), rank=88)
