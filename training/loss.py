"""Cross-entropy at the supervised positions only, through a frozen output head, in tiles.

Knows nothing of conversations. Exact: equal to full logits and `cross_entropy` (tests/test_training_loss.py).

With a vocabulary of 262k the head is most of the work of a small model. Two things keep it cheap: hidden
states are gathered where there is a label before the head sees them, and, since the head's weights take no
gradient, the gradient for the hidden states is computed in the same pass as the loss, tile by tile of the
vocabulary, so that the head's weights are read once and logits exist for one tile only (Liger Kernel's fused
linear cross-entropy, Hsu et al. 2024, goes over chunks of tokens and needs a GPU). In bf16 the products are
bf16, everything that is summed over tiles is fp32.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from inference.head import Head
from training.attention import back_to_plain, use_fastest
from training.encode import Row
from twin.errors import ModelError

_TILE_BYTES = (256 << 20, 16 << 20)  # of logits at a time: on a GPU, and on a CPU, where they are to stay in its cache
_MULTIPLE = 1024  # of words; oneDNN's bf16 products take three times as long for some odd widths
_TOLD_APART = {"falcon"}  # transformers 5.23 makes its mask without looking at positions


class _FrozenHeadCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, trained: torch.Tensor | None, head: Head, labels: torch.Tensor
    ) -> torch.Tensor:
        wants_gradient = any(ctx.needs_input_grad)
        norm, chosen, pull = _over_vocabulary(hidden, head, labels[:, None], wants_gradient)
        if wants_gradient:
            push = _rows_of(head, labels).to(pull.dtype) * _slope(head, chosen)
            of_rows = None if trained is None else _for_rows(head, hidden, labels, norm).to(trained.dtype)
            ctx.save_for_backward((pull - push).to(hidden.dtype), of_rows)
        return (norm - chosen).sum(dtype=torch.float64)

    @staticmethod
    def backward(ctx: Any, *upstream: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None, None, None]:
        gradient, of_rows = ctx.saved_tensors
        return _times(gradient, upstream[0]), None if of_rows is None else _times(of_rows, upstream[0]), None, None


def _over_vocabulary(
    hidden: torch.Tensor, head: Head, labels: torch.Tensor, wants_gradient: bool
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(N, 1) log of the summed exponentials, (N, 1) the labels' logits, (N, H) the gradient of the former.

    That gradient is what attention computes with the head's rows as keys and as values, and so it is computed as
    FlashAttention does (Dao et al. 2022): tile by tile, rescaled whenever a larger logit is met.
    """
    exact = torch.float32 if hidden.dtype in (torch.bfloat16, torch.float16) else hidden.dtype
    largest = torch.full((len(hidden), 1), -math.inf, dtype=exact, device=hidden.device)
    summed, chosen = torch.zeros_like(largest), torch.zeros_like(largest)
    pull = torch.zeros(hidden.shape, dtype=exact, device=hidden.device)
    words = head.weight.shape[0]
    width = max(1, _TILE_BYTES[hidden.device.type == "cpu"] // (exact.itemsize * max(1, len(hidden))))
    width -= width % _MULTIPLE if width > _MULTIPLE else 0
    for start in range(0, words, width):
        part = head.part(start, min(start + width, words))
        logits = part.logits(hidden).to(exact)
        at = labels - start
        here = (at >= 0) & (at < logits.shape[1])
        chosen = torch.where(here, logits.gather(1, at.clamp(0, logits.shape[1] - 1)), chosen)
        slope = _slope(head, logits) if wants_gradient and head.cap is not None else None
        larger = torch.maximum(largest, logits.amax(1, keepdim=True))
        logits.sub_(larger).exp_()
        shrink = (largest - larger).exp_()
        summed.mul_(shrink).add_(logits.sum(1, keepdim=True))
        largest = larger
        if wants_gradient:
            pulls = (logits if slope is None else logits.mul_(slope)).to(hidden.dtype)
            pull.mul_(shrink).add_(_through(part, pulls))
    return largest + summed.log(), chosen, pull.div_(summed).mul_(head.scale if head.cap is None else 1.0)


def _slope(head: Head, logits: torch.Tensor) -> torch.Tensor | float:
    """Derivative of the final logits by the raw ones."""
    return head.scale if head.cap is None else head.scale * (1 - (logits / head.cap).square())


def _through(head: Head, slopes: torch.Tensor) -> torch.Tensor:
    """From the gradient for raw logits (N, V) to that for the hidden states (N, H)."""
    found = slopes @ head.weight
    if head.rows is not None:
        found += slopes[:, head.rows.ids] @ (head.rows.values.to(slopes.dtype) - head.weight[head.rows.ids])
    return found


def _rows_of(head: Head, ids: torch.Tensor) -> torch.Tensor:
    """(N, H) the head's rows of given ids, trained ones as they stand now."""
    found = head.weight[ids]
    if head.rows is not None:
        for place, token in enumerate(head.rows.ids.tolist()):
            found[ids == token] = head.rows.values[place].to(found.dtype)
    return found


def _for_rows(head: Head, hidden: torch.Tensor, labels: torch.Tensor, norm: torch.Tensor) -> torch.Tensor:
    """(K, H) the gradient for trained rows."""
    assert head.rows is not None
    ids = head.rows.ids
    bias = None if head.bias is None else head.bias[ids]
    logits = Head(head.rows.values.to(hidden.dtype), bias, head.scale, head.cap).logits(hidden).to(norm.dtype)
    slopes = ((logits - norm).exp() - (labels[:, None] == ids).to(norm.dtype)) * _slope(head, logits)
    return slopes.T @ hidden.to(norm.dtype)


def _times(gradient: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    return gradient * factor.to(gradient.dtype)


def check_head(model: Any, device: torch.device) -> None:
    """Make sure that `summed_loss` is this model's loss, and that its windows may lie side by side in one row.

    Raises:
        ModelError: it is not, or they may not.
    """
    family = model.config.model_type
    if not Head.of(model).fits(model):
        raise ModelError(
            f"Models of the family {family!r} have an output head that twin cannot train through",
            "choose a base model of another family",
        )
    ids = list(range(3, 19))
    with torch.no_grad():
        alone = _hidden(model, ids, list(range(len(ids))), device)
        beside = _hidden(model, [*ids, *ids], [*range(len(ids)), *range(len(ids))], device)[len(ids) :]
    if (alone - beside).abs().max() > 0.02 * alone.abs().max():
        raise ModelError(
            f"Models of the family {family!r} mix up conversations that lie in one row",
            "choose a base model of another family",
        )


def summed_loss(model: Any, row: Row, device: torch.device) -> torch.Tensor:
    """Negative log-likelihood in nats, summed over a row's labels; differentiable, a float64 scalar.

    Args:
        model: a causal LM with a frozen output head (a peft model's inner one), of which rows may be trained; see
            `check_head`.
    """
    head = Head.of(model)
    hidden = _hidden(model, row.ids, row.positions, device)[torch.tensor(row.label_at, dtype=torch.long, device=device)]
    labels = torch.tensor(row.labels, dtype=torch.long, device=device)
    trained = None if head.rows is None else head.rows.values
    loss: torch.Tensor = _FrozenHeadCrossEntropy.apply(hidden.to(head.weight.dtype), trained, head, labels)  # type: ignore[no-untyped-call]
    return loss


def _hidden(model: Any, ids: list[int], positions: list[int], device: torch.device) -> torch.Tensor:
    """(T, H) last hidden states of one packed row."""
    use_fastest(model)
    at = torch.tensor([positions], device=device)
    mask = _apart(at[0], model.dtype) if _is_told_apart(model.config) else None
    states: torch.Tensor = getattr(model, model.base_model_prefix)(
        input_ids=torch.tensor([ids], device=device), position_ids=at, attention_mask=mask, use_cache=False
    ).last_hidden_state[0]
    if not torch.is_grad_enabled():
        back_to_plain(model)
    return states


def _is_told_apart(config: Any) -> bool:
    return config.model_type in _TOLD_APART and not getattr(config, "alibi", False)  # which has no positions at all


def _apart(positions: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """(1, 1, T, T) what is added to attention, so that a token sees what precedes it in its own window alone."""
    window = (positions == 0).cumsum(0)
    sees = (window[:, None] == window[None, :]).tril()
    return torch.zeros(sees.shape, dtype=dtype, device=sees.device).masked_fill(~sees, torch.finfo(dtype).min)[
        None, None
    ]
