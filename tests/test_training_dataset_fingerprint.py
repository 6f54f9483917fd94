"""The same messages and settings give the same training set on every machine; and what each step does to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from training.dataset import build
from training.recipes.sets import SetRow, Sets
from twin.messages import Bubble, Message, Peer, Session, Turn
from twin.sections import DatasetSettings, Privacy
from twin.session_lines import read_session, write_session
from twin.settings import Settings
from twin.store import Store

START = datetime(2024, 3, 1, 8, tzinfo=UTC)
SAID = (
    "are you coming tonight?",
    "yes, at nine",
    "приедешь завтра? я купила билеты",
    "да, конечно 🙈",
    "你今天晚上来吗",
    "来的，等我一下",
    "متى ستصل؟",
    "بعد ساعة تقريبا",
    "my card is 4242 4242 4242 4242",
    "write it to kim.lee42@example.org please",
    "ok",
    "soooo tired",
)
GOLDEN = "1adf8ed5dc1b1648"


def history(store: Store, days: int = 30) -> None:
    """Three dialogs in four languages with a secret a day, a quote, media and repetition."""
    for chat in (11, 12, 13):
        store.add_dialog(chat, f"Person {chat}")
        store.write_messages(
            [
                Message(
                    chat,
                    day * 20 + number + 1,
                    START + timedelta(days=day, hours=chat - 10, minutes=3 * number),
                    1 if number % 2 else chat,
                    bool(number % 2),
                    text if number < 8 else f"{text} {day % 7}" if number == 11 else text,
                    reply_to=(day - 1) * 20 + 1 if number == 1 and day % 5 == 0 and day else None,
                    media="photo" if number == 10 and day % 3 == 0 else None,
                )
                for day in range(days)
                for number, text in enumerate(SAID)
            ]
        )


def build_at(home: Path) -> str:
    settings = Settings(home=home, dataset=DatasetSettings(dialog_temperature=0.5, max_repeats=20))
    with Store.open(home / "twin.db") as store:
        history(store)
        return build(store, settings, workers=1).fingerprint


def test_the_fingerprint_is_the_pinned_one(tmp_path):
    assert build_at(tmp_path) == GOLDEN


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONHASHSEED": "1", "TZ": "Asia/Kolkata", "LC_ALL": "C"},
        {"PYTHONHASHSEED": "987654", "TZ": "America/St_Johns", "LC_ALL": "tr_TR.UTF-8", "PYTHONUTF8": "0"},
    ],
    ids=["one machine", "another machine"],
)
def test_hash_seed_time_zone_and_locale_make_no_difference(tmp_path, environment):
    script = (
        "from pathlib import Path; from tests.test_training_dataset_fingerprint import build_at;"
        f"print(build_at(Path({str(tmp_path)!r})))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | environment,
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == GOLDEN


def test_a_second_build_with_everything_kept_gives_the_same_set(tmp_path):
    assert build_at(tmp_path) == build_at(tmp_path) == GOLDEN


def test_a_session_reads_back_as_it_was_written():
    turn = Turn("owner", (Bubble("hey\n\u2028 \x85", True), Bubble("[photo]", False)), START, START, "secret")
    full = Session(7, (turn, Turn("other", (Bubble("hi"),), START)), Peer("Kim", "friend"), "a set", START)
    for session in (full, Session(7, (turn,)), Session(0, (Turn.of("other", ["a"]),), origin="x")):
        line = write_session(session)
        assert read_session(line) == session and line.count("\n") == 1
    told = json.loads(write_session(full))
    assert set(told) == {"chat_id", "origin", "peer", "previous_at", "turns"}


def test_names_and_relations_are_written_only_when_prompts_tell_them(store, home):
    history(store)
    store.dialog_table.tag(11, "friend")
    for shown, tells, expected in (("none", False, Peer()), ("name", True, Peer("Person 11", "friend"))):
        chosen = home.model_copy(update={"dataset": DatasetSettings(peer=shown, relation=tells)})
        sessions = build(store, chosen).sessions("train")
        assert {session.peer for session in sessions if session.chat_id == 11} == {expected}


def test_mixed_in_sets_are_scrubbed_counted_apart_and_always_training(store, home):
    history(store)
    before = build(store, home)
    rows = [
        SetRow((Turn.of("other", ["your mail?"]), Turn.of("owner", ["kim.lee42@example.org"]))),
        SetRow((Turn.of("other", ["what do you do?"]), Turn.of("owner", ["I bake bread, every single day"]))),
        SetRow((Turn.of("other", ["say it"]), Turn.of("owner", ["the zanzibar one"]), Turn.of("other", ["ok"]))),
    ]
    Sets(store.db).put("mine", rows, kind="qa", now=START, weight=2)
    after = build(store, home.model_copy(update={"privacy": Privacy(words=frozenset({"zanzibar"}))}))
    assert after.cuts == before.cuts and after.counts == before.counts
    mixed = [session for session in after.sessions("train") if session.origin == "mine"]
    assert [session.origin for session in after.sessions("train")][-len(mixed) :] == ["mine"] * 6
    assert after.account.sets["mine"].sessions == 6 and after.account.sets["mine"].supervised_turns == 2
    assert after.account.set_turns == {"blocked": 2, "only a secret": 2, "supervised": 2}
    assert not any("zanzibar" in line or "kim.lee42" in line for line in after.lines("train"))


def test_a_snapshot_that_exists_takes_over_new_counts_and_timing(store, home):
    history(store)
    first = build(store, home)
    store.add_dialog(99, "Nobody")
    store.dialog_table.include(99, False)
    second = build(store, home)
    assert second.fingerprint == first.fingerprint
    assert (first.account.dialogs, second.account.dialogs) == ({"used": 3}, {"excluded by you": 1, "used": 3})
    assert second.timing == first.timing and second.timing
