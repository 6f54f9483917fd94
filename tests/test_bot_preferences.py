"""What the owner made of suggestions becomes rows to learn from: all of it, or left out with a reason."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.business import preferences as module
from bot.business.drafts import Draft, Drafts
from bot.business.preferences import preferences
from bot.history import History
from tests.bot_api import FRIEND, OWNER, Parrot, running_bot
from tests.business import business_api, business_settings
from tests.conftest import Ran
from twin.messages import Message
from twin.places import owners_own
from twin.settings import Settings
from twin.store import Store

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Chat:
    """One of the owner's chats in a database, without Telegram."""

    def __init__(self, store: Store, chat_id: int = FRIEND) -> None:
        self.place = owners_own(chat_id)
        self.history, self.drafts = History(store.db), Drafts(store.db, NOON.timestamp)
        self._minutes = 0

    def friend(self, *texts: str) -> None:
        for text in texts:
            message = self._message(text, is_owner=False)
            self.history.hear(message.message_id, message)
            self.history.settle(message.message_id)

    def owner(self, *texts: str, after: int = 0, media: str | None = None) -> None:
        self._minutes += after
        for text in texts:
            self.history.own(self._message(text, is_owner=True, media=media))

    def suggest(self, *bubbles: str) -> Draft:
        draft = self.drafts.add(self.place, None, self.history.newest(self.place), bubbles, "v7")
        found = self.drafts.get(draft)
        assert found is not None
        return found

    def _message(self, text: str, *, is_owner: bool, media: str | None = None) -> Message:
        self._minutes += 1
        at = NOON + timedelta(minutes=self._minutes)
        number = abs(self.place) % 1000 * 10_000 + self._minutes
        return Message(self.place, number, at, None, is_owner, text, media=media)


def test_edits_and_own_answers_are_chosen_over_what_was_suggested(home: Settings, store: Store) -> None:
    chat = Chat(store)
    chat.friend("hi", "coming?")
    edited = chat.suggest("no idea", "maybe")
    chat.drafts.send(edited, 900, ["on my way", "ten\nminutes"])
    chat.owner("on my way", "ten\nminutes")
    chat.friend("ok")
    chat.drafts.end(chat.suggest("see you"), "answered")
    chat.owner("buy milk", "and bread")
    chat.owner("something else", after=600)
    chat.friend("done")
    chat.drafts.end(chat.suggest("who is this"), "skipped")
    found = preferences(store, home)
    before = [
        {"role": "user", "content": "hi\ncoming?"},
        {"role": "assistant", "content": "on my way\nten↵minutes"},
        {"role": "user", "content": "ok"},
    ]
    assert found.rows[0] == {
        "prompt": before[:1],
        "chosen": [{"role": "assistant", "content": "on my way\nten↵minutes"}],
        "rejected": [{"role": "assistant", "content": "no idea\nmaybe"}],
        "adapter": "v7",
    }
    assert found.rows[1]["prompt"] == before
    assert found.rows[1]["chosen"] == [{"role": "assistant", "content": "buy milk\nand bread"}]
    assert "chosen" not in found.rows[2]
    assert found.rows[2]["prompt"][-1] == {"role": "user", "content": "done"}
    assert found.kept == {"edited": 1, "answered": 1, "skipped": 1} and not found.left_out


def test_whatever_makes_no_row_is_counted_with_its_reason(home: Settings, store: Store) -> None:
    chat = Chat(store)
    for outcome in ("sent", "stale", "late", "refused", "none"):
        chat.friend("hm")
        chat.drafts.end(chat.suggest("yes"), outcome)  # type: ignore[arg-type]
    chat.suggest("still open")
    chat.owner("well")
    chat.drafts.end(chat.suggest("to my own words"), "skipped")
    chat.friend("same?")
    chat.drafts.send(chat.suggest("same"), 901, ["same"])
    chat.friend("a picture?")
    chat.drafts.end(chat.suggest("here"), "answered")
    chat.owner("", media="photo")
    found = preferences(store, home)
    assert found.rows == []
    assert dict(found.left_out) == {
        "sent as suggested": 1,
        "overtaken": 1,
        "too late to send": 1,
        "refused by Telegram": 1,
        "nothing was suggested": 1,
        "not decided": 1,
        "what was said before is gone": 1,
        "the same as suggested": 1,
        "no words of yours": 1,
    }


def test_secrets_become_placeholders_and_replies_with_secrets_no_rows(home: Settings, store: Store) -> None:
    chat = Chat(store)
    chat.friend("write to anna.petrova@example.com")
    chat.drafts.end(chat.suggest("I will"), "skipped")
    chat.drafts.end(chat.suggest("to anna.petrova@example.com, yes"), "skipped")
    chat.friend("and the password of the wifi?")
    chat.drafts.send(chat.suggest("no idea"), 902, ["hunter2!x"])
    found = preferences(store, home)
    assert "@example" not in json.dumps(found.rows)
    assert found.rows[0]["prompt"] == [{"role": "user", "content": "write to [email]"}]
    assert len(found.rows) == 1 and found.left_out == {"a secret in a reply": 2}


def test_what_cannot_be_examined_does_not_leave(home: Settings, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(texts: Sequence[str]) -> list[object]:
        raise RuntimeError(texts[0])

    chat = Chat(store)
    chat.friend("hi")
    chat.drafts.end(chat.suggest("hello"), "skipped")
    monkeypatch.setattr(module, "find_window", stumble)
    found = preferences(store, home)
    assert found.rows == [] and found.left_out == {"could not be examined": 1}


def test_excluded_dialogs_and_blocked_words_stay_out(home: Settings, store: Store) -> None:
    for chat_id, text in ((FRIEND, "hi"), (OWNER + 1, "hi"), (OWNER + 2, "about zeppelins")):
        chat = Chat(store, chat_id)
        chat.friend(text)
        chat.drafts.end(chat.suggest("hello"), "skipped")
    store.add_dialog(FRIEND, "Anna")
    store.dialog_table.include(FRIEND, False)
    settings = home.model_copy(update={"privacy": home.privacy.model_copy(update={"words": ("zeppelins",)})})
    found = preferences(store, settings)
    assert len(found.rows) == 1 and found.left_out == {"excluded dialog": 1, "blocked words": 1}


def test_the_command_writes_a_private_file_whole_and_tells_counts(
    home: Settings, store: Store, run_twin: Callable[..., Ran], tmp_path: Path
) -> None:
    chat = Chat(store)
    chat.friend("hi")
    chat.drafts.end(chat.suggest("pineapple"), "skipped")
    chat.suggest("later")
    out = tmp_path / "p.jsonl"
    ran = run_twin("preferences", out)
    assert ran.code == 0 and "1 rows are in" in ran.out and "1 not decided" in ran.out and "pineapple" not in ran.out
    assert out.stat().st_mode & 0o777 == 0o600
    (row,) = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert row["rejected"] == [{"role": "assistant", "content": "pineapple"}]
    again = run_twin("preferences", out)
    assert again.code == 2 and "exists already" in again.err
    told = json.loads(run_twin("preferences", out, "--force", "--json").out)
    assert told == {"rows": 1, "kept": {"skipped": 1}, "left_out": {"not decided": 1}}
    assert run_twin("preferences", tmp_path).code == 2
    (tmp_path / "file").write_text("")
    ran = run_twin("preferences", tmp_path / "file" / "out.jsonl")
    assert ran.code == 2 and "cannot be written" in ran.err
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["file", "p.jsonl"]


@pytest.mark.slow
def test_trl_takes_the_rows_as_conversational_preferences(home: Settings, store: Store) -> None:
    trl = pytest.importorskip("trl.data_utils")
    chat = Chat(store)
    chat.friend("coming?")
    chat.drafts.send(chat.suggest("no"), 903, ["yes"])
    (row,) = preferences(store, home).rows
    assert trl.is_conversational(row)


def test_what_was_pressed_in_telegram_comes_out_as_rows(tmp_path: Path) -> None:
    async def scene() -> None:
        async with business_api() as api, running_bot(api, business_settings(tmp_path, api), Parrot):
            await api.friend("coming?")
            card = await api.open_card("coming?")
            await api.push(card, "Edit")
            await api.until(lambda: "each line becomes" in api.cards()[0])
            await api.answer_card(card, "on my way")
            await api.until(lambda: api.said() == ["on my way"])
            await api.friend("ok")
            await api.open_card("you said ok")
            await api.owner("see you")
            await api.until(lambda: "You answered yourself" in api.cards()[1])
            await api.friend("bye")
            await api.push(await api.open_card("you said bye"), "Skip")
            await api.until(lambda: "Skipped" in api.cards()[2])
            made.append(business_settings(tmp_path, api))

    made: list[Settings] = []
    asyncio.run(scene())
    with Store.open(tmp_path / "twin.db") as store:
        rows = preferences(store, made[0]).rows
    assert [row.get("chosen", [{}])[0].get("content") for row in rows] == ["on my way", "see you", None]
    assert [row["rejected"][0]["content"] for row in rows] == ["you said coming?", "you said ok", "you said bye"]
    assert [len(row["prompt"]) for row in rows] == [1, 3, 5]
