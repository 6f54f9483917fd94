"""Messages a second, `twin ingest telegram` into SQLite against bare `client.iter_messages(wait_time=0)` into a list.

    .venv/bin/python benchmarks/ingest_live.py                          (ten minutes)
    .venv/bin/python benchmarks/ingest_live.py --messages 20000 --latency 0 20 50 100 --json

Both read the same dialog through the same Telethon client from the same server in this process, page by page, in
Telegram's own serialisation, which both parse. The server answers from prepared bytes after the given milliseconds, as
a network would; encryption and decompression, which cost both the same, are left out. The two take turns, each round
with a new client and a new database, and the medians are compared. Ours stores every message with its cursor in a
transaction a page, the language guess included.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from ingest.telegram_account import RemoteDialog  # noqa: E402
from ingest.telegram_pull import Pull  # noqa: E402
from ingest.telegram_rows import Rows  # noqa: E402
from ingest.telethon_account import TelethonAccount  # noqa: E402
from ingest.telethon_client import make_client  # noqa: E402
from tests.exports import ANNA, OWNER  # noqa: E402
from tests.telegram_server import API_HASH, API_ID, Server, client_of, session_text, talk  # noqa: E402
from twin.store import Store  # noqa: E402

WORDS = ("we", "meet", "at", "the", "station", "tomorrow", "evening", "bring", "a", "blue", "umbrella", "and", "bread")


class Prepared(Server):
    """The server, with the bytes of every page at hand."""

    def prepare(self, count: int) -> None:
        """A dialog of so many messages, of the length that chat messages have."""
        talk(self, ANNA, count)
        for number, message in self.histories[ANNA].items():
            message.message = " ".join(WORDS[number % 7 : number % 7 + 2 + number % 9])
        self.pages: dict[tuple[int, int, int], bytes] = {}

    def _GetHistory(self, request: Any, *rest: Any) -> Any:
        key = (request.offset_id, request.add_offset, request.limit)
        if key not in self.pages:
            self.pages[key] = bytes(super()._GetHistory(request, *rest))
        return self.pages[key]


async def wait(seconds: float, why: str) -> None:
    await asyncio.sleep(seconds)


async def account_of(server: Server) -> tuple[TelethonAccount, RemoteDialog]:
    account = TelethonAccount(client_of(server, make_client(session_text(), API_ID, API_HASH)), wait)
    await account.connect()
    return account, (await account.dialogs())[0]


async def bare(server: Server) -> tuple[int, float]:
    """Into a list; how many messages, and in how many seconds."""
    account, dialog = await account_of(server)
    start = time.perf_counter()
    messages = [message async for message in account.client.iter_messages(dialog.peer, wait_time=0)]
    seconds = time.perf_counter() - start
    await account.close()
    return len(messages), seconds


async def ours(server: Server) -> tuple[int, float]:
    """Into a database; how many messages, and in how many seconds."""
    account, dialog = await account_of(server)
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "twin.db") as store:
        start = time.perf_counter()
        await Pull(account, Rows(store, OWNER, now - timedelta(days=2), lambda: now), now).run([dialog])
        seconds = time.perf_counter() - start
        count = store.message_count()
    await account.close()
    return count, seconds


def measure(server: Prepared, messages: int, latency_ms: float, rounds: int) -> dict[str, Any]:
    """The two by turns; medians of messages a second."""
    rates: dict[str, list[float]] = {"bare": [], "twin": []}
    for turn in range(rounds + 1):
        server.latency = latency_ms / 1000 if turn else 0.0
        for name, run in (("bare", bare), ("twin", ours)) if turn % 2 else (("twin", ours), ("bare", bare)):
            count, seconds = asyncio.run(run(server))
            assert count == messages, (name, count)
            if turn:  # the first is for warming up
                rates[name].append(count / seconds)
    bare_rate, twin_rate = statistics.median(rates["bare"]), statistics.median(rates["twin"])
    return {
        "latency_ms": latency_ms,
        "messages": messages,
        "rounds": rounds,
        "bare_per_second": round(bare_rate),
        "twin_per_second": round(twin_rate),
        "ratio": round(twin_rate / bare_rate, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--latency", type=float, nargs="+", default=[0, 20, 50, 100], help="milliseconds to an answer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    server = Prepared()
    server.prepare(options.messages)
    found = [measure(server, options.messages, latency, options.rounds) for latency in options.latency]
    if options.json:
        print(json.dumps(found))
        return
    print(f"{options.messages:,} messages, medians of {options.rounds} rounds by turns")
    print(f"{'latency':>10} {'bare':>14} {'twin':>14} {'twin / bare':>12}")
    for row in found:
        bare_rate, twin_rate = f"{row['bare_per_second']:,}/s", f"{row['twin_per_second']:,}/s"
        print(f"{row['latency_ms']:>7g} ms {bare_rate:>14} {twin_rate:>14} {row['ratio']:>12.2f}")


if __name__ == "__main__":
    main()
