"""A base model shared out by DeepSpeed: the numbers of one process; the run without it; files that do not fit."""

from __future__ import annotations

import json
import signal
from importlib.util import find_spec
from typing import Any

import pytest
import torch
import torch.multiprocessing
from pydantic import ValidationError

import inference.base_model
import training.deepspeed_file
from tests.chats import fill
from tests.sharded_part import COUNT
from tests.test_training_distributed import EXACT, check_same, configure, no_bf16, start_training, train
from tests.zero3_part import compute, part
from training.deepspeed_file import check, zero_config
from twin.errors import SettingsError
from twin.sections import Train
from twin.settings import Settings

__all__ = ["no_bf16"]
TIGHT = {"stage": 3, "stage3_param_persistence_threshold": 0, "stage3_prefetch_bucket_size": 0}
AHEAD = {**TIGHT, "stage3_prefetch_bucket_size": 20_000, "stage3_max_reuse_distance": 10_000}
needs_deepspeed = pytest.mark.skipif(find_spec("deepspeed") is None, reason="deepspeed is not installed")


@pytest.fixture
def written(tmp_path):
    """`written(stage=3, ...)`: the path of a configuration file of DeepSpeed's with that for ZeRO."""

    def write(**zero: Any) -> str:
        path = tmp_path / f"ds-{len(list(tmp_path.glob('ds-*')))}.json"
        path.write_text(
            json.dumps({"train_batch_size": "auto", "zero_optimization": zero, "bf16": {"enabled": "auto"}})
        )
        return str(path)

    return write


@needs_deepspeed
def test_every_process_comes_to_the_gradients_of_one_with_a_layer_gathered_at_once(
    tiny_base, tmp_path, written, monkeypatch
):
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    monkeypatch.setattr(inference.base_model, "keep_dequantized", lambda *_: False)
    cases = (
        {"quantization": "nf4", "lora": "lora", "init": "default", "file": written(**TIGHT)},
        {"quantization": "none", "lora": "lora", "init": "pissa", "file": written(**TIGHT)},
        {"quantization": "none", "lora": "dora", "init": "default", "file": written(**AHEAD)},
        {"quantization": "nf4", "lora": "lora", "init": "default", "file": None},
    )
    folder = tiny_base()
    alone = [compute(folder, case) for case in cases]
    torch.multiprocessing.spawn(part, (tmp_path / "meeting", folder, cases), nprocs=COUNT)
    for index in range(COUNT):
        for case, one, shared in zip(cases, alone, torch.load(tmp_path / f"{index}.pt"), strict=True):
            assert shared["losses"] == pytest.approx(one["losses"], rel=1e-6)
            assert one["losses"][1] == 0 and one["losses"][0] > 0
            assert shared["gradients"].keys() == one["gradients"].keys()
            for name, gradient in one["gradients"].items():
                torch.testing.assert_close(shared["gradients"][name], gradient, **EXACT)
            assert shared["left"] == 0
            if case["file"] == cases[0]["file"] or case["file"] == cases[1]["file"]:
                assert shared["held"] == pytest.approx(one["held"] / COUNT, rel=0.02)
                assert 0 < shared["at_once"] <= 0.6 * one["held"]  # of two layers


@pytest.mark.slow
@needs_deepspeed
def test_training_with_deepspeed_stopped_and_gone_on_with_comes_to_the_loss_and_the_weights_of_one(
    home, store, tiny_base, run_twin, written, eventually
):
    """Should it have ended before it was told to stop, the second command trains it whole."""
    fill(store)
    configure(home, tiny_base(), "none", processes=1)
    alone = json.loads(run_twin("train", "--fresh", "--json").out)
    how = {"sharding": "deepspeed", "deepspeed_config": written(**TIGHT), "checkpoint_minutes": 1e-4}
    configure(home, tiny_base(), "none", processes=2, **how)
    stopped = start_training("--fresh")
    eventually(lambda: any(home.runs.glob("*/checkpoint.pt")) or stopped.poll() is not None, 300)
    stopped.send_signal(signal.SIGTERM)
    _, err = stopped.communicate(timeout=600)
    assert stopped.returncode in (0, 130), err
    together = train()
    assert "bits per character" in together["reason"]  # judged with the base model loaded whole
    check_same(home, alone, together)


def test_of_a_file_of_deepspeeds_what_shares_out_weights_is_taken_and_auto_left_out(written):
    offload = {"device": "cpu", "pin_memory": "auto"}
    file = written(
        stage=3, reduce_bucket_size="auto", offload_param=offload, offload_optimizer=offload, overlap_comm=True
    )
    found = zero_config(Train(sharding="deepspeed", deepspeed_config=file))
    assert found == {
        "train_micro_batch_size_per_gpu": 1,
        "zero_optimization": {
            "stage": 3,
            "stage3_max_reuse_distance": 0,
            "offload_param": {"device": "cpu"},
            "overlap_comm": True,
            "memory_efficient_linear": False,
        },
    }
    assert zero_config(Train(sharding="deepspeed"))["zero_optimization"]["stage"] == 3


@pytest.mark.parametrize(
    ("zero", "words"),
    [
        ({"stage": 2}, "does not ask for ZeRO stage 3"),
        ({"stage": 3, "zero_quantized_weights": True}, "'zero_quantized_weights', which twin cannot train through"),
        ({"stage": 3, "zero_hpz_partition_size": 8}, "'zero_hpz_partition_size', which twin"),
        ({"stage": 3, "offload_param": {"device": "nvme", "nvme_path": "/nvme"}}, "keeps weights on NVMe"),
    ],
)
def test_what_deepspeed_cannot_do_here_is_refused_in_one_sentence(zero, words, written):
    with pytest.raises(SettingsError, match=words):
        zero_config(Train(sharding="deepspeed", deepspeed_config=written(**zero)))


@needs_deepspeed
def test_what_deepspeed_itself_does_not_take_is_named(written, monkeypatch):
    from training.zero3 import understood

    monkeypatch.setenv("DS_ACCELERATOR", "cpu")
    file = written(stage=3, offload_param={"device": "moon"}, stage3_prefetch_buckets=1)
    with pytest.raises(SettingsError, match=r"offload_param\.device, stage3_prefetch_buckets"):
        understood(zero_config(Train(sharding="deepspeed", deepspeed_config=file)))


@pytest.mark.parametrize("text", ["", "[1]", "{}", '{"zero_optimization": 3}', "\0"])
def test_files_that_are_no_configuration_are_named_without_a_traceback(text, tmp_path):
    path = tmp_path / "ds.json"
    path.write_text(text)
    for found in (path, tmp_path, tmp_path / "none.json"):
        with pytest.raises(SettingsError, match="cannot be read as a configuration of DeepSpeed"):
            zero_config(Train(sharding="deepspeed", deepspeed_config=str(found)))


def test_a_missing_package_is_named_before_any_process_is_started(monkeypatch):
    monkeypatch.setattr(training.deepspeed_file, "find_spec", lambda _: None)
    check(Train(sharding="fsdp"))
    with pytest.raises(SettingsError, match="the package deepspeed is not installed"):
        check(Train(sharding="deepspeed"))


@pytest.mark.parametrize(
    ("base", "train", "words"),
    [
        ("int8", {"sharding": "deepspeed"}, r'"deepspeed" needs base\.quantization'),
        ("nf4", {"sharding": "deepspeed", "lora": "dora"}, r'needs train\.sharding = "fsdp"'),
        ("nf4", {"sharding": "fsdp", "deepspeed_config": "ds.json"}, r"train\.deepspeed_config needs"),
    ],
)
def test_settings_that_deepspeed_cannot_follow_are_refused(base, train, words, home):
    with pytest.raises(ValidationError, match=words):
        Settings.model_validate({"home": home.home, "base": {"quantization": base}, "train": train})
