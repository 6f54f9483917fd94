"""Who gets an answer: the allow-list, /allow and /deny, invites; and who gets none at all."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.invites import KEEP_SECONDS, Invites
from bot.people import People
from tests.bot_api import FRIEND, OWNER, STRANGER, BotApi, Parrot, bot_api, bot_settings, running_bot
from twin.store import Store

OTHER = 4004


async def _unanswered(api: BotApi, user: int, *texts: str) -> None:
    """Write, and see that nothing comes back: what the owner writes afterwards is answered, and this was not."""
    for text in texts:
        await api.write(user, text)
    await api.told(OWNER, "are you there")
    with_updates = [call for call in api.calls if call.chat_id == user]
    assert with_updates == []


def _token(link: str) -> str:
    return link.rpartition("start=")[2].strip()


def _forwarded(user: int | None) -> dict[str, Any]:
    """A message of the owner's that replies to one forwarded from somebody; None: whose account hides that."""
    sender = {"id": user, "is_bot": False, "first_name": "Cleo\n\u202eevil"}
    origin = (
        {"type": "hidden_user", "sender_user_name": "C"} if user is None else {"type": "user", "sender_user": sender}
    )
    return {
        "reply_to_message": {
            "message_id": 77,
            "date": 1,
            "chat": {"id": OWNER, "type": "private", "first_name": "Somebody"},
            "text": "hello",
            "forward_origin": origin | {"date": 1},
        }
    }


def test_a_stranger_gets_no_answer_to_anything_at_all(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), Parrot):
            forged = "A" * 22
            await _unanswered(
                api,
                STRANGER,
                "hi",
                "/start",
                f"/start {forged}",
                "/start ../../x",
                "/allow 3003",
                "/help",
                "x" * 4096,
                "/start " + "A" * 4089,
            )
            assert api.texts(OWNER) == ["you said are you there"]

    asyncio.run(scene())


def test_the_owner_lets_in_and_shows_out_while_the_bot_runs(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), Parrot):
            assert "may talk" in await api.told(OWNER, f"/allow {STRANGER}")
            assert await api.told(STRANGER, "hi") == "you said hi"
            assert "no answer any more" in await api.told(OWNER, f"/deny {STRANGER}")
            assert "no answer any more" in await api.told(OWNER, f"/deny {FRIEND}")
            before = len(api.texts(STRANGER))
            await api.write(STRANGER, "hello?")
            await _unanswered(api, FRIEND, "hello?")
            assert len(api.texts(STRANGER)) == before
            listed = await api.told(OWNER, "/allow")
            assert f"Denied: User {FRIEND}" in listed and f"Denied: User {STRANGER}" in listed

    asyncio.run(scene())


def test_who_was_let_in_or_shown_out_stays_so_after_a_restart(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            settings = bot_settings(tmp_path, api)
            async with running_bot(api, settings, Parrot):
                await api.told(OWNER, f"/allow {OTHER}")
                await api.told(OWNER, f"/deny {FRIEND}")
            async with running_bot(api, settings, Parrot):
                assert await api.told(OTHER, "hi") == "you said hi"
                await _unanswered(api, FRIEND, "hi")

    asyncio.run(scene())


def test_a_forwarded_message_says_who_is_meant_unless_their_account_hides_it(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), Parrot):
            assert str(OTHER) in await api.told(OWNER, "/allow", **_forwarded(OTHER))
            assert f"Allowed: Cleo evil (user {OTHER})" in await api.told(OWNER, "/allow")
            assert "hides" in await api.told(OWNER, "/allow", **_forwarded(None))
            assert str(OTHER) in await api.told(OWNER, "/deny", **_forwarded(OTHER))

    asyncio.run(scene())


@pytest.mark.parametrize("words", ["-5", "1" * 30, "Cleo", "١٢٣", "1 2", "link me", "../x"])
def test_what_names_nobody_is_answered_with_how_to_ask(tmp_path: Path, words: str) -> None:
    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), Parrot):
            assert "/allow link" in await api.told(OWNER, f"/allow {words}")
            assert "/allow link" in await api.told(OWNER, f"/deny {words}")
            assert "always allowed" in await api.told(OWNER, f"/deny {OWNER}")

    asyncio.run(scene())


def test_guests_can_neither_allow_nor_deny_nor_invite(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), Parrot):
            for command in (f"/allow {STRANGER}", f"/deny {OWNER}", "/allow link"):
                assert "can do that" in await api.told(FRIEND, command)
            await _unanswered(api, STRANGER, "hi")

    asyncio.run(scene())


def test_an_invite_lets_one_person_in_once_and_the_owner_hears_of_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def scene() -> str:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), Parrot):
            link = await api.told(OWNER, "/allow link")
            assert "https://t.me/emulated_twin_bot?start=" in link
            token = _token(link)
            await api.told(OWNER, f"/start {token}")  # trying it oneself, or a friend's doing so, uses nothing up
            await api.told(FRIEND, f"/start {token}")
            assert "program" in await api.told(STRANGER, f"/start {token}")
            await api.until(lambda: "came in with your invite" in api.texts(OWNER)[-1])
            assert str(STRANGER) in api.texts(OWNER)[-1]
            assert await api.told(STRANGER, "hi") == "you said hi"
            await _unanswered(api, OTHER, f"/start {token}", "hi")
            return token

    token = asyncio.run(scene())
    from_bot = [record.getMessage() for record in caplog.records if record.name.split(".")[0] in ("bot", "twin")]
    assert token not in "\n".join(from_bot)
    assert token.encode() not in b"".join(path.read_bytes() for path in tmp_path.glob("twin.db*"))


def test_an_arrival_of_which_the_owner_was_not_told_is_told_at_the_next_start(tmp_path: Path) -> None:
    with Store.open(tmp_path / "twin.db") as store:
        people = People(store.db, OWNER, frozenset(), time.time)
        invites = Invites(store.db, people, time.time)
        assert invites.redeem(invites.create(), OTHER, "Cleo")

    async def scene() -> None:
        async with bot_api() as api:
            settings = bot_settings(tmp_path, api)
            for _ in range(2):
                async with running_bot(api, settings, Parrot):
                    await api.until(lambda: any("Cleo (user 4004) came in" in text for text in api.texts(OWNER)))
                    await api.told(OWNER, "hi")
            assert len([text for text in api.texts(OWNER) if "came in" in text]) == 1

    asyncio.run(scene())


class _Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def _invites(store: Store, clock: _Clock) -> tuple[Invites, People]:
    people = People(store.db, OWNER, frozenset({FRIEND}), clock)
    return Invites(store.db, people, clock), people


def test_an_invite_is_good_for_a_day_and_no_second_more(store: Store) -> None:
    clock = _Clock()
    invites, people = _invites(store, clock)
    first, second = invites.create(), invites.create()
    clock.now += KEEP_SECONDS - 1
    assert invites.redeem(first, STRANGER, None) and people.may_talk(STRANGER)
    clock.now += 1
    assert not invites.redeem(second, OTHER, None) and not people.may_talk(OTHER)


def test_an_invite_does_not_let_in_whom_the_owner_showed_out(store: Store) -> None:
    invites, people = _invites(store, _Clock())
    token = invites.create()
    people.deny(STRANGER)
    assert not invites.redeem(token, STRANGER, None)
    assert invites.redeem(token, OTHER, None)


@given(st.text(max_size=70))
def test_no_guessed_word_is_ever_an_invite(word: str) -> None:
    with Store.scratch() as store:
        invites, people = _invites(store, _Clock())
        invites.create()
        assert not invites.redeem(word, STRANGER, None) and not people.may_talk(STRANGER)


def test_the_database_holds_no_invite_that_could_be_used(store: Store) -> None:
    invites, _ = _invites(store, _Clock())
    token = invites.create()
    assert all(token not in str(row) for row in store.db.query("select * from bot_invites"))
    assert len(token) == 22 and len({invites.create() for _ in range(50)}) == 50


def test_the_owner_is_never_shown_out(store: Store) -> None:
    _, people = _invites(store, _Clock())
    people.deny(OWNER)
    assert people.may_talk(OWNER) and [person.user_id for person in people.listed()] == [FRIEND]
