"""The vault: finds secrets again however they are spelled, and gives none away."""

from __future__ import annotations

import json
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.errors import StoreError
from twin.privacy.vault import KEY_FILE, VAULT_FILE, Vault


def vault_with(home, *secrets: tuple[str, str]) -> Vault:
    with Vault.rebuild(home) as vault:
        for label, value in secrets:
            assert vault.add(label, value)
    return Vault.open(home)


@pytest.mark.parametrize(
    ("label", "value", "said"),
    [
        ("PASSWORD", "Tr0ub4dor&3", "ok its tr0ub4dor 3, dont tell"),
        ("PASSWORD", "hunter2", "HUNTER2!"),
        ("PASSWORD", "hunter2", "h u n t e r 2"),
        ("PASSWORD", "#?!@$*", "try #?!@$* now"),
        ("PHONE", "+44 7700 900123", "call 07700-900-123"),
        ("PHONE", "8 (495) 123-45-67", "+7 495 1234567"),
        ("PHONE", "+44 7700 900123", "7700９００１２３"),
        ("CARD", "4242 4242 4242 4242", "4242424242424242"),
        ("CARD", "4242424242424242", "4242-4242\n4242-4242"),
        ("IBAN", "DE89370400440532013000", "de89 3704 0044 0532 0130 00"),
        ("EMAIL", "kim.lee@example.org", "mail Kim.Lee @ example . org"),
        ("ADDRESS", "12 Elm Street, Springfield", "it's 12 elm street springfield"),
        ("ADDRESS", "北京市朝阳区幸福路12号", "我住在北京市朝阳区幸福路12号楼下"),
        ("API_KEY", "sk-proj-abcdef0123456789", "SK PROJ ABCDEF0123456789"),
        ("CRED_URL", "https://kim:s3cr3tpw@example.org/", "the password was s3cr3tpw"),
        ("SEED", "apple river stone cloud green house music paper", "stone cloud green house"),
        ("IP", "192.0.2.17", "192 0 2 17"),
        ("ID", "123-45-6789", "123456789"),
        ("OTP", "4711", "the code was 4711"),
    ],
)
def test_a_secret_is_found_again_however_it_is_spelled(tmp_path, label, value, said):
    assert vault_with(tmp_path, (label, value)).labels(said) == {label}


@pytest.mark.parametrize(
    ("label", "value", "said"),
    [
        ("OTP", "4711", "that was in 147112"),
        ("PASSWORD", "love", "my glove is lost"),
        ("PASSWORD", "hunter2", "hunter23 is another"),
        ("PHONE", "+44 7700 900123", "call +44 7700 900124"),
        ("CARD", "4242 4242 4242 4242", "4242 4242 4242"),
    ],
)
def test_what_only_resembles_a_secret_is_none(tmp_path, label, value, said):
    assert not vault_with(tmp_path, (label, value)).contains(said)


@given(
    value=st.text(st.characters(whitelist_categories=("Ll", "Nd")), min_size=4, max_size=30),
    before=st.text(max_size=20),
    after=st.text(max_size=20),
)
def test_a_secret_among_other_words_is_always_found(tmp_path_factory, value, before, after):
    home = tmp_path_factory.mktemp("home")
    assert vault_with(home, ("PASSWORD", value)).contains(f"{before} {value} {after}")


def test_too_short_a_value_is_not_remembered(tmp_path):
    with Vault.rebuild(tmp_path) as vault:
        assert not vault.add("PASSWORD", "abc")
        assert not vault.add("OTP", "  12 3")
    assert len(Vault.open(tmp_path)) == 0


def test_the_files_are_private_and_hold_no_secret(tmp_path):
    vault = vault_with(tmp_path, ("PASSWORD", "Tr0ub4dor&3"), ("PHONE", "+44 7700 900123"))
    for name in (VAULT_FILE, KEY_FILE):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert len((tmp_path / KEY_FILE).read_bytes()) == 32
    written = (tmp_path / VAULT_FILE).read_text().lower()
    assert "tr0ub4dor" not in written and "900123" not in written
    assert "900123" not in repr(vault) and vault.key.hex() not in repr(vault)
    assert sorted(path.name for path in tmp_path.iterdir()) == [VAULT_FILE, KEY_FILE]


def test_the_same_secret_has_another_hash_in_another_home(tmp_path):
    first = vault_with(tmp_path / "a", ("PASSWORD", "hunter2"))
    second = vault_with(tmp_path / "b", ("PASSWORD", "hunter2"))
    assert set(first.entries).isdisjoint(second.entries)


def test_a_rebuild_replaces_and_a_failed_one_leaves_what_was(tmp_path):
    vault_with(tmp_path, ("PASSWORD", "hunter2"))
    with pytest.raises(ZeroDivisionError), Vault.rebuild(tmp_path) as vault:
        vault.add("PASSWORD", "swordfish")
        raise ZeroDivisionError
    assert Vault.open(tmp_path).contains("hunter2") and not Vault.open(tmp_path).contains("swordfish")
    assert vault_with(tmp_path, ("PASSWORD", "swordfish")).contains("swordfish")
    assert not Vault.open(tmp_path).contains("hunter2")


def test_an_empty_home_has_an_empty_vault(tmp_path):
    vault = Vault.open(tmp_path / "new")
    assert len(vault) == 0 and not vault.contains("anything at all")


def test_a_vault_that_cannot_be_trusted_is_refused(tmp_path):
    vault_with(tmp_path, ("PASSWORD", "hunter2"))
    file, key = tmp_path / VAULT_FILE, tmp_path / KEY_FILE
    file.chmod(0o644)
    with pytest.raises(StoreError, match="Others can read"):
        Vault.open(tmp_path)
    file.chmod(0o600)
    whole = file.read_text()
    for damaged in ("{", "[]", json.dumps({"version": 9}), json.dumps({"version": 1, "entries": []})):
        file.write_text(damaged)
        with pytest.raises(StoreError, match="is damaged"):
            Vault.open(tmp_path)
    file.write_text(whole)
    key.write_bytes(b"short")
    with pytest.raises(StoreError, match="key of the vault is damaged"):
        Vault.open(tmp_path)
    key.unlink()
    with pytest.raises(StoreError, match="key of the vault is missing"):
        Vault.open(tmp_path)
