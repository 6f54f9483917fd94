"""Whether a new adapter proved itself: better than the base model, and not worse than the one that serves.

Knows nothing of how it was trained or published.
"""

from __future__ import annotations

from training.qlora import Run
from training.snapshot import Snapshot, load
from twin.errors import AdapterError, DatasetError
from twin.prompt import PromptSpec
from twin.registry import Registry

_TOLERANCE = 1.01


def judge(run: Run, snapshot: Snapshot, registry: Registry, spec: PromptSpec) -> tuple[bool, str]:
    """Whether it may serve, and why: better than the base, not worse than the champion by over 1 %."""
    mine = run.best.bits_per_character
    if run.interrupted:
        return False, "training was stopped before its end"
    if not run.standing.learned:
        return False, f"not better than the base model on held-out replies ({mine:.3f} bits per character)"
    champion = _champion_loss(run, snapshot, registry, spec)
    if champion is not None and mine > _TOLERANCE * champion:
        return False, f"worse than the adapter that serves: {mine:.3f} against {champion:.3f} bits per character"
    beaten = f"the base model's {run.before.bits_per_character:.3f}"
    return True, f"{mine:.3f} held-out bits per character against {beaten}"


def _champion_loss(run: Run, snapshot: Snapshot, registry: Registry, spec: PromptSpec) -> float | None:
    """Held-out bits per character of the adapter that serves, on the same text; None when it cannot be compared."""
    version = registry.current()
    if version is None:
        return None
    try:
        champion = registry.verify(version, run.base.identity)
        learned_until = load(run.settings.datasets, champion.dataset).cuts.val_from
    except (AdapterError, DatasetError):
        return None
    if champion.prompt != spec or learned_until > snapshot.cuts.val_from:
        return None  # it reads conversations that are written otherwise, or has seen some of the held-out ones
    run.lora.load_adapter(registry.path(version), adapter_name=version, is_trainable=False)
    run.lora.set_adapter(version)
    try:
        return run.measure().bits_per_character
    finally:
        run.lora.set_adapter("default")
        run.lora.delete_adapter(version)
