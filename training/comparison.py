"""Base and twin beside each other on the test part: bits per character, and replies to the same contexts.

Knows nothing of training; it reads an adapter, its snapshot's latest conversations, and speaks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from inference.base_model import LoadedBase, load_base
from inference.generator import TwinReply
from inference.local import LocalGenerator
from training.encode import Row, pack, windows
from training.evaluate import HeldOut, Question, evenly, held_out_loss, questions
from training.snapshot import load
from twin.errors import AdapterError, DatasetError
from twin.messages import Turn
from twin.prompt import PromptSpec
from twin.registry import Registry
from twin.settings import Settings

_ROW_TOKENS = 1024
_CONTEXT_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """One held-out context with three answers to it."""

    question: Question
    base: tuple[str, ...]
    twin: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Loss and samples of the bare base model and of one adapter on the same held-out conversations."""

    version: str
    base: HeldOut
    twin: HeldOut
    samples: tuple[Sample, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for scripts. Samples hold message text: they go to stdout only."""
        return {
            "version": self.version,
            **self.base.as_dict("test_base"),
            **self.twin.as_dict("test"),
            "samples": [
                {
                    "context": [
                        {"role": _role(turn), "bubbles": [bubble.text for bubble in turn.bubbles]}
                        for turn in sample.question.conversation.turns
                    ],
                    "real": [bubble.text for bubble in sample.question.answer.bubbles],
                    "base": list(sample.base),
                    "twin": list(sample.twin),
                }
                for sample in self.samples
            ],
        }


def compare(
    settings: Settings,
    registry: Registry,
    version: str | None,
    *,
    samples: int,
    max_tokens: int,
    on_progress: Callable[[str, float], None],
) -> Comparison:
    """Measure the bare base model and a version (default: the one that serves) on the test part.

    Args:
        max_tokens: how much held-out text to read at most; windows are spread evenly over the period.
        on_progress: told what is being done and the share that is done, in [0, 1].

    Raises:
        AdapterError: there is no such version, or it is damaged or of another base model.
        DatasetError: the snapshot it learned from is gone or was altered.
    """
    version = version or registry.current()
    if version is None:
        raise AdapterError("There is no adapter to measure yet", "run `twin train`")
    manifest = registry.verify(version)
    snapshot = load(settings.datasets, manifest.dataset)
    on_progress("Loading the base model", 0)
    base = load_base(settings)
    bare = PromptSpec.of(settings, snapshot.account.language)
    generator = LocalGenerator(base, registry, settings.reply, bare)
    test = list(snapshot.sessions("test"))
    rows = pack(evenly(windows(test, manifest.prompt, base.tokenizer), max_tokens), _ROW_TOKENS)
    asked = questions(test, samples)
    if not rows:
        raise DatasetError("The test part has no reply of yours", "ingest newer dialogs, then retrain")
    ask = partial(_ask, generator, base, rows=rows, asked=asked)
    base_loss, base_replies = ask(None, on_progress=lambda what, x: on_progress(what, x / 2))
    twin_loss, twin_replies = ask(version, on_progress=lambda what, x: on_progress(what, (1 + x) / 2))
    pairs = zip(asked, base_replies, twin_replies, strict=True)
    return Comparison(version, base_loss, twin_loss, tuple(Sample(q, b.bubbles, t.bubbles) for q, b, t in pairs))


def _ask(
    generator: LocalGenerator,
    base: LoadedBase,
    version: str | None,
    *,
    rows: Sequence[Row],
    asked: Sequence[Question],
    on_progress: Callable[[str, float], None],
) -> tuple[HeldOut, list[TwinReply]]:
    """One side: its loss on the rows and its replies to the questions; measuring is most of the work."""
    name = "the twin" if version else "the base model"
    generator.use(version)
    done = count(1)
    loss = held_out_loss(
        base.model, rows, base.device, lambda: on_progress(f"Measuring {name}", 0.8 * next(done) / len(rows))
    )
    on_progress(f"Asking {name}", 0.8)
    return loss, generator.generate([question.conversation for question in asked])


def show(result: Comparison, console: Console) -> None:
    """Two tables: the loss before and after, and the replies side by side, bubbles as lines."""
    table = Table(
        title=f"On {result.twin.turns:,} replies written after everything it learned from",
        title_justify="left",
    )
    for name in ("", "bits per character", "nats per token"):
        table.add_column(name, justify="right" if name else "left")
    for name, found in (("base model", result.base), (f"twin {result.version}", result.twin)):
        table.add_row(name, f"{found.bits_per_character:.3f}", f"{found.nats_per_token:.3f}")
    change = result.twin.bits_per_character / result.base.bits_per_character - 1
    table.add_row("change", f"{change:+.1%}", "")
    console.print(table)
    if not result.samples:
        return
    sides = Table(title="The same moment, three answers", title_justify="left", show_lines=True)
    for name in ("conversation so far (its end)", "base model", "twin", "you, really"):
        sides.add_column(name, ratio=1, overflow="fold")
    for sample in result.samples:
        sides.add_row(
            _context(sample.question.conversation.turns),
            _bubbles(sample.base),
            _bubbles(sample.twin),
            _bubbles([bubble.text for bubble in sample.question.answer.bubbles]),
        )
    console.print(sides)


def _context(turns: Sequence[Turn]) -> str:
    lines = [
        f"[dim]{'you' if turn.speaker == 'owner' else 'them'}:[/dim] {escape(bubble.text)}"
        for turn in turns
        for bubble in turn.bubbles
    ]
    return "\n".join(lines[-_CONTEXT_SHOWN:])


def _bubbles(texts: Sequence[str]) -> str:
    return "\n".join(f"• {escape(text)}" for text in texts) or "[dim](nothing)[/dim]"


def _role(turn: Turn) -> str:
    return "assistant" if turn.speaker == "owner" else "user"
