"""The frozen base model: checked against this machine, loaded quantized.

Knows nothing of adapters, of conversations or of where a model comes from. The same code loads it for training and for
serving.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from bitsandbytes.nn import Linear8bitLt
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, BitsAndBytesConfig
from transformers.utils import logging as transformers_logging

from inference.model_folder import fingerprint, locate, refuse_too_large
from inference.resident import keep_dequantized
from inference.tokenizer import BaseTokenizer
from inference.vocabulary import make_rows
from twin.errors import MemoryTaken, ModelError
from twin.registry import BaseIdentity
from twin.settings import Settings
from twin.templates import CHATML_MARKS

warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)  # peft 0.21 asks for it
logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)  # int8 tells every call of its cast
transformers_logging.set_verbosity_error()
transformers_logging.disable_progress_bar()


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
        refuse_too_large(settings.base.model, parameters, has_gpu=device.type != "cpu")
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


def count_parameters(folder: Path) -> int:
    """How many weights the model in a folder has, from its configuration alone."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder, local_files_only=True))
    return sum(weight.numel() for weight in model.parameters())
