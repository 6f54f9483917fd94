"""A sweep over sampling settings: each is tried on validation contexts, measured, and recorded.

    .venv/bin/python benchmarks/tune_replies.py --out tried.jsonl --contexts 200 \
        --try temperature=1 top_p=1 --try temperature=0.9 top_p=0.95 min_p=0.05

Uses TWIN_HOME and the adapter that serves there, or --version. Tuned on the validation part, so that the test part,
on which `twin eval` reports, stays unseen. Every setting that was tried is a line of --out; the table at the end is of
all of them, the nearest past reply and the owner beside them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

COLUMNS = ("setting", "AUC", "fidelity", "style", "context fit", "copied", "loops", "same", "bubbles", "chars", "s")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--try", dest="tried", nargs="+", action="append", metavar="NAME=VALUE", default=[])
    parser.add_argument("--version", help="the adapter (default: the one that serves)")
    parser.add_argument("--contexts", type=int, default=200)
    parser.add_argument("--part", choices=("val", "test"), default="val")
    parser.add_argument("--out", type=Path, required=True, help="a line is added for every setting")
    arguments = parser.parse_args()
    show(sweep(arguments.tried, arguments.version, arguments.contexts, arguments.part, arguments.out))


def sweep(tried: list[list[str]], version: str | None, count: int, part: Any, out: Path) -> list[dict[str, Any]]:
    """Measure each setting, and write it down at once."""
    from inference.answering import Answering
    from inference.base_model import load_base
    from inference.local import LocalEngine
    from training.fidelity.gather import gather
    from training.fidelity.scores import Yardsticks, evaluate_system
    from training.fidelity.sentences import Encoder
    from training.fidelity.systems import NEAREST, OWNER, System, without_model
    from training.snapshot import load
    from twin.prompt import PromptSpec
    from twin.registry import Registry
    from twin.sections import Reply
    from twin.settings import load_settings
    from twin.store import Store

    settings = load_settings()
    with Store.of(settings) as store:
        registry = Registry(settings.adapters, store.db)
        version = version or registry.current()
        if version is None:
            raise SystemExit("No adapter serves: name one with --version.")
        snapshot = load(settings.datasets, registry.verify(version).dataset)
        material = gather(snapshot, count, part)
        yardsticks = Yardsticks.of(material, embed=Encoder.open())
        generator = Answering(LocalEngine(load_base(settings)), registry, settings.reply, PromptSpec.of(settings))
        generator.use(version)
        rows = []

        def record(name: str, replies: list[tuple[str, ...]], seconds: float) -> None:
            report = evaluate_system(yardsticks, System(name, name, lambda contexts, _: []), replies).as_dict()
            row = {"version": version, "part": part, "setting": name, "seconds": round(seconds, 1), **report}
            with out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            rows.append(row)

        for system in without_model(material):
            if system.name in (NEAREST, OWNER):
                record(system.name, system.answer(material.contexts, lambda _: None), 0.0)
        for words in tried:
            how = Reply(**(settings.reply.model_dump() | dict(word.split("=", 1) for word in words)))
            begin = time.monotonic()
            asked = [context.conversation for context in material.contexts]
            replies = [reply.bubbles for reply in generator.answer(asked, how, seed=0)]
            record(" ".join(words), replies, time.monotonic() - begin)
            print(json.dumps({name: rows[-1][name] for name in ("setting", "seconds")}), file=sys.stderr, flush=True)
    return rows


def show(rows: list[dict[str, Any]]) -> None:
    """The table."""
    print("| " + " | ".join(COLUMNS) + " |")
    print("|---" * len(COLUMNS) + "|")
    for row in rows:
        copied = row["copying"]
        values = [
            row["setting"],
            number(row["separation"]["auc"]),
            number(row["separation"]["fidelity"]),
            number(row["style"]["excess"], 4),
            number((row["context_fit"] or {}).get("fit")),
            number(copied["excess"]),
            f"{copied['loops']:.3f}",
            f"{copied['most_frequent']:.3f}",
            row["bubbles_per_reply"],
            row["characters_per_reply"],
            row["seconds"],
        ]
        print("| " + " | ".join(map(str, values)) + " |")


def number(found: Any, digits: int = 3) -> str:
    """A measured value without its interval."""
    if isinstance(found, dict):
        found = found.get("value")
    return "" if found is None else f"{found:.{digits}f}"


if __name__ == "__main__":
    main()
