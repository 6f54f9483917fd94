"""Transcripts in the forms that people have them, one speaker as the owner, monologues cut."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.recipes.account import Account
from training.recipes.prose import end_of, pieces
from training.recipes.transcript import (
    BUBBLE,
    LISTENING,
    ROW_TURNS,
    TURN,
    Line,
    choose,
    read_transcript,
    speakers,
    transcript_rows,
)
from twin.errors import DatasetError
from twin.messages import Turn

FORMS = {
    "plain": "Host: How did it begin?\nAda: With a door.\nAnd a lake.\n\nHost: A lake?\nAda: Yes.\n",
    "times after": (
        "Host (00:12): How did it begin?\nAda (00:15): With a door.\nAnd a lake.\n"
        "Host (1:02:03): A lake?\nAda (1:02:09): Yes."
    ),
    "times before": (
        "[00:00:12] Host: How did it begin?\n[00:00:15] Ada: With a door.\nAnd a lake.\n"
        "[01:02:03] Host: A lake?\n[01:02:09] Ada: Yes."
    ),
    "times and dashes": (
        "00:12 - Host: How did it begin?\n00:15 - Ada: With a door.\nAnd a lake.\n"
        "1:02 - Host: A lake?\n1:09 - Ada: Yes."
    ),
    "names above": (
        "Host  00:12\nHow did it begin?\n\nAda  00:15\nWith a door.\nAnd a lake.\n\n"
        "Host  1:02\nA lake?\n\nAda  1:09\nYes."
    ),
    "markdown": "**Host:** How did it begin?\n\n**Ada:** With a door.\n\nAnd a lake.\n**Host:** A lake?\n**Ada:** Yes.",
    "wide colons": "Host：How did it begin?\nAda：With a door.\nAnd a lake.\nHost：A lake?\nAda：Yes.",
    "subtitles": (
        "WEBVTT\n\n1\n00:00:12.000 --> 00:00:14.500\nHost: How did it begin?\n\n"
        "2\n00:00:15.000 --> 00:00:16.000\nAda: With a door.\nAnd a lake.\n\n"
        "3\n00:01:02.000 --> 00:01:03.000\nHost: A lake?\nAda: Yes.\n"
    ),
}
TURNS = [
    {"from": "Host", "text": "How did it begin?"},
    {"from": "Ada", "text": "With a door."},
    {"from": "Ada", "text": "And a lake."},
    {"from": "Host", "text": "A lake?"},
    {"from": "Ada", "text": "Yes."},
]
JSON_FORMS = {
    "array": json.dumps(TURNS),
    "lines": "\n".join(map(json.dumps, TURNS)),
    "segments": json.dumps({"language": "en", "segments": [{"speaker": t["from"], "text": t["text"]} for t in TURNS]}),
}
WANTED = (
    Turn.of("other", ["How did it begin?"]),
    Turn.of("owner", ["With a door.", "And a lake."]),
    Turn.of("other", ["A lake?"]),
    Turn.of("owner", ["Yes."]),
)


def lines_of(tmp_path, text: str) -> list[Line]:
    path = tmp_path / "talk.txt"
    path.write_text(text)
    return read_transcript(path, Account())


@pytest.mark.parametrize("form", [*FORMS.values(), *JSON_FORMS.values()], ids=[*FORMS, *JSON_FORMS])
def test_every_form_is_the_same_conversation(tmp_path, form):
    lines = lines_of(tmp_path, form)
    (row,) = transcript_rows(lines, "Ada", Account())
    assert row.turns == WANTED


def test_a_colon_alone_makes_no_speaker(tmp_path):
    text = "Ada: Look at https://example.com and\nhttps://example.org: both.\n"
    text += "The thing is this: it was late.\n12:30 it began.\n"
    text += "Train 12:30 was late.\n"
    (line, *more) = lines_of(tmp_path, text + "Dr. Bo de Vries: Was it?\n")
    assert {found.speaker for found in (line, *more)} == {"Ada", "Dr. Bo de Vries"}


def test_all_others_are_the_other_side_and_the_owner_may_be_named_in_any_case(tmp_path):
    lines = lines_of(tmp_path, "Host: Hi.\nBo: Me too.\nADA: Hello.\nBo: Bye.\nada: Bye.")
    assert [name for name, _, _ in speakers(lines)] == ["Bo", "ADA", "Host"]
    assert choose(lines, "ada") == "ADA" and choose(lines, " aD ") == "ADA"
    assert choose(lines, "x") is None and choose(lines, "") is None
    (row,) = transcript_rows(lines, "Ada", Account())
    assert row.turns[0] == Turn.of("other", ["Hi.", "Me too."]) and row.turns[3] == Turn.of("owner", ["Bye."])


def test_a_name_that_begins_several_is_nobodys(tmp_path):
    assert choose(lines_of(tmp_path, "Anna: a\nAnnette: b"), "Ann") is None
    assert choose(lines_of(tmp_path, "Ann: a\nAnnette: b"), "Ann") == "Ann"


def test_a_monologue_is_cut_into_turns_between_which_somebody_listens():
    said = " ".join(f"This is sentence number {number} of a long story." for number in range(100))
    account = Account()
    (row,) = transcript_rows([Line("Host", "Tell me."), Line("Ada", said)], "Ada", account)
    own = [turn for turn in row.turns if turn.speaker == "owner"]
    assert len(own) > 3 and " ".join(b.text for turn in own for b in turn.bubbles) == said
    assert all(sum(len(b.text) for b in turn.bubbles) <= TURN for turn in own)
    assert all(len(b.text) <= BUBBLE and b.text.endswith(".") for turn in own for b in turn.bubbles)
    nods = [turn for turn in row.turns[1:] if turn.speaker == "other"]
    assert len(nods) == len(own) - 1
    assert all([(b.text, b.authored) for b in turn.bubbles] == [(LISTENING, False)] for turn in nods)
    assert account.notes["monologues cut into turns"] == 1


def test_long_words_of_others_are_shortened_to_their_end_where_the_question_is():
    account = Account()
    asked = "So what. " * 400 + "And you?"
    (row,) = transcript_rows([Line("Host", asked), Line("Ada", "Me.")], "Ada", account)
    (bubble,) = row.turns[0].bubbles
    assert bubble.text.endswith("And you?") and len(bubble.text) <= 1200 and bubble.text.startswith("So what.")
    assert account.notes["turns of others shortened to their end"] == 1


def test_a_long_talk_becomes_several_rows_that_begin_with_the_other_side():
    talk = [Line("Ada" if number % 2 else "Host", f"line {number}") for number in range(100)]
    rows = list(transcript_rows(talk, "Ada", account := Account()))
    assert [len(row.turns) for row in rows] == [ROW_TURNS] * 5 and account.rows == 5
    assert all(row.turns[0].speaker == "other" and row.turns[-1].speaker == "owner" for row in rows)


def test_stage_directions_are_nobodys_words(tmp_path):
    path = tmp_path / "talk.txt"
    path.write_text("Ada: [laughs] Well (laughter) it sank (in 1999). [inaudible]\nBo: [music]\nАня: (смеётся) да\n")
    lines = read_transcript(path, account := Account())
    assert lines == [Line("Ada", "Well it sank (in 1999)."), Line("Аня", "да")]
    assert account.notes["stage directions left out"] == 5


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "names no speakers"), ("just some prose\nwithout names", "names no speakers"), ("[]", "names no speakers")],
)
def test_what_is_no_transcript_is_said(tmp_path, text, words):
    with pytest.raises(DatasetError, match=words):
        lines_of(tmp_path, text)


def test_files_that_cannot_be_read_are_said(tmp_path):
    with pytest.raises(DatasetError, match="cannot be read"):
        read_transcript(tmp_path / "none.txt", Account())
    (tmp_path / "bytes.txt").write_bytes(b"Ada: \xff")
    with pytest.raises(DatasetError, match="not UTF-8"):
        read_transcript(tmp_path / "bytes.txt", Account())


def test_bad_turns_are_counted_with_their_numbers(tmp_path):
    path = tmp_path / "talk.json"
    odd = [
        7,
        {"from": "Ada"},
        {"from": "Ada", "text": "hi"},
        {"from": "", "text": "x"},
        {"from": "B", "text": "\ud800"},
    ]
    path.write_text(json.dumps(odd))
    account = Account()
    assert read_transcript(path, account) == [Line("Ada", "hi")]
    assert account.left_out == {"no speaker or no text": [1, 2, 4], "text that is not Unicode": [5]}


def test_the_command_lists_who_speaks_until_one_of_them_is_chosen(tmp_path, run_twin, home):
    path = tmp_path / "talk.txt"
    path.write_text(FORMS["times after"])
    for arguments in ([], ["--owner", "Zoe"]):
        ran = run_twin("dataset", "transcript", path, *arguments)
        assert ran.code == 2 and "2 speakers" in ran.out and "Host" in ran.out
        assert "Ada" not in ran.err and "name one of those listed with --owner" in ran.err
    listed = json.loads(run_twin("dataset", "transcript", path, "--json").out)["speakers"]
    assert [who["name"] for who in listed] == ["Ada", "Host"]
    ran = run_twin("dataset", "transcript", path, "--owner", "ada", "--json")
    told = json.loads(ran.out)
    assert (told["rows"], told["turns"], told["owner_turns"]) == (1, 4, 2)
    assert told["set"]["source"] == "talk.txt" and not told["set"]["is_synthetic"]
    assert "transcript" in run_twin("dataset", "sets", "list").out


words = st.sampled_from(["Well", "so", "good.", "Yes!", "Was", "it?", "Mr.", "да.", "好。", "x" * 30, "e.g."])
prose = st.lists(words, min_size=1, max_size=200).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(prose, st.integers(60, 400))
def test_pieces_lose_nothing_and_keep_their_bounds(text, longest):
    shortest = longest // 8
    found = pieces(text, longest, shortest)
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(len(piece) <= longest for piece in found)
    assert len(found) == 1 or all(len(piece) >= shortest for piece in found)
    end = end_of(text, longest)
    assert text.endswith(end) and 0 < len(end) <= longest
