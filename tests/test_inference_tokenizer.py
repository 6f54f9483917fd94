"""The base model's tokenizer: nobody's words are special tokens, and ChatML's marks can be tokens of their own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.tokenizer import BaseTokenizer
from tests.tiny import make_base, make_tokenizer
from training.encode import windows
from twin.messages import Peer, Session, Turn
from twin.prompt import PromptSpec, read_reply, reply_is_complete
from twin.templates import CHATML_MARKS

START, END = CHATML_MARKS
WORDS = st.lists(st.sampled_from([*CHATML_MARKS, "<|im_", "start|>", "<|", "|>", "\n", " ", "hi", "user"]), max_size=8)
SPOKEN = WORDS.map("".join) | st.text(max_size=30)


@pytest.fixture(scope="module")
def with_marks(tmp_path_factory: pytest.TempPathFactory) -> BaseTokenizer:
    """A tokenizer that ChatML's marks were added to."""
    folder = tmp_path_factory.mktemp("marks")
    make_tokenizer(folder)
    return BaseTokenizer(folder, CHATML_MARKS)


def test_special_tokens_in_messages_are_only_text(tiny_base: Callable[[str], Path]) -> None:
    tokenizer = BaseTokenizer(tiny_base("gemma3"))
    (as_frame,) = tokenizer.encode(["<eos>hi"], special=True)
    (as_words,) = tokenizer.encode(["<eos>hi"], special=False)
    assert tokenizer.eos in as_frame and tokenizer.eos not in as_words
    assert tokenizer.decode(as_words) == "<eos>hi"
    assert tokenizer.decode([*as_words, tokenizer.eos]) == "<eos>hi"


def test_a_templates_own_marks_stay_visible_so_that_replies_end_there(tmp_path: Path) -> None:
    folder = make_base(tmp_path / "chatml")
    file = folder / "tokenizer.json"
    saved = json.loads(file.read_text())
    new_id = max(token["id"] for token in saved["added_tokens"]) + 10_000
    mark = saved["added_tokens"][0] | {"id": new_id, "content": "<|im_end|>", "special": True}
    saved["added_tokens"].append(mark)
    file.write_text(json.dumps(saved))
    tokenizer = BaseTokenizer(folder)
    spec = PromptSpec(template="chatml")
    (ids,) = tokenizer.encode(["haha yes<|im_end|>\n<|im_start|>user\nok"], special=True)
    assert reply_is_complete(spec, tokenizer.decode(ids))
    assert read_reply(spec, tokenizer.decode(ids)) == ("haha yes",)


def test_marks_are_added_behind_all_tokens_the_same_way_each_time(tmp_path: Path) -> None:
    size = make_tokenizer(tmp_path)
    bare, first, again = (BaseTokenizer(tmp_path, marks) for marks in ((), CHATML_MARKS, CHATML_MARKS))
    assert bare.marks == () and first.marks == again.marks == (size, size + 1)
    assert first.fingerprint == again.fingerprint != bare.fingerprint
    assert first.pieces == tuple(zip(first.marks, map(tuple, bare.encode(CHATML_MARKS, special=True)), strict=True))
    assert first.encode([f"{START}user"], special=True)[0][0] == size
    first.save(tmp_path / "saved")
    assert BaseTokenizer(tmp_path / "saved").fingerprint == first.fingerprint


def test_a_tokenizer_that_has_the_marks_uses_them_and_adds_nothing(tmp_path: Path, with_marks: BaseTokenizer) -> None:
    with_marks.save(tmp_path)
    theirs, asked = BaseTokenizer(tmp_path), BaseTokenizer(tmp_path, CHATML_MARKS)
    assert asked.marks == with_marks.marks and asked.pieces == ()
    assert asked.fingerprint == theirs.fingerprint
    assert theirs.encode([START], special=True) == [[with_marks.marks[0]]]


def test_marks_that_are_ordinary_tokens_become_special_ones(tmp_path: Path) -> None:
    size = make_tokenizer(tmp_path)
    file = tmp_path / "tokenizer.json"
    saved = json.loads(file.read_text())
    for number, mark in enumerate(CHATML_MARKS):
        as_word = {"id": size + number, "content": mark, "special": False}
        saved["added_tokens"].append(saved["added_tokens"][0] | as_word)
    file.write_text(json.dumps(saved))
    assert size in BaseTokenizer(tmp_path).encode([f"{START}hi{END}"], special=False)[0]
    tokenizer = BaseTokenizer(tmp_path, CHATML_MARKS)
    assert tokenizer.marks == (size, size + 1) and tokenizer.pieces == ()
    assert not set(tokenizer.marks) & set(tokenizer.encode([f"{START}hi{END}"], special=False)[0])


@given(said=SPOKEN)
def test_words_never_yield_a_mark_however_they_are_spelled(with_marks: BaseTokenizer, said: str) -> None:
    (ids,) = with_marks.encode([said], special=False)
    assert not set(ids) & set(with_marks.marks)


@given(said=st.lists(SPOKEN, min_size=1, max_size=4), name=SPOKEN)
def test_a_conversation_has_the_marks_of_its_frame_and_no_more_whatever_is_said(
    with_marks: BaseTokenizer, said: list[str], name: str
) -> None:
    spec = PromptSpec(template="chatml", context_tokens=4096, peer="name").bound_to(with_marks)
    turns = [turn for text in said for turn in (Turn.of("other", [text]), Turn.of("owner", [text, "ok"]))]
    (window,) = windows([Session(7, tuple(turns), peer=Peer(name=name))], spec, with_marks)
    opened, ended = (window.ids.count(mark) for mark in with_marks.marks)
    assert opened == ended and opened - len(turns) in (0, 1)
