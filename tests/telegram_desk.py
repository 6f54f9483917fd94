"""The part of a Telegram server that lets people in: codes, passwords (SRP, as Telegram checks them), QR codes.

Knows nothing of messages; tests/telegram_server.py asks it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from telethon import errors
from telethon import password as srp
from telethon.tl import functions, types

from tests.exports import OWNER

PHONE = "+999 661 2345"  # of the range that Telegram keeps for its test servers
CODE = "22222"
PASSWORD = "correct horse"
# The prime that Telegram uses, https://core.telegram.org/api/srp; Telethon knows it and need not test it.
PRIME = bytes.fromhex(
    "c71caeb9c6b1c9048e6c522f70f13f73980d40238e3e21c14934d037563d930f48198a0aa7c14058229493d22530f4dbfa336f6e0ac92513"
    "9543aed44cce7c3720fd51f69458705ac68cd4fe6b6b13abdc9746512969328454f18faf8c595f642477fe96bb2a941d5bcd1d4ac8cc4988"
    "0708fa9b378e3c4f3a9060bee67cf9a4a4a695811051907e162753b56b0f6b410dba74d8a84b2a14b3144e0ef1284754fd17ed950d5965b4"
    "b9dd46582db1178d169c6bc465b0d6ff9ca3928fef5b9ae4e418fc15e83ebea0f87fa9ff5eed70050ded2849f47bf959d956850ce929851f"
    "0d8115f635b105ee2e4e15d04b2454bf6f4fadf034b10403119cd8e3b92fcc5b"
)
_SALTS = (b"s" * 8, b"t" * 8)
_B = 0x1234_5678_9ABC_DEF0 << 1900  # the server's half of the exchange; a test needs no randomness


@dataclass
class Desk:
    """Who may come in, and how.

    Attributes:
        has_password: whether the account has one.
        scans: how many QR codes have to be shown until somebody scans one; None for never.
        lifetime: seconds a QR code is good for.
        where: the kind of a code's way, as Telegram names it.
    """

    server: Any
    has_password: bool = False
    scans: int | None = 1
    lifetime: float = 30.0
    where: Any = field(default_factory=lambda: types.auth.SentCodeTypeApp(5))
    shown: int = 0
    scanned: bool = False
    passed: set[bytes] = field(default_factory=set)

    def answer(self, request: Any, wire: Any) -> Any:
        """One request of somebody who is not in yet."""
        match request:
            case functions.auth.SendCodeRequest():
                if request.phone_number != "9996612345":
                    raise errors.PhoneNumberInvalidError(request)
                return types.auth.SentCode(self.where, "hash")
            case functions.auth.SignInRequest():
                if request.phone_code != CODE:
                    raise errors.PhoneCodeInvalidError(request)
                return self._let_in(request, wire)
            case functions.account.GetPasswordRequest():
                return self._challenge()
            case functions.auth.CheckPasswordRequest():
                if not self._proves(request.password):
                    raise errors.PasswordHashInvalidError(request)
                self.passed.add(wire.auth_key.key)
                return self._let_in(request, wire)
            case functions.auth.ExportLoginTokenRequest():
                return self._qr(request, wire)
        raise errors.BadRequestError(request, "METHOD_INVALID")

    def _let_in(self, request: Any, wire: Any) -> Any:
        if self.has_password and wire.auth_key.key not in self.passed:
            raise errors.SessionPasswordNeededError(request)
        self.server.authorised.add(wire.auth_key.key)
        return types.auth.Authorization(self.server.users[OWNER])

    def _qr(self, request: Any, wire: Any) -> Any:
        if self.scanned:
            return types.auth.LoginTokenSuccess(self._let_in(request, wire))
        self.shown += 1
        if self.shown == self.scans:
            self.scanned = True
            wire.push_later(types.UpdateShort(types.UpdateLoginToken(), datetime.now(UTC)))
        return types.auth.LoginToken(datetime.now(UTC) + timedelta(seconds=self.lifetime), b"token %d" % self.shown)

    def _algorithm(self) -> Any:
        return types.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow(*_SALTS, 3, PRIME)

    def _verifier(self) -> int:
        return int.from_bytes(srp.compute_digest(self._algorithm(), PASSWORD), "big")

    def _public(self) -> bytes:
        p = int.from_bytes(PRIME, "big")
        k = int.from_bytes(srp.sha256(PRIME, srp.big_num_for_hash(3)), "big")
        return srp.big_num_for_hash((k * self._verifier() + pow(3, _B, p)) % p)

    def _challenge(self) -> Any:
        return types.account.Password(
            new_algo=self._algorithm(),
            new_secure_algo=types.SecurePasswordKdfAlgoUnknown(),
            secure_random=b"r",
            has_password=True,
            current_algo=self._algorithm(),
            srp_B=self._public(),
            srp_id=1,
        )

    def _proves(self, check: Any) -> bool:
        """Whether whoever sent this knows the password; https://core.telegram.org/api/srp."""
        p = int.from_bytes(PRIME, "big")
        u = int.from_bytes(srp.sha256(check.A, self._public()), "big")
        shared = pow(int.from_bytes(check.A, "big") * pow(self._verifier(), u, p), _B, p)
        expected = srp.sha256(
            srp.xor(srp.sha256(PRIME), srp.sha256(srp.big_num_for_hash(3))),
            srp.sha256(_SALTS[0]),
            srp.sha256(_SALTS[1]),
            check.A,
            self._public(),
            srp.sha256(srp.big_num_for_hash(shared)),
        )
        is_right: bool = expected == check.M1
        return is_right
