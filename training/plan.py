"""What a training will need of memory, worked out before anything is loaded, and what fits: rows, checkpointing.

Knows nothing of torch or of devices: arithmetic over a model's shape. training/shape.py reads that shape,
training/cards.py how much memory there is.

Every term is a tensor that exists at the peak of a step, found by listing what autograd keeps (`saved_tensors_hooks`)
over models of two families. On a CPU the sum is then right up to the allocator, whose slack was measured (`CPU_SLACK`).
The numbers for CUDA follow from the same list with the sizes that the same operations have there, and from what
bitsandbytes documents; **they were never measured on a card**.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from twin.settings import Settings

GIB = 1 << 30
MIB = 1 << 20
Device = Literal["cpu", "cuda"]

NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)  # 4 bits; an 8-bit constant for 64 of them; fp32 for 256 of those
LEAST_ROW = 256
ROW_ON_CPU = 1024  # longer rows cost more attention than they save: 199 tokens/s at 1,024, 149 at 2,048
ROW_ON_CUDA = 16_384
HEAD_TILE = {"cpu": 16 * MIB, "cuda": 256 * MIB}  # training/loss.py's logits, fp32
RESIDENT = 1e9  # weights: inference/resident.py dequantizes up to so many once and for all on a CPU
MULTIPLIED_OUT = 2048  # tokens: training/attention.py keeps probabilities of bf16 rows up to here, in blocks of 256
_BLOCK = 256
CPU_SLACK = 1.9  # glibc keeps about as much again as a step needs at once: measured 1.7 to 2.1
CUDA_SLACK = 1.1
CPU_LIBRARIES = 510 * MIB  # torch, transformers, peft, bitsandbytes: measured, 0.49 GiB resident
CUDA_CONTEXT = 600 * MIB  # context and cuBLAS workspaces, as others report them


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a model's architecture decides over memory; lengths in numbers, not bytes.

    Attributes:
        linear: weights of all linear layers but the output head: what is quantized.
        other: every other weight: embeddings, head, norms, biases.
        largest: weights of the largest linear layer, which is dequantized whole.
        lora_per_rank: weights of LoRA matrices for each rank.
        lora_inputs: widths of all adapted layers' inputs, added up; lora_inputs_shared: each distinct input once.
        norms: widths of everything that is normalised in one pass over all layers.
        layers, hidden, heads, vocabulary: as they are called.
        attention: heads times head width; inner: width between the MLP's layers; gated: whether it has a gate.
    """

    linear: int
    other: int
    largest: int
    lora_per_rank: int
    lora_inputs: int
    lora_inputs_shared: int
    adapted: int
    norms: int
    layers: int
    hidden: int
    heads: int
    attention: int
    inner: int
    gated: bool
    vocabulary: int

    @property
    def parameters(self) -> int:
        """All weights."""
        return self.linear + self.other


@dataclass(frozen=True, slots=True)
class How:
    """What of the settings decides over memory.

    Attributes:
        width: bytes of a number in computation: 2 (bf16) or 4 (fp32).
    """

    device: Device
    quantization: Literal["nf4", "int8", "none"]
    width: int
    rank: int
    dropout: bool


@dataclass(frozen=True, slots=True)
class Need:
    """Expected bytes at the peak of training, by what takes them.

    Attributes:
        weights: of the frozen base model; lora: the adapter, its gradients, the optimiser's state, copies of the best.
        activations: what a forward pass keeps for the backward pass; working: what lives beside that for a moment.
        fixed: libraries on a CPU, context on a GPU; slack: what the allocator holds beyond all that.
    """

    weights: int
    lora: int
    activations: int
    working: int
    fixed: int
    slack: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.lora + self.activations + self.working + self.fixed + self.slack


@dataclass(frozen=True, slots=True)
class Plan:
    """What was chosen, and what it needs.

    Attributes:
        row_tokens: tokens of one forward pass; longest: the longest window that must fit into one.
        checkpointing: whether activations are computed a second time instead of kept.
        memory: bytes there are; fits: whether `need` is within them.
    """

    row_tokens: int
    checkpointing: bool
    need: Need
    memory: int
    fits: bool


def weights(shape: Shape, how: How) -> int:
    """Bytes of the base model on one device."""
    a_weight = {"nf4": NF4_BYTES, "int8": 1.0, "none": float(how.width)}[how.quantization]
    if _is_resident(shape, how):
        a_weight = float(how.width)
    return int(shape.linear * a_weight + shape.other * how.width)


def _is_resident(shape: Shape, how: How) -> bool:
    return how.device == "cpu" and how.quantization == "nf4" and shape.linear <= RESIDENT


def lora(shape: Shape, how: How) -> int:
    """Bytes of the adapter and all that is kept for each of its weights.

    fp32 weights and gradients; AdamW's two fp32 numbers, or two of 8 bits when paged (a page moves to the CPU's memory
    when the card is full; here it counts). On a CPU the first and the best state are two copies more.
    """
    for_each = 4 + 4 + (2 + 2 / 256 * 4 if how.device == "cuda" else 8 + 8)
    return int(shape.lora_per_rank * how.rank * for_each)


def kept(shape: Shape, how: How, tokens: int) -> int:
    """Bytes that autograd keeps for the backward pass over a row of so many tokens, in all layers."""
    if how.dropout:  # on a CPU the mask is as wide as what it multiplies, on CUDA a byte
        inputs = shape.lora_inputs * (8 if how.device == "cpu" else 5)
    else:  # fp32 copies beside bf16, and on a CPU the very tensors
        inputs = shape.lora_inputs * 4 if how.width == 2 else shape.lora_inputs_shared * 4
    inputs += shape.adapted * how.rank * 4
    attention = shape.layers * _attended(shape, how, tokens)
    inner = shape.layers * (3 if shape.gated else 1) * shape.inner * how.width
    return tokens * int(inputs + attention + inner + shape.norms * 4)


def _attended(shape: Shape, how: How, tokens: int) -> float:
    """Bytes a token that one layer's attention keeps: queries, keys, values, and what follows from the row's mask.

    A GPU's kernels, and fp32 on a CPU, keep the output and a mask as wide as the row, the same for all heads; a CPU in
    bf16 keeps the probabilities of all heads, for keys up to a block of queries: half of the row and half a block.
    """
    if how.device == "cpu" and how.width == 2 and tokens <= MULTIPLIED_OUT:
        seen = min(tokens, (tokens + _BLOCK) / 2)
        return 3 * shape.attention * 2 + seen * (2 * shape.heads + 1)
    return 4 * shape.attention * how.width + tokens * how.width


def need(shape: Shape, how: How, tokens: int, *, checkpointing: bool) -> Need:
    """What a step over rows of so many tokens needs.

    Checkpointing keeps every layer's input and, for one layer at a time, what that layer keeps. The head's tile of
    logits exists while everything else is kept.
    """
    everything = kept(shape, how, tokens)
    one_layer = everything // shape.layers
    inputs = shape.layers * tokens * shape.hidden * how.width
    # with checkpointing one layer at a time is computed again, and has gradients for what it keeps
    activations = inputs + 2 * one_layer if checkpointing else everything
    whole = how.quantization == "none" or _is_resident(shape, how)
    dequantized = 0 if whole else shape.largest * how.width
    working = max(_head(shape, how, tokens), one_layer // 2) + dequantized
    fixed = CPU_LIBRARIES if how.device == "cpu" else CUDA_CONTEXT
    factor = CPU_SLACK if how.device == "cpu" else CUDA_SLACK
    slack = int((factor - 1) * activations)
    return Need(weights(shape, how), lora(shape, how), activations, working, fixed, slack)


def _head(shape: Shape, how: How, tokens: int) -> int:
    """Logits of a tile in fp32, twice, and in bf16; hidden states and their gradient."""
    tile = min(HEAD_TILE[how.device], 4 * tokens * shape.vocabulary)
    return int(tile * (2 if how.width == 4 else 2.5)) + 2 * tokens * shape.hidden * (how.width + 4)


def plan(shape: Shape, how: How, memory: int, *, longest: int, batch_tokens: int) -> Plan:
    """The largest rows that fit without checkpointing; else with it; else the smallest there can be, which do not.

    Args:
        memory: bytes that training may use.
        longest: tokens of the longest window: no row is shorter than that.
        batch_tokens: of an optimiser step, in this process: no row is longer than that.
    """
    top = max(longest, min(batch_tokens, ROW_ON_CPU if how.device == "cpu" else ROW_ON_CUDA))
    rows = sorted({top, *(size for size in _halves(top) if size >= longest), longest}, reverse=True)
    for checkpointing in (False, True):
        for row in rows:
            found = need(shape, how, row, checkpointing=checkpointing)
            if found.total <= memory:
                return Plan(row, checkpointing, found, memory, True)
    return Plan(longest, True, need(shape, how, longest, checkpointing=True), memory, False)


def plan_for(shape: Shape, how: How, settings: Settings, memory: int, processes: int = 1) -> Plan:
    """See `plan`: each process gets an equal part of a step's tokens, and no window is longer than the context."""
    batch = -(-settings.train.batch_tokens // (processes * settings.train.machines))
    return plan(shape, how, memory, longest=settings.dataset.context_tokens, batch_tokens=batch)


def _halves(top: int) -> list[int]:
    found = []
    while (top := top // 2) >= LEAST_ROW:
        found.append(top)
    return found


def longest_fitting(shape: Shape, how: How, memory: int) -> int:
    """Tokens of the longest window that fits with checkpointing, a power of two from 128 on; 0 when none does."""
    fitting = [1 << power for power in range(7, 18) if need(shape, how, 1 << power, checkpointing=True).total <= memory]
    return max(fitting, default=0)


def remedies(shape: Shape, how: How, memory: int, longest: int) -> list[str]:
    """What to change so that something fits, the least first; each was worked out to fit, but for the last."""
    found = []
    if fitting := longest_fitting(shape, how, memory):
        found.append(f"dataset.context_tokens = {min(fitting, longest)} instead of {longest}")
    if how.quantization != "nf4":
        smaller = replace(how, quantization="nf4")
        if need(shape, smaller, longest, checkpointing=True).total <= memory:
            found.append('base.quantization = "nf4"')
    room = memory - need(shape, how, min(longest, 1024), checkpointing=True).total + weights(shape, how)
    if not found and room > 0:
        share = room / max(1, weights(shape, how))
        found.append(f"a base.model of at most about {share * shape.parameters / 1e9:.1f} billion parameters")
    return found or ["a smaller base.model, or a machine with more memory"]
