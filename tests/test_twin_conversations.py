"""Messages to turns to sessions: who said what in one go, and where a conversation ends."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.conversations import SESSION_GAP, bubble, fate, latest_session, sessions, split_by_silence, turns
from twin.messages import Bubble, Message, Peer, Turn

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
ME, THEY = True, False
QUOTE = "[in reply to] "


def message(number: int, is_owner: bool, text: str = "", minute: float | None = None, **fields: object) -> Message:
    at = NOON + timedelta(minutes=number if minute is None else minute)
    plain = Message(chat_id=1, message_id=number, sent_at=at, sender_id=None, is_owner=is_owner, text=text)
    return replace(plain, **fields)


def talk(*lines: tuple[bool, str]) -> list[Message]:
    return [message(number, is_owner, text) for number, (is_owner, text) in enumerate(lines, start=1)]


def is_quote(part: Bubble) -> bool:
    return not part.authored and part.text.startswith(QUOTE)


def said(found: tuple[Turn, ...]) -> list[tuple[str, list[str]]]:
    return [(turn.speaker, [part.text for part in turn.bubbles]) for turn in found]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            [(THEY, "hey"), (THEY, "you there?"), (ME, "yeah"), (ME, "what's up"), (THEY, "nm")],
            [("other", ["hey", "you there?"]), ("owner", ["yeah", "what's up"]), ("other", ["nm"])],
        ),
        (
            [(ME, "привет"), (ME, "как дела?"), (THEY, "норм)"), (ME, "ну и славно\nпока")],
            [("owner", ["привет", "как дела?"]), ("other", ["норм)"]), ("owner", ["ну и славно\nпока"])],
        ),
        (
            [(THEY, "在吗"), (ME, "在，怎么了？"), (THEY, "没事"), (THEY, "晚上吃什么"), (ME, "随便🍜")],
            [
                ("other", ["在吗"]),
                ("owner", ["在，怎么了？"]),
                ("other", ["没事", "晚上吃什么"]),
                ("owner", ["随便🍜"]),
            ],
        ),
        (
            [(THEY, "السلام عليكم"), (ME, "وعليكم السلام"), (ME, "كيف حالك؟"), (THEY, "الحمد لله")],
            [("other", ["السلام عليكم"]), ("owner", ["وعليكم السلام", "كيف حالك؟"]), ("other", ["الحمد لله"])],
        ),
    ],
    ids=["English", "Russian", "Chinese", "Arabic"],
)
def test_a_speakers_whole_run_is_one_turn_with_its_bubbles_kept_apart(
    lines: list[tuple[bool, str]], expected: list[tuple[str, list[str]]]
) -> None:
    assert said(turns(talk(*lines))) == expected


def test_a_turn_knows_when_it_began_and_ended() -> None:
    (turn,) = turns([message(1, ME, "a", minute=0), message(2, ME, "b", minute=7)])
    assert (turn.started_at, turn.ended_at) == (NOON, NOON + timedelta(minutes=7))


def test_late_bubbles_of_one_speaker_stay_one_turn_within_a_session() -> None:
    late = [message(1, ME, "a", minute=0), message(2, ME, "b", minute=55), message(3, THEY, "c", minute=56)]
    (session,) = sessions(late)
    assert said(session.turns) == [("owner", ["a", "b"]), ("other", ["c"])]


def test_silence_longer_than_the_gap_starts_a_new_session() -> None:
    gap = SESSION_GAP / timedelta(minutes=1)
    kept = [message(1, THEY, "a", minute=0), message(2, ME, "b", minute=gap)]
    cut = message(3, ME, "c", minute=2 * gap + 0.1)
    assert [said(s.turns) for s in sessions([*kept, cut])] == [
        [("other", ["a"]), ("owner", ["b"])],
        [("owner", ["c"])],
    ]


def test_a_reply_after_a_silence_is_stitched_to_the_conversation_it_answers() -> None:
    asked = message(1, THEY, "when do you leave?", minute=0)
    answered = message(2, ME, "tomorrow", minute=600, reply_to=1)
    follow_up = message(3, THEY, "ok", minute=601)
    (session,) = sessions([asked, answered, follow_up])
    assert len(session.turns) == 3


def test_a_late_reply_brings_what_it_answers_along_as_a_quote_that_is_nobodys_words() -> None:
    old = message(1, THEY, "when do you leave?", minute=0)
    between = message(2, THEY, "hey", minute=600)
    answer = [message(3, ME, "hi", minute=601), message(4, ME, "tomorrow", minute=602, reply_to=1)]
    first, second = sessions([old, between, *answer])
    assert said(first.turns) == [("other", ["when do you leave?"])]
    assert said(second.turns) == [("other", ["hey"]), ("owner", ["hi", "[in reply to] when do you leave?", "tomorrow"])]
    (turn,) = second.turns[1:]
    assert [part.authored for part in turn.bubbles] == [True, False, True]
    assert turn.is_supervisable and turn.characters == len("hi") + len("tomorrow") + 2
    assert (turn.started_at, turn.ended_at) == (answer[0].sent_at, answer[1].sent_at), "a quote has no time"


def test_a_quote_stands_once_a_session_whoever_answers_it() -> None:
    old = message(1, ME, "let's go to the sea", minute=0)
    between = message(2, THEY, "hey", minute=600)
    replies = [
        message(3, THEY, "when?", minute=1_200, reply_to=1),
        message(4, THEY, "and where?", minute=1_201, reply_to=1),
        message(5, ME, "july", minute=1_202, reply_to=1),
    ]
    *_, last = sessions([old, between, *replies])
    assert said(last.turns) == [
        ("other", ["[in reply to] let's go to the sea", "when?", "and where?"]),
        ("owner", ["july"]),
    ]


def test_an_answer_within_the_session_needs_no_quote() -> None:
    (session,) = sessions([message(1, THEY, "a"), message(2, THEY, "b"), message(3, ME, "c", reply_to=1)])
    assert said(session.turns) == [("other", ["a", "b"]), ("owner", ["c"])]


@pytest.mark.parametrize("fields", [{"deleted_at": NOON}, {"text": " "}])
def test_what_is_not_shown_is_not_quoted_either(fields: dict[str, object]) -> None:
    old = replace(message(1, THEY, "gone", minute=0), **fields)
    *_, last = sessions([old, message(2, THEY, "b", minute=600), message(3, ME, "c", minute=1_200, reply_to=1)])
    assert said(last.turns) == [("owner", ["c"])]


def test_quotes_and_placeholders_are_in_the_owners_language() -> None:
    voice = message(1, THEY, media="voice_message", media_note="5 s", minute=0)
    *_, last = sessions(
        [voice, message(2, THEY, "эй", minute=600), message(3, ME, "да", minute=1_200, reply_to=1)], language="ru"
    )
    assert said(last.turns) == [("owner", ["[в ответ на] [голосовое 5 с]", "да"])]
    forward = message(4, THEY, "новости", forwarded_from="Газета")
    assert bubble(forward, "ru") == Bubble("[переслано] новости", authored=False)


def test_a_session_knows_its_peer_and_when_the_dialog_was_last_heard_of() -> None:
    anna = Peer("Anna", "friend")
    first, second = sessions([message(1, THEY, "a", minute=0), message(2, ME, "b", minute=600)], peer=anna)
    assert first.peer == second.peer == anna
    assert (first.previous_at, second.previous_at) == (None, NOON)


def test_the_owner_may_open_a_conversation_and_is_supervised_doing_so() -> None:
    (session,) = sessions([message(1, ME, "you awake?"), message(2, THEY, "yes")])
    assert [turn.is_supervisable for turn in session.turns] == [True, False]


def test_a_live_chat_keeps_the_order_in_which_it_was_handled() -> None:
    asked = [message(10, THEY, "a", minute=0), message(-1, ME, "to a", minute=9), message(11, THEY, "b", minute=2)]
    session = latest_session(asked)
    assert session is not None
    assert said(session.turns) == [("other", ["a"]), ("owner", ["to a"]), ("other", ["b"])]


def test_a_reply_to_nothing_known_is_no_bridge() -> None:
    assert len(sessions([message(1, THEY, "a", minute=0), message(2, ME, "b", minute=600, reply_to=99)])) == 2


def test_messages_of_the_same_second_keep_the_order_of_their_ids() -> None:
    (session,) = sessions([message(3, ME, "c", minute=0), message(1, ME, "a", minute=0), message(2, ME, "b", minute=0)])
    assert said(session.turns) == [("owner", ["a", "b", "c"])]


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"text": "hi"}, Bubble("hi")),
        ({"text": " hi\n"}, Bubble("hi")),
        ({"text": "news", "forwarded_from": "Paper"}, Bubble("[forwarded] news", authored=False)),
        ({"text": "found", "via_bot": "@pic"}, Bubble("found", authored=False)),
        ({"media": "photo"}, Bubble("[photo]", authored=False)),
        ({"media": "voice_message", "media_note": "5 s"}, Bubble("[voice message 5 s]", authored=False)),
        ({"media": "sticker", "media_note": "🍋"}, Bubble("[sticker 🍋]", authored=False)),
        ({"media": "photo", "text": "look"}, Bubble("[photo] look", authored=False)),
        ({"text": "  \n"}, None),
        ({"text": "", "forwarded_from": "Paper"}, None),
    ],
)
def test_what_is_not_the_senders_own_words_is_shown_but_not_authored(
    fields: dict[str, object], shown: Bubble | None
) -> None:
    assert bubble(message(1, ME, **fields)) == shown


def test_only_the_owners_own_words_teach() -> None:
    found = turns([message(1, THEY, "a"), message(2, ME, media="photo"), message(3, THEY, "b"), message(4, ME, "c")])
    assert [turn.is_supervisable for turn in found] == [False, False, False, True]


def test_what_shows_nothing_neither_makes_nor_parts_a_turn() -> None:
    assert said(turns(talk((ME, "a"), (THEY, " "), (ME, "b")))) == [("owner", ["a", "b"])]
    assert sessions(talk((ME, ""), (THEY, "  "))) == []


@st.composite
def dialogs(draw: st.DrawFn) -> list[Message]:
    """One dialog, oldest first: silences of all lengths, replies to anything, media and empty messages among words."""
    minute, messages = 0, []
    for number in range(1, draw(st.integers(0, 30)) + 1):
        minute += draw(st.sampled_from([0, 1, 30, 61, 6_000]))
        fields = {
            "text": draw(st.sampled_from(["", " ", "ok", "привет", "好", "مرحبا", "two\nlines", "😀"])),
            "media": draw(st.sampled_from([None, None, None, "photo"])),
            "reply_to": draw(st.none() | st.integers(1, 30)),
            "deleted_at": draw(st.sampled_from([None, None, None, NOON])),
        }
        messages.append(message(number, draw(st.booleans()), minute=minute, **fields))
    return messages


@given(dialogs(), st.randoms())
def test_every_message_that_is_shown_ends_in_exactly_one_turn_in_order(dialog: list[Message], chance: Random) -> None:
    expected = [(m.is_owner, shown) for m in dialog if (shown := bubble(m)) is not None]
    shuffled = chance.sample(dialog, len(dialog))
    found = sessions(shuffled)
    parts = [(t.speaker == "owner", part) for s in found for t in s.turns for part in t.bubbles]
    assert [(is_owner, part) for is_owner, part in parts if not is_quote(part)] == expected
    for session in found:
        assert session.turns
        assert all(before.speaker != after.speaker for before, after in pairwise(session.turns))


@given(dialogs())
def test_a_quote_stands_above_a_message_and_holds_an_earlier_one_that_its_session_does_not(
    dialog: list[Message],
) -> None:
    before: list[str] = []
    for session in sessions(dialog):
        parts = [part for turn in session.turns for part in turn.bubbles]
        own = [part for part in parts if not is_quote(part)]
        quotes = [part.text.removeprefix(QUOTE) for part in parts if is_quote(part)]
        assert set(quotes) <= set(before)
        assert not is_quote(parts[-1])
        assert not any(is_quote(part) and is_quote(following) for part, following in pairwise(parts))
        assert not any(part.authored for part in parts if is_quote(part))
        before += [part.text for part in own]


@given(dialogs())
def test_deleted_messages_leave_what_would_be_there_without_them(dialog: list[Message]) -> None:
    left = [m for m in dialog if m.deleted_at is None]
    assert sessions(dialog) == sessions(left)
    assert Counter(map(fate, dialog))["deleted"] == len(dialog) - len(left)


@given(dialogs(), st.sampled_from([timedelta(minutes=10), SESSION_GAP]))
def test_a_live_chat_is_cut_and_written_as_the_last_session_of_the_dataset(
    dialog: list[Message], gap: timedelta
) -> None:
    assert [latest_session(dialog, gap)] == (sessions(dialog, gap)[-1:] or [None])


@given(dialogs())
def test_every_message_is_in_exactly_one_run_and_runs_part_only_where_it_was_silent(dialog: list[Message]) -> None:
    runs = split_by_silence(dialog)
    assert [m for run in runs for m in run] == dialog
    assert all(after[0].sent_at - before[-1].sent_at > SESSION_GAP for before, after in pairwise(runs))
