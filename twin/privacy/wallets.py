"""Addresses of crypto wallets.

Knows nothing of what is on a wallet, nor whether it exists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from twin.privacy.clues import latin, one_of
from twin.privacy.folding import Folded
from twin.privacy.spans import Hit

_hit = partial(Hit, label="CRYPTO")

_B58 = "1-9A-HJ-NP-Za-km-z"
_L, _R = r"(?<![A-Za-z0-9_/=])", r"(?![A-Za-z0-9_])"
# From the coins' address formats: lengths in base58check, BIP 173 (bech32), EIP-55 (hex), TEP-2 (TON), CIP-19 (ADA).
_SHAPES = re.compile(
    rf"{_L}(?:"
    + one_of(
        # Bitcoin and Litecoin, Dogecoin, Dash, Zcash, Bitcoin Cash
        "(?:bc1|tb1|ltc1)[ac-hj-np-z02-9]{11,71} (?:BC1|LTC1)[AC-HJ-NP-Z02-9]{11,71}",
        rf"[13][{_B58}]{{25,34}} [LM][{_B58}]{{33}} D[5-9A-HJ-NP-U][{_B58}]{{32}} X[{_B58}]{{33}} t[13][{_B58}]{{33}}",
        "(?:bitcoincash:)?[qp][a-z0-9]{41}",
        # Ethereum, Tron, TON, Monero, Ripple, Stellar, Tezos, Cardano, Kaspa, Sui, Cosmos and its kin
        rf"0x[0-9a-fA-F]{{40}} T[{_B58}]{{33}} (?:EQ|UQ|kQ|0Q)[A-Za-z0-9_-]{{46}} 0:[0-9a-f]{{64}}",
        rf"[48][0-9AB][{_B58}]{{93}}(?:[{_B58}]{{11}})? r[{_B58}]{{26,34}} G[A-Z2-7]{{55}} tz[1-4][{_B58}]{{33}}",
        "addr1[a-z0-9]{50,100} kaspa:[a-z0-9]{60,64} 0x[0-9a-fA-F]{64}::[a-z]",
        "(?:cosmos|osmo|bnb|terra|inj|sei|celestia|kava|axelar|stars|juno)1[a-z0-9]{38,58}",
    )
    + rf"){_R}"
)
_EVIDENT = ("0x", "0:", "bc1", "ltc1", "tb1", "addr1")
_SOLANA = re.compile(rf"{_L}[{_B58}]{{32,44}}{_R}")
_COIN = re.compile(
    latin(
        "sol solana phantom wallet address addr usdc usdt crypto deposit xrp ripple trx tron stellar xlm dash tezos",
        "polkadot dot near algo bch zcash",
    )
    + "|солан|кошел|крипт|адрес|донат|钱包|地址|转|币"
)
_HASH = re.compile(r"(?:ipfs|hash|commit|tx|txid|sha)\W{0,3}$")


def find_wallets(folded: Folded) -> Iterator[Hit]:
    """Addresses by shape; Solana's, which are any 32 bytes in base58, by decoding them or by context."""
    for match in _SHAPES.finditer(folded.text):
        named = match[0][0] != "r" or bool(_COIN.search(folded.before(match.start(), 40)))  # Ripple's are any word
        if named and (match[0].lower().startswith(_EVIDENT) or _is_mixed(match[0])):
            yield _hit(*match.span(), rank=82)
    for match in _SOLANA.finditer(folded.text):
        is_hash = bool(_HASH.search(folded.before(match.start(), 12)))
        if not is_hash and _is_mixed(match[0]) and _base58_bytes(match[0]) == 32:
            yield _hit(*match.span(), rank=70 if _COIN.search(folded.before(match.start(), 40)) else 62)


def _is_mixed(value: str) -> bool:
    """Letters of both cases and digits, or cases that change often: no word, and no hexadecimal number."""
    changes = len(re.findall(r"[a-z][A-Z]|[A-Z][a-z]", value))
    has_digits = any(map(str.isdecimal, value[1:]))
    cased = any(map(str.islower, value)) and any(map(str.isupper, value))
    return changes >= 6 or (has_digits and (cased or len(value) > 50) and not re.fullmatch(r"[0-9a-f]+", value))


def _base58_bytes(value: str) -> int:
    """How many bytes a base58 string stands for."""
    number = 0
    for char in value:
        number = number * 58 + "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz".index(char)
    return (number.bit_length() + 7) // 8 + len(value) - len(value.lstrip("1"))
