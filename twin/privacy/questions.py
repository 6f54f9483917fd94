"""What people ask one another for, in English, Russian and Chinese, and how an answer is read as one.

Knows nothing of conversations; it only says which topics a sentence asks about.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from twin.privacy.clues import any_of, word_set
from twin.privacy.spans import Label


@dataclass(frozen=True, slots=True)
class Topic:
    """Something that people ask for.

    Attributes:
        asked: finds the word for it in lower case.
        prompts: the question as a rule for single messages reads it, before an answer in English, Russian, Chinese.
        labels: what an answer may be.
    """

    asked: re.Pattern[str]
    prompts: tuple[str, str, str]
    labels: frozenset[Label]


def _topic(prompts: str, labels: tuple[Label, ...], *asked: str) -> Topic:
    english, russian, chinese = prompts.split(" | ")
    return Topic(re.compile("|".join(asked)), (f"{english}: ", f"{russian}: ", f"{chinese}："), frozenset(labels))


TOPICS = (
    _topic(
        "password | пароль | 密码",
        ("PASSWORD",),
        r"pa?s{1,3}[ -]?w[o0]?r?d|passw|(?<![a-z])(?:pwd?|pass(?:code|phrase)|mdp)(?![a-z])",
        r"(?<![a-z])(?:contraseña|clave|senha|passwort|kennwort)(?![a-z])",
        r"(?:wi-?fi|netflix|the|ur|your|my)\spass(?=\s?[?:]|$)|^pass\s?\?|wi-?fi\s?(?:[?:：？]|$)",
        r"парол|пасс(?:ик|\s?\?|$)|пасв[оа]рд|кодов\w+ слов|вай-?фа[йяюе]\s?(?:[?:]|$)",
        r"密码|密碼|口令",
    ),
    _topic(
        "door code | код от двери | 门禁密码",
        ("PASSWORD",),
        r"(?<![a-z])(?:pin|puk|combo|combination)(?![a-z])",
        r"(?:door|gate|alarm|entry|lock|safe|building|garage|unlock)\s?code",
        r"пин(?:-?код)?(?![а-я])|код\w?\s(?:от|на|в|для)?\s?(?:домофон|подъезд|двер|калитк|сейф|замк|ворот)|домофон",
        r"门禁|开门|门锁|门密码",
    ),
    _topic(
        "verification code | код из смс | 验证码",
        ("OTP",),
        r"(?<![a-z])(?:code|otp|sms|2fa)(?![a-z])|(?<![а-я])(?:код|смс\w*)(?![а-я])|验证码|校验码|动态码|短信",
    ),
    _topic(
        "my phone number | мой номер телефона | 手机号",
        ("PHONE",),
        r"(?<![a-z])(?:phone|number|cell|mobile|digits|whatsapp|tel)(?![a-z])",
        r"номер|телефон|(?<![а-я])тел(?![а-я])|мобильн|手机|电话|号码|微信",
    ),
    _topic("email | почта | 邮箱", ("EMAIL",), r"e-?mail|gmail|(?<![a-z])mail(?![a-z])|почт|мыл[оа]|имейл|邮箱|邮件"),
    _topic(
        "card number | номер карты | 银行卡号",
        ("CARD",),
        r"(?<![a-z])(?:cards?|visa|cvv|cvc)(?![a-z])|карт[аыуе]|цвв|卡号|银行卡|安全码",
    ),
    _topic("cvv | cvv | 安全码", ("CARD",), r"cvv|cvc|цвв|security code|安全码|три цифры|3 цифры"),
    _topic(
        "iban account number | номер счета | 银行账号",
        ("IBAN", "CARD"),
        r"iban|ибан|account|sort code|routing|сч[её]т|реквизит|账号|账户|帐号|户口",
    ),
    _topic(
        "my address | мой адрес | 地址",
        ("ADDRESS",),
        r"address|addy|where (?:do|d) (?:you|u|ya) live|where should (?:i|we) (?:come|send|ship|deliver|go|meet|drop)",
        r"адрес|где (?:ты )?жив[её]шь|куда (?:ехать|подъехать|приезжать|везти)|地址|住哪|寄哪|寄到哪",
    ),
    _topic(
        "passport number | паспорт | 身份证号",
        ("ID",),
        r"passport|ssn|social|licen[cs]e|national insurance|tax id",
        r"паспорт|снилс|(?<![а-я])инн(?![а-я])|права|полис|身份证|护照|证件",
    ),
    _topic(
        "api key | токен | 密钥",
        ("API_KEY", "PRIVATE_KEY"),
        r"api|token|(?<![a-z])key(?![a-z])|secret|токен|ключ|апи|密钥|令牌",
    ),
    _topic(
        "wallet address | адрес кошелька | 钱包地址",
        ("CRYPTO",),
        r"wallet|btc|eth|usdt|crypto|кошел|крипт|битк|钱包",
    ),
    _topic(
        "seed phrase | сид фраза | 助记词",
        ("SEED",),
        r"seed|mnemonic|recovery (?:phrase|words)|backup words|сид|мнемон|助记词",
    ),
    _topic("server ip | айпи сервера | 服务器ip", ("IP",), r"(?<![a-z])ip(?![a-z])|server|host|айпи|сервер|服务器"),
)

CLUES = any_of(
    word_set(
        "pass pasw psw pw wifi wi-fi mdp contra clave senha kennw word pin puk comb code otp sms 2fa phone "
        "number cell mobile",
        (
            "digits whats tel mail card visa cvv cvc iban acc sort rout add where ssn social licen insur tax api "
            "token key secret"
        ),
        "wallet btc eth usdt crypto seed mnem recov backup ip server host",
        (
            "парол пасс пасв кодов вай пин код домоф смс номер тел мобил почт мыл имейл карт цвв ибан сч рекв адрес "
            "где куда"
        ),
        "паспорт снилс инн права полис токен ключ апи кошел крипт битк сид мнем айпи сервер цифр",
        "密 口令 门 验证 校验 动态 短信 手机 电话 号 微信 邮 卡 安全码 账 帐 户 地址 哪 证 护照 令牌 钱包 助记 服务器",
    )
)
"""What any topic's word holds: a message without one asks for nothing."""

_ASKING = re.compile(
    r"[?？:：]\s*$|\?|？"
    r"|(?<![a-z])(?:what|whats|what's|which|send|give|gimme|tell|text|need|got|have|drop|share|remind|can i|could you"
    r"|wheres|where|here|here's|heres|sending|sec|ill send|i'll send|is it)(?![a-z])"
    r"|скинь|кинь|дай|пришли|напиши|напомни|подскажи|скажи|какой|каков|какая|какие|где|куда|нужен|нужна|нужно"
    r"|вот|сейчас скину|щас|ща|лови|держи|продиктуй|отправь|сбрось|что за"
    r"|多少|发|给我|告诉|什么|哪|说一下|是啥|报一下|来一个|求"
)
_TELEPHONE = re.compile(r"phone|cell|mobile|digits|whatsapp|телефон|(?<![а-я])тел(?![а-я])|мобил|手机|电话|微信")
_SHORT = 80  # characters; a word alone answers no longer question


def topics_of(low: str) -> list[Topic]:
    """The topics that a sentence in lower case mentions."""
    topics = [topic for topic in TOPICS if topic.asked.search(low)]
    if len(topics) > 1 and not _TELEPHONE.search(low):  # "card number" asks for no telephone
        topics = [topic for topic in topics if "PHONE" not in topic.labels]
    return topics


def is_asking(low: str) -> bool:
    """Whether a sentence in lower case asks for, or announces, what it mentions."""
    return len(low) <= _SHORT and (bool(_ASKING.search(low)) or len(low.split()) <= 4)
