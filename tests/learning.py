"""A few steps of plain full fine-tuning, for tests that need a tiny model which has learned something."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from training.encode import pack, windows
from training.fidelity.trees import Reader
from twin.messages import Session


def overfit(reader: Reader, sessions: Sequence[Session], steps: int, rate: float = 5e-3) -> None:
    """Train every weight on the owner's words of these sessions, all of them at every step; changes the model."""
    rows = pack(windows(sessions, reader.spec, reader.tokenizer), 2048)
    model = reader.model.train()
    model.requires_grad_(True)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    for _ in range(steps):
        for row in rows:
            hidden = model.model(
                input_ids=torch.tensor([row.ids]), position_ids=torch.tensor([row.positions]), use_cache=False
            ).last_hidden_state[0]
            logits = model.lm_head(hidden[row.label_at])
            torch.nn.functional.cross_entropy(logits, torch.tensor(row.labels)).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    model.requires_grad_(False)
    model.eval()
