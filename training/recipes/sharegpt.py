"""ShareGPT and FastChat records: {"conversations": [{"from", "value"}, ...]}.

Knows nothing of weights: its trainers learn everything that "gpt" says.

FastChat and LLaMA-Factory want "human" first and the two in turns, so a burst is one value, and a conversation that
the owner opened begins with an empty value of "human".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from training.recipes.burst import guard, read_burst, unguard, write_burst
from training.recipes.records import (
    TOOLS_LEFT_OUT,
    Reading,
    Record,
    Said,
    fields,
    gather,
    is_system,
    items,
    optional,
    side,
    text,
)
from twin.messages import Turn

_ROLES = {"owner": "gpt", "other": "human"}


class ShareGPT:
    """Fulfils `Format`."""

    name = "sharegpt"
    says_context = False
    is_text = False

    def read(self, value: Any, how: Reading) -> Record:
        """See Format."""
        record = fields(value)
        said, notes = [], []
        system = [unguard(optional(record.get("system"), "system text"))]
        for entry in items(record.get("conversations"), "conversations"):
            message = fields(entry)
            role = message.get("from", message.get("role"))
            speaker = side(role, how)
            if speaker is None and not is_system(role):
                notes.append(TOOLS_LEFT_OUT)
                continue
            words = text(message.get("value", message.get("content")))
            if speaker is None:
                system.append(unguard(words))
            else:
                said.append(Said(speaker, read_burst(words, how.lines)))
        return gather(said, system, notes)

    def write(self, turns: Sequence[Turn], system: str) -> dict[str, Any]:
        """See Format."""
        messages = [{"from": "system", "value": guard(system)}] if system else []
        if turns[0].speaker == "owner":
            messages.append({"from": "human", "value": ""})
        messages += [
            {"from": _ROLES[turn.speaker], "value": write_burst(bubble.text for bubble in turn.bubbles)}
            for turn in turns
        ]
        return {"conversations": messages}
