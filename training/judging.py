"""Whether a new adapter proved itself: it and the one that serves are shown to the gate.

Knows nothing of how it was trained or published, nor of what the gate asks for.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from training.evidence import Examiner
from training.gate import Evidence, Verdict, judge
from training.qlora import Run
from training.sets_alone import CUTS
from training.snapshot import Snapshot, load
from twin.errors import AdapterError, DatasetError, ModelError
from twin.evaluations import Evaluations
from twin.registry import Manifest, Registry

_KIND = "gate"


def examine(
    run: Run, manifest: Manifest, snapshot: Snapshot, registry: Registry, say: Callable[[str], None]
) -> Verdict:
    """Show a published adapter, the base model and the adapter that serves to the gate.

    The run's own adapter is taken off the base model: what is judged is what was published. A base model that was
    shared out among processes is loaded whole, as it would serve; where it does not fit, the adapter does not serve.
    """
    if run.interrupted:
        return Verdict(False, "training was stopped before its end")
    if run.settings.train.canaries:
        return Verdict(False, "it is an audit: made-up secrets were hidden in what it learned (train.canaries)")
    if not run.standing.learned:
        mine = run.best.bits_per_character
        return Verdict(False, f"not better than the base model on held-out replies ({mine:.3f} bits per character)")
    if not snapshot.counts["test"].supervised_turns:
        return Verdict(True, f"{run.best.bits_per_character:.3f} held-out bits per character; nothing to compare with")
    try:
        base = run.whole_base()
    except ModelError as error:
        return Verdict(False, f"it could not be tried as it would serve ({error.problem})")
    examiner = Examiner(run.settings, base, registry, snapshot, say)
    say("Measuring on conversations later than everything it learned from")
    try:
        challenger = examiner.of(manifest.version)
        champion = _champion(examiner, manifest, snapshot, registry)
        verdict = judge(challenger, examiner.of_base(manifest.prompt), champion)
    finally:
        examiner.close()
    for version, report in examiner.reports.items():
        Evaluations(registry.db).add(version, time.time(), _KIND, report.as_dict())
    return verdict


def _champion(examiner: Examiner, manifest: Manifest, snapshot: Snapshot, registry: Registry) -> Evidence | None:
    """The adapter that serves; None when there is none, or when the comparison would not be fair."""
    version = registry.current()
    if version is None or version == manifest.version:
        return None
    try:
        champion = registry.verify(version)
        learned = load(examiner.settings.datasets, champion.dataset)
        if learned.cuts.val_from > snapshot.cuts.test_from:
            return None  # it learned from some of what is held out now
        if CUTS in (learned.cuts, snapshot.cuts) and learned.fingerprint != snapshot.fingerprint:
            return None  # nobody knows what was later than what
        return examiner.of(version)
    except (AdapterError, DatasetError):
        return None
