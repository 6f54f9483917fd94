"""What a person is told before the first reply: that a program answers; once, in the owner's language.

Knows nothing of Telegram.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sqlite_utils import Database

from twin.language import FALLBACK, of_owner
from twin.sections import UNNAMED
from twin.settings import Settings
from twin.store import Store

_LINES = {
    "en": "This is a digital twin of {name}: a program that writes as they do.",
    "ru": "Здесь отвечает программа, цифровой двойник. Она пишет так же, как {name}.",
    "uk": "Тут відповідає програма, цифровий двійник. Вона пише так само, як {name}.",
    "zh": "这是{name}的数字分身：一个像{name}那样写消息的程序。",
    "de": "Das ist ein digitaler Zwilling von {name}: ein Programm, das so schreibt wie {name}.",
    "es": "Esto es un gemelo digital de {name}: un programa que escribe como {name}.",
    "fr": "Ceci est un jumeau numérique : un programme qui écrit comme {name}.",
    "it": "Questo è un gemello digitale di {name}: un programma che scrive come {name}.",
    "pt": "Isto é um gémeo digital de {name}: um programa que escreve como {name}.",
    "pl": "To cyfrowy bliźniak: program, który pisze tak jak {name}.",
    "tr": "Bu bir dijital ikiz: {name} gibi yazan bir program.",
    "ar": "هذا توأم رقمي: برنامج يكتب بأسلوب {name}.",
    "fa": "این یک همزاد دیجیتال است: برنامه‌ای که به سبک {name} می‌نویسد.",
    "he": "זהו תאום דיגיטלי: תוכנה שכותבת כמו {name}.",
    "hi": "यह एक डिजिटल जुड़वाँ है: एक प्रोग्राम जो {name} की तरह लिखता है।",
    "id": "Ini kembaran digital {name}: program yang menulis seperti {name}.",
    "ja": "これは{name}のデジタルツインです。{name}のように書くプログラムです。",
    "ko": "{name}의 디지털 트윈입니다. {name}처럼 글을 쓰는 프로그램입니다.",
}
_NAMELESS = "This is a digital twin: a program that writes as its owner does."


def line(language: str, name: str) -> str:
    """The line in a language (ISO 639-1), in English if there are no words in it, or no name to put in."""
    if name == UNNAMED:
        return _NAMELESS
    return (_LINES.get(language) or _LINES[FALLBACK]).format(name=name)


class Disclosure:
    """Who was told already, over rows of `bot_people`; the line is made once.

    Args:
        clock: gives the time as UTC epoch seconds.
    """

    def __init__(self, settings: Settings, db: Database, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._db = db
        self._clock = clock
        self._line: str | None = None

    def is_due(self, user_id: int) -> bool:
        """Whether somebody was never told, and is to be."""
        if not self._settings.telegram.disclosure:
            return False
        told = self._db.execute(
            "select 1 from bot_people where user_id = ? and disclosed_at is not null", [user_id]
        ).fetchone()
        return told is None

    async def line(self) -> str:
        """What to tell; the first time the owner's language may have to be found, in a thread."""
        if self._line is None:
            self._line = await asyncio.to_thread(self._made)
        return self._line

    def told(self, user_id: int) -> None:
        """They know now."""
        self._db.execute(
            "insert into bot_people (user_id, disclosed_at) values (?, ?)"
            " on conflict (user_id) do update set disclosed_at = excluded.disclosed_at",
            [user_id, self._clock()],
        )

    def forget(self, user_id: int) -> None:
        """They are told again before the next reply."""
        self._db.execute("update bot_people set disclosed_at = null where user_id = ?", [user_id])

    def _made(self) -> str:
        name = self._settings.owner.name
        if name == UNNAMED:
            return line(FALLBACK, name)
        with Store.of(self._settings) as store:
            return line(of_owner(store.db, self._settings), name)
