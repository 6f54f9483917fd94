"""Everything secret in one message: a cheap look for clues first, then only the rules that a clue calls for.

Knows nothing of other messages; `windows` reads conversations.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import phonenumbers
import stdnum

from twin.privacy.accounts import find_accounts
from twin.privacy.cards import find_cards
from twin.privacy.clues import any_of, word_set
from twin.privacy.codes import find_codes
from twin.privacy.credentials import find_bare, find_pairs, find_spelled, find_typed_in
from twin.privacy.emails import find_emails
from twin.privacy.folding import Folded, fold
from twin.privacy.ids import find_ids, find_snils
from twin.privacy.keys import find_api_keys
from twin.privacy.links import find_secrets_in_links
from twin.privacy.machines import find_machines
from twin.privacy.passwords import find_passwords
from twin.privacy.phones import find_phones
from twin.privacy.places_chinese import find_chinese_addresses
from twin.privacy.places_english import find_english_addresses
from twin.privacy.places_european import find_european_addresses
from twin.privacy.places_russian import find_russian_addresses
from twin.privacy.private_keys import find_private_keys
from twin.privacy.repeats import find_repeats
from twin.privacy.seeds import find_seeds
from twin.privacy.spans import Hit, Span, settle
from twin.privacy.wallets import find_wallets

DETECTORS_VERSION = f"6-{phonenumbers.__version__}-{stdnum.__version__}"
"""Changes whenever the results for some text may change: a cache of results is keyed by it."""

Detector = Callable[[Folded], Iterator[Hit]]

_PASSWORD_CLUES = any_of(
    word_set(
        "alarm safe vault gate door замок ворот сигнализ 锁",
        "pass pasw psw pw p/w pin puk code combo mdp kennwort contra clave senha has wachtw senord heslo",
        "jelsz salas ifre parola palavra wifi wi-fi wlan key word keypad lock парол пароль порол пасс пасв",
        "пас пин пук код шифр слов ключ домоф сейф калитк фраз 密码 密碼 口令 暗 提取 解压 访问码 分享码 开机",
        "门 保险 開門 secret vpn",
    )
)
_SPELLED_EMAIL_CLUES = any_of(
    word_set(
        "(at [at {at собак собач 艾特 小老鼠 圈a точка arroba chiocciola _at_ #at# (а) -at-",
    )
    | {" at ", " dot ", " эт ", " гав "}
)
_CODE_CLUES = any_of(
    word_set(
        "verif 口令",
        "code код otp 2fa mfa sms смс text 码 碼 tan got says sent kod código codigo codice enter input type",
        "приш присл скинул введи вбей вводи 输入 收到 пароль пин 短信 сообщ двух password 密码 密碼 pin pass",
        "пуш push",
    )
    | {"use "}
)
_LONG = re.compile(r"[^\s\u3000-\u303f\u4e00-\u9fff]{16}")
_NUMERALS = re.compile(r"[幺一二三四五六七八九零〇]")
_NUMBER_WORDS = re.compile(
    r"(?:zero|one|two|three|four|five|six|seven|eight|nine)\W+(?:zero|oh|one|two|three|four|five|six|seven"
    r"|eight|nine|double)\W|девятьсот"
)


def find(text: str) -> list[Span]:
    """Everything secret in one message.

    Args:
        text: any text; typographic variants (full-width digits, invisible characters) are seen through.

    Returns:
        spans by position, never overlapping, in code point offsets of `text`; tight: the value only.
    """
    if not text:
        return []
    folded = fold(text)
    hits = [hit for detector in detectors_for(folded) for hit in detector(folded)]
    if not hits:
        return []
    kept = settle(hits)
    kept = settle([*kept, *find_repeats(folded, kept)])
    return [folded.span(hit) for hit in kept]


def detectors_for(folded: Folded) -> Iterator[Detector]:
    """The rules that could find anything, by clues that cost almost nothing; none for small talk."""
    low = folded.low
    digits = folded.digits
    has_at = "@" in low
    is_long = len(low) >= 16 and bool(_LONG.search(low))
    if _PASSWORD_CLUES.search(low):
        yield find_passwords
        yield find_spelled
    if digits:
        yield find_bare
        yield find_typed_in
        yield find_pairs
        yield from _for_numbers(folded, digits)
    elif ("/" in low or ":" in low) and ("admin" in low or "root" in low or "guest" in low):
        yield find_pairs
    elif _NUMERALS.search(low) and not low.isascii():
        yield find_phones
        yield find_chinese_addresses
    elif _NUMBER_WORDS.search(low):
        yield find_phones
        yield find_english_addresses
    if has_at or "#" in low or _SPELLED_EMAIL_CLUES.search(low):
        yield find_emails
    if has_at or "/" in low or "=" in low or low.count(":") >= 2:
        yield find_secrets_in_links
    if digits < 4 and low.count(":") >= 2:
        yield find_machines
    if is_long:
        yield find_api_keys
        yield find_private_keys
        yield find_wallets
    if len(low) >= 23 and sum(map(low.count, " \n,-")) >= 10:
        yield find_seeds
    elif not digits and any(clue in low for clue in ("code", "steam")):
        yield find_codes


def _for_numbers(folded: Folded, digits: int) -> Iterator[Detector]:
    low = folded.low
    yield find_english_addresses
    yield find_european_addresses
    if not low.isascii():
        yield find_russian_addresses
        yield find_chinese_addresses
    if _CODE_CLUES.search(low):
        yield find_codes
    if digits >= 3:
        yield find_cards
        yield find_ids
    if digits >= 4:
        yield find_machines
    if digits >= 5:
        yield find_accounts
        yield find_phones
    if digits >= 11:
        yield find_snils
