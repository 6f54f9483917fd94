"""What is sent to do harm: by strangers, by guests who command, through versions' names, and by sheer size.

The webhook's own door is tested in tests/test_bot_webhook.py, that nothing tells secrets in tests/test_bot_secrets.py.
"""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import bot
from bot import wording
from bot.phrases import GUESTS_COMMANDS
from tests.bot_api import (
    FRIEND,
    OWNER,
    STRANGER,
    TOKEN,
    BotApi,
    Parrot,
    bot_api,
    bot_settings,
    free_port,
    running_bot,
)
from tests.bot_versions import publish
from tests.test_bot_webhook import hooked_bot, post, update
from twin.registry import Registry
from twin.settings import Settings
from twin.store import Store

GROUP = -1001234567890
CHAT = {"id": GROUP, "type": "supergroup", "title": "us"}
OWNERS_ALONE = sorted(set(wording.OWNER_COMMANDS) - set(GUESTS_COMMANDS))
_LIVE = {"bot_inbox", "bot_messages", "bot_admitted", "bot_planned", "bot_menus", "sqlite_sequence"}
"""What any talk changes."""


def _person(user: int, **fields: Any) -> dict[str, Any]:
    return {"id": user, "is_bot": False, "first_name": "Somebody"} | fields


def _tables(home: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of the database."""
    with Store.open(home / "twin.db") as store:
        names = [name for (name,) in store.db.execute("select name from sqlite_master where type = 'table'")]
        return {name: store.db.execute(f'select * from "{name}"').fetchall() for name in names}  # noqa: S608


def _decided(home: Path) -> dict[str, list[tuple[Any, ...]]]:
    """What only the owner decides: all rows but those of talk."""
    return {name: rows for name, rows in _tables(home).items() if name not in _LIVE}


async def _push(api: BotApi, kind: str, content: dict[str, Any]) -> None:
    """An update of any size and kind, past the emulator's own checks."""
    state = api._update_queues._state(TOKEN)
    async with state.condition:
        state.updates.append({"update_id": state.next_id, kind: content})
        state.next_id += 1
        state.condition.notify_all()


async def _is_alive(api: BotApi, user: int = OWNER) -> None:
    """Whoever writes now is answered, so what came before was dealt with."""
    before = len(api.texts(user))
    await api.write(user, "are you there")
    await api.until(lambda: len(api.texts(user)) > before)


def test_a_stranger_gets_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    words = "marzipan"
    forms: list[dict[str, Any]] = [
        {"text": words},
        {"text": f"/start {words}"},
        {"text": f"/allow {STRANGER} {words}"},
        {"text": "", "caption": words, "photo": [{"file_id": "a", "file_unique_id": "b", "width": 1, "height": 1}]},
        {"text": words, "forward_origin": {"type": "user", "sender_user": _person(OWNER), "date": 1}},
        {"text": words, "via_bot": _person(OWNER, is_bot=True)},
        {"text": words, "sender_chat": {"id": OWNER, "type": "channel", "title": words}},
        {"text": f"@emulated_twin_bot {words}", "chat": CHAT},
        {"text": words, "chat": {"id": OWNER, "type": "group", "title": words}},
    ]

    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), Parrot):
            await _is_alive(api)
            before = _decided(tmp_path)
            for form in forms:
                await api.write(STRANGER, **form)
            await api.edit(STRANGER, api.newest, words)
            await api.press(STRANGER, f"version:promote:{words}")
            await _push(api, "channel_post", {"message_id": 1, "date": 1, "chat": CHAT, "text": words})
            await _is_alive(api)
            assert {call.chat_id for call in api.calls} <= {OWNER, None}
            assert _decided(tmp_path) == before

    asyncio.run(scene())
    assert words not in str(_tables(tmp_path))


def test_a_stranger_who_writes_during_a_pause_leaves_nothing_either(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), Parrot):
            await api.write(OWNER, "/pause")
            await api.until(lambda: api.texts(OWNER))
            await api.write(STRANGER, "marzipan")
            await api.write(OWNER, "/status")
            await api.until(lambda: len(api.texts(OWNER)) == 2)
            assert "marzipan" not in str(_tables(tmp_path))

    asyncio.run(scene())


def test_a_strangers_update_and_a_replayed_one_are_worth_nothing_though_they_bring_the_secret(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            with free_port() as port:
                async with hooked_bot(api, tmp_path, port):
                    secret = (tmp_path / "webhook-secret").read_text().strip()
                    assert await post(port, update(5, STRANGER, "marzipan"), secret) == 200
                    assert await post(port, update(6, FRIEND, "hi"), secret) == 200
                    await api.until(lambda: api.texts(FRIEND) == ["you said hi"])
                    for other in (update(6, FRIEND, "marzipan"), update(6, OWNER, "/pause")):
                        assert await post(port, other, secret) == 200
                    assert await post(port, update(7, FRIEND, "still there?"), secret) == 200
                    await api.until(lambda: api.texts(FRIEND)[1:] == ["you said still there?"])
                    assert api.texts(STRANGER) == api.texts(OWNER) == []

    asyncio.run(scene())
    assert "marzipan" not in str(_tables(tmp_path))


def _prefixes() -> set[str]:
    """What the data of the bot's buttons begins with, of all its modules."""
    modules = [importlib.import_module(f"bot.{found.name}") for found in pkgutil.iter_modules(bot.__path__)]
    found = {value for module in modules for name, value in vars(module).items() if name.endswith("PREFIX")}
    assert len(found) >= 2
    return {prefix for prefix in found if isinstance(prefix, str) and not prefix.startswith("forget")}


def _forged(command: str) -> Iterator[dict[str, Any]]:
    """The ways in which somebody other than the owner might give a command."""
    passed_on = {"type": "user", "sender_user": _person(OWNER), "date": 1}
    photo = [{"file_id": "a", "file_unique_id": "b", "width": 1, "height": 1}]
    entity = [{"type": "bot_command", "offset": 0, "length": len(command.split()[0])}]
    yield {"text": command}
    yield {"text": f"{command.split()[0]}@emulated_twin_bot {' '.join(command.split()[1:])}"}
    yield {"text": command.upper()}
    yield {"text": "", "caption": command, "caption_entities": entity, "photo": photo}
    yield {"text": command, "forward_origin": passed_on}
    yield {"text": command, "via_bot": _person(OWNER, is_bot=True)}
    yield {"text": command, "sender_chat": {"id": OWNER, "type": "private", "first_name": "Owner"}}
    yield {"text": command, "chat": CHAT}
    yield {"text": f"@emulated_twin_bot {command}", "chat": CHAT}
    yield {"text": command, "chat": {"id": OWNER, "type": "supergroup", "title": "us"}}


def _guarded_home(tmp_path: Path) -> Settings:
    for version in ("v1", "v2"):
        publish(tmp_path, version)
    return Settings(home=tmp_path)


@contextmanager
def _nothing_decided(home: Path) -> Iterator[None]:
    before = _decided(home)
    yield
    assert _decided(home) == before


COMMANDS = [*(f"/{name}" for name in OWNERS_ALONE), f"/allow {STRANGER}", "/allow link", f"/deny {FRIEND}"]
COMMANDS += ["/retrain force", "/settings temperature 2", "/settings pacing fast", "/versions v1"]


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_of_the_owners_works_for_anybody_else(tmp_path: Path, command: str) -> None:
    _guarded_home(tmp_path)

    async def scene() -> None:
        async with bot_api() as api:
            generous = {"allowed_ids": [FRIEND, GROUP, OWNER], "messages_per_minute": 1000}
            async with running_bot(api, bot_settings(tmp_path, api, telegram=generous), Parrot):
                await _is_alive(api, FRIEND)
                with _nothing_decided(tmp_path):
                    for form in _forged(command):
                        await api.write(FRIEND, **form)
                        await api.write(STRANGER, **form)
                    await api.edit(FRIEND, api.newest, command)
                    await api.press(FRIEND, command)
                    await _is_alive(api, FRIEND)
                    await _is_alive(api)
                assert set(api.texts(OWNER)) == {"you said are you there"}, "the owner hears of none of it"

    asyncio.run(scene())


def test_no_button_of_the_owners_works_for_anybody_else(tmp_path: Path) -> None:
    _guarded_home(tmp_path)
    ends = ["list", "back", "show:v1", "promote:v1", "try:v1", "send:1", "edit:1", "skip:1", "1", "1:1", "yes", ""]
    data = [f"{prefix}{end}" for prefix in sorted(_prefixes()) for end in ends]
    data += [f"allow:{STRANGER}", "pause", "resume", "retrain:force", "promote:v1"]

    async def scene() -> None:
        async with bot_api() as api:
            settings = bot_settings(tmp_path, api, telegram={"messages_per_minute": 1000})
            async with running_bot(api, settings, Parrot):
                await _is_alive(api, FRIEND)
                with _nothing_decided(tmp_path):
                    for forged in data:
                        await api.press(FRIEND, forged)
                        await api.press(STRANGER, forged)
                    await _is_alive(api, FRIEND)
                assert api.edits(FRIEND) == [] and api.texts(OWNER) == []

    asyncio.run(scene())


@pytest.mark.parametrize("how", ["forward_origin", "via_bot"])
def test_the_owner_gives_no_command_by_passing_on_what_somebody_else_wrote(tmp_path: Path, how: str) -> None:
    """Friends write "/allow 3003" to the owner, who forwards it to the bot: to let *them* in, as /allow asks for."""
    _guarded_home(tmp_path)
    origin = {"type": "user", "sender_user": _person(FRIEND), "date": 1}
    field = {how: origin if how == "forward_origin" else _person(4004, is_bot=True)}

    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(tmp_path, api), Parrot):
            await _is_alive(api)
            with _nothing_decided(tmp_path):
                for command in COMMANDS:
                    await api.write(OWNER, command, **field)
                await _is_alive(api)
            assert all(text.startswith("you said") for text in api.texts(OWNER))

    asyncio.run(scene())


_watching: list[Path] = []
_opened: list[str] = []


def _note_opening(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event in ("open", "os.listdir", "os.scandir", "os.rename", "os.remove") and arguments:
        name = str(arguments[0])
        if any(str(Path(name).absolute().resolve()).startswith(str(place)) for place in _watching if "\0" not in name):
            _opened.append(name)


sys.addaudithook(_note_opening)  # cannot be taken away again; it looks only while there is something to watch


@contextmanager
def _untouched(place: Path) -> Iterator[None]:
    """Nothing in a folder is opened or listed meanwhile."""
    _opened.clear()
    _watching.append(place.resolve())
    try:
        yield
    finally:
        _watching.clear()
    assert _opened == []


def test_a_versions_name_leads_nowhere_but_to_a_version(tmp_path: Path) -> None:
    home, outside = tmp_path / "home", tmp_path / "outside"
    for folder in (home, outside):
        folder.mkdir()
        publish(folder, "v1")
    publish(home, "v2")
    evil = outside / "adapters" / "v1"
    names = [
        "../../outside/adapters/v1",
        "../adapters/v1",
        "./v1",
        "v1/",
        "v1/../v1",
        str(evil),
        f"file://{evil}",
        "..",
        ".",
        "",
        "v1\0",
        "\0",
        "v1\n",
        "~",
        "%2e%2e%2fv1",
        "..\\..\\outside",
        "\uff0e\uff0e/v1",
        "v\u0661",
        "v1\u202e",
        "' or 1=1 --",
        "x" * 5000,
        "../" * 500 + str(evil),
    ]

    async def scene() -> None:
        async with bot_api() as api, running_bot(api, bot_settings(home, api), Parrot):
            await _is_alive(api)
            with _untouched(outside), _nothing_decided(home):
                for name in names:
                    for act in ("show", "promote", "try"):
                        await api.press(OWNER, f"version:{act}:{name}")
                    await api.write(OWNER, f"/versions {name}")
                    await api.write(OWNER, f"/why {name}")
                await _is_alive(api)
            assert "weights" not in str(api.calls) and str(outside) not in str(api.edits(OWNER))

    asyncio.run(scene())
    with Store.open(home / "twin.db") as store:
        assert Registry(home / "adapters", store.db).current() == "v2"


def test_a_folder_outside_that_is_read_would_be_noticed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(AssertionError), _untouched(tmp_path):
        (tmp_path / "file").read_text()


def _nested(depth: int) -> Any:
    """Lists within lists."""
    inner: Any = "x"
    for _ in range(depth):
        inner = [inner]
    return inner


def _monsters() -> dict[str, dict[str, Any]]:
    """Messages' fields beyond all that Telegram lets anybody send."""
    bold = [{"type": "bold", "offset": n, "length": 1} for n in range(5000)]
    mention = [{"type": "mention", "offset": n, "length": 9_999_999} for n in range(5000)]
    photo = [{"file_id": "a", "file_unique_id": "b", "width": 1, "height": 1}]
    return {
        "long": {"text": "a" * 4097},
        "very long": {"text": "ab " * 100_000},
        "entities": {"text": "a" * 5000, "entities": bold},
        "wrong entities": {"text": "a", "entities": [*mention, {"type": "bold", "offset": -5, "length": -1}]},
        "nested": {"text": "a", "unknown": _nested(300)},
        "caption": {"caption": "c" * 5_000_000, "photo": photo},
        "controls": {"text": "".join(map(chr, range(1, 32))) + "\0\x7f\x9b31m"},
        "bidi": {"text": "\u202e\u2066\u200f" * 1000 + "x"},
        "nothing to see": {"text": "\u200b\u2060\ufeff" * 500},
        "combining": {"text": "a" + "\u0301" * 4000},
        "surrogate": {"text": "\ud800 half of a letter"},
        "huge ids": {"text": "x", "message_id": 2**70},
        "huge date": {"text": "x", "date": 2**70},
    }


def _kept(home: Path) -> list[str]:
    with Store.open(home / "twin.db") as store:
        return [payload for (payload,) in store.db.execute("select distinct payload from bot_inbox")]


@pytest.mark.parametrize("kind", _monsters())
def test_an_oversize_message_neither_ends_the_bot_nor_holds_up_others(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            parrot = Parrot(lambda heard: ["ok"])
            settings = bot_settings(tmp_path, api, telegram={"allowed_ids": [FRIEND, GROUP]})
            async with running_bot(api, settings, lambda: parrot):
                for number, chat in enumerate(({"id": FRIEND, "type": "private", "first_name": "S"}, CHAT)):
                    base = {"message_id": 9000 + number, "date": 1, "chat": chat, "from": _person(FRIEND)}
                    await _push(api, "message", base | _monsters()[kind])
                    await _push(api, "edited_message", base | {"edit_date": 2} | _monsters()[kind])
                await _is_alive(api)
                await _is_alive(api, FRIEND)
                await api.until(lambda: _kept(tmp_path) == ["{}"])  # each is dealt with, none waits for another start

    asyncio.run(scene())
    assert "half of a letter" not in caplog.text and "cccc" not in caplog.text
