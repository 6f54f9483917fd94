"""`python -m tests.killed_training STEP WHERE`: `twin train` in a process that kills itself, as the kernel would.

WHERE is "saved" (right after the checkpoint of that step) or "saving" (its file is written, but has not its name yet).
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from training.checkpoint import Checkpoints
from twin.cli import main

STEP, WHERE = int(sys.argv[1]), sys.argv[2]
save = Checkpoints.save


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def watched(self: Checkpoints, values: dict[str, Any]) -> bool:
    """Save as ever, up to the moment."""
    its_time = values["standing"]["steps"] == STEP
    if its_time and WHERE == "saving":
        os.fsync = die
    done = save(self, values)
    if its_time:
        die()
    return done


Checkpoints.save = watched  # type: ignore[method-assign]
if __name__ == "__main__":
    main(["train"])
