"""API keys and tokens: by their makers' shapes, and long random words after a word for a key.

Knows nothing of passwords that people choose, and of private keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from twin.privacy.clues import one_of
from twin.privacy.folding import Folded
from twin.privacy.spans import Hit
from twin.privacy.token_shapes import TOKEN

_hit = partial(Hit, label="API_KEY")

_NAMES = one_of(
    r"api[\s_-]?key api[\s_-]?token access[\s_-]?key secret[\s_-]?key auth[\s_-]?token access[\s_-]?token",
    r"refresh[\s_-]?token bot[\s_-]?token client[\s_-]?secret app[\s_-]?secret app[\s_-]?key",
)
_VARIABLES = one_of("_token _secret _key _sk _ak -token -key")  # TELEGRAM_TOKEN=...
_WORD = re.compile(
    r"(?<![a-z])(?:"
    + one_of(
        rf"[a-z0-9_-]{{0,30}}(?:{_NAMES})(?:[\s_]?id)? [a-z0-9_-]{{0,30}}(?:{_VARIABLES})(?=\s?[=:\"]) tokens? secr"
        r"ets? bearer",
        (
            r"basic(?=\s[a-z0-9+/=]{16}) api keys? creds? credentials? pat webhook licen[cs]e\skey x-api-key sas accou"
            r"ntkey"
        ),
        "sharedaccesskey jwt",
    )
    + ")|"
    + one_of(r"токен\w* апи(?:\s?-?ключ\w*)? ключ\w* секрет\w* кей(?![а-я]) апишк\w+ вебхук\w* жвт")
    + "|"
    + one_of("密钥 秘钥 令牌 密鑰 授权码")
)
_BETWEEN = re.compile(
    r"[\"']?[\s:=>\-(,]{0,4}[\"']?"
    r"(?:(?:[а-я]{1,14}|[a-z]{1,12}|[\u4e00-\u9fff]{1,6}|[:=/\-,>]+)[\"']?[\s:=>\"']{1,3}|(?:是|为|给你|：|:)){0,5}"
)
_VALUE = re.compile(r"[A-Za-z0-9+/][A-Za-z0-9_\-+/=.~]{14,250}[A-Za-z0-9=_\-]")
_AFTER_ID = re.compile(
    r"(?:AKIA|ASIA|LTAI|AKID)[A-Za-z0-9]{12,36}[\s/:,|]{1,4}(?:(?:secret|sk|key|и|and)[\s:=]{1,3}){0,2}"
    r"(?P<value>[A-Za-z0-9/+_\-]{28,64}=?)(?![A-Za-z0-9/+])"
)
_BOT_LINK = re.compile(r"/bot(?P<value>[0-9]{8,11}:[A-Za-z0-9_\-]{30,40})(?![A-Za-z0-9_])")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
# A UUID is a key only beside words that say so more firmly than "key".
_FIRM = re.compile(
    r"heroku|яндекс|yandex|2gis|2гис|карт|maps|license|api|token|secret|токен|апи|секрет|密钥|秘钥|令牌|bearer|_key"
    r"|key[\"']?\s?[:=]|ключ\s(?:от|к|для)"
)
_PUBLIC = re.compile(
    r"(?:ssh-(?:rsa|ed25519|dss)|ecdsa-sha2-\S+|sha256:|sha512-|sha1:|commit|public\s?key|pubkey|pub key|fingerprint"
    r"|публичный ключ|открытый ключ|公钥|publishable|hash|хэш|хеш|md5)\W{0,4}(?:\w+\W{1,2})?$"
)


def find_api_keys(folded: Folded) -> Iterator[Hit]:
    """Tokens that their shape gives away, secrets behind the id of an access key, and what words for keys announce."""
    for match in TOKEN.finditer(folded.text):
        if not _is_words(match[0]):
            yield _hit(*match.span(), rank=86)
    for match in _BOT_LINK.finditer(folded.text):
        yield _hit(*match.span("value"), rank=96)
    for match in _AFTER_ID.finditer(folded.text):
        yield _hit(*match.span("value"), rank=85)
    for word in _WORD.finditer(folded.low):
        yield from _announced(folded, word)


def _announced(folded: Folded, word: re.Match[str]) -> Iterator[Hit]:
    """A long random word after a word for a key, unless the sentence says that it is public."""
    between = _BETWEEN.match(folded.low, word.end(), word.end() + 70)
    value = _VALUE.match(folded.text, between.end() if between else word.end())
    if value is None or not is_random(value[0]):
        return
    before = folded.before(word.start(), 30)
    near = before[-16:] + folded.low[word.start() : value.start()]
    is_public = _PUBLIC.search(folded.before(value.start(), 30)) or _PUBLIC.search(before + " ")
    is_plain_uuid = _UUID.fullmatch(value[0]) and not _FIRM.search(near)
    is_link = "://" in folded.text[max(0, value.start() - 8) : value.end() + 3]
    if not (is_public or is_plain_uuid or is_link):
        yield _hit(*value.span(), rank=68)


_CHANGE = re.compile(r"[a-z][A-Z]|[A-Z][a-z]|[a-zA-Z][0-9]|[0-9][a-zA-Z]")
_SAME = re.compile(r"[a-z]+|[A-Z]+|[^a-zA-Z]+")


def is_random(value: str) -> bool:
    """Whether a long word is drawn rather than written: kinds of characters change often, none goes on for long."""
    digits, letters = sum(map(str.isdecimal, value)), sum(map(str.isalpha, value))
    changes = len(_CHANGE.findall(value))
    if letters < 2 or (digits < 2 and changes < (4 if digits else 6)):
        return False
    longest = max(len(run) for run in _SAME.findall(value))
    return longest <= max(10, len(value) // 3) or digits >= len(value) // 5


def _is_words(value: str) -> bool:
    """Something like "sk-learn-based-pipeline-for-2023": words with dashes between."""
    parts: list[str] = re.split(r"[-_.]", value)
    return sum(part.isalpha() and part.islower() and len(part) > 1 for part in parts) >= max(3, len(parts) - 2)
