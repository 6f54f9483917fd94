"""Branches of one trunk are scored as if each stood alone, for every family."""

from __future__ import annotations

import pytest
import torch
from transformers import Gemma2Config, Gemma2ForCausalLM

from tests.talks import CPU, reader_of
from tests.tiny import FAMILIES
from training.fidelity.trees import Branch, Reader, Tree, score
from twin.prompt import PromptSpec


def plain(reader, trunk, branch, vocabulary=None) -> list[float]:
    """One sequence alone, the family's own mask, full logits: what a textbook would write."""
    ids = [*trunk[: branch.at], *branch.ids]
    with torch.no_grad():
        logits = reader.model(input_ids=torch.tensor([ids])).logits[0].double()
    if vocabulary is not None:
        left = torch.full_like(logits, -torch.inf)
        left[:, vocabulary] = logits[:, vocabulary]
        logits = left
    likelihoods = logits.log_softmax(-1)
    return [float(likelihoods[branch.at - 1 + place, token]) for place, token in enumerate(branch.ids)]


def some_tree(seed: int = 0, trunk: int = 60, branches: int = 9) -> Tree:
    draw = torch.Generator().manual_seed(seed)

    def ids(count):
        return tuple(torch.randint(3, 250, (count,), generator=draw).tolist())

    def number(low, high):
        return int(torch.randint(low, high, (), generator=draw))

    return Tree(ids(trunk), tuple(Branch(number(1, trunk + 1), ids(number(1, 12))) for _ in range(branches)))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_branch_scores_as_it_would_by_itself(tiny_base, family):
    reader = reader_of(tiny_base(family))
    trees = [some_tree(0), some_tree(1, trunk=1), some_tree(2, trunk=490)]
    for tree, its in zip(trees, score(reader, trees), strict=True):
        for branch, found in zip(tree.branches, its, strict=True):
            assert found == pytest.approx(plain(reader, tree.trunk, branch), abs=1e-4)


@pytest.mark.parametrize("family", ["gemma3", "llama"])
def test_a_narrowed_vocabulary_shares_out_what_the_others_get(tiny_base, family):
    reader, tree = reader_of(tiny_base(family)), some_tree(3)
    vocabulary = sorted({token for branch in tree.branches for token in branch.ids} | {7, 300})
    for branch, found in zip(tree.branches, score(reader, [tree], vocabulary)[0], strict=True):
        assert found == pytest.approx(plain(reader, tree.trunk, branch, vocabulary), abs=1e-4)


def test_a_head_with_more_than_a_matrix_is_read_as_the_model_reads_it():
    torch.manual_seed(0)
    shape = {"vocab_size": 320, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "head_dim": 16}
    config = Gemma2Config(num_attention_heads=4, num_key_value_heads=2, final_logit_softcapping=2.0, **shape)
    config._attn_implementation = "eager"
    reader = Reader(Gemma2ForCausalLM(config).eval(), PromptSpec(), None, CPU)  # type: ignore[arg-type]
    tree = some_tree(6)
    vocabulary = sorted({token for branch in tree.branches for token in branch.ids})
    for chosen in (None, vocabulary):
        for branch, found in zip(tree.branches, score(reader, [tree], chosen)[0], strict=True):
            assert found == pytest.approx(plain(reader, tree.trunk, branch, chosen), abs=1e-4)


def test_a_sequence_is_never_longer_than_a_sliding_window_sees(tiny_base):
    reader = reader_of(tiny_base("gemma3"))
    assert reader.longest == 512
    reader.model.config.sliding_window = 100
    assert reader.longest == 100


def test_the_mode_of_the_model_stays_and_progress_is_told(tiny_base):
    reader, ticks = reader_of(tiny_base("qwen3")), []
    reader.model.train()
    trees = [some_tree(4), some_tree(5)]
    score(reader, trees, on_tree=lambda: ticks.append(1))
    assert reader.model.training and len(ticks) == 2
    assert trees[0].tokens == 60 + sum(len(branch.ids) - 1 for branch in trees[0].branches)
