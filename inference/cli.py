"""The verbs `chat` and `reply`: the twin in a terminal, and in scripts.

Knows nothing of engines; it builds one by the settings.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from inference.generator import Generator, build_generator
from twin.console import echo_json, is_interactive
from twin.errors import AdapterError, TwinError
from twin.messages import Turn
from twin.settings import load_settings

_BATCH = 16


@click.command()
def chat() -> None:
    """Talk to your twin in the terminal; an empty line or Ctrl-D ends it, /reset starts afresh."""
    settings = load_settings()
    console = Console()
    with console.status("Loading your twin"):
        generator = build_generator(settings)
    try:
        _refuse_to_pretend(generator)
        _greet(console, generator)
        _converse(console, generator)
    finally:
        generator.close()


def _refuse_to_pretend(generator: Generator) -> None:
    """The bare base model never speaks in the place of an adapter that was refused.

    Raises:
        AdapterError: something is promoted, and nothing that is promoted can serve.
    """
    if generator.adapter is None and generator.refused is not None:
        raise AdapterError("Nothing that was promoted can serve", generator.refused.removesuffix("."))


def _greet(console: Console, generator: Generator) -> None:
    if generator.refused is not None:
        console.print(f"[yellow]{escape(generator.refused)}[/yellow]", highlight=False)
    who = f"adapter {generator.adapter}" if generator.adapter else "the bare base model: run `twin train` first"
    console.print(f"[dim]Answers come from {who}. /reset starts afresh, an empty line ends.[/dim]")


def _converse(console: Console, generator: Generator) -> None:
    turns: list[Turn] = []
    while True:
        try:
            text = console.input("[bold]you[/bold]  ") if is_interactive() else next(sys.stdin, "").rstrip("\n")
        except (EOFError, KeyboardInterrupt):
            console.print()
            return
        if not text.strip():
            return
        if text.strip() == "/reset":
            turns = []
            console.print("[dim]A new conversation.[/dim]")
            continue
        turns.append(Turn.of("other", [text]))
        with console.status("[dim]typing …[/dim]"):
            reply = generator.reply(turns)
        for bubble in reply.bubbles or ("…",):
            console.print(f"[bold cyan]twin[/bold cyan] {escape(bubble)}", highlight=False, emoji=False)
        if reply.bubbles:
            turns.append(Turn.of("owner", reply.bubbles))


@click.command()
@click.option("--adapter", "version", help="Answer with this version instead of the one that serves.")
@click.option("--base", "bare", is_flag=True, help="Answer with the bare base model.")
@click.option("--seed", type=int, help="Make sampling repeatable.")
def reply(version: str | None, bare: bool, seed: int | None) -> None:
    """Answer contexts given as JSON lines on stdin.

    A line holds {"messages": [{"role": "user" | "assistant", "content": TEXT}, ...]}, in which "assistant" is
    you and consecutive messages of one role are bubbles of one turn. Answers come in the same order, a line
    each: {"bubbles": [...], "adapter": VERSION}.
    """
    settings = load_settings()
    lines = list(_contexts(sys.stdin))
    from inference.local import LocalGenerator

    generator = LocalGenerator.open(settings)
    try:
        if bare or version:
            generator.use(None if bare else version)
        else:
            _refuse_to_pretend(generator)
        if seed is not None:
            generator.seed(seed)
        for start in range(0, len(lines), _BATCH):
            for answer in generator.generate(lines[start : start + _BATCH]):
                echo_json({"bubbles": list(answer.bubbles), "adapter": answer.adapter})
            sys.stdout.flush()
    finally:
        generator.close()


def _contexts(lines: Iterable[str]) -> Iterator[list[Turn]]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _turns(line, number)


def _turns(line: str, number: int) -> list[Turn]:
    """One line of input as turns.

    Raises:
        TwinError: it is not of the documented form.
    """
    try:
        said = [(_speaker(message["role"]), _text(message["content"])) for message in json.loads(line)["messages"]]
        if not said:
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise TwinError(
            f"Line {number} is not a context",
            'write {"messages": [{"role": "user" or "assistant", "content": "..."}]} on one line',
        ) from error
    return [Turn.of(speaker, [text for _, text in run]) for speaker, run in groupby(said, key=lambda pair: pair[0])]


def _text(content: Any) -> str:
    """Raises ValueError (UnicodeEncodeError is one) for what is not readable text."""
    if not isinstance(content, str) or not content.strip():
        raise ValueError
    content.encode()
    return content


def _speaker(role: str) -> Any:
    return {"assistant": "owner", "user": "other"}[role]
