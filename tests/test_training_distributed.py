"""Several processes train one adapter: the same loss and weights as one, and one sentence when one of them dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.chats import fill
from tests.conftest import is_running
from twin.jobs import RETRAIN, JobQueue
from twin.registry import Registry
from twin.settings import settings_file

EXACT = {"rtol": 1e-4, "atol": 1e-5}  # sums of fp32 in another order


def configure(home: Any, base: Path, **how: Any) -> None:
    """A `twin.toml` in which steps are large enough to share and dropout draws nothing."""
    chosen = {"dropout": 0, "epochs": 3, "learning_rate": 1e-2, "batch_tokens": 512, "gate": "loss"} | how
    lines = [f"{name} = {json.dumps(value)}" for name, value in chosen.items()]
    text = f'[base]\nmodel = "{base}"\n[dataset]\ncontext_tokens = 128\n[reply]\nmax_tokens = 40\n[train]\n'
    settings_file(home.home).write_text(text + "\n".join(lines) + "\n")


def start_training(*arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "twin", "train", *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )


def train(*arguments: str) -> dict[str, Any]:
    training = start_training("--json", *arguments)
    out, err = training.communicate(timeout=600)
    assert training.returncode == 0, err
    assert "Traceback" not in err
    return dict(json.loads(out))


def test_two_processes_come_to_the_loss_and_the_weights_of_one(home, store, tiny_base):
    fill(store)
    found = {}
    for processes in (1, 2):
        configure(home, tiny_base(), processes=processes)
        summary = train("--fresh")
        weights = load_file(home.adapters / summary["version"] / "adapter_model.safetensors")
        found[processes] = summary["metrics"], weights
    (alone, weights), (together, shared) = found[1], found[2]
    for name in ("steps", "tokens", "val_tokens", "val_base_nats_per_token"):
        assert together[name] == alone[name]
    assert together["val_nats_per_token"] == pytest.approx(alone["val_nats_per_token"], abs=2e-4)
    assert alone["val_nats_per_token"] < 0.95 * alone["val_base_nats_per_token"]
    assert weights.keys() == shared.keys()
    for name, value in weights.items():
        torch.testing.assert_close(shared[name], value, **EXACT)
