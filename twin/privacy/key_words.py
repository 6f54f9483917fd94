"""The words that promise a password, a PIN or the code of a door, with their typos and short forms.

Knows nothing of sentences and values.
"""

from __future__ import annotations

import re
from enum import Enum


class Key(Enum):
    """What kind of word promises a value."""

    word = "password in all its spellings"
    phrase = "a pass phrase or secret word: letters alone are a value"
    pin = "a PIN: digits"
    door = "the code of a door, a safe, an alarm"
    short = "pass, пас: words with other meanings"
    verb = "the same letters, but not a password"


_LATIN, _CYRILLIC = r"(?<![a-z])(?:{})(?![a-z])", r"(?<![а-я])(?:{})(?![а-я])"

_VERB = "|".join(
    (
        _LATIN.format(
            "(?:you|to|i|we|u|they|will|could|would|should|must|might|still|'ll|didn't|didnt|don't|not|can't|cant"
            "|couldn't|please|just|he|she|boarding|season|day|travel|free|bus|hall|mountain|ski|gate|press|guest|backstage|first"
            r"|second|third|\d(?:st|nd|rd|th)) pass(?![\w:=])"
            "|pass (?:me|the|it|by|out|away|through)|pin (?:the|it|this|that|a|up|down|me|him|her)"
            r"|password (?:managers?|protected|reset link|policy|generator)"
        ),
        r"\d\s?password(?![a-z])",
        "口令红包|密码学",
    )
)
_PHRASE = "|".join(
    (
        _LATIN.format(r"pass[ -]?phrases?|code\s?words?|secret (?:word|answer)|safe\s?word|magic word"),
        _CYRILLIC.format(r"(?:кодов|секретн|контрольн|парольн)\w{2}\s(?:слов\w{1,2}|фраз\w)|фраза-пароль"),
        "暗号|暗語|暗语|口令词",
    )
)
_DOORS = (
    "key ?box|key|airbnb|apartment|apt|flat|cabin|gym|pool|storage|stairwell|laundry|mailbox|hotel "
    "room|door|gate|garage"
    "|alarm|entry|entrance|building|lock|safe|locker|lockbox|keypad|key "
    "pad|house|lobby|shed|padlock|elevator|unlock|vault"
    "|screen ?lock|parking|front door|back door|buzzer|intercom|suitcase|bike lock|cottage|cellar|barn|boat|office"
)
_TELLS = r"(?=\s?(?:[:=]\s?[#*]?[0-9]{3}|(?:is|'s|combo)\s[#*]?[0-9]{4}))"  # the thing alone, then its code
_DOORS_RU = (
    r"домофон\w*|подъезд\w*|калитк\w+|двер\w+|замк\w+|замок|сейф\w*|ворот\w*|сигнализац\w+|шлагбаум\w*"
    r"|лифт\w*|чемодан\w*"
    r"|ячейк\w+|гараж\w*|парадн\w+|ключниц\w+|дач\w+|вайфа\w+|wi-?fi|телефон\w*|айфон\w*|айпад\w*|планшет\w*|ноут\w*"
    r"|комп\w*|разблокировк\w+|экран\w*|симк\w+|карт\w+|входн\w+|въезд\w*|велозамк\w+|офис\w*|кладов\w+|бан[ия]|ящик\w*"
)
_DOOR = "|".join(
    (
        _LATIN.format(
            rf"(?:{_DOORS})(?:'s)?\s(?:[a-z]{3, 8}\s)?(?:pass)?(?:codes?|combo|combination|pin)|codes?\s(?:for|to|of|on"
            rf"|at)\s(?:\w+\s){{0,3}}?"
            rf"(?:{_DOORS})|(?:the|lock|locker|safe|locker's)\s(?:combo|combination)|combo\s(?:is|for|to)|keypad"
            r"|lockbox|lock box"
        ),
        (
            r"(?<![a-z])(?:(?:bike|pad|front|back)\s)?(?:lock|padlock|door|gate|locker|safe|vault|alarm"
            rf"|lock ?screen){_TELLS}"
        ),
        _CYRILLIC.format(
            rf"(?:код\w{{0,2}}|шифр\w?)\s(?:(?:от|на|в|для|к|у|с)\s)?(?:[а-я]{{2,12}}\s)?(?:{_DOORS_RU})"
            r"|(?:дверн|входн|подъездн|гаражн)\w{2}\sкод\w?|(?:сейф|замок|калитка|двер[ьи]|ворота|домофон|подъезд"
            r"|шлагбаум)"
            r"\s(?:код|пин|пароль)|домофон\w?|(?:сейф|калитк|двер|ворот|замок)\w?\sоткрыва\w+(?:\sкодом)?|калитк\w"
        ),
        r"(?<![а-я])(?:замок|калитка|двер[ьи]|ворота|сейф|шлагбаум|сигнализация)(?=\s?[:=-]\s?[#*]?[0-9]{3})",
        r"门禁码?|開門碼|开门码|门锁|大门码|保险[箱柜]|密码箱|密码锁|箱子?的?密码|门口机|单元门|楼下门",
        r"锁屏(?=是?[:：]?\s?[0-9])",
    )
)
_PIN = "|".join(
    (
        _LATIN.format(
            "pin(?:[ -]?(?:codes?|numbers?|no))?|puk|(?:unlock|screen|phone) (?:code|pin|pattern)|code secret|codice "
            "segreto"
        ),
        r"(?<![а-я])(?:пин(?:[ -]?код\w{0,2}|а|у|ом)?|пук[ -]?код)(?![а-я])",
        "pin码|(?:支付|取款|解锁|锁屏|提款|交易|查询|开门|开机|手机|银行卡)的?(?:密码|密碼)",
    )
)
_WORD = "|".join(
    (
        r"pa?s{1,3}[ -]?(?:w[o0]?r?[o0]?r?|[o0]wr?|[o0]r)d{1,2}s?(?![a-z])|p@ssw[o0]rds?(?![a-z])|passwd(?![a-z])",
        r"(?<![a-z])passwor?(?![a-z])|pass[- ]?codes?(?![a-z])|(?<=_)(?:pass|pwd)(?=\s?[=:])",
        r"(?<![a-z0-9])(?:pwd?|pwds|psw|pswd|pswrd|psswrd|pass?w|p/w|pwrd|mdp)(?![a-z])",
        r"passwort\w{0,2}|kennwort\w{0,2}|zugangscode|wlan-?(?:schlüssel|code|key)|clé wi-?fi|code wi-?fi",
        _LATIN.format(
            "mot de passe|contrase[ñn]a|clave|senha|palavra-passe|has[łl]o|wachtwoord|l[öo]senord|heslo|jelsz[óo]"
            "|salasana|[şs]ifre(?:si)?|parola|(?:wi-?fi|network|wpa2?|wlan)[ -](?:key|schlüssel|code)|security key"
            r"|key\s(?:for|to)\s(?:the\s)?(?:wi-?fi|network|wlan|vpn|router)"
        ),
        _CYRILLIC.format(
            r"п[ао]р[оа]л(?:ь|я|ю|ем|е|и|ей|ям|ями|ях|ик|ика|ька|ьчик)?|пас{1,2}в[оа]рд[а-я]{0,2}|пасс(?:а|у|ы|ом|ик)?"
            r"|код-пароль|ключ\s(?:от\s)?(?:вай-?фая|wi-?fi|сети)"
        ),
        "密码|密碼|口令|提取码|提取碼|解压码|访问码|分享码|开机码",
    )
)
_SHORT = rf"{_LATIN.format('pass')}|{_CYRILLIC.format('пас')}"

KEYS = re.compile(
    f"(?P<verb>{_VERB})|(?P<phrase>{_PHRASE})|(?P<door>{_DOOR})|(?P<pin>{_PIN})|(?P<word>{_WORD})|(?P<short>{_SHORT})"
)
"""Finds the words in a message in lower case; the group's name is a member of `Key`."""
