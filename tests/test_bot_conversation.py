"""What the generator is asked in a live chat: cut, written and told as the training data is."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.history import History
from tests.bot_api import FRIEND, Parrot, bot_api, bot_settings, running_bot
from twin.conversations import latest_session
from twin.messages import Message, Peer, Session
from twin.prompt import PromptSpec
from twin.store import Store

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
FILE = {"file_id": "f", "file_unique_id": "u"}


def heard(number: int, minute: float, text: str = "", **fields: object) -> Message:
    at = NOON + timedelta(minutes=minute)
    return Message(FRIEND, number, at, FRIEND, False, text, **fields)  # type: ignore[arg-type]


def said(session: Session | None) -> list[tuple[str, list[str]]]:
    assert session is not None
    return [(turn.speaker, [part.text for part in turn.bubbles]) for turn in session.turns]


def answer(history: History, update_id: int, message: Message, *texts: str) -> None:
    """One update from its coming to the last bubble sent."""
    history.hear(update_id, message)
    history.plan(update_id, message.chat_id, texts, "v0", message.sent_at.timestamp() + 5)
    for number, planned in enumerate(history.planned(message.chat_id)):
        history.sent(planned, 100 * message.message_id + number)
    history.settle(update_id)


def test_a_conversation_starts_afresh_after_a_silence_and_remembers_how_long_it_was(tmp_path: Path) -> None:
    with Store.open(tmp_path / "twin.db") as store:
        history = History(store.db)
        for number, minute in enumerate([0, 1, 61.5, 62]):
            history.hear(number, heard(number + 1, minute, f"message {number}"))
        session = latest_session(history.messages(FRIEND, 10), timedelta(hours=1))
    assert said(session) == [("other", ["message 2", "message 3"])]
    assert session is not None and session.previous_at == NOON + timedelta(minutes=1)


def test_an_explicit_reply_goes_on_with_the_conversation_it_answers(tmp_path: Path) -> None:
    with Store.open(tmp_path / "twin.db") as store:
        history = History(store.db)
        answer(history, 1, heard(1, 0, "coming?"), "maybe", "why")
        history.hear(2, heard(2, 600, "just asking", reply_to=101))
        session = latest_session(history.messages(FRIEND, 10))
    assert said(session) == [("other", ["coming?"]), ("owner", ["maybe", "why"]), ("other", ["just asking"])]


def test_a_reply_to_something_older_brings_it_along(tmp_path: Path) -> None:
    with Store.open(tmp_path / "twin.db") as store:
        history = History(store.db)
        answer(history, 1, heard(1, 0, "coming?"), "maybe")
        answer(history, 2, heard(2, 600, media="photo"), "nice")
        history.hear(3, heard(3, 1_200, "so?", reply_to=100))
        history.hear(4, heard(4, 1_201, "this one", reply_to=2))
        session = latest_session(history.messages(FRIEND, 10), language="de")
    assert said(session) == [("other", ["[Antwort auf] maybe", "so?", "[Antwort auf] [Foto]", "this one"])]


def test_after_a_reset_nothing_before_it_is_read_or_quoted(tmp_path: Path) -> None:
    with Store.open(tmp_path / "twin.db") as store:
        history = History(store.db)
        answer(history, 1, heard(1, 0, "coming?"), "maybe")
        history.reset(FRIEND, NOON.timestamp() + 60)
        history.hear(2, heard(2, 2, "so?", reply_to=100))
        session = latest_session(history.messages(FRIEND, 10))
    assert said(session) == [("other", ["so?"])] and session is not None and session.previous_at is None


def test_what_an_older_version_stored_reads_as_it_did(tmp_path: Path) -> None:
    with Store.open(tmp_path / "twin.db") as store:
        history = History(store.db)
        for speaker, text in (("other", "[photo] look"), ("owner", "nice")):
            store.db.table("bot_messages").insert(
                {"chat_id": FRIEND, "speaker": speaker, "text": text, "sent_at": NOON.timestamp()}
            )
        session = latest_session(history.messages(FRIEND, 10))
    assert said(session) == [("other", ["[photo] look"]), ("owner", ["nice"])]


def test_placeholders_are_in_the_language_that_the_adapter_was_taught(tmp_path: Path) -> None:
    parrot = Parrot(lambda heard: ["ага"], prompt=PromptSpec(language="ru"))

    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), lambda: parrot):
            await api.write(FRIEND, "", voice=FILE | {"duration": 5})
            await api.until(lambda: len(api.texts(FRIEND)) == 1)
            parrot.prompt = PromptSpec(language="de")  # as if another adapter had been promoted meanwhile
            await api.write(FRIEND, "", photo=[FILE | {"width": 1, "height": 1}], caption="да?")
            await api.until(lambda: len(api.texts(FRIEND)) == 2)

    asyncio.run(scene())
    assert parrot.asked == [
        [("other", ["[голосовое 5 с]"])],
        [("other", ["[Sprachnachricht 5 s]"]), ("owner", ["ага"]), ("other", ["[Foto] да?"])],
    ]


def test_the_twin_is_told_who_writes_as_the_owners_dialogs_know_them_and_when(tmp_path: Path) -> None:
    parrot = Parrot()

    async def scene() -> None:
        async with bot_api() as api:
            settings = bot_settings(tmp_path, api)
            async with running_bot(api, settings, lambda: parrot):
                await api.write(FRIEND, "hi")
                await api.until(lambda: len(api.texts(FRIEND)) == 1)
                with Store.open(settings.database) as store:
                    store.add_dialog(FRIEND, "Anna at work")
                    store.dialog_table.tag(FRIEND, "colleague")
                await api.write(FRIEND, "hi again")
                await api.until(lambda: len(api.texts(FRIEND)) == 2)

    before = datetime.now(UTC)
    asyncio.run(scene())
    first, second = parrot.conversations
    assert first.peer == Peer("Somebody"), "who is in no dialog of the owner's goes by their own name"
    assert second.peer == Peer("Anna at work", "colleague")
    assert first.chat_id == second.chat_id == FRIEND
    assert first.at is not None and second.at is not None
    assert before <= first.at <= second.at <= datetime.now(UTC)
