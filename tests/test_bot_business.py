"""The owner's own chats: what is suggested, sent, told and kept there, against a server that nobody here wrote."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.bot_api import FRIEND, OWNER, STRANGER, Held, Parrot, running_bot
from tests.business import business_api, business_settings, inbox_words, is_quiet, outcomes, words


def test_a_suggestion_is_sent_when_the_owner_presses_send(tmp_path: Path) -> None:
    async def scene() -> None:
        async with business_api() as api, running_bot(api, business_settings(tmp_path, api), lambda: parrot):
            await api.connect()
            await api.until(lambda: "may reply" in "".join(api.texts(OWNER)))
            await api.friend("are you there")
            card = await api.open_card("Anna wrote:\nare you there")
            assert "I would say:\nyes?\nalways" in api.cards()[-1]
            assert api.own == [] and api.typed == set() and api.texts(FRIEND) == []
            await api.push(card, "Send")
            await api.until(lambda: api.said() == ["yes?", "always"] and "Sent." in api.cards()[-1])
            assert api.keys(card) == {}
            await api.until(lambda: is_quiet(tmp_path, 3))

    parrot = Parrot(lambda heard: ["yes?", "always"])
    asyncio.run(scene())
    assert outcomes(tmp_path) == ["sent"]
    assert words(tmp_path) == [("other", "are you there"), ("owner", "yes?"), ("owner", "always")]


def test_an_answer_goes_out_by_itself_in_auto(tmp_path: Path) -> None:
    held = Held()
    parrot = Parrot(held)

    async def scene() -> None:
        async with business_api() as api, running_bot(api, business_settings(tmp_path, api, "auto"), lambda: parrot):
            await api.connect()
            await api.friend("hello")
            await api.until(lambda: FRIEND in api.typed)
            held.may.set()
            await api.until(lambda: api.said() == ["you said hello"])
            assert api.own[0][2] == "owners-connection"
            await api.until(lambda: is_quiet(tmp_path, 2))
            assert api.texts(FRIEND) == [], "nothing goes into the bot's own chat with them"

    asyncio.run(scene())
    assert outcomes(tmp_path) == []


def test_nothing_is_done_or_kept_while_it_is_off(tmp_path: Path) -> None:
    parrot = Parrot()

    async def scene() -> None:
        async with business_api() as api, running_bot(api, business_settings(tmp_path, api, "off"), lambda: parrot):
            await api.connect()
            await api.friend("a secret of mine")
            await api.owner("and one of mine")
            await api.until(lambda: is_quiet(tmp_path, 3))
            await api.until(lambda: api.texts(OWNER))
            assert api.own == [] and len(api.texts(OWNER)) == 1

    asyncio.run(scene())
    assert parrot.asked == [] and words(tmp_path) == []
    assert "secret" not in inbox_words(tmp_path)


def test_what_the_owner_answers_a_card_with_is_sent_line_by_line(tmp_path: Path) -> None:
    async def scene() -> None:
        async with business_api() as api, running_bot(api, business_settings(tmp_path, api), Parrot):
            await api.friend("coming?")
            card = await api.open_card("coming?")
            await api.answer_card(card, "too early")
            await api.until(lambda: "Press Edit" in api.texts(OWNER)[-1])
            await api.push(card, "Edit")
            await api.until(lambda: "each line becomes" in api.cards()[0])
            await api.answer_card(card, "on my way\n\n  ten minutes ")
            await api.until(lambda: api.said() == ["on my way", "ten minutes"])
            await api.until(lambda: "You said instead:\non my way\nten minutes" in api.cards()[0])
            assert api.keys(card) == {}
            await api.answer_card(card, "and again")
            await api.until(lambda: "done with" in api.texts(OWNER)[-1])
            assert len(api.own) == 2

    asyncio.run(scene())
    assert outcomes(tmp_path) == ["edited"]
    assert words(tmp_path) == [("other", "coming?"), ("owner", "on my way"), ("owner", "ten minutes")]


def test_a_card_takes_no_picture_for_an_answer(tmp_path: Path) -> None:
    async def scene() -> None:
        async with business_api() as api, running_bot(api, business_settings(tmp_path, api), Parrot):
            await api.friend("coming?")
            card = await api.open_card("coming?")
            await api.push(card, "Edit")
            await api.until(lambda: "each line becomes" in api.cards()[0])
            await api.answer_card(card, "", photo=[{"file_id": "a", "file_unique_id": "b", "width": 1, "height": 1}])
            await api.until(lambda: "Only words" in api.texts(OWNER)[-1])
            assert api.own == [] and "Send" in api.keys(card)

    asyncio.run(scene())
    assert outcomes(tmp_path) == ["open"]


def test_a_skipped_suggestion_is_never_said(tmp_path: Path) -> None:
    async def scene() -> None:
        async with business_api() as api, running_bot(api, business_settings(tmp_path, api), Parrot):
            await api.friend("coming?")
            card = await api.open_card("coming?")
            send = api.keys(card)["Send"]
            await api.push(card, "Skip")
            await api.until(lambda: api.cards()[0].endswith("Skipped.") and api.keys(card) == {})
            await api.press(OWNER, send, card)
            await api.until(lambda: is_quiet(tmp_path, 3))
            assert api.own == []

    asyncio.run(scene())
    assert outcomes(tmp_path) == ["skipped"]


def test_a_newer_message_makes_a_suggestion_stale_and_the_next_answers_all_of_it(tmp_path: Path) -> None:
    parrot = Parrot()

    async def scene() -> None:
        async with business_api() as api, running_bot(api, business_settings(tmp_path, api), lambda: parrot):
            await api.friend("one")
            first = await api.open_card("you said one")
            send = api.keys(first)["Send"]
            await api.friend("two")
            second = await api.open_card("you said two")
            assert "wrote:\none\ntwo" in api.cards()[1]
            await api.until(lambda: "They wrote again" in api.cards()[0] and api.keys(first) == {})
            await api.press(OWNER, send, first)
            await api.until(lambda: is_quiet(tmp_path, 3))
            assert api.own == []
            await api.push(second, "Send")
            await api.until(lambda: api.said() == ["you said two"])

    asyncio.run(scene())
    assert parrot.asked[-1] == [("other", ["one", "two"])]
    assert outcomes(tmp_path) == ["stale", "sent"]


def test_pressing_send_twice_says_it_once(tmp_path: Path) -> None:
    async def scene() -> None:
        async with business_api() as api, running_bot(api, business_settings(tmp_path, api), Parrot):
            await api.friend("coming?")
            card = await api.open_card("coming?")
            send = api.keys(card)["Send"]
            for _ in range(3):
                await api.press(OWNER, send, card)
            await api.until(lambda: is_quiet(tmp_path, 4))
            assert api.said() == ["you said coming?"]

    asyncio.run(scene())


def test_the_owners_own_words_end_a_suggestion_and_are_seen_by_the_twin(tmp_path: Path) -> None:
    parrot = Parrot()

    async def scene() -> None:
        async with business_api() as api, running_bot(api, business_settings(tmp_path, api), lambda: parrot):
            await api.friend("coming?")
            card = await api.open_card("coming?")
            await api.owner("yes, wait")
            await api.until(lambda: "You answered yourself." in api.cards()[0] and api.keys(card) == {})
            await api.friend("ok")
            await api.open_card("you said ok")

    asyncio.run(scene())
    assert parrot.asked == [
        [("other", ["coming?"])],
        [("other", ["coming?"]), ("owner", ["yes, wait"]), ("other", ["ok"])],
    ]
    assert outcomes(tmp_path) == ["answered", "open"]


def test_the_owners_own_words_break_off_an_answer_under_way(tmp_path: Path) -> None:
    held = Held()

    async def scene() -> None:
        async with business_api() as api:
            async with running_bot(api, business_settings(tmp_path, api, "auto"), lambda: Parrot(held)):
                await api.friend("coming?")
                await api.until(held.begun.is_set)
                await api.owner("yes, wait")
                await api.until(lambda: is_quiet(tmp_path, 2))
                held.may.set()
            async with running_bot(api, business_settings(tmp_path, api, "auto"), Parrot):
                await api.friend("ok")
                await api.until(lambda: api.said() == ["you said ok"])

    asyncio.run(scene())
    assert words(tmp_path)[:2] == [("other", "coming?"), ("owner", "yes, wait")]


def test_an_answer_that_the_owner_overtook_while_the_bot_was_down_is_not_given(tmp_path: Path) -> None:
    async def scene() -> None:
        async with business_api() as api:
            await api.friend("coming?")
            await api.owner("yes, wait")
            async with running_bot(api, business_settings(tmp_path, api, "auto"), Parrot):
                await api.until(lambda: is_quiet(tmp_path, 2))
                assert api.own == []

    asyncio.run(scene())
    assert words(tmp_path) == [("other", "coming?"), ("owner", "yes, wait")]


def test_the_bots_own_words_coming_back_and_those_of_programs_are_ignored(tmp_path: Path) -> None:
    parrot = Parrot()
    twin = {"id": 123456789, "is_bot": True, "first_name": "Twin"}

    async def scene() -> None:
        async with business_api() as api, running_bot(api, business_settings(tmp_path, api, "auto"), lambda: parrot):
            await api.owner("you said that", sender_business_bot=twin)
            await api.owner("I am away", is_from_offline=True)
            await api.friend("Login code: 12345", chat=777000)
            await api.friend("beep", **{"from": {"id": FRIEND, "is_bot": True, "first_name": "Other"}})
            await api.until(lambda: is_quiet(tmp_path, 4))
            await api.friend("hello")
            await api.until(lambda: api.said() == ["you said hello"])

    asyncio.run(scene())
    assert parrot.asked == [[("other", ["hello"])]]
    assert words(tmp_path, 777000) == []


def test_commands_in_the_owners_chats_are_talk_whoever_writes_them(tmp_path: Path) -> None:
    async def scene() -> None:
        async with business_api() as api, running_bot(api, business_settings(tmp_path, api, "auto"), Parrot):
            await api.owner("/pause")
            await api.friend("/pause")
            await api.until(lambda: api.said() == ["you said /pause"])
            await api.friend("/start", chat=STRANGER)
            await api.until(lambda: api.said(STRANGER) == ["you said /start"])
            assert api.texts(FRIEND) == api.texts(STRANGER) == []
            await api.write(OWNER, "/status")
            await api.until(lambda: any("Version" in text for text in api.texts(OWNER)))
            assert not any("Paused" in text for text in api.texts(OWNER))

    asyncio.run(scene())
    assert words(tmp_path)[0] == ("owner", "/pause")


def test_a_connection_of_somebody_else_is_ignored(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    parrot = Parrot()

    async def scene() -> None:
        async with business_api() as api, running_bot(api, business_settings(tmp_path, api, "auto"), lambda: parrot):
            await api.connect(user=STRANGER, name="theirs")
            for text in ("hi", "there"):
                await api.friend(text, business_connection_id="theirs")
            await api.until(lambda: is_quiet(tmp_path, 3))
            assert api.own == [] and api.texts(OWNER) == api.texts(STRANGER) == [] and api.asked == 1

    asyncio.run(scene())
    assert parrot.asked == [] and words(tmp_path) == []
    assert [record.message for record in caplog.records if str(STRANGER) in record.message]


def test_an_unknown_connection_is_asked_about_once(tmp_path: Path) -> None:
    async def scene() -> None:
        async with business_api() as api, running_bot(api, business_settings(tmp_path, api, "auto"), Parrot):
            for text in ("one", "two"):
                await api.friend(text)
                await api.until(lambda text=text: api.said()[-1:] == [f"you said {text}"])
            assert api.asked == 1
            await api.friend("hm", business_connection_id="gone")
            await api.until(lambda: is_quiet(tmp_path, 3))
            assert len(api.own) == 2

    asyncio.run(scene())


def test_nobody_but_the_owner_presses_the_buttons_of_a_card(tmp_path: Path) -> None:
    async def scene() -> None:
        async with business_api() as api, running_bot(api, business_settings(tmp_path, api), Parrot):
            await api.friend("coming?")
            card = await api.open_card("coming?")
            for user in (FRIEND, STRANGER):
                for button in ("Send", "Edit", "Skip"):
                    await api.push(card, button, user)
            await api.write(FRIEND, "/business")
            await api.until(lambda: is_quiet(tmp_path, 8))
            assert api.own == [] and "Send" in api.keys(card)
            assert "Only" in api.texts(FRIEND)[-1]

    asyncio.run(scene())
    assert outcomes(tmp_path) == ["open"]
