"""A worked example with a known answer: the ordinary trainer teaches the embedded model to multiply on paper.

Knows nothing of how the steps work: rows are imported, learned and asked for as anybody's would be.

    .venv/bin/python examples/arithmetic/run.py --digits 2 1 --seconds 1800

If the share of right products on pairs that were never seen goes from next to nothing to nearly all, then data,
masking, optimiser, saving, loading and generation agree from end to end: a mistake in any of them shows here first.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from problems import answer, pairs, product_in, question

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / ".arithmetic"
TWIN = [sys.executable, "-m", "twin"]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--digits", type=int, nargs=2, default=(2, 1), metavar="N", help="of the two factors (2 1)")
    parser.add_argument("--rows", type=int, default=4000, help="to learn from at most (4000)")
    parser.add_argument("--unseen", type=int, default=100, help="pairs to ask that were never learned (100)")
    parser.add_argument("--seconds", type=int, default=1800, help="of training (1800)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    arguments = parser.parse_args()
    result = run(tuple(arguments.digits), arguments.rows, arguments.unseen, arguments.seconds, quiet=arguments.json)
    if arguments.json:
        print(json.dumps(result))
    else:
        show(result)


def run(digits: tuple[int, int], rows: int, unseen: int, seconds: int, *, quiet: bool) -> dict[str, Any]:
    """Make rows, import, ask, train, ask again."""
    asked, learned = split(digits, rows, unseen)
    home = PLACE / f"{digits[0]}x{digits[1]}"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True, mode=0o700)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TWIN_")} | {
        "TWIN_HOME": str(home),
        "TWIN_REPLY__TEMPERATURE": "0",
        "TWIN_REPLY__MAX_TOKENS": "300",
        "TWIN_DATASET__CONTEXT_TOKENS": "1024",
        "TWIN_DATASET__VAL_SHARE": "0.02",
        "TWIN_DATASET__TEST_SHARE": "0.01",
        "TWIN_ENGINE__KIND": "local",  # the weights that were learned on: exact steps do not survive on others
        "TWIN_GUARD__SECRETS": "false",  # sums look like numbers of cards
        "TWIN_GUARD__OTHERS": "false",
        **({"TWIN_CACHE": os.environ["TWIN_CACHE"]} if "TWIN_CACHE" in os.environ else {}),
    }
    os.environ.clear()
    os.environ.update(environment)
    with (home / "rows.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(
            json.dumps({"question": question(*pair), "answer": answer(*pair)}, ensure_ascii=False) + "\n"
            for pair in learned
        )
    twin("dataset", "import", "--format", "qa", str(home / "rows.jsonl"), "--name", "sums", quiet=quiet)
    twin("dataset", "build", quiet=quiet)
    before = ask(asked)
    begin = time.monotonic()
    twin("train", "--max-seconds", str(seconds), quiet=quiet)
    spent = time.monotonic() - begin
    newest = json.loads(subprocess.check_output([*TWIN, "adapters", "list", "--json"]))[0]
    if not newest["serves"]:
        twin("adapters", "promote", newest["version"], quiet=quiet)
    manifest = json.loads(subprocess.check_output([*TWIN, "adapters", "show", newest["version"], "--json"]))
    return {
        "digits": list(digits),
        "rows": len(learned),
        "unseen": len(asked),
        "right_before": before,
        "right_after": ask(asked),
        "training_seconds": round(spent),
        "tokens": manifest["metrics"]["tokens"],
        "steps": manifest["metrics"]["steps"],
    }


def split(digits: tuple[int, int], rows: int, unseen: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Pairs to ask and pairs to learn; none is in both, not even the other way round."""
    every = pairs(*digits)
    if unseen >= len(every) // 2:
        raise SystemExit(f"There are only {len(every)} such pairs: ask for fewer with --unseen.")
    asked = every[:unseen]
    kept_out = {frozenset(pair) for pair in asked}
    learned = [pair for pair in every[unseen:] if frozenset(pair) not in kept_out]
    return asked, learned[:rows]


def ask(asked: list[tuple[int, int]]) -> int:
    """How many products the model that serves gets right, greedily; the bare base model's while none serves."""
    from inference.generator import build_generator
    from twin.messages import Conversation, Turn
    from twin.settings import load_settings

    generator = build_generator(load_settings())
    try:
        replies = generator.replies([Conversation((Turn.of("other", [question(*pair)]),)) for pair in asked])
    finally:
        generator.close()
    return sum(product_in("\n".join(reply.bubbles)) == a * b for reply, (a, b) in zip(replies, asked, strict=True))


def twin(*arguments: str, quiet: bool) -> None:
    """Run a verb; its failure ends the example with its own words."""
    print(f"\n$ twin {' '.join(arguments)}".replace(str(ROOT) + "/", ""), file=sys.stderr, flush=True)
    done = subprocess.run([*TWIN, *arguments], stdout=subprocess.DEVNULL if quiet else None)
    if done.returncode:
        raise SystemExit(done.returncode)


def show(result: dict[str, Any]) -> None:
    """The row of the table in README.md."""
    asked = result["unseen"]
    print("\n| digits | rows | unseen pairs | right before | right after | tokens | minutes of training |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    print(
        f"| {result['digits'][0]} × {result['digits'][1]} | {result['rows']:,} | {asked} "
        f"| {share(result['right_before'], asked)} | {share(result['right_after'], asked)} "
        f"| {result['tokens']:,} | {result['training_seconds'] / 60:.0f} |"
    )


def share(right: int, asked: int) -> str:
    """A share with its 95 % interval (Wilson 1927)."""
    z, p = 1.96, right / asked
    middle = (p + z * z / (2 * asked)) / (1 + z * z / asked)
    half = z * math.sqrt(p * (1 - p) / asked + z * z / (4 * asked * asked)) / (1 + z * z / asked)
    return f"{p:.0%} ({max(0, middle - half):.0%}-{min(1, middle + half):.0%})"


if __name__ == "__main__":
    main()
