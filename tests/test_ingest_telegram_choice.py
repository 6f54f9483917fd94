"""Which dialogs come in, and what is said of those that do not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.telegram_account import RemoteDialog
from ingest.telegram_choice import Wishes, choose
from twin.errors import AccountError


def dialog(chat_id: int, name: str | None, username: str | None = None, reason: str | None = None) -> RemoteDialog:
    return RemoteDialog(chat_id, name, username, chat_id, reason, None)


ANNA, ANNE = dialog(1, "Anna Bell", "anna"), dialog(2, "Anne")
TWIN_A, TWIN_B = dialog(3, "Kim"), dialog(4, "kim ")
GONE = dialog(5, None)
NEWS, SAVED = dialog(6, "News", reason="in a channel"), dialog(7, "Olga", reason="saved messages")
ALL = (ANNA, ANNE, TWIN_A, TWIN_B, GONE, NEWS, SAVED)


def ids(wishes: Wishes, excluded: frozenset[int] = frozenset()) -> list[int]:
    return [one.chat_id for one in choose(ALL, wishes, excluded).dialogs]


def test_everybody_comes_in_deleted_accounts_too_and_the_others_are_counted() -> None:
    choice = choose(ALL, Wishes())
    assert [one.chat_id for one in choice.dialogs] == [1, 2, 3, 4, 5]
    assert choice.left_out == {"in a channel": 1, "saved messages": 1}


@pytest.mark.parametrize(
    ("wish", "found"),
    [
        ("anna bell", [1]),
        ("@Anna", [1]),
        ("anna", [1]),
        ("Anna B", [1]),
        ("2", [2]),
        ("KIM", [3, 4]),
        ("5", [5]),
    ],
)
def test_a_dialog_is_meant_by_name_beginning_username_or_id(wish: str, found: list[int]) -> None:
    assert ids(Wishes(only=(wish,))) == found
    assert ids(Wishes(always_only=frozenset([wish]))) == found
    assert ids(Wishes(exclude=(wish,))) == [number for number in (1, 2, 3, 4, 5) if number not in found]
    assert ids(Wishes(always_exclude=frozenset([wish]))) == [n for n in (1, 2, 3, 4, 5) if n not in found]


@pytest.mark.parametrize("wish", ["Nobody", "", "News", "@", "7"])
def test_a_wish_of_this_run_that_fits_nobody_is_refused_and_one_of_the_settings_is_not(wish: str) -> None:
    for wishes in (Wishes(only=(wish,)), Wishes(exclude=(wish,))):
        with pytest.raises(AccountError, match="fits no private dialog"):
            choose(ALL, wishes)
    assert ids(Wishes(always_exclude=frozenset([wish]))) == [1, 2, 3, 4, 5]
    assert ids(Wishes(always_only=frozenset([wish]))) == []


def test_a_beginning_that_fits_several_is_refused_with_their_ids() -> None:
    with pytest.raises(AccountError, match=r"2 dialogs begin .*give an id: 1, 2"):
        choose(ALL, Wishes(exclude=("Ann",)))


def test_what_this_run_asks_for_goes_before_the_settings_but_never_over_what_is_put_away() -> None:
    wishes = Wishes(only=("Anne",), always_only=frozenset(["1"]), always_exclude=frozenset(["3"]))
    assert ids(wishes) == [2]
    assert ids(wishes, frozenset([2])) == []
    choice = choose(ALL, Wishes(exclude=("1",), only=("1", "2")), frozenset([3]))
    assert choice.left_out["excluded"] == 1
    assert choice.left_out["not among those asked for"] == 2
    assert choice.left_out["put away with `twin dialogs exclude`"] == 1


WISHES = st.builds(
    Wishes,
    always_only=st.frozensets(st.sampled_from(["1", "2", "kim", "x"]), max_size=2),
    always_exclude=st.frozensets(st.sampled_from(["1", "2", "kim", "x"]), max_size=2),
    saved_messages=st.booleans(),
)


@given(WISHES, st.frozensets(st.integers(1, 7)))
def test_every_dialog_comes_in_or_is_counted(wishes: Wishes, excluded: frozenset[int]) -> None:
    choice: Any = choose(ALL, wishes, excluded)
    assert len(choice.dialogs) + choice.left_out.total() == len(ALL)
    assert not excluded & {one.chat_id for one in choice.dialogs}
