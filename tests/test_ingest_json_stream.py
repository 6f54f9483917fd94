"""A JSON file read in pieces: flaws repaired wherever the pieces end."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import ijson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.json_stream import JsonBytes, open_json
from ingest.places import Place
from twin.errors import IngestError

# As Telegram Desktop writes them, and what they mean.
WRITTEN = {
    r"\x0B": "\x0b",
    r"\x1F": "\x1f",
    r"\\x0B": "\\x0B",
    r"\\\x00": "\\\x00",
    r"\n": "\n",
    r"\"": '"',
    r"\u2028": "\u2028",
    r"\ud83d\ude00": "😀",
    r"\ud83d-": "\ufffd-",
    r"\uDE00": "\ufffd",
    r"\\ud83d": "\\ud83d",
    "word, ": "word, ",
    "слово": "слово",
    "字，": "字，",
    "x41": "x41",
}


@given(st.lists(st.lists(st.sampled_from(sorted(WRITTEN)), max_size=6), max_size=6), st.integers(16, 80))
def test_what_telegram_wrote_is_read_as_it_was_meant_in_pieces_of_any_size(texts: list[list[str]], size: int) -> None:
    written = "[" + ", ".join(f'"{"".join(text)}"' for text in texts) + "]"
    stream = JsonBytes(io.BytesIO(written.encode()), lambda _: None)
    assert list(ijson.items(stream, "item", buf_size=size)) == ["".join(WRITTEN[t] for t in text) for text in texts]


@pytest.mark.parametrize("size", [16, 64, 4096])
def test_a_name_that_telegram_wrote_without_quotes_is_read_with_them(size: int) -> None:
    """Telegram Desktop 4.1 wrote the document_id of custom emoji so."""
    written = r"""{"text": [
      {"type": "custom_emoji", "text": "x", "document_id": video_files/sticker.webm
      },
      {"type": "custom_emoji", "document_id": (File not included. Change data exporting settings to download.)},
      {"document_id": "5"}, {"document_id": 6}, {"document_id": null},
      "\"document_id\": not a key", "\\"], "document_id": -7}"""
    stream = JsonBytes(io.BytesIO(written.encode()), lambda _: None)
    (found,) = ijson.items(stream, "", buf_size=size)
    assert [part["document_id"] for part in found["text"][:5]] == [
        "video_files/sticker.webm",
        "(File not included. Change data exporting settings to download.)",
        "5",
        6,
        None,
    ]
    assert found["text"][5:] == ['"document_id": not a key', "\\"] and found["document_id"] == -7


def test_half_a_character_is_replaced_and_counted() -> None:
    stream = JsonBytes(io.BytesIO(rb'["\ud83d", "\ude00 ok", "\ud83d\ude00"]'), lambda _: None)
    assert list(ijson.items(stream, "item")) == ["\ufffd", "\ufffd ok", "😀"]
    assert stream.halves == 2


def test_every_byte_read_is_reported_once(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(["x" * 50, "y, " * 5_000] * 20))
    seen: list[int] = []
    with open_json(Place(path), seen.append) as stream:
        list(ijson.items(stream, "item"))
    assert sum(seen) == path.stat().st_size


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"\xef\xbb\xbf[1]")
    with open_json(Place(path), lambda _: None) as stream:
        assert list(ijson.items(stream, "item")) == [1]


def test_a_number_of_five_thousand_digits_is_a_number(tmp_path: Path) -> None:
    path, limit = tmp_path / "a.json", sys.get_int_max_str_digits()
    path.write_text("[" + "9" * 5_000 + "]")
    with open_json(Place(path), lambda _: None) as stream:
        assert list(ijson.items(stream, "item")) == [10**5_000 - 1]
    assert sys.get_int_max_str_digits() == limit


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b" \n ", "is empty"),
        (b"<!DOCTYPE html><html>", "is an HTML export"),
        (b"Rar!\x1a\x07", "is an archive of a kind"),
        (b"hello", "is not JSON"),
        (b"\xff\xfe{\x00", "is not JSON"),
        (b'["secret", ', "is cut off in the middle"),
        (b'["secre', "is cut off in the middle"),
        ('["secret ы'.encode()[:-1], "is cut off in the middle"),
        (b'["secret \xff"]', "is not valid UTF-8"),
        (b'["secret" "secret"]', "is not valid JSON"),
        (b'["secret"] secret]', "is not valid JSON"),
        (b'["secret", 1e99999999999999999999]', "holds a number that nobody can read"),
    ],
)
def test_what_cannot_be_read_ends_in_one_sentence_that_quotes_nothing(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(IngestError, match=problem) as caught, open_json(Place(path), lambda _: None) as stream:
        list(ijson.items(stream, "item"))
    assert "secre" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_unreadable_file_says_why(tmp_path: Path) -> None:
    with pytest.raises(IngestError, match="No such file"), open_json(Place(tmp_path / "nothing"), lambda _: None):
        pass
