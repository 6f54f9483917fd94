"""Passwords without a word for them: beside a login, by their shape alone, typed into doors, told rather than written.

Knows nothing of sentences that say "password"; `passwords` reads those.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from twin.privacy.clues import word_set
from twin.privacy.folding import Folded
from twin.privacy.key_words import KEYS, Key
from twin.privacy.spans import Hit
from twin.privacy.values import TOKEN, Shape, classes, shape, trim
from twin.privacy.vocabulary import RESERVED_USERS

_hit = partial(Hit, label="PASSWORD")

_PAIR = re.compile(
    r"(?<![^\s,;:(\"'\u4e00-\u9fff])(?=(?P<user>[^\W_\u4e00-\u9fff][\w.@+-]{1,40})(?:\s?[/|:]\s?"
    r"|\s+)(?P<value>[^\s/|\u4e00-\u9fff\u3000-\u303f\uff0c]{4,40}))"
)
_DEFAULTS = word_set(
    "admin root password pass guest user toor test default letmein changeme secret qwerty welcome raspberry",
)
_LABELS = word_set(
    "wifi wi-fi ssid network login user username account email mail сеть логин вайфай вай-фай имя почта акк",
    "аккаунт доступ pass password",
)
_CREDENTIAL = re.compile(
    r"логин|доступ|учетк|аккаунт|админк|creds|credential|login|log in|user|account|акк\b|wi-?fi|вай-?фай|ssid"
    r"|network|роутер|router"
    r"|账号|帐号|账户|用户名|后台|登录|登陆|vpn|впн|\bssh|\bftp|\bsql|server|сервер|服务器|sudo|админ"
)


def find_pairs(folded: Folded) -> Iterator[Hit]:
    """Login and password beside one another: "admin / admin2024!", "BTHub-X9 / a8f3kq92mz"."""
    said = bool(_CREDENTIAL.search(folded.low))
    for match in _PAIR.finditer(folded.text):
        user, separator = match["user"].lower(), folded.text[match.end("user") : match.start("value")].strip()
        value = trim(folded.text, *match.span("value"))
        text = folded.text[slice(*value)]
        is_default = text.lower() in _DEFAULTS or bool(re.fullmatch(r"[0-9]{4,12}", text))
        if user in RESERVED_USERS and separator and said and is_default:
            yield _hit(*value, rank=53)
        if user in _LABELS or shape(text) < Shape.STRONG or (separator == ":" and "@" in text[1:-1] and "." in text):
            continue
        known = (user in RESERVED_USERS or "@" in user) and (separator or classes(text) >= 2)
        if known or (separator and said and any(map(str.isdecimal, text)) and len(text) >= 6):
            yield _hit(*value, rank=54)


_ALONE = re.compile(r"\s*(?P<value>[^\s\u4e00-\u9fff]{8,32})\s*")


def _is_drawn(value: str) -> bool:
    """A word that is the whole message: signs, small letters and digits that change places more than once."""
    signs = set(value) & set("!@#$%^&*()+=")
    changes = len(re.findall(r"[a-zA-Z][0-9]|[0-9][a-zA-Z]|[^\W_][!@#$%^&*()+=]|[!@#$%^&*()+=][^\W_]", value))
    cased = any(map(str.isupper, value)) and any(map(str.islower, value))
    if not cased or value[0] in "#@" or value.rstrip("!?1").isalpha():
        return False
    enough = 3 if value.rstrip("!?1")[-1:].isalnum() else 4
    return bool(signs) and value.isascii() and changes >= enough and shape(value) is Shape.STRONG


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


_SAYS = re.compile(
    r"(?:\bit'?s|\bwas|\bis now|\bnow|\bnah|\bmaybe|\bor|это|теперь|вот|был|стал|или|может|是|就是|或者?)[\s,:\"']{1,3}"
    r"(?P<value>[^\s\u4e00-\u9fff]{8,32})"
)
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-!@#$%^&*?+~=.")


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
    for match in _SAYS.finditer(folded.low):
        value = trim(folded.text, *match.span("value"))
        text = folded.text[slice(*value)]
        if shape(text) >= Shape.STRONG and classes(text) == 4 and set(text) <= _PLAIN:
            yield _hit(*value, rank=41)


_DOOR_THINGS = (
    "gate|door|keypad|panel|lock|alarm|buzzer|intercom|домофон\\w*|калитк\\w|подъезд\\w*|двер\\w|ворот\\w{0,2"
    "}|въезд\\w{0,2}|панел\\w|замк\\w|门|锁"
)
_TYPING = (
    "\\benter|\\bpunch in|\\btype|\\bdial|\\bpress|\\bkey in|\\bput in|набери|набирай|введи|вводи|вбей|жми|нажми|тыкай"
    "|输入|按"
)
_DIGITS = r"(?P<value>[#*]?[0-9][0-9a-zа-я]{3,9}[#*]?)"
_TYPED_IN = (
    # enter 1397 at the gate
    re.compile(
        rf"(?:{_TYPING})\s?{_DIGITS}\s?(?:at|on|in|into|to open|на|в|у|чтобы|для|进|开|就)\s?(?:the\s|our\s|нашем?\s)?"
        rf"(?:\w+\s)?(?:{_DOOR_THINGS})"
    ),
    # у подъезда жми 48К2580
    re.compile(
        rf"(?:{_DOOR_THINGS})[\s,]{{1,2}}(?:(?:just|you|then|и|просто|там"
        rf"|потом)\s)?(?:{_TYPING})\s?{_DIGITS}(?![0-9a-zа-я])"
    ),
)
# security gate #2046: a number with the key that is pressed before or after it
_WITH_SIGN = re.compile(
    rf"(?:{_DOOR_THINGS})(?:\s?(?:code|is|:|код|-))?\s?(?P<value>[#*][0-9]{{3,8}}[#*]?|[0-9]{{3,8}}[#*])(?![0-9a-zа-я])"
)
# код 4455 от ворот, code 4455 for the gate
_FOR_DOOR = re.compile(
    rf"(?:\bcode|код|密码)\s(?:is\s|это\s)?(?P<value>[#*]?[0-9][0-9a-zа-я]{{2,8}}[#*]?)\s(?:for|to|от|на|в|для"
    rf"|к)\s(?:the\s)?(?:{_DOOR_THINGS})"
)
# the number of a flat, the key with a letter, a code: 46К1187
_INTERCOM = re.compile(r"(?<![а-я])код\w?\s(?:[а-я]{2,10}\s)?(?P<value>[0-9]{1,3}[кkвb#*][0-9]{3,5})(?![0-9a-zа-я])")
# laptop unlocks with moonlight7
_OPENS = re.compile(
    r"(?:\b(?:unlocks?|opens?)\s(?:with|by|using)|(?:откр|разблок)\w+\s(?:на|по|через|кодом|паролем)|(?:解锁"
    r"|打开)(?:用|是|码)|wi-?fi\s(?:is|это))\s?"
    r"(?P<value>[^\s\u4e00-\u9fff]{4,40})"
)
# use q7w8e9 to log in: mixed letters and digits
_TO_LOG_IN = re.compile(
    r"(?:\buse|\benter|\btype|\btry|log ?in with|введи|вбей|вводи|输入"
    r"|用)\s(?P<value>[^\s\u4e00-\u9fff]{5,40})\s?(?:to|and|и|чтобы"
    r"|для|就能?|来|可以).{0,16}(?:log|sign in|get in|enter|open|зайд|войд|вход|откро|登|进)"
)


def find_typed_in(folded: Folded) -> Iterator[Hit]:
    """Codes that somebody is told to type in: "enter 1397 at the gate"."""
    for pattern in _TYPED_IN:
        for match in pattern.finditer(folded.low):
            yield _hit(*match.span("value"), rank=59)
    for pattern in (_WITH_SIGN, _FOR_DOOR, _INTERCOM):
        for match in pattern.finditer(folded.low):
            yield _hit(*match.span("value"), rank=58)
    for pattern in (_TO_LOG_IN, _OPENS):
        for match in pattern.finditer(folded.low):
            value = trim(folded.text, *match.span("value"))
            if shape(folded.text[slice(*value)]) >= Shape.STRONG:
                yield _hit(*value, rank=42)


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
