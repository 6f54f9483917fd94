"""Whatever befalls a bot that runs, as a process of its own: its secrets stand in nothing that it writes or shows."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from lo_bot_api_emulator import ApiRefusal

from tests.bot_api import FRIEND, OWNER, TOKEN, BotApi, bot_api, by_webhook, free_port, served
from tests.proxies import PASSWORD, Proxy, http_proxy, socks5_proxy
from tests.test_bot_webhook import post, update
from twin.secret_files import keep_secret

ROOT = Path(__file__).parents[1]
_BOT = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import bot.cli
from bot.commands import Commands
from tests.bot_api import Parrot
from twin.settings import bot_token, load_settings

async def fail(self, update, context):
    raise ValueError("https://api.telegram.org/bot" + bot_token(load_settings()) + "/getMe")

def build(settings):
    return Parrot()

Commands.status = fail
bot.cli.build_generator = build
from twin.cli import main
main(sys.argv[1:])
"""


def _home(home: Path, api: BotApi, proxy: Proxy, **telegram: Any) -> None:
    """Secrets where they belong: the token in its file, the proxy's password in the settings."""
    keep_secret(home, "bot-token", TOKEN)
    chosen = {"owner_id": OWNER, "allowed_ids": [FRIEND], "bot_api_url": api.url, "proxy": proxy.url, **telegram}
    chosen |= {"debounce_seconds": 0, "disclosure": False}
    lines = [f"{key} = {json.dumps(value)}" for key, value in chosen.items()]
    (home / "twin.toml").write_text("\n".join(["[telegram]", *lines, ""]))
    (home / "twin.toml").chmod(0o600)


@asynccontextmanager
async def _process(api: BotApi, home: Path, *arguments: str) -> AsyncIterator[subprocess.Popen[bytes]]:
    """`twin ...` as a process, its outputs in home/out and home/err; whatever it still is at the end, it is killed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TWIN_")}
    environment |= {"TWIN_HOME": str(home), "TWIN_BASE__MODEL": str(home / "no-model")}
    with (home / "out").open("wb") as out, (home / "err").open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-c", _BOT, *arguments], env=environment, stdout=out, stderr=err, cwd=home
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _told(home: Path) -> str:
    return (home / "err").read_text()


def _shown(pid: int) -> bytes:
    """What everybody on the machine sees of a process and of its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    found = b"".join(Path(f"/proc/{number}/cmdline").read_bytes() for number in (pid, *children))
    assert b"-c" in found or b"-m" in found
    return found + b"".join(Path(f"/proc/{number}/environ").read_bytes() for number in (pid, *children))


def _search(home: Path, *secrets: str) -> None:
    """Nothing but the files that keep the secrets holds them."""
    keepers = {home / "bot-token", home / "twin.toml", home / "webhook-secret"}
    looked = [file for file in home.rglob("*") if file.is_file() and file not in keepers]
    assert {"out", "err"} <= {file.name for file in looked}
    for file in looked:
        for secret in (TOKEN, TOKEN.split(":")[1], PASSWORD, *secrets):
            assert secret.encode() not in file.read_bytes(), f"{file.name} holds a secret"


async def _misfortunes(api: BotApi, proxy: Proxy, home: Path) -> None:
    """A handler that fails, an update that cannot be read, a refusal, an outage; the bot lives on."""
    await api.write(OWNER, "/status")
    await api.until(lambda: "could not be handled (ValueError" in _told(home))
    await api.enqueue_update({"message": {"message_id": 1, "text": TOKEN}}, token=TOKEN)
    api.refuse["sendMessage"] = [ApiRefusal(f"Forbidden: {api.url}/bot{TOKEN} was blocked", 403)]
    await api.write(FRIEND, "blocked")
    await api.write(FRIEND, "hi")
    await api.until(lambda: api.texts(FRIEND) == ["you said hi"])


def test_a_bot_that_polls_tells_its_secrets_to_nobody(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api, http_proxy() as proxy:
            _home(tmp_path, api, proxy)
            again = ApiRefusal("Conflict: terminated by other getUpdates request", 409)
            api.refuse |= {"getMe": [ApiRefusal("Bad Gateway", 502)], "getUpdates": [again, again]}
            async with _process(api, tmp_path, "--verbose", "bot") as process:
                await _misfortunes(api, proxy, tmp_path)
                assert TOKEN.encode() not in _shown(process.pid) and PASSWORD.encode() not in _shown(process.pid)
                proxy.fail()
                await api.until(lambda: _told(tmp_path).count("cannot be reached") >= 2)
                api.refuse["getUpdates"] = [ApiRefusal("Unauthorized", 401)]
                proxy.is_away = False
                await api.until(lambda: process.poll() is not None)
                assert process.returncode == 2

    asyncio.run(scene())
    said = _told(tmp_path)
    assert "rejects the bot's token" in said and "cannot be read" in said and "Traceback" not in said
    _search(tmp_path)


def test_a_bot_with_a_webhook_tells_its_secrets_to_nobody(tmp_path: Path) -> None:
    async def scene() -> str:
        async with bot_api() as api, socks5_proxy() as proxy:
            with free_port() as port:
                _home(tmp_path, api, proxy, **by_webhook(port))
                async with _process(api, tmp_path, "--verbose", "bot") as process:
                    await api.until(lambda: "brings messages to" in _told(tmp_path))
                    secret = (tmp_path / "webhook-secret").read_text().strip()
                    await _misfortunes(api, proxy, tmp_path)
                    assert await post(port, update(900, text=TOKEN), "forged") == 403
                    assert await post(port, secret.encode(), secret) == 400
                    shown = _shown(process.pid)
                    assert not any(word.encode() in shown for word in (TOKEN, PASSWORD, secret))
                    process.send_signal(signal.SIGTERM)
                    await api.until(lambda: process.poll() is not None)
                    assert process.returncode == 0
                refused = f"Bad Request: bad webhook: {secret} at http://127.0.0.1:{port}/hook"
                api.refuse["setWebhook"] = [ApiRefusal(refused)]
                (tmp_path / "err").rename(tmp_path / "first-err")
                async with _process(api, tmp_path, "--verbose", "bot") as process:
                    await api.until(lambda: process.poll() is not None)
                    assert process.returncode == 2 and "refuses the address" in _told(tmp_path)
            return secret

    secret = asyncio.run(scene())
    _search(tmp_path, secret)


def test_a_supervised_bot_whose_log_goes_to_a_file_tells_its_secrets_to_nobody(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api, http_proxy() as proxy:
            _home(tmp_path, api, proxy)
            api.refuse["getMe"] = [ApiRefusal("Bad Gateway", 502), ApiRefusal(f"Unauthorized {TOKEN}", 401)]
            log = tmp_path / "up.log"
            async with _process(api, tmp_path, "--verbose", "up", "--log-file", str(log)) as process:
                await api.until(lambda: "cannot be reached" in (log.read_text() if log.exists() else ""))
                shown = _shown(process.pid)
                assert TOKEN.encode() not in shown and PASSWORD.encode() not in shown
                await api.until(lambda: "rejects the bot's token" in log.read_text())
                process.send_signal(signal.SIGTERM)
                await api.until(lambda: process.poll() is not None)

    asyncio.run(scene())
    _search(tmp_path)


def test_a_server_that_answers_nonsense_is_no_reason_to_tell(tmp_path: Path) -> None:
    """Pages instead of answers, with the token in them; and what the library makes of that."""

    async def scene() -> None:
        api = BotApi()
        answer = api.handle

        async def nonsense(request: web.Request) -> web.StreamResponse:
            if request.match_info["method"] == "getUpdates":
                return web.Response(text=f"<p>{TOKEN} at {request.path}</p>")
            return await answer(request)

        api.handle = nonsense  # type: ignore[method-assign]
        async with served(api), http_proxy() as proxy:
            _home(tmp_path, api, proxy)
            async with _process(api, tmp_path, "--verbose", "bot") as process:
                await api.until(lambda: "cannot be reached" in _told(tmp_path))
                process.send_signal(signal.SIGTERM)
                await api.until(lambda: process.poll() is not None)

    asyncio.run(scene())
    _search(tmp_path)
