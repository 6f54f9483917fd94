"""Cross-entropy at the supervised positions only, through a frozen output head, in chunks.

Knows nothing of conversations. Exact: equal to full logits and `cross_entropy` (tests/test_training_loss.py).

With a vocabulary of 262k the head is most of the work of a small model. Two things keep it cheap: hidden
states are gathered where there is a label before the head sees them, and, since the head's weights take no
gradient, the gradient for the hidden states is computed in the same pass as the loss, chunk by chunk, so
that logits never exist for more than one chunk (as in Liger Kernel's fused linear cross-entropy,
Hsu et al. 2024, which needs a GPU).
"""

from __future__ import annotations

from typing import Any

import torch

from inference.head import Head
from training.encode import Row
from twin.errors import ModelError

_CHUNK_BYTES = 256 << 20
_TOLD_APART = {"falcon"}  # transformers 5.23 makes its mask without looking at positions


class _FrozenHeadCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, trained: torch.Tensor | None, head: Head, labels: torch.Tensor
    ) -> torch.Tensor:
        wants_gradient = any(ctx.needs_input_grad)
        gradient = torch.empty_like(hidden) if wants_gradient else None
        of_rows = torch.zeros_like(trained) if trained is not None and wants_gradient else None
        total = torch.zeros((), dtype=torch.float64, device=hidden.device)
        rows = max(1, _CHUNK_BYTES // (4 * head.weight.shape[0]))
        for start in range(0, len(labels), rows):
            part, wanted = hidden[start : start + rows], labels[start : start + rows, None]
            logits = head.logits(part)
            if logits.dtype in (torch.bfloat16, torch.float16):
                logits = logits.float()
            slope = None if head.cap is None or gradient is None else 1 - (logits / head.cap).square()
            norm = logits.logsumexp(-1, keepdim=True)
            total += (norm - logits.gather(1, wanted)).sum()
            if gradient is not None:
                logits.sub_(norm).exp_()  # now the probabilities
                logits.scatter_add_(1, wanted, torch.full_like(norm, -1))
                if slope is not None:
                    logits.mul_(slope)
                if head.scale != 1:
                    logits.mul_(head.scale)
                gradient[start : start + rows] = _through(head, logits.to(head.weight.dtype), part, of_rows)
        if gradient is not None:
            ctx.save_for_backward(gradient, of_rows)
        return total

    @staticmethod
    def backward(ctx: Any, *upstream: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None, None, None]:
        gradient, of_rows = ctx.saved_tensors
        return _times(gradient, upstream[0]), None if of_rows is None else _times(of_rows, upstream[0]), None, None


def _through(head: Head, slopes: torch.Tensor, hidden: torch.Tensor, of_rows: torch.Tensor | None) -> torch.Tensor:
    """From the gradient for a chunk's raw logits (N, V) to that for its hidden states (N, H).

    Args:
        of_rows: (K, H) the gradient for trained rows, which is added to.
    """
    if head.rows is None:
        return slopes @ head.weight
    here = slopes[:, head.rows.ids]
    if of_rows is not None:
        of_rows += (here.T @ hidden).to(of_rows.dtype)
    return slopes @ head.weight + here @ (head.rows.values.to(slopes.dtype) - head.weight[head.rows.ids])


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
    hidden = _hidden(model, row.ids, row.positions, device)[torch.tensor(row.label_at, device=device)]
    labels = torch.tensor(row.labels, device=device)
    trained = None if head.rows is None else head.rows.values
    loss: torch.Tensor = _FrozenHeadCrossEntropy.apply(hidden.to(head.weight.dtype), trained, head, labels)  # type: ignore[no-untyped-call]
    return loss


def _hidden(model: Any, ids: list[int], positions: list[int], device: torch.device) -> torch.Tensor:
    """(T, H) last hidden states of one packed row."""
    at = torch.tensor([positions], device=device)
    mask = _apart(at[0], model.dtype) if _is_told_apart(model.config) else None
    states: torch.Tensor = getattr(model, model.base_model_prefix)(
        input_ids=torch.tensor([ids], device=device), position_ids=at, attention_mask=mask, use_cache=False
    ).last_hidden_state[0]
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
