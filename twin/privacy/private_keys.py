"""Private keys: PEM and PGP blocks, keys of WireGuard and PuTTY, raw keys and keys of wallets.

Knows nothing of API keys; a raw key is one only where a word says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from twin.privacy.clues import one_of
from twin.privacy.folding import Folded
from twin.privacy.spans import Hit

_hit = partial(Hit, label="PRIVATE_KEY")

_B58 = "1-9A-HJ-NP-Za-km-z"
_KIND = r"(?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?"
# To its end, or to the end of the message when it is cut off there.
_PEM = re.compile(
    rf"-----BEGIN (?P<kind>{_KIND})-----(?:(?!-----)[\s\S]|-(?!----)){{0,20000}}?(?:-----END (?P=kind)-----|\Z)"
)
_PEM_TAIL = re.compile(rf"(?:^[A-Za-z0-9+/=]{{16,80}}\s*\n){{1,400}}-----END {_KIND}-----", re.M)
_PUTTY = re.compile(r"PuTTY-User-Key-File-[23]:[\s\S]{0,8000}?(?:Private-MAC: [0-9a-f]{40,64}|\Z)")
# age, Nostr, BIP 32 extended keys, Bitcoin's wallet import format, NEAR, Sui, Tezos
_EVIDENT = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    + one_of(
        rf"AGE-SECRET-KEY-1[A-Z0-9]{{50,70}} nsec1[a-z0-9]{{58}} [xyztuv]prv[{_B58}]{{100,112}} 5[{_B58}]{{50}}",
        rf"[KL][{_B58}]{{51}} ed25519:[{_B58}]{{80,92}} suiprivkey1[a-z0-9]{{50,70}} edsk[{_B58}]{{50,94}}",
    )
    + ")(?![A-Za-z0-9])"
)
_WIREGUARD = re.compile(r"(?:private|preshared)_?key\s?[=:]\s?\"?(?P<value>[A-Za-z0-9+/]{42,43}={0,2})", re.I)
_WALLETS = one_of(r"метамаск\w* кошел\w* wallet metamask trust phantom эфира")
_WORD = re.compile(
    r"(?<![a-z])(?:"
    + one_of(
        r"private[\s_-]?keys? priv[\s_-]?keys? privatekey presharedkey pk secret[\s_-]?key prv signing\skey",
        r"wallet\skey private_?key clave\sprivada clé\sprivée",
    )
    + r")(?![a-z])|(?:metamask|wallet|eth|btc|ethereum|bitcoin)(?:'s)?\s(?:pk|key)|"
    + rf"(?:ключ\w*|key)\s(?:(?:от|к|to|for|of|my|the|моего)\s){{0,3}}(?:{_WALLETS})|"
    + one_of(r"приват\w* закрыт\w+\s(?:ключ\w*|часть) секретн\w+\sключ\w* 私钥 私鑰 钱包的?(?:key|密钥) 密钥")
)
_BETWEEN = re.compile(r"[\s:=\"'\-(>是为：]{0,5}(?:(?:[a-zа-я]{1,12}|[\u4e00-\u9fff]{1,6})[\s:=\"'\->是：]{1,4}){0,5}")
_VALUE = re.compile(
    r"(?:0x)?[0-9a-fA-F]{64}(?![0-9a-fA-F])|[A-Za-z0-9+/]{43}="
    rf"|(?:[{_B58}]{{51,52}}|[{_B58}]{{86,89}})(?![A-Za-z0-9])|\[(?:[0-9]{{1,3}},\s?){{31,63}}[0-9]{{1,3}}\]"
)


def find_private_keys(folded: Folded) -> Iterator[Hit]:
    """Every private key, whole; of a block that is cut off, what is there."""
    text = folded.text
    if "-----" in text:
        for pattern in (_PEM, _PEM_TAIL):
            for match in pattern.finditer(text):
                yield _hit(match.start(), match.start() + len(match[0].rstrip()), rank=100)
    for pattern in (_PUTTY, _EVIDENT):
        for match in pattern.finditer(text):
            yield _hit(*match.span(), rank=98)
    for match in _WIREGUARD.finditer(text):
        yield _hit(*match.span("value"), rank=97)
    for word in _WORD.finditer(folded.low):
        between = _BETWEEN.match(folded.low, word.end(), word.end() + 60)
        value = _VALUE.match(text, between.end() if between else word.end())
        if value:
            yield _hit(*value.span(), rank=96)
