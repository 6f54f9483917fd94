"""`twin scrub`: lines in, lines out, one by one; a bad one is named by its number alone."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture
def scrub(run_twin: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`scrub(b"...")`: the verb with these bytes on stdin."""

    def run(given: bytes | str | list[Any]) -> Any:
        if isinstance(given, list):
            given = "\n".join(json.dumps(line, ensure_ascii=False) for line in given)
        data = given if isinstance(given, bytes) else given.encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))
        return run_twin("scrub")

    return run


def lines(out: str) -> list[Any]:
    return [json.loads(line) for line in out.splitlines()]


def test_a_message_comes_back_with_spans_and_without_its_secret(scrub: Run) -> None:
    ran = scrub([{"text": "wifi pw is sunflower88 btw"}])
    assert (ran.code, ran.err) == (0, "")
    assert lines(ran.out) == [
        {
            "text": "wifi pw is sunflower88 btw",
            "spans": [{"start": 11, "end": 22, "label": "PASSWORD"}],
            "scrubbed": "wifi pw is [password] btw",
        }
    ]


def test_messages_come_back_with_a_list_for_each(scrub: Run) -> None:
    ran = scrub([{"messages": ["wifi password?", "sunflower", "thx"]}])
    (line,) = lines(ran.out)
    assert line["messages"] == ["wifi password?", "sunflower", "thx"]
    assert line["spans"] == [[], [{"start": 0, "end": 9, "label": "PASSWORD"}], []]
    assert line["scrubbed"] == ["wifi password?", "[password]", "thx"]


def test_messages_that_are_objects_hold_their_own_too(scrub: Run) -> None:
    ran = scrub([{"messages": [{"text": "пин?", "from": "a"}, {"text": "4471", "from": "b"}], "chat": 7}])
    (line,) = lines(ran.out)
    spans = [{"start": 0, "end": 4, "label": "PASSWORD"}]
    assert line["chat"] == 7
    assert line["messages"][1] == {"text": "4471", "from": "b", "spans": spans, "scrubbed": "[password]"}
    assert line["spans"] == [[], spans]


def test_what_else_a_line_holds_stays_and_order_is_kept(scrub: Run) -> None:
    given = [{"text": f"{number} ok", "id": number, "lang": "рус"} for number in range(50)]
    assert [(line["id"], line["lang"]) for line in lines(scrub(given).out)] == [(n, "рус") for n in range(50)]


def test_offsets_are_code_points_and_text_stays_readable(scrub: Run) -> None:
    ran = scrub([{"text": "😀 密码是abc12345"}])
    assert "😀 密码是abc12345" in ran.out
    assert lines(ran.out)[0]["spans"] == [{"start": 5, "end": 13, "label": "PASSWORD"}]


def test_nothing_in_is_nothing_out(scrub: Run) -> None:
    assert scrub(b"").out == ""
    assert scrub(b"\n\n").code == 0
    assert lines(scrub([{"messages": []}]).out) == [{"messages": [], "spans": [], "scrubbed": []}]


def test_a_byte_order_mark_is_no_error_and_half_a_surrogate_pair_none_either(scrub: Run) -> None:
    assert scrub(b'\xef\xbb\xbf{"text": "hi"}').code == 0
    assert lines(scrub('{"text": "\\ud83d pin: 4471"}').out)[0]["scrubbed"] == "\ud83d pin: [password]"


BAD = [
    b'{"text": "hunter2"',
    b"hunter2",
    b'["hunter2"]',
    b"{}",
    b'{"text": 5}',
    b'{"text": null}',
    b'{"text": "hunter2", "messages": []}',
    b'{"messages": "hunter2"}',
    b'{"messages": ["hunter2", 5]}',
    b'{"messages": [{"hunter2": 1}]}',
    b'{"text": "\xff hunter2"}',
    b"[" * 100_000,
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: repr(bad[:40]))
def test_a_bad_line_is_named_by_its_number_after_the_good_ones(scrub: Run, bad: bytes) -> None:
    ran = scrub(b'{"text": "ok"}\n\n' + bad + b'\n{"text": "never reached"}\n')
    assert ran.code == 2
    assert ran.err.startswith("twin: Line 3 ")
    assert ran.err.count("\n") == 1
    assert "hunter2" not in ran.err
    assert [line["text"] for line in lines(ran.out)] == ["ok"]


def test_a_line_is_answered_before_the_next_is_sent() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "twin", "scrub"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        for text in ("pin: 4471", "ok"):
            child.stdin.write(json.dumps({"text": text}) + "\n")
            child.stdin.flush()
            assert json.loads(child.stdout.readline())["text"] == text
        child.stdin.close()
        assert child.wait() == 0
