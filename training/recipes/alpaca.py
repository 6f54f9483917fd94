"""Alpaca records: {"instruction", "input", "output"}, with "history" for what was said before.

Knows nothing of weights: every output and, in most trainers, every answer of the history is learned.

The other side's words are the instruction, with the input (or Dolly's "context") under it; the owner's are the output
(or "response"). An empty instruction says that the owner opened the conversation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from training.recipes.burst import guard, read_burst, unguard, write_burst
from training.recipes.records import BadRecord, Reading, Record, Said, fields, gather, items, optional, side, text
from twin.messages import Turn


class Alpaca:
    """Fulfils `Format`."""

    name = "alpaca"
    says_context = False
    is_text = False

    def read(self, value: Any, how: Reading) -> Record:
        """See Format."""
        record = fields(value)
        asked = text(record.get("instruction"), "instruction")
        given = optional(record.get("input", record.get("context")), "input")
        answered = text(record.get("output", record.get("response")), "output")
        if not answered.strip():
            raise BadRecord("no output")
        before = record.get("history")
        pairs = [*(_pairs(before) if before else ()), ("\n".join(part for part in (asked, given) if part), answered)]
        system = unguard(optional(record.get("system"), "system text"))
        return gather(_said(pairs, how), [system])

    def write(self, turns: Sequence[Turn], system: str) -> dict[str, Any]:
        """See Format."""
        said = [write_burst(bubble.text for bubble in turn.bubbles) for turn in turns]
        if turns[0].speaker == "owner":
            said.insert(0, "")
        *before, last = zip(said[::2], said[1::2], strict=True)
        record: dict[str, Any] = {"instruction": last[0], "input": "", "output": last[1]}
        if before:
            record["history"] = [list(pair) for pair in before]
        return record | ({"system": guard(system)} if system else {})


def _pairs(value: Any) -> Iterator[tuple[str, str]]:
    for pair in items(value, "history"):
        if not isinstance(pair, list) or len(pair) != 2:
            raise BadRecord("a history that is not made of pairs")
        yield text(pair[0]), text(pair[1])


def _said(pairs: Sequence[tuple[str, str]], how: Reading) -> Iterator[Said]:
    for asked, answered in pairs:
        yield Said(side("user", how) or "other", read_burst(asked, how.lines))
        yield Said(side("assistant", how) or "owner", read_burst(answered, how.lines))
