"""What must hold of every training set, whatever was written: nothing lost uncounted, nothing leaked, nothing later."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import groupby

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from training.cuts import SPLITS
from training.dataset import build
from training.snapshot import Snapshot
from twin.conversations import fate, split_by_silence
from twin.errors import DatasetError
from twin.messages import Message
from twin.privacy.spans import PLACEHOLDERS
from twin.sections import DatasetSettings, Privacy
from twin.settings import Settings
from twin.store import Store
from twin.words import words_of

START = datetime(2024, 1, 1, tzinfo=UTC)
LONG = "honestly the best thing about that summer was the little house by the lake"
SECRETS = (
    "4242 4242 4242 4242",
    "kim.lee42@example.org",
    "+44 7700 900123",
    "the password is Tr0ub4dor&3",
    "write to kim.lee42@example.org about it",
)
VALUES = ("4242 4242", "kim.lee42", "900123", "Tr0ub4dor")
TEXTS = ("ok", "haha yes", *SECRETS, "we met zanzibar again", "")

said = st.tuples(
    st.integers(0, 1),  # which dialog
    st.booleans(),  # whether the owner said it
    st.sampled_from((0, 1, 5, 70)),  # minutes after the one before
    st.sampled_from((None, None, None, LONG, LONG, *TEXTS)),  # None: something never said before
    st.sampled_from(("plain",) * 8 + ("forward", "media", "deleted", "reply")),
)


def histories(spoken) -> dict[int, list[Message]]:
    """Messages by dialog; what is said by nobody else names its place."""
    clock, found = START, {7: [], 8: []}
    for number, (dialog, is_owner, minutes, text, how) in enumerate(spoken, 1):
        clock += timedelta(minutes=minutes, seconds=1)
        chat = 7 + dialog
        unique = f"number w{number}w tells a story of its own that nobody else tells at all"
        found[chat].append(
            Message(
                chat,
                number,
                clock,
                1 if is_owner else chat,
                is_owner,
                unique if text is None else text,
                reply_to=number - 4 if how == "reply" else None,
                forwarded_from="Some Channel" if how == "forward" else None,
                media="photo" if how == "media" else None,
                deleted_at=clock if how == "deleted" else None,
            )
        )
    return found


def owner_turns(messages: list[Message], snapshot: Snapshot) -> Counter[str]:
    """The owner's turns as they were said, by part."""
    turns: Counter[str] = Counter()
    for run in split_by_silence([m for m in messages if m.deleted_at is None]):
        for part, its in groupby(run, key=lambda m: snapshot.cuts.split_of(m.sent_at)):
            shown = [m for m in its if fate(m) == "shown"]
            turns[part] += sum(is_owner for is_owner, _ in groupby(shown, key=lambda m: m.is_owner))
    return +turns


def assert_all_accounted(snapshot: Snapshot, counted: dict[int, list[Message]], stored: int) -> None:
    account = snapshot.account
    assert sum(account.messages.values()) == stored
    expected = sum((owner_turns(messages, snapshot) for messages in counted.values()), Counter())
    assert Counter({part: sum(its.values()) for part, its in account.turns.items() if its}) == expected
    for split in SPLITS:
        taught = [t for s in snapshot.sessions(split) for t in s.turns if t.is_supervisable]
        assert len(taught) == account.turns[split].get("supervised", 0) == snapshot.counts[split].supervised_turns
        words = " ".join(bubble.text for turn in taught for bubble in turn.bubbles if bubble.authored)
        assert not any(placeholder in words for placeholder in PLACEHOLDERS.values())
    bubbles = Counter(b.text for s in SPLITS for x in snapshot.sessions(s) for t in x.turns for b in t.bubbles)
    assert all(count == 1 for text, count in bubbles.items() if text.startswith("number w"))
    assert sum(not text.startswith("[in reply to]") for text in bubbles.elements()) == account.messages.get("shown", 0)


def assert_nothing_leaks(snapshot: Snapshot, settings: Settings, held_out: list[Message]) -> None:
    for path in settings.home.rglob("*"):
        if path.is_file() and not path.name.startswith("twin.db"):
            assert not any(value.encode() in path.read_bytes() for value in VALUES), path.name
    for turn in (turn for session in snapshot.sessions("train") for turn in session.turns):
        row = f" {' '.join(words_of(' '.join(bubble.text for bubble in turn.bubbles)))} "
        for message in held_out:
            words = words_of(message.text)
            if len(words) >= 5 and len(" ".join(words)) >= 25:
                assert f" {' '.join(words)} " not in row
    times = [t.ended_at for session in snapshot.sessions("train") for t in session.turns]
    assert max(times) < snapshot.cuts.val_from <= snapshot.cuts.test_from
    assert all("zanzibar" not in line for split in SPLITS for line in snapshot.lines(split))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    spoken=st.lists(said, min_size=30, max_size=80),
    is_excluded=st.booleans(),
    repeats=st.sampled_from((0, 1, 2)),
    temperature=st.sampled_from((1.0, 0.5)),
)
def test_everything_is_accounted_for_and_nothing_leaks(tmp_path_factory, spoken, is_excluded, repeats, temperature):
    home = tmp_path_factory.mktemp("home")
    chosen = Settings(
        home=home,
        dataset=DatasetSettings(max_repeats=repeats, dialog_temperature=temperature, val_share=0.2, test_share=0.2),
        privacy=Privacy(words=frozenset({"Zanzibar"})),
    )
    found = histories(spoken)
    with Store.open(home / "twin.db") as store:
        for chat, messages in found.items():
            store.add_dialog(chat, None)
            store.write_messages(messages)
        if is_excluded:
            store.dialog_table.include(8, False)
        try:
            snapshot = build(store, chosen)
        except DatasetError:
            return
    counted = {chat: messages for chat, messages in found.items() if chat == 7 or not is_excluded}
    assert_all_accounted(snapshot, counted, len(spoken))
    later = [m for messages in counted.values() for m in messages if m.sent_at >= snapshot.cuts.val_from]
    assert_nothing_leaks(snapshot, chosen, [m for m in later if m.deleted_at is None])
