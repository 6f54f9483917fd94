"""Passwords, PINs and door codes as people write them in chats: after the word for it, before it, or in pairs with a login.

Knows nothing of one-time codes and keys of programs; it reads one message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import partial

from twin.privacy.clues import word_set
from twin.privacy.folding import Folded
from twin.privacy.spans import Hit
from twin.privacy.values import CJK, TOKEN, Shape, classes, counts_something, shape, trim
from twin.privacy.vocabulary import (
    CHANGED,
    CONNECTED,
    FILLERS,
    IS,
    KEYS,
    NO_VALUE,
    RESERVED_USERS,
    SERVICES,
    Key,
    is_description,
)

_hit = partial(Hit, label="PASSWORD")
_REACH = 130  # characters after a key word in which its value may stand
_WORDS = 12  # words between them


class Link(Enum):
    """How firmly a sentence says that the value comes now."""

    NEXT = 0
    IS = 1
    COLON = 2


@dataclass(slots=True)
class _Reading:
    """Where the reader is: the link just before the next word, and what it came across since the key word."""

    link: Link = Link.NEXT
    words: int = 0
    broke: bool = False
    changed: bool = False
    found: bool = False
    preposition: bool = False
    went_on: bool = False
    beside_login: bool = False
    short_form: bool = False
    asked_for: bool = False


_GLUE = re.compile(
    r"\s*(?P<colon>(?:[:=]|->|=>|>)+)|(?P<is>'s\b|\s*-(?=\s))|(?P<stop>[?!.,;)]+(?![^\s?!.,;)]))"
    r"|\s*(?P<slash>/)|(?P<dash>-)"
)
_ARROWS = {":", "=", "->", "=>", "-->", "==", ">", ">>", ":-", "=:", "~"}
_PREPOSITIONS = {
    "от",
    "на",
    "для",
    "к",
    "в",
    "с",
    "из",
    "for",
    "to",
    "on",
    "of",
    "in",
    "from",
    "at",
    "für",
    "de",
    "du",
    "do",
    "del",
    "di",
}
_CJK_IS = re.compile(r"(?:是|为|為|就是|改成了?|改为了?|换成了?|设成了?|设为了?|设置成了?|变成了?|用的?)$")
_DOOR_CODE = re.compile(r"[#*]?[0-9]{2,5}[a-zA-Zа-яА-Я]{1,2}[0-9]{0,5}[#*]?(?<=.{4})")
_DATE = re.compile(r"(?:19|20)\d\d-\d\d?-\d\d?|\d\d?[.-]\d\d?[.-](?:19|20)?\d\d")
_YEAR = re.compile(r"(?:19|20)\d\d")


_ONE_TIME = re.compile(r"(?:one[ -]?time|otp|temporary sms|одноразов\w{2,3}|смс-?|sms-?|短信|动态|一次性)\s?$")


_FROM_TEXT = re.compile(r"\s(?:из|с|from|in)\s(?:the\s)?(?:смс|sms|text)")
# "login/pass: mark / Qwerty1": the first word is the login.
_LOGIN_AND = re.compile(
    r"(?:login|user(?:name)?|account|e?mail|id|логин|почта|имя|аккаунт|账号|帐号|账户|用户名?)\s?(?:[/|&+,]|and|и"
    r"|和)?\s?$"
)
_LOGIN_THEN = re.compile(
    r"\s*[:=\-]\s*(?P<user>[^\s/|:;,]{2,60})\s*(?:[/|:;,]|\s)\s*(?P<value>[^\s\u4e00-\u9fff]{4,64})"
)


_BESIDE_LOGIN = re.compile(
    r"(?:login|user(?:name)?|network|ssid|account|логин|сеть|имя|юзер|账号|帐号|用户名"
    r"|名字)\W{1,3}(?:is\W)?[^\s,;/]{2,40}[\s,;/]{1,3}(?:and\s|with\s|и\s)?$"
)
_SHORT_FORMS = frozenset({"pw", "pwd", "psw", "pswd", "passwd"})


def find_passwords(folded: Folded) -> Iterator[Hit]:
    """Every password, PIN and door code of a message, perhaps more than once."""
    for match in KEYS.finditer(folded.low):
        key = Key[match.lastgroup or "word"]
        if (
            key is Key.verb
            or _ONE_TIME.search(folded.before(match.start(), 16))
            or _FROM_TEXT.match(folded.low, match.end())
        ):
            continue
        if _LOGIN_AND.search(folded.before(match.start(), 14)):
            pair = _LOGIN_THEN.match(folded.text, match.end())
            if pair:
                yield _hit(*trim(folded.text, *pair.span("value")), rank=66)
                continue
        before = folded.before(match.start(), 60)
        reading = _Reading(
            changed=bool(CHANGED.search(before[-24:])),
            beside_login=bool(_BESIDE_LOGIN.search(before)),
            short_form=match[0] in _SHORT_FORMS,
        )
        yield from _after(folded, match.end(), key, reading)
        yield from _before(folded, match.start(), len(match[0]), key)


def _after(folded: Folded, at: int, key: Key, reading: _Reading) -> Iterator[Hit]:
    """Read on from a key word: the value is the first word that the sentence, or its shape, makes one."""
    position = _glued(folded.low, at, reading)
    end = at + _REACH
    before: str = ""
    for token in TOKEN.finditer(folded.text, position, end):
        start, stop = token.span()
        gap = folded.text[position:start]
        if start == position and before == "":
            gap = ""
        if "\n" in gap and reading.words == 0 and reading.link is Link.NEXT:
            reading.link = Link.IS
        if stop == end and end < len(folded.text):  # cut by the reach: read it whole
            whole = TOKEN.match(folded.text, start, start + 80)
            stop = whole.end() if whole else stop
        position = stop
        if reading.words > _WORDS:
            return
        value = _quoted(folded.text, start, key, reading) or trim(folded.text, start, stop)
        if not reading.found or CONNECTED.search(before):
            if _is_value(folded, value, key, reading):
                yield _hit(*value, rank=60 + 2 * reading.link.value)
                reading.found, reading.link, position = True, Link.NEXT, max(stop, value[1])
                before = ""
                continue
        elif reading.found and not CONNECTED.search(folded.low[start:stop]):
            return
        _step(folded, start, stop, reading)
        before = folded.low[start:stop]


def _glued(low: str, at: int, reading: _Reading) -> int:
    """What is written at the very end of the key word: "password:", "passcode's", "code?"."""
    match = _GLUE.match(low, at)
    if match is None:
        return at
    if match["colon"]:
        reading.link = Link.COLON
    elif match["is"]:
        reading.link = Link.IS
    elif match["stop"]:
        reading.broke = True
        reading.link = Link.IS if "?" in match["stop"] else Link.NEXT
    elif match["dash"]:
        reading.preposition = True  # "password-manager": only what its shape alone makes a secret
    return match.end()


def _step(folded: Folded, start: int, stop: int, reading: _Reading) -> None:
    """Take a word that is no value into account."""
    word = folded.low[start:stop]
    bare = word.strip(".,;:!?()\"'…")
    reading.words += 1 if re.match(rf"[^{CJK}]", word) else max(1, len(word) // 3)
    reading.preposition = bare in _PREPOSITIONS
    reading.asked_for = reading.asked_for or reading.preposition
    reading.went_on = reading.went_on or bare in {"and", "but", "because", "so", "и", "но", "а", "und", "et", "y"}
    reading.changed = reading.changed or bool(CHANGED.search(word))
    if word in _ARROWS or word.endswith((":", "=", "->")):
        reading.link = Link.COLON
    elif (
        (bare in IS and not (bare in {"its", "it's", "thats", "that's"} and reading.words > 1 and not reading.broke))
        or word == "-"
        or _CJK_IS.search(word)
        or (reading.changed and bare in {"на", "to", "as", "в", "auf", "a", "en"})
    ):
        reading.link = Link.IS
    elif word in {"/", "|", ","} or bare in {"now", "just", "still", "actually", "просто", "щас", "сейчас", "снова"}:
        pass
    else:
        reading.link = Link.NEXT
    if word.endswith((".", "!", "?", ";")) or folded.text[stop : stop + 1] in "。！？；\n":
        reading.broke = True


def _quoted(text: str, start: int, key: Key, reading: _Reading) -> tuple[int, int] | None:
    """What stands between quotes that open here; more than a word only where a phrase is told."""
    quote = text[start]
    if quote not in "\"'":
        return None
    end = text.find(quote, start + 1, start + 66)
    if end <= start + 3 or "\n" in text[start:end]:
        return None
    told = reading.link is not Link.NEXT and key in (Key.word, Key.phrase)
    return (start + 1, end) if told or not re.search(r"\s", text[start:end]) else None


def _is_value(folded: Folded, value: tuple[int, int], key: Key, reading: _Reading) -> bool:
    """Whether this word is the secret that the key word promised."""
    text = folded.text[slice(*value)]
    if key is Key.door and _DOOR_CODE.fullmatch(text) and not reading.broke:
        return True
    kind = shape(text, named=reading.link is not Link.NEXT or (reading.words == 0 and not reading.broke))
    if kind >= Shape.STRONG:
        return _strong_is_value(folded, value, key, reading, kind)
    if kind is Shape.DIGITS:
        return _digits_are_value(folded, value, key, reading)
    if kind is Shape.WORD:
        return _word_is_value(folded, value, key, reading)
    return False


def _strong_is_value(folded: Folded, value: tuple[int, int], key: Key, reading: _Reading, kind: Shape) -> bool:
    text = folded.text[slice(*value)]
    if text.lower() in SERVICES or text.lower() in NO_VALUE:
        return False
    if reading.link is not Link.NEXT or kind is Shape.SURE:
        return True
    if key in (Key.short, Key.door):
        return reading.words <= 2 and len(text) >= 4 and (key is Key.door or reading.words == 0 or classes(text) > 2)
    if reading.broke and len(text) < 8:
        return False
    if (
        reading.preposition and not reading.changed
    ):  # "пароль от Home_24": what the password is for, unless it ends here
        return folded.after(value[1], 40).strip(" .!)") == "" and any(map(str.isdecimal, text)) and len(text) >= 7
    return len(text) >= 5 or (reading.words == 0 and len(text) >= 4)


def _digits_are_value(folded: Folded, value: tuple[int, int], key: Key, reading: _Reading) -> bool:
    text = folded.text[slice(*value)]
    digits = sum(map(str.isdecimal, text))
    after = folded.after(value[1], 16)
    if (
        digits < 3
        or digits > 14
        or (_DATE.fullmatch(text) and key is not Key.door)
        or counts_something(after)
        or re.match(r"[.,:/]\d", after)
    ):
        return False
    if reading.link is Link.COLON:
        return True
    if reading.link is Link.IS:
        return digits >= (3 if key is Key.door or "#" in text or "*" in text else 4) and not (
            key is Key.short and bool(_YEAR.fullmatch(text))
        )
    if reading.words == 0:
        return digits >= (3 if key is Key.door else 4)
    if reading.broke or (_YEAR.fullmatch(text) and key is not Key.pin):
        return False
    if reading.asked_for and reading.words <= 3 and digits >= 4 and _ends(folded, value[1]):
        return True  # "пароль на телефоне 1111", "password for the ipad 1234"
    near = reading.words <= (4 if key in (Key.pin, Key.door, Key.word) else 1)
    return near and digits >= (4 if key in (Key.pin, Key.door) else 5)


def _word_is_value(folded: Folded, value: tuple[int, int], key: Key, reading: _Reading) -> bool:
    """A word of letters alone is a password only where the sentence leaves no other reading."""
    start, end = value
    text = folded.text[start:end]
    low = folded.low[start:end].rstrip("!")
    if len(low) < 4 or low in NO_VALUE or key in (Key.pin, Key.door):
        return False
    if (
        reading.words == 0
        and not reading.broke
        and (reading.beside_login or (reading.short_form and not folded.after(end, 9).strip(" .!)")))
    ):
        return not is_description(low) and _ends(folded, end)
    if low in SERVICES:
        return False
    if start and folded.text[start - 1] in "\"'" and reading.link is not Link.NEXT:
        return True
    cyrillic = bool(re.search(r"[а-я]", folded.low[max(0, start - 40) : start]))
    chinese = bool(re.search(rf"[{CJK}]", folded.low[max(0, start - 12) : start]))
    foreign = text.isascii() and (cyrillic or chinese)
    if reading.link is Link.COLON:
        return not reading.broke or foreign
    if is_description(low) or key is Key.short or reading.broke or reading.went_on:
        return False
    if key is Key.phrase or foreign:
        return reading.link is Link.IS or (reading.words == 0 and _ends(folded, end))
    return reading.link is Link.IS and text.isascii() and len(low) >= 5 and _ends(folded, end)


def _ends(folded: Folded, end: int) -> bool:
    """Whether the clause is over, or goes on with words that say nothing more about the value."""
    after = folded.after(end, 24)
    word = re.match(r"\s*([^\W\d_]+)", after)
    return word is None or word[1] in FILLERS or bool(re.match(rf"\s*[{CJK}]", after))


_BACK_WORDS = re.compile(
    r"(?x)[\s\"')(,.;:!]* (?:(?:is|was|are|'s|thats|that's|its|it's|the|a|my|our|your|ur|her|his|their|for"
    r"|new|old|current"
    r"|real|right|correct|wifi|wi-fi|login|phone|door|gate|alarm|main|это|вот|мой|наш|твой|и|есть|новый"
    r"|старый|текущий|тот"
    r"|самый|der|das|ist|est|le|la|es|我的?|你的?|家里?的?|是|就是|这是|这个|那个|的|新|老|旧|wifi)(?![a-zа-я])[\s,]* | [-=,(]\s*)*"
    r"$"
)


def _before(folded: Folded, key_at: int, key_length: int, key: Key) -> Iterator[Hit]:
    """The value that stands before its key word: "hunter2 is the password", "Murzik_2015 вот пароль"."""
    low = folded.before(key_at, 60)
    tail = _backwards(low)
    end = key_at - (len(low) - tail)
    begin = max(folded.low.rfind(" ", 0, end), folded.low.rfind("\n", 0, end), end - 65) + 1
    pieces = list(TOKEN.finditer(folded.text, begin, end))
    if not pieces or pieces[-1].end() < end:
        return
    value = trim(folded.text, *pieces[-1].span())
    text = folded.text[slice(*value)]
    alone = not folded.after(key_at + key_length, 99).strip(" .!") and not folded.low[: value[0]].strip(" \"'")
    linked = alone or any(char.isalpha() or char in "-=(" for char in low[tail:].replace("的", ""))
    kind = shape(text)
    if kind >= Shape.STRONG and len(text) >= 6 and linked and text.lower() not in SERVICES and key is not Key.short:
        yield _hit(*value, rank=58)
    elif kind is Shape.DIGITS and linked and key in (Key.pin, Key.door, Key.word) and 4 <= len(text) <= 10:
        if not _YEAR.fullmatch(text) and not _DATE.fullmatch(text) and _says_is(low[tail:]):
            yield _hit(*value, rank=57)


def _backwards(low: str) -> int:
    """Where the words that only tie a value to the key word behind it begin."""
    words = list(re.finditer(rf"[{CJK}]+|[^\s{CJK}]+", low))
    tail = len(low)
    for word in reversed(words[-6:]):
        if not _BACK_WORDS.fullmatch(word[0]):
            return word.end()
        tail = word.start()
    return tail


def _says_is(words: str) -> bool:
    return bool(re.search(r"\bis\b|'s|thats|это|вот|[-=(]|是", words))


_PAIR = re.compile(
    r"(?<![^\s,;:(\"'\u4e00-\u9fff])(?=(?P<user>[^\W_\u4e00-\u9fff][\w.@+-]{1,40})(?:\s?[/|:]\s?"
    r"|\s+)(?P<value>[^\s/|\u4e00-\u9fff\u3000-\u303f\uff0c]{4,40}))"
)
_DEFAULTS = word_set(
    "admin root password pass guest user toor test default letmein changeme secret qwerty welcome raspberry"
)
_LABELS = word_set(
    "wifi wi-fi ssid network login user username account email mail сеть логин вайфай вай-фай имя почта акк "
    "аккаунт доступ pass password"
)
_CREDENTIAL = re.compile(
    r"логин|доступ|учетк|аккаунт|админк|creds|credential|login|log in|user|account|акк\b|wi-?fi|вай-?фай|ssid"
    r"|network|роутер|router"
    r"|账号|帐号|账户|用户名|后台|登录|登陆|vpn|впн"
)


def find_pairs(folded: Folded) -> Iterator[Hit]:
    """Login and password beside one another: "admin / admin2024!", "BTHub-X9 / a8f3kq92mz"."""
    said = bool(_CREDENTIAL.search(folded.low))
    for match in _PAIR.finditer(folded.text):
        user, separator = match["user"].lower(), folded.text[match.end("user") : match.start("value")].strip()
        value = trim(folded.text, *match.span("value"))
        text = folded.text[slice(*value)]
        if (
            user in RESERVED_USERS
            and separator
            and said
            and (text.lower() in _DEFAULTS or re.fullmatch(r"[0-9]{4,12}", text))
        ):
            yield _hit(*value, rank=53)
        if user in _LABELS or shape(text) < Shape.STRONG or (separator == ":" and "@" in text[1:-1] and "." in text):
            continue
        known = user in RESERVED_USERS or "@" in user
        enough = 3 if separator else 2
        if (known and (separator or classes(text) >= enough)) or (
            separator and said and any(map(str.isdecimal, text)) and len(text) >= 6
        ):
            yield _hit(*value, rank=54)


_ONE = re.compile(
    r"(?<![^\s\"'(\u4e00-\u9fff])(?P<value>[^\s\u4e00-\u9fff]{6,40})[\s,\-\"'):]{1,3}(?:(?:is|was|s|это|вот"
    r"|был|будет|是)\s?)?(?:the|our|my|your|ur|мой|наш|теперь)?\s?(?:new|old|current|latest|other|right"
    r"|correct|real|новый|старый|текущий|нов\w+|新的?|旧的?|老的?)\s?(?:one|pw|pass|$|[,.!])"
)
_TRY = re.compile(
    r"(?:\btry|\buse|this one|new one|old one|other one|one is|one was|попробуй|вот этот|вот такой|вот:|новый"
    r"|старый|用这个|试试|试下|这个|(?:changed|set|switched|updated|reset) (?:it|that|them) to|(?:поменял|сменил"
    r"|поставил|изменил)[аи]? (?:его |её |ее )?на|改成了?|换成了?)(?![a-zа-я])"
    r"[\s:\"'>=\-]{0,6}(?P<value>[^\s\u4e00-\u9fff]{6,40})"
)


def find_bare(folded: Folded) -> Iterator[Hit]:
    """Words that their shape alone gives away, and mixed words after "try this one"."""
    for token in TOKEN.finditer(folded.text):
        if token.end() - token.start() < 8:
            continue
        value = trim(folded.text, *token.span())
        if shape(folded.text[slice(*value)]) is Shape.SURE:
            yield _hit(*value, rank=40)
    whole = _ALONE.fullmatch(folded.text)
    if whole and _is_drawn(whole["value"]):
        yield _hit(*whole.span("value"), rank=39)
    for match in _ONE.finditer(folded.low):
        value = trim(folded.text, *match.span("value"))
        if shape(folded.text[slice(*value)]) >= Shape.STRONG and classes(folded.text[slice(*value)]) >= 3:
            yield _hit(*value, rank=42)
    for match in _TRY.finditer(folded.low):
        value = trim(folded.text, *match.span("value"))
        text = folded.text[slice(*value)]
        if shape(text) >= Shape.STRONG and classes(text) >= 3 and any(map(str.isdecimal, text)):
            yield _hit(*value, rank=41)


_ALONE = re.compile(r"\s*(?P<value>[^\s\u4e00-\u9fff]{8,32})\s*")


def _is_drawn(value: str) -> bool:
    """A word that is the whole message: signs, small letters and digits that change places more than once."""
    signs = set(value) & set("!@#$%^&*()+=")
    changes = len(re.findall(r"[a-zA-Z][0-9]|[0-9][a-zA-Z]|[^\W_][!@#$%^&*()+=]|[!@#$%^&*()+=][^\W_]", value))
    cased = any(map(str.isupper, value)) and any(map(str.islower, value))
    if not cased or value[0] in "#@" or value.rstrip("!?1").isalpha():
        return False
    return (
        bool(signs)
        and value.isascii()
        and changes >= 3
        and shape(value) is Shape.STRONG
        and value.rstrip("!?1")[-1:].isalnum() | (changes >= 4)
    )


_TYPED_IN = re.compile(
    r"(?:\benter|\bpunch in|\btype|\bdial|\bpress|\bkey in|\bput in|набери|набирай|введи|вбей|жми|нажми|输入"
    r"|按)\s?(?P<value>[#*]?[0-9][0-9a-zа-я]{2,9}[#*]?)\s?(?:at|on|in|into|to open|на|в|у|чтобы|для|进|开"
    r"|就)\s?(?:the\s|our\s|нашем?\s)?(?:\w+\s)?(?:gate|door|keypad|panel|lock|alarm|buzzer|intercom|домофон"
    r"|калитк|подъезд|двер|панел|замк|门|锁)"
)


def find_typed_in(folded: Folded) -> Iterator[Hit]:
    """Codes that somebody is told to type in: "enter 1397 at the gate"."""
    for match in _TYPED_IN.finditer(folded.low):
        yield _hit(*match.span("value"), rank=59)


_SPELLED = re.compile(
    r"(?:(?:четыре|пять|шесть|восемь|[4-8])\s(?:нул\w+|единиц\w*|двой\w+|трой\w+|четвер\w+|пятер\w+|шестер\w+"
    r"|семер\w+|восьмер\w+|девят\w+)"
    r"|(?:four|five|six|eight|[4-8])\s(?:zeros?|zeroes|ones|twos|threes|fours|fives|sixes|sevens|eights|nines)"
    r"|[四五六七八4-8]个[零〇一二三四五六七八九0-9]|[零〇一二三四五六七八九幺]{4,12}"
    r"|от (?:1|одного|нуля|0) до (?:\d|восьми|девяти)|1 to [4-9]|1到[4-9])(?![^\W\d_])"
)


def find_spelled(folded: Folded) -> Iterator[Hit]:
    """Passwords that are told rather than written: "шесть нулей", "8个8", "four zeros"."""
    for match in KEYS.finditer(folded.low):
        if Key[match.lastgroup or "word"] in (Key.word, Key.pin, Key.door):
            told = _SPELLED.search(folded.low, match.end(), match.end() + 40)
            if told:
                yield _hit(*told.span(), rank=45)
