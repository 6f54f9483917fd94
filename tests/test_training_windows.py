"""Token ids are worked out once: the same windows as ever, without asking the tokenizer again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

import pytest

from tests.chats import fill
from training.cuts import SPLITS
from training.dataset import build
from training.encode import windows
from training.windows import read_windows, windows_of, write_windows
from twin.messages import Message
from twin.prompt import PromptSpec


class Letters:
    """A letter is a token; counts what it is asked."""

    bos = (1,)
    asked = 0

    def encode(self, texts: Sequence[str], *, special: bool) -> list[list[int]]:
        self.asked += len(texts)
        return [[2 + ord(letter) + special for letter in text] for text in texts]


@pytest.fixture
def snapshot(store, home):
    fill(store, days=40)
    store.write_messages([Message(7, 9000 + n, store.messages(7)[n].sent_at, 1, True, f"oh {n}") for n in range(200)])
    return build(store, home)


@pytest.mark.parametrize("spec", [PromptSpec(context_tokens=200), PromptSpec(system="Be me.", time_of_day=True)])
def test_the_windows_are_those_that_encoding_gives(snapshot, store, spec):
    for _ in range(2):
        found = windows_of(snapshot, SPLITS, spec, Letters(), store.db)
        for split in SPLITS:
            assert found[split] == windows(snapshot.sessions(split), spec, Letters())


def test_nothing_is_tokenized_twice(snapshot, store):
    tokenizer = Letters()
    spec = PromptSpec(context_tokens=200, tokenizer="a")
    windows_of(snapshot, ["train", "val"], spec, tokenizer, store.db)
    asked, tokenizer.asked = tokenizer.asked, 0
    windows_of(snapshot, ["train", "val"], spec, tokenizer, store.db)
    assert asked and not tokenizer.asked
    windows_of(snapshot, ["train", "val"], replace(spec, tokenizer="b"), tokenizer, store.db)
    assert tokenizer.asked == asked, "another tokenizer gives other tokens"
    rows = store.db.execute("select count(*) from derived_tokens").fetchone()[0]
    windows_of(snapshot, ["val"], replace(spec, tokenizer="b"), tokenizer, store.db)
    assert tokenizer.asked == asked
    assert 0 < store.db.execute("select count(*) from derived_tokens").fetchone()[0] < rows, "what is unused goes"


def test_windows_read_back_as_they_were_written(snapshot):
    found = windows(snapshot.sessions("train"), PromptSpec(context_tokens=150), Letters())
    numbers: list[int] = []
    assert list(read_windows(write_windows(found), numbers)) == found
    assert list(read_windows(write_windows([]), numbers)) == []
    same = [list(group) for _, group in groupby(sorted(id(n) for w in found for n in w.ids))]
    assert same and numbers == list(range(len(numbers)))
