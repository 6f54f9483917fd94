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

from training.encode import Row
from twin.errors import ModelError

_CHUNK_BYTES = 256 << 20


class _FrozenHeadCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        wants_gradient = ctx.needs_input_grad[0]
        gradient = torch.empty_like(hidden) if wants_gradient else None
        total = torch.zeros((), dtype=torch.float64, device=hidden.device)
        rows = max(1, _CHUNK_BYTES // (4 * weight.shape[0]))
        for start in range(0, len(labels), rows):
            part, wanted = hidden[start : start + rows], labels[start : start + rows, None]
            logits = part @ weight.T
            if logits.dtype in (torch.bfloat16, torch.float16):
                logits = logits.float()
            norm = logits.logsumexp(-1, keepdim=True)
            total += (norm - logits.gather(1, wanted)).sum()
            if gradient is not None:
                logits.sub_(norm).exp_()  # now the probabilities
                logits.scatter_add_(1, wanted, torch.full_like(norm, -1))
                gradient[start : start + rows] = logits.to(weight.dtype) @ weight
        if gradient is not None:
            ctx.save_for_backward(gradient)
        return total

    @staticmethod
    def backward(ctx: Any, *upstream: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * upstream[0].to(gradient.dtype), None, None


def check_head(model: Any, device: torch.device) -> None:
    """Make sure that `summed_loss` is this model's loss: some families cap or scale their logits, or add a bias.

    Raises:
        ModelError: it is not.
    """
    ids = list(range(3, 19))
    with torch.no_grad():
        hidden = _hidden(model, ids, list(range(len(ids))), device)
        ours = hidden @ model.get_output_embeddings().weight.T.to(hidden.dtype)
        theirs = model(input_ids=torch.tensor([ids], device=device)).logits[0]
    if (ours - theirs).abs().max() > 0.02 * ours.abs().max():
        raise ModelError(
            f"Models of the family {model.config.model_type!r} have an output head that twin cannot train through",
            "choose a base model of another family",
        )


def summed_loss(model: Any, row: Row, device: torch.device) -> torch.Tensor:
    """Negative log-likelihood in nats, summed over a row's labels; differentiable, a float64 scalar.

    Args:
        model: a causal LM with a frozen, bias-free output head (a peft model's inner one); see `check_head`.
    """
    hidden = _hidden(model, row.ids, row.positions, device)[torch.tensor(row.label_at, device=device)]
    weight = model.get_output_embeddings().weight
    labels = torch.tensor(row.labels, device=device)
    loss: torch.Tensor = _FrozenHeadCrossEntropy.apply(hidden.to(weight.dtype), weight, labels)  # type: ignore[no-untyped-call]
    return loss


def _hidden(model: Any, ids: list[int], positions: list[int], device: torch.device) -> torch.Tensor:
    """(T, H) last hidden states of one packed row."""
    states: torch.Tensor = getattr(model, model.base_model_prefix)(
        input_ids=torch.tensor([ids], device=device),
        position_ids=torch.tensor([positions], device=device),
        use_cache=False,
    ).last_hidden_state[0]
    return states
