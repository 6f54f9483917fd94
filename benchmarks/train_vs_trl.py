"""Seconds per epoch, ours against TRL's SFTTrainer, by default and at its best: same model, replies and rank.

    make bench                                   (installs TRL; half an hour on 2 idle cores)
    .venv/bin/python benchmarks/train_vs_trl.py --replies 40 --json
    .venv/bin/python benchmarks/train_vs_trl.py --ablate        each of our factors switched off alone
    .venv/bin/python benchmarks/train_vs_trl.py --tries         what TRL was offered, to find its best

All sides train the same LoRA on the same base model with the same learning rate, once on the same supervised replies of
the public chitchat corpus, with up to 1,024 tokens of the same conversation before each, and are measured on the same
held-out rows. "TRL, defaults" gets what its documentation asks for: one (prompt, completion) pair a reply, padded
batches of 8, gradient checkpointing. "TRL at its best" gets our windows, whole conversations with the loss on the
owner's words only, and the options that `--tries` found fastest. Ours gets the windows.

Each side runs in processes of its own, so that peak memories are theirs alone, in turns (`--rounds`). A step is timed
by the clock and by the CPU time of all threads, its first step left out, and extrapolated to the epoch by tokens.
Ratios are of CPU time, which a loaded machine does not distort; those by the clock stand beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from training_sample import Work, prepare, write_home

LEARNING_RATE = 2e-4
SIDES = ("ours", "trl_best", "trl_defaults")
TITLES = {"ours": "ours", "trl_best": "TRL at its best, conversations", "trl_defaults": "TRL, defaults, pairs"}
DEFAULTS: dict[str, Any] = {}
BEST = {"packing": True, "per_device_train_batch_size": 1, "gradient_checkpointing": False}
TRIES: dict[str, dict[str, Any]] = {
    "at its best": BEST,
    "bf16 off (the base stays bf16)": BEST | {"bf16": False},
    "gradient checkpointing": BEST | {"gradient_checkpointing": True},
    "padded batch of 2": BEST | {"packing": False, "per_device_train_batch_size": 2},
    "rows of 2,048": BEST | {"max_length": 2048},
    "torch_compile": BEST | {"torch_compile": True},
}


class Stopwatch:
    """Seconds by the clock and of CPU time of every step, and how many tokens it was."""

    def __init__(self) -> None:
        self.steps: list[tuple[float, float]] = []

    def start(self) -> None:
        self._begin = time.monotonic(), time.process_time()

    def stop(self) -> None:
        self.steps.append((time.monotonic() - self._begin[0], time.process_time() - self._begin[1]))
        print(f"{ARGUMENTS.side} step {len(self.steps)}: {self.steps[-1][1]:.1f} CPU s", file=sys.stderr, flush=True)

    def result(self, tokens: list[int], epoch_tokens: int) -> dict[str, Any]:
        """Extrapolated from all steps but the first, in which memory is mapped; from that if it is the only one."""
        first = min(1, len(self.steps) - 1)
        timed = sum(tokens[first:])
        wall, cpu = (sum(column) for column in zip(*self.steps[first:], strict=True))
        return {
            "tokens_timed": timed,
            "epoch_tokens": epoch_tokens,
            "seconds_per_epoch": epoch_tokens * wall / timed,
            "cpu_seconds_per_epoch": epoch_tokens * cpu / timed,
        }


def run_ours(work: Work) -> dict[str, Any]:
    """The project's own step, one window a step."""
    import torch

    from training.encode import pack
    from training.lora import add_lora
    from training.loss import summed_loss
    from training.optimizer import make_optimizer

    torch.manual_seed(0)
    lora = add_lora(work.base, work.settings.train)
    weights = [weight for weight in lora.parameters() if weight.requires_grad]
    optimizer = make_optimizer(weights, LEARNING_RATE, work.base.device)
    lora.train()
    watch = Stopwatch()
    for window in work.sample:
        watch.start()
        for row in pack([window], 1024):
            (summed_loss(work.base.model, row, work.base.device) / len(row.labels)).backward()
        torch.nn.utils.clip_grad_norm_(weights, work.settings.train.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        watch.stop()
    return watch.result([len(w.ids) for w in work.sample], work.epoch_tokens)


def run_trl(work: Work, rows: list[dict[str, list[int]]], epoch_tokens: int, options: dict[str, Any]) -> dict[str, Any]:
    """TRL's SFTTrainer over tokenized rows, once."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoTokenizer, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    from inference.model_folder import locate

    watch = Stopwatch()

    class Clock(TrainerCallback):
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            watch.start()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            watch.stop()

    how = work.settings.train
    with tempfile.TemporaryDirectory() as out:
        arguments = {
            "output_dir": out,
            "num_train_epochs": 1,
            "learning_rate": LEARNING_RATE,
            "lr_scheduler_type": "constant",
            "report_to": "none",
            "save_strategy": "no",
            "disable_tqdm": True,
            "use_cpu": not work.on_gpu,  # without it, TRL's own default of bf16 is refused on a CPU
        }
        trainer = SFTTrainer(
            model=work.base.model,
            args=SFTConfig(**arguments | options),
            train_dataset=Dataset.from_list(rows),
            processing_class=AutoTokenizer.from_pretrained(locate(work.settings)),
            callbacks=[Clock()],
            peft_config=LoraConfig(
                r=how.rank,
                lora_alpha=how.alpha,
                lora_dropout=how.dropout,
                target_modules="all-linear",
                task_type="CAUSAL_LM",
            ),
        )
        sizes = [len(row["input_ids"]) for row in trainer.train_dataset]
        trainer.train()
    mean = sum(sizes) / len(watch.steps)
    return watch.result([mean] * len(watch.steps), epoch_tokens)


def as_rows(work: Work) -> list[dict[str, list[int]]]:
    """Our windows as TRL's tokenized conversations, the loss on the owner's words only."""
    return [
        {
            "input_ids": list(window.ids),
            "labels": [token if seen else -100 for token, seen in zip(window.ids, window.supervised, strict=True)],
        }
        for window in work.sample
    ]


def side(name: str) -> None:
    """One side, in a process of its own; prints one JSON object."""
    from training.evaluate import held_out_loss

    work = prepare(ARGUMENTS.replies, with_pairs=name == "trl_defaults")
    trained = sum(window.turns for window in work.sample)
    print(f"{name}: {len(work.sample)} windows, {trained} replies", file=sys.stderr, flush=True)
    before = held_out_loss(work.base.model, work.val_rows, work.base.device)
    if name == "ours":
        result = run_ours(work)
    elif name == "trl_defaults":
        pairs = [{"input_ids": p + c, "labels": [-100] * len(p) + c} for p, c in work.pairs]
        size = ARGUMENTS.trl_batch
        batch = {"per_device_train_batch_size": size, "gradient_accumulation_steps": 8 // size} if size != 8 else {}
        result = run_trl(work, pairs, work.epoch_pair_tokens, DEFAULTS | batch)
    else:
        result = run_trl(work, as_rows(work), work.epoch_tokens, TRIES.get(name, BEST))
    after = held_out_loss(work.base.model, work.val_rows, work.base.device)
    print(
        json.dumps(
            result
            | {
                "replies_trained": trained,
                "replies_per_epoch": work.epoch_replies,
                "held_out_before": before.nats_per_token,
                "held_out_after": after.nats_per_token,
                "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
            }
        )
    )


def in_child(name: str, environment: dict[str, str]) -> dict[str, Any] | None:
    """What a side came to; None if it failed, of which stderr tells."""
    options = ["--side", name, "--replies", str(ARGUMENTS.replies), "--trl-batch", str(ARGUMENTS.trl_batch)]
    done = subprocess.run(
        [sys.executable, __file__, *options], env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None


def compare(environment: dict[str, str]) -> dict[str, Any]:
    """All sides in turns; of several rounds, means of the seconds."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in SIDES}
    for _ in range(ARGUMENTS.rounds):
        for name in SIDES:
            result = in_child(name, environment)
            if result is None:
                sys.exit(f"{name} failed")
            found[name].append(result)
    sides = {
        name: results[-1]
        | {key: sum(r[key] for r in results) / len(results) for key in ("seconds_per_epoch", "cpu_seconds_per_epoch")}
        for name, results in found.items()
    }
    ours = sides["ours"]

    def ratio(name: str, key: str) -> float:
        return float(sides[name][key] / ours[key])

    return {
        "ratio_vs_defaults": ratio("trl_defaults", "cpu_seconds_per_epoch"),
        "ratio_vs_best": ratio("trl_best", "cpu_seconds_per_epoch"),
        "wall_ratio_vs_defaults": ratio("trl_defaults", "seconds_per_epoch"),
        "wall_ratio_vs_best": ratio("trl_best", "seconds_per_epoch"),
        "held_out_vs_defaults": 1 / ratio("trl_defaults", "held_out_after"),
        "held_out_vs_best": 1 / ratio("trl_best", "held_out_after"),
        "peak_vs_defaults": 1 / ratio("trl_defaults", "peak_gib"),
        "peak_vs_best": 1 / ratio("trl_best", "peak_gib"),
        **sides,
    }


def show(result: dict[str, Any]) -> None:
    """The table of benchmarks/README.md."""
    print("| | tokens an epoch | CPU s an epoch | s an epoch | held-out before → after | peak memory |")
    print("|---|---:|---:|---:|---:|---:|")
    for name in SIDES:
        one = result[name]
        print(
            f"| {TITLES[name]} | {one['epoch_tokens']:,} | {one['cpu_seconds_per_epoch']:,.0f} | "
            f"{one['seconds_per_epoch']:,.0f} | {one['held_out_before']:.4f} → {one['held_out_after']:.4f} | "
            f"{one['peak_gib']:.1f} GiB |"
        )
    ours, ratio = result["ours"], {name: f"{result[name]:.1f}" for name in result if "ratio" in name}
    print(
        f"\nBy CPU time our epoch is {ratio['ratio_vs_defaults']} times faster than TRL's defaults and"
        f" {ratio['ratio_vs_best']} times faster than it at its best (by the clock {ratio['wall_ratio_vs_defaults']}"
        f" and {ratio['wall_ratio_vs_best']}); {ours['replies_per_epoch']:,} replies, extrapolated"
        f" from {ours['replies_trained']}."
    )


def show_tries(environment: dict[str, str]) -> None:
    """TRL's options, each a process."""
    print("| TRL with | CPU s an epoch | peak memory |\n|---|---:|---:|")
    for name in TRIES:
        found = in_child(name, environment)
        told = f"{found['cpu_seconds_per_epoch']:,.0f} | {found['peak_gib']:.1f} GiB" if found else "fails |"
        print(f"| {name} | {told} |", flush=True)


def run_ablation(environment: dict[str, str]) -> None:
    """In a process of its own: the home is known before anything is imported."""
    subprocess.run([sys.executable, __file__, "--side", "ablate"], env=environment, check=True)


def print_json(environment: dict[str, str]) -> None:
    """One object."""
    print(json.dumps(compare(environment)))


def main(act: Callable[[dict[str, str]], None]) -> None:
    """In a home of its own, which is gone afterwards."""
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | write_home(Path(home))
        act(environment)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Seconds per epoch, ours against TRL's SFTTrainer.")
    parser.add_argument("--replies", type=int, default=40, help="replies to train on each side, about")
    parser.add_argument("--rounds", type=int, default=1, help="how often the sides take turns")
    parser.add_argument("--trl-batch", type=int, default=8, choices=(1, 2, 4, 8), help="TRL's default batch, cut so")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--ablate", action="store_true", help="our factors, each switched off alone")
    parser.add_argument("--tries", action="store_true", help="TRL's options, to find its best")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    ARGUMENTS = parser.parse_args()
    if ARGUMENTS.side == "ablate":
        from training_ablation import ablate

        ablate(prepare(ARGUMENTS.replies, with_pairs=True))
    elif ARGUMENTS.side:
        side(ARGUMENTS.side)
    elif ARGUMENTS.ablate:
        main(run_ablation)
    elif ARGUMENTS.tries:
        main(show_tries)
    else:
        main(print_json if ARGUMENTS.json else lambda environment: show(compare(environment)))
