"""Seconds per epoch, ours against TRL's SFTTrainer with its defaults: same model, replies, context and rank.

    make bench                                   (installs TRL, takes about half an hour on 2 cores)
    .venv/bin/python benchmarks/train_vs_trl.py --replies 40 --json

Both sides train the same LoRA on the same NF4 base with the same learning rate, on the same supervised replies
of the public chitchat corpus, with up to 1,024 tokens of the same session before each. TRL gets what its
documentation asks for: one (prompt, completion) pair a reply, default batch size, truncation and collator. Ours
gets what it makes of the same sessions: windows with many supervised turns. Each is timed over a sample that is
spread evenly over the corpus, without its first step, and extrapolated to the epoch by tokens: TRL over the
replies it trains on, ours over twelve windows. Both train on the same replies once, and both adapters are
measured on the same held-out rows. The two run one after the other, each in a process of its own,
so that peak memories are theirs alone.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "examples" / "demo")]

LEARNING_RATE = 2e-4
VAL_TOKENS = 12_000
TIMED = 12


@dataclass
class Work:
    """What both sides are given.

    Attributes:
        sample: windows whose replies are trained; `every` are the epoch's.
        pairs: (prompt ids, completion ids) of the sample's replies; `epoch_pair_tokens` the whole epoch's.
    """

    settings: Any
    base: Any
    spec: Any
    sample: list[Any]
    every: list[Any]
    pairs: list[tuple[list[int], list[int]]]
    epoch_pairs: int
    epoch_pair_tokens: int
    val_rows: list[Any]


def prepare(home: Path, replies: int) -> Work:
    """Corpus to snapshot to windows and pairs, and the base model in memory."""
    from inference.base_model import load_base
    from training.dataset import load, newest
    from training.encode import pack, windows
    from training.evaluate import evenly
    from twin.prompt import PromptSpec
    from twin.settings import load_settings

    settings = load_settings()
    snapshot = load(settings.datasets, newest(settings.datasets).fingerprint)
    base = load_base(settings)
    spec = PromptSpec(context_tokens=settings.dataset.context_tokens).for_tokenizer(base.tokenizer.fingerprint)
    by_window: list[tuple[Any, list[tuple[list[int], list[int]]]]] = []
    for session in snapshot.sessions("train"):
        pairs = iter(pairs_of(session, spec, base.tokenizer))
        by_window += [(w, [next(pairs) for _ in range(w.turns)]) for w in windows([session], spec, base.tokenizer)]
    turns_per_window = sum(w.turns for w, _ in by_window) / len(by_window)
    count = max(1, round(replies / turns_per_window))
    sample = [by_window[int((n + 0.5) * len(by_window) / count)] for n in range(count)]
    val = evenly(windows(snapshot.sessions("val"), spec, base.tokenizer), VAL_TOKENS)
    return Work(
        settings,
        base,
        spec,
        [w for w, _ in sample],
        [w for w, _ in by_window],
        [pair for _, pairs in sample for pair in pairs],
        sum(len(pairs) for _, pairs in by_window),
        sum(len(p) + len(c) for _, pairs in by_window for p, c in pairs),
        pack(val, 1024),
    )


def pairs_of(session: Any, spec: Any, tokenizer: Any) -> list[tuple[list[int], list[int]]]:
    """One (prompt, completion) a reply; together at most the context budget, oldest turns left out first."""
    from twin.messages import Conversation
    from twin.prompt import encode_prompt, render_turn
    from twin.tokens import encode

    found = []
    for place, turn in enumerate(session.turns):
        if turn.is_supervisable:
            (body,) = encode(tokenizer, [render_turn(spec, turn)])
            completion = [token for token, seen in zip(body.ids, body.supervised, strict=True) if seen]
            completion = completion[: spec.context_tokens // 2]
            before = Conversation(session.turns[:place])
            found.append((encode_prompt(spec, tokenizer, before, len(completion)), completion))
    return found


def run_ours(work: Work) -> dict[str, Any]:
    """The project's own step: timed over TIMED windows spread over the corpus at rate 0, then trained on the sample."""
    import torch

    from training.encode import pack
    from training.lora import add_lora
    from training.loss import summed_loss
    from training.optimizer import make_optimizer

    torch.manual_seed(0)
    lora = add_lora(work.base, work.settings.train)
    weights = [w for w in lora.parameters() if w.requires_grad]
    lora.train()

    def step(optimizer: torch.optim.Optimizer, window: Any) -> float:
        begin = time.monotonic()
        for row in pack([window], 1024):
            (summed_loss(work.base.model, row, work.base.device) / len(row.labels)).backward()
        torch.nn.utils.clip_grad_norm_(weights, work.settings.train.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return time.monotonic() - begin

    idle = make_optimizer(weights, 0.0, work.base.device)
    timed = [work.every[int((n + 0.5) * len(work.every) / TIMED)] for n in range(TIMED)]
    step(idle, timed[0])  # the first is slower: memory is mapped, kernels are chosen
    seconds = sum(step(idle, window) for window in timed)
    optimizer = make_optimizer(weights, LEARNING_RATE, work.base.device)
    for window in work.sample:
        step(optimizer, window)
    tokens = sum(len(w.ids) for w in timed)
    epoch_tokens = sum(len(w.ids) for w in work.every)
    return {
        "tokens_per_second": tokens / seconds,
        "epoch_tokens": epoch_tokens,
        "seconds_per_epoch": epoch_tokens * seconds / tokens,
    }


def run_trl(work: Work) -> dict[str, Any]:
    """TRL's SFTTrainer with its defaults on (prompt, completion) pairs; see `--trl-batch` for its batch size."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoTokenizer, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    from inference.base_model import locate

    class Clock(TrainerCallback):
        """Seconds of each optimiser step."""

        def __init__(self) -> None:
            self.begin = 0.0
            self.steps: list[float] = []

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self.begin = time.monotonic()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            self.steps.append(time.monotonic() - self.begin)
            print(f"TRL step {len(self.steps)}: {self.steps[-1]:.0f} s", file=sys.stderr, flush=True)

    how = work.settings.train
    rows = [{"input_ids": p + c, "completion_mask": [0] * len(p) + [1] * len(c)} for p, c in work.pairs]
    clock = Clock()
    with tempfile.TemporaryDirectory() as out:
        arguments = SFTConfig(
            output_dir=out,
            num_train_epochs=1,
            learning_rate=LEARNING_RATE,
            per_device_train_batch_size=ARGUMENTS.trl_batch,
            gradient_accumulation_steps=8 // ARGUMENTS.trl_batch,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
            bf16=False,  # what training on this CPU uses, on both sides
        )
        trainer = SFTTrainer(
            model=work.base.model,
            args=arguments,
            train_dataset=Dataset.from_list(rows),
            processing_class=AutoTokenizer.from_pretrained(locate(work.settings)),
            callbacks=[clock],
            peft_config=LoraConfig(
                r=how.rank,
                lora_alpha=how.alpha,
                lora_dropout=how.dropout,
                target_modules="all-linear",
                task_type="CAUSAL_LM",
            ),
        )
        trainer.train()
    per_step = sum(map(len, (p + c for p, c in work.pairs))) / len(clock.steps)
    seconds = sum(clock.steps[1:]) / (len(clock.steps) - 1)
    return {
        "tokens_per_second": per_step / seconds,
        "epoch_tokens": work.epoch_pair_tokens,
        "seconds_per_epoch": work.epoch_pair_tokens * seconds / per_step,
    }


def side(name: str) -> None:
    """One side, in a process of its own; prints one JSON object."""
    from training.evaluate import held_out_loss

    work = prepare(Path(ARGUMENTS.home), ARGUMENTS.replies)
    before = held_out_loss(work.base.model, work.val_rows, work.base.device)
    result = run_ours(work) if name == "ours" else run_trl(work)
    after = held_out_loss(work.base.model, work.val_rows, work.base.device)
    print(
        json.dumps(
            result
            | {
                "replies_trained": len(work.pairs),
                "replies_per_epoch": work.epoch_pairs,
                "held_out_before": before.nats_per_token,
                "held_out_after": after.nats_per_token,
                "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
            }
        )
    )


def compare() -> dict[str, Any]:
    """Both sides, one after the other."""
    import os

    import chitchat

    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {
            "TWIN_HOME": home,
            "TWIN_DATASET__VAL_FROM": chitchat.VAL_FROM.isoformat(),
            "TWIN_DATASET__TEST_FROM": chitchat.TEST_FROM.isoformat(),
        }
        chitchat.write_export(Path(home) / "result.json")
        for verb in (["ingest", "export", f"{home}/result.json"], ["dataset", "build"]):
            subprocess.run(
                [sys.executable, "-m", "twin", *verb], env=environment, check=True, stdout=subprocess.DEVNULL
            )
        results = {}
        for name in ("ours", "trl"):
            print(f"Running {name} ...", file=sys.stderr, flush=True)
            options = ["--side", name, "--home", home, "--replies", str(ARGUMENTS.replies)]
            done = subprocess.run(
                [sys.executable, __file__, *options, "--trl-batch", str(ARGUMENTS.trl_batch)],
                env=environment,
                stdout=subprocess.PIPE,
                check=True,
                text=True,
            )
            results[name] = json.loads(done.stdout.splitlines()[-1])
    ours, trl = results["ours"], results["trl"]
    return {
        "ratio_vs_defaults": trl["seconds_per_epoch"] / ours["seconds_per_epoch"],
        "held_out_ratio": ours["held_out_after"] / trl["held_out_after"],
        "ours": ours,
        "trl_defaults": trl,
    }


def show(result: dict[str, Any]) -> None:
    """The table of benchmarks/README.md."""
    print("| | tokens/s | tokens an epoch | seconds an epoch | held-out before → after | peak memory |")
    print("|---|---:|---:|---:|---:|---:|")
    for title, key in (("ours", "ours"), ("TRL, defaults, pairs", "trl_defaults")):
        side_ = result[key]
        print(
            f"| {title} | {side_['tokens_per_second']:.0f} | {side_['epoch_tokens']:,} | "
            f"{side_['seconds_per_epoch']:,.0f} | {side_['held_out_before']:.4f} → {side_['held_out_after']:.4f} | "
            f"{side_['peak_gib']:.1f} GiB |"
        )
    print(
        f"\nOurs is {result['ratio_vs_defaults']:.1f} times faster an epoch ({result['ours']['replies_per_epoch']:,}"
        f" replies, both extrapolated from {result['ours']['replies_trained']} trained);"
        f" its held-out loss is {result['held_out_ratio']:.4f} of TRL's."
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Seconds per epoch, ours against TRL's SFTTrainer.")
    parser.add_argument("--replies", type=int, default=40, help="replies to train on each side, about")
    parser.add_argument("--trl-batch", type=int, default=8, choices=(1, 2, 4, 8), help="TRL's batch on the device")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--side", choices=("ours", "trl"), help=argparse.SUPPRESS)
    parser.add_argument("--home", default="", help=argparse.SUPPRESS)
    ARGUMENTS = parser.parse_args()
    if ARGUMENTS.side:
        side(ARGUMENTS.side)
    elif ARGUMENTS.json:
        print(json.dumps(compare()))
    else:
        show(compare())
