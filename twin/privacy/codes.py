"""One-time codes: from texts of services, from apps, and passed on by people.

Knows nothing of codes of doors (those are passwords) and of errors, streets, discounts (those are nobody's secret).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from twin.privacy.folding import Folded
from twin.privacy.numbers import is_reference
from twin.privacy.spans import Hit
from twin.privacy.values import CJK, counts_something

_hit = partial(Hit, label="OTP")

_SURE = re.compile(
    r"""(?x)
    (?<![a-z])(?: (?:verification|verify|confirm(?:ation)?|security|log-?\s?in|sign-?\s?in|auth(?:entication
    |entif\w+|orization|orisation)?|access|one[ -]?time|activation|2fa|mfa|two[ -]factor|sms|texted|text|otp
    |pass|steam\sguard|steam|whatsapp|telegram|google|discord|backup|recovery|six[ -]digit|6[ -]digit
    |four[ -]digit|4[ -]digit|bank|apple|uber|paypal|amazon|tinder)\s(?:pass)?-?codes?
        | (?:verification|confirmation|login|sms|otp|auth|2fa|one-time)\sкод\w? | code\s(?:подтвержд\w+
        |из\s(?:смс|sms)|для\sвхода|от\s(?:банка|сбера|телеграм\w*)) | код\s(?:verification|confirmation|otp|2fa
        |sms|login|from\ssms)
        | one[ -]time\s(?:password|passcode|pass|pin|code) | otps? | 2fa | mfa | totp | codes?\s(?:from|in
        |via)\s(?:the\s)?(?:sms|text|email|app) | sms-code
        | c[óo]digo(?:\sde\s(?:verificaci[óo]n|seguridad|verificação|acceso|confirmaci[óo]n))?
        | code\sde\s(?:v[ée]rification|s[ée]curit[ée]|confirmation|connexion|validation)
        | (?:best[äa]tigungs|verifizierungs|sicherheits|sms-?|anmelde|zugangs)code | tan(?=\s?[:\d]|\s(?:ist
        |lautet)) | smstan | codice(?:\sdi\s(?:verifica|conferma|sicurezza))?(?!\s(?:fiscale|postale))
        | kod(?:\s(?:weryfikacyjny|potwierdzaj[ąa]cy|sms|autoryzacyjny|dost[ęe]pu))? | verificatiecode
        | bevestigingscode | verifieringskod | engångskod | bekr[äa]ftelsekod | ov[ěe]řovac[íi]\sk[óo]d
        | doğrulama\skodu | onay\skodu
      )(?![a-z])
    | (?<![а-я])(?: (?:смс|sms|пуш|push)-?\s?код\w{0,2} | код\w{0,2}\s(?:из\s(?:смс|sms|сообщения|письма
    |приложения|пуша)|подтвержден\w+|доступа|авторизац\w+|для\sвхода|входа|активац\w+|безопасност\w+|проверк\w+
    |верификац\w+|регистрац\w+|(?:с|от|из)\s(?:почты|госуслуг|телеграм\w*|телеги|вотсапа|ватсапа|вк|сбера|банка
    |почты|гугла|яндекса|тиндера|аккаунта)|в\s(?:телеграм\w*|смс)|пришел|пришёл|пришедший|дост\w+
    |восстановлен\w+|двухфактор\w+)
        | (?:одноразов|проверочн|секретн|подтвержда\w+|смс)\w*\s(?:код|пароль|пин)\w{0,2} | код-подтверждения
        | пароль\sиз\s(?:смс|sms) | двухфактор\w+ | двухэтапн\w+ )(?![а-я])
    | (?<![a-z])(?:[a-z]{3,12}\s)?verification(?=\s?[:=]\s?[0-9]) | (?<![a-z])(?:login|sign-?in|app|sms)\spin(?![a-z])
    | 验证码 | 驗證碼 | 校验码 | 动态码 | 动态密码 | 动态口令 | 動態密碼 | 确认码 | 认证码 | 短信码 | 激活码
    | 登录码 | 随机码 | 一次性密码 | 短信密码 | 短信验证
    """
)
_WEAK = re.compile(
    r"(?<![a-z0-9])(?:codes?|sms|texts?|texted)(?![a-z])|(?<![а-я])(?:код(?:а|у|ом|ик|ы)?|смс(?:к\w{1,2}"
    r"|очк\w)?|сообщени[ея])(?![а-я])|短信|代码是|(?<![\u4e00-\u9fff])码是"
)
_NOT_A_SECRET = re.compile(
    r"(?:error|exit|status|http|https|response|return|zip|postal|post|area|country|dial(?:ing)?|promo"
    r"|discount|coupon|voucher|referral|gift|source|dress|qr|bar|morse|color|colour|hex|product|item|region"
    r"|swift|iata|icao|course|class|game|cheat|student|building|fire|penal|vin|char|ascii|unicode|airport"
    r"|stock|sort|booking|crew|lot|binary|legacy|python|my|clean|write|writing|wrote|stop|error's|tax)\s?-?$"
)
_NOT_A_SECRET_AFTER = re.compile(
    r"\s(?:ошибк\w*|товара|региона|города|страны|заказа|скидк\w*|модели|продукта|ревью|окпо|оквэд|валюты"
    r"|маркировк\w*|подразделени\w*|предмета|класса|проекта|дресс|review|base|freeze|monkey|block|snippet"
    r"|of conduct)"
)
_VALUE = re.compile(
    r"(?<![0-9a-z$€£₽#_/])(?<![0-9][.,:/\-])(?:[a-z]-)?(?P<code>[0-9]{4,8}|[0-9]{3}[ \-][0-9]{3,4}"
    r"|[0-9]{2}[ \-][0-9]{2}[ \-][0-9]{2}|[0-9]{2}-[0-9]{2})(?![0-9a-z_%°]|[.,:/\-][0-9]|\s?[%₽€$])"
)
_SPACED = re.compile(r"(?P<code>[0-9](?:[ \-][0-9]){3,7})(?![0-9 \-]*[0-9])")
_MIXED = re.compile(
    r"(?<![A-Za-z0-9\-])(?P<code>(?=[A-Z0-9\-]{0,10}[0-9])(?=[0-9\-]{0,10}[A-Z])[A-Z0-9]{4,8}(?:-[A-Z0-9]{4,6}"
    r")?|[A-Z]{5,8})(?![A-Za-z0-9\-])"
)
_TIME = re.compile(r"(?:19|20)[0-9]{2}")
_LINKED = re.compile(
    r"""(?x)(?: \s{0,2} (?: [:=?\-]{1,3} | -> | is | was | it'?s | its | are | 's | lautet | ist | c'est | est
    | es | è | jest | for | to | from | the | they | that | texted | sent | me | you | got | just | now | here
    | yes | ya | yeah | yep | your | ur | this | one | login | of | by | sms | app
        | says? | and | in | came | - | , | \. | \( | \) | ! | '
        | это | вот | такой | пришел | пришла | пришло | тебе | мне | из | от | для | на | с | в | код | да
        | ага | прислали | скинули | говорит | там | был | сбера | банка | телеги | телеграма | вк | госуслуг
        | входа | доступа | новый | твой | мой | ваш
        | 是 | 为 | ： | 码 | 收到了? | 发你 | 给你
        | 看到了? | 来了 | 到了 | 好了 | 的 )(?![a-zа-я]) ){0,6}\s{0,2}["'«(]?"""
)
_ANSWERED = re.compile(r"[^.!?\n]{0,25}\?\s*(?:[^\W\d]{1,12}[\s,.:!\-]{1,3}){0,4}")
_BEHIND = re.compile(
    r"""(?x)[\s.,"')]{0,3}(?:[-=(]\s?)?
    (?:(?:is|are|это|вот|-|is\syour|is\sthe|the|your|my|ваш|твой|мой|наш|[a-z]{3,12}|[а-я]{3,12}|your\s\w+)[\s,]{1,2}
      |(?:是|为|您的|你的|就是)\s?){0,3}
    (?: (?:verification|security|login|confirmation|authentication|one-time|access|sms|otp|2fa)?\s?
        (?:code|otp|passcode)(?![a-z]) | код(?:\s|$|\.|,|!) | код\sдля | 验证码 | 校验码 | 动态码 )"""
)
_USE = re.compile(
    r"(?:\b(?:use|enter|type|input)|введи(?:те)?|вбей|вводи|输入|请输入)\s?(?:code\s|the code\s|код\s"
    r"|это\s)?(?P<code>[0-9]{4,8}|[0-9]{3}[ \-][0-9]{3})(?:\s(?:to\s(?:log|sign|verify|confirm|auth|complete"
    r"|reset|get)|as\syour|for\s(?:login|verif)|для\s(?:вход|подтвер|автори)|чтобы)|来?(?:登录|验证|完成))"
)
_GOOGLE = re.compile(r"(?<![a-z0-9])[a-z]{1,3}-(?P<code>[0-9]{5,8})(?![0-9])(?=\s(?:is|-|это|-)\s|\s?(?:是|为))")


# What a bank calls a password is a one-time code when it says that nobody may be told.
_NOBODY = re.compile(r"никому|не (?:сообщайте|говорите|передавайте)|do not share|don't share|请勿|切勿|勿泄露")
_PASSWORD = re.compile(r"(?:парол\w|password|密码)[\s:\-是为：]{1,3}(?:для \w+ )?(?P<code>[0-9]{4,8})(?![0-9])")


def find_codes(folded: Folded) -> Iterator[Hit]:
    """Every one-time code; at most the first after, and one before, each word for it."""
    low = folded.low
    if folded.digits < 4:
        yield from _letters_only(folded)
        return
    for match in _GOOGLE.finditer(low):
        yield _hit(*match.span("code"), rank=56)
    for match in _USE.finditer(low):
        yield _hit(*match.span("code"), rank=55)
    for word in _SURE.finditer(low):
        yield from _after_sure(folded, word)
        yield from _in_front(folded, word.start(), 24)
    for word in _WEAK.finditer(low):
        if _is_nobodys(folded, word):
            continue
        linked = _LINKED.match(low, word.end())
        value = (_VALUE.match(low, linked.end()) or _SPACED.match(low, linked.end())) if linked else None
        if value is None and "?" in low[word.end() : word.end() + 30]:
            asked = _ANSWERED.match(low, word.end())
            value = _VALUE.match(low, asked.end()) if asked else None
        if value is None:
            value = _at_the_end(folded, word.end())
        if value and _stands(folded, value, linked is not None and linked.end() > word.end() + 1):
            yield _hit(*value.span("code"), rank=52)
        elif not word[0].startswith(("sms", "text", "смс", "сообщ")):
            yield from _in_front(folded, word.start(), 14)
    yield from _told_on(folded)
    if _NOBODY.search(low):
        for match in _PASSWORD.finditer(low):
            yield _hit(*match.span("code"), rank=70)


_END = re.compile(r"\s*(?:$|[.!,;]|[\U0001f000-\U0001faff])")


def _at_the_end(folded: Folded, at: int) -> re.Match[str] | None:
    """A number with which the clause ends that begins at a word for a code: "код на почту пришел 990012"."""
    found = re.compile(r"[^.!?\n0-9]{1,40}(?<=\s)").match(folded.low, at)
    value = _VALUE.match(folded.low, found.end()) if found else None
    if value is None or _TIME.fullmatch(value["code"]) or is_reference(folded.before(value.start(), 30)):
        return None
    return value if _END.match(folded.low, value.end()) else None


def _is_nobodys(folded: Folded, word: re.Match[str]) -> bool:
    return bool(
        _NOT_A_SECRET.search(folded.before(word.start(), 14)) or _NOT_A_SECRET_AFTER.match(folded.low, word.end())
    )


def _stands(folded: Folded, value: re.Match[str], firm: bool) -> bool:
    """Whether nothing after the number makes it an amount, a year, or the beginning of something else."""
    after = folded.after(value.end(), 20)
    if counts_something(after):
        return False
    if _TIME.fullmatch(value["code"]) and (not firm or re.match(r"\s?[a-zа-я]", after)):
        return False
    return firm or not re.match(r"\s[a-zа-я]{3,}", after)


def _after_sure(folded: Folded, word: re.Match[str]) -> Iterator[Hit]:
    """The first number within reach of words that mean nothing but a one-time code."""
    if _is_nobodys(folded, word):
        return
    low, end = folded.low, word.end()
    for value in _VALUE.finditer(low, end, end + 64):
        if not counts_something(folded.after(value.end(), 16)) and not _TIME.fullmatch(value["code"] + " "):
            between = low[end : value.start()]
            if len(between) < 40 or re.search(rf"[{CJK}]", between):
                yield _hit(*value.span("code"), rank=55)
            return
    linked = re.compile(r"(?:\s?(?:is|:|=|-|это|是|为|：))+\s?").match(low, end) or re.compile(r"\s").match(low, end)
    mixed = _MIXED.match(folded.text, linked.end()) if linked else None
    if mixed and (any(map(str.isdecimal, mixed["code"])) or "steam" in word[0]):
        yield _hit(*mixed.span("code"), rank=54)


def _letters_only(folded: Folded) -> Iterator[Hit]:
    for word in _SURE.finditer(folded.low):
        if "steam" in word[0] or "guard" in word[0] or "code" in word[0]:
            yield from _after_sure(folded, word)


def _in_front(folded: Folded, at: int, reach: int) -> Iterator[Hit]:
    """A number right before the word: "6620 - код для входа", "904417 is your code"."""
    for value in _VALUE.finditer(folded.low, max(0, at - reach - 10), at):
        behind = _BEHIND.match(folded.low, value.end())
        if behind and not counts_something(folded.after(value.end(), 12)) and not _TIME.fullmatch(value["code"]):
            between = folded.low[value.end() : at]
            if not re.search(r"[a-zа-я]", between) or re.search(r"\bis\b|это|вот|-|ваш|your|yes|да\b", between):
                yield _hit(*value.span("code"), rank=53)


_CAME = re.compile(
    r"(?:got (?:the|a|my|an) (?:sms|text|code)|the sms|sms came|text came|it says|they sent|they texted"
    r"|смс(?:ка)? пришла|пришла смс|пришел код|прислали|пришло|пришёл|код пришел|скинули|收到了?|短信来了?)"
    r"(?:[\s,.:!\-]{1,3}(?:it'?s|it|says|me|is|the|код|вот|там|это|мне|да|验证码|是)){0,3}[\s,.:!\-]{0,3}"
)


def _told_on(folded: Folded) -> Iterator[Hit]:
    """A number told right after the news that a text came."""
    for match in _CAME.finditer(folded.low):
        value = _VALUE.match(folded.low, match.end())
        if (
            value
            and re.match(r"\s*(?:$|[.,!?;)\n\u3000-\u303f\uff00-\uffef])", folded.after(value.end(), 4))
            and not _TIME.fullmatch(value["code"])
        ):
            yield _hit(*value.span("code"), rank=51)
