"""OpenAI's fine-tuning records: {"messages": [{"role", "content"}, ...]}, one on a line.

Knows nothing of addresses: this is a file format, which many trainers read.

A bubble is a message of its own, so its newlines are real ones. An assistant message that must not be learned has
"weight": 0, as OpenAI's format defines it; trainers that do not know that field have to be told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from training.recipes.burst import guard, unguard
from training.recipes.records import (
    NOT_TEXT,
    TOOLS_LEFT_OUT,
    Reading,
    Record,
    Said,
    fields,
    gather,
    is_system,
    items,
    side,
    text,
)
from twin.messages import Turn

_ROLES = {"owner": "assistant", "other": "user"}


class OpenAIMessages:
    """Fulfils `Format`."""

    name = "openai"
    says_context = True
    is_text = False

    def read(self, value: Any, how: Reading) -> Record:
        """See Format."""
        said, system, notes = [], [], []
        for entry in items(fields(value).get("messages"), "messages"):
            message = fields(entry)
            role = message.get("role")
            speaker = side(role, how)
            if speaker is None and not is_system(role):
                notes.append(TOOLS_LEFT_OUT)
                continue
            words, others = _content(message.get("content"))
            notes += [NOT_TEXT] * others
            if message.get("tool_calls") or message.get("function_call"):
                notes.append(TOOLS_LEFT_OUT)
            if speaker is None:
                system.append(unguard(words))
            elif bubble := unguard(words).strip():
                is_learned = speaker == "other" or message.get("weight") != 0
                said.append(Said(speaker, (bubble,), is_learned))
        return gather(said, system, notes)

    def write(self, turns: Sequence[Turn], system: str) -> dict[str, Any]:
        """See Format."""
        messages: list[dict[str, Any]] = [{"role": "system", "content": guard(system)}] if system else []
        for turn in turns:
            for bubble in turn.bubbles:
                message: dict[str, Any] = {"role": _ROLES[turn.speaker], "content": guard(bubble.text)}
                if turn.speaker == "owner" and not (turn.is_supervisable and bubble.authored):
                    message["weight"] = 0
                messages.append(message)
        return {"messages": messages}


def _content(value: Any) -> tuple[str, int]:
    """A content's text, and how many parts of it are something else (images, sounds)."""
    if value is None:
        return "", 0
    if isinstance(value, str):
        return text(value), 0
    parts = [fields(part) for part in items(value, "content")]
    texts = [text(part.get("text")) for part in parts if part.get("type") == "text"]
    return "\n".join(texts), len(parts) - len(texts)
