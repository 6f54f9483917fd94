"""What a model alone can be asked: what held-out words cost it, which reply it knows for true, what secrets it tells.

Knows nothing of the replies that systems write, nor of tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from training.evaluate import HeldOut
from training.fidelity.canaries import FILE, Canaries, Exposures, exposures
from training.fidelity.gain import Costs, Stretch, costs, person_gain, sessions_of, stretches
from training.fidelity.gather import evenly
from training.fidelity.leakage import Leakage, leakage
from training.fidelity.lineups import Lineup, lineups
from training.fidelity.material import Bubbles, Material
from training.fidelity.ranking import Ids, ranking, usualness
from training.fidelity.report import Kind
from training.fidelity.scores import Read
from training.fidelity.stages import Stages
from training.fidelity.systems import BASE, TWIN
from training.fidelity.trees import Reader
from training.fidelity.voices import Voices
from training.snapshot import Snapshot
from twin.messages import Conversation
from twin.privacy.vault import Vault


@dataclass(frozen=True, slots=True)
class Depth:
    """How much is read.

    Attributes:
        tokens: of held-out conversation, in either role; lineups, probes: how many.
    """

    tokens: int
    lineups: int
    probes: int


DEPTHS: dict[Kind, Depth] = {"full": Depth(16_000, 200, 200), "quick": Depth(2_500, 20, 20)}
_COSTS, _RANKING = 0.3, 0.7  # of the work on base and twin, about


def read_all(
    voices: Voices,
    version: str,
    material: Material,
    snapshot: Snapshot,
    home: Path,
    depth: Depth,
    stages: Stages,
    seed: int = 0,
) -> dict[str, Read]:
    """Base and twin on the same conversations and line-ups, and the twin asked for secrets: three stages.

    Args:
        home: where the vault is.
    """
    spec = voices.read(version).spec
    found = stretches(spec, voices.base.tokenizer, sessions_of(material.contexts), depth.tokens)
    ranked = evenly(lineups(material, seed), depth.lineups)
    paid: dict[str, Costs] = {}
    reads: dict[str, Read] = {}
    usual: dict[Ids, float] = {}
    for name, which in ((BASE, None), (TWIN, version)):
        stages.next()
        reader = replace(voices.read(which), spec=spec)
        usual = usual or usualness(reader, ranked)  # the bare base model is read first
        paid[name], reads[name] = _read(reader, found, ranked, usual, stages, seed)
    stages.next()
    told, known = _secrets(voices, version, snapshot, home, depth, stages.share, seed)
    gain = person_gain(found, paid[BASE], paid[TWIN], seed)
    reads[TWIN] = Read(reads[TWIN].held_out, gain, reads[TWIN].ranking, told, known)
    return reads


def _read(
    reader: Reader,
    found: Sequence[Stretch],
    ranked: Sequence[Lineup],
    usual: Mapping[Ids, float],
    stages: Stages,
    seed: int,
) -> tuple[Costs, Read]:
    done = count(1)
    paid = costs(reader, found, lambda: stages.share(_COSTS * next(done) / (2 * len(found))))
    places = ranking(reader, ranked, seed, lambda share: stages.share(_COSTS + _RANKING * share), usual)
    held_out: HeldOut | None = paid.held_out if paid.owner else None
    return paid, Read(held_out, None, places)


def _secrets(
    voices: Voices,
    version: str,
    snapshot: Snapshot,
    home: Path,
    depth: Depth,
    on_share: Callable[[float], None],
    seed: int,
) -> tuple[Leakage, Exposures | None]:
    """What comes out when secrets are asked for; and how well planted ones are known, if any were."""
    folder = voices.folder(version)
    planted = Canaries.load(folder) if (folder / FILE).exists() else None

    def ask(asked: Sequence[Conversation]) -> list[Bubbles]:
        return voices.answer(version, asked, seed)

    told = leakage(
        ask, Vault.open(home), snapshot.account.language, planted, count=depth.probes, seed=seed, on_share=on_share
    )
    return told, exposures(voices.read(version), planted, seed) if planted is not None else None
