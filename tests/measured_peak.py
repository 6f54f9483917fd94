"""A process that trains three steps over rows of one length and prints the most memory it held, in bytes.

python measured_peak.py FOLDER TOKENS CHECKPOINTING
"""

from __future__ import annotations

import random
import resource
import sys

import torch

torch.set_num_threads(1)


def main(folder: str, tokens: int, checkpointing: bool) -> None:
    from inference.base_model import load_base
    from training.encode import Row
    from training.lora import add_lora
    from training.loss import summed_loss
    from training.optimizer import make_optimizer
    from twin.sections import Base, Train
    from twin.settings import Settings

    base = load_base(Settings(base=Base(model=folder)))
    lora = add_lora(base, Train(), checkpointing=checkpointing)
    weights = [weight for weight in lora.parameters() if weight.requires_grad]
    optimizer = make_optimizer(weights, 1e-4, base.device)
    lora.train()
    draw = random.Random(0)
    words = base.model.get_output_embeddings().weight.shape[0]
    ids = [draw.randrange(3, words) for _ in range(tokens)]
    labels = list(range(0, tokens - 1, 2))
    row = Row(ids, list(range(tokens)), labels, [ids[place + 1] for place in labels], 1, tokens)
    for _ in range(3):
        summed_loss(base.model, row, base.device).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sys.stdout.write(f"{peak * (1 if sys.platform == 'darwin' else 1024)}\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3] == "1")
