"""Updates that are brought: the secret, the inbox before the answer, and what is no update."""

from __future__ import annotations

import asyncio
import json
import logging
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from lo_bot_api_emulator import ApiRefusal

from bot.app import run_bot
from bot.inbox import Inbox
from bot.webhook import SECRET_FILE
from tests.bot_api import (
    FAST,
    FRIEND,
    OWNER,
    STRANGER,
    TOKEN,
    BotApi,
    Parrot,
    bot_api,
    bot_settings,
    by_webhook,
    free_port,
    running_bot,
)
from tests.business import business_api, business_settings, is_quiet
from twin.errors import BotError, TwinError
from twin.settings import Settings
from twin.store import Store

HEADER = "X-Telegram-Bot-Api-Secret-Token"


@asynccontextmanager
async def hooked_bot(api: BotApi, home: Path, port: int, **telegram: Any) -> AsyncIterator[Settings]:
    """A bot that messages are brought to; it listens, and the server knows."""
    settings = bot_settings(home, api, telegram=by_webhook(port) | telegram)
    before = len(_hooks(api))
    async with running_bot(api, settings, Parrot):
        await api.until(lambda: len(_hooks(api)) > before)
        yield settings


def _hooks(api: BotApi) -> list[str]:
    return [call.method for call in api.calls if call.method == "setWebhook"]


def _secret(home: Path) -> str:
    return (home / SECRET_FILE).read_text().strip()


def update(number: int, user: int = FRIEND, text: str = "hi") -> dict[str, Any]:
    """An update as Telegram writes one."""
    sender = {"id": user, "is_bot": False, "first_name": "Somebody"}
    chat = {"id": user, "type": "private", "first_name": "Somebody"}
    message = {"message_id": number, "date": 1_800_000_000, "chat": chat, "from": sender, "text": text}
    return {"update_id": number, "message": message}


async def post(port: int, body: Any, secret: str | None, **how: Any) -> int:
    """What is answered to whoever brings that."""
    headers = how.pop("headers", {"Content-Type": "application/json"}) | (
        {HEADER: secret} if secret is not None else {}
    )
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with (
        ClientSession() as client,
        client.request(
            how.pop("method", "POST"), f"http://127.0.0.1:{port}{how.pop('path', '/hook')}", data=data, headers=headers
        ) as got,
    ):
        assert await got.text() in ("", "Forbidden", "Not Found", "Method Not Allowed") or got.status >= 400
        return got.status


async def _raw(port: int, secret: str, rest: bytes) -> bytes:
    """The first line of what is answered to a request that is not finished."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /hook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{HEADER}: {secret}\r\n"
    writer.write(head.encode() + rest)
    line = await asyncio.wait_for(reader.readline(), 60)
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    return line


def _rows(home: Path) -> list[tuple[Any, ...]]:
    with Store.open(home / "twin.db") as store:
        return list(store.db.execute("select update_id, payload from bot_inbox order by update_id").fetchall())


def test_messages_that_are_brought_are_answered_and_the_way_back_to_polling_is_open(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            with free_port() as port:
                async with hooked_bot(api, tmp_path, port):
                    for text in ("one", "two"):
                        await api.write(FRIEND, text)
                    await api.write(STRANGER, "let me in")
                    await api.write(OWNER, "hi")
                    await api.until(lambda: len(api.texts(FRIEND)) == 2 and api.texts(OWNER))
                assert api.texts(FRIEND) == ["you said one", "you said two"]
                assert "getUpdates" not in [call["method"] for call in api.requests]
                await api.write(FRIEND, "anybody there?")  # waits at Telegram while nobody listens
                async with hooked_bot(api, tmp_path, port):
                    await api.until(lambda: api.texts(FRIEND)[2:] == ["you said anybody there?"])
            async with running_bot(api, bot_settings(tmp_path, api), Parrot):
                await api.write(FRIEND, "and now?")
                await api.until(lambda: api.texts(FRIEND)[3:] == ["you said and now?"])
        assert api.texts(STRANGER) == []

    asyncio.run(scene())
    kept = tmp_path / SECRET_FILE
    assert len(_secret(tmp_path)) >= 43 and stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_the_owners_own_chats_are_answered_by_webhook_too(tmp_path: Path) -> None:
    async def scene() -> None:
        async with business_api() as api:
            with free_port() as port:
                settings = business_settings(tmp_path, api, "auto", **by_webhook(port))
                async with running_bot(api, settings, Parrot):
                    await api.until(lambda: _hooks(api))
                    await api.connect()
                    await api.friend("hello")
                    await api.until(lambda: api.said() == ["you said hello"])
                    await api.until(lambda: is_quiet(tmp_path, 2))
                    await api.edit(FRIEND, 1, "edited")
                    await api.press(OWNER, "nothing:")
                    await api.until(lambda: is_quiet(tmp_path, 4))
                assert "getUpdates" not in [call["method"] for call in api.requests]

    asyncio.run(scene())


@pytest.mark.parametrize("forged", [None, "", "wrong", "ünïcode"])
def test_a_request_without_the_secret_is_turned_away_and_leaves_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, forged: str | None
) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            with free_port() as port:
                async with hooked_bot(api, tmp_path, port):
                    assert await post(port, update(7, text="marzipan"), forged) == 403
                    assert await post(port, update(7), _secret(tmp_path)[:-1]) == 403
                    assert await post(port, b"marzipan", forged, headers={}) == 403
                    assert await post(port, update(8), _secret(tmp_path)) == 200
                    await api.until(lambda: api.texts(FRIEND) == ["you said hi"])

    caplog.set_level(logging.DEBUG)
    asyncio.run(scene())
    assert [number for number, _ in _rows(tmp_path)] == [8]
    assert "marzipan" not in caplog.text and _secret(tmp_path) not in caplog.text


def test_what_is_no_update_is_refused_and_what_was_brought_twice_is_answered_once(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            with free_port() as port:
                async with hooked_bot(api, tmp_path, port):
                    secret = _secret(tmp_path)
                    plain = {"Content-Type": "text/plain"}
                    assert await post(port, b"", secret, method="GET") == 405
                    assert await post(port, update(1), secret, path="/other") == 404
                    assert await post(port, update(1), secret, headers=plain) == 415
                    assert b" 413 " in await _raw(port, secret, b"Content-Length: 1048577\r\n\r\n{")
                    chunk = b"%x\r\n%b\r\n" % (2**18, b"a" * 2**18)
                    assert b" 413 " in await _raw(port, secret, b"Transfer-Encoding: chunked\r\n\r\n" + 5 * chunk)
                    for body in (b"{", b"[]", b"{}", b'{"update_id": true}', b'{"update_id": -1}', b"\xff\xfe\x00"):
                        assert await post(port, body, secret) == 400
                    assert await post(port, b'{"update_id": 99999999999999999999}', secret) == 400
                    assert await post(port, b"[" * 500_000 + b"]" * 500_000, secret) == 400
                    poison = {"update_id": 3, "message": {"message_id": 1, "text": "poison"}}
                    for body in (
                        update(2),
                        update(2),
                        poison,
                        poison,
                        {"update_id": 4, "poll": {}},
                        update(5, text="b"),
                    ):
                        assert await post(port, body, secret) == 200
                    await api.until(lambda: len(api.texts(FRIEND)) == 2)
                    assert await post(port, update(2), secret) == 200
                    assert await post(port, update(6, text="c"), secret) == 200
                    await api.until(lambda: len(api.texts(FRIEND)) == 3)
                    assert api.texts(FRIEND) == ["you said hi", "you said b", "you said c"]

    asyncio.run(scene())
    assert dict(_rows(tmp_path)) == dict.fromkeys((2, 3, 4, 5, 6), "{}")


def test_an_update_that_could_not_be_kept_is_brought_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Inbox.keep
    failing = [True]

    def keep(inbox: Inbox, received: dict[str, Any]) -> bool:
        if failing[0]:
            raise OSError("no room for marzipan")
        return kept(inbox, received)

    async def scene() -> None:
        async with bot_api() as api:
            with free_port() as port:
                async with hooked_bot(api, tmp_path, port):
                    monkeypatch.setattr(Inbox, "keep", keep)
                    await api.write(FRIEND, "marzipan")
                    failing[0] = False
                    assert await api.deliver_updates(token=TOKEN) == 1
                    await api.until(lambda: api.texts(FRIEND) == ["you said marzipan"])

    asyncio.run(scene())
    assert "could not be kept (OSError)" in caplog.text and "marzipan" not in caplog.text


def test_a_body_that_does_not_come_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            with free_port() as port:
                async with hooked_bot(api, tmp_path, port):
                    slow = asyncio.create_task(_raw(port, _secret(tmp_path), b"Content-Length: 100\r\n\r\n{"))
                    await api.write(FRIEND, "hi")
                    await api.until(lambda: api.texts(FRIEND) == ["you said hi"])
                    assert b" 408 " in await slow

    monkeypatch.setattr("bot.posted.BODY_SECONDS", 0.5)
    asyncio.run(scene())


def _ends(tmp_path: Path, telegram: dict[str, Any], arrange: Callable[[BotApi], None] = lambda _: None) -> str:
    async def scene() -> None:
        async with bot_api() as api:
            arrange(api)
            await run_bot(bot_settings(tmp_path, api, telegram=telegram), TOKEN, Parrot, asyncio.Event(), FAST)

    with pytest.raises(TwinError) as ended:
        asyncio.run(asyncio.wait_for(scene(), 60))
    return str(ended.value)


def test_what_keeps_a_webhook_from_working_is_one_sentence(tmp_path: Path) -> None:
    with free_port() as port:
        refused = ApiRefusal("Bad Request: bad webhook: IP address 10.0.0.1 is reserved")
        said = _ends(tmp_path, by_webhook(port), lambda api: api.refuse.update(setWebhook=[refused]))
        assert "refuses" in said and "telegram.webhook_url" in said
        assert "no such host" in _ends(tmp_path, by_webhook(port) | {"webhook_host": "no.such.host.invalid"})
        (tmp_path / SECRET_FILE).write_text("two words")
        assert "delete it" in _ends(tmp_path, by_webhook(port))
        (tmp_path / SECRET_FILE).chmod(0o644)
        assert "chmod 600" in _ends(tmp_path, by_webhook(port))


def test_a_port_that_is_taken_is_one_sentence(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = _ends(tmp_path, by_webhook(taken.getsockname()[1]))
    assert "already in use" in said and "telegram.webhook_port" in said


def test_an_outage_at_the_start_is_waited_for(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            away = ApiRefusal("Bad Gateway", 502), ApiRefusal("Too Many Requests", 429, {"retry_after": 0})
            nobody = ApiRefusal("Bad Request: bad webhook: Failed to resolve host: Name or service not known")
            api.refuse["setWebhook"] = [*away, nobody]
            with free_port() as port:
                async with hooked_bot(api, tmp_path, port):
                    await api.write(FRIEND, "hi")
                    await api.until(lambda: api.texts(FRIEND) == ["you said hi"])

    asyncio.run(scene())


def test_a_webhook_that_somebody_ended_is_set_again_once_and_then_given_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            with free_port() as port:
                settings = bot_settings(tmp_path, api, telegram=by_webhook(port))
                often = replace(FAST, check=0.05)

                async def end_it(times: int) -> None:
                    await api._update_queues.set_webhook(TOKEN, {"url": ""})
                    await api.until(lambda: len(_hooks(api)) > times)

                async with running_bot(api, settings, Parrot, often):
                    await api.until(lambda: _hooks(api))
                    await end_it(1)
                    await api.write(FRIEND, "hi")
                    await api.until(lambda: api.texts(FRIEND) == ["you said hi"])
                keep = api._update_queues.set_webhook
                api._update_queues.set_webhook = lambda token, fields: keep(token, {"url": ""})
                with pytest.raises(BotError, match="Another program"):
                    await asyncio.wait_for(run_bot(settings, TOKEN, Parrot, asyncio.Event(), often), 60)

    asyncio.run(scene())
    assert "ended the webhook" in caplog.text


def test_a_token_that_is_rejected_later_ends_a_bot_that_is_brought_messages(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            with free_port() as port:
                api.refuse["getWebhookInfo"] = [ApiRefusal("Bad Gateway", 502), ApiRefusal("Unauthorized", 401)]
                settings = bot_settings(tmp_path, api, telegram=by_webhook(port))
                often = replace(FAST, check=0.05)
                with pytest.raises(BotError, match="rejects"):
                    await asyncio.wait_for(run_bot(settings, TOKEN, Parrot, asyncio.Event(), often), 60)

    asyncio.run(scene())


def test_that_telegram_finds_nobody_at_the_address_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            asked: list[str] = []
            info = api._update_queues.info

            def failing(token: str) -> dict[str, Any]:
                asked.append(token)
                return dict(info(token)) | {"last_error_date": 1_800_000_000, "last_error_message": "SSL error"}

            monkeypatch.setattr(api._update_queues, "info", failing)
            with free_port() as port:
                settings = bot_settings(tmp_path, api, telegram=by_webhook(port))
                async with running_bot(api, settings, Parrot, replace(FAST, check=0.05)):
                    await api.until(lambda: len(asked) >= 3)

    asyncio.run(scene())
    assert caplog.text.count("could not bring messages here") == 1


def test_a_request_that_never_ends_does_not_hold_up_the_end_of_the_bot(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            with free_port() as port:
                async with hooked_bot(api, tmp_path, port):
                    stuck = asyncio.create_task(_raw(port, _secret(tmp_path), b"Content-Length: 100\r\n\r\n{"))
                    await api.write(FRIEND, "hi")
                    await api.until(lambda: api.texts(FRIEND) == ["you said hi"])
                assert b"200" not in await stuck

    asyncio.run(scene())


def test_a_bot_that_polls_needs_no_server() -> None:
    program = "import sys, bot.cli; print({'uvicorn', 'starlette', 'fastapi'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"
