"""All that the bot asks of Telegram goes through the proxy, and nothing past it; its password is nowhere."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import logging
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from bot.app import run_bot
from inference import doctor
from tests.bot_api import FAST, FRIEND, OWNER, TOKEN, BotApi, Parrot, bot_api, bot_settings, running_bot, served
from tests.proxies import PASSWORD, USER, Proxy, http_proxy, socks5_proxy
from twin.addresses import proxy_fault
from twin.errors import TwinError
from twin.settings import load_settings

MADE = {"http": http_proxy, "socks5": socks5_proxy}
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


@pytest.fixture(autouse=True)
def _what_httpcore_leaves_open() -> Iterator[None]:
    """A connection to a proxy that refuses is closed by the garbage collector alone; not in somebody else's test."""
    yield
    gc.collect()


def _watched(api: BotApi, came_from: list[int]) -> None:
    """Note the port of every connection at the server's side, beside what the proxies opened."""
    handle = api.handle

    async def noting(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        came_from.append(request.transport.get_extra_info("peername")[1])
        return await handle(request)

    api.handle = noting  # type: ignore[method-assign]


def _opened(proxy: Proxy) -> set[int]:
    names = [writer.get_extra_info("sockname") for writer in proxy.open]
    return {name[1] for name in names if name is not None}


@pytest.mark.parametrize("kind", MADE)
def test_every_request_goes_through_the_proxy_also_through_its_outage(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    came_from: list[int] = []

    async def scene() -> None:
        api = BotApi()
        _watched(api, came_from)
        async with served(api), MADE[kind]() as proxy:
            settings = bot_settings(tmp_path, api, telegram={"proxy": proxy.url})
            async with running_bot(api, settings, Parrot):
                await api.write(FRIEND, "one")
                await api.until(lambda: api.texts(FRIEND) == ["you said one"])
                proxy.fail()
                await api.until(lambda: "cannot be reached" in caplog.text)
                await api.write(FRIEND, "two")
                proxy.is_away = False
                await api.until(lambda: api.texts(FRIEND) == ["you said one", "you said two"])
            assert {call["method"] for call in api.requests} >= {"getMe", "getUpdates", "sendMessage", "setMyCommands"}
            assert came_from and set(came_from) <= _opened(proxy), "whoever asked the server was the proxy"
            assert proxy.seen and USER not in str(proxy.seen)

    caplog.set_level(logging.DEBUG)
    asyncio.run(scene())
    ours = [
        record.getMessage() for record in caplog.records if record.name.split(".")[0] in ("bot", "twin", "telegram")
    ]
    assert PASSWORD not in str(ours) and TOKEN not in str(ours)


@pytest.mark.parametrize("kind", MADE)
def test_a_proxy_that_hangs_is_given_up_and_tried_again(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        async with bot_api() as api, MADE[kind]() as proxy:
            proxy.is_stuck = True
            async with running_bot(api, bot_settings(tmp_path, api, telegram={"proxy": proxy.url}), Parrot):
                await api.until(lambda: "cannot be reached (TimedOut)" in caplog.text)
                proxy.is_stuck = False
                monkeypatch.undo()
                await api.write(FRIEND, "hi")
                await api.until(lambda: api.texts(FRIEND) == ["you said hi"])

    monkeypatch.setattr("bot.limited.SECONDS", 0.3)
    asyncio.run(scene())


@pytest.mark.parametrize("kind", MADE)
def test_a_proxy_that_does_not_know_the_password_is_waited_for_and_not_passed_by(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        async with bot_api() as api, MADE[kind]() as proxy:
            wrong = proxy.url.replace(PASSWORD, "wr0ng")
            async with running_bot(api, bot_settings(tmp_path, api, telegram={"proxy": wrong}), Parrot):
                await api.until(lambda: "cannot be reached" in caplog.text)
            assert api.requests == []

    asyncio.run(scene())
    assert "wr0ng" not in caplog.text


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("kind", MADE)
def test_without_a_setting_the_environment_names_the_proxy_and_exceptions_from_it(
    tmp_path: Path, kind: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        async with bot_api() as api, MADE[kind]() as proxy:
            monkeypatch.setenv(variable, proxy.url)
            for exception, through in (("", True), ("127.0.0.1", False)):
                monkeypatch.setenv("NO_PROXY", exception)
                proxy.seen.clear()
                before = len(api.texts(OWNER))
                async with running_bot(api, bot_settings(tmp_path, api), Parrot):
                    await api.write(OWNER, "hi")
                    await api.until(lambda: len(api.texts(OWNER)) > before)  # noqa: B023 - waited for here
                assert bool(proxy.seen) == through

    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    asyncio.run(scene())


def test_the_proxy_looks_up_names(tmp_path: Path) -> None:
    async def scene() -> None:
        async with bot_api() as api, socks5_proxy() as proxy:
            named = {"proxy": proxy.url, "bot_api_url": api.url.replace("127.0.0.1", "localhost")}
            async with running_bot(api, bot_settings(tmp_path, api, telegram=named), Parrot):
                await api.write(OWNER, "hi")
                await api.until(lambda: api.texts(OWNER))
            assert proxy.seen and all(place.startswith("localhost:") for place in proxy.seen)

    asyncio.run(scene())


def _certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for this machine, signed by itself, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(1))
    made = made.add_extension(
        x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
    )
    signed = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, SHA256())
    pem = folder / "server.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem.write_bytes(private + signed.public_bytes(Encoding.PEM))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    return pem, context


def test_to_an_https_address_an_http_proxy_sees_where_and_not_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem, context = _certificate(tmp_path)

    async def scene() -> None:
        api = BotApi()
        runner = web.AppRunner(api.app(), access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        api.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
        async with http_proxy() as proxy:
            async with running_bot(api, bot_settings(tmp_path, api, telegram={"proxy": proxy.url}), Parrot):
                await api.write(OWNER, "hi")
                await api.until(lambda: api.texts(OWNER) == ["you said hi"])
            assert {line.split()[0] for line in proxy.seen} == {"CONNECT"} and TOKEN not in str(proxy.seen)
        await runner.cleanup()

    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    asyncio.run(scene())


def test_the_setting_wins_over_the_environment_and_its_exceptions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        async with bot_api() as api, http_proxy() as proxy:
            monkeypatch.setenv("NO_PROXY", "*")
            monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
            async with running_bot(api, bot_settings(tmp_path, api, telegram={"proxy": proxy.url}), Parrot):
                await api.write(OWNER, "hi")
                await api.until(lambda: api.texts(OWNER))
            assert any("sendMessage" in line for line in proxy.seen)

    asyncio.run(scene())


@pytest.mark.parametrize("spoilt", ["gopher://u:s3cret@h:1", "http://u:s3cret@h:port"])
def test_a_proxy_in_the_environment_that_is_none_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoilt: str
) -> None:
    async def scene() -> None:
        async with bot_api() as api:
            await run_bot(bot_settings(tmp_path, api), TOKEN, Parrot, asyncio.Event(), FAST)

    monkeypatch.setenv("ALL_PROXY", spoilt)
    with pytest.raises(TwinError) as ended:
        asyncio.run(scene())
    assert "ALL_PROXY" in str(ended.value) and "s3cret" not in str(ended.value)


@pytest.mark.parametrize(
    "spoilt",
    [
        "ftp://u:s3cret@h",
        "s3cret",
        "http://",
        "http://u:s3cret#@h:1",
        "socks5://h:99999",
        "http://h/s3cret",
        "http://h\t",
    ],
)
def test_what_is_no_proxy_is_a_sentence_that_does_not_hold_it(
    spoilt: str, run_twin: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWIN_TELEGRAM__PROXY", spoilt)
    for arguments in (["bot"], ["--verbose", "bot"]):
        ran = run_twin(*arguments)
        assert ran.code == 2 and "telegram.proxy" in ran.err and ran.err.count("\n") == 1
        assert "s3cret" not in ran.out + ran.err


def test_a_proxy_is_kept_out_of_what_settings_look_like(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWIN_TELEGRAM__PROXY", f"socks5://{USER}:{PASSWORD}@127.0.0.1:1080")
    settings = load_settings()
    assert settings.telegram.proxy is not None and PASSWORD in settings.telegram.proxy.get_secret_value()
    assert PASSWORD not in repr(settings) + str(settings.telegram) + str(settings.model_dump_json())
    assert proxy_fault(f"socks5h://{USER}:{PASSWORD}@[::1]:1080") is None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://bot.example.org/hook", "https://"),
        ("bot.example.org", "no address"),
        ("https://bot.example.org:8391/hook", "8443"),
        ("https://a:s3cret@bot.example.org/", "more than an address"),
        ("https://bot.example.org/{x}", "path"),
    ],
)
def test_what_is_no_webhook_is_a_sentence(
    url: str, said: str, run_twin: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWIN_TELEGRAM__WEBHOOK_URL", url)
    ran = run_twin("bot")
    assert ran.code == 2 and "telegram.webhook_url" in ran.err and said in ran.err and "s3cret" not in ran.err


def _way(monkeypatch: pytest.MonkeyPatch, **telegram: str) -> str:
    for name, value in telegram.items():
        monkeypatch.setenv(f"TWIN_TELEGRAM__{name.upper()}", value)
    found = doctor._way(load_settings())
    return f"{found.check}: {found.seen}"


def test_the_doctor_tells_how_messages_come_and_keeps_logins_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "fetches them from Telegram" in _way(monkeypatch)
    proxy = f"socks5://{USER}:{PASSWORD}@127.0.0.1:1080"
    said = _way(monkeypatch, webhook_url="https://bot.example.org/s3cret", proxy=proxy)
    assert "brings them to bot.example.org" in said and "proxy 127.0.0.1:1080" in said
    assert PASSWORD not in said and "s3cret" not in said
