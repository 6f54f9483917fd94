"""What binds the bot in the owner's own chats: rights, the 24 hours, refusals, edits, deletions, pauses, modes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import get_args

from hypothesis import example, given
from hypothesis import strategies as st
from lo_bot_api_emulator import ApiRefusal

from bot.business import wording
from bot.business.drafts import Draft, Outcome
from tests.bot_api import FAST, FRIEND, OWNER, STRANGER, Held, Parrot, running_bot
from tests.business import business_api, business_settings, inbox_words, is_quiet, outcomes, words
from tests.hand_clock import HandClock
from twin.places import chat_at, is_owners_own, owners_own
from twin.store import Store

DAY = 24 * 3600


def test_without_the_right_to_reply_an_answer_becomes_a_suggestion(tmp_path: Path) -> None:
    async def scene() -> None:
        async with business_api() as api, running_bot(api, business_settings(tmp_path, api, "auto"), Parrot):
            await api.connect(can_reply=False)
            await api.until(lambda: "may not reply" in "".join(api.texts(OWNER)))
            await api.friend("coming?")
            card = await api.open_card("lacks the right to reply")
            await api.push(card, "Send")
            await api.until(lambda: is_quiet(tmp_path, 3))
            assert api.own == [] and api.typed == set()
            await api.connect()
            await api.until(lambda: sum("may reply" in text for text in api.texts(OWNER)) == 1)
            await api.push(card, "Send")
            await api.until(lambda: api.said() == ["you said coming?"] and "Sent." in api.cards()[0])

    asyncio.run(scene())
    assert outcomes(tmp_path) == ["sent"]


def test_the_owner_is_told_once_of_every_change_of_the_connection(tmp_path: Path) -> None:
    async def scene() -> None:
        async with business_api() as api:
            for _ in range(2):
                async with running_bot(api, business_settings(tmp_path, api), Parrot):
                    for _ in range(2):
                        await api.connect()
                    await api.friend("hi")
                    await api.until(lambda: is_quiet(tmp_path, len(api.sent_updates)))
                    await api.until(lambda: api.texts(OWNER))
            async with running_bot(api, business_settings(tmp_path, api), Parrot):
                await api.connect(enabled=False)
                await api.until(lambda: "any more" in api.texts(OWNER)[-1])
                await api.friend("still there?")
                await api.open_card("still there?")
                assert "not connected" in api.cards()[-1]
        assert sum(text.startswith("I am connected") for text in api.texts(OWNER)) == 1

    asyncio.run(scene())


def test_nothing_is_sent_when_the_last_message_is_a_day_old(tmp_path: Path) -> None:
    clock = HandClock()

    async def scene() -> None:
        async with business_api() as api:
            api.clock = clock.now
            rhythm = replace(FAST, clock=clock)
            async with running_bot(api, business_settings(tmp_path, api), Parrot, rhythm):
                await api.friend("coming?")
                card = await api.open_card("coming?")
                clock.advance(DAY + 60)
                await api.push(card, "Send")
                await api.until(lambda: "Too late" in api.cards()[0] and api.keys(card) == {})
                await api.friend("hello?")
                await api.push(await api.open_card("hello?"), "Send")
                await api.until(lambda: api.said() == ["you said hello?"])

    asyncio.run(scene())
    assert outcomes(tmp_path) == ["late", "sent"]


def test_what_was_written_a_day_ago_is_not_answered_by_itself(tmp_path: Path) -> None:
    async def scene() -> None:
        async with business_api() as api, running_bot(api, business_settings(tmp_path, api, "auto"), Parrot):
            await api.friend("coming?", age=DAY + 60)
            await api.until(lambda: api.cards() and "Too late" in api.cards()[0])
            assert api.own == [] and api.keys(api.card_id("coming?")) == {}

    asyncio.run(scene())
    assert outcomes(tmp_path) == ["late"]


def test_a_refusal_becomes_a_sentence_on_the_card_and_is_not_tried_again(tmp_path: Path) -> None:
    refusals = [ApiRefusal("Bad Request: BUSINESS_PEER_USAGE_MISSING"), ApiRefusal("Bad Request: chat not found")]

    async def scene() -> None:
        async with business_api() as api, running_bot(api, business_settings(tmp_path, api), lambda: parrot):
            for text, told in (("one", "Too late"), ("two", "Chat not found")):
                await api.friend(text)
                card = await api.open_card(f"wrote:\n{text}" if text == "one" else "one\ntwo")
                tried = len(refusals)
                api.refuse_own = refusals
                await api.push(card, "Send")
                await api.until(lambda told=told: told in api.cards()[-1])
                assert len(refusals) == tried - 1 and api.own == []
            await api.until(lambda: is_quiet(tmp_path, 4))

    parrot = Parrot(lambda heard: ["a", "b"])
    asyncio.run(scene())
    assert outcomes(tmp_path) == ["refused", "refused"]
    assert words(tmp_path) == [("other", "one"), ("other", "two")]


def test_an_answer_that_is_refused_by_telegram_is_shown_to_the_owner(tmp_path: Path) -> None:
    async def scene() -> None:
        async with business_api() as api, running_bot(api, business_settings(tmp_path, api, "auto"), lambda: parrot):
            await api.friend("hi")
            await api.until(lambda: api.said() == ["a", "b"])
            api.refuse_own = [None, ApiRefusal("Forbidden: user is deactivated", 403)]
            await api.friend("again")
            await api.until(lambda: api.cards() and "What came before it was sent." in api.cards()[0])
            assert "I would say:\nb" in api.cards()[0] and api.said() == ["a", "b", "a"]

    parrot = Parrot(lambda heard: ["a", "b"])
    asyncio.run(scene())
    assert outcomes(tmp_path) == ["refused"]


def test_edits_change_what_is_remembered_and_make_a_suggestion_anew(tmp_path: Path) -> None:
    parrot = Parrot()

    async def scene() -> None:
        async with business_api() as api, running_bot(api, business_settings(tmp_path, api), lambda: parrot):
            await api.friend("at sevn")
            asked = api.newest
            first = await api.open_card("at sevn")
            await api.change(asked, "at seven")
            await api.open_card("you said at seven")
            await api.until(lambda: "They edited" in api.cards()[0] and api.keys(first) == {})
            await api.owner("fine")
            mine = api.newest
            await api.change(mine, "fine!", sender=OWNER)
            await api.until(lambda: is_quiet(tmp_path, 4))

    asyncio.run(scene())
    assert words(tmp_path) == [("other", "at seven"), ("owner", "fine!")]
    assert outcomes(tmp_path) == ["stale", "answered"]


def test_deleted_messages_are_gone_from_what_is_remembered_and_suggested(tmp_path: Path) -> None:
    async def scene() -> None:
        async with business_api() as api, running_bot(api, business_settings(tmp_path, api), Parrot):
            await api.friend("pineapples are wonderful")
            card = await api.open_card("pineapples")
            await api.delete(api.newest)
            await api.until(lambda: api.cards() and "They deleted" in api.cards()[0])
            assert api.keys(card) == {} and "wrote:\npineapples" not in api.cards()[0]
            await api.until(lambda: is_quiet(tmp_path, 2))

    asyncio.run(scene())
    assert words(tmp_path) == [] and "pineapples" not in inbox_words(tmp_path)


def test_a_message_that_is_deleted_while_others_are_gathered_is_not_answered(tmp_path: Path) -> None:
    clock, parrot = HandClock(), Parrot(lambda heard: [" + ".join(heard)])

    async def scene() -> None:
        async with business_api() as api:
            api.clock = clock.now
            settings = business_settings(tmp_path, api, "auto", debounce_seconds=3)
            async with running_bot(api, settings, lambda: parrot, replace(FAST, clock=clock)):
                await api.friend("one")
                first = api.newest
                await api.friend("two")
                await api.delete(first)
                await api.until(lambda: is_closed(3))
                while api.own == []:
                    clock.advance(1)
                    await asyncio.sleep(0.01)
                assert api.said() == ["two"]
                await api.friend("three")
                await api.delete(api.newest)
                await api.until(lambda: is_closed(5))
                while not is_quiet(tmp_path, 5):
                    clock.advance(1)
                    await asyncio.sleep(0.01)
                assert api.said() == ["two"]

    def is_closed(update_id: int) -> bool:
        with Store.open(tmp_path / "twin.db") as store:
            sql = "select 1 from bot_inbox where update_id = ? and answered_at > 0"
            return store.db.execute(sql, [update_id]).fetchone() is not None

    asyncio.run(scene())
    assert len(parrot.asked) == 1


def test_a_pause_stops_suggestions_and_answers_at_once_and_buttons_still_work(tmp_path: Path) -> None:
    for mode in ("draft", "auto"):
        home, held = tmp_path / mode, Held()
        home.mkdir()

        async def scene(home: Path = home, held: Held = held, mode: str = mode) -> None:
            parrot = Parrot(lambda heard: held(heard) if heard[-1] == "wait" else ["yes"])
            async with business_api() as api, running_bot(api, business_settings(home, api, mode), lambda: parrot):
                await api.connect(can_reply=mode == "draft")
                await api.friend("coming?", chat=STRANGER)
                card = await api.open_card("coming?")
                await api.connect()
                await api.until(lambda: is_quiet(home, 3))
                await api.friend("wait")
                await api.until(held.begun.is_set)
                await api.write(OWNER, "/pause")
                await api.until(lambda: "Paused" in api.texts(OWNER)[-1])
                held.may.set()
                await api.friend("more")
                await api.push(card, "Edit")
                await api.until(lambda: "each line becomes" in api.cards()[0])
                await api.answer_card(card, "in a minute")
                await api.until(lambda: api.said(STRANGER) == ["in a minute"])
                assert api.said() == [] and len(api.cards()) == 1
                await api.write(OWNER, "/resume")
                if mode == "auto":
                    await api.until(lambda: api.said()[-1:] == ["yes"])
                else:
                    await api.open_card("wrote:\nwait\nmore")

        asyncio.run(scene())


def test_what_is_off_or_no_talk_is_let_go_during_a_pause_too(tmp_path: Path) -> None:
    async def scene() -> None:
        async with business_api() as api:
            async with running_bot(api, business_settings(tmp_path, api, "off"), Parrot):
                await api.write(OWNER, "/pause")
                await api.until(lambda: "Paused" in "".join(api.texts(OWNER)))
                await api.friend("a secret of mine")
                await api.until(lambda: is_quiet(tmp_path, 2))
            async with running_bot(api, business_settings(tmp_path, api, "auto"), Parrot):
                await api.friend("Your secret login code", chat=777000)
                await api.until(lambda: is_quiet(tmp_path, 3))

    asyncio.run(scene())
    assert "secret" not in inbox_words(tmp_path)


def test_each_chat_has_a_mode_of_its_own_that_its_button_turns(tmp_path: Path) -> None:
    async def scene() -> None:
        async with business_api() as api:
            async with running_bot(api, business_settings(tmp_path, api, "off"), Parrot):
                await api.write(OWNER, "/business")
                await api.until(lambda: "not connected" in "".join(api.texts(OWNER)))
                await api.connect()
                await api.friend("one")
                await api.friend("one", chat=STRANGER)
                await api.until(lambda: is_quiet(tmp_path, 4))
                await api.write(OWNER, "/business")
                await api.until(lambda: "Press a name" in "".join(api.texts(OWNER)))
                listed = api.card_id("Press a name")
                turn = f"business:mode:{FRIEND}"
                assert api.keys(listed) == {"Anna: off": turn, "Boris: off": f"business:mode:{STRANGER}"}
                await api.press(OWNER, turn, listed)
                await api.until(lambda: "Anna: draft" in api.keys(listed))
                await api.friend("two")
                await api.friend("two", chat=STRANGER)
                await api.open_card("two")
                await api.press(OWNER, turn, listed)
                await api.until(lambda: "Anna: auto" in api.keys(listed))
                await api.friend("three")
                await api.until(lambda: api.said() == ["you said three"])
            async with running_bot(api, business_settings(tmp_path, api, "off"), Parrot):
                await api.friend("four")
                await api.until(lambda: api.said() == ["you said three", "you said four"])
                assert api.said(STRANGER) == []

    asyncio.run(scene())
    assert words(tmp_path, STRANGER) == []


def test_switching_a_chat_off_ends_what_waits_there(tmp_path: Path) -> None:
    held = Held()
    parrot = Parrot(held)

    async def scene() -> None:
        async with business_api() as api, running_bot(api, business_settings(tmp_path, api, "auto"), lambda: parrot):
            await api.friend("coming?")
            await api.until(held.begun.is_set)
            await api.press(OWNER, f"business:mode:{FRIEND}")
            await api.until(lambda: is_quiet(tmp_path, 2))
            held.may.set()
            await api.friend("hello?")
            await api.until(lambda: is_quiet(tmp_path, 3))
            assert api.own == []

    asyncio.run(scene())
    assert words(tmp_path) == [("other", "coming?")]


def test_the_first_answer_in_a_chat_is_preceded_by_the_line_that_a_program_gives_it(tmp_path: Path) -> None:
    async def scene() -> None:
        async with business_api() as api:
            settings = business_settings(tmp_path, api, "auto", disclosure=True)
            async with running_bot(api, settings, Parrot):
                for text in ("one", "two"):
                    await api.friend(text)
                    await api.until(lambda text=text: api.said()[-1:] == [f"you said {text}"])
                assert "digital twin" in api.said()[0] and len(api.own) == 3
            drafting = business_settings(tmp_path, api, "draft", disclosure=True)
            async with running_bot(api, drafting, Parrot):
                await api.friend("one", chat=STRANGER)
                await api.push(await api.open_card("you said one"), "Send")
                await api.until(lambda: api.said(STRANGER) == ["you said one"])

    asyncio.run(scene())


def test_answers_are_limited_and_the_owner_is_told_once(tmp_path: Path) -> None:
    async def scene() -> None:
        async with business_api() as api:
            settings = business_settings(tmp_path, api, "auto", messages_per_minute=2)
            async with running_bot(api, settings, Parrot):
                for number in range(5):
                    await api.friend(f"message {number}")
                    await api.until(lambda number=number: is_quiet(tmp_path, number + 1))
                await api.until(lambda: api.cards() and "Not answered" in api.cards()[0])
                assert len(api.own) == 2 and len(api.cards()) == 1

    asyncio.run(scene())
    assert [text for _, text in words(tmp_path)][-1] == "message 4", "it is taken in"


def test_whoever_is_kept_out_is_not_answered_in_the_owners_chats_either(tmp_path: Path) -> None:
    async def scene() -> None:
        async with business_api() as api, running_bot(api, business_settings(tmp_path, api, "auto"), Parrot):
            await api.write(OWNER, f"/deny {FRIEND}")
            await api.until(lambda: api.texts(OWNER))
            await api.friend("hi")
            await api.until(lambda: is_quiet(tmp_path, 2))
            assert api.own == []

    asyncio.run(scene())
    assert words(tmp_path) == []


def test_forgetting_reaches_the_owners_chat_with_the_same_person(tmp_path: Path) -> None:
    async def scene() -> None:
        async with business_api() as api, running_bot(api, business_settings(tmp_path, api), Parrot):
            await api.friend("pineapples")
            await api.open_card("pineapples")
            await api.friend("something else", chat=STRANGER)
            await api.open_card("something else")
            await api.write(FRIEND, "/forget")
            await api.until(lambda: api.buttons(FRIEND))
            await api.press(FRIEND, api.buttons(FRIEND)["Delete"])
            await api.until(lambda: api.edits(FRIEND) and "1" in api.edits(FRIEND)[-1])

    asyncio.run(scene())
    assert words(tmp_path) == [] and words(tmp_path, STRANGER) == [("other", "something else")]
    with Store.open(tmp_path / "twin.db") as store:
        assert [row[0] for row in store.db.execute("select place from business_drafts")] == [owners_own(STRANGER)]


def test_the_prompt_calls_the_other_what_the_owners_own_dialog_calls_them(tmp_path: Path) -> None:
    parrot = Parrot()
    with Store.open(tmp_path / "twin.db") as store:
        store.add_dialog(FRIEND, "Anna from work")
        store.dialog_table.tag(FRIEND, "colleague")

    async def scene() -> None:
        async with business_api() as api, running_bot(api, business_settings(tmp_path, api), lambda: parrot):
            await api.friend("hi")
            await api.open_card("hi")

    asyncio.run(scene())
    peer = parrot.conversations[0].peer
    assert (peer.name, peer.relation) == ("Anna from work", "colleague")


def test_the_bots_own_chat_with_the_same_person_is_another_conversation(tmp_path: Path) -> None:
    parrot = Parrot()

    async def scene() -> None:
        async with business_api() as api, running_bot(api, business_settings(tmp_path, api, "auto"), lambda: parrot):
            await api.write(FRIEND, "to the bot")
            await api.until(lambda: api.texts(FRIEND) == ["you said to the bot"])
            await api.friend("to the owner")
            await api.until(lambda: api.said() == ["you said to the owner"])

    asyncio.run(scene())
    assert parrot.asked == [[("other", ["to the bot"])], [("other", ["to the owner"])]]


def test_keeping_somebody_out_ends_what_waits_for_them_in_the_owners_chat(tmp_path: Path) -> None:
    async def scene() -> None:
        async with business_api() as api, running_bot(api, business_settings(tmp_path, api), Parrot):
            await api.friend("hi")
            card = await api.open_card("hi")
            await api.write(OWNER, f"/deny {FRIEND}")
            await api.until(lambda: "/deny" in api.cards()[0] and api.keys(card) == {})

    asyncio.run(scene())
    assert outcomes(tmp_path) == ["stale"]


def test_what_was_to_be_sent_before_too_long_a_pause_is_told_as_not_sent(tmp_path: Path) -> None:
    clock = HandClock()

    async def scene() -> None:
        async with business_api() as api:
            api.clock = clock.now
            settings = business_settings(tmp_path, api, bubble_pause_seconds=5)
            async with running_bot(api, settings, lambda: parrot, replace(FAST, clock=clock)):
                await api.friend("hi")
                await api.push(await api.open_card("hi"), "Send")
                await api.until(lambda: api.said() == ["one"] and clock.sleepers)
                await api.write(OWNER, "/pause")
                await api.until(lambda: "Paused" in api.texts(OWNER)[-1])
                clock.advance(13 * 3600)
                await api.write(OWNER, "/resume")
                await api.until(lambda: "the pause was too long" in api.cards()[0])
                assert "What came before it was sent." in api.cards()[0] and api.said() == ["one"]

    parrot = Parrot(lambda heard: ["one", "two"])
    asyncio.run(scene())
    assert outcomes(tmp_path) == ["refused"]


@given(st.lists(st.text()), st.lists(st.text(), min_size=1), st.lists(st.text()), st.sampled_from(get_args(Outcome)))
@example(["😀" * 5000], ["😀" * 5000], ["😀" * 5000], "edited")
def test_a_card_always_fits_into_one_message(
    heard: list[str], bubbles: list[str], said: list[str], outcome: Outcome
) -> None:
    draft = Draft(1, -1, 1, 1, 1.0, "v", tuple(bubbles), outcome, tuple(said), None, None, True, None, 1)
    for note in (None, wording.NO_RIGHT, wording.refusal("x" * 500)):
        text = wording.card(replace(draft, note=note), "😀" * 64, heard)
        assert text.strip() and len(text.encode("utf-16-le", "surrogatepass")) // 2 <= 4096


@given(st.integers(1, 2**52))
def test_a_chat_and_its_place_in_the_owners_chats_tell_one_another(chat_id: int) -> None:
    place = owners_own(chat_id)
    assert chat_at(place) == chat_id and is_owners_own(place) and not is_owners_own(chat_id)
    assert chat_at(chat_id) == chat_id and -(2**63) < place < -4 * 10**12


def test_an_owner_who_cannot_be_shown_a_card_stops_nothing(tmp_path: Path) -> None:
    async def scene() -> None:
        async with business_api() as api, running_bot(api, business_settings(tmp_path, api), Parrot):
            await api.connect()
            await api.until(lambda: api.texts(OWNER))
            api.refuse["sendMessage"] = [ApiRefusal("Forbidden: bot was blocked by the user", 403)]
            await api.friend("hi")
            await api.until(lambda: not api.refuse["sendMessage"])
            await api.friend("hi again")
            await api.push(await api.open_card("hi again"), "Send")
            await api.until(lambda: api.said() == ["you said hi again"])

    asyncio.run(scene())
    assert outcomes(tmp_path) == ["stale", "sent"]
