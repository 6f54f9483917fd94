"""Keys of programs and machines: API keys and tokens by their makers' prefixes or by context, and private keys.

Knows nothing of passwords that people choose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from twin.privacy.folding import Folded
from twin.privacy.spans import Hit

_api = partial(Hit, label="API_KEY")
_private = partial(Hit, label="PRIVATE_KEY")

_W = r"[A-Za-z0-9_\-]"
# Prefixes as the makers document them for secret scanning (the lists of GitHub, gitleaks and the makers' own pages).
_PREFIXED = re.compile(
    rf"""(?x)(?<![A-Za-z0-9_\-/+.])(?:
      sk-(?:proj-|svcacct-|admin-|ant-(?:api|admin|oat)[0-9]{{2}}-|or-v1-  # OpenAI, Anthropic, OpenRouter
      |lf-)?{_W}{{20,220}}
    | gh[pousr]_[A-Za-z0-9]{{30,255}} | github_pat_[A-Za-z0-9_]{{40,255}} | gl(?:pat|dt|ft|rt|cbt|ptt|soat|oas
    |agent|imt)-{_W}{{16,300}}
    | (?:AKIA|ASIA|ABIA|ACCA|AGPA|AIDA|AROA)[A-Z0-9]{{16}} | LTAI[A-Za-z0-9]{{12,26}}
    | AKID[A-Za-z0-9]{{13,40}} | AQVN{_W}{{30,50}}
    | xox[abeoprs]-[A-Za-z0-9\-]{{10,250}} | xapp-[0-9]-[A-Za-z0-9\-]{{20,250}} | AIza{_W}{{33,40}}
    | ya29\.{_W}{{20,300}} | GOCSPX-{_W}{{20,40}} | 1//0{_W}{{30,120}}
    | hf_[A-Za-z0-9]{{20,60}} | api_org_[A-Za-z0-9]{{30,40}} | (?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{{10,250}}
    | whsec_[A-Za-z0-9+/=]{{16,80}} | (?:live|test)_{_W}{{40,60}}
    | SG\.{_W}{{16,40}}\.{_W}{{30,60}} | key-[0-9a-f]{{32}} | SK[0-9a-f]{{32}} | AC[0-9a-f]{{32}}
    | [0-9a-f]{{32}}-us[0-9]{{1,2}}
    | [0-9]{{8,11}}:AA{_W}{{30,40}} | [0-9]{{8,11}}:{_W}{{35}}
    | [MNO][A-Za-z0-9_\-]{{22,28}}\.{_W}{{6}}\.{_W}{{27,45}} | mfa\.{_W}{{80,90}}
    | npm_[A-Za-z0-9]{{30,40}} | pypi-{_W}{{40,300}} | rubygems_[0-9a-f]{{48}} | dckr_(?:pat|oat)_{_W}{{20,60}}
    | do[opr]_v1_[0-9a-f]{{64}}
    | shp(?:at|ca|pa|ss)_[0-9a-fA-F]{{32}} | sq0[a-z]{{3}}-{_W}{{22,50}} | EAA[A-Za-z0-9]{{20,300}}
    | lin_api_[A-Za-z0-9]{{32,48}} | ntn_[A-Za-z0-9]{{40,60}} | secret_[A-Za-z0-9]{{40,50}}
    | fig[douhr]_{_W}{{30,60}} | hv[sbr]\.{_W}{{20,300}} | nvapi-{_W}{{40,80}} | gsk_[A-Za-z0-9]{{40,60}}
    | xai-[A-Za-z0-9]{{40,90}} | pplx-[A-Za-z0-9]{{40,60}} | r8_[A-Za-z0-9]{{30,42}}
    | y[0-3]_{_W}{{30,80}} | t1\.{_W}{{30,500}}(?:\.{_W}{{30,200}})? | vk[0-9]\.a\.{_W}{{40,300}}
    | ATATT3{_W}{{40,300}} | ATCTT3{_W}{{40,300}} | PMAK-[0-9a-f]{{24}}-[0-9a-f]{{34}}
    | gl(?:sa|c)_{_W}{{32,200}} | sntry[su]_{_W}{{40,300}} | dapi[0-9a-f]{{32}}
    | pat[A-Za-z0-9]{{14}}\.[0-9a-f]{{64}} | sk\.eyJ{_W}{{20,200}}\.{_W}{{10,60}}
    | pk\.eyJ{_W}{{20,200}}\.{_W}{{10,60}}
    | tskey-[a-z]+-{_W}{{20,80}} | sbp_[0-9a-f]{{40}} | phc_[A-Za-z0-9]{{40,50}}
    | re_[A-Za-z0-9]{{8,10}}_[A-Za-z0-9]{{20,30}} | rnd_[A-Za-z0-9]{{28,40}} | fly_?v?1?_{_W}{{40,300}}
    | CFPAT-{_W}{{40,50}} | xkeysib-[0-9a-f]{{64}}-{_W}{{16}}
    | eyJ{_W}{{8,2000}}\.eyJ?{_W}{{4,4000}}(?:\.{_W}{{8,1000}})?                                   # JSON web tokens
    )(?![A-Za-z0-9_])"""
)

_WORD = re.compile(
    r"""(?x)(?:
      (?<![a-z])(?: [a-z0-9_\-]{0,30}(?:api[ _\-]?key|apikey|api[ _\-]?token|access[ _\-]?key|secret[ _\-]?key
      |auth[ _\-]?token|access[ _\-]?token|refresh[ _\-]?token|bot[ _\-]?token|client[ _\-]?secret
      |app[ _\-]?secret|app[ _\-]?key)(?:[ _]?id)?
        | [a-z0-9_\-]{0,30}(?:_token|_secret|_key|_sk|_ak|-token|-key)(?=\s?[=:"]) | tokens? | secrets?
        | bearer | basic(?=\s[a-z0-9+/=]{16}) | api | keys? | creds? | credentials? | pat | webhook
        | licen[cs]e\skey | x-api-key | sas | accountkey | sharedaccesskey )
      | токен\w* | апи(?:\s?-?ключ\w*)? | ключ\w* | секрет\w* | кей(?![а-я]) | апишк\w+ | вебхук\w* | jwt | жвт
      | 密钥 | 秘钥 | 令牌 | 密鑰 | key | token | secret | 授权码
    )"""
)
_BETWEEN = re.compile(
    r"""(?x)(?:["']?[\s:=>\-(,]{0,4}["']?)(?:(?:is|for|to|of|the|from|my|here|it|use|key|token|secret|id|openai
    |от|для|к|это|вот|бота|апи|api|твой|мой|новый|new|из|гитлаба|гитхаба|погоды|[а-я]{2,14}|[a-z]{2,12}|给你|是|为|的
    |[\u4e00-\u9fff]{1,6}|[:=/\-,>]+)["']?[\s:=>"']{1,3}|(?:是|为|给你|：|:))
    {0,5}"""
)
_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-+/=.~]{14,250}[A-Za-z0-9=_\-]")
_AFTER_AWS = re.compile(
    r"(?:AKIA|ASIA|LTAI|AKID)[A-Za-z0-9]{12,36}[\s/:,|]{1,4}(?:(?:secret|sk|key|и"
    r"|and)[\s:=]{1,3}){0,2}(?P<value>[A-Za-z0-9/+_\-]{28,64}=?)(?![A-Za-z0-9/+])"
)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_STRONG_WORD = re.compile(
    r"heroku|яндекс|yandex|2gis|2гис|карт|maps|license|ключ\sот|api|token|secret|токен|апи|секрет|密钥|秘钥|令牌|bearer|key[\"']?\s?[:=]|ключ\s(?:от|к|для)\s(?:апи|api)|_key"
)
_PUBLIC = re.compile(
    r"(?:ssh-(?:rsa|ed25519|dss)|ecdsa-sha2-\S+|sha256:|sha512-|sha1:|commit|public\s?key|publickey|pubkey"
    r"|pub key|fingerprint|публичный ключ|открытый ключ|公钥|publishable|hash|хэш|хеш"
    r"|md5)\W{0,4}(?:\w+\W{1,2})?$"
)


def find_api_keys(folded: Folded) -> Iterator[Hit]:
    """Tokens that their prefix gives away, and long random words after a word for a key."""
    text = folded.text
    for match in _PREFIXED.finditer(text):
        if not _in_words(match[0]):
            yield _api(*match.span(), rank=86)
    for match in _AFTER_AWS.finditer(text):
        yield _api(*match.span("value"), rank=85)
    for word in _WORD.finditer(folded.low):
        yield from _beside(folded, word)


def _beside(folded: Folded, word: re.Match[str]) -> Iterator[Hit]:
    between = _BETWEEN.match(folded.low, word.end(), word.end() + 70)
    value = _VALUE.match(folded.text, between.end() if between else word.end())
    if value is None or not _looks_random(value[0]):
        return
    near = folded.low[word.start() : value.start()]
    if _PUBLIC.search(folded.before(value.start(), 30)) or _PUBLIC.search(folded.before(word.start(), 30) + " "):
        return
    if _UUID.fullmatch(value[0]) and not _STRONG_WORD.search(folded.before(word.start(), 16) + near):
        return
    if "://" in folded.text[max(0, value.start() - 8) : value.end() + 3]:
        return
    yield _api(*value.span(), rank=68)


def _looks_random(value: str) -> bool:
    """Whether a long word is drawn rather than written: digits spread among letters, few long runs of letters alone."""
    digits = sum(map(str.isdecimal, value))
    letters = sum(map(str.isalpha, value))
    changes = len(re.findall(r"[a-z][A-Z]|[A-Z][a-z]|[a-zA-Z][0-9]|[0-9][a-zA-Z]", value))
    if letters < 2 or (digits < 2 and changes < (4 if digits else 6)):
        return False
    longest = max(len(run) for run in re.findall(r"[a-z]+|[A-Z]+|[^a-zA-Z]+", value))
    return longest <= max(10, len(value) // 3) or digits >= len(value) // 5


def _in_words(value: str) -> bool:
    """Something like "sk-learn-based-pipeline-for-2023" or "live_in_a_yellow_house": words with dashes between."""
    parts: list[str] = re.split(r"[-_.]", value)
    return sum(part.isalpha() and part.islower() and len(part) > 1 for part in parts) >= max(3, len(parts) - 2)


_PEM = re.compile(
    r"-----BEGIN (?P<kind>(?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?)-----(?:(?!-----)[\s\S]"
    r"|-(?!----)){0,20000}?(?:-----END (?P=kind)-----|\Z)"
)
_PEM_TAIL = re.compile(
    r"(?:^[A-Za-z0-9+/=]{16,80}\s*\n){1,400}-----END (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----", re.M
)
_PUTTY = re.compile(r"PuTTY-User-Key-File-[23]:[\s\S]{0,8000}?(?:Private-MAC: [0-9a-f]{40,64}|\Z)")
_SELF_EVIDENT = re.compile(
    r"(?<![A-Za-z0-9])(?:AGE-SECRET-KEY-1[A-Z0-9]{50,70}|nsec1[a-z0-9]{58}"
    r"|[xyztuv]prv[1-9A-HJ-NP-Za-km-z]{100,112}|(?:5[1-9A-HJ-NP-Za-km-z]{50}|[KL][1-9A-HJ-NP-Za-km-z]{51})"
    r"|ed25519:[1-9A-HJ-NP-Za-km-z]{80,92}|suiprivkey1[a-z0-9]{50,70}"
    r"|edsk[1-9A-HJ-NP-Za-km-z]{50,94})(?![A-Za-z0-9])"
)
_PRIVATE_WORD = re.compile(
    r"(?<![a-z])(?:private[ _\-]?keys?|priv[ _\-]?keys?|privatekey|presharedkey|pk|secret[ _\-]?key|prv"
    r"|signing key|wallet key|private_?key|clave privada|clé privée)(?![a-z])|приват\w*|(?:ключ\w*"
    r"|key)\s(?:(?:от|к|to|for|of|my|the|моего)\s){0,3}(?:метамаск\w*|кошел\w*|wallet|metamask|trust|phantom"
    r"|эфира)|(?:metamask|wallet|eth|btc|ethereum|bitcoin)(?:'s)?\s(?:pk|key)|钱包(?:的)?(?:key|密钥)"
    r"|закрыт\w+\s(?:ключ\w*|часть)|секретн\w+\sключ\w*|私钥|私鑰|密钥"
)
_PRIVATE_LINK = re.compile(
    r"[\s:=\"'\-—(>是为：]{0,5}(?:(?:[a-zа-я]{1,12}|[\u4e00-\u9fff]{1,6})[\s:=\"'\-—>是：]{1,4}){0,5}"
)
_PRIVATE_VALUE = re.compile(
    r"(?:0x)?[0-9a-fA-F]{64}(?![0-9a-fA-F])|[A-Za-z0-9+/]{43}=|[1-9A-HJ-NP-Za-km-z]{51,52}(?![A-Za-z0-9])"
    r"|[1-9A-HJ-NP-Za-km-z]{86,89}(?![A-Za-z0-9])|\[(?:[0-9]{1,3},\s?){31,63}[0-9]{1,3}\]"
)
_WIREGUARD = re.compile(r"(?:private|preshared)_?key\s?[=:]\s?\"?(?P<value>[A-Za-z0-9+/]{42,43}={0,2})", re.I)


def find_private_keys(folded: Folded) -> Iterator[Hit]:
    """PEM and PGP blocks, to the end of the message when cut off; raw and wallet keys beside a word for them."""
    text = folded.text
    if "-----" in text:
        for pattern in (_PEM, _PEM_TAIL):
            for match in pattern.finditer(text):
                yield _private(match.start(), match.start() + len(match[0].rstrip()), rank=100)
    for pattern in (_PUTTY, _SELF_EVIDENT):
        for match in pattern.finditer(text):
            yield _private(*match.span(), rank=98)
    for match in _WIREGUARD.finditer(text):
        yield _private(*match.span("value"), rank=97)
    for word in _PRIVATE_WORD.finditer(folded.low):
        link = _PRIVATE_LINK.match(folded.low, word.end(), word.end() + 60)
        value = _PRIVATE_VALUE.match(text, link.end() if link else word.end())
        if value:
            yield _private(*value.span(), rank=96)
