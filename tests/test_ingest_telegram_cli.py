"""`twin ingest telegram`: what its reader is asked, told and shown; what is kept, and that nothing leaks."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from telethon import errors
from telethon.tl import functions, types

from ingest.lock import Busy, alone
from ingest.telegram_display import Display
from ingest.telegram_secrets import Api, keep_api, keep_session
from tests.conftest import Ran
from tests.exports import ANNA, BORIS, OWNER
from tests.telegram_desk import CODE, PASSWORD, PHONE, Desk
from tests.telegram_objects import channel, said, service, user
from tests.telegram_server import API_HASH, API_ID, Server, client_of, session_text, talk
from twin.errors import AccountError
from twin.jobs import INGEST, JobQueue
from twin.settings import Settings, settings_file
from twin.store import Store, Written

Twin = Callable[..., Ran]
SECRETS = (API_HASH, PHONE, PHONE.replace(" ", ""), CODE, PASSWORD, "marzipan")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    """An account of five dialogs with people, behind every client that the command line makes."""
    from ingest import telethon_client

    server = Server()
    talk(server, ANNA, 150)
    talk(server, BORIS, 7)
    server.add(service(server.last_id + 1))
    for chat_id in (777000, 801, OWNER):
        server.users.setdefault(chat_id, user(chat_id, "Telegram"))
        talk(server, chat_id, 1)
    server.chats = {1: channel(901, "News"), 2: channel(902, "Club", megagroup=True)}
    make = telethon_client.make_client
    monkeypatch.setattr(telethon_client, "make_client", lambda *args: client_of(server, make(*args)))
    return server


@pytest.fixture
def logged_in(home: Settings) -> None:
    keep_api(home.home, Api(API_ID, API_HASH))
    keep_session(home.home, session_text())


class Script:
    """Somebody at the terminal, who answers what is asked in this order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: Any) -> None:
        self.answers, self.asked, self.hidden = list(answers), list[str](), list[str]()
        monkeypatch.setattr("ingest.telegram_cli.is_interactive", lambda: True)
        monkeypatch.setattr(Display, "ask", lambda _, question, hidden=False: self.answer(question, hidden))
        monkeypatch.setattr(Display, "confirm", lambda _, question: self.answer(question, False))

    def answer(self, question: str, hidden: bool) -> Any:
        self.asked.append(question)
        self.hidden += [question] if hidden else []
        return self.answers.pop(0)


def leaks(*texts: str) -> list[str]:
    return [secret for secret in SECRETS for text in texts if secret in text]


def rows(home: Settings) -> int:
    with Store.of(home) as store:
        return store.message_count()


def test_without_a_session_and_a_terminal_it_says_how_to_begin(server: Server, run_twin: Twin) -> None:
    ran = run_twin("ingest", "telegram")
    assert ran.code == 2 and ran.out == ""
    assert "Nobody has logged in to Telegram here yet: run `twin ingest telegram` once in a terminal" in ran.err
    assert server.requests == []


def test_without_an_api_id_it_says_where_to_set_it(server: Server, run_twin: Twin, home: Settings) -> None:
    keep_session(home.home, session_text())
    assert "There is no api_id: run `twin ingest telegram`" in run_twin("ingest", "telegram").err


def test_a_first_run_logs_in_by_code_shows_the_list_and_brings_it_in(
    server: Server, run_twin: Twin, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.login = Desk(server)
    script = Script(monkeypatch, "12x", "no", str(API_ID), API_HASH, "12", PHONE, "00000", "2-22 22", True)
    ran = run_twin("ingest", "telegram")
    assert ran.code == 0, ran.err
    assert script.hidden == ["api_hash", "api_hash", "Code", "Code"]
    for words in (
        "https://my.telegram.org",
        "no api_id and api_hash",
        "no phone number",
        "That is not the code",
        "look in your Telegram app",
        "Logged in as user 100",
        "Settings > Devices > twin",
        "takeout",
    ):
        assert words in ran.err, words
    for words in (
        "2 private dialogs to bring in",
        "Anna",
        "151",
        "157 messages added",
        "1 service message",
        "1 with a bot",
        "1 from Telegram itself",
        "1 saved messages",
        "1 in a group",
        "1 in a channel",
    ):
        assert words in ran.out, words
    assert leaks(ran.out, ran.err) == []
    assert rows(home) == 157
    for name in ("telegram.session", "telegram-api-id", "telegram-api-hash"):
        assert stat.S_IMODE((home.home / name).stat().st_mode) == 0o600
    assert server.takeouts == {1: True}


def test_a_password_is_asked_for_where_there_is_one(
    server: Server, run_twin: Twin, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.login = Desk(server, has_password=True, where=types.auth.SentCodeTypeSms(5))
    script = Script(monkeypatch, str(API_ID), API_HASH, PHONE, CODE, "wrong", PASSWORD, True)
    ran = run_twin("ingest", "telegram")
    assert ran.code == 0, ran.err
    assert "look in an SMS" in ran.err and "That is not the password" in ran.err
    assert script.hidden[-2:] == ["Password", "Password"]
    assert leaks(ran.out, ran.err) == []
    assert rows(home) == 157


def test_a_qr_code_is_shown_until_somebody_scans_it(
    server: Server, run_twin: Twin, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.login = Desk(server, has_password=True, scans=2, lifetime=0.2)
    Script(monkeypatch, str(API_ID), API_HASH, PASSWORD, True)
    ran = run_twin("ingest", "telegram", "--qr")
    assert ran.code == 0, ran.err
    assert ran.err.count("█▀") > 4 and "That code has expired. Scan this one" in ran.err
    assert "tg://login" not in ran.err + ran.out
    assert rows(home) == 157


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (errors.ApiIdInvalidError, "does not know this api_id and api_hash: compare both with https://my.telegram.org"),
        (errors.PhoneNumberBannedError, "has banned this number: write to recover@telegram.org"),
        (lambda request: errors.FloodWaitError(request, 7300), "wait 2 hours 1 minute before the next login"),
        (errors.SendCodeUnavailableError, "sends no code to this number just now: use --qr"),
        (lambda _: ConnectionError("reset"), "no connection to Telegram: check the network"),
    ],
)
def test_a_login_that_cannot_go_on_ends_in_one_sentence_and_keeps_nothing(
    server: Server, run_twin: Twin, home: Settings, monkeypatch: pytest.MonkeyPatch, error: Any, sentence: str
) -> None:
    def refuse(request: Any) -> None:
        if isinstance(request, functions.auth.SendCodeRequest):
            raise error(request)

    server.login, server.before = Desk(server), refuse
    Script(monkeypatch, str(API_ID), API_HASH, PHONE)
    ran = run_twin("ingest", "telegram")
    assert ran.code == 2 and sentence in ran.err, ran.err
    assert leaks(ran.out, ran.err) == []
    assert not list(home.home.glob("telegram[.-][sa]*"))


def test_whoever_mistypes_three_times_begins_anew(
    server: Server, run_twin: Twin, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.login = Desk(server)
    Script(monkeypatch, str(API_ID), API_HASH, PHONE, "1", "2", "3")
    assert "That went wrong 3 times: run this again" in run_twin("ingest", "telegram").err


def test_variables_win_over_files_for_what_opens_the_account(
    server: Server, run_twin: Twin, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWIN_API_ID", str(API_ID))
    monkeypatch.setenv("TWIN_API_HASH", API_HASH)
    monkeypatch.setenv("TWIN_TELEGRAM_SESSION", session_text())
    keep_session(home.home, session_text(bytes(256)))
    assert run_twin("ingest", "telegram", "--yes").code == 0
    assert rows(home) == 157


def test_a_session_that_others_can_read_is_not_used(
    server: Server, run_twin: Twin, home: Settings, logged_in: None
) -> None:
    (home.home / "telegram.session").chmod(0o644)
    ran = run_twin("ingest", "telegram", "--yes")
    assert ran.code == 2 and "Others can read" in ran.err and "chmod 600" in ran.err


def test_a_first_pull_that_nobody_agreed_to_is_not_begun(
    server: Server, run_twin: Twin, home: Settings, logged_in: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = run_twin("ingest", "telegram")
    assert (
        ran.code == 2 and "first pull, of 2 dialogs: look at the list in a terminal" in ran.err and "--yes" in ran.err
    )
    Script(monkeypatch, False)
    ran = run_twin("ingest", "telegram")
    assert ran.code == 0 and "Nothing was brought in" in ran.err
    assert rows(home) == 0


def test_the_second_run_asks_nothing_and_says_that_nothing_is_new(
    server: Server, run_twin: Twin, home: Settings, logged_in: None
) -> None:
    assert run_twin("ingest", "telegram", "--yes").code == 0
    again = run_twin("ingest", "telegram")
    assert again.code == 0 and "Nothing is new in 2 private dialogs" in again.out
    server.new(said(server.last_id + 1, "marzipan again"))
    told = json.loads(run_twin("ingest", "telegram", "--json").out)
    assert (told["added"], told["source"], told["owner_id"], told["takeout"]) == (1, "telegram", OWNER, False)
    assert told["dialogs"][0] | {"skipped": {}} == {
        "chat_id": ANNA,
        "name": "Anna",
        "added": 1,
        "updated": 0,
        "unchanged": 0,
        "deleted": 0,
        "skipped": {},
        "is_complete": True,
        "refused": None,
    }
    with Store.of(home) as store:
        assert [run["source"] for run in store.db.query("select source from ingest_runs")] == ["telegram"] * 3


def test_only_and_exclude_go_by_name_username_and_id(
    server: Server, run_twin: Twin, home: Settings, logged_in: None
) -> None:
    assert json.loads(run_twin("ingest", "telegram", "--yes", "--json", "--only", "@ANNA_A").out)["added"] == 150
    assert json.loads(run_twin("ingest", "telegram", "--json", "--exclude", ANNA).out)["added"] == 7
    ran = run_twin("ingest", "telegram", "--json", "--only", "bor", "--exclude", "Anna")
    assert json.loads(ran.out)["skipped_dialogs"]["excluded"] == 1


def test_a_name_that_fits_nobody_brings_in_nobody(
    server: Server, run_twin: Twin, home: Settings, logged_in: None
) -> None:
    ran = run_twin("ingest", "telegram", "--yes", "--exclude", "Ana")
    assert ran.code == 2 and "fits no private dialog: write it as Telegram shows it" in ran.err
    assert rows(home) == 0


def test_the_settings_leave_out_for_good_and_the_dialogs_that_were_put_away_too(
    server: Server, run_twin: Twin, home: Settings, logged_in: None
) -> None:
    settings_file(home.home).write_text(f"[ingest]\nexclude = ['somebody else', {ANNA}]\n")
    assert json.loads(run_twin("ingest", "telegram", "--yes", "--json").out)["added"] == 7
    settings_file(home.home).unlink()
    with Store.of(home) as store:
        store.dialog_table.include(BORIS, False)
    server.new(said(server.last_id + 1, "hi", chat_id=BORIS))
    told = json.loads(run_twin("ingest", "telegram", "--json").out)
    assert told["added"] == 150
    assert told["skipped_dialogs"]["put away with `twin dialogs exclude`"] == 1


def test_saved_messages_come_in_when_asked_for(server: Server, run_twin: Twin, home: Settings, logged_in: None) -> None:
    told = json.loads(run_twin("ingest", "telegram", "--yes", "--json", "--saved-messages").out)
    assert told["added"] == 158
    with Store.of(home) as store:
        assert {dialog.name for dialog in store.dialogs()} == {"Anna", "Boris B.", "Saved Messages"}
        assert [message.is_owner for message in store.messages(OWNER)] == [True]


def test_where_telegram_makes_an_export_wait_it_is_explained_and_done_without(
    server: Server, run_twin: Twin, home: Settings, logged_in: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.takeout_delay = 83_000
    script = Script(monkeypatch, True, False)
    ran = run_twin("ingest", "telegram")
    assert ran.code == 2 and "only in 23 hours 3 minutes" in ran.err and "--no-takeout" in ran.err
    assert script.asked[-1] == "Go on now, without it?" and rows(home) == 0
    ran = run_twin("ingest", "telegram", "--yes")
    assert ran.code == 0 and "Going on without it" in ran.err
    assert rows(home) == 157
    assert run_twin("ingest", "telegram", "--takeout", "--yes").code == 2  # nothing else was asked for


def test_a_run_that_breaks_off_tells_what_came_in_and_the_next_goes_on(
    server: Server, run_twin: Twin, home: Settings, logged_in: None
) -> None:
    def end(request: Any) -> None:
        if server.requests.count("GetHistory") == 3:
            raise errors.FloodWaitError(request, 7300)

    server.before = end
    ran = run_twin("ingest", "telegram", "--yes")
    assert ran.code == 2 and "wait 2 hours 1 minute" in ran.err
    assert "Stopped. What came in is kept; run it again to go on." in ran.out
    assert 0 < rows(home) < 157
    server.before = lambda _: None
    assert run_twin("ingest", "telegram").code == 0  # agreed to before
    assert rows(home) == 157


def test_another_account_is_not_mixed_in(server: Server, run_twin: Twin, home: Settings, logged_in: None) -> None:
    with Store.of(home) as store:
        store.record_ingest("telegram-desktop result.json", 5, Written(), {})
    ran = run_twin("ingest", "telegram", "--yes")
    assert ran.code == 2 and "holds the history of user 5, but this is the account of user 100" in ran.err
    settings_file(home.home).write_text("[owner]\nid = 6\n")
    assert "settings say that you are user 6" in run_twin("ingest", "telegram", "--yes").err
    assert rows(home) == 0


def test_a_revoked_session_ends_in_one_sentence_and_logging_out_forgets_it(
    server: Server, run_twin: Twin, home: Settings, logged_in: None
) -> None:
    server.authorised.clear()
    ran = run_twin("ingest", "telegram", "--yes")
    assert ran.code == 2 and ran.err.count("\n") == 1 and "no longer knows this session" in ran.err
    assert run_twin("ingest", "logout").code == 0
    assert not (home.home / "telegram.session").exists()


def test_logging_out_ends_the_session_at_telegram_and_deletes_the_file(
    server: Server, run_twin: Twin, home: Settings, logged_in: None
) -> None:
    ran = run_twin("ingest", "logout")
    assert ran.code == 0 and "Logged out" in ran.out
    assert "LogOut" in server.requests and not server.authorised
    assert not (home.home / "telegram.session").exists()
    assert (home.home / "telegram-api-id").exists()
    assert "Nobody is logged in" in run_twin("ingest", "logout").out


def test_without_a_network_logging_out_keeps_the_file_and_says_what_to_do(
    server: Server, run_twin: Twin, home: Settings, logged_in: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.offline = True
    monkeypatch.setattr(Display, "wait", no_wait)
    ran = run_twin("ingest", "logout")
    assert ran.code == 2 and "Settings > Devices > twin" in ran.err
    assert (home.home / "telegram.session").exists()


async def no_wait(display: Display, seconds: float, why: str) -> None:
    return


def test_without_a_network_it_ends_in_one_clear_sentence(
    server: Server, run_twin: Twin, logged_in: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.offline = True
    monkeypatch.setattr(Display, "wait", no_wait)
    ran = run_twin("ingest", "telegram", "--yes")
    assert ran.code == 2
    assert ran.err == (
        "twin: There is no connection to Telegram (tried 3 times): check the network, then run this again.\n"
    )


def test_two_at_once_are_one_too_many(server: Server, run_twin: Twin, home: Settings, logged_in: None) -> None:
    with alone(home.home):
        ran = run_twin("ingest", "telegram", "--yes")
    assert ran.code == 2 and "Another `twin ingest telegram` is at work in this home" in ran.err
    with alone(home.home), pytest.raises(Busy), alone(home.home):
        pass


def test_a_run_that_is_told_to_stop_ends_its_takeout_and_keeps_what_came_in(
    server: Server, run_twin: Twin, home: Settings, logged_in: None
) -> None:
    def stop(request: Any) -> None:
        if server.requests.count("GetHistory") == 3:
            server.before = lambda _: None
            os.kill(os.getpid(), signal.SIGTERM)

    server.before, server.latency = stop, 0.02
    ran = run_twin("ingest", "telegram", "--yes")
    assert ran.code == 130 and "Stopped. What came in is kept" in ran.out
    assert server.takeouts == {1: False}
    assert 0 < rows(home) < 157


def test_following_ends_cleanly_and_tells_what_came_in_meanwhile(
    server: Server, run_twin: Twin, home: Settings, logged_in: None
) -> None:
    def live() -> None:
        """Somebody writes while it follows, and then it is told to stop."""
        deadline = time.monotonic() + 60
        while not ended.is_set() and time.monotonic() < deadline and not recorded(home):
            time.sleep(0.02)
        server.loop_of_wire().call_soon_threadsafe(server.new, said(server.last_id + 1, "marzipan live"))
        while not ended.is_set() and time.monotonic() < deadline and rows(home) < 158:
            time.sleep(0.02)
        if not ended.is_set():
            os.kill(os.getpid(), signal.SIGTERM)

    ended, thread = threading.Event(), threading.Thread(target=live)
    thread.start()
    ran = run_twin("ingest", "telegram", "--yes", "--follow", "--json")
    ended.set()
    thread.join()
    assert ran.code == 0, ran.err
    before, after = map(json.loads, ran.out.splitlines())
    assert (before["added"], after["added"]) == (157, 1)
    assert "Following: 1 new, 0 edited, 0 deleted so far" in ran.err
    assert leaks(ran.err) == []


def recorded(home: Settings) -> bool:
    with suppress(Exception), Store.of(home) as store:
        return bool(store.db.table("ingest_runs").count)
    return False


def test_a_job_of_the_worker_gets_its_end(server: Server, run_twin: Twin, home: Settings, logged_in: None) -> None:
    with Store.of(home) as store:
        queue = JobQueue(store.db)
        job = queue.enqueue(INGEST, "schedule", 1.0)
        assert run_twin("ingest", "telegram", "--yes", "--job", job.id).code == 0
        done = queue.get(job.id)
        assert (done.state, done.result) == (
            "done",
            {"dialogs": 2, "added": 157, "updated": 0, "deleted": 0, "refused": 0},
        )
        assert "157 new" in run_twin("jobs").out


def test_a_job_that_cannot_be_done_tells_why_and_one_that_another_does_is_done(
    server: Server, run_twin: Twin, home: Settings
) -> None:
    with Store.of(home) as store:
        queue = JobQueue(store.db)
        first = queue.enqueue(INGEST, "schedule", 1.0)
        assert run_twin("ingest", "telegram", "--yes", "--job", first.id).code == 2
        assert "Nobody has logged in" in str(queue.get(first.id).error)
        second = queue.enqueue(INGEST, "schedule", 2.0)
        with alone(home.home):
            assert run_twin("ingest", "telegram", "--yes", "--job", second.id).code == 0
        assert queue.get(second.id).result == {"note": "Another `twin ingest telegram` is at work in this home"}


def test_a_name_cannot_steer_the_terminal(server: Server, run_twin: Twin, logged_in: None) -> None:
    server.users[ANNA].first_name = "\x1b[2J[bold]A"
    out = run_twin("ingest", "telegram", "--yes").out
    assert "\x1b" not in out and "\N{REPLACEMENT CHARACTER}[2J[bold]A" in out


def test_help_of_other_verbs_does_not_import_telethon() -> None:
    code = (
        "import sys; from twin.cli import main\n"
        "try: main(['ingest', 'export', '--help'])\n"
        "except SystemExit: print(sorted({'telethon', 'segno', 'torch'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.endswith("[]\n")


def test_what_cannot_be_written_is_told(home: Settings) -> None:
    (home.home / "telegram.session").mkdir()
    with pytest.raises(AccountError, match="cannot be written"):
        keep_session(home.home, "x")
    assert [path.name for path in home.home.iterdir()] == ["telegram.session"]


@pytest.mark.parametrize(("id_text", "hash_text"), [("x", API_HASH), ("1" * 11, API_HASH), ("1", "z" * 32), ("1", "")])
def test_what_is_no_api_id_is_refused_without_being_repeated(id_text: str, hash_text: str) -> None:
    with pytest.raises(AccountError) as refusal:
        Api.of(id_text, hash_text)
    assert (hash_text or "?") not in str(refusal.value)


def test_the_session_is_written_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    file = keep_session(tmp_path / "new home", session_text())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) & 0o077 == 0
    keep_session(file.parent, "another")
    assert file.read_text() == "another\n" and [path.name for path in file.parent.iterdir()] == [file.name]
