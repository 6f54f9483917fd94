"""A whole evaluation: material in, every system asked, every reply measured, a report out.

Knows nothing of tables or pages; progress goes to a callback.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from training.fidelity.context_fit import Embed
from training.fidelity.gather import FULL, QUICK, evenly, gather
from training.fidelity.material import Bubbles, Context, Material
from training.fidelity.reading import DEPTHS, read_all
from training.fidelity.report import Kind, Report, Sample
from training.fidelity.scores import Read, Yardsticks, evaluate_system
from training.fidelity.stages import Stages
from training.fidelity.systems import (
    BASE,
    EXAMPLES,
    LABELS,
    OWNER,
    RANDOM,
    STRANGER,
    TWIN,
    Answer,
    System,
    with_examples,
    without_model,
)
from training.fidelity.voices import Voices
from training.snapshot import Snapshot
from twin.registry import Registry
from twin.settings import Settings

_SAMPLES = 20


@dataclass(frozen=True)
class Written:
    """Replies that some other system wrote to the contexts, from a file.

    Attributes:
        name: what its row is called.
        replies: by the context's id.
    """

    name: str
    replies: dict[str, Bubbles]


@dataclass(frozen=True)
class Asked:
    """What is to be measured.

    Attributes:
        version: the adapter that is the twin; None for none.
        kind: "full" asks also the base model, bare and with examples.
        contexts: how many, instead of what belongs to the kind.
        written: of other makes.
        seed: of sampling and resampling.
    """

    version: str | None
    kind: Kind = "full"
    contexts: int | None = None
    written: Sequence[Written] = field(default_factory=tuple)
    seed: int = 0

    def with_written(self, written: Sequence[Written]) -> Asked:
        """The same, and replies of other makes."""
        return replace(self, written=tuple(written))

    @property
    def count(self) -> int:
        """How many contexts."""
        return self.contexts or (FULL if self.kind == "full" else QUICK)


def evaluate(
    settings: Settings,
    registry: Registry,
    snapshot: Snapshot,
    asked: Asked,
    *,
    embed: Embed | None,
    on_progress: Callable[[str, float], None],
) -> Report:
    """Ask and measure everything.

    Args:
        snapshot: the one the version learned from: its test part is later than all that it saw.
        embed: a sentence encoder, for how well replies fit; None leaves that out.
        on_progress: told what is being done and the share that is done, in [0, 1].

    Raises:
        AdapterError: there is no such version, or it is damaged or of another base model.
        DatasetError: the test part has no reply of the owner.
        ModelError: the base model is missing or does not fit this machine.
    """
    begin = time.monotonic()
    material = gather(snapshot, asked.count)
    systems = [*_given(asked), *without_model(material, asked.seed)]
    stages = Stages(on_progress, _plan(asked, systems, len(material.contexts)))
    stages.next()
    yardsticks = Yardsticks.of(material, embed, asked.seed, stages.share)
    found: dict[str, list[Bubbles]] = {}
    reads: dict[str, Read] = {}
    if asked.version is not None:
        stages.next()
        voices = Voices(settings, registry, snapshot.account.language)
        try:
            spoken = _spoken(voices, asked, material, settings)
            for system in spoken:
                stages.next()
                found[system.name] = system.answer(material.contexts, stages.share)
            depth = DEPTHS[asked.kind]
            reads = read_all(voices, asked.version, material, snapshot, settings.home, depth, stages, asked.seed)
        finally:
            voices.close()
        systems = [*spoken, *systems]
    reports = []
    for system in systems:
        stages.next()
        if system.name not in found:
            found[system.name] = system.answer(material.contexts, stages.share)
        reports.append(evaluate_system(yardsticks, system, found[system.name], reads.get(system.name)))
    stages.end()
    return Report(
        version=asked.version,
        dataset=snapshot.fingerprint,
        at=datetime.now(UTC),
        kind=asked.kind,
        seed=asked.seed,
        contexts=len(material.contexts),
        counts=material.counts,
        settings=_told(settings),
        yardsticks=yardsticks.as_dict(),
        systems=tuple(reports),
        base=reads[BASE].held_out if BASE in reads else None,
        samples=_samples(material.contexts, found),
        seconds=time.monotonic() - begin,
    )


def _plan(asked: Asked, systems: Sequence[System], contexts: int) -> list[tuple[str, float]]:
    """About how many seconds each stage takes on two cores, for the bar to move evenly."""
    plan = [("Working out the yardsticks", 5 + 0.05 * contexts)]
    names = [system.name for system in systems]
    if asked.version is not None:
        spoken = _names(asked)
        names = [*spoken, *names]
        plan += [("Loading the base model", 10.0)]
        plan += [(f"Asking {LABELS[name]}", (1.2 if name == EXAMPLES else 0.7) * contexts) for name in spoken]
        depth = DEPTHS[asked.kind]
        reading = 0.002 * depth.tokens + 0.5 * min(depth.lineups, contexts)
        plan += [(f"Reading with {LABELS[name]}", reading) for name in (BASE, TWIN)]
        plan += [("Asking for secrets", 0.3 * depth.probes)]
    return plan + [(f"Measuring {LABELS.get(name, name)}", 2 + 0.01 * contexts) for name in names]


def _names(asked: Asked) -> list[str]:
    """The systems that a model has to speak for."""
    return [TWIN, BASE, EXAMPLES] if asked.kind == "full" else [TWIN]


def _spoken(voices: Voices, asked: Asked, material: Material, settings: Settings) -> list[System]:
    shown = with_examples(voices.bare, material, settings.owner)
    answers: dict[str, Answer] = {
        TWIN: lambda contexts, on_share: voices.speak(asked.version, contexts, asked.seed, on_share),
        BASE: lambda contexts, on_share: voices.speak(None, contexts, asked.seed, on_share),
        EXAMPLES: lambda contexts, on_share: voices.speak_as(shown, contexts, asked.seed, on_share),
    }
    return [System(name, LABELS[name], answers[name]) for name in _names(asked)]


def _given(asked: Asked) -> list[System]:
    def answer(written: Written) -> Answer:
        return lambda contexts, _: [written.replies.get(context.id, ()) for context in contexts]

    return [System(written.name, written.name, answer(written)) for written in asked.written]


def _samples(contexts: Sequence[Context], found: dict[str, list[Bubbles]]) -> tuple[Sample, ...]:
    places = evenly(range(len(contexts)), _SAMPLES)
    kept = [name for name in found if name not in (OWNER, STRANGER, RANDOM)]
    return tuple(Sample(contexts[place], {name: found[name][place] for name in kept}) for place in places)


def _told(settings: Settings) -> dict[str, Any]:
    """How replies were made."""
    base = {
        "model": settings.base.model,
        "quantization": settings.base.quantization,
        "template": settings.base.template,
    }
    return {"base": base, "context_tokens": settings.dataset.context_tokens, "reply": settings.reply.model_dump()}
