"""A home without dialogs: imported sets are learned from, and their last rows are held out."""

from __future__ import annotations

import pytest

from tests.chats import START
from training.dataset import build
from training.recipes.sets import SetRow, Sets
from training.sets_alone import CUTS, hold_out
from twin.errors import DatasetError
from twin.messages import Session, Turn
from twin.sections import DatasetSettings


def _rows(count: int, origin: str = "sums") -> list[Session]:
    return [
        Session(0, (Turn.of("other", [f"{n} and one?"]), Turn.of("owner", [f"that is {n + 1}"])), origin=origin)
        for n in range(count)
    ]


def test_the_last_rows_of_every_set_are_held_out_and_stand_in_training_no_more():
    found = [*_rows(50), *_rows(30, "others")]
    parts = hold_out(found, DatasetSettings())
    assert parts["test"] == [*found[45:50], *found[77:80]]
    assert parts["val"] == [*found[41:45], *found[75:77]]
    assert parts["train"] == [*found[:41], *found[50:75]]


def test_rows_repeated_by_weight_are_held_out_once_and_all_their_copies_leave_training():
    rows = _rows(20)
    parts = hold_out([*rows, *rows], DatasetSettings())
    assert parts["test"] == rows[18:] and parts["val"] == rows[17:18]
    assert parts["train"] == [*rows[:17], *rows[:17]]


def test_two_rows_are_too_few_to_learn_from_and_to_hold_out():
    with pytest.raises(DatasetError, match="too few"):
        hold_out(_rows(2), DatasetSettings())


def test_a_home_with_only_imported_rows_builds_a_training_set(home, store):
    rows = (SetRow(session.turns) for session in _rows(40))
    Sets(store.db).put("sums", rows, kind="qa", now=START)
    snapshot = build(store, home)
    counts = {split: counts.supervised_turns for split, counts in snapshot.counts.items()}
    assert counts == {"train": 33, "val": 3, "test": 4}
    assert snapshot.cuts == CUTS
    assert snapshot.fingerprint == build(store, home).fingerprint
