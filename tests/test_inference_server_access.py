"""Who may ask a server: keys, names under which it is called, pages of other sites; and what browsers are told."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import openai
import pytest

from inference.server.access import is_loopback, names_of
from inference.server.key import check, keep, new_key
from inference.server.running import address_of, listen
from tests.serving import KEY, Running, Scripted, running, serve_with
from twin.errors import ServerError
from twin.settings import Settings, server_key

HELLO = {"messages": [{"role": "user", "content": "hello"}]}
GUARDED = ["/v1/models", "/v1/models/twin", "/metrics", "/api/state", "/nowhere"]
OPEN = ["/healthz", "/readyz", "/"]
ELSEWHERE = [
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://localhost:3000"},
    {"origin": "http://[half"},
    {"sec_fetch_site": "cross-site"},
    {"sec_fetch_site": "same-site"},
    {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors", "sec_fetch_dest": "image"},
]
"""What browsers say of requests that other pages make."""


@pytest.fixture
def local(home: Settings) -> Iterator[Running]:
    with running(serve_with(home), Scripted) as server:
        yield server


@pytest.fixture
def keyed(home: Settings) -> Iterator[Running]:
    with running(serve_with(home, host="0.0.0.0"), Scripted, KEY) as server:
        yield server


def test_without_the_key_only_signs_of_life_and_the_page_are_answered(keyed: Running) -> None:
    with keyed.http(authorization="") as client:
        assert {path: client.get(path).status_code for path in GUARDED} == dict.fromkeys(GUARDED, 401)
        assert 401 not in [client.get(path).status_code for path in [*OPEN, "/page/app.js"]]
        assert client.post("/v1/chat/completions", json=HELLO).status_code == 401
        assert client.post("/api/promote", json={"version": "x"}).status_code == 401
        assert client.post("/api/rollback").status_code == 401
        refused = client.get("/v1/models")
    assert refused.json()["error"]["code"] == "invalid_api_key" and refused.headers["www-authenticate"] == "Bearer"


def test_what_is_not_the_key_is_refused(keyed: Running) -> None:
    with keyed.http() as client:
        for shown in ("", KEY, f"Basic {KEY}", f"Bearer {KEY[:-1]}", f"Bearer {KEY}x", "Bearer", "Bearer é"):
            answer = client.get("/v1/models", headers=[("authorization", shown.encode("latin-1"))])
            assert answer.status_code == 401, shown


def test_the_key_opens_everything_under_any_name(keyed: Running) -> None:
    with keyed.http(host="twin.example.org", authorization=f"bearer  {KEY}") as client:
        assert client.get("/v1/models").status_code == client.get("/metrics").status_code == 200
    assert keyed.openai().chat.completions.create(model="twin", messages=HELLO["messages"]).object == "chat.completion"  # type: ignore[arg-type]
    with pytest.raises(openai.AuthenticationError):
        keyed.openai("another-key-altogether").models.list()


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "192.0.2.1", ""]
)
def test_a_server_without_a_key_answers_to_this_machine_s_names_alone(local: Running, host: str) -> None:
    with local.http(host=host) as client:
        assert client.get("/").status_code == client.get("/api/state").status_code == 403
        assert client.post("/v1/chat/completions", json=HELLO).json()["error"]["code"] == "wrong_host"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8390", "127.0.0.1:1", "[::1]:8390"])
def test_this_machine_s_names_are_fine_with_any_port(local: Running, host: str) -> None:
    with local.http(host=host) as client:
        assert client.get("/api/state").status_code == 200


def test_pages_of_other_sites_get_nothing_even_if_they_know_the_key(local: Running, keyed: Running) -> None:
    for server, headers in product((local, keyed), ELSEWHERE):
        with server.http(**headers) as client:
            answer = client.post("/v1/chat/completions", json=HELLO)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "cross_site"), headers
            assert client.get("/api/state").status_code == client.get("/").status_code == 403
            assert "access-control-allow-origin" not in answer.headers
            assert client.options("/v1/chat/completions").status_code == 403


def test_the_page_itself_and_links_to_it_are_fine(local: Running) -> None:
    with local.http(sec_fetch_site="same-origin", origin=local.address) as client:
        assert client.get("/api/state").status_code == 200
        assert client.post("/v1/chat/completions", json=HELLO).status_code == 200
    with local.http(origin=local.address) as client:  # a browser that tells no more
        assert client.get("/api/state").status_code == 200
    with local.http(sec_fetch_site="cross-site", sec_fetch_mode="navigate", sec_fetch_dest="document") as client:
        assert client.get("/").status_code != 403
        assert client.get("/api/state").status_code == 403
    with local.http(sec_fetch_site="cross-site", sec_fetch_mode="navigate", sec_fetch_dest="iframe") as client:
        assert client.get("/").status_code == 403


def test_a_form_of_another_site_cannot_speak_json(local: Running) -> None:
    """An old browser's form tells neither its site nor an origin; what it can send is no JSON by its type."""
    with local.http(content_type="text/plain") as client:
        answer = client.post("/api/promote", content=b'{"version": "x"}')
    assert answer.status_code == 400 and "application/json" in answer.json()["error"]["message"]


def test_every_answer_keeps_browsers_in_bounds(local: Running) -> None:
    with local.http() as client:
        answers = [client.get(path) for path in ("/", "/page/app.js", "/healthz", "/v1/models", "/nowhere")]
    for headers in (answer.headers for answer in answers):
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"] and "frame-ancestors 'none'" in str(headers)
        assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
        assert "server" not in headers and headers["cache-control"] in ("no-store", "no-cache")


def test_addresses_that_are_not_there_are_told_in_openai_s_shape(local: Running) -> None:
    with local.http() as client:
        for answer in (client.get("/nowhere"), client.get("/page/none.js"), client.delete("/v1/models")):
            assert answer.status_code in (404, 405) and set(answer.json()) == {"error"}
        assert client.get("/page/../app.py").status_code == client.get("/page/%2e%2e/app.py").status_code == 404
        assert client.get("/openapi.json").status_code == client.get("/docs").status_code == 404


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "192.0.2.7"])
def test_where_others_could_reach_it_a_server_needs_a_key(host: str) -> None:
    with pytest.raises(ServerError, match="`twin serve --set-key`"):
        listen(host, 0, None)


def test_a_server_listens_where_it_is_told_and_says_where(home: Settings) -> None:
    with listen("localhost", 0, None) as one, listen("0.0.0.0", 0, KEY) as other:
        assert is_loopback(one.getsockname()[0])
        assert address_of(other) == f"http://127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(ServerError, match=r"another port with --port"):
            listen("127.0.0.1", one.getsockname()[1], None)
    with pytest.raises(ServerError, match="no address for the host"):
        listen("no such host.invalid", 0, KEY)
    with pytest.raises(ServerError, match="cannot listen"):
        listen("192.0.2.7", 0, KEY)  # reserved for documentation: no machine has it


def test_names_are_this_machine_s_and_the_one_it_was_told() -> None:
    assert names_of(["Box.local", "::1"]) == {"localhost", "127.0.0.1", "[::1]", "box.local"}
    assert [is_loopback(address) for address in ("127.3.2.1", "::1", "0.0.0.0", "10.0.0.1", "x")] == [
        True, True, False, False, False,
    ]  # fmt: skip


def test_a_key_is_kept_for_its_owner_alone(home: Settings) -> None:
    file = keep(home.home, KEY)
    assert server_key(home) == KEY and stat.S_IMODE(file.stat().st_mode) == 0o600
    key = new_key()
    check(key)
    assert keep(home.home, key) == file and server_key(home) == key and key != new_key()


@pytest.mark.parametrize(
    "key", ["", "sesame", "with a space in it 123", "ключ-" * 5, "x" * 600, "line\nbreak-0123456789"]
)
def test_a_key_that_is_none_is_refused_and_not_quoted(home: Settings, key: str) -> None:
    with pytest.raises(ServerError) as raised:
        keep(home.home, key)
    assert not key or key not in str(raised.value)
    assert not (home.home / "server-key").exists()


def test_a_key_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ServerError, match="cannot be written"):
        keep(tmp_path / "file" / "home", KEY)
