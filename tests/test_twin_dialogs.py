"""`twin dialogs`: by any of their names dialogs are found, left out, taken in again and tagged."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.conftest import Ran
from twin.dialogs import Dialogs
from twin.errors import StoreError
from twin.store import Store


def test_dialogs_are_included_excluded_and_tagged_by_any_of_their_names(
    store: Store, run_twin: Callable[..., Ran]
) -> None:
    store.add_dialog(201, "Anna Petrova", "anna_p")
    store.add_dialog(202, "anna")
    store.add_dialog(203, "Ａnna Schmidt\x1b[2J")
    store.add_dialog(-7, None)
    table = Dialogs(store.db)
    assert [table.identify(who) for who in ("ANNA", "@Anna_P", "anna_p", "Anna Sch", "-7", "203")] == [
        202, 201, 201, 203, -7, 203,
    ]  # fmt: skip
    for who, sentence in (("Ann", "3 dialogs are called so: give one of their ids: 201, 202, 203"), ("", "no such")):
        with pytest.raises(StoreError, match=sentence):
            table.identify(who)
    assert "left out from now on" in run_twin("dialogs", "exclude", "Anna P").out
    assert table.excluded() == {201}
    assert "excluded" in run_twin("dialogs", "list").out
    assert "counts from now on" in run_twin("dialogs", "include", "201").out
    assert table.excluded() == frozenset()
    assert "is tagged best friend" in run_twin("dialogs", "tag", "anna", "best  friend").out
    assert table.find("anna").relation == "best friend"
    assert "has no tag" in run_twin("dialogs", "tag", "anna", "--none").out
    assert table.find("202").relation is None
    assert "3 dialogs are called so" in run_twin("dialogs", "exclude", "ann").err
    assert "That is no relation" in run_twin("dialogs", "tag", "anna", "x" * 41).err
    assert "Give a relation" in run_twin("dialogs", "tag", "anna").err
    assert "\x1b" not in run_twin("dialogs", "list").out
    rows = json.loads(run_twin("dialogs", "list", "--json").out)
    assert [row["chat_id"] for row in rows] == [-7, 201, 202, 203]
