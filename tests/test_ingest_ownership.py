"""Whose the files are: what is said, what one file tells for all, what earlier runs knew, who is in every chat."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ingest.ownership import Claims, decide
from ingest.places import Place
from ingest.source import Evidence, Owner
from twin.errors import IngestError

FULL = Evidence(told=100, strangers=(frozenset({100}),))
ANNA = Evidence(strangers=(frozenset({100, 7}),))
BORIS = Evidence(strangers=(frozenset({100, 8}), frozenset()))
SILENT = Evidence(strangers=(frozenset(),))
LINES = Evidence(is_marked=True)


def named(*names: str) -> Evidence:
    return Evidence(names=frozenset(names))


def decided(*files: Evidence, **claims: Any) -> list[tuple[int, str, str | None]]:
    """Id, where it is known from, and name of each owner."""
    owners = decide([(Place(Path(f"{number}.json")), file) for number, file in enumerate(files)], Claims(**claims))
    for owner in owners:
        if isinstance(owner, IngestError):
            raise owner
    return [(owner.id, owner.known_from, owner.name) for owner in owners if isinstance(owner, Owner)]


def test_what_is_asked_for_wins_over_settings_exports_and_earlier_runs() -> None:
    assert decided(FULL, asked=5, settings=6, earlier=7) == [(5, "--owner-id", None)]
    assert decided(FULL, settings=6, earlier=7) == [(6, "owner.id in the settings", None)]
    assert decided(FULL, earlier=7) == [(100, "the export", None)]


def test_only_the_command_line_makes_an_owner_asked_for() -> None:
    owners = decide([(Place(Path("x")), FULL)] * 2, Claims(asked=5)) + decide([(Place(Path("x")), FULL)], Claims())
    assert [owner.is_asked_for for owner in owners if isinstance(owner, Owner)] == [True, True, False]


def test_one_file_that_tells_its_owner_tells_it_for_the_others() -> None:
    assert decided(ANNA, FULL, SILENT) == [
        (100, "another of the files", None),
        (100, "the export", None),
        (100, "another of the files", None),
    ]


def test_earlier_runs_tell_the_owner_of_a_single_chat() -> None:
    assert decided(ANNA, earlier=100) == [(100, "earlier runs", None)]


def test_the_person_in_every_chat_of_all_files_together_is_the_owner() -> None:
    known_from = "who writes in every dialog beside its partner"
    assert decided(ANNA, BORIS, SILENT) == [(100, known_from, None)] * 3


@pytest.mark.parametrize("files", [(ANNA,), (SILENT,), (ANNA, Evidence(strangers=(frozenset({9}),)))])
def test_nobody_is_guessed_where_several_or_none_fit(files: Sequence[Evidence]) -> None:
    with pytest.raises(IngestError, match=r"does not tell which of its people you are.*--owner-id"):
        decided(*files)


def test_files_that_disagree_are_each_believed_and_tell_nothing_for_the_others() -> None:
    other = Evidence(told=5)
    assert decided(FULL, other) == [(100, "the export", None), (5, "the export", None)]
    with pytest.raises(IngestError, match="--owner-id"):
        decided(FULL, other, ANNA)


def test_a_name_is_taken_as_the_file_writes_it() -> None:
    assert decided(named("Max Müller", "Anna"), me="  ~ max müller") == [(0, "--me", "Max Müller")]


def test_a_file_where_only_the_other_speaks_may_lack_the_owners_name() -> None:
    assert decided(named("Anna"), me="Max") == [(0, "--me", "Max")]
    with pytest.raises(IngestError, match=r"Nobody in .* is called as --me says"):
        decided(named("Anna", "Boris"), me="Max")


def test_the_name_in_every_chat_is_the_owners() -> None:
    known_from = "who writes in every chat"
    assert decided(named("Max", "Anna"), named("max", "Boris")) == [(0, known_from, "Max"), (0, known_from, "max")]


def test_a_name_that_an_earlier_run_knew_is_the_owners() -> None:
    assert decided(named("Max", "Anna"), earlier_names=frozenset({"max", "Maxi"})) == [(0, "earlier runs", "Max")]


def test_otherwise_the_owner_is_asked_and_the_error_names_nobody() -> None:
    asked: list[Sequence[str]] = []

    def choose(_: Place, names: Sequence[str]) -> str:
        asked.append(names)
        return names[1]

    assert decided(named("Max", "Anna"), choose=choose) == [(0, "your choice", "Max")]
    assert asked == [["Anna", "Max"]]
    with pytest.raises(IngestError, match="--me") as caught:
        decided(named("Max", "Anna"))
    assert "Max" not in str(caught.value) and "Anna" not in str(caught.value)


def test_chats_from_elsewhere_belong_to_whom_the_database_belongs_to() -> None:
    assert decided(LINES) == [(0, "the file", None)]
    assert decided(LINES, named("Max", "Anna"), FULL, me="max") == [
        (100, "the file", None),
        (100, "--me", "Max"),
        (100, "the export", None),
    ]
    assert decided(LINES, earlier=7) == [(7, "the file", None)]
