"""Full-text search: what is found, that the index follows every change, and that no query is an error of FTS5."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import exports
from tests.blank import blank_store
from tests.conftest import Ran
from twin import search_index
from twin.database import open_database
from twin.encryption import decrypt, encrypt
from twin.errors import StoreError
from twin.excerpts import excerpt
from twin.messages import Message
from twin.search import EVERYWHERE, MOST_TOKENS, Hit, Narrowing, Query, search
from twin.settings import Settings, load_settings
from twin.store import Store

START = datetime(2026, 1, 1, tzinfo=UTC)
KEY = "0123456789abcdef" * 4
SAID = [
    "See you tomorrow, Zoë!",
    "you see, tomorrow never comes",
    "Не забудь зонтик: завтра дождь",
    "我明天在学校等你",
    "明日学校に行く",
    "내일 학교에서 봐",
    "พรุ่งนี้ไปโรงเรียน",
    "कल स्कूल में मिलते हैं",
    "غدًا في المدرسة",
    "ok 😂😂 \U0001f44d\U0001f3fd",
    "don't e-mail me at a.b@example.org",
]


def message(number: int, text: str, *, chat_id: int = 1, is_owner: bool = True) -> Message:
    return Message(chat_id, number, START + timedelta(hours=number), 7, is_owner, text)


def blank() -> Store:
    store = blank_store()
    for chat_id, name in ((1, "Anna"), (2, "Борис"), (-3, None)):
        store.add_dialog(chat_id, name)
    return store


@pytest.fixture
def filled() -> Iterator[Store]:
    with blank() as store:
        store.write_messages([message(number, text) for number, text in enumerate(SAID)])
        search_index.update(store)
        yield store


def found(store: Store, words: str, where: Narrowing = EVERYWHERE, limit: int = 100) -> list[int]:
    return [hit.message_id for hit in search(store, Query.parse(words), where, limit)]


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ("tomorrow", [1, 0]),
        ("TOMORROW see", [1, 0]),
        ('"see you"', [0]),
        ("“see you”", [0]),
        ('"see you', [0]),
        ("tom*", [1, 0]),
        ("t* n*", [1]),
        ('"you tom"', []),
        ('"you tom"*', [0]),
        ("zoe", [0]),
        ("зонтик", [2]),
        ("ДОЖДЬ ЗАВТРА", [2]),
        ("学校", [4, 3]),
        ("校学", []),
        ("在学校等", [3]),
        ("학교", [5]),
        ("โรงเรียน", [6]),
        ("स्कूल", [7]),
        ("स्कू", []),
        ("غدا المدرسة", [8]),
        ("😂", [9]),
        ("👍", [9]),
        ("a.b@example.org", [10]),
        ("don't", [10]),
        ("d1", []),
        ("mine", []),
    ],
)
def test_words_phrases_and_beginnings_are_found_in_any_language(filled: Store, words: str, numbers: list[int]) -> None:
    assert found(filled, words) == numbers


def test_what_is_found_is_told_with_its_places_in_the_text(filled: Store) -> None:
    (hit,) = search(filled, Query.parse('tomorrow "see you"'), EVERYWHERE)
    assert hit == Hit(1, 0, "Anna", START, True, SAID[0], None, ((0, 7), (8, 16)))
    (school,) = search(filled, Query.parse("में स्कूल"), EVERYWHERE)
    assert [school.text[a:b] for a, b in school.places] == ["स्कूल", "में"]


def test_it_can_be_narrowed_down_to_dialogs_sides_and_times() -> None:
    with blank() as store:
        store.write_messages(
            [
                message(n, "tea", chat_id=chat, is_owner=bool(n % 2))
                for chat in (1, 2, -3)
                for n in range(chat * 100, chat * 100 + 4)
            ]
        )
        search_index.update(store)
        assert found(store, "tea", Narrowing((2,))) == [203, 202, 201, 200]
        assert found(store, "tea", Narrowing((-3, 1), is_owner=True)) == [103, 101, -297, -299]
        assert found(store, "tea", Narrowing(is_owner=False)) == [202, 200, 102, 100, -298, -300]
        year = Narrowing(since=START + timedelta(hours=101), until=START + timedelta(hours=201))
        assert found(store, "tea", year) == [200, 103, 102, 101]
        assert found(store, "tea", Narrowing((2,), since=START + timedelta(hours=200.5))) == [203, 202, 201]
        assert found(store, "tea", limit=2) == [203, 202]


def contents(store: Store) -> list[tuple[object, ...]]:
    return list(store.db.execute("select rowid, text, tags, id from search order by rowid"))


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, int, str]]:
    step = st.tuples(
        st.sampled_from(["write", "write", "edit", "delete", "index", "index a little", "move"]),
        st.integers(1, 6),
        st.sampled_from(["tea", "coffee", "学校", ""]),
    )
    return draw(st.lists(step, max_size=25))


@given(histories())
@settings(max_examples=80, deadline=None)
def test_after_any_changes_the_index_is_as_if_made_afresh(history: list[tuple[str, int, str]]) -> None:
    with blank() as store:
        for count, (what, number, text) in enumerate(history):
            match what:
                case "write":
                    store.write_messages([message(number, text)])
                case "edit":
                    store.write_messages([replace(message(number, text), edited_at=START + timedelta(days=count))])
                case "move":
                    store.write_messages([replace(message(number, text), sent_at=START + timedelta(days=count))])
                case "delete":
                    store.db.execute("delete from messages where message_id = ?", [number])
                case "index":
                    search_index.update(store)
                case _:
                    search_index.update(store, batch=1)
        search_index.update(store)
        assert search_index.pending(store) == 0
        after = contents(store)
        store.db.execute("delete from search")
        store.db.execute("insert into search_pending select id from messages")
        search_index.update(store)
        assert contents(store) == after
        assert len(after) == store.message_count()
        store.db.execute("insert into search (search) values ('integrity-check')")


def test_an_edited_message_is_not_found_by_its_old_words_even_before_it_is_indexed_again(filled: Store) -> None:
    filled.write_messages([replace(message(0, "until then"), edited_at=START)])
    assert found(filled, "tomorrow") == [1]
    assert found(filled, "until") == []
    search_index.update(filled)
    assert found(filled, "until") == [0]


def test_counts_of_written_rows_do_not_count_what_triggers_write(filled: Store) -> None:
    assert filled.write_messages([message(0, "changed"), message(1, SAID[1]), message(99, "new")]) == 2


def test_what_changes_while_it_is_cut_is_indexed_as_it_is_afterwards(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.open(home.database) as store, Store.open(home.database) as other:
        store.add_dialog(1, "Anna")
        store.write_messages([message(1, "tea"), message(2, "cake"), message(3, "jam")])
        real = search_index.segment

        def edit_meanwhile(text: str) -> str:
            monkeypatch.setattr(search_index, "segment", real)
            other.write_messages([replace(message(1, "coffee"), edited_at=START)])
            other.db.execute("delete from messages where message_id = 2")
            search_index.update(other)
            return real(text)

        monkeypatch.setattr(search_index, "segment", edit_meanwhile)
        search_index.update(store)
        assert [row[1] for row in contents(store)] == ["coffee", "jam"]
        assert search_index.pending(store) == 0


def test_several_processes_may_index_at_once(home: Settings) -> None:
    with Store.open(home.database) as store:
        store.add_dialog(1, "Anna")
        store.write_messages([message(number, f"tea {number}") for number in range(400)])
    failures: list[BaseException] = []

    def index() -> None:
        try:
            with Store.open(home.database) as own:
                search_index.update(own, batch=7)
        except BaseException as error:  # noqa: BLE001 - told by the assertion below
            failures.append(error)

    threads = [threading.Thread(target=index) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Store.open(home.database) as store:
        assert failures == []
        assert len(contents(store)) == 400 and len(found(store, "tea", limit=1000)) == 400


def test_after_an_ingest_a_little_is_indexed_at_once_and_much_is_left_to_the_search(
    monkeypatch: pytest.MonkeyPatch, run_twin: Callable[..., Ran], tmp_path: Path
) -> None:
    path = exports.write(tmp_path, exports.chat(exports.small_talk()))
    assert run_twin("ingest", "export", path).code == 0
    with Store.of(load_settings()) as store:
        assert search_index.pending(store) == 0 and len(contents(store)) == 6
        monkeypatch.setattr(search_index, "_A_MOMENTS_WORK", 2)
        store.write_messages([message(number, "tea", chat_id=exports.ANNA) for number in range(90, 93)])
        search_index.catch_up(store)
        assert search_index.pending(store) == 3
    assert len(json.loads(run_twin("search", "tea", "--json").out)["hits"]) == 3


ODD = st.text(max_size=30) | st.text(
    st.sampled_from("ab *\"'()^:{}+-~.,;NEAR AND OR NOT text : tags\x00\ud800学"), max_size=30
)


@given(ODD)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_typed_is_a_query_or_one_sentence(filled: Store, words: str) -> None:
    try:
        hits = search(filled, Query.parse(words), EVERYWHERE, 50)
    except StoreError as error:
        assert "nothing to search for" in str(error)
        return
    assert all(hit.places for hit in hits)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_part_of_a_message_finds_it_again(data: st.DataObject) -> None:
    texts = data.draw(
        st.lists(st.text(st.sampled_from("ab学校😂é \n'"), min_size=1, max_size=10), min_size=1, max_size=6)
    )
    with blank() as store:
        store.write_messages([message(number, text) for number, text in enumerate(texts)])
        search_index.update(store)
        number = data.draw(st.integers(0, len(texts) - 1))
        words = texts[number].split()
        picked = data.draw(st.lists(st.sampled_from(words), min_size=1, max_size=3)) if words else []
        try:
            query = Query.parse(" ".join(picked))
        except StoreError:
            return
        hits = {hit.message_id: hit for hit in search(store, query, EVERYWHERE, 50)}
        assert number in hits and all(hit.places for hit in hits.values())


def test_a_query_may_be_long_but_not_endless(filled: Store) -> None:
    assert found(filled, " ".join(f"w{n}" for n in range(MOST_TOKENS))) == []
    assert found(filled, f'"{"tea " * MOST_TOKENS}"') == []
    with pytest.raises(StoreError, match="too long to search for"):
        Query.parse("学" * (MOST_TOKENS + 1))


def test_an_encrypted_database_is_searched_as_well_and_after_every_conversion(tmp_path: Path) -> None:
    path = tmp_path / "twin.db"
    with Store.open(path) as store:
        store.add_dialog(1, "Anna")
        store.write_messages([message(number, text) for number, text in enumerate(SAID)])
        search_index.update(store, batch=3)
    encrypt(path, KEY)
    with Store(open_database(path, KEY)) as store:
        assert found(store, "学校") == [4, 3]
        store.write_messages([message(50, "学校!"), replace(message(3, "no"), edited_at=START)])
        search_index.update(store)
        assert found(store, "学校") == [50, 4]
        everything = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert b"tomorrow" not in everything
    decrypt(path, KEY)
    with Store.open(path) as store:
        assert found(store, "学校") == [50, 4]
        store.db.execute("insert into search (search) values ('integrity-check')")


@given(
    st.text(st.sampled_from("ab \n\t\x1b\u202e学"), max_size=120),
    st.lists(st.tuples(st.integers(0, 119), st.integers(1, 9)), max_size=4),
    st.integers(1, 60),
)
@settings(max_examples=200, deadline=None)
def test_an_excerpt_is_short_harmless_and_shows_the_first_place(
    text: str, spans: list[tuple[int, int]], width: int
) -> None:
    places = sorted((a, min(a + n, len(text))) for a, n in spans if a < len(text))
    shown, inside = excerpt(text, places, width)
    assert len(shown) <= width + 2
    assert all(sign.isprintable() for sign in shown)
    assert all(0 <= a < b <= len(shown) for a, b in inside)
    if places and places[0][1] - places[0][0] <= width // 4:
        start, end = inside[0]
        assert [s.isspace() for s in shown[start:end]] == [s.isspace() for s in text[places[0][0] : places[0][1]]]


def fill_home(home: Settings) -> None:
    with Store.open(home.database) as store:
        store.add_dialog(1, "Anna")
        store.add_dialog(2, "Anna Maria\x1b[2J", "anna_m")
        store.add_dialog(3, None)
        long = "word " * 100 + "umbrella [bold]\x1b[31m" + " more" * 100
        store.write_messages(
            [
                message(1, "a tomato"),
                message(2, "see you tomorrow", chat_id=2, is_owner=False),
                message(3, long, chat_id=3),
                *(message(10 + n, f"number {n}") for n in range(5)),
            ]
        )
        store.mark_deleted(2, [2], START)


def test_the_command_shows_when_where_who_and_what(home: Settings, run_twin: Callable[..., Ran]) -> None:
    fill_home(home)
    ran = run_twin("search", "tom*")
    assert ran.code == 0 and "\x1b" not in ran.out
    lines = ran.out.splitlines()
    assert "Anna" in lines[1] and "you" in lines[1] and "a tomato" in lines[1]
    assert "them" in lines[0] and "deleted see you tomorrow" in lines[0]
    umbrella = run_twin("search", "umbrella").out
    assert (
        "deleted account 3" in umbrella and "…" in umbrella and "umbrella [bold]\N{REPLACEMENT CHARACTER}" in umbrella
    )
    assert "\x1b" not in umbrella and len(umbrella) < 500
    assert "Nothing was found" in run_twin("search", "marzipan").out
    assert "older ones" in run_twin("search", "number", "--limit", 2).out


def test_the_shells_quotes_make_a_phrase_and_options_narrow_it_down(
    home: Settings, run_twin: Callable[..., Ran]
) -> None:
    fill_home(home)

    def ids(*arguments: object) -> list[int]:
        return [hit["message_id"] for hit in json.loads(run_twin("search", *arguments, "--json").out)["hits"]]

    assert ids("you see") == [] and ids("you", "see") == [2]
    assert ids("tom*", "--dialog", "@anna_m") == [2]
    assert ids("tom*", "--dialog", "anna", "--dialog", 2) == [2, 1]
    assert ids("tom*", "--mine") == [1] and ids("tom*", "--theirs") == [2]
    assert ids("number", "--since", "2026-01-02", "--until", "2026-01-01") == []
    assert len(ids("number", "--until", "2026-01-03")) == 5
    told = json.loads(run_twin("search", "tomorrow", "--json").out)
    assert told == {
        "hits": [
            {
                "chat_id": 2,
                "message_id": 2,
                "dialog": "Anna Maria\x1b[2J",
                "sent_at": "2026-01-01T02:00:00+00:00",
                "is_owner": False,
                "deleted_at": "2026-01-01T00:00:00+00:00",
                "text": "see you tomorrow",
                "places": [[8, 16]],
            }
        ],
        "more": False,
    }


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["..."], "There is nothing to search for in that"),
        (["tea", "--dialog", "Nobody"], "There is no such dialog"),
        (["tea", "--dialog", "ann"], "give one of their ids: 1, 2"),
        (["tea", "--since", "yesterday"], "is no date"),
        ([], "Missing argument"),
    ],
)
def test_bad_input_is_one_sentence(
    home: Settings, run_twin: Callable[..., Ran], arguments: list[str], sentence: str
) -> None:
    fill_home(home)
    ran = run_twin("search", *arguments)
    assert ran.code == 2 and sentence in ran.err and "Traceback" not in ran.err
