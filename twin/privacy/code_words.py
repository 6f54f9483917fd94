"""The words around one-time codes, and the codes that are nobody's secret: of errors, countries, discounts.

Knows nothing of sentences and values.
"""

from __future__ import annotations

import re

from twin.privacy.clues import cyrillic, latin, one_of

_KINDS = one_of(
    r"verification verify confirm confirmation security log-?\s?in sign-?\s?in auth",
    r"auth(?:entication|ori[sz]ation) access one[\s-]?time activation 2fa mfa two[\s-]factor sms texted",
    r"text otp pass steam\sguard steam whatsapp telegram google discord backup recovery six[\s-]digit",
    r"6[\s-]digit four[\s-]digit 4[\s-]digit bank apple uber paypal amazon tinder microsoft facebook instagram",
    "lyft airbnb",
)
_RU_SENDERS = one_of(
    r"почты госуслуг телеграм\w* телеги вотсапа ватсапа вк сбера банка гугла яндекса тиндера аккаунта приложения",
    "смс sms сообщения письма пуша",
)

SURE = re.compile(
    "|".join(
        (
            latin(
                rf"(?:{_KINDS})\s(?:pass)?-?codes? one[\s-]time\s(?:password|passcode|pass|pin|code) otps? 2fa mfa",
                r"codes?\s(?:from|in|via)\s(?:the\s)?(?:sms|text|email|app) sms-code totp",
                r"(?:login|sign-?in|app|sms)\spin",
                r"(?:[a-z]{3,12}\s)?verification(?=\s?[:=]\s?[0-9])",
                # Spanish and Portuguese, French, German, Italian, Polish, Dutch, Swedish, Danish, Czech, Turkish
                r"c[óo]digo(?:\sde\s(?:verificaci[óo]n|seguridad|verificação|acceso|confirmaci[óo]n))?",
                r"code\sde\s(?:v[ée]rification|s[ée]curit[ée]|confirmation|connexion|validation)",
                r"(?:best[äa]tigungs|verifizierungs|sicherheits|sms-?|anmelde|zugangs)code smstan",
                r"tan(?=\s?[:0-9]|\s(?:ist|lautet))",
                r"codice(?:\sdi\s(?:verifica|conferma|sicurezza))?(?!\s(?:fiscale|postale))",
                r"kod(?:\s(?:weryfikacyjny|potwierdzaj[ąa]cy|sms|autoryzacyjny|dost[ęe]pu))? verificatiecode",
                r"bevestigingscode verifieringskod engångskod bekr[äa]ftelsekod ov[ěe]řovac[íi]\sk[óo]d",
                r"doğrulama\skodu onay\skodu",
            ),
            cyrillic(
                r"(?:смс|sms|пуш|push)-?\s?код\w{0,2} код-подтверждения двухфактор\w+ двухэтапн\w+",
                r"пароль\sиз\s(?:смс|sms)",
                r"(?:одноразов|проверочн|секретн|подтвержда\w+|смс)\w*\s(?:код|пароль|пин)\w{0,2}",
                r"код\w{0,2}\s(?:подтвержден\w+|доступа|авторизац\w+|для\sвхода|входа|активац\w+|безопасност\w+)",
                r"код\w{0,2}\s(?:проверк\w+|верификац\w+|регистрац\w+|восстановлен\w+|двухфактор\w+|дост\w+)",
                r"код\w{0,2}\s(?:пришел|пришедший)",
                rf"код\w{{0,2}}\s(?:с|от|из)\s(?:{_RU_SENDERS}) код\w{{0,2}}\sв\s(?:телеграм\w*|смс)",
            ),
            # both at once
            r"(?:verification|confirmation|login|sms|otp|auth|2fa|one-time)\sкод\w?",
            r"code\s(?:подтвержд\w+|из\s(?:смс|sms)|для\sвхода|от\s(?:банка|сбера|телеграм\w*))",
            r"код\s(?:verification|confirmation|otp|2fa|sms|login|from\ssms)(?![a-z])",
            one_of(
                "验证码 驗證碼 校验码 动态码 动态密码 动态口令 動態密碼 确认码 认证码 短信码 激活码 登录码 随机码",
                "一次性密码 短信密码 短信验证",
            ),
        )
    )
)
"""Words that mean nothing but a one-time code, in lower case."""

WEAK = re.compile(
    "|".join(
        (
            r"(?<![a-z0-9])(?:codes?|sms|texts?|texted)(?![a-z])",
            cyrillic(r"код(?:а|у|ом|ик|ы)? смс(?:к\w{1,2}|очк\w)? сообщени[ея]"),
            r"短信|代码是|(?<![\u4e00-\u9fff])码是",
        )
    )
)
"""Words that may mean one."""

_BEFORE = re.compile(
    r"(?:"
    + one_of(
        "error error's exit status http https response return zip postal post area country dial(?:ing)? promo",
        "discount coupon voucher referral gift source dress qr bar morse color colour hex product item region swift",
        "iata icao course class game cheat student building fire penal vin char ascii unicode airport stock sort",
        "booking crew lot binary legacy python my clean write writing wrote stop tax",
    )
    + r")\s?-?$"
)
_AFTER = re.compile(
    r"\s(?:"
    + one_of(
        r"ошибк\w* товара региона города страны заказа скидк\w* модели продукта ревью окпо оквэд валюты маркировк\w*",
        r"подразделени\w* предмета класса проекта дресс review base freeze monkey block snippet of\sconduct",
    )
    + ")"
)


def is_nobodys(before: str, after: str) -> bool:
    """Whether the words right before and after "code" make it one that everybody may know, as an error's."""
    return bool(_BEFORE.search(before) or _AFTER.match(after))


LINKED = re.compile(
    r"(?:\s{0,2}(?:[:=?\-]{1,3}|->|[,.()!']|(?:"
    + one_of(
        "is was it'?s its are 's lautet ist c'est est es è jest for to from the they that texted sent me you got",
        "just now here yes ya yeah yep your ur this one login of by sms app says? and in came это вот такой пришел",
        "пришла пришло тебе мне из от для на с в код да ага прислали скинули говорит там был сбера банка телеги",
        "телеграма вк госуслуг входа доступа новый твой мой ваш 是 为 ： 码 收到了? 发你 给你 看到了? 来了 到了",
        "好了 的",
    )
    + r")(?![a-zа-я]))){0,6}\s{0,2}[\"'«(]?"
)
"""What may stand between a word for a code and the code."""

BEHIND = re.compile(
    r"[\s.,\"')]{0,3}(?:[-=(]\s?)?"
    r"(?:(?:is|are|это|вот|-|is\syour|is\sthe|the|your|my|ваш|твой|мой|наш|[a-z]{3,12}|[а-я]{3,12}|your\s\w+)[\s,]{1,2}"
    r"|(?:是|为|您的|你的|就是)\s?){0,3}"
    r"(?:(?:verification|security|login|confirmation|authentication|one-time|access|sms|otp|2fa)?\s?"
    r"(?:code|otp|passcode)(?![a-z])|код(?:\s|$|\.|,|!)|код\sдля|(?:登录|登陆|短信|手机|注册|支付)?(?:验证码"
    r"|校验码|动态码))"
)
"""What may stand between a code and the word for it."""
