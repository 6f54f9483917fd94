"""What people write when they will answer in a moment, by language; and which of it the owner writes.

Knows nothing of when it is said. Words of the owner's are counted here, and none is kept but one phrase of this list.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from twin.language import FALLBACK, of_owner

if TYPE_CHECKING:
    from sqlite_utils import Database

    from twin.settings import Settings

_WORDS = {
    "en": "one sec | 1 sec | sec | one moment | gimme a sec | just a sec | hold on | wait",
    "ru": "секунду | сек | секундочку | минутку | минуту | щас | сейчас | погоди",
    "uk": "секунду | сек | секундочку | хвилинку | хвилину | зараз | почекай",
    "zh": "稍等 | 等下 | 等一下 | 等等 | 等我一下",
    "de": "sekunde | moment | moment mal | kurz warten | warte | gleich",
    "es": "un segundo | un seg | un momento | espera | ahora te digo | dame un segundo",
    "fr": "une seconde | 2 sec | deux secondes | attends | un instant | une minute",
    "it": "un secondo | un attimo | aspetta | 2 sec | un momento",
    "pt": "um segundo | só um segundo | um momento | espera | já te digo | peraí",
    "pl": "sekunda | sek | chwila | moment | czekaj | zaraz",
    "tr": "bir saniye | 1 sn | bi saniye | bekle | bir dakika",
    "ar": "ثانية | لحظة | ثواني | دقيقة | استنى",
    "fa": "یه لحظه | یه ثانیه | یه دقیقه | صبر کن | الان",
    "he": "שנייה | שניה | רגע | דקה | חכה רגע",
    "hi": "एक सेकंड | ek sec | एक मिनट | ek min | रुको | ruko",
    "id": "bentar | sebentar | bentar ya | tunggu | sebentar ya",
    "ja": "ちょっと待って | ちょい待ち | 待って | ちょっとまって | 少々お待ちを",
    "ko": "잠깐만 | 잠시만 | 잠만 | 잠깐 | 기다려봐",
}
PHRASES = {language: tuple(words.split(" | ")) for language, words in _WORDS.items()}
"""By language (ISO 639-1); the first is said by who was never seen to write any."""

_CLOSING = " .!…。！,"  # what may follow: the phrase is the same
_LONGEST = max(len(phrase) for phrases in PHRASES.values() for phrase in phrases) + 3


def owners_phrase(db: Database, settings: Settings) -> str:
    """The phrase of the owner's language that they wrote most often as a whole message, in their own spelling.

    Equally often: the first of the list; never any: its first, in English if the language has no list.
    """
    phrases = PHRASES.get(of_owner(db, settings)) or PHRASES[FALLBACK]
    written: dict[str, Counter[str]] = {phrase: Counter() for phrase in phrases}
    rows = db.execute(
        "select text, count(*) from messages where is_owner and length(text) between 1 and ? and media is null"
        " and forwarded_from is null and via_bot is null and deleted_at is null group by text",
        [_LONGEST],
    )
    for text, count in rows:
        said = text.strip()
        if (spellings := written.get(said.casefold().rstrip(_CLOSING))) is not None:
            spellings[said] += count
    phrase, spellings = max(written.items(), key=lambda item: item[1].total())
    return min(spellings, key=lambda said: (-spellings[said], said)) if spellings else phrase
