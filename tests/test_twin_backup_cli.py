"""The verbs: what they print and ask, and that a restored home is as good as the one that was saved."""

from __future__ import annotations

import json

import pytest

from tests.backups import PASSPHRASE, easily, live_in
from twin.store import Store


@pytest.fixture
def lived_in(home, store):
    live_in(home, store)
    return home


@pytest.fixture
def passphrase_file(tmp_path, monkeypatch):
    easily(monkeypatch)
    file = tmp_path / "passphrase"
    file.write_text(f"{PASSPHRASE}\nnot this line\n")
    file.chmod(0o600)
    return file


def test_there_and_back_in_sentences(lived_in, run_twin, tmp_path, monkeypatch) -> None:
    ran = run_twin("backup", tmp_path / "b")
    assert ran.code == 0 and "the database, 2 adapters, settings" in ran.out and "not encrypted" in ran.out
    assert "bot-token" not in ran.out and ran.err == ""
    ran = run_twin("restore", tmp_path / "b")
    assert ran.code == 2 and "is not empty: say --into" in ran.err
    ran = run_twin("restore", tmp_path / "b", "--into", tmp_path / "new")
    assert ran.code == 0 and "v002 serves" in ran.out and "If you wanted something forgotten after" in ran.out
    monkeypatch.setenv("TWIN_HOME", str(tmp_path / "new"))
    findings = {f["check"]: f for f in json.loads(run_twin("doctor", "--quick", "--json").out)["findings"]}
    assert findings["adapter"] | {"remedy": ""} == findings["adapter"] | {
        "ok": True,
        "seen": "v002 serves",
        "remedy": "",
    }
    assert findings["permissions"]["ok"] and findings["database"]["ok"] and findings["settings"]["ok"]


def test_there_and_back_for_scripts_with_a_passphrase(lived_in, run_twin, tmp_path, passphrase_file) -> None:
    where = ("--passphrase-file", passphrase_file, "--json")
    made = json.loads(run_twin("backup", tmp_path / "b", "--secrets", "--with-datasets", *where).out)
    assert made["encrypted"] and made["adapters"] == ["v001", "v002"] and made["datasets"] == ["abc123"]
    assert made["serving"] == "v002" and made["bytes"] == (tmp_path / "b").stat().st_size
    back = json.loads(run_twin("restore", tmp_path / "b", "--into", tmp_path / "new", *where).out)
    assert back["home"] == str(tmp_path / "new") and back["database_checked"] and back["forgotten_again"] is None
    assert {name: back[name] for name in ("schema", "twin", "files", "created_at")}.items() <= made.items()
    assert (tmp_path / "new" / "bot-token").read_text() == "what bot-token holds"


def test_a_replaced_home_is_told_about(lived_in, store, run_twin, tmp_path) -> None:
    assert run_twin("backup", tmp_path / "b").code == 0
    store.close()
    assert run_twin("forget", "7", "--yes", "--before", "2024-01-05").code == 0
    ran = run_twin("restore", tmp_path / "b", "--replace")
    assert ran.code == 0 and "did not know of it: 1 wish of yours." in ran.out
    assert "v002 serves but learned from it" in ran.out and "bot-token, telegram.session" in ran.out
    assert "delete it when you miss nothing" in ran.out
    with Store.of(lived_in) as new:
        assert new.message_count() == 208


def test_a_passphrase_is_asked_for_twice_and_never_shown(lived_in, run_twin, tmp_path, monkeypatch) -> None:
    easily(monkeypatch)
    asked = []

    def prompt(words, **how):
        asked.append((words, how.get("hide_input"), bool(how.get("confirmation_prompt"))))
        return PASSPHRASE

    monkeypatch.setattr("twin.backup_cli.is_interactive", lambda: True)
    monkeypatch.setattr("click.prompt", prompt)
    made = run_twin("backup", tmp_path / "b", "--encrypt")
    back = run_twin("restore", tmp_path / "b", "--into", tmp_path / "new")
    assert made.code == back.code == 0 and asked == [("Passphrase", True, True), ("Passphrase", True, False)]
    assert PASSPHRASE not in made.out + made.err + back.out + back.err


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (b"open to all\n", 0o644, "Others can read"),
        (b"\nsecond line\n", 0o600, "is empty"),
        (b"\xff\xfe\n", 0o600, "is not UTF-8 text"),
    ],
)
def test_a_passphrase_file_that_is_no_good_is_refused(lived_in, run_twin, tmp_path, content, mode, words) -> None:
    file = tmp_path / "passphrase"
    file.write_bytes(content)
    file.chmod(mode)
    ran = run_twin("backup", tmp_path / "b", "--passphrase-file", file)
    assert ran.code == 2 and words in ran.err and not (tmp_path / "b").exists()


def test_nobody_is_asked_where_nobody_sits(lived_in, run_twin, tmp_path, passphrase_file) -> None:
    ran = run_twin("backup", tmp_path / "b", "--encrypt")
    assert ran.code == 2 and "say --passphrase-file" in ran.err
    assert run_twin("backup", tmp_path / "b", "--passphrase-file", passphrase_file).code == 0
    ran = run_twin("restore", tmp_path / "b", "--into", tmp_path / "new")
    assert ran.code == 2 and "say --passphrase-file" in ran.err and not (tmp_path / "new").exists()


def test_what_is_left_out_or_locked_is_told(lived_in, store, run_twin, tmp_path, monkeypatch) -> None:
    (lived_in.adapters / "v001" / "adapter_config.json").write_text("altered")
    ran = run_twin("backup", tmp_path / "a")
    assert "Left out, as they are damaged: v001." in ran.out
    assert "No adapter serves in it." in run_twin("backup", tmp_path / "b", "--without-adapters").out
    store.close()
    monkeypatch.setenv("TWIN_STORAGE__KEY", "environment")
    monkeypatch.setenv("TWIN_DATABASE_KEY", "ab" * 32)
    assert run_twin("database", "encrypt").code == 0
    assert "its key is not inside" in run_twin("backup", tmp_path / "c").out
    monkeypatch.delenv("TWIN_DATABASE_KEY")
    ran = run_twin("restore", tmp_path / "c", "--into", tmp_path / "new")
    assert ran.code == 0 and "there is no key here" in ran.out
