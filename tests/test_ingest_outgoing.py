"""`twin export`: history leaves whole, comes in again row for row, and never overwrites what it should not."""

from __future__ import annotations

import json
import sqlite3
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import outgoing
from ingest.batch import Outcome, Request, ingest_files
from ingest.finding import find
from ingest.outgoing import Selection, export
from ingest.ownership import Claims
from ingest.reactions import CUSTOM, PAID, compact
from ingest.source import Wishes
from ingest.writers import SHAPES, Teller
from ingest.writers.markdown import escaped
from tests.blank import blank_store
from tests.conftest import Ran
from twin.errors import StoreError
from twin.merging import TOLD
from twin.messages import Message
from twin.settings import Settings
from twin.store import Store, Written

START = datetime(2026, 1, 1, tzinfo=UTC)
ME = Teller(100, "Me")
CHATS = {201: "Anna", 202: None, 203: "Борис\n# \x1b[2J", 100: "Saved Messages", -3: "WhatsApp Zoë"}

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12) | st.text(
    st.sampled_from('a\\x0b"\u2028\ud83d\ude42🙂é\n\x00\x0b{}[],:u d8'.replace("\ud83d\ude42", "")), max_size=12
)
SECONDS = st.integers(1, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
ENTITY = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["bold", "italic", "text_link", "custom_emoji", "plain", "pre"]),
        "offset": st.integers(0, 14),
        "length": st.integers(0, 9),
    },
    optional={"href": TEXT, "document_id": st.sampled_from(["123", "a file"]), "user_id": st.integers(0, 9)},
)
ENTITIES = st.lists(ENTITY, min_size=1, max_size=3).map(
    lambda found: json.dumps(found, ensure_ascii=False, separators=(",", ":"))
)
VOTES = st.lists(st.tuples(st.sampled_from(["🙂", "👍", CUSTOM, PAID]), st.booleans(), st.booleans()), max_size=3).map(
    compact
)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    edited = draw(st.none() | SECONDS)
    media = draw(st.none() | st.sampled_from(["photo", "sticker", "voice_message", "poll", "file", "Odd kind", "dice"]))
    text = draw(TEXT)
    has_first = edited is not None and draw(st.booleans())
    return Message(
        chat_id=draw(st.sampled_from(list(CHATS))),
        message_id=draw(st.integers(-3, 6) | st.just(1 << 62)),
        sent_at=draw(SECONDS),
        sender_id=draw(st.none() | st.sampled_from([100, 101, 201, -3, 0])),
        is_owner=draw(st.booleans()),
        text=text or ("" if media else "."),
        reply_to=draw(st.none() | st.integers(-2, 9)),
        forwarded_from=draw(st.none() | TEXT),
        via_bot=draw(st.none() | TEXT),
        edited_at=edited,
        media=media,
        media_note=draw(st.none() | st.sampled_from(["🙂", "12 s", "07 s", "x", ""])) if media else None,
        entities=draw(st.none() | ENTITIES),
        reactions=draw(VOTES),
        first_text=draw(TEXT) if has_first else None,
        first_edited_at=draw(st.none() | SECONDS) if has_first else None,
        deleted_at=draw(st.none() | SECONDS),
    )


def filled(said: list[Message]) -> Store:
    store = blank_store()
    for chat_id, name in CHATS.items():
        store.add_dialog(chat_id, name)
    store.write_messages(said)
    return store


def rows(store: Store) -> list[tuple[Any, ...]]:
    return store.db.execute(f"select {', '.join(TOLD)} from messages order by 1, 2").fetchall()  # noqa: S608


def names(store: Store) -> list[tuple[Any, ...]]:
    return store.db.execute(
        "select chat_id, name from dialogs where chat_id in (select chat_id from messages) order by 1"
    ).fetchall()


def bring(store: Store, path: Path) -> Outcome:
    (outcome,) = ingest_files(find([path]), store, Request(Wishes(timezone="UTC"), Claims()))
    return outcome


@given(st.lists(messages(), min_size=1, max_size=8))
@settings(max_examples=150, deadline=None)
def test_in_telegrams_shape_everything_comes_back_row_for_row(tmp_path_factory: Any, said: list[Message]) -> None:
    out = tmp_path_factory.mktemp("out") / "export"
    mine = Message(201, 77, START, ME.id, True, "mine")  # somebody's history
    with filled([*said, mine]) as store, blank_store() as other:
        left = export(store, out, "telegram", ME, Selection())
        outcome = bring(other, out)
        assert outcome.error is None and outcome.report is not None
        assert (outcome.report.skipped, outcome.report.skipped_dialogs) == ({}, {})
        assert left.messages == outcome.report.messages == store.message_count()
        assert rows(other) == rows(store)
        assert names(other) == names(store)
        assert bring(store, out).report == replace(
            outcome.report,
            written=Written(unchanged=left.messages),
            dialogs=bring(store, out).report.dialogs,  # type: ignore[union-attr]
        )


@given(st.lists(messages(), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_json_lines_come_back_with_all_that_their_shape_tells(tmp_path_factory: Any, said: list[Message]) -> None:
    out = tmp_path_factory.mktemp("out") / "lines.jsonl"
    with filled(said) as store, blank_store() as other:
        export(store, out, "jsonl", ME, Selection())
        assert bring(other, out).error is None
        same = [name for name in TOLD[:12] if name != "sender_id"]
        query = f"select {', '.join(same)} from messages order by 1, 2"  # noqa: S608
        assert other.db.execute(query).fetchall() == store.db.execute(query).fetchall()
        lines = [json.loads(line) for line in out.read_text(encoding="utf-8").split("\n")[:-1]]
        assert [line.get("first_text") for line in lines].count(None) == sum(
            message.first_text is None for chat_id in CHATS for message in store.messages(chat_id)
        )


@given(st.lists(messages(), min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_a_database_of_its_own_holds_the_same_rows(tmp_path_factory: Any, said: list[Message]) -> None:
    out = tmp_path_factory.mktemp("out") / "copy.db"
    with filled(said) as store:
        export(store, out, "sqlite", ME, Selection())
        copy = sqlite3.connect(out)
        assert copy.execute(f"select {', '.join(TOLD)} from messages order by 1, 2").fetchall() == rows(store)  # noqa: S608
        assert copy.execute("select chat_id, name from dialogs order by 1").fetchall() == names(store)
        tables = {row[0] for row in copy.execute("select name from sqlite_master where type = 'table'")}
        assert tables == {"owner", "dialogs", "messages"}
        copy.close()


@given(st.lists(messages(), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_pages_have_a_line_a_message_whatever_was_written(tmp_path_factory: Any, said: list[Message]) -> None:
    out = tmp_path_factory.mktemp("out") / "pages"
    with filled(said) as store:
        left = export(store, out, "markdown", ME, Selection())
        pages = [path.read_text(encoding="utf-8") for path in out.iterdir()]
        assert len(pages) == left.dialogs
        lines = [line for page in pages for line in page.split("\n")]
        assert sum(line.startswith("- ") for line in lines) == left.messages
        assert not any(line.startswith(("# ", "## ")) for line in lines if line not in _headings(pages))
        assert all(sign.isprintable() or sign in "\n\u200c\u200d" for page in pages for sign in page)


def _headings(pages: list[str]) -> set[str]:
    days = {line for page in pages for line in page.split("\n") if line.startswith("## 2") or line.startswith("## 1")}
    return days | {page.split("\n")[0] for page in pages}


def test_what_markdown_would_read_as_its_own_is_escaped() -> None:
    assert escaped("*a* _b_ [c](d) `e` <f>\n# g\n- h\n1. i\n> j\x1b") == (
        "\\*a\\* \\_b\\_ \\[c\\](d) \\`e\\` \\<f\\>\n\\# g\n\\- h\n\\1. i\n\\> j\N{REPLACEMENT CHARACTER}".replace(
            "\\1.", "\\1."
        )
    )


def message(number: int, text: str = "tea", chat_id: int = 201) -> Message:
    return Message(
        chat_id, number, START + timedelta(days=number), 100 if number % 2 else chat_id, bool(number % 2), text
    )


def fill_home(home: Settings) -> None:
    with Store.open(home.database) as store:
        for chat_id, name in CHATS.items():
            store.add_dialog(chat_id, name)
        store.write_messages([message(number, f"tea {number}", chat) for chat in (201, 202, -3) for number in range(9)])
        store.record_ingest("x", 100, Written(), {})


def told(path: Path) -> list[Any]:
    return [json.loads(line)["id"] for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_command_writes_what_was_chosen_for_its_owner_alone(
    home: Settings, run_twin: Callable[..., Ran], tmp_path: Path
) -> None:
    fill_home(home)
    ran = run_twin("export", tmp_path / "all")
    assert (ran.code, ran.err) == (0, "")
    assert "27 messages of 3 dialogs are in" in ran.out and "--scrub" in ran.out and "tea" not in ran.out
    assert stat.S_IMODE((tmp_path / "all").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "all" / "result.json").stat().st_mode) == 0o600
    assert json.loads((tmp_path / "all" / "result.json").read_text())["personal_information"]["user_id"] == 100
    out = tmp_path / "some.jsonl"
    arguments = (
        "--format",
        "jsonl",
        "--dialog",
        "anna",
        "--since",
        "2026-01-04T00:00Z",
        "--until",
        "2026-01-06T00:00Z",
    )
    assert json.loads(run_twin("export", out, *arguments, "--json").out)["messages"] == 2
    assert told(out) == [3, 4] and stat.S_IMODE(out.stat().st_mode) == 0o600
    assert "exists already" in run_twin("export", out, *arguments).err
    assert run_twin("export", out, "--format", "jsonl", "--dialog", "anna", "--dialog", -3, "--force").code == 0
    assert len(told(out)) == 18
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all", "home", "some.jsonl"]


@pytest.mark.parametrize("shape", list(SHAPES))
def test_nothing_is_overwritten_unasked_and_nothing_strange_even_then(
    home: Settings, run_twin: Callable[..., Ran], tmp_path: Path, shape: str
) -> None:
    fill_home(home)
    out, folder, file = tmp_path / "out", tmp_path / "folder", tmp_path / "file"
    folder.mkdir()
    (folder / "precious.txt").write_text("mine")
    file.write_text("mine")
    assert run_twin("export", out, "--format", shape).code == 0
    assert run_twin("export", out, "--format", shape).code == 2
    assert run_twin("export", out, "--format", shape, "--force").code == 0
    assert run_twin("export", folder, "--format", shape, "--force").code == 2
    assert (folder / "precious.txt").read_text() == "mine"
    forced = run_twin("export", file, "--format", shape, "--force")
    assert forced.code == (2 if SHAPES[shape].names else 0)
    assert run_twin("export", tmp_path / "no" / "such" / "folder", "--format", shape).code == 2
    assert (
        "There is nothing to export"
        in run_twin("export", tmp_path / "x", "--format", shape, "--since", "2030-01-01").err
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder", "home", "out"]


@pytest.mark.parametrize("shape", list(SHAPES))
def test_broken_off_in_the_middle_nothing_is_left_and_what_was_there_stays(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: str
) -> None:
    fill_home(home)
    with Store.open(home.database) as store:
        export(store, tmp_path / "out", shape, ME, Selection((201,)))
        before = sorted(
            (path.name, path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file() and "out" in str(path)
        )
        real = outgoing._counted

        def breaks(*arguments: Any) -> Iterator[Message]:
            yield next(real(*arguments))
            raise KeyboardInterrupt

        monkeypatch.setattr(outgoing, "_counted", breaks)
        with pytest.raises(KeyboardInterrupt):
            export(store, tmp_path / "out", shape, ME, Selection(), force=True)
        assert not store.db.conn.in_transaction
    after = sorted(
        (path.name, path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file() and "out" in str(path)
    )
    assert after == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "out"]


def test_an_export_is_of_one_moment_whatever_is_written_meanwhile(home: Settings, tmp_path: Path) -> None:
    fill_home(home)
    with Store.open(home.database) as store, Store.open(home.database) as other:

        def write_more(_: int) -> None:
            other.write_messages([message(50, "late", 202), message(51, "late", -3)])

        left = export(store, tmp_path / "out", "jsonl", ME, Selection(), on_messages=write_more)
    assert left.messages == 27 and "late" not in (tmp_path / "out").read_text()


def test_a_full_disk_is_one_sentence(home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill_home(home)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ingest.writers.jsonl.write", full)
    with Store.open(home.database) as store, pytest.raises(StoreError, match=r"cannot be written .*No space left"):
        export(store, tmp_path / "out", "jsonl", ME, Selection())
    assert not (tmp_path / "out").exists()


SECRET = "hunter2-Xk9!qq"


def test_secrets_are_replaced_also_when_only_the_message_before_tells_what_they_are(
    home: Settings, run_twin: Callable[..., Ran], tmp_path: Path
) -> None:
    fill_home(home)
    with Store.open(home.database) as store:
        asked = [replace(message(20, "what's the wifi password?"), is_owner=False), message(21, SECRET)]
        store.write_messages(
            [
                *asked,
                replace(
                    message(22, "see you"), entities=f'["{SECRET}"]', first_text=f"password: {SECRET}", edited_at=START
                ),
            ]
        )
    out = tmp_path / "out"
    ran = run_twin("export", out, "--scrub")
    assert ran.code == 0 and "Something was replaced in 2 of them; 0 were left out" in ran.out
    written = (out / "result.json").read_text(encoding="utf-8")
    assert SECRET not in written and "see you" in written and "what's the wifi password?" in written


def test_what_cannot_be_examined_does_not_leave_and_is_counted(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import twin.privacy

    real = twin.privacy.find_window

    def stumbles(texts: Any) -> Any:
        if "tea 3" in texts:
            raise RecursionError
        return real(texts)

    fill_home(home)
    monkeypatch.setattr(twin.privacy, "find_window", stumbles)
    with Store.open(home.database) as store:
        left = export(store, tmp_path / "out", "jsonl", ME, Selection((201,), scrub=True))
        assert (left.messages, left.left_out) == (8, 1)
        assert "tea 3" not in (tmp_path / "out").read_text()
        monkeypatch.setattr(twin.privacy, "find_window", lambda texts: 1 / 0)
        with pytest.raises(StoreError, match="nothing to export"):
            export(store, tmp_path / "none", "jsonl", ME, Selection((201,), scrub=True))


def test_a_long_dialog_is_scrubbed_in_windows_without_losing_or_doubling_a_message(home: Settings) -> None:
    from ingest.scrubbed import Scrubber

    said = [message(number, f"tea {number}") for number in range(1, 700)]
    scrubber = Scrubber()
    assert list(scrubber.messages(iter(said))) == said
    assert (scrubber.replaced, scrubber.left_out) == (0, 0)
    for count in (0, 1, 31, 32, 33, 256, 288, 289):
        assert len(list(scrubber.messages(iter(said[:count])))) == count
