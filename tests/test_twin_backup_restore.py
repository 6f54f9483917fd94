"""Restoring puts all of a backup in place, proven, or nothing; what a home that was there knows better is kept."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.backups import NOW, PASSPHRASE, bring_back, easily, live_in, make
from tests.chats import START, fill
from twin.backup_archive import read_manifest, write_archive
from twin.backup_manifest import Entry
from twin.errors import BackupError
from twin.forget import forget, undo
from twin.forgotten import Forgettings
from twin.registry import Registry
from twin.settings import load_settings
from twin.store import Store


@pytest.fixture
def lived_in(home, store):
    live_in(home, store)
    return home


def entries(folder):
    return sorted(path.name for path in folder.iterdir())


def forged(source: Path, target: Path, **changes: bytes | None) -> Path:
    """A backup whose checksums are right, but with other contents: what somebody who can write could make."""
    with source.open("rb") as file:
        manifest = read_manifest(file)
        contents = {}
        for name, entry in manifest.files.items():
            file.read(512)
            contents[name] = file.read(entry.bytes)
            file.read(-entry.bytes % 512)
    contents |= {name: data for name, data in changes.items() if data is not None}
    for name in [name for name, data in changes.items() if data is None]:
        del contents[name]
    files = {name: Entry(len(data), hashlib.sha256(data).hexdigest(), 0) for name, data in contents.items()}
    with target.open("wb") as out:
        write_archive(out, replace(manifest, files=files), lambda name: io.BytesIO(contents[name]), lambda _: None)
    return target


def test_a_home_that_is_not_empty_is_left_alone(lived_in, tmp_path) -> None:
    make(lived_in, tmp_path / "b")
    before = entries(lived_in.home)
    with pytest.raises(BackupError, match="is not empty"):
        bring_back(tmp_path / "b", lived_in.home)
    with pytest.raises(BackupError, match="is no folder"):
        bring_back(tmp_path / "b", tmp_path / "b", replace=True)
    assert entries(lived_in.home) == before
    (tmp_path / "empty").mkdir()
    assert bring_back(tmp_path / "b", tmp_path / "empty").home == tmp_path / "empty"
    assert bring_back(tmp_path / "b", tmp_path / "deep" / "er").forgotten is None


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
def test_whatever_is_damaged_leaves_nothing_behind(lived_in, tmp_path_factory, monkeypatch, passphrase) -> None:
    easily(monkeypatch)
    folder = tmp_path_factory.mktemp("damaged")
    whole = make(lived_in, folder / "b", passphrase=passphrase).file.read_bytes()
    (folder / "b").unlink()

    @given(st.integers(120, len(whole) - 1), st.booleans())
    def holds(place, is_cut):
        data = whole[:place] if is_cut else whole[:place] + bytes([whole[place] ^ 32]) + whole[place + 1 :]
        (folder / "damaged").write_bytes(data)
        with pytest.raises(BackupError) as raised:
            bring_back(folder / "damaged", folder / "new")
        assert str(raised.value).count("\n") == 0 and entries(folder) == ["damaged"]

    holds()


def test_nobody_is_answered_by_the_restored_home_who_was_answered_since(lived_in, store, tmp_path) -> None:
    store.db.execute(
        "insert into bot_inbox (update_id, chat_id, received_at, payload) values (7, 2002, 1, '{\"words\": 1}')"
    )
    for speaker, message_id in (("other", 1), ("owner", 2), ("owner", None)):
        store.db.execute(
            "insert into bot_messages (chat_id, speaker, text, sent_at, update_id, message_id)"
            " values (2002, ?, 'hi', 1, 7, ?)",
            [speaker, message_id],
        )
    restored = bring_back(make(lived_in, tmp_path / "b").file, tmp_path / "new")
    with Store.open(restored.home / "twin.db") as new:
        inbox = new.db.execute("select answered_at, payload from bot_inbox").fetchall()
        kept = new.db.execute("select speaker, update_id from bot_messages order by id").fetchall()
    assert inbox == [(NOW.timestamp(), "{}")]
    assert kept == [("other", None), ("owner", None)], "a bubble that was planned and not sent was never said"


def test_a_wrong_passphrase_and_no_backup_at_all_are_told(lived_in, tmp_path, monkeypatch) -> None:
    easily(monkeypatch)
    make(lived_in, tmp_path / "b", passphrase=PASSPHRASE)
    with pytest.raises(BackupError, match="passphrase does not open"):
        bring_back(tmp_path / "b", tmp_path / "new", passphrase="another")
    for text in (b"", b"hello", b"\0" * 4096, b"age-encryption.org/v1\n", b"SQLite format 3\0" * 64):
        (tmp_path / "other").write_bytes(text)
        with pytest.raises(BackupError):
            bring_back(tmp_path / "other", tmp_path / "new")
    assert entries(tmp_path) == ["b", "home", "other"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"twin.db": b"no database at all" * 100}, "does not make a home"),
        ({"twin.toml": b"[nonsense]\nx = 1\n"}, "does not make a home"),
        ({"adapters/v002/twin.json": b"{}"}, "does not make a home"),
        ({"adapters/v001/adapter_config.json": b"[]"}, "does not make a home"),
        ({"adapters/v002/adapter_config.json": None}, "does not make a home"),
        ({f"adapters/v002/{name}": None for name in ("adapter_config.json", "adapter_model.safetensors", "twin.json")},
         "that serves is not in the backup"),
    ],
)  # fmt: skip
def test_a_backup_that_is_whole_but_no_home_is_refused(lived_in, tmp_path, changes, words) -> None:
    make(lived_in, tmp_path / "b")
    with pytest.raises(BackupError, match=words) as raised:
        bring_back(forged(tmp_path / "b", tmp_path / "c", **changes), tmp_path / "new")
    assert ".restoring-" not in str(raised.value) and entries(tmp_path) == ["b", "c", "home"]


def test_a_database_with_damaged_pages_is_refused(lived_in, store, tmp_path) -> None:
    make(lived_in, tmp_path / "b")
    new = bring_back(tmp_path / "b", tmp_path / "new").home
    pages = bytearray((new / "twin.db").read_bytes())
    for start in range(8 * 4096, len(pages), 4096):
        pages[start : start + 64] = bytes(64)
    with pytest.raises(BackupError):
        bring_back(forged(tmp_path / "b", tmp_path / "c", **{"twin.db": bytes(pages)}), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_no_room_is_told_before_anything_is_written(lived_in, tmp_path, monkeypatch) -> None:
    make(lived_in, tmp_path / "b")
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(BackupError, match=r"needs 0.0 GiB"):
        bring_back(tmp_path / "b", tmp_path / "new")
    assert entries(tmp_path) == ["b", "home"]


def test_a_replaced_home_stays_beside_and_gives_its_secrets(lived_in, store, tmp_path) -> None:
    make(lived_in, tmp_path / "b")
    fill(store, chat=50)
    store.close()
    restored = bring_back(tmp_path / "b", lived_in.home, replace=True)
    assert restored.kept == tmp_path / f"home.before-{NOW:%Y%m%d-%H%M%S}"
    assert restored.secrets == ("bot-token", "telegram.session") and restored.forgotten == 0
    assert (lived_in.home / "bot-token").read_text() == "what bot-token holds"
    assert (lived_in.home / "bot-token").stat().st_mode & 0o777 == 0o600
    with Store.of(lived_in) as new, Store.open(restored.kept / "twin.db") as old:
        assert (new.message_count(), old.message_count()) == (240, 480)
    assert entries(tmp_path) == ["b", "home", restored.kept.name]


def test_a_home_in_use_is_not_replaced(lived_in, store, tmp_path) -> None:
    make(lived_in, tmp_path / "b")
    code = "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute('select * from messages').fetchall();"
    command = [sys.executable, "-c", f"{code} print('here', flush=True); sys.stdin.read()", str(lived_in.database)]
    store.close()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"here\n"
        with pytest.raises(BackupError, match="Another process uses the home"):
            bring_back(tmp_path / "b", lived_in.home, replace=True)
        other.communicate()
    assert entries(tmp_path) == ["b", "home"]
    assert bring_back(tmp_path / "b", lived_in.home, replace=True).kept


def test_what_was_forgotten_since_is_forgotten_again(lived_in, store, tmp_path) -> None:
    fill(store, chat=8)
    fill(store, chat=9)
    forget(store, lived_in, 9, START + timedelta(days=3), NOW)
    make(lived_in, tmp_path / "b", datasets=True)
    forget(store, lived_in, 8, START + timedelta(days=10), NOW)
    Registry(lived_in.adapters, store.db).withdraw(["v002"], 1.0)
    store.close()
    restored = bring_back(tmp_path / "b", lived_in.home, replace=True)
    assert restored.forgotten == 1 and restored.stale is None
    with Store.of(lived_in) as new:
        assert new.message_count() == 240 + 160 + 216
        assert {w.chat_id: w.before for w in Forgettings(new.db).all()} == {
            9: START + timedelta(days=3),
            8: START + timedelta(days=10),
        }
        assert all(wish.is_done for wish in Forgettings(new.db).all())
        assert Registry(lived_in.adapters, new.db).current() is None, "it was withdrawn since, as it learned from it"


def test_a_stale_adapter_that_served_until_now_goes_on_and_is_told(lived_in, store, tmp_path) -> None:
    make(lived_in, tmp_path / "b")
    forget(store, lived_in, 7, START + timedelta(days=10), NOW)
    store.close()
    assert bring_back(tmp_path / "b", lived_in.home, replace=True).stale == "v002"


def test_a_wish_that_was_lifted_is_not_carried_out(lived_in, store, tmp_path) -> None:
    make(lived_in, tmp_path / "b")
    forget(store, lived_in, 7, START + timedelta(days=10), NOW)
    undo(store, 7)
    store.close()
    assert bring_back(tmp_path / "b", lived_in.home, replace=True).forgotten == 0
    with Store.of(lived_in) as new:
        assert new.message_count() == 240


def test_a_home_whose_database_is_damaged_can_be_replaced(lived_in, store, tmp_path) -> None:
    make(lived_in, tmp_path / "b")
    store.close()
    lived_in.database.write_bytes(b"rubbish" * 1000)
    restored = bring_back(tmp_path / "b", lived_in.home, replace=True)
    assert restored.forgotten is None and restored.kept
    with Store.of(lived_in) as new:
        assert new.message_count() == 240


def test_a_rename_that_fails_puts_the_old_home_back(lived_in, store, tmp_path, monkeypatch) -> None:
    make(lived_in, tmp_path / "b")
    store.close()

    def refuse(*_):
        raise OSError(13, "Permission denied")

    monkeypatch.setattr("twin.backup_replace.put", refuse)
    with pytest.raises(BackupError, match="Permission denied"):
        bring_back(tmp_path / "b", lived_in.home, replace=True)
    assert entries(tmp_path) == ["b", "home"]
    with Store.of(lived_in) as same:
        assert same.message_count() == 240


@pytest.mark.parametrize("replace_it", [False, True])
def test_a_volume_keeps_its_folder_and_gets_the_files(lived_in, store, tmp_path, monkeypatch, replace_it) -> None:
    make(lived_in, tmp_path / "b")
    store.close()
    volume = lived_in.home if replace_it else tmp_path / "volume"
    volume.mkdir(exist_ok=True)
    inode = volume.stat().st_ino
    monkeypatch.setattr(Path, "is_mount", lambda path: path == volume)
    restored = bring_back(tmp_path / "b", volume, replace=replace_it)
    assert volume.stat().st_ino == inode and not list(volume.glob("*restoring*"))
    with Store.open(volume / "twin.db") as new:
        assert new.message_count() == 240 and Registry(volume / "adapters", new.db).verify("v002")
    if replace_it:
        assert restored.kept == volume / f".before-{NOW:%Y%m%d-%H%M%S}" and (restored.kept / "twin.db").exists()


def test_a_killed_restore_leaves_no_home_and_the_next_one_sweeps(lived_in, tmp_path) -> None:
    make(lived_in, tmp_path / "b")
    code = (
        "import os, signal, sys; from pathlib import Path; from tests.backups import bring_back\n"
        "told = lambda what, *_: what == 'Checking' and os.kill(os.getpid(), signal.SIGKILL)\n"
        "bring_back(Path(sys.argv[1]), Path(sys.argv[2]), told=told)"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(tmp_path / "b"), str(tmp_path / "new")], env=os.environ)
    assert ran.returncode == -9 and not (tmp_path / "new").exists() and len(list(tmp_path.glob(".new.*"))) == 1
    bring_back(tmp_path / "b", tmp_path / "new")
    assert entries(tmp_path) == ["b", "home", "new"]


def test_settings_of_a_home_are_read_from_that_home(lived_in) -> None:
    assert load_settings(lived_in.home).reply.temperature == 0.5
    assert load_settings(lived_in.home / "elsewhere").home == lived_in.home / "elsewhere"
