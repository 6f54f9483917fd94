"""The verbs of `twin dataset` that bring conversations in from elsewhere, make them, or take them out.

Knows nothing of how a recipe works: each command's room is imported when it runs.
"""

from __future__ import annotations

from training.dataset_cli import dataset
from training.recipes.asked_cli import book, distill
from training.recipes.exchange_cli import export, import_, sets
from training.recipes.made_cli import identity, transcript

for command in (import_, export, identity, transcript, book, distill, sets):
    dataset.add_command(command)
