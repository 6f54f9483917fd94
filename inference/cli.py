"""The verbs `chat` and `reply`: the twin in a terminal, and in scripts.

Knows nothing of engines; it builds one by the settings.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from inference.contexts import ROLES, Said, conversation_of, moment_of, text_of
from inference.generator import BASE, DAY0, Generator, TwinReply, Wish, build_generator
from twin.console import echo_json, is_interactive
from twin.conversations import latest_session
from twin.errors import AdapterError, TwinError
from twin.marks import who
from twin.messages import Conversation, Message, Peer
from twin.settings import Settings, load_settings
from twin.store import Store

_BATCH = 16


@click.command()
@click.option("--as", "name", metavar="NAME", help="Be the person of this dialog: a name, @username or id.")
@click.option("--day0", is_flag=True, help="No model: what you answered in the most similar moment of the past.")
def chat(name: str | None, day0: bool) -> None:
    """Talk to your twin in the terminal; an empty line or Ctrl-D ends it, /reset starts afresh."""
    settings = load_settings()
    blank = Conversation(())
    if name is not None:
        with Store.of(settings) as store:
            dialog = store.dialog_table.find(name)
        blank = Conversation((), Peer(dialog.name, dialog.relation), dialog.chat_id)
    console = Console()
    with console.status("Loading your twin"):
        generator = _past_replies(settings) if day0 else build_generator(settings)
    try:
        _refuse_to_pretend(generator)
        _greet(console, generator, blank)
        _converse(console, generator, blank, timedelta(minutes=settings.dataset.session_gap_minutes))
    finally:
        generator.close()


def _past_replies(settings: Settings) -> Generator:
    from inference.day0 import Day0Generator

    return Day0Generator.open(settings)


def _refuse_to_pretend(generator: Generator) -> None:
    """The bare base model never speaks in the place of an adapter that was refused.

    Raises:
        AdapterError: something is promoted, and nothing that is promoted can serve.
    """
    if generator.adapter is None and generator.refused is not None:
        raise AdapterError("Nothing that was promoted can serve", generator.refused.removesuffix("."))


def _greet(console: Console, generator: Generator, blank: Conversation) -> None:
    if generator.refused is not None:
        console.print(f"[yellow]{escape(generator.refused)}[/yellow]", highlight=False)
    what = f"adapter {generator.adapter}" if generator.adapter else "the bare base model: run `twin train` first"
    if generator.adapter == DAY0:
        what = "your own past, word for word: what you said in the most similar moment"
    console.print(f"[dim]Answers come from {what}. /reset starts afresh, an empty line ends.[/dim]")
    if blank.chat_id:
        spec = generator.prompt
        told = who(blank.chat_id, blank.peer, spec.peer, relation=spec.relation)
        untaught = "It was not taught whom it talks to: set dataset.peer or dataset.relation, and train again."
        console.print(f"[dim]{escape(f'You are {told}.' if told else untaught)}[/dim]", highlight=False)


def _converse(console: Console, generator: Generator, blank: Conversation, gap: timedelta) -> None:
    said: list[Message] = []
    while True:
        try:
            text = console.input("[bold]you[/bold]  ") if is_interactive() else next(sys.stdin, "").rstrip("\n")
        except (EOFError, KeyboardInterrupt):
            console.print()
            return
        if not text.strip():
            return
        if text.strip() == "/reset":
            said = []
            console.print("[dim]A new conversation.[/dim]")
            continue
        said.append(_message(blank, text, is_owner=False))
        session = latest_session(said, gap, generator.prompt.language, blank.peer)
        with console.status("[dim]typing …[/dim]"):
            reply = generator.reply(blank if session is None else Conversation.of(session, said[-1].sent_at))
        for bubble in reply.bubbles or ("…",):
            console.print(f"[bold cyan]twin[/bold cyan] {escape(bubble)}", highlight=False, emoji=False)
        said += [_message(blank, bubble, is_owner=True) for bubble in reply.bubbles]


def _message(blank: Conversation, text: str, *, is_owner: bool) -> Message:
    now = datetime.now(UTC)
    return Message(chat_id=blank.chat_id, message_id=0, sent_at=now, sender_id=None, is_owner=is_owner, text=text)


@click.command()
@click.option("--adapter", "version", help="Answer with this version instead of the one that serves.")
@click.option("--base", "bare", is_flag=True, help="Answer with the bare base model.")
@click.option("--day0", is_flag=True, help="No model: what you answered in the most similar moment of the past.")
@click.option("--seed", type=int, help="Make sampling repeatable.")
def reply(version: str | None, bare: bool, day0: bool, seed: int | None) -> None:
    """Answer contexts given as JSON lines on stdin.

    A line holds {"messages": [{"role": "user" | "assistant", "content": TEXT}, ...]}, in which "assistant" is
    you and consecutive messages of one role are bubbles of one turn; a context that ends with yours is gone on with.
    It may tell "peer" (a name), "relation", "chat_id" (whose pseudonym counts) and "at" (ISO 8601, with a zone: the
    moment of the reply); a message may tell "at" too. Answers come in the same order, a line each:
    {"bubbles": [...], "adapter": VERSION}.
    """
    settings = load_settings()
    if (bare, version is not None, day0).count(True) > 1:
        raise click.UsageError("Choose one of --adapter, --base and --day0.")
    lines = list(_contexts(sys.stdin))
    if day0:
        past = _past_replies(settings)
        _answer(lines, lambda asked, _: past.replies(asked))
        return
    generator = build_generator(settings)
    try:
        if not (bare or version):
            _refuse_to_pretend(generator)
        wish = Wish(seed=seed, version=BASE if bare else version)
        _answer(lines, lambda asked, first: generator.replies(asked, replace(wish, seed=_seed(seed, first))))
    finally:
        generator.close()


def _seed(seed: int | None, first: int) -> int | None:
    """That of the batch which begins with the line `first`."""
    return None if seed is None else seed + first


def _answer(asked: list[Conversation], answers: Callable[[list[Conversation], int], list[TwinReply]]) -> None:
    for start in range(0, len(asked), _BATCH):
        for answer in answers(asked[start : start + _BATCH], start):
            echo_json({"bubbles": list(answer.bubbles), "adapter": answer.adapter})
        sys.stdout.flush()


def _contexts(lines: Iterable[str]) -> Iterator[Conversation]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _context(line, number)


def _context(line: str, number: int) -> Conversation:
    """One line of input as a conversation.

    Raises:
        TwinError: it is not of the documented form.
    """
    try:
        values = json.loads(line)
        said = [_said(message) for message in values["messages"]]
        if not said:
            raise ValueError
        return conversation_of(said, values)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise TwinError(
            f"Line {number} is not a context",
            'write {"messages": [{"role": "user" or "assistant", "content": "..."}]} on one line',
        ) from error


def _said(message: Any) -> Said:
    return ROLES[message["role"]], text_of(message["content"]), moment_of(message.get("at"))
