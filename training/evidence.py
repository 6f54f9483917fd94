"""What the gate is shown of adapters: loss on held-out conversations, and replies to held-out moments, measured.

Knows nothing of how an adapter is judged. Adapters are read from their published folders, as they would serve.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from inference.answering import Answering
from inference.base_model import LoadedBase
from inference.local import LocalEngine
from training.encode import Window, pack, windows
from training.evaluate import evenly, held_out_loss
from training.fidelity.gather import FULL, QUICK, gather
from training.fidelity.material import Material
from training.fidelity.scores import SystemReport, Yardsticks, evaluate_system
from training.fidelity.systems import System
from training.gate import Evidence, Speech
from training.snapshot import Snapshot
from twin.errors import DatasetError
from twin.privacy.vault import Vault
from twin.prompt import PromptSpec
from twin.registry import Registry
from twin.settings import Settings

LEAST_CONTEXTS = 20
_TOKENS = 12_000
_SEED = 0


class Examiner:
    """Shows adapters to the gate, all the same things.

    Args:
        base: loaded, without an adapter on it.
        snapshot: its test part is what they are shown.
        say: told what is being done.
    """

    def __init__(
        self,
        settings: Settings,
        base: LoadedBase,
        registry: Registry,
        snapshot: Snapshot,
        say: Callable[[str], None],
    ) -> None:
        self.settings = settings
        self._base = base
        self._registry = registry
        self._snapshot = snapshot
        self._say = say
        self._bare = PromptSpec.of(settings, snapshot.account.language)
        self._generator = Answering(LocalEngine(base), registry, settings.reply, self._bare)
        self.reports: dict[str, SystemReport] = {}

    def of_base(self, prompt: PromptSpec) -> Evidence:
        """The loss of the bare base model on conversations written as an adapter reads them."""
        self._generator.use(None)
        return self._read(prompt)

    def of(self, version: str) -> Evidence:
        """Loss and replies of a version.

        Raises:
            AdapterError: it does not verify, or belongs to another base model.
        """
        self._generator.use(version)
        evidence = self._read(self._registry.verify(version).prompt)
        speech = self._ask(version)
        return Evidence(evidence.nats, evidence.characters, speech)

    def close(self) -> None:
        """Leave the base model as it was."""
        self._generator.use(None)

    def _read(self, prompt: PromptSpec) -> Evidence:
        found = [self._loss(window) for window in self._windows(prompt)]
        return Evidence(tuple(nats for nats, _ in found), tuple(characters for _, characters in found))

    def _windows(self, prompt: PromptSpec) -> list[Window]:
        return evenly(windows(self._snapshot.sessions("test"), prompt, self._base.tokenizer), _TOKENS)

    def _loss(self, window: Window) -> tuple[float, int]:
        found = held_out_loss(self._base.model, pack([window], len(window.ids)), self._base.device)
        return found.nats, found.characters

    @cached_property
    def _material(self) -> Material | None:
        how = self.settings.train.gate
        if how == "loss":
            return None
        is_full = how == "full" or (how == "auto" and self._base.device.type == "cuda")
        try:
            found = gather(self._snapshot, FULL if is_full else QUICK)
        except DatasetError:  # nobody wrote to the owner in the test part
            return None
        return found if len(found.contexts) >= LEAST_CONTEXTS else None

    @cached_property
    def _yardsticks(self) -> Yardsticks | None:
        return Yardsticks.of(self._material, embed=None, seed=_SEED) if self._material is not None else None

    def _ask(self, version: str) -> Speech | None:
        """Answers to held-out moments at the settings with which it would serve."""
        if self._material is None or self._yardsticks is None:
            return None
        self._say(f"Asking {version} {len(self._material.contexts)} held-out questions")
        contexts = self._material.contexts
        answers = self._generator.answer([context.conversation for context in contexts], seed=_SEED)
        replies = [answer.bubbles for answer in answers]
        report = evaluate_system(self._yardsticks, System(version, version, lambda _, __: []), replies)
        self.reports[version] = report
        vault = Vault.open(self.settings.home)
        habits, owner = report.copying.habits, self._yardsticks.copying.owner
        return Speech(
            fidelity=report.separation.fidelity,
            excess=report.copying.excess,
            loops=habits.loops,
            missing=habits.missing,
            same=habits.most_frequent - owner.most_frequent,
            leaks=sum(vault.contains("\n".join(reply)) for reply in replies),
            asked=len(replies),
        )
