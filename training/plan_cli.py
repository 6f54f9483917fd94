"""The verb `plan`: what a training will need of memory, before anything is loaded or downloaded, and what to change.

Knows only how to ask and how to show; the arithmetic is training/plan.py's.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from twin.console import echo_json
from twin.settings import load_settings

if TYPE_CHECKING:
    from training.cards import Room
    from training.plan import How, Plan, Shape

_LINES = {
    "weights": "base model",
    "lora": "adapter, gradients, optimiser",
    "activations": "kept for the backward pass",
    "working": "worked on at the peak",
    "fixed": "libraries, or a GPU's context",
    "slack": "held by the allocator beside that",
}


@click.command()
@click.option("--gpu-memory", type=click.FloatRange(min=0.1), help="Plan for a GPU of so many GiB that is not here.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def plan(gpu_memory: float | None, as_json: bool) -> None:
    """What a training will need of memory, how rows and checkpointing are chosen, and what to change if nothing fits.

    Reads the base model's configuration alone. Exit code 1 when nothing fits.
    """
    settings = load_settings()
    with Console(stderr=True).status("Looking at the base model's configuration"):
        from training.cards import how_of, room_of
        from training.plan import longest_fitting, plan_for, remedies
        from training.shape import known_folder, shape_of

        room = room_of(settings, gpu_memory)
        shape, how = shape_of(known_folder(settings)), how_of(settings, room)
    found = plan_for(shape, how, settings, room.memory, room.processes)
    advice = [] if found.fits else remedies(shape, how, room.memory, settings.dataset.context_tokens)
    longest = longest_fitting(shape, how, room.memory)
    if as_json:
        echo_json(_document(shape, how, room, found, longest, advice))
    else:
        _show(Console(), shape, how, room, found, longest, advice)
    if not found.fits:
        raise SystemExit(1)


def _document(shape: Shape, how: How, room: Room, found: Plan, longest: int, advice: list[str]) -> dict[str, Any]:
    return {
        "fits": found.fits,
        "device": how.device,
        "memory_bytes": room.memory,
        "processes": room.processes,
        "parameters": shape.parameters,
        "row_tokens": found.row_tokens,
        "checkpointing": found.checkpointing,
        "longest_context_tokens": longest,
        "need_bytes": asdict(found.need) | {"total": found.need.total},
        "measured_on_this_kind": how.device == "cpu",
        "change": advice,
    }


def _show(console: Console, shape: Shape, how: How, room: Room, found: Plan, longest: int, advice: list[str]) -> None:
    held = {"nf4": "4 bits", "int8": "8 bits", "none": f"{8 * how.width} bits"}[how.quantization]
    console.print(f"{shape.parameters / 1e6:,.0f} M parameters, linear layers in {held}, on {escape(room.name)}")
    table = Table()
    table.add_column("at the peak")
    table.add_column("GiB", justify="right")
    for part, words in _LINES.items():
        table.add_row(words, f"{getattr(found.need, part) / 2**30:.2f}")
    table.add_section()
    table.add_row("in all", f"{found.need.total / 2**30:.2f}")
    table.add_row(
        "there is" + (f", for each of {room.processes} processes" if room.processes > 1 else ""),
        f"{room.memory / 2**30:.2f}",
    )
    console.print(table)
    again = "activations are computed a second time" if found.checkpointing else "activations are kept"
    if found.fits:
        console.print(f"Rows of {found.row_tokens:,} tokens; {again}. Windows of {longest:,} tokens would fit too.")
    else:
        console.print(f"[red]Nothing fits[/red], not even rows of {found.row_tokens:,} tokens. What would help:")
        for line in advice:
            console.print(f"  • {escape(line)}")
    if how.device == "cuda":
        console.print("For GPUs the numbers are worked out, not measured: leave a tenth of the card free.")
