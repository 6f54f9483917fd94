"""Exports with something wrong in them: in their values, their bytes, or the archive around them.

Knows nothing of how they are read. The same seed always makes the same file.
"""

from __future__ import annotations

import copy
import io
import json
import random
import zipfile
from typing import Any

from ingest.json_stream import JsonBytes
from tests.exports import BORIS, chat, full, said, small_talk, without

GARBAGE: list[Any] = [
    None, True, -1, 0, 1.5, 2**63, -(2**70), 10**400, "", "x" * 3_000, "user", "\ud800", "\x00", [], {}, [[[[]]]],
    [{"type": 5}], {"type": "bold", "text": None}, "2**", "9" * 30, [{"type": "emoji", "count": 2**70}],
    {"blocks": [{"type": "plain", "text": "marzipan"}]},
]  # fmt: skip
BYTES = [
    b"\xff",
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b"\\",
    b"\\x",
    b"\\ud800",
    b"\x00",
    b"9" * 5_000,
    b"1e400",
    b"NaN",
    b"[" * 20_000,
    b'"document_id": x',
]
KEYS = ["reactions", "rich_message", "text", "id", "messages", "type", "media_type", "edited_unixtime"]


def export(seed: int) -> bytes:
    """An export with up to three things wrong in its values and two in its bytes."""
    chance = random.Random(seed)
    made = full(
        chat([*small_talk(), said(8, text=["marzipan", {"type": "bold", "text": "marzipan"}]), without(said(9), "id")]),
        chat([said(20, BORIS, photo="p"), said(21, reply_to_message_id=20, edited_unixtime="1700000000")], BORIS),
        chat([said(30)], 9, "Club", "private_group"),
        left=[chat(small_talk(203), 203)],
    )
    made = chance.choice([made, made, made["chats"]["list"][0]])
    for _ in range(chance.randint(0, 3)):
        container, key = chance.choice(_places(made) or [({0: 0}, 0)])
        if chance.random() < 0.3 and isinstance(container, dict):
            del container[key]
        elif chance.random() < 0.2 and isinstance(container, dict):
            container[chance.choice(KEYS)] = copy.deepcopy(chance.choice(GARBAGE))
        else:
            container[key] = copy.deepcopy(chance.choice(GARBAGE))
    content = json.dumps(made, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
    return damaged(content, chance, chance.choice([0, 0, 1, 2]))


def archive(seed: int) -> bytes:
    """An archive with an export that may be mutated, and with something wrong in its own bytes."""
    chance = random.Random(-1 - seed)
    packed = io.BytesIO()
    method = chance.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    with zipfile.ZipFile(packed, "w", method) as written:
        written.writestr(chance.choice(["result.json", "ChatExport/result.json", "../result.json"]), export(seed))
        written.writestr("ChatExport/photos/p.jpg", b"p")
    return damaged(packed.getvalue(), chance, chance.choice([0, 1, 1, 2]))


def text_chat(seed: int) -> bytes:
    """A chat of WhatsApp with something wrong in its lines or bytes."""
    chance = random.Random(seed)
    lines = [f"{day}.03.25, 10:{minute} - {name}: marzipan" for day in (12, 13) for minute in (14, 15) for name in "AB"]
    for _ in range(chance.randint(0, 3)):
        lines.insert(
            chance.randrange(len(lines)), chance.choice(["", "x", "99.99.99, 99:99 - A: x", "1.1.1, 1:11 - :"])
        )
    return damaged("\n".join(lines).encode(), chance, chance.choice([0, 1, 2]))


def json_lines(seed: int) -> bytes:
    """JSON lines with something wrong in their values or bytes."""
    chance = random.Random(seed)
    lines: list[Any] = [
        {"chat": "A", "date": 1_700_000_000 + n, "sender": "A", "is_owner": n % 2 == 0, "text": "marzipan"}
        for n in range(8)
    ]
    for _ in range(chance.randint(0, 3)):
        line = chance.choice(lines)
        line[chance.choice([*line, "id", "chat_id", "x"])] = copy.deepcopy(chance.choice(GARBAGE))
    content = "\n".join(json.dumps(line, ensure_ascii=chance.random() < 0.5) for line in lines)
    return damaged(content.encode("utf-8", "surrogatepass"), chance, chance.choice([0, 0, 1, 2]))


def damaged(content: bytes, chance: random.Random, times: int) -> bytes:
    """Cut off, with a hole, with something between, or with a part twice."""
    bad = bytearray(content)
    for _ in range(times):
        place = chance.randrange(len(bad))
        match chance.randrange(5):
            case 0:
                del bad[place:]
            case 1:
                del bad[place : place + chance.randint(1, 40)]
            case 2:
                bad[place:place] = chance.choice(BYTES)
            case 3:
                bad[place] ^= 1 << chance.randrange(8)
            case _:
                bad[place:place] = bad[place // 2 : place]
        if not bad:
            break
    return bytes(bad)


def messages_in(content: bytes) -> int:
    """How many elements stand in the lists of messages of an export that can be read, whatever they are."""
    repaired = JsonBytes(io.BytesIO(content), lambda _: None)
    text = b"".join(iter(lambda: repaired.read(1 << 16), b"")).decode()
    pairs = {"object_pairs_hook": lambda found: found or [("", None)], "parse_int": str, "parse_float": str}
    whole = json.loads(text, strict=False, **pairs)
    chats = [chat for key in ("chats", "left_chats") for group in _all(whole, key) for chat in _all(group, "list")]
    lists = [whole, *(chat for several in chats if _is_list(several) for chat in several)]
    return sum(len(found) for one in lists for found in _all(one, "messages") if _is_list(found))


def _all(value: Any, key: str) -> list[Any]:
    """Every value under a key of an object, which may stand there several times."""
    return [found for name, found in value if name == key] if _is_object(value) else []


def _is_object(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(pair, tuple) for pair in value)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and not _is_object(value)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) below a JSON value."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    return [place for key in keys for place in [(value, key), *_places(value[key])]]
