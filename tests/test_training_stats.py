"""`twin dataset stats`: numbers that were put in come out in tables, JSON and a picture; no word that was said does."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chatter import LINES
from tests.conftest import Ran
from tests.snapshots import publish
from training.cuts import Cuts
from training.snapshot import Account, Snapshot
from training.stats import Stats, Summary, describe, summary
from training.stats_tables import duration, percent
from training.timing import pace
from twin.dialogs import Dialog
from twin.messages import Bubble, Session, Speaker, Turn
from twin.settings import Settings
from twin.store import Store
from twin.timing import Answers, Gap, Spread, Timing

START = datetime(2024, 1, 10, 12, tzinfo=UTC)
CUTS = Cuts(START + timedelta(days=200), START + timedelta(days=300))
NAMES = {
    1: "Анна 🌷",
    2: "张伟",
    3: "محمد العلي",
    4: "דניאל",
    5: "さくら",
    6: "$a_{b}$ [red]ha[/red]",
    7: "\u202eliame\x1b[31m",
    8: "a name that is far too long for any table in the world",
    9: None,
    10: "🙃",
}
TIMING = Timing(
    timezone="Europe/Berlin",
    until=CUTS.val_from,
    gaps=(Gap(10, Spread(60, (1, 2, 3, 4, 5, 6, 7))),),
    latency=(Spread(0, (1,) * 7),) * 8 + (Spread(9, (5, 10, 20, 40, 80, 160, 7200)),) * 4 + (Spread(0, (1,) * 7),) * 12,
    answers={"question": Answers(100, 10, 5, 0), "media": Answers(50, 25, 0, 20)},
)


@pytest.fixture(autouse=True, scope="module")
def _no_fonts_cached_outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """matplotlib keeps its list of fonts here instead of in the real home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPLCONFIGDIR", str(tmp_path_factory.mktemp("matplotlib")))
        yield


def turn(speaker: Speaker, *texts: str, at: datetime = START, withheld: str | None = None) -> Turn:
    return Turn(speaker, tuple(map(Bubble, texts)), at, at, withheld)


def conversation(chat: int, rng: Random, language: str) -> Session:
    at = START + timedelta(days=rng.randrange(200))
    lines = LINES[language]
    return Session(
        chat,
        tuple(
            turn(speaker, *rng.sample(lines, rng.randrange(1, 4)), at=at + timedelta(minutes=n))
            for n, speaker in enumerate(("other", "owner") * 3)
        ),
    )


@pytest.fixture
def rich(home: Settings, store: Store) -> Snapshot:
    """A snapshot of many dialogs in many scripts, with everything a manifest can tell."""
    rng = Random(1)
    languages = ["ru", "zh", "ar", "he", "ja", "en", "en", "de", "fr", "tr", *["en"] * 10]
    for chat in range(1, 21):
        store.add_dialog(chat, NAMES.get(chat, f"Person {chat}"))
    store.dialog_table.tag(2, "friend")
    parts = [conversation(chat, rng, languages[chat - 1]) for chat in range(1, 21) for _ in range(24 - chat)]
    account = Account(
        dialogs={"used": 20, "excluded": 1},
        messages={"shown": 900, "empty": 7, "deleted": 3},
        turns={"train": {"supervised": 600, "secret": 4, "repeated": 11}, "val": {"supervised": 30}, "test": {}},
        found={"EMAIL": 3, "API_KEY": 1},
    )
    held_out = {"val": [conversation(1, rng, "ru")], "test": [conversation(2, rng, "zh")]}
    return publish(home.datasets, CUTS, {"train": parts, **held_out}, account, TIMING.as_dict())  # type: ignore[dict-item]


def spoken() -> set[str]:
    """Words that only stand in messages: long enough not to be part of a label by chance."""
    return {word for lines in LINES.values() for line in lines for word in line.split() if len(word) > 7}


def test_an_empty_home_is_told_so_in_one_sentence(home: Settings, run_twin: Callable[..., Ran], tmp_path: Path) -> None:
    picture = tmp_path / "out.png"
    for options in ((), ("--json",), ("--plot", picture)):
        ran = run_twin("dataset", "stats", *options)
        assert ran.code == 2
        assert ran.err.strip().count("\n") == 0
        assert "twin dataset build" in ran.err
    assert not picture.exists()


def test_the_tables_tell_everything_and_repeat_nothing_that_was_said(
    rich: Snapshot, run_twin: Callable[..., Ran]
) -> None:
    ran = run_twin("dataset", "stats")
    assert ran.code == 0
    for expected in (
        rich.fingerprint,
        "not learned from: repeated",
        "empty 7, deleted 3",
        "excluded 1",
        "... and 5 more",
        "friend",
        "Анна",
        "$a_{b}$ [red]ha[/red]",
        "Russian",
        "characters per bubble",
        "end without a full stop",
        "occur more than once",
        "Europe/Berlin",
        "a question",
        "api key",
    ):
        assert expected in ran.out, expected
    assert "\x1b" not in ran.out
    assert "\u202e" not in ran.out
    assert not {word for word in spoken() if word in ran.out}


def test_json_holds_everything_as_numbers(rich: Snapshot, run_twin: Callable[..., Ran]) -> None:
    ran = run_twin("dataset", "stats", rich.fingerprint, "--json")
    told = json.loads(ran.out)
    assert told["fingerprint"] == rich.fingerprint
    assert told["counts"]["train"]["sessions"] == sum(24 - chat for chat in range(1, 21))
    assert told == told | json.loads(json.dumps(rich.as_dict())), "nothing of the manifest is hidden"
    assert len(told["by_dialog"]) == 20
    assert told["by_dialog"][0]["name"] == "Анна 🌷"
    assert sum(dialog["messages"] for dialog in told["by_dialog"]) == sum(
        m["yours"] + m["theirs"] for m in told["by_month"]
    )
    assert sum(told["languages"]["yours"].values()) == pytest.approx(1)
    assert told["languages"]["yours"]["en"] > 0.1
    assert told["timing"]["median_gap"] == 4
    assert told["timing"]["no_answer"]["media"] == pytest.approx(TIMING.no_answer("media"))
    assert told["style"]["replies"] == sum(told["bubbles_per_reply"].values())
    assert not {word for word in spoken() if word in ran.out}


def test_no_names_means_no_names_anywhere(rich: Snapshot, run_twin: Callable[..., Ran]) -> None:
    for options in ((), ("--json",)):
        ran = run_twin("dataset", "stats", "--no-names", *options)
        assert not [name for name in ("Анна", "张伟", "Person", "liame") if name in ran.out]
    assert "dialog 1 " in run_twin("dataset", "stats", "--no-names").out


def is_a4(picture: Path) -> bool:
    """Whether it is a PNG of the proportions of A4, and big enough to read."""
    head = picture.read_bytes()[:24]
    width, height = struct.unpack(">II", head[16:24])
    return head.startswith(b"\x89PNG") and width > 1000 and abs(height / width - 297 / 210) < 0.01


def test_the_picture_is_one_page_whatever_people_are_called(
    rich: Snapshot, run_twin: Callable[..., Ran], tmp_path: Path
) -> None:
    """A sign that no font has would warn, and a warning is an error here."""
    picture = tmp_path / "out.png"
    picture.write_text("what stood here before")
    ran = run_twin("dataset", "stats", "--plot", picture)
    assert ran.code == 0, ran.err
    assert str(picture) in ran.out
    assert ran.err == ""
    assert is_a4(picture)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["out.png"], "nothing is left beside it"


def test_a_tiny_set_without_timing_or_database_can_be_drawn(
    home: Settings, run_twin: Callable[..., Ran], tmp_path: Path
) -> None:
    tiny = Session(1, (turn("other", "hey"), turn("owner", "hi")))
    snapshot = publish(home.datasets, CUTS, {"train": [tiny], "val": [], "test": []}, Account())
    picture = tmp_path / "tiny.png"
    ran = run_twin("dataset", "stats", "--plot", picture)
    assert ran.code == 0, ran.err
    assert "dialog 1" in ran.out
    assert "was not saved with this dataset" in ran.out
    assert is_a4(picture)
    assert json.loads(run_twin("dataset", "stats", "--json").out)["timing"] is None
    assert not home.database.exists(), "looking makes no database"
    assert snapshot.timing == {}


def test_a_set_of_imported_rows_alone_has_nothing_of_the_owners_to_show(
    home: Settings, run_twin: Callable[..., Ran], tmp_path: Path
) -> None:
    made = Session(0, (Turn.of("other", ["hey"]), Turn.of("owner", ["hi"])), origin="book")
    publish(home.datasets, CUTS, {"train": [made], "val": [], "test": []}, Account())
    picture = tmp_path / "made.png"
    ran = run_twin("dataset", "stats", "--plot", picture)
    assert ran.code == 0, ran.err
    assert is_a4(picture)


@pytest.mark.parametrize("missing", ["found", "turns", "sets", "dialogs", "messages", "language", "detectors"])
def test_a_manifest_of_an_older_version_can_still_be_shown(
    rich: Snapshot, run_twin: Callable[..., Ran], missing: str
) -> None:
    manifest = rich.folder / "manifest.json"
    values = json.loads(manifest.read_text())
    del values[missing]
    manifest.write_text(json.dumps(values))
    for options in ((), ("--json",)):
        ran = run_twin("dataset", "stats", *options)
        assert ran.code == 0, ran.err


def test_a_snapshot_in_the_shape_of_another_version_is_refused_in_one_sentence(
    rich: Snapshot, run_twin: Callable[..., Ran]
) -> None:
    (rich.folder / "train.jsonl").rename(rich.folder / "sessions.jsonl")
    ran = run_twin("dataset", "stats")
    assert ran.code == 2
    assert "twin dataset build" in ran.err
    assert ran.err.strip().count("\n") == 0


def test_timing_of_another_version_is_not_known_but_the_rest_is(rich: Snapshot, run_twin: Callable[..., Ran]) -> None:
    (rich.folder / "timing.json").write_text(json.dumps(TIMING.as_dict() | {"format": 99}))
    ran = run_twin("dataset", "stats")
    assert ran.code == 0
    assert "was not saved with this dataset" in ran.out


def test_a_machine_without_matplotlib_is_told_what_to_install(
    rich: Snapshot, run_twin: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    ran = run_twin("dataset", "stats", "--plot", tmp_path / "out.png")
    assert ran.code == 2
    assert "pip install matplotlib" in ran.err
    assert not (tmp_path / "out.png").exists()
    assert run_twin("dataset", "stats").code == 0, "tables need no matplotlib"


def test_a_picture_that_cannot_be_written_leaves_nothing_behind(
    rich: Snapshot, run_twin: Callable[..., Ran], tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    for target in (tmp_path / "folder", tmp_path / "nowhere" / "out.png"):
        ran = run_twin("dataset", "stats", "--plot", target)
        assert ran.code == 2
        assert "cannot be written" in ran.err
        assert ran.err.strip().count("\n") == 0
    assert not list(tmp_path.rglob("*.partial"))


def test_matplotlib_and_numpy_wait_until_they_are_asked_for() -> None:
    code = "import sys, training.stats_cli, training.plot; assert not {'matplotlib', 'py3langid'} & sys.modules.keys()"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0


def of(*turns: Turn) -> Stats:
    return describe([Session(7, turns)], {}, None, UTC)


def test_style_is_measured_on_the_owners_own_words() -> None:
    found = of(
        turn("other", "WHAT ARE YOU DOING RIGHT NOW. TELL ME."),
        turn("owner", "nothing", "and you?"),
        Turn("owner", (Bubble("[photo] of a cat", authored=False), Bubble("Look 😂")), START, START),
        turn("owner", "I see."),
    ).style
    assert (found.replies, found.bubbles) == (3, 4)
    assert found.characters_per_bubble == Summary(6.75, 6.5, 7.7)
    assert found.bubbles_per_reply.mean == 1.33
    assert found.questions == found.emoji == 0.25
    assert found.lower_case == 0.5
    assert found.no_full_stop == 0.5, "a question mark and an emoji end it otherwise"


def test_repetition_is_counted_without_case_and_final_stops() -> None:
    said = ["ok", "Ok.", "OK!", "fine", "Fine", "something else altogether"]
    found = of(*(turn("owner", text) for text in said)).repetition
    assert (found.distinct, found.most) == (3, (3, 2))
    assert found.repeated == pytest.approx(5 / 6, abs=0.001)


def test_months_have_no_hole_and_follow_the_owners_clock() -> None:
    late = datetime(2023, 12, 31, 23, 30, tzinfo=UTC)
    found = describe(
        [Session(7, (turn("owner", "a", at=late), turn("other", "b", "c", at=late + timedelta(days=70))))],
        {},
        None,
        ZoneInfo("Europe/Berlin"),
    )
    assert [(month.month, month.yours, month.theirs) for month in found.months] == [
        ("2024-01", 1, 0),
        ("2024-02", 0, 0),
        ("2024-03", 0, 2),
    ]


def test_dialogs_are_ordered_by_what_is_learned_from_them() -> None:
    sessions = [
        Session(1, (turn("other", *["x"] * 50), turn("owner", "hi"))),
        Session(2, (turn("owner", "hi"), turn("other", "x"), turn("owner", "hi"))),
        Session(3, (turn("owner", "hi", withheld="secret"),)),
        Session(0, (Turn.of("owner", ["hi"]),), origin="alpaca"),
    ]
    known = {2: Dialog(2, "Anna", 3, 2, None, None, relation="friend")}
    found = describe(sessions, known, None, UTC).dialogs
    assert [(d.chat_id, d.name, d.relation, d.messages, d.yours, d.replies) for d in found] == [
        (2, "Anna", "friend", 3, 2, 2),
        (1, None, None, 51, 1, 1),
        (3, None, None, 1, 1, 0),
    ]


def test_the_pace_in_few_numbers_is_that_of_the_timing() -> None:
    found = pace(TIMING)
    assert found["median_latency_by_part"] == {
        "night": None,
        "morning": pytest.approx(40, rel=0.05),
        "afternoon": None,
        "evening": None,
    }
    assert found["reaction"]["media"] == TIMING.reaction("media")
    assert pace(Timing())["median_gap"] is None, "nothing was seen"


texts = st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=4)
turns = st.builds(
    lambda speaker, said, days, withheld: turn(speaker, *said, at=START + timedelta(days=days), withheld=withheld),
    st.sampled_from(["owner", "other"]),
    texts,
    st.integers(0, 900),
    st.sampled_from([None, None, "secret"]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 4), st.lists(turns, min_size=1, max_size=5)), max_size=6))
def test_every_message_is_counted_once_in_each_table(found: list[tuple[int, list[Turn]]]) -> None:
    told = describe([Session(chat, tuple(said)) for chat, said in found], {}, None, UTC)
    everything = [part for _, said in found for part in said]
    messages = sum(len(part.bubbles) for part in everything)
    yours = [part for part in everything if part.speaker == "owner"]
    assert sum(month.yours + month.theirs for month in told.months) == messages
    assert sum(dialog.messages for dialog in told.dialogs) == messages
    assert sum(dialog.yours for dialog in told.dialogs) == sum(len(part.bubbles) for part in yours)
    assert sum(dialog.replies for dialog in told.dialogs) == sum(part.is_supervisable for part in yours)
    assert told.reply_lengths.total() == told.bubbles_per_reply.total() == told.style.replies == len(yours)
    assert 0 <= told.style.lower_case <= 1
    assert 0 <= told.style.no_full_stop <= 1
    assert json.loads(json.dumps(told.as_dict()))["style"]["bubbles"] == told.style.bubbles


def test_few_numbers_are_summed_up_without_a_complaint() -> None:
    assert summary(Counter()) == Summary(0, 0, 0)
    assert summary(Counter({7: 1})) == Summary(7, 7, 7)
    assert summary(Counter(range(1, 12))) == Summary(6, 6, 10)


@pytest.mark.parametrize(
    ("share", "said"),
    [(0, "0%"), (0.0004, "<0.1%"), (0.004, "0.4%"), (0.094, "9.4%"), (0.1, "10%"), (0.998, "99.8%"), (1, "100%")],
)
def test_shares_read_as_people_say_them(share: float, said: str) -> None:
    assert percent(share) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "-"),
        (0.5, "0.5 s"),
        (6, "6 s"),
        (59.6, "60 s"),
        (60, "1 min"),
        (90, "90 s"),
        (600, "10 min"),
        (9000, "2.5 h"),
    ],
)
def test_durations_read_as_people_say_them(seconds: float | None, said: str) -> None:
    assert duration(seconds) == said
