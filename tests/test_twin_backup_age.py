"""age's format: opened by another implementation of it and the other way round, and no byte of it free to change."""

from __future__ import annotations

import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrage import passphrase as other

from tests.backups import EASY
from twin.backup_age import CHUNK, Decrypting, Encrypting, _file_key
from twin.errors import BackupError


def encrypted(data: bytes, passphrase: str = "pass") -> bytes:
    out = io.BytesIO()
    writer = Encrypting(out, passphrase, EASY)
    writer.write(data)
    writer.finish()
    return out.getvalue()


def decrypted(data: bytes, passphrase: str = "pass") -> bytes:
    return io.BufferedReader(Decrypting(io.BytesIO(data), passphrase)).read()


SIZES = st.sampled_from([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5])


@given(SIZES, st.text(min_size=1).filter(lambda text: text.isprintable()))
def test_another_implementation_opens_what_is_written(size, passphrase) -> None:
    data = random.Random(size).randbytes(size)
    assert other.decrypt(encrypted(data, passphrase), passphrase) == data
    assert decrypted(encrypted(data, passphrase), passphrase) == data


def test_the_published_test_vector_yields_its_file_key() -> None:
    """Of https://c2sp.org/CCTV/age, "scrypt": made with Go's implementation."""
    head = (
        b"age-encryption.org/v1\n"
        b"-> scrypt rF0/NwblUHHTpgQgRpe5CQ 10\n"
        b"gUjEymFKMVXQEKdMMHL24oYexjE3TIC0O0zGSqJ2aUY\n"
        b"--- IOXiQYStkoT1mvZW2tFOqZdhRVvj58egABx/sWfZQbc\n"
    )
    assert _file_key(io.BytesIO(head), "password") == b"YELLOW SUBMARINE"


@pytest.mark.slow  # it measures the machine and takes about a GiB of memory
def test_what_another_implementation_writes_is_opened() -> None:
    data = random.Random(1).randbytes(2 * CHUNK + 7)
    assert decrypted(other.encrypt(data, "höhle"), "höhle") == data


@given(st.lists(st.integers(0, 3 * CHUNK // 2), max_size=4))
def test_pieces_of_any_size_make_the_same_whole(sizes) -> None:
    out, data = io.BytesIO(), [random.Random(size).randbytes(size) for size in sizes]
    writer = Encrypting(out, "pass", EASY)
    for piece in data:
        writer.write(piece)
    writer.finish()
    assert decrypted(out.getvalue()) == b"".join(data)


WHOLE = encrypted(random.Random(2).randbytes(2 * CHUNK + 100))
HEADER = WHOLE.index(b"\n--- ") + 64


@given(st.one_of(st.integers(0, HEADER), st.integers(0, len(WHOLE) - 1)), st.integers(0, 7))
def test_any_flipped_bit_is_noticed(place, bit) -> None:
    damaged = bytearray(WHOLE)
    damaged[place] ^= 1 << bit
    if b" 4\n" in bytes(damaged[:80]) or place > 80:  # a flipped cost may be dear; it is tried below
        with pytest.raises(BackupError):
            decrypted(bytes(damaged))


@given(st.one_of(st.integers(0, len(WHOLE) - 1), st.sampled_from([HEADER, HEADER + CHUNK, len(WHOLE) - 116])))
def test_a_file_that_was_cut_off_is_noticed(length) -> None:
    with pytest.raises(BackupError):
        decrypted(WHOLE[:length])


def test_chunks_cannot_change_places_or_follow_the_end() -> None:
    start = WHOLE.index(b"\n--- ") + 1
    payload = WHOLE.index(b"\n", start) + 1 + 16
    sealed = CHUNK + 16
    first, second = WHOLE[payload : payload + sealed], WHOLE[payload + sealed : payload + 2 * sealed]
    for forged in (
        WHOLE[:payload] + second + first + WHOLE[payload + 2 * sealed :],
        WHOLE[:payload] + first + WHOLE[payload + 2 * sealed :],
        WHOLE + b"x",
    ):
        with pytest.raises(BackupError):
            decrypted(forged)


@pytest.mark.parametrize("cost", [b"5", b"3"])
def test_another_cost_than_that_of_the_passphrase_opens_nothing(cost) -> None:
    with pytest.raises(BackupError, match="passphrase does not open"):
        decrypted(WHOLE.replace(b" 4\n", b" %b\n" % cost, 1))


@pytest.mark.parametrize("cost", [b"23", b"99", b"04", b"0", b"100", b""])
def test_a_cost_that_would_take_the_memory_is_refused(cost) -> None:
    with pytest.raises(BackupError):
        decrypted(WHOLE.replace(b" 4\n", b" %b\n" % cost, 1))


def test_a_wrong_passphrase_is_told_from_damage() -> None:
    with pytest.raises(BackupError, match="passphrase does not open"):
        decrypted(WHOLE, "other")
