"""A base model shared out among two processes: the numbers of one process, half of the layers in each."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.multiprocessing
from pydantic import ValidationError

import inference.base_model
from inference.base_model import quantization_config
from tests.sharded_part import COUNT, compute, part
from training.ranks import Ranks
from twin.settings import Settings

CASES = (
    {"quantization": "none", "checkpointing": False, "lora": "lora", "init": "pissa"},
    {"quantization": "nf4", "checkpointing": True, "lora": "dora", "init": "default"},
)


def test_every_process_comes_to_the_gradients_of_one_with_half_of_the_frozen_layers(tiny_base, tmp_path, monkeypatch):
    """4-bit weights stay 4-bit weights: they are gathered as they are, and dequantized layer by layer."""
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    monkeypatch.setattr(inference.base_model, "keep_dequantized", lambda *_: False)
    folder = tiny_base()
    alone = [compute(folder, case) for case in CASES]
    torch.multiprocessing.spawn(part, (tmp_path / "meeting", folder, CASES), nprocs=COUNT)
    for index in range(COUNT):
        for one, shared in zip(alone, torch.load(tmp_path / f"{index}.pt"), strict=True):
            check(one, shared)


def check(one: dict[str, Any], shared: dict[str, Any]) -> None:
    assert shared["losses"] == pytest.approx(one["losses"], rel=1e-6)
    assert one["losses"][1] == 0 and one["losses"][0] > 0
    assert shared["gradients"].keys() == one["gradients"].keys()
    for name, gradient in one["gradients"].items():
        torch.testing.assert_close(shared["gradients"][name], gradient, rtol=1e-5, atol=1e-6)
    frozen = one["whole"] - one["beside"] - one["trained"]
    assert shared["whole"] == one["whole"] == one["held"]
    assert shared["held"] - shared["beside"] - shared["trained"] == pytest.approx(frozen / COUNT, rel=0.02)
    assert 1 <= shared["at_once"] <= 2  # while one is computed backward, the next is fetched


def test_ranks_are_dealt_equally_many_rows_where_the_base_model_is_shared_out():
    for count in (1, 2, 3):
        for rows in range(1, 8):
            hands = []
            for index in range(count):
                ranks = Ranks()
                ranks.index, ranks.count, ranks.sharded = index, count, True
                hands.append(ranks.deal(list(range(rows)), -1))
            assert len({len(hand) for hand in hands}) == 1
            assert sorted(row for hand in hands for row in hand if row >= 0) == list(range(rows))
            assert len(hands[0]) == -(-rows // count)


def test_ranks_with_whole_base_models_are_dealt_no_empty_rows():
    ranks = Ranks()
    ranks.index, ranks.count = 1, 2
    assert ranks.deal([0, 1, 2], -1) == [1]


def test_four_bit_numbers_are_kept_in_tensors_that_can_be_gathered_only_if_sharded():
    assert quantization_config("nf4", torch.bfloat16).bnb_4bit_quant_storage == torch.uint8
    sharded = quantization_config("nf4", torch.bfloat16, sharded=True)
    assert sharded.bnb_4bit_quant_storage == sharded.bnb_4bit_compute_dtype == torch.bfloat16
    assert quantization_config("none", torch.bfloat16, sharded=True) is None


def test_eight_bit_base_models_cannot_be_shared_out(home):
    with pytest.raises(ValidationError, match=r"needs base\.quantization"):
        Settings.model_validate({"home": home.home, "base": {"quantization": "int8"}, "train": {"sharding": "fsdp"}})
