"""What is left of a message without its secrets: enough to keep it, or nothing; and messages that services wrote.

Knows nothing of how secrets are found.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from twin.privacy.clues import word_set
from twin.privacy.folding import fold
from twin.privacy.spans import Span

# Words that only introduce a value; in lower case.
_INTRODUCTIONS = word_set(
    # English
    "password passwords pass pw pwd passwd passcode passphrase pin pincode code codes otp login user username",
    "account acc acct wifi wi-fi network ssid email e-mail mail phone number num no nr cell mobile tel",
    "telephone card visa mastercard amex debit credit cvv cvc cvc2 cvv2 exp expiry iban bic swift bank sort",
    "routing key api apikey token secret bearer authorization private public seed phrase mnemonic recovery",
    "backup words wallet address addr btc eth sol usdt trc20 erc20 crypto ip ipv4 ipv6 mac server host port ssn",
    "id passport licence license driving driver's drivers nino ni insurance social security tax verification",
    "sms is it its it's was are here heres here's the this that my our your ur his her new old and or of for to",
    "from on at in a an btw pls please ok okay ty thx thanks hey hi lol one link url reset zip postcode unit",
    "flat apt",
    # Russian
    "пароль пароля пароли паролю пасс пас пасворд пассворд пин пинкод пин-код код кода кодик домофон домофона",
    "подъезд подъезда логин юзер акк аккаунт вайфай вайфая вайфаю сеть почта почты мыло имейл телефон тел номер",
    "моб мобильный карта карты карту карте сбер сбербанк тинькофф тинек альфа втб срок цвв ибан счет счёт р/с",
    "рс бик банк реквизиты ключ ключи токен апи секрет приватный приватник закрытый сид фраза сид-фраза",
    "мнемоника кошелек кошелёк адрес айпи сервер сервера порт паспорт снилс инн серия права полис загран смс",
    "подтверждения доступа входа бота от для на в к с и или а это вот мой моя моё наш наша твой его ее её новый",
    "новая старый такой там тут если что чё ок окей спасибо спс плиз пожалуйста привет лови держи ссылка",
    # Chinese
    "密码 密码是 密码： 口令 账号 账户 帐号 用户名 登录 手机 手机号 电话 号码 邮箱 邮件 卡号 银行卡 银行卡号",
    "身份证 身份证号 护照 护照号 验证码 验证码是 地址 钱包 钱包地址 私钥 助记词 密钥 服务器 我的 我 是 这是 的",
    "给你 新 新的 wifi密码 支付密码 门禁 门禁密码 开门密码 家里 我家",
)
_LOGIN = re.compile(r"(?:login|user(?:name)?|логин|юзер|账号|帐号|用户名)\s?[:：=]?\s?[^\s,;/，]{2,40}")
_WORDS = re.compile(r"[\u4e00-\u9fff]+|[^\W_]+(?:['’/\-][^\W_]+)*")
_CJK_INTRODUCTIONS = tuple(
    sorted((word for word in _INTRODUCTIONS if "\u4e00" <= word[0] <= "\u9fff"), key=len, reverse=True)
)


def is_only_secret(text: str, spans: Sequence[Span]) -> bool:
    """Whether nothing else worth keeping is in a message: the values, words that introduce them, punctuation, emoji.

    Args:
        spans: what was found in `text`; without any, there is no secret and the answer is no.
    """
    if not spans:
        return False
    rest: list[str] = []
    done = 0
    for span in spans:
        rest.append(text[done : span.start])
        done = span.end
    rest.append(text[done:])
    words = _WORDS.findall(_LOGIN.sub(" ", fold(" ".join(rest)).low))
    return not any(_says_something(word) for word in words)


def _says_something(word: str) -> bool:
    if word in _INTRODUCTIONS or word.isdecimal() or len(word) == 1:
        return False
    if "\u4e00" <= word[0] <= "\u9fff":
        for introduction in _CJK_INTRODUCTIONS:
            word = word.replace(introduction, "")
        return len(word) > 1
    return True


# Each group is one kind of evidence; two kinds make a message of a service.
_EVIDENCE = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # a code is announced
        r"(?:verification|security|confirmation|login|log-in|sign-in|access|authentication|one[ -]time|otp|2fa"
        r"|activation)\s(?:pass)?(?:code|word|pin)|(?:your|is your|ihr|votre|tu|su)\s[\w ]{0,24}\b(?:code|otp"
        r"|código|codigo|pin)\b|\bOTP\b|use \d{4,8} (?:to|as)"
        r"|код (?:подтверждения|для входа|доступа|авторизации|активации|безопасности|регистрации|проверки)"
        r"|ваш (?:\w+ )?код|никому не (?:говорите|сообщайте|называйте) (?:этот )?код|одноразовый (?:код|пароль)"
        r"|\d{4,8} ?[—-] ?(?:ваш )?код|^код:? \d{4,8}\b"
        r"|验证码|校验码|动态码|动态密码|確認碼|驗證碼|bestätigungscode|code de (?:vérification|sécurité)"
        r"|código de (?:verificación"
        r"|seguridad)|codice di verifica|kod (?:weryfikacyjny|autoryzacyjny)",
        # nobody shall be told
        (
            r"(?:do not|don't|never) (?:share|give|disclose|tell|forward|reveal)|never ask(?:s)? (?:you )?for"
            r"|не (?:сообщайте|говорите|передавайте|называйте|показывайте)|никому|请勿(?:泄露|转发|告知|向)|切勿"
            r"|勿泄露|不要(?:告诉|泄露"
            r"|透露)|如非本人|谨防|nicht weiter|ne (?:le |la )?(?:communiquez|partagez)|no (?:lo |la )?compartas?"
        ),
        # it ends soon
        (
            r"(?:valid|expires?|good|gültig|valable|válido)\b[^.\n]{0,20}\b(?:min|minutes?|hours?|sec|seconds?"
            r"|minuten)|действ(?:ует|ителен|ителен)\b[^.\n]{0,20}(?:мин|час|сек)|\d+\s?分钟(?:内)?(?:有效|内有效"
            r"|内完成|失效)"
            r"|有效期?\d|内有效|分钟内"
        ),
        # a sender's mark
        (
            r"^\s*[【\[][^】\]\n]{2,16}[】\]]|【[^】\n]{2,16}】\s*$|^(?:G-\d{6}|<#>)|^[A-Z]{3,}[\w ]{0,12}:\s|退订|回T"
            r"|reply stop|text stop|msg&data|не отвечайте на это"
        ),
        # a card or an account moved
        r"(?:purchase|withdrawal|payment|transfer|deposit|debit|credit|transaction|charged?"
        r"|spent)\b[^\n]{0,60}(?:\$|€|£|usd|eur|gbp|rs\.?|inr)\s?\d|(?:card|acct?|account|a/c)\s?(?:ending|ends"
        r"|no\.?|\*+|x+)\s?(?:in|with)?\s?[*x]*\d{3,4}"
        r"|(?:покупка|оплата|списание|зачисление|перевод|пополнение|выдача наличных|снятие|поступление|возврат"
        r"|отказ|платеж)\b[^\n]{0,40}\d[\d \u00a0.,]*\s?(?:р\b|р\.|руб|rub|₽|\$|€|usd|eur|kzt|₸|byn|uah)|(?:карта"
        r"|счет|счёт|mir|visa|mastercard|ecmc|maestro)[\s-]?[*•x]{0,4}\d{4}\b"
        r"|尾号\s?[*]*\d{4}|(?:支出|收入|转入|转出|消费|存入|入账|扣款|支付)(?:人民币)?[^\n]{0,12}\d[\d,.]*\s?元"
        r"|您(?:的)?(?:账户|尾号|信用卡|储蓄卡|银行卡)",
        # what is left
        (
            r"(?:available|avl|avbl|current|remaining|new)?\s?(?:balance|bal)\b\s?(?:is|:|\.)?\s?(?:\$|€|£|usd|eur"
            r"|rs\.?|inr)?\s?\d|баланс:?\s?\d|остаток:?\s?\d|доступно:?\s?\d|余额\s?(?:为|：|:)?\s?\d|可用额度"
            r"|solde\s?:?\s?\d|kontostand"
        ),
    )
)


def is_service_text(text: str) -> bool:
    """Whether a bank, a shop or a service that sends codes wrote this: a forwarded or pasted text, nobody's own words.

    Two kinds of evidence are asked for (a code is announced, nobody shall be told, it ends soon, a sender's mark, money
    moved, a balance), so that a person's "код 4821" or "my balance is 5" is none.
    """
    if not text or len(text) > 2000 or not any(map(str.isdecimal, text)):
        return False
    return sum(bool(pattern.search(text)) for pattern in _EVIDENCE) >= 2
