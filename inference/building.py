"""Which engine serves on this machine, put together with the registry and the guard.

Knows nothing of what engines do inside; each is imported only when it is the one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.answering import Answering
from inference.choosing import choose
from inference.guard import Guard
from inference.llamacpp.limits import unable
from twin.errors import SettingsError
from twin.settings import Settings

if TYPE_CHECKING:
    from inference.engine import Engine


def build(settings: Settings) -> Answering:
    """What `inference.generator.build_generator` gives."""
    return Answering.open(settings, engine_for(settings), Guard.open(settings))


def engine_for(settings: Settings) -> Engine:
    """The engine that `inference.choosing` chooses, loaded, with no adapter on it yet.

    Raises:
        ModelError: the base model is missing or does not fit this machine.
        SettingsError: the engine asked for is not installed, or lacks a setting.
    """
    kind = choose(settings).kind
    if kind == "remote":
        from inference.remote.engine import RemoteEngine

        return RemoteEngine.open(settings)
    if kind == "llamacpp":
        if problem := unable(settings):
            raise SettingsError(*problem)
        from inference.llamacpp.engine import LlamaCppEngine

        return LlamaCppEngine.open(settings)

    from inference.local import LocalEngine

    return LocalEngine.open(settings)
