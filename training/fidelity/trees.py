"""Log-likelihoods of many continuations of one text: the text goes through the model once for all of them.

Knows nothing of what the texts are, or of what is made of the numbers.

A row of the model's input is a trunk of tokens and, behind it, branches: continuations that each go on from some place
in the trunk. A branch's positions follow that place, and the attention mask shows a branch the trunk up to there and
itself, nothing else (tree attention, as in SpecInfer, Miao et al. 2024). The numbers are those of scoring every
continuation by itself (tests/test_training_fidelity_trees.py), without a cache whose handling differs between families.
The mask takes the place of a family's own, also of a sliding window's: `Reader.longest` keeps every sequence within it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from inference.head import Head
from twin.prompt import PromptSpec
from twin.tokens import Tokenizer

_LONGEST = 512  # tokens from the beginning of a trunk to the end of a branch
_CHUNK_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Reader:
    """A language model, and how conversations are written for it.

    Attributes:
        model: a causal LM with a head that `inference.head` can take apart (see `training.loss.check_head`); with an
            adapter in it, peft's inner model.
        spec, tokenizer: of the same model.
    """

    model: Any
    spec: PromptSpec
    tokenizer: Tokenizer
    device: torch.device

    @property
    def longest(self) -> int:
        """How many tokens a sequence may have for its scores to be exact: within any sliding window."""
        window = getattr(self.model.config.get_text_config(), "sliding_window", None)
        return min(_LONGEST, self.spec.context_tokens, window or _LONGEST)


@dataclass(frozen=True, slots=True)
class Branch:
    """A continuation: `ids` (at least one) follow the first `at` (at least one) ids of a trunk."""

    at: int
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Tree:
    """Token ids, and what may follow at places in them."""

    trunk: tuple[int, ...]
    branches: tuple[Branch, ...]

    @property
    def tokens(self) -> int:
        """How many tokens go through the model: the last one of a branch need not."""
        return len(self.trunk) + sum(len(branch.ids) - 1 for branch in self.branches)


def score(
    reader: Reader,
    trees: Iterable[Tree],
    vocabulary: Sequence[int] | None = None,
    on_tree: Callable[[], None] = lambda: None,
) -> list[list[list[float]]]:
    """Natural log-likelihood of every token of every branch, dropout off; the model's mode is restored.

    Args:
        vocabulary: sorted ids, among them all of the branches': likelihoods are of a model that says nothing else.
            With a large vocabulary the output head is most of the work, and few of its rows are ever wanted.
        on_tree: called after each tree, for progress.

    Returns:
        for each tree, for each branch, a number for each id.
    """
    training = reader.model.training
    reader.model.eval()
    chosen = None if vocabulary is None else torch.tensor(vocabulary, device=reader.device)
    found = []
    with torch.inference_mode():
        head = Head.of(reader.model)
        head = head if chosen is None else _narrowed(head, chosen)
        for tree in trees:
            found.append(_score(reader, tree, head, chosen))
            on_tree()
    reader.model.train(training)
    return found


def _score(reader: Reader, tree: Tree, head: Head, chosen: torch.Tensor | None) -> list[list[float]]:
    ids, positions = list(tree.trunk), list(range(len(tree.trunk)))
    before: list[int] = []
    for branch in tree.branches:
        before += [branch.at - 1, *range(len(ids), len(ids) + len(branch.ids) - 1)]
        ids += branch.ids[:-1]
        positions += range(branch.at, branch.at + len(branch.ids) - 1)
    model, device = reader.model, reader.device
    hidden = getattr(model, model.base_model_prefix)(
        input_ids=torch.tensor([ids], device=device),
        position_ids=torch.tensor([positions], device=device),
        attention_mask=_mask(tree, model.dtype).to(device),
        use_cache=False,
    ).last_hidden_state[0]
    labels = torch.tensor([token for branch in tree.branches for token in branch.ids], device=device)
    wanted = labels if chosen is None else torch.searchsorted(chosen, labels)
    flat = iter(
        _log_likelihoods(hidden[torch.tensor(before, device=device)].to(head.weight.dtype), head, wanted).tolist()
    )
    return [[next(flat) for _ in branch.ids] for branch in tree.branches]


def _narrowed(head: Head, chosen: torch.Tensor) -> Head:
    """The head over some ids of the vocabulary, in their order."""
    weight = head.weight[chosen]
    for token, row in zip(head.rows.ids.tolist(), head.rows.values, strict=True) if head.rows is not None else ():
        weight[chosen == token] = row.to(weight.dtype)
    return Head(weight, None if head.bias is None else head.bias[chosen], head.scale, head.cap)


def _log_likelihoods(hidden: torch.Tensor, head: Head, labels: torch.Tensor) -> torch.Tensor:
    """(N,) log-likelihoods of labels after (N, H) hidden states, logits in chunks."""
    rows = max(1, _CHUNK_BYTES // (4 * head.weight.shape[0]))
    parts = []
    for start in range(0, len(labels), rows):
        logits = head.logits(hidden[start : start + rows]).float()
        parts.append(logits.gather(1, labels[start : start + rows, None])[:, 0] - logits.logsumexp(-1))
    return torch.cat(parts)


def _mask(tree: Tree, dtype: torch.dtype) -> torch.Tensor:
    """(1, 1, T, T) additive mask: 0 where a token (row) sees another one (column)."""
    trunk = len(tree.trunk)
    sees = torch.zeros(tree.tokens, tree.tokens, dtype=torch.bool)
    sees[:trunk, :trunk] = torch.ones(trunk, trunk, dtype=torch.bool).tril_()
    start = trunk
    for branch in tree.branches:
        length = len(branch.ids) - 1
        part = slice(start, start + length)
        sees[part, : branch.at] = True
        sees[part, part] = torch.ones(length, length, dtype=torch.bool).tril_()
        start += length
    return torch.zeros(sees.shape, dtype=dtype).masked_fill_(~sees, torch.finfo(dtype).min)[None, None]
