"""What each of our factors is worth: the step with that one switched off, beside the whole, in turns.

Knows nothing of TRL. CPU seconds of all threads, on the same windows; `benchmarks/train_vs_trl.py --ablate` runs it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

import torch
from torch.nn.functional import cross_entropy
from training_sample import Work

import inference.base_model
import training.loss
from inference.base_model import load_base
from training.encode import Row, pack
from training.lora import add_lora

Step = Callable[[Any, Row], torch.Tensor]


def ablate(work: Work) -> None:
    """Print the table."""
    rows = [pack([window], 1024)[0] for window in work.sample]
    tokens = sum(len(row.ids) for row in rows)
    base = work.base
    whole = {"all of it": (base, ours), "head at every token": (base, everywhere), "logits kept": (base, full_logits)}
    whole |= {"attention over whole rows": (base, whole_rows), "padding to 1,024": (base, padded)}
    with _without("keep_dequantized", lambda *_: False):
        whole["4-bit weights dequantized each time"] = (load_base(work.settings), ours)
    with _without("has_bf16", lambda _: False):
        whole["fp32"] = (load_base(work.settings), ours)
    trained = {id(one): _with_lora(one, work) for one, _ in whole.values()}
    for one, step in whole.values():  # memory is mapped, kernels are chosen
        _seconds(trained[id(one)], step, rows[:1])
    print(f"| | CPU s for {tokens:,} tokens | times |\n|---|---:|---:|")
    seconds = {}
    for name, (one, step) in whole.items():
        reference = _seconds(base.model, ours, rows) if name != "all of it" else 0.0
        seconds[name] = _seconds(trained[id(one)], step, rows)
        told = f"{seconds[name] / reference:.2f}" if reference else ""
        print(f"| {name} | {seconds[name]:.1f} | {told} |", flush=True)
    repeated = work.epoch_pair_tokens / work.epoch_tokens
    print(f"| context repeated for every reply (tokens an epoch) | | {repeated:.2f} |")
    compiled = _with_lora(load_base(work.settings), work)
    _compile(compiled)
    begin = time.process_time()
    _seconds(compiled, ours, rows[:1])
    took = time.process_time() - begin
    reference, seconds_compiled = _seconds(base.model, ours, rows), _seconds(compiled, ours, rows)
    print(f"| every layer through torch.compile | {seconds_compiled:.1f} | {seconds_compiled / reference:.2f} |")
    print(f"\nThe first compiled step took {took:.0f} CPU seconds, compiling included.")


def ours(model: Any, row: Row) -> torch.Tensor:
    return training.loss.summed_loss(model, row, torch.device("cpu"))


def everywhere(model: Any, row: Row) -> torch.Tensor:
    """Every position through the head, as where labels of -100 are left out after it."""
    at = list(range(len(row.ids) - 1))
    return ours(model, replace(row, label_at=at, labels=row.ids[1:]))


def padded(model: Any, row: Row) -> torch.Tensor:
    """Filled up to 1,024 tokens, as the longest of a batch makes the others."""
    missing = 1024 - len(row.ids)
    return ours(model, replace(row, ids=row.ids + [0] * missing, positions=row.positions + list(range(missing))))


def full_logits(model: Any, row: Row) -> torch.Tensor:
    """All logits at once, a loss and a backward pass through them."""
    hidden = training.loss._hidden(model, row.ids, row.positions, torch.device("cpu"))[row.label_at]
    logits = training.loss.Head.of(model).logits(hidden).float()
    return cross_entropy(logits, torch.tensor(row.labels), reduction="sum")


def whole_rows(model: Any, row: Row) -> torch.Tensor:
    """PyTorch's attention kernel over whole rows, masked afterwards."""
    config = model.config.get_text_config()
    kept, config._attn_implementation = config._attn_implementation, "sdpa"
    with mock.patch.object(training.loss, "use_fastest", lambda _: None):
        loss = ours(model, row)
    config._attn_implementation = kept
    return loss


def _seconds(model: Any, step: Step, rows: list[Row]) -> float:
    begin = time.process_time()
    for row in rows:
        (step(model, row) / len(row.labels)).backward()
    return time.process_time() - begin


def _with_lora(base: Any, work: Work) -> Any:
    add_lora(base, work.settings.train).train()
    return base.model


def _compile(model: Any) -> None:
    """Inductor for each decoder layer, with lengths left open, so that rows of any length share what was compiled."""
    for module in model.modules():
        if type(module).__name__.endswith("DecoderLayer"):
            module.compile(dynamic=True)


@contextmanager
def _without(name: str, stand_in: Any) -> Iterator[None]:
    with mock.patch.object(inference.base_model, name, stand_in):
        yield
