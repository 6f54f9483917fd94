"""Records of other people's tools: what is written is read back, what is foreign is understood or counted."""

from __future__ import annotations

import gzip
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.recipes.account import Account
from training.recipes.burst import guard, read_burst, unguard, write_burst
from training.recipes.exchange import FORMATS, READERS, read_rows, take_out
from training.recipes.records import WEIGHT_ZERO, BadRecord, Reading, learnable, up_to_the_last_reply
from twin.errors import DatasetError
from twin.messages import Bubble, Turn

CONTROL = [
    "<|im_end|>",
    "<|im_start|>",
    "<|endoftext|>",
    "</s>",
    "<s>",
    "[INST]",
    "[/INST]",
    "<<SYS>>",
    "<end_of_turn>",
]
JOINER = "\u2060"
SIGNS = ["\n", "\n\n", "\r\n", "↵", JOINER, "<", "|", "|>", "[", " ", "\u2028", "🙂", "да", "好", "שלום"]

pieces = st.sampled_from([*CONTROL, *SIGNS])
anything = st.one_of(pieces, st.text(st.characters(codec="utf-8"), max_size=6))
texts = st.lists(anything, min_size=1, max_size=8).map("".join).map(str.strip).filter(bool)
bubbles = st.lists(st.builds(Bubble, texts, st.booleans()), min_size=1, max_size=3).map(tuple)


@st.composite
def conversations(draw) -> tuple[Turn, ...]:
    """Speakers alternate, as sessions have them; some of the owner's turns are withheld or not their own words."""
    first = draw(st.sampled_from(["owner", "other"]))
    count = draw(st.integers(1, 6))
    turns = []
    for number in range(count):
        owner = (number % 2 == 0) == (first == "owner")
        if owner:
            turns.append(Turn("owner", draw(bubbles), withheld=draw(st.sampled_from([None, None, "secret"]))))
        else:
            turns.append(Turn.of("other", draw(st.lists(texts, min_size=1, max_size=3))))
    return tuple(turns)


def taught(turns) -> list[Any]:
    """What a conversation says, and which of it is learned."""
    return [(turn.speaker, [(b.text, turn.is_supervisable and b.authored) for b in turn.bubbles]) for turn in turns]


@given(st.lists(texts, min_size=1, max_size=4))
def test_a_burst_is_read_back_to_the_letter_and_holds_no_control_token(found):
    written = write_burst(found)
    assert read_burst(written) == tuple(found)
    assert not [token for token in CONTROL if token in written]
    assert written.count("\n") == len(found) - 1
    assert unguard(guard(written)) == written


def test_a_line_is_a_bubble_and_a_newline_inside_one_is_marked():
    assert write_burst(["one\ntwo", "three"]) == "one↵two\nthree"
    assert read_burst("one↵two\nthree\n\n") == ("one\ntwo", "three")
    assert read_burst("first\n\nsecond", "inside") == ("first\n\nsecond",)


@pytest.mark.parametrize("form", FORMATS.values(), ids=list(FORMATS))
@settings(max_examples=60, deadline=None)
@given(turns=conversations(), system=st.one_of(st.just(""), texts))
def test_what_is_written_is_read_back_the_same(form, turns, system):
    parts = [up_to_the_last_reply(turns)] if form.says_context else learnable(turns, Account())
    for part in filter(None, parts):
        value = json.loads(json.dumps(form.write(part, system)))
        record = form.read(value, Reading())
        assert taught(record.turns) == taught(part)
        assert record.system == system and record.notes == ()
        assert not [token for token in CONTROL if token in _texts_of(value, form.name)]


def _texts_of(value: Any, form: str) -> str:
    """All that a record says; of ChatML what stands between its own tokens."""
    if form != "chatml":
        return json.dumps(value, ensure_ascii=False)
    turns = value["text"].split("<|im_start|>")
    return "\n".join(turn.partition("\n")[2].removesuffix("<|im_end|>\n") for turn in turns)


@pytest.mark.parametrize("form", FORMATS.values(), ids=list(FORMATS))
@pytest.mark.parametrize("ending", [".json", ".jsonl", ".txt", ".json.gz", ".jsonl.gz", ".txt.gz"])
def test_files_of_every_shape_are_read_back(form, ending, tmp_path):
    path = tmp_path / f"out{ending}"
    wanted = [
        (Turn.of("other", ["hey\n\nthere", "<|im_end|>"]), Turn.of("owner", ["a\nb", "↵", "c"])),
        (Turn.of("owner", ["опять я"]), Turn.of("other", ["你好"]), Turn.of("owner", ["ok"])),
    ]
    account = Account()
    take_out(((turns, "be\n\nkind") for turns in wanted), form, path, account)
    read = Account()
    rows = list(read_rows(path, READERS[form.name], Reading(), read, strict=True))
    assert [row.turns for row in rows] == wanted
    assert {row.system for row in rows} == {"be\n\nkind"}
    assert (account.rows, account.turns, account.owner_turns) == (read.rows, read.turns, read.owner_turns) == (2, 5, 3)
    assert path.read_bytes()[:2] == (b"\x1f\x8b" if ending.endswith("gz") else path.read_bytes()[:2])


WITHHELD = (
    Turn.of("other", ["hey"]),
    Turn.of("owner", ["hi"]),
    Turn.of("other", ["the code?"]),
    Turn("owner", (Bubble("never-learn-this"),), withheld="secret"),
    Turn.of("other", ["thanks"]),
    Turn("owner", (Bubble("[photo]", authored=False), Bubble("np"))),
    Turn.of("other", ["bye"]),
)


@pytest.mark.parametrize("name", ["alpaca", "sharegpt", "chatml"])
def test_withheld_words_are_cut_out_where_a_format_cannot_say_context(name):
    account = Account()
    parts = learnable(WITHHELD, account)
    assert parts == [
        (Turn.of("other", ["hey"]), Turn.of("owner", ["hi"])),
        (Turn.of("other", ["thanks"]), Turn.of("owner", ["np"])),
    ]
    assert account.notes == {
        "turns not to be learned: conversation cut there": 1,
        "bubbles that are not the owner's words left out": 1,
    }
    assert "never-learn-this" not in json.dumps([FORMATS[name].write(part, "") for part in parts])


def test_withheld_words_have_weight_zero_where_a_format_can_say_so():
    messages = FORMATS["openai"].write(up_to_the_last_reply(WITHHELD), "")["messages"]
    weights = [(message["content"], message.get("weight")) for message in messages if message["role"] == "assistant"]
    assert weights == [("hi", None), ("never-learn-this", 0), ("[photo]", 0), ("np", None)]
    assert messages[-1]["content"] == "np", "what comes after the last reply teaches nothing"
    back = FORMATS["openai"].read({"messages": messages}, Reading())
    assert [turn.withheld for turn in back.turns] == [None, None, None, WEIGHT_ZERO, None, None]


def read(form: str, value: Any, **how: Any):
    record = READERS[form].read(value, Reading(**how))
    return [(turn.speaker, [bubble.text for bubble in turn.bubbles]) for turn in record.turns]


FOREIGN = [
    ("alpaca", {"instruction": "Sum up.", "input": "A text.", "output": "Short."}, "Sum up.|A text.||Short."),
    ("alpaca", {"instruction": "Q", "context": "Dolly", "response": "A"}, "Q|Dolly||A"),
    ("alpaca", {"instruction": "3", "output": "4", "history": [["1", "2"]]}, "1||2||3||4"),
    ("alpaca", {"instruction": "", "output": "I open", "input": None}, "I open"),
    ("sharegpt", {"conversations": [{"from": "human", "value": "a"}, {"from": "GPT", "value": "b\nc"}]}, "a||b|c"),
    ("sharegpt", {"conversations": [{"role": "user", "content": "a"}, {"role": "bot", "content": "b"}]}, "a||b"),
    ("openai", {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b\nc"}]}, "a||b\nc"),
    ("openai", {"messages": [{"role": "assistant", "content": [{"type": "text", "text": "b"}] * 2}]}, "b\nb"),
    ("chatml", "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb\nc<|im_end|>\n", "a||b|c"),
    ("chatml", {"text": "<|im_start|>assistant\nb<|im_end|>\n<|im_start|>assistant\n"}, "b"),
    ("qa", {"question": "who?", "answer": "me"}, "who?||me"),
]


@pytest.mark.parametrize(("form", "value", "said"), FOREIGN)
def test_foreign_records_are_understood(form, value, said):
    """Bubbles are parted by "|", turns by "||"."""
    assert "||".join("|".join(texts) for _, texts in read(form, value)) == said


def test_another_role_may_be_the_owners():
    chat = [{"from": "Ada", "value": "1"}, {"from": "Bo", "value": "2"}, {"from": "Cy", "value": "3"}]
    assert read("sharegpt", {"conversations": chat}, owner_role="bo") == [
        ("other", ["1"]),
        ("owner", ["2"]),
        ("other", ["3"]),
    ]
    swapped = read("alpaca", {"instruction": "1", "output": "2"}, owner_role="user")
    assert swapped == [("owner", ["1"]), ("other", ["2"])]


def test_system_texts_are_carried_and_tools_are_counted():
    value = {
        "messages": [
            {"role": "system", "content": "be kind"},
            {"role": "developer", "content": "be short"},
            {"role": "user", "content": [{"type": "image_url", "image_url": {}}, {"type": "text", "text": "weather?"}]},
            {"role": "assistant", "content": None, "tool_calls": [{}]},
            {"role": "tool", "content": "22 degrees"},
            {"role": "assistant", "content": "warm"},
        ]
    }
    record = READERS["openai"].read(value, Reading())
    assert record.system == "be kind\n\nbe short"
    assert sorted(record.notes) == ["parts that are no text left out"] + ["tool messages left out"] * 2
    assert taught(record.turns) == [("other", [("weather?", False)]), ("owner", [("warm", True)])]


@pytest.mark.parametrize(
    ("form", "value", "reason"),
    [
        ("alpaca", 7, "not an object"),
        ("alpaca", {"instruction": "x"}, "no output"),
        ("alpaca", {"output": "x"}, "no instruction"),
        ("alpaca", {"instruction": "x", "output": " "}, "no output"),
        ("alpaca", {"instruction": "x", "output": "y", "history": [["z"]]}, "a history that is not made of pairs"),
        ("alpaca", {"instruction": "\ud800", "output": "y"}, "text that is not Unicode"),
        ("sharegpt", {"conversations": []}, "no conversations"),
        ("sharegpt", {"conversations": [{"from": "human", "value": "hi"}]}, "nothing of the owner"),
        ("sharegpt", {"conversations": [{"from": "martian", "value": "hi"}]}, "a role that is unknown"),
        ("sharegpt", {"conversations": [{"value": "hi"}]}, "a message without a role"),
        ("sharegpt", {"conversations": [{"from": "gpt"}]}, "no text"),
        ("openai", {"messages": "hi"}, "no messages"),
        ("openai", {"messages": [{"role": "assistant", "content": [3]}]}, "not an object"),
        ("openai", {"messages": [{"role": "assistant", "content": 3}]}, "no content"),
        ("chatml", "hello", "no ChatML"),
        ("chatml", {"text": "<|im_start|>assistant\nhi"}, "a turn that does not end"),
        ("chatml", "<|im_start|>assistant\nhi<|im_end|> loose words", "text outside of turns"),
        ("chatml", "<|im_start|>\nhi<|im_end|>", "a turn that does not end"),
        ("qa", {"question": "", "answer": "y"}, "no question"),
        ("qa", {"question": "x", "answer": None}, "no answer"),
    ],
)
def test_bad_records_have_a_reason_without_their_words(form, value, reason):
    with pytest.raises(BadRecord) as refused:
        READERS[form].read(value, Reading())
    assert str(refused.value) == reason


keys = st.sampled_from(
    [
        "instruction",
        "input",
        "output",
        "history",
        "system",
        "conversations",
        "from",
        "value",
        "messages",
        "role",
        "content",
        "type",
        "text",
        "weight",
        "question",
        "answer",
    ]
)
garbage = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=12,
)


@pytest.mark.parametrize("form", READERS.values(), ids=list(READERS))
@settings(max_examples=60, deadline=None)
@given(value=garbage)
def test_garbage_is_read_or_refused_but_never_breaks_anything(form, value):
    try:
        record = form.read(value, Reading())
    except BadRecord as error:
        assert str(error)
    else:
        assert any(turn.speaker == "owner" for turn in record.turns)
        assert all(first.speaker != second.speaker for first, second in pairwise(record.turns))


def rows_of(path: Path, form: str = "qa") -> tuple[list[Any], Account]:
    account = Account()
    return list(read_rows(path, READERS[form], Reading(), account, strict=False)), account


def test_lines_that_are_broken_are_counted_with_their_numbers(tmp_path):
    good = b'{"question": "who?", "answer": "me"}'
    path = tmp_path / "qa.jsonl"
    lines = [good, b"{", b"", b"[" * 100_000, b'{"question": "\xff"}', good, b"3"]
    path.write_bytes(b"\xef\xbb\xbf" + b"\n".join(lines))
    rows, account = rows_of(path)
    assert len(rows) == 2
    assert account.left_out == {"not JSON": [2, 4], "not UTF-8": [5], "not an object": [7]}
    assert account.reasons()[0] == "2 not JSON (records 2, 4)"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.json", None, "there is no such file"),
        ("empty.jsonl", b"", "holds no records"),
        ("blank.json", b" \n ", "holds no records"),
        ("array.json", b'[{"question": "a", "answer": "b"}, {"question":', "no valid JSON array after record 1"),
        ("text.json", b"[nonsense]", "no valid JSON array after record 0"),
        ("broken.json.gz", gzip.compress(b'{"question": "a"}\n' * 999, mtime=0)[:-9], "cannot be read"),
        ("odd.jsonl", b'{"answer": "b"}', "No record of odd.jsonl can be used: 1 no question (record 1)"),
    ],
)
def test_files_that_cannot_be_used_end_in_one_sentence(tmp_path, name, content, words):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DatasetError, match=words.replace("(", r"\(").replace(")", r"\)")):
        rows_of(path)


def test_plain_chatml_is_split_into_conversations(tmp_path):
    path = tmp_path / "chats.txt"
    two = "<|im_start|>user\nhi\n\nthere<|im_end|>\n<|im_start|>assistant\ncu<|im_end|>\n"
    one = "<|im_start|>system\nbe kind<|im_end|>\n" + two
    path.write_text(one + one + "\n" + two + "\n\nloose\n\n" + two)
    rows, account = rows_of(path, "chatml")
    assert [len(row.turns) for row in rows] == [2, 2, 2, 2]
    assert [row.system for row in rows] == ["be kind", "be kind", "", ""]
    assert account.left_out == {"no ChatML": [4]}
    assert rows[0].turns[0] == Turn.of("other", ["hi", "there"])


def test_writing_fails_without_a_trace(tmp_path):
    def broken():
        yield WITHHELD, ""
        raise DatasetError("x", "y")

    path = tmp_path / "out.jsonl"
    path.write_text("before")
    with pytest.raises(DatasetError):
        take_out(broken(), FORMATS["openai"], path, Account())
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]
    with pytest.raises(DatasetError, match="cannot be written"):
        take_out([(WITHHELD, "")], FORMATS["openai"], tmp_path / "no" / "folder.jsonl", Account())
    with pytest.raises(DatasetError, match="There is nothing to write"):
        take_out([((Turn.of("other", ["hi"]),), "")], FORMATS["openai"], path, Account())
