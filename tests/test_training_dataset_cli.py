"""`twin dataset build` and `twin dataset audit`: what they tell, and what they never tell."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.chats import fill
from training import scrubbing
from twin.messages import Message
from twin.privacy.vault import Vault
from twin.settings import settings_file

START = datetime(2024, 1, 10, 9, tzinfo=UTC)
VALUES = ("Tr0ub4dor&3", "4242 4242 4242 4242", "kim.lee42@example.org", "+44 7700 900123")
LINES = (
    (False, "whats the wifi password?"),
    (True, VALUES[0]),
    (False, f"pay with {VALUES[1]} then"),
    (True, f"fine, and mail me at {VALUES[2]} about it"),
    (False, VALUES[3]),
    (True, "will call you there"),
    (False, "your one-time code is 482913. Do not share it with anyone."),
    (True, "got that one"),
)


@pytest.fixture
def told(home, store):
    """A home with ordinary chats and one in which secrets were told."""
    fill(store)
    store.add_dialog(9, "Kim\x1b[31m Lee")
    store.write_messages(
        [
            Message(9, number, START + timedelta(minutes=number), 1 if owner else 9, owner, text)
            for number, (owner, text) in enumerate(LINES, 1)
        ]
    )
    return home


def no_secret_in(text: str) -> bool:
    return not any(value in text for value in VALUES)


def test_a_build_tells_what_became_of_messages_and_turns(told, run_twin):
    ran = run_twin("dataset", "build")
    assert ran.code == 0 and no_secret_in(ran.out + ran.err)
    assert "left out: service text" in ran.out and "left out: only a secret" in ran.out
    assert "not learned from: secret" in ran.out and "stored in all" in ran.out
    told_again = json.loads(run_twin("dataset", "build", "--json").out)
    assert sum(told_again["messages"].values()) == 248
    assert told_again["scrub"] and told_again["messages"]["shown"] == 245
    assert {label: told_again["found"][label] for label in ("CARD", "EMAIL", "PASSWORD", "PHONE")} == {
        "CARD": 1,
        "EMAIL": 1,
        "PASSWORD": 1,
        "PHONE": 1,
    }


def test_secrets_stand_in_no_file_of_the_home_but_the_database(told, run_twin):
    for command in ("build", "audit", "stats"):
        assert run_twin("dataset", command).code == 0
    files = [path for path in told.home.rglob("*") if path.is_file() and not path.name.startswith("twin.db")]
    assert {"train.jsonl", "manifest.json", "timing.json", "vault.json", "vault.key"} <= {path.name for path in files}
    assert [path.name for path in files if not no_secret_in(path.read_text(errors="replace"))] == []


def test_an_audit_shows_kinds_and_dialogs_masked_and_fills_the_vault(told, run_twin):
    ran = run_twin("dataset", "audit")
    assert ran.code == 0 and no_secret_in(ran.out + ran.err)
    assert "email" in ran.out and "k********g" in ran.out and "Lee" in ran.out and "\x1b[31m" not in ran.out
    audit = json.loads(run_twin("dataset", "audit", "--json").out)
    assert audit["found"]["EMAIL"] == 1 and audit["examples"]["EMAIL"] == ["k********g"]
    assert [place["chat_id"] for place in audit["places"]] == [9]
    assert no_secret_in(json.dumps(audit))
    vault = Vault.open(told.home)
    assert [vault.contains(f"it is {value.upper()}!") for value in VALUES] == [True] * 4
    assert not vault.contains("see you there tonight")


def test_a_home_without_secrets_is_told_so(home, store, run_twin):
    fill(store)
    assert "No secrets were found" in run_twin("dataset", "audit").out
    assert json.loads(run_twin("dataset", "audit", "--json").out)["found"] == {}


def test_scrubbing_that_is_switched_off_is_said_loudly_and_the_vault_knows_all_the_same(told, run_twin):
    settings_file(told.home).write_text("[privacy]\nscrub = false\n")
    for command in ("build", "stats", "audit"):
        assert "Secrets are NOT taken out" in " ".join(run_twin("dataset", command).out.split())
    assert json.loads(run_twin("dataset", "build", "--json").out)["scrub"] is False
    assert Vault.open(told.home).contains(VALUES[0])


def test_listed_words_and_people_are_left_out_and_counted(told, store, run_twin):
    settings_file(told.home).write_text('[privacy]\nwords = ["film*", "tonight"]\npeople = ["kim"]\n')
    store.write_messages([Message(7, 9000, START, 7, False, "have you seen Kim or the films?")])
    built = json.loads(run_twin("dataset", "build", "--json").out)
    assert built["dialogs"] == {"used": 1, "with somebody on your list": 1}
    assert built["messages"]["in a dialog with somebody on your list"] == 8
    assert built["messages"]["blocked"] == 31
    folder = told.datasets / built["fingerprint"]
    written = "".join(path.read_text() for path in folder.glob("*.jsonl")).casefold()
    assert "kim" not in written and "tonight" not in written and "film" not in written


def test_an_excluded_dialog_is_left_out_and_counted(told, store, run_twin):
    store.dialog_table.include(9, False)
    built = json.loads(run_twin("dataset", "build", "--json").out)
    assert built["messages"]["in a dialog excluded by you"] == 8 and built["found"] == {}
    assert "excluded by you" in " ".join(run_twin("dataset", "audit").out.split())


def test_messages_on_which_a_rule_fails_are_left_out_counted_and_reported(told, run_twin, monkeypatch):
    found = scrubbing.find_window

    def fails(texts):
        if any("coming" in text for text in texts):
            raise RuntimeError(texts)
        return found(texts)

    monkeypatch.setattr(scrubbing, "find_window", fails)
    ran = run_twin("dataset", "build")
    assert ran.code == 0 and "could not be examined" in ran.out and "tonight" not in ran.out + ran.err
    built = json.loads(run_twin("dataset", "build", "--json").out)
    assert built["messages"]["scrub failed"] == 60 and built["found"]["EMAIL"] == 1
    lines = "".join(path.read_text() for path in (told.datasets / built["fingerprint"]).glob("*.jsonl"))
    assert "coming" not in lines and "see you there" in lines


def test_what_a_rule_failed_on_is_examined_again_by_the_next_build(told, run_twin, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(scrubbing, "find_window", lambda texts: [][0])
        assert run_twin("dataset", "build").code == 2  # nothing could be examined: nothing is left
    assert "scrub failed" not in json.loads(run_twin("dataset", "build", "--json").out)["messages"]
