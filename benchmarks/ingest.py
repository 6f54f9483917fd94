"""An export of a million messages into the database: seconds, memory, a second run, and a plain baseline.

    .venv/bin/python benchmarks/ingest.py                    (makes its own exports; about three minutes on 2 cores)
    .venv/bin/python benchmarks/ingest.py --messages 100000 --json

Every measurement is a process of its own, timed from outside, start-up included; memory is the most it ever held
resident. Cost per message is in processor seconds less those of an export of 20 messages; for it, small exports are run
five times and the least counts. The baseline is what one would write in ten minutes: `json.load`, then `executemany`
into one SQLite table, nothing checked, no edit merged, and the whole file in memory.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

TINY, SMALL = 20, 10_000
PER_DIALOG = 5_000
REPEATS = 5
OWNER = 100
WORDS = ["so", "we", "could", "go", "there", "tomorrow", "maybe", "really", "what", "time", "I", "think", "that"]
WORDS += ["works", "meet", "coffee", "train", "later", "ok", "haha", "да", "нет", "завтра", "посмотрим", "хорошо"]
WORDS += ["😀", "👍", "好", "明天", "見", "naïve", "café"]
NOT_INCLUDED = "(File not included. Change data exporting settings to download.)"


@dataclass
class Measured:
    """One process: what it did, its seconds by the wall's clock and by the processor's, the most memory it held."""

    what: str
    messages: int
    megabytes: float
    seconds: float
    cpu_seconds: float
    resident_mb: float

    @property
    def per_second(self) -> float:
        return self.messages / self.seconds


def message(number: int, at: int, partner: int, chance: random.Random) -> dict[str, Any]:
    """One message with the fields that Telegram Desktop writes; now and then a photo, a sticker, an edit, a reply."""
    sender = OWNER if chance.random() < 0.5 else partner
    text = " ".join(chance.choices(WORDS, k=chance.randint(1, 12)))
    raw: dict[str, Any] = {
        "id": number,
        "type": "message",
        "date": "2019-05-01T10:00:00",
        "date_unixtime": str(at),
        "from": f"Name {sender}",
        "from_id": f"user{sender}",
    }
    kind = chance.random()
    if kind < 0.10:
        raw["reply_to_message_id"] = number - 1
    elif kind < 0.15:
        raw |= {"edited": "2019-05-01T10:00:00", "edited_unixtime": str(at + 50)}
    elif kind < 0.20:
        raw |= {"photo": NOT_INCLUDED, "width": 800, "height": 600}
    elif kind < 0.23:
        raw |= {"file": NOT_INCLUDED, "media_type": "sticker", "sticker_emoji": "😀", "width": 512, "height": 512}
    return raw | {"text": text, "text_entities": [{"type": "plain", "text": text}]}


def write_export(path: Path, messages: int, show: Console | None) -> None:
    """A full export in the layout of Telegram Desktop, the same for the same number of messages."""
    chance, number, at = random.Random(messages), 0, 1_400_000_000
    dialogs = -(-messages // PER_DIALOG)
    with path.open("w", encoding="utf-8") as file:
        file.write(
            f'{{\n "about": "a",\n "personal_information": {{\n  "user_id": {OWNER}\n }},\n "chats": {{\n  "list": ['
        )
        for dialog in track(range(dialogs), f"writing {messages:,} messages", console=show, disable=show is None):
            partner = 1000 + dialog
            comma = "," if dialog else ""
            file.write(
                f'{comma}\n   {{\n    "name": "Friend {dialog}",\n    "type": "personal_chat",\n    "id": {partner},'
            )
            file.write('\n    "messages": [')
            for each in range(min(PER_DIALOG, messages - dialog * PER_DIALOG)):
                number, at = number + 1, at + chance.randint(1, 300)
                raw = json.dumps(message(number, at, partner, chance), ensure_ascii=False, indent=1)
                file.write(("," if each else "") + "\n     " + raw.replace("\n", "\n     "))
            file.write("\n    ]\n   }")
        file.write("\n  ]\n }\n}")


def baseline(path: Path, database: Path) -> None:
    """The obvious way."""
    export = json.loads(path.read_text(encoding="utf-8"))
    with sqlite3.connect(database) as db:
        db.execute("create table messages (chat, id, at, owner, text, raw, primary key (chat, id))")
        db.executemany("insert or replace into messages values (?, ?, ?, ?, ?, ?)", _rows(export))


def _rows(export: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    for chat in export["chats"]["list"]:
        for raw in chat["messages"]:
            is_owner = raw["from_id"] == f"user{OWNER}"
            yield chat["id"], raw["id"], int(raw["date_unixtime"]), is_owner, raw["text"], raw.get("media_type")


def measure(what: str, messages: int, export: Path, command: list[str], home: Path) -> Measured:
    """Run a command to its end."""
    started = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, "TWIN_HOME": str(home)}) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - started
    if process.returncode:
        raise SystemExit(f"{what} ended with exit code {process.returncode}.")
    resident = used.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return Measured(what, messages, export.stat().st_size / 1e6, seconds, used.ru_utime + used.ru_stime, resident)


def run(messages: int, folder: Path, show: Console | None) -> list[Measured]:
    """First run, second run and baseline over a large export, and the first run over smaller ones."""
    found = []
    for count in (TINY, SMALL, messages):
        export, home = folder / f"{count}.json", folder / f"home-{count}"
        home.mkdir(mode=0o700)
        write_export(export, count, show)
        ingest = [sys.executable, "-m", "twin", "ingest", "export", str(export), "--json"]
        first = [measure("first run", count, export, ingest, home)]
        while count < messages and len(first) < REPEATS:
            shutil.rmtree(home)
            home.mkdir(mode=0o700)
            first.append(measure("first run", count, export, ingest, home))
        found.append(min(first, key=lambda one: one.cpu_seconds))
        if count == messages:
            found.append(measure("second run", count, export, ingest, home))
            plain = [sys.executable, __file__, "--baseline", str(export), str(folder / "plain.db")]
            found.append(measure("baseline", count, export, plain, home))
    return found


def ratios(found: list[Measured]) -> dict[str, float]:
    """What the targets are about."""
    start, small, large, again, plain = found

    def cost(of: Measured) -> float:
        return (of.cpu_seconds - start.cpu_seconds) / of.messages

    return {
        "second_run_times_faster": large.seconds / again.seconds,
        "cost_per_message_against_small": cost(large) / cost(small),
        "seconds_against_baseline": large.seconds / plain.seconds,
        "memory_against_baseline": large.resident_mb / plain.resident_mb,
    }


def show_table(found: list[Measured], told: dict[str, float]) -> None:
    """The table for people."""
    table = Table("", title="Telegram Desktop exports into the database")
    for heading in ("messages", "MB", "seconds", "CPU s", "messages/s", "MB resident"):
        table.add_column(heading, justify="right")
    for one in found:
        numbers = (f"{one.messages:,}", f"{one.megabytes:,.1f}", f"{one.seconds:.1f}", f"{one.cpu_seconds:.1f}")
        table.add_row(one.what, *numbers, f"{one.per_second:,.0f}", f"{one.resident_mb:,.0f}")
    console = Console()
    console.print(table)
    console.print(
        f"A second run is {told['second_run_times_faster']:.1f} times faster. A message of {found[2].messages:,} costs"
        f" {told['cost_per_message_against_small']:.2f} times one of {found[1].messages:,}. Against the baseline:"
        f" {told['seconds_against_baseline']:.1f} of its seconds, {told['memory_against_baseline']:.2f} of its memory."
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--baseline", nargs=2, type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.baseline:
        baseline(*asked.baseline)
        return
    show = None if asked.json else Console(stderr=True)
    with tempfile.TemporaryDirectory() as folder:
        found = run(asked.messages, Path(folder), show)
    if asked.json:
        print(json.dumps({"runs": [asdict(one) for one in found], **ratios(found)}))
    else:
        show_table(found, ratios(found))


if __name__ == "__main__":
    main()
