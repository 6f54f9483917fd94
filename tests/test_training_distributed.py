"""Several processes train one adapter: the same loss and weights as one, and one sentence when one of them dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.chats import fill
from tests.conftest import is_running
from training.launch import command, note_end, reason
from twin.errors import SettingsError, TrainingError
from twin.sections import Train
from twin.settings import Settings, settings_file

EXACT = {"rtol": 1e-4, "atol": 1e-5}  # sums of fp32 in another order


def configure(home: Any, base: Path, quantization: str = "nf4", **how: Any) -> None:
    """A `twin.toml` in which steps are large enough to share and dropout draws nothing."""
    chosen = {"dropout": 0, "epochs": 1, "learning_rate": 1e-2, "batch_tokens": 512, "gate": "loss"} | how
    lines = [f"{name} = {json.dumps(value)}" for name, value in chosen.items()]
    text = f'[base]\nmodel = "{base}"\nquantization = "{quantization}"\n[dataset]\ncontext_tokens = 128\n'
    settings_file(home.home).write_text(f"{text}[reply]\nmax_tokens = 40\n[train]\n" + "\n".join(lines) + "\n")


@pytest.fixture(autouse=True)
def no_bf16(tmp_path, monkeypatch):
    """The same numbers on every machine, as tests.conftest.tiny_base, but in all processes that are started."""
    (tmp_path / "sitecustomize.py").write_text("import torch\n\ntorch.cpu.get_capabilities = dict\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def start_training(*arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    started = [sys.executable, "-m", "twin", "train", *arguments]
    return subprocess.Popen(
        started, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )


def train(*arguments: str) -> dict[str, Any]:
    training = start_training("--json", *arguments)
    out, err = training.communicate(timeout=600)
    assert training.returncode == 0, err
    assert "Traceback" not in err
    return dict(json.loads(out))


def test_two_processes_come_to_the_loss_and_the_weights_of_one(home, store, tiny_base, run_twin):
    fill(store)
    configure(home, tiny_base(), processes=1)
    alone = json.loads(run_twin("train", "--fresh", "--json").out)
    configure(home, tiny_base(), processes=2)
    check_same(home, alone, train("--fresh"))
    assert alone["metrics"]["val_nats_per_token"] < alone["metrics"]["val_base_nats_per_token"]


def check_same(home: Settings, alone: dict[str, Any], together: dict[str, Any]) -> None:
    """Several processes came to what one came to: its losses and its weights."""
    for name in ("steps", "tokens", "val_tokens", "val_base_nats_per_token"):
        assert together["metrics"][name] == alone["metrics"][name]
    assert together["metrics"]["val_nats_per_token"] == pytest.approx(alone["metrics"]["val_nats_per_token"], abs=2e-4)
    weights, shared = (
        load_file(home.adapters / found["version"] / "adapter_model.safetensors") for found in (alone, together)
    )
    assert weights.keys() == shared.keys()
    for name, value in weights.items():
        torch.testing.assert_close(shared[name], value, **EXACT)


@pytest.mark.slow
def test_a_base_model_shared_out_among_two_comes_to_the_loss_and_the_weights_of_one(home, store, tiny_base, run_twin):
    fill(store)
    configure(home, tiny_base(), "none", processes=1)
    alone = json.loads(run_twin("train", "--fresh", "--json").out)
    configure(home, tiny_base(), "none", processes=2, sharding="fsdp")
    together = train("--fresh")
    assert "bits per character" in together["reason"]  # judged with the base model loaded whole
    check_same(home, alone, together)


def children(pid: int) -> dict[int, str]:
    """Every descendant of a process with its command line."""
    found: dict[int, str] = {}
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, path.read_text().split()):
            line = Path(f"/proc/{child}/cmdline")
            found[child] = line.read_text().replace("\0", " ") if line.exists() else ""
            found |= children(child)
    return found


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_process_that_dies_ends_all_and_a_stop_reaches_all_and_can_go_on(home, store, tiny_base, eventually):
    fill(store)
    configure(home, tiny_base(), processes=2, epochs=100_000)

    def parts() -> list[int]:
        return sorted(
            pid for pid, line in children(training.pid).items() if "--part-of" in line and "launch" not in line
        )

    training = start_training()
    eventually(lambda: any(home.runs.glob("*/run.json")), 300)
    eventually(lambda: len(parts()) == 2, 300)
    everybody = children(training.pid)
    os.kill(parts()[1], signal.SIGKILL)
    _, err = training.communicate(timeout=300)
    assert training.returncode == 2 and "of 2 was killed (SIGKILL)" in err and "Traceback" not in err
    eventually(lambda: not any(map(is_running, everybody)), 60)

    training = start_training()
    eventually(lambda: any(home.runs.glob("*/lock")) and len(parts()) == 2, 300)
    everybody = children(training.pid)
    training.send_signal(signal.SIGTERM)
    _, err = training.communicate(timeout=300)
    assert training.returncode in (2, 130) and "Traceback" not in err
    eventually(lambda: not any(map(is_running, everybody)), 60)


def test_the_launchers_command_line_is_one_that_accelerate_takes(tmp_path):
    from accelerate.commands.launch import launch_command_parser

    how = Train(processes=4, machines=2, machine=1, main_address="10.0.0.1:29500")
    line = command(how, 4, tmp_path, ["--fresh"])
    assert line[:4] == [sys.executable, "-m", "training.launch", str(tmp_path)]
    parsed = launch_command_parser().parse_args(line[4:])
    assert (parsed.num_processes, parsed.num_machines, parsed.machine_rank) == (8, 2, 1)
    assert (parsed.main_process_ip, parsed.main_process_port, parsed.multi_gpu) == ("10.0.0.1", 29500, True)
    assert [parsed.training_script, *parsed.training_script_args] == [
        "twin",
        "train",
        "--part-of",
        str(tmp_path),
        "--fresh",
    ]
    with pytest.raises(SettingsError, match="needs the first one's address"):
        command(Train(machines=2), 1, tmp_path, [])


def test_of_several_ends_the_killed_one_is_named_then_what_was_foreseen(tmp_path):
    note_end(tmp_path, 0, 2, RuntimeError("connection closed by peer"))
    assert "Something unforeseen in process 1 of 2, RuntimeError" in str(reason(tmp_path, {0: 2}, 2))
    note_end(tmp_path, 1, 2, TrainingError("The disk is full", "free some disk space"))
    assert str(reason(tmp_path, {0: 2, 1: 2}, 2)) == "The disk is full: free some disk space."
    assert "Process 2 of 2 was killed (SIGKILL)" in str(reason(tmp_path, {0: 2, 1: -9}, 2))
    assert "ended without a result" in str(reason(tmp_path / "elsewhere", {0: -signal.SIGTERM}, 2))
