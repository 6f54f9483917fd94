"""A whole evaluation: material in, every system asked, every reply measured, a report out.

Knows nothing of tables or pages; progress goes to a callback.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

from training.evaluate import HeldOut
from training.fidelity.context_fit import Embed
from training.fidelity.gain import Costs, person_gain, sessions_of, stretches
from training.fidelity.gain import costs as costs_of
from training.fidelity.gather import FULL, QUICK, evenly, gather
from training.fidelity.lineups import lineups
from training.fidelity.material import Bubbles, Context, Material
from training.fidelity.ranking import Ranking, ranking
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
_READ_TOKENS: dict[Kind, int] = {"full": 16_000, "quick": 4_000}
_RANKED: dict[Kind, int] = {"full": 200, "quick": 50}


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
            reads = _reads(voices, asked, material, stages)
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
        settings=_told(settings),
        yardsticks=yardsticks.as_dict(),
        systems=tuple(reports),
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
        plan += [(f"Reading with {LABELS[name]}", 30 + 0.5 * _ranked(asked, contexts)) for name in (BASE, TWIN)]
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


def _reads(voices: Voices, asked: Asked, material: Material, stages: Stages) -> dict[str, Read]:
    """What base and twin make of the same held-out conversations and line-ups."""
    spec = voices.read(asked.version).spec
    found = stretches(spec, voices.base.tokenizer, sessions_of(material.contexts), _READ_TOKENS[asked.kind])
    ranked = lineups(material, asked.seed)
    ranked = evenly(ranked, _ranked(asked, len(ranked)))
    costs: dict[str, Costs] = {}
    places: dict[str, Ranking] = {}
    for name, version in ((BASE, None), (TWIN, asked.version)):
        stages.next()
        reader = voices.read(version)
        costs[name] = costs_of(reader, found, _rows(stages, 2 * len(found)))
        places[name] = ranking(reader, ranked, asked.seed, lambda share: stages.share(0.3 + 0.7 * share))
    gain = person_gain(found, costs[BASE], costs[TWIN], asked.seed)
    return {
        BASE: Read(_held_out(costs[BASE]), None, places[BASE]),
        TWIN: Read(_held_out(costs[TWIN]), gain, places[TWIN]),
    }


def _rows(stages: Stages, rows: int) -> Callable[[], None]:
    """To be called after each of so many rows: they are about a third of the reading."""
    done = count(1)
    return lambda: stages.share(0.3 * next(done) / max(1, rows))


def _held_out(costs: Costs) -> HeldOut | None:
    return costs.held_out if costs.owner else None


def _ranked(asked: Asked, contexts: int) -> int:
    return min(contexts, _RANKED[asked.kind])


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
