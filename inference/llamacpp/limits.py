"""What llama.cpp cannot do of what settings, samplings and adapters ask for, with what to do about each.

Knows nothing of its runtime: nothing heavy is imported, so that anybody may ask.
"""

from __future__ import annotations

from importlib.util import find_spec

from twin.errors import AdapterError
from twin.manifest import Manifest
from twin.sections import Reply
from twin.settings import Settings

_PACKAGES = ("xllamacpp", "gguf", "tokenizers", "safetensors")


def unable(settings: Settings) -> tuple[str, str] | None:
    """Why llama.cpp cannot serve what the settings ask for, and what to do; None when it can."""
    if not all(map(find_spec, _PACKAGES)):
        return "llama.cpp is not installed", "run `pip install '.[llamacpp]'`, or set engine.kind to \"local\""
    if settings.base.chatml_tokens == "trained":
        return (
            "llama.cpp has no rows for tokens that are added to the base model",
            'set engine.kind to "local", or base.chatml_tokens to "text"',
        )
    if settings.reply.candidates > 1:
        return "llama.cpp cannot compare candidates", 'set reply.candidates to 1, or engine.kind to "local"'
    return unmapped(settings.reply)


def unmapped(how: Reply) -> tuple[str, str] | None:
    """The same of one way of sampling."""
    if how.repetition_penalty != 1:
        return (
            "llama.cpp would penalise what the conversation holds, not only what the reply repeats",
            'set reply.repetition_penalty to 1, or engine.kind to "local"',
        )
    if how.no_repeat_ngram:
        return (
            "llama.cpp cannot forbid a reply to repeat itself",
            'set reply.no_repeat_ngram to 0, or engine.kind to "local"',
        )
    return None


def refuse_adapter(version: str, manifest: Manifest) -> None:
    """Raises AdapterError for one that makes up for what NF4 lost of the base model."""
    if manifest.lora.get("init") == "loftq":
        raise AdapterError(
            f"The adapter {version} corrects what NF4 lost of the base model; a GGUF lost something else",
            'set engine.kind to "local", or train one with train.init = "default"',
        )
