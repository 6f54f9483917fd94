"""Which language is spoken in chat messages: a guess for many lines, the owner's language, shares for reports.

Knows nothing of dialogs, prompts or what is done with the answer; what it cannot tell it leaves without a language.

Scripts of one language (Hangul, Hebrew, Thai ...) need no model. For the rest py3langid's naive Bayes over byte n-grams
(Lui & Baldwin 2012, "langid.py") ranks the languages that are written in that script.
"""

from __future__ import annotations

import copy
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlite_utils import Database

    from twin.settings import Settings

FALLBACK = "en"
UNKNOWN = "und"  # ISO 639's own code for "undetermined"

_SAMPLE = 400  # texts looked at, evenly spaced over those given
_CUT = 300  # characters read of one text, so that a pasted article does not outvote a person
_CHUNK = 150  # letters ranked at once: enough to be sure, few enough to follow a change of language
_SHORT_CHUNK = 50
_MIN_LETTERS = 6
_SURE, _VERY_SURE = 0.5, 0.9  # of 760 samples of five lines, the 7 that were misnamed all had less than 0.5
_SPOKEN = 0.03  # a language with a smaller share of the letters is taken for a mistake
_OWNER_MESSAGES = 500

_NOISE = re.compile(
    r"```.*?```|`[^`]*`"  # code
    r"|\w+://\S+|www\.\S+|\S+@\S+|(?<!\w)[@#/]\w+"  # links, addresses, names, tags, commands
    r"|\[[^\]\n]{1,40}\]"  # placeholders such as [photo]
    r"|[^\W\d]*\d\w*",  # numbers, and words with digits in them
    re.DOTALL,
)
_STRETCH = re.compile(r"(\w)\1{2,}")  # "sooooo", "ааааа"
_EAST_ASIAN = {"HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"}
_DENSE = {"CJK", "HANGUL"}  # a letter says about as much as three elsewhere
_ONE_LANGUAGE = {
    "HANGUL": "ko",
    "HEBREW": "he",
    "GREEK": "el",
    "THAI": "th",
    "GEORGIAN": "ka",
    "ARMENIAN": "hy",
    "BENGALI": "bn",
    "GUJARATI": "gu",
    "GURMUKHI": "pa",
    "TAMIL": "ta",
    "TELUGU": "te",
    "KANNADA": "kn",
    "MALAYALAM": "ml",
    "SINHALA": "si",
    "KHMER": "km",
    "LAO": "lo",
    "MYANMAR": "my",
    "ETHIOPIC": "am",
}
_CANDIDATES = {
    "LATIN": "af az bs ca cs cy da de en es et eu fi fr gl ha hr hu id is it lt lv ms nl no pl pt ro sk sl sq sr sv sw"
    " tl tr uz vi xh yo zu",
    "CYRILLIC": "ba be bg kk ky mk mn ru sr tg tt uk",
    "ARABIC": "ar fa ku ps ug ur",
    "DEVANAGARI": "hi mr ne",
}
# Everyday words of two languages that millions type in Latin letters; no model that was compared knows their lines.
_ROMANISED = {
    "ru": "privet chto eto kak tebe tebya mne menya uzhe segodnya zavtra spasibo pozhaluista tolko davai davay horosho"
    " nichego pochemu kogda budu budet mozhet kto gde ochen zdes seichas schas skazal dumayu kazhetsya izvini smotri"
    " normalno tozhe esli vecherom",
    "hi": "hai hain nahi nahin kya kyun kaise kaisi kahan mujhe meri tera teri tumhara aur bhi mein hoon raha rahi"
    " karna karta karti accha acha theek thik yaar abhi phir woh jao gaya gayi kal baat",
}
_ROMANISED_WORDS = {language: frozenset(words.split()) for language, words in _ROMANISED.items()}
_ROMANISED_SHARE, _ROMANISED_LEAST = 0.15, 3

_NAMES = (
    "af Afrikaans|am Amharic|ar Arabic|az Azerbaijani|ba Bashkir|be Belarusian|bg Bulgarian|bn Bengali|bs Bosnian"
    "|ca Catalan|cs Czech|cy Welsh|da Danish|de German|el Greek|en English|es Spanish|et Estonian|eu Basque"
    "|fa Persian|fi Finnish|fr French|gl Galician|gu Gujarati|ha Hausa|he Hebrew|hi Hindi|hr Croatian"
    "|hu Hungarian|hy Armenian|id Indonesian|is Icelandic|it Italian|ja Japanese|ka Georgian|kk Kazakh|km Khmer"
    "|kn Kannada|ko Korean|ku Kurdish|ky Kyrgyz|lo Lao|lt Lithuanian|lv Latvian|mk Macedonian|ml Malayalam"
    "|mn Mongolian|mr Marathi|ms Malay|my Burmese|ne Nepali|nl Dutch|no Norwegian|pa Punjabi|pl Polish|ps Pashto"
    "|pt Portuguese|ro Romanian|ru Russian|si Sinhala|sk Slovak|sl Slovenian|sq Albanian|sr Serbian|sv Swedish"
    "|sw Swahili|ta Tamil|te Telugu|tg Tajik|th Thai|tl Tagalog|tr Turkish|tt Tatar|ug Uyghur|uk Ukrainian"
    "|ur Urdu|uz Uzbek|vi Vietnamese|xh Xhosa|yo Yoruba|zh Chinese|zu Zulu|und cannot be told"
)
_NAME_OF = dict(entry.split(" ", 1) for entry in _NAMES.split("|"))


@dataclass(frozen=True, slots=True)
class _Line:
    """The words of one message, lower case; `script` is None when there are none."""

    words: str
    script: str | None
    letters: int


def guess(texts: Sequence[str]) -> str | None:
    """The language that most is said in, as ISO 639-1; None when there is too little to tell.

    Links, code, emoji, numbers and placeholders do not count.

    Args:
        texts: messages of any length, any order; of more than 400, 400 evenly spaced ones are read.
    """
    lines = [line for line in _read(texts) if line.script]
    by_script: Counter[str] = Counter()
    for line in lines:
        by_script[line.script or ""] += line.letters * (3 if line.script in _DENSE else 1)
    if not by_script:
        return None
    script, weight = _largest(by_script)
    if weight < _MIN_LETTERS:
        return None
    mine = [line for line in lines if line.script == script]
    totals: Counter[str] = Counter()
    for chunk, letters in _chunks(mine, _CHUNK):
        for language, probability in _rank(chunk, script).items():
            totals[language] += round(letters * probability * 1000)
    language, total = _largest(totals) if totals else (UNKNOWN, 0)
    return language if total >= _SURE * 1000 * sum(line.letters for line in mine) else None


def shares(texts: Sequence[str]) -> dict[str, float]:
    """Which share of the messages is in which language, largest first; they sum to 1, and are empty for no texts.

    What is spoken is found in longer runs; short messages go to the likeliest of those languages. What cannot be told
    (an emoji, a link, an unknown script) is under "und".

    Args:
        texts: one a message; of more than 400, 400 evenly spaced ones are read.
    """
    lines = _read(texts)
    spoken = {
        script: _spoken([line for line in lines if line.script == script], script)
        for script in {line.script for line in lines if line.script}
    }
    counts = Counter(_of_line(line, spoken.get(line.script or "", set())) for line in lines)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return {language: count / len(lines) for language, count in ordered}


def name_of(code: str) -> str:
    """What a language is called in English; the code itself for one that is never guessed."""
    return _NAME_OF.get(code, code)


def of_owner(db: Database, settings: Settings) -> str:
    """The owner's language (ISO 639-1): what the settings say, else a guess from their newest 500 messages, or "en"."""
    told: str | None = getattr(settings.owner, "language", None)
    if told:
        return told
    rows = db.execute(
        "select text from messages where is_owner and text <> '' and forwarded_from is null and via_bot is null"
        " order by sent_at desc, chat_id, message_id desc limit ?",
        [_OWNER_MESSAGES],
    )
    return guess([text for (text,) in rows]) or FALLBACK


def _read(texts: Sequence[str]) -> list[_Line]:
    step = max(1.0, len(texts) / _SAMPLE)
    return [_line(texts[int(i * step)]) for i in range(min(len(texts), _SAMPLE))]


def _line(text: str) -> _Line:
    kept = _NOISE.sub(" ", unicodedata.normalize("NFC", text[: 4 * _CUT]))[:_CUT].lower()
    kept = "".join(c if c.isalpha() or c in "'’\u200c" or unicodedata.category(c)[0] == "M" else " " for c in kept)
    words = _STRETCH.sub(r"\1\1", " ".join(kept.split()))
    scripts = Counter(_script(letter) for letter in words if letter.isalpha())
    return _Line(words, _largest(scripts)[0] if scripts else None, scripts.total())


@cache
def _script(letter: str) -> str:
    """The first word of a letter's name in Unicode; kana and Chinese characters are one script here."""
    first = unicodedata.name(letter, "UNKNOWN").split(" ")[0]
    return "CJK" if first in _EAST_ASIAN else first


def _chunks(lines: Sequence[_Line], letters: int) -> Iterator[tuple[str, int]]:
    """Lines joined until they have so many letters, with how many they have."""
    chunk: list[str] = []
    size = 0
    for line in lines:
        chunk.append(line.words)
        size += line.letters
        if size >= letters:
            yield "\n".join(chunk), size
            chunk, size = [], 0
    if chunk:
        yield "\n".join(chunk), size


def _spoken(lines: Sequence[_Line], script: str) -> set[str]:
    """The languages of these lines of one script that are surely there."""
    totals: Counter[str] = Counter()
    for chunk, letters in _chunks(lines, _SHORT_CHUNK):
        ranked = _rank(chunk, script)
        if ranked and max(ranked.values()) >= _SURE:
            totals[_best(ranked)] += letters
    return {language for language, letters in totals.items() if letters >= _SPOKEN * totals.total()}


def _of_line(line: _Line, spoken: set[str]) -> str:
    if not line.script or not spoken:
        return UNKNOWN
    ranked = _rank(line.words, line.script)
    if line.letters >= _SHORT_CHUNK / 2 and ranked[_best(ranked)] >= _VERY_SURE:
        return _best(ranked)
    words = set(line.words.split())
    for language in sorted(spoken & _ROMANISED.keys()):
        if line.script == "LATIN" and words & _ROMANISED_WORDS[language]:
            return language
    return _best({language: ranked.get(language, 0.0) for language in spoken})


def _rank(words: str, script: str) -> dict[str, float]:
    """Probabilities of the languages of one script, summing to 1; empty for a script nobody here knows."""
    if script in _ONE_LANGUAGE:
        return {_ONE_LANGUAGE[script]: 1.0}
    if script == "CJK":
        return _rank_east_asian(words)
    if script not in _CANDIDATES:
        return {}
    if script == "LATIN" and (romanised := _romanised(words.split())):
        return {romanised: 1.0}
    return dict(_model(script).rank(words))


def _rank_east_asian(words: str) -> dict[str, float]:
    """Japanese has kana, at the latest after a few words; Chinese has none but for show."""
    letters = [letter for letter in words if letter.isalpha()]
    kana = sum(unicodedata.name(letter, "").split(" ")[0] in _EAST_ASIAN for letter in letters)
    if kana * 10 >= len(letters):
        return {"ja": 1.0}
    japanese = 0.4 * 0.8 ** len(letters)
    return {"zh": 1.0 - japanese, "ja": japanese}


def _romanised(words: Sequence[str]) -> str | None:
    for language, known in _ROMANISED_WORDS.items():
        found = [word for word in words if word in known]
        if len(set(found)) >= _ROMANISED_LEAST and len(found) >= _ROMANISED_SHARE * len(words):
            return language
    return None


@cache
def _model(script: str | None) -> Any:
    """py3langid's classifier over the languages of one script; None for all. The tables are read once (0.8 s)."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    if script is None:
        return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    model = copy.copy(_model(None))  # the tables are shared: set_languages makes views of its own
    model.set_languages(_CANDIDATES[script].split())
    return model


def _best(ranked: Mapping[str, float]) -> str:
    return min(ranked, key=lambda language: (-ranked[language], language))


def _largest(counts: Counter[str]) -> tuple[str, int]:
    return min(counts.items(), key=lambda item: (-item[1], item[0]))
