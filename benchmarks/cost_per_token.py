"""CPU time per supervised token from 1,000 to 50,000 replies: encoding, packing, and the steps of an epoch.

    .venv/bin/python benchmarks/cost_per_token.py [--json]          some minutes on one core

Invented conversations of a fixed shape, a tiny Gemma with random weights (so that anything which grows with the corpus
is not hidden behind matrix products), and the trainer's own parts: `windows`, `Batches`, `pack`, `summed_loss`.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from itertools import takewhile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

REPLIES = (1_000, 5_000, 20_000, 50_000)
CONTEXT = 1024
STEPS = 60  # trained of each epoch, spread evenly; every batch is packed
TEXT = "well ok so the bus was late again and nobody told me where to go lol maybe tomorrow then see you at eight"


def conversations(replies: int) -> list[Any]:
    """Sessions of 2 to 40 turns, a few words each, owner and other side in turns."""
    from twin.messages import Session, Turn

    draw, words = random.Random(0), TEXT.split()
    found, left = [], replies
    while left:
        own = min(left, draw.randint(1, 20))
        turns = [
            Turn.of(who, [" ".join(draw.choices(words, k=draw.randint(2, 12)))])
            for _ in range(own)
            for who in ("other", "owner")
        ]
        found.append(Session(1, tuple(turns)))
        left -= own
    return found


def _in_first_epoch(found: tuple[Any, Any]) -> bool:
    return bool(found[0].epoch == 0)


def measure(replies: int, base: Any) -> dict[str, float]:
    """One epoch over so many replies."""
    import torch

    from training.batches import Batches, Place
    from training.encode import pack, windows
    from training.lora import add_lora
    from training.loss import summed_loss
    from training.optimizer import make_optimizer
    from twin.prompt import PromptSpec
    from twin.sections import Train

    sessions = conversations(replies)
    begin = time.process_time()
    spec = PromptSpec(context_tokens=CONTEXT).for_tokenizer(base.tokenizer.fingerprint)
    found = windows(sessions, spec, base.tokenizer)
    encoded = time.process_time()
    rows = pack(found, CONTEXT)
    packed = time.process_time()
    lora = add_lora(base, Train())
    weights = [weight for weight in lora.parameters() if weight.requires_grad]
    optimizer = make_optimizer(weights, 1e-4, base.device)
    labels = trained = 0
    spent = going = 0.0
    batches = [batch for _, batch in takewhile(_in_first_epoch, Batches(found, CONTEXT, seed=0).start_at(Place()))]
    every = max(1, len(batches) // STEPS)
    for number, batch in enumerate(batches):
        begun = time.process_time()
        packed_batch = pack(batch, CONTEXT)
        going += time.process_time() - begun
        labels += (count := sum(len(row.labels) for row in packed_batch))
        if number % every:
            continue
        begun = time.process_time()
        for row in packed_batch:
            (summed_loss(base.model, row, base.device) / count).backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        spent += time.process_time() - begun
        trained += count
    base.model = lora.unload()
    micro = 1e6 / labels
    return {
        "replies": replies,
        "windows": len(found),
        "rows": len(rows),
        "supervised_tokens": labels,
        "encode_us": (encoded - begin) * micro,
        "pack_us": (packed - encoded) * micro,
        "steps_us": going * micro + spent * 1e6 / trained,
        "total_us": (packed - begin + going) * micro + spent * 1e6 / trained,
    }


def main() -> None:
    """Each size once, after a warm-up."""
    parser = argparse.ArgumentParser(description="CPU microseconds per supervised token, by size of the corpus.")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    from inference.base_model import load_base
    from tests.tiny import make_base
    from twin.sections import Base
    from twin.settings import load_settings

    with tempfile.TemporaryDirectory() as folder:
        tiny = make_base(Path(folder) / "tiny")
        base = load_base(load_settings().model_copy(update={"base": Base(model=str(tiny))}))
        measure(300, base)
        found = [measure(replies, base) for replies in REPLIES]
    ratio = found[-1]["total_us"] / found[0]["total_us"]
    if arguments.json:
        print(json.dumps({"ratio_50k_vs_1k": ratio, "sizes": found}))
        return
    print("| replies | windows | supervised tokens | encode µs | pack µs | steps µs | all µs a token |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for one in found:
        print(
            f"| {one['replies']:,.0f} | {one['windows']:,.0f} | {one['supervised_tokens']:,.0f} |"
            f" {one['encode_us']:.1f} | {one['pack_us']:.2f} | {one['steps_us']:.0f} | {one['total_us']:.0f} |"
        )
    print(f"\nA supervised token of 50,000 replies costs {ratio:.2f} of what one of 1,000 costs.")


if __name__ == "__main__":
    main()
