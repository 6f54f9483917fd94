"""Held-out moments of a snapshot: the same that `twin eval` measures on, of the owner's own dialogs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.snapshots import publish
from training.cuts import Cuts
from training.fidelity.gather import contexts_of
from training.snapshot import Account
from twin.errors import DatasetError
from twin.held_out import held_out
from twin.messages import Bubble, Session, Turn

CUTS = Cuts(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
PHOTO = Bubble("[photo]", authored=False)
TALK = Session(
    7,
    (
        Turn.of("other", ["coming?"]),
        Turn("owner", (PHOTO, Bubble("yes"), Bubble("soon"))),
        Turn.of("other", ["bring bread"]),
        Turn("owner", (Bubble("ok"), PHOTO)),
        Turn.of("other", ["what is the code?"]),
        Turn("owner", (Bubble("it is [pin]"),), withheld="secret"),
        Turn.of("other", ["hello?"]),
        Turn("owner", (PHOTO,)),
    ),
)
OPENED = Session(8, (Turn.of("owner", ["hi there"]), Turn.of("other", ["hi"])))
IMPORTED = Session(0, (Turn.of("other", ["2 + 2"]), Turn.of("owner", ["4"])), origin="sums")


def test_the_moments_are_those_that_are_measured_on_and_their_answers_the_same(tmp_path: Path) -> None:
    snapshot = publish(tmp_path, CUTS, {"train": [], "val": [OPENED], "test": [TALK, OPENED, IMPORTED]}, Account())
    found, measured = held_out(snapshot.folder), contexts_of(snapshot, "test")
    assert [moment.conversation for moment in found] == [context.conversation for context in measured]
    assert [moment.answer for moment in found] == [context.true.bubbles for context in measured]
    assert [moment.answer for moment in found] == [("yes", "soon"), ("ok",)]
    assert [moment.is_pure for moment in found] == [True, False]
    assert found[0].conversation.turns[-1] == Turn("owner", (PHOTO,))


def test_a_moments_name_stays_the_same_tells_no_words_and_is_its_own(tmp_path: Path) -> None:
    snapshot = publish(tmp_path, CUTS, {"train": [], "val": [], "test": [TALK, TALK]}, Account())
    names = [moment.id for moment in held_out(snapshot.folder)]
    assert names == [moment.id for moment in held_out(snapshot.folder)] and len(set(names)) == 4
    assert all(len(name) == 16 and int(name, 16) >= 0 for name in names)


def test_a_snapshot_that_is_gone_or_damaged_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="There is no dataset"):
        held_out(tmp_path / "none")
    (tmp_path / "broken").mkdir()
    for damage in ("{", "[]", '{"chat_id": 1, "turns": [{}]}', "\x00"):
        (tmp_path / "broken" / "test.jsonl").write_text(damage)
        with pytest.raises(DatasetError, match="damaged"):
            held_out(tmp_path / "broken")
