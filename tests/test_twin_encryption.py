"""The database encrypted with SQLCipher: no word of it is readable, and everything works as with a plain one."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import NoKeyringError

from tests import chats
from tests.conftest import Ran
from twin.database import open_database
from twin.encryption import connect, decrypt, encrypt, is_encrypted
from twin.errors import SettingsError, StoreError
from twin.jobs import RETRAIN, JobQueue
from twin.keys import database_key, make_key
from twin.messages import Message
from twin.settings import DATABASE_KEY_VARIABLE, Settings, load_settings
from twin.store import Store

RAW = "0123456789abcdef" * 4
PASSPHRASE = "it's a long one, with a quote"
SECRET = "marzipan under the floorboard"


def fill(store: Store) -> None:
    chats.fill(store, days=3)
    store.write_messages([Message(7, 9999, datetime(2024, 2, 1, tzinfo=UTC), 1, True, SECRET)])
    JobQueue(store.db).enqueue(RETRAIN, "test", 1.0)


def dump(db: sqlite3.Connection) -> list[tuple[object, ...]]:
    """Every row of every table and the schema, by the first column."""
    names = [row[0] for row in db.execute("select name from sqlite_master where type = 'table' order by 1")]
    schema = db.execute("select type, name, sql from sqlite_master order by 1, 2").fetchall()
    return [*schema, *(row for name in names for row in db.execute(f'select * from "{name}" order by 1'))]  # noqa: S608


class MemoryKeyring(KeyringBackend):
    """A keyring of the test's own."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password


@pytest.fixture
def memory_keyring(monkeypatch: pytest.MonkeyPatch) -> MemoryKeyring:
    backend = MemoryKeyring()
    monkeypatch.setattr(keyring, "get_password", backend.get_password)
    monkeypatch.setattr(keyring, "set_password", backend.set_password)
    return backend


@pytest.mark.parametrize("key", [RAW, PASSPHRASE], ids=["raw key", "passphrase"])
def test_there_and_back_every_row_is_the_same_and_no_word_is_readable_between(tmp_path: Path, key: str) -> None:
    path = tmp_path / "twin.db"
    with Store.open(path) as store:
        fill(store)
        before = dump(store.db.conn)
    encrypt(path, key)
    assert is_encrypted(path)
    assert [file.name for file in tmp_path.iterdir()] == ["twin.db"]
    assert SECRET.encode() not in path.read_bytes()
    with Store(open_database(path, key)) as store:
        assert dump(store.db.conn) == before
    decrypt(path, key)
    with Store.open(path) as store:
        assert dump(store.db.conn) == before
    assert path.stat().st_mode & 0o077 == 0


def test_an_encrypted_database_does_all_that_a_plain_one_does(tmp_path: Path) -> None:
    path = tmp_path / "twin.db"
    with Store(open_database(path, RAW)) as store, Store(open_database(path, RAW)) as other:
        fill(store)
        assert other.message_count() == 25
        with pytest.raises(sqlite3.IntegrityError), store.atomic():
            store.add_dialog(8, "Ada")
            store.db.execute("insert into dialogs (chat_id, kind) values (8, 'person')")
        assert [dialog.chat_id for dialog in other.dialogs()] == [7]
        with store.staging():
            store.stage([Message(7, 10_000, datetime(2024, 2, 2, tzinfo=UTC), 1, True, SECRET)])
            other.add_dialog(9, None)
            assert store.write_staged() == 1
        assert JobQueue(other.db).claim("me", 2.0) is not None
        everything = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert SECRET.encode() not in everything


def test_a_busy_encrypted_database_is_known_to_be_only_busy(tmp_path: Path) -> None:
    from twin.database import is_busy

    path = tmp_path / "twin.db"
    with Store(open_database(path, RAW)) as store, Store(open_database(path, RAW)) as other, store.atomic():
        other.db.execute("pragma busy_timeout = 0")
        with pytest.raises(sqlite3.OperationalError) as refused:
            other.add_dialog(1, None)
        assert is_busy(refused.value)


def test_a_wrong_or_missing_key_is_one_sentence_without_the_key(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "twin.db"
    Store(open_database(path, RAW)).close()
    for key in (PASSPHRASE, "f" * 64, None):
        with pytest.raises(StoreError) as refused:
            open_database(path, key)
        assert str(key) not in str(refused.value)
    assert capfd.readouterr().err == ""
    plain = tmp_path / "plain.db"
    Store.open(plain).close()
    with pytest.raises(StoreError, match="is not encrypted yet"):
        open_database(plain, RAW)


def test_nothing_is_converted_while_another_process_has_it_open(tmp_path: Path) -> None:
    path = tmp_path / "twin.db"
    with Store.open(path) as store:
        fill(store)
    hold = f"import sqlite3; c = sqlite3.connect({str(path)!r}); c.execute('pragma user_version').fetchall()"
    other = subprocess.Popen(
        [sys.executable, "-c", hold + "; print('open', flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline()
        with pytest.raises(StoreError, match="is as it was"):
            encrypt(path, RAW)
        other.kill()
    assert not is_encrypted(path)
    assert [file.name for file in tmp_path.iterdir() if "converting" in file.name] == []
    with Store.open(path) as store:
        assert store.message_count() == 25


def test_whoever_waited_for_the_conversion_works_in_the_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is exchanged between looking at it and opening it."""
    path = tmp_path / "twin.db"
    with Store.open(path) as store:
        fill(store)
    exchanged = tmp_path / "exchanged.db"
    exchanged.write_bytes(path.read_bytes())
    real = sqlite3.connect

    def slow(*arguments: object, **options: object) -> sqlite3.Connection:
        connection: sqlite3.Connection = real(*arguments, **options)  # type: ignore[call-overload]
        if exchanged.exists():
            exchanged.replace(path)
        return connection

    monkeypatch.setattr(sqlite3, "connect", slow)
    with Store.open(path) as store:
        store.add_dialog(8, "Ada")
    monkeypatch.undo()
    with Store.open(path) as store:
        assert {dialog.chat_id for dialog in store.dialogs()} == {7, 8}


def in_home(home: Settings, monkeypatch: pytest.MonkeyPatch, key: str) -> Settings:
    monkeypatch.setenv("TWIN_STORAGE__KEY", key)
    return load_settings()


@pytest.mark.parametrize("source", ["file", "keyring", "environment"])
def test_the_command_encrypts_with_a_key_from_anywhere_and_decrypts_again(
    home: Settings,
    run_twin: Callable[..., Ran],
    monkeypatch: pytest.MonkeyPatch,
    memory_keyring: MemoryKeyring,
    source: str,
) -> None:
    with Store.open(home.database) as store:
        fill(store)
    settings = in_home(home, monkeypatch, source)
    if source == "environment":
        assert "no database key" in run_twin("database", "encrypt").err
        monkeypatch.setenv(DATABASE_KEY_VARIABLE, PASSPHRASE)
        assert "is not encrypted yet" in run_twin("jobs").err
    encrypted = run_twin("database", "encrypt")
    assert (encrypted.code, is_encrypted(home.database)) == (0, True)
    key = database_key(settings)
    assert key and key not in encrypted.out + encrypted.err
    assert "already" in run_twin("database", "encrypt").out
    assert run_twin("jobs", "--json").code == 0
    assert '"encrypted": true' in run_twin("database", "status", "--json").out
    if source == "file":
        assert (home.home / "database-key").stat().st_mode & 0o077 == 0
    monkeypatch.setenv("TWIN_STORAGE__KEY", "none")
    assert "is encrypted" in run_twin("jobs").err
    monkeypatch.setenv("TWIN_STORAGE__KEY", source)
    assert run_twin("database", "decrypt").code == 0
    assert not is_encrypted(home.database)
    monkeypatch.setenv("TWIN_STORAGE__KEY", "none")
    with Store.of(load_settings()) as store:
        assert store.message_count() == 25


def test_a_key_is_made_once_and_only_where_the_setting_says(
    home: Settings, monkeypatch: pytest.MonkeyPatch, memory_keyring: MemoryKeyring
) -> None:
    with pytest.raises(SettingsError, match=r"storage\.key"):
        make_key(home)
    settings = in_home(home, monkeypatch, "keyring")
    with pytest.raises(SettingsError, match="no database key"):
        database_key(settings)
    key = make_key(settings)
    assert make_key(settings) == key == memory_keyring.kept["twin", str(home.home)]
    assert len(bytes.fromhex(key)) == 32


def test_a_machine_without_a_keyring_is_told_what_to_do(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: str) -> None:
        raise NoKeyringError

    monkeypatch.setattr(keyring, "get_password", none)
    with pytest.raises(SettingsError, match=r'storage\.key = "file"'):
        database_key(in_home(home, monkeypatch, "keyring"))


def test_a_killed_conversion_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "twin.db"
    with Store.open(path) as store:
        fill(store)
    code = (
        "import os, signal, sys; from pathlib import Path; import twin.encryption as e\n"
        "e._check = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"e.encrypt(Path({str(path)!r}), {RAW!r})"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    with Store.open(path) as store:
        assert store.message_count() == 25
    encrypt(path, RAW)
    connect(path, RAW, 1.0).close()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["twin.db"]


def test_a_home_without_a_database_gets_an_encrypted_one(
    home: Settings, run_twin: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = in_home(home, monkeypatch, "file")
    assert run_twin("database", "encrypt").code == 0
    assert is_encrypted(home.database)
    with Store.of(settings) as store:
        assert store.message_count() == 0
