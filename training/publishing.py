"""A trained run into a published adapter: its manifest, and its folder in the registry.

Knows nothing of whether it is any good, or of the run's checkpoints.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from importlib.metadata import version as library_version
from pathlib import Path

from safetensors import SafetensorError

from training.curve_plot import draw_curve
from training.fidelity.canaries import Canaries
from training.lora import told
from training.progress import write_curve
from training.qlora import Run
from training.snapshot import Snapshot
from twin.errors import DatasetError, TrainingError
from twin.prompt import PromptSpec
from twin.registry import Manifest, Registry
from twin.settings import Settings

_LIBRARIES = ("twin", "torch", "transformers", "peft", "bitsandbytes")


def publish(
    run: Run, snapshot: Snapshot, spec: PromptSpec, registry: Registry, version: str, now: datetime
) -> Manifest:
    """Write the run's best state as a version; one that was published already stays as it is.

    Raises:
        TrainingError: it cannot be written.
        AdapterError: what was published under this name is damaged.
    """
    if version in registry.versions():  # by a process that was killed before it could judge it
        return registry.verify(version, run.base.identity)
    with registry.incoming() as folder:
        try:
            run.lora.save_pretrained(folder)
            _draw(run, folder, version)
            if run.settings.train.canaries:
                canaries_of(run.settings, snapshot).save(folder)
            return registry.publish(folder, _manifest(run, snapshot, spec, version, now))
        except (OSError, SafetensorError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or "writing failed"
            raise TrainingError(
                f"The adapter cannot be written ({reason})",
                "free some disk space; `twin train` then publishes it without training again",
            ) from error


def canaries_of(settings: Settings, snapshot: Snapshot) -> Canaries:
    """The made-up secrets that an audit hides in what is learned."""
    return Canaries.make(snapshot.account.language, settings.train.seed)


def _draw(run: Run, folder: Path, version: str) -> None:
    """The run's curve beside the adapter, as numbers and as a picture; without matplotlib, as numbers."""
    curve = run.standing.curve
    write_curve(folder / "curve.csv", curve)
    title = f"{version}: {run.standing.steps:,} steps, {run.standing.tokens:,} tokens"
    with suppress(DatasetError):
        draw_curve(curve, run.before.nats_per_token, folder / "curve.png", title=title)


def _manifest(run: Run, snapshot: Snapshot, spec: PromptSpec, version: str, now: datetime) -> Manifest:
    at = run.standing
    return Manifest(
        version=version,
        created_at=now.isoformat(timespec="seconds"),
        base=run.base.identity,
        prompt=spec,
        dataset=snapshot.fingerprint,
        owner_turns=snapshot.owner_turns,
        lora=told(run.settings.train),
        metrics=at.before.as_dict("val_base")
        | at.best.as_dict("val")
        | {
            "truncated_turns": run.truncated_turns,
            "steps": at.steps,
            "tokens": at.tokens,
            "seconds": round(at.seconds, 1),
            "tokens_per_second": round(at.tokens / max(at.seconds, 1e-9), 1),
            "interrupted": run.interrupted,
            "stopped_early": run.stopped_early,
            "canaries": run.settings.train.canaries,
        },
        versions={name: library_version(name) for name in _LIBRARIES},
    )
