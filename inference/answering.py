"""Answering: conversations to replies with any engine: prompts rendered, versions swapped, every bubble guarded.

Knows nothing of how an engine runs a model, of chats' users or of who asks.

What serves is decided by the registry before every reply and changed between replies (`inference.turnstile`). A version
that cannot be loaded, or of which a probe shows that it does not do what its weights should, is refused for good, and
what served before goes on. How one reply is written stands in `inference.writing`.
"""

from __future__ import annotations

import logging
import math
import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

from inference.engine import Engine
from inference.generator import ANYHOW, BASE, TwinReply, Wish
from inference.turnstile import LeftTheQueue, Turnstile
from inference.writing import Guard, Unguarded, Writing
from twin.errors import AdapterError, ModelError
from twin.language import of_owner
from twin.manifest import Manifest
from twin.messages import Conversation
from twin.prompt import PromptSpec
from twin.registry import Registry
from twin.sections import Reply
from twin.settings import Settings
from twin.store import Store

_THREADS = 16
_SEEDS = 2**63 - 1
_SAME = 1e-5  # nats: two versions whose log-probabilities are as close are one
log = logging.getLogger(__name__)


class Answering:
    """Fulfils `Generator` with an engine, the registry of adapters and a guard.

    Args:
        bare: how the bare base model is prompted.
        at_once: how many replies are written at the same time; further ones wait.
    """

    def __init__(
        self,
        engine: Engine,
        registry: Registry,
        sampling: Reply,
        bare: PromptSpec,
        guard: Guard | None = None,
        at_once: int = 1 << 30,
    ) -> None:
        self._engine = engine
        self._registry = registry
        self._sampling = sampling
        self._guard = guard or Unguarded()
        self._bare = bare.bound_to(engine.tokenizer)
        self._manifests: dict[str, Manifest] = {}  # of what is prepared
        self._specs: dict[str, PromptSpec] = {}  # of what ever was
        self._refused: dict[str, str] = {}
        self._store: Store | None = None
        self._random = random.Random()
        self._looking = threading.RLock()  # over the registry and what is prepared
        self._turnstile = Turnstile(self._swap, at_once=at_once)
        self._wanted: str | None = None  # what the next replies are to be written by
        self._is_pinned = self._is_released = False
        self._probed: Mapping[int, float] = engine.probe()
        self.swaps = 0

    @classmethod
    def open(cls, settings: Settings, engine: Engine, guard: Guard | None = None) -> Answering:
        """With the registry and the owner's language of the settings, and the promoted adapter on the engine."""
        store = Store.of(settings, any_thread=True)
        bare = PromptSpec.of(settings, of_owner(store.db, settings))
        registry = Registry(settings.adapters, store.db)
        answering = cls(engine, registry, settings.reply, bare, guard, settings.engine.at_once)
        answering._store = store
        answering.refresh()
        return answering

    @property
    def adapter(self) -> str | None:
        """See Generator."""
        return self._wanted

    @property
    def refused(self) -> str | None:
        """See Generator."""
        with self._looking:
            promoted = self._registry.current()
        return self._refused.get(promoted) if promoted is not None else None

    @property
    def prompt(self) -> PromptSpec:
        """See Generator."""
        return self._spec(self._wanted)

    @property
    def kind(self) -> str:
        """Which engine it is, as `engine.kind` names them."""
        return self._engine.kind

    @property
    def waiting(self) -> int:
        """How many replies wait to be begun."""
        return self._turnstile.waiting

    @property
    def is_reachable(self) -> bool:
        """Whether the engine answers, as far as is known; a server elsewhere may not."""
        circuit = getattr(self._engine, "circuit", None)
        return circuit is None or circuit.state == "closed"

    def refresh(self) -> None:
        """See Generator. A version that was withdrawn, and that none follows, stops serving."""
        while not self._is_released:
            self._look()
            if self._wanted == self._turnstile.version:
                return
            try:
                with self._turnstile.inside(lambda: self._wanted):
                    return
            except AdapterError as error:
                self._refuse(error)

    def use(self, version: str | None) -> None:
        """Serve a certain version, or the bare base model, whatever is promoted.

        Raises:
            AdapterError: it does not verify or belongs to another base model.
        """
        before, self._is_pinned = self._is_pinned, True
        try:
            with self._turnstile.inside(lambda: version):
                self._wanted = version
        except AdapterError:
            self._is_pinned = before
            raise

    def reply(self, conversation: Conversation, wish: Wish = ANYHOW) -> TwinReply:
        """See Generator."""
        while True:
            self._look()
            asked = None if wish.version == BASE else wish.version
            wanted = (lambda: self._wanted) if wish.version is None else lambda asked=asked: asked
            try:
                with self._turnstile.inside(wanted, wish.is_cancelled) as version:
                    wish.on_begin(version)
                    return self._write(conversation, wish, version)
            except LeftTheQueue:
                return TwinReply((), self.adapter, "cancelled")
            except AdapterError as error:
                if wish.version is not None:
                    raise
                self._refuse(error)

    def replies(self, conversations: Sequence[Conversation], wish: Wish = ANYHOW) -> list[TwinReply]:
        """See Generator."""
        wishes = [wish if wish.seed is None else replace(wish, seed=wish.seed + n) for n in range(len(conversations))]
        with ThreadPoolExecutor(max(1, min(len(conversations), _THREADS))) as threads:
            return list(threads.map(self.reply, conversations, wishes))

    def answer(
        self,
        conversations: Sequence[Conversation],
        sampling: Reply | None = None,
        seed: int | None = None,
        on_progress: Callable[[float], None] = lambda _: None,
    ) -> list[TwinReply]:
        """What the version that serves would say, unguarded, for whoever measures it; an empty answer is tried again.

        Args:
            sampling: instead of the settings'.
            seed: with the same one, a conversation at the same place gets the same answer. Default: another each time.
            on_progress: told the share of replies that are written, in [0, 1].
        """
        with self._turnstile.inside(lambda: self._turnstile.version) as version:
            writing = Writing(self._engine, self._spec(version), sampling or self._sampling)
            first = self._random.randrange(_SEEDS) if seed is None else seed
            return [TwinReply(bubbles, version) for bubbles in writing.all_of(conversations, first, on_progress)]

    @contextmanager
    def registry(self) -> Iterator[Registry]:
        """The registry, for whoever wants to read it or promote while replies are written."""
        with self._looking:
            yield self._registry

    def release(self) -> None:
        """See Generator."""
        self._turnstile.close()
        with self._looking:
            if not self._is_released:
                self._is_released = True
                self._manifests.clear()
                self._engine.release()

    def resume(self) -> None:
        """See Generator. What was promoted meanwhile is found by the next reply."""
        with self._looking:
            if not self._is_released:
                return
            self._engine.resume()
            self._is_released = False
            version = self._turnstile.version
            try:
                self._prepare(version)
            except AdapterError:
                version = None
            self._engine.use(version)
            self._probed = self._engine.probe()
            self._turnstile.open(version)

    def close(self) -> None:
        """See Generator."""
        self._turnstile.close()
        self._engine.close()
        if self._store is not None:
            self._store.close()

    def _write(self, conversation: Conversation, wish: Wish, version: str | None) -> TwinReply:
        how, seed = wish.how or self._sampling, wish.seed
        if seed is None:
            seed = self._random.randrange(_SEEDS) if how.temperature else 0
        writing = Writing(self._engine, self._spec(version), how)
        reply = writing.guarded(conversation, wish, seed, self._guard)
        return replace(reply, adapter=version)

    def _spec(self, version: str | None) -> PromptSpec:
        return self._specs.get(version, self._bare) if version is not None else self._bare

    def _look(self) -> None:
        """Find out what is to serve, and have it prepared; of what cannot be, it is kept why."""
        with self._looking:
            if self._is_pinned or self._is_released:
                return
            candidates = self._registry.candidates()
            for version in candidates:
                if version in self._refused:
                    continue
                try:
                    self._prepare(version)
                except AdapterError as error:
                    self._refused[version] = str(error)
                    log.warning("%s", error)
                    if self._wanted in candidates:
                        return  # what serves keeps serving
                    continue
                self._wanted = version
                return
            if self._wanted not in candidates or self._wanted in self._refused:
                self._wanted = None

    def _refuse(self, error: AdapterError) -> None:
        """What was to serve does not after all; what served until now goes on, unless it was withdrawn."""
        with self._looking:
            version, self._wanted = self._wanted, self._turnstile.version
            if version is not None:
                self._refused[version] = str(error)
                log.warning("%s", error)

    def _prepare(self, version: str | None) -> None:
        with self._looking:
            if version is None or version in self._manifests:
                return
            manifest = self._registry.verify(version, self._engine.identity)
            self._engine.prepare(version, self._registry.path(version), manifest)
            self._manifests[version] = manifest
            self._specs[version] = manifest.prompt

    def _swap(self, version: str | None) -> None:
        """Make a version serve, see that it does, and let go of all others. Nobody is writing."""
        with self._looking:
            before = self._turnstile.version
            self._prepare(version)
            self._engine.use(version)
            try:
                found = self._engine.probe()
                self._refuse_unlike(version, before, found)
            except (AdapterError, ModelError):
                self._engine.use(before)
                self._let_go(version)
                raise
            self._probed = found
            self.swaps += 1
            for other in [name for name in self._manifests if name != version]:
                self._let_go(other)

    def _let_go(self, version: str | None) -> None:
        if version is not None and self._manifests.pop(version, None) is not None:
            self._engine.drop(version)

    def _refuse_unlike(self, version: str | None, before: str | None, found: Mapping[int, float]) -> None:
        """The proof of a swap: a version with other weights computes other numbers, and numbers at all.

        After few steps of training an adapter may be too weak to change a number that bf16 can hold, so the first one
        after the bare base model is let be, and so is what somebody asked for by name.

        Raises:
            AdapterError: it does not.
        """
        if version is None:
            return
        if not all(map(math.isfinite, found.values())):
            raise AdapterError(f"The adapter {version} computes no numbers", "promote another version, or retrain")
        if before is None or self._is_pinned:
            return
        same = found.keys() == self._probed.keys() and all(abs(found[t] - self._probed[t]) <= _SAME for t in found)
        if same and _weights(self._manifests[version]) != _weights(self._manifests.get(before or "")):
            raise AdapterError(
                f"With the adapter {version} the model says what it said before",
                "promote another version, or retrain",
            )


def _weights(manifest: Manifest | None) -> object:
    """What tells one adapter's weights from another's; None for no adapter."""
    return manifest.files.get("adapter_model.safetensors", {}).get("sha256") if manifest is not None else None
