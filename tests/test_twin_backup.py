"""Backups are made while a twin lives, hold all of one moment, and are whole or not there."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import tracemalloc

import pytest

from tests.backups import PASSPHRASE, bring_back, easily, live_in, make, publish
from tests.chats import fill
from twin.encryption import encrypt, is_encrypted
from twin.errors import BackupError
from twin.registry import Registry
from twin.store import Store


@pytest.fixture
def lived_in(home, store):
    live_in(home, store)
    return home


def entries(folder):
    return sorted(path.name for path in folder.iterdir())


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def same(one, other):
    return {
        name
        for name in names(one)
        if (other / name).is_file() and (one / name).read_bytes() == (other / name).read_bytes()
    }


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
def test_a_home_comes_back_as_it_was(lived_in, tmp_path, monkeypatch, passphrase) -> None:
    easily(monkeypatch)
    made = make(lived_in, tmp_path / "b", passphrase=passphrase)
    assert made.file.stat().st_mode & 0o777 == 0o600 and made.bytes == made.file.stat().st_size
    restored = bring_back(made.file, tmp_path / "new")
    new = restored.home
    assert same(lived_in.home, new) == {
        *(f"adapters/{v}/{f}" for v in ("v001", "v002") for f in entries(lived_in.adapters / v)),
        *("overheard", "twin.toml", "vault.json", "vault.key"),
    }
    with Store.open(new / "twin.db") as store, Store.of(lived_in) as old:
        rows = "select * from messages order by id"
        assert store.db.execute(rows).fetchall() == old.db.execute(rows).fetchall()
        registry = Registry(new / "adapters", store.db)
        assert registry.current() == "v002" == restored.manifest.serving and registry.verify("v002")
    assert {path.stat().st_mode & 0o077 for path in [new, *new.rglob("*")]} == {0}
    assert not list(lived_in.home.glob(".backup-*")) and not list(tmp_path.glob(".*"))


def test_secrets_and_training_sets_are_inside_only_if_wanted(lived_in, tmp_path, monkeypatch) -> None:
    easily(monkeypatch)
    plain = make(lived_in, tmp_path / "a").manifest
    assert not plain.datasets and not {"bot-token", "telegram.session"} & {*plain.files}
    full = make(lived_in, tmp_path / "b", passphrase=PASSPHRASE, secrets=True, datasets=True).manifest
    assert full.datasets == ["abc123"] and {"bot-token", "telegram.session"} <= {*full.files}
    with pytest.raises(BackupError, match="only kept in a backup that is encrypted"):
        make(lived_in, tmp_path / "c", secrets=True)
    assert entries(tmp_path) == ["a", "b", "home"]
    assert b"what bot-token holds" not in (tmp_path / "b").read_bytes()
    new = bring_back(tmp_path / "b", tmp_path / "new").home
    old = (lived_in.datasets / "abc123" / "manifest.json").stat().st_mtime
    assert (new / "bot-token").read_text() == "what bot-token holds"
    assert (new / "datasets/abc123/manifest.json").stat().st_mtime == int(old)


def test_without_adapters_none_serves_in_the_restored_home(lived_in, tmp_path) -> None:
    make(lived_in, tmp_path / "b", adapters=False)
    new = bring_back(tmp_path / "b", tmp_path / "new").home
    with Store.open(new / "twin.db") as store, Store.of(lived_in) as old:
        assert Registry(new / "adapters", store.db).current() is None
        assert Registry(lived_in.adapters, old.db).current() == "v002", "the home itself is as it was"


def test_a_damaged_adapter_is_left_out_unless_it_serves(lived_in, store, tmp_path) -> None:
    (lived_in.adapters / "v001" / "adapter_model.safetensors").write_bytes(b"short")
    assert make(lived_in, tmp_path / "a").left_out == ("v001",)
    assert make(lived_in, tmp_path / "b").manifest.adapters == ["v002"]
    (lived_in.adapters / "v002" / "adapter_config.json").unlink()
    with pytest.raises(BackupError, match="v002 serves, but is missing or damaged"):
        make(lived_in, tmp_path / "c")
    shutil.rmtree(lived_in.adapters / "v002")
    with pytest.raises(BackupError, match="v002 serves, but is missing or damaged"):
        make(lived_in, tmp_path / "c")
    assert not (tmp_path / "c").exists() and make(lived_in, tmp_path / "c", adapters=False)


def test_an_adapter_that_is_being_published_or_removed_is_whole_or_absent(lived_in, store, tmp_path) -> None:
    incoming = lived_in.adapters / ".incoming-1-abc"
    incoming.mkdir()
    (incoming / "adapter_model.safetensors").write_bytes(b"half")

    def told(what, done, total):
        if what == "Hashing":
            shutil.rmtree(lived_in.adapters / "v001", ignore_errors=True)

    made = make(lived_in, tmp_path / "b", told=told)
    assert made.manifest.adapters == ["v001", "v002"] and not (lived_in.adapters / "v001").exists()
    assert bring_back(made.file, tmp_path / "new").manifest.adapters == ["v001", "v002"]


def test_a_disk_without_hard_links_makes_the_same_backup(lived_in, tmp_path, monkeypatch) -> None:
    first = make(lived_in, tmp_path / "a").manifest.files

    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    second = make(lived_in, tmp_path / "b").manifest.files
    assert {n: e for n, e in first.items() if n != "twin.db"} == {n: e for n, e in second.items() if n != "twin.db"}


def test_a_backup_is_of_one_moment_while_others_write(lived_in, tmp_path) -> None:
    """Each transaction writes to two tables; a restored home has it in both or in none."""
    stop, written = threading.Event(), []

    def write():
        with Store.of(lived_in) as store:
            for number in range(1_000_000):
                with store.atomic():
                    fill(store, days=1, chat=1_000 + number)
                    store.db.conn.execute("insert into promotions (version, promoted_at, reason) values ('x', 0, 'n')")
                    store.db.conn.execute("update promotions set withdrawn_at = 0 where version = 'x'")
                written.append(number)
                if stop.is_set():
                    return

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made = [make(lived_in, tmp_path / str(number)) for number in range(3)]
    finally:
        stop.set()
        writer.join()
    counts = []
    for number, backup in enumerate(made):
        home = bring_back(backup.file, tmp_path / f"new{number}").home
        with Store.open(home / "twin.db") as store:
            (marks,) = store.db.execute("select count(*) from promotions where version = 'x'").fetchone()
            assert store.message_count() == 240 + 8 * marks
            counts.append(marks)
    assert counts == sorted(counts) and counts[-1] <= len(written)


def test_what_is_only_in_the_write_ahead_log_is_inside(lived_in, store, tmp_path) -> None:
    store.db.conn.execute("pragma wal_autocheckpoint = 0")
    fill(store, chat=99)
    assert (lived_in.home / "twin.db-wal").stat().st_size
    home = bring_back(make(lived_in, tmp_path / "b").file, tmp_path / "new").home
    with Store.open(home / "twin.db") as restored:
        assert restored.message_count() == 480


def test_other_connections_of_this_process_keep_their_locks(lived_in, store, tmp_path) -> None:
    """Had the backup opened and closed the database's file by itself, the next process would delete the log."""
    fill(store, chat=5)
    log = lived_in.home / "twin.db-wal"
    assert log.stat().st_size
    make(lived_in, tmp_path / "b")
    code = (
        "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute('select 1 from jobs').fetchone(); d.close()"
    )
    subprocess.run([sys.executable, "-c", code, str(lived_in.database)], check=True)
    assert log.exists(), "it belongs to the connection that is still open"
    fill(store, chat=6)
    with Store.of(lived_in) as other:
        assert other.message_count() == 720


@pytest.mark.parametrize("key", ["ab" * 32, "a pass'phrase"])
def test_an_encrypted_database_stays_encrypted_with_its_key(lived_in, store, tmp_path, monkeypatch, key) -> None:
    store.close()
    encrypt(lived_in.database, key)
    monkeypatch.setenv("TWIN_STORAGE__KEY", "environment")
    monkeypatch.setenv("TWIN_DATABASE_KEY", key)
    from twin.settings import load_settings

    made = make(load_settings(), tmp_path / "b")
    assert made.manifest.database_encrypted and b"are you coming" not in made.file.read_bytes()
    restored = bring_back(made.file, tmp_path / "new")
    assert restored.is_proven and is_encrypted(restored.home / "twin.db")
    monkeypatch.delenv("TWIN_DATABASE_KEY")
    assert not bring_back(made.file, tmp_path / "unseen").is_proven
    monkeypatch.setenv("TWIN_DATABASE_KEY", "another key")
    with pytest.raises(BackupError, match="does not make a home: The key does not open"):
        bring_back(made.file, tmp_path / "never")
    assert not (tmp_path / "never").exists()


@pytest.mark.parametrize(
    ("stage", "passphrase"),
    [("Copying the database", []), ("Hashing", []), ("Packing", []), ("Packing", [PASSPHRASE])],
    ids=["copying", "hashing", "packing", "encrypting"],
)
def test_a_killed_backup_leaves_nothing_that_looks_whole(lived_in, tmp_path, stage, passphrase) -> None:
    environment = os.environ | {"TWIN_HOME": str(lived_in.home)}
    command = [sys.executable, "-m", "tests.killed_backup", str(tmp_path / "b"), stage, *passphrase]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    assert not (tmp_path / "b").exists()
    for left in tmp_path.glob(".b.*"):
        with pytest.raises(BackupError):
            bring_back(left, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    make(lived_in, tmp_path / "b")
    assert not list(tmp_path.glob(".b.*")) and not list(lived_in.home.glob(".backup-*")), "swept by the next one"


def test_a_place_that_cannot_be_meant_is_refused(lived_in, tmp_path, monkeypatch) -> None:
    (tmp_path / "link").symlink_to(lived_in.home)
    for place in (lived_in.home / "b", lived_in.home / "adapters" / "b", tmp_path / "link" / "b"):
        with pytest.raises(BackupError, match="lies in the home"):
            make(lived_in, place)
    (tmp_path / "there").write_text("something dear")
    with pytest.raises(BackupError, match="is there already"):
        make(lived_in, tmp_path / "there")
    with pytest.raises(BackupError, match="There is no folder"):
        make(lived_in, tmp_path / "no" / "b")
    assert (tmp_path / "there").read_text() == "something dear"
    assert make(lived_in, tmp_path / "there", overwrite=True).bytes == (tmp_path / "there").stat().st_size


def test_a_full_disk_leaves_what_was_there(lived_in, tmp_path, monkeypatch) -> None:
    first = make(lived_in, tmp_path / "b").file.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("twin.backup.write_archive", full)
    with pytest.raises(BackupError, match="No space left"):
        make(lived_in, tmp_path / "b", overwrite=True)
    assert (tmp_path / "b").read_bytes() == first and entries(tmp_path) == ["b", "home"]


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
def test_a_large_adapter_is_never_held_in_memory(lived_in, store, tmp_path, monkeypatch, passphrase) -> None:
    easily(monkeypatch)
    publish(lived_in, store, "v003", size=40_000_000)
    tracemalloc.start()
    made = make(lived_in, tmp_path / "b", passphrase=passphrase)
    bring_back(made.file, tmp_path / "new")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert made.bytes > 40_000_000 > 2 * most


def test_an_empty_place_has_nothing_to_back_up(home, tmp_path) -> None:
    with pytest.raises(BackupError, match="There is no database"):
        make(home, tmp_path / "b")
    assert entries(home.home) == []
