"""ChatML text: turns between <|im_start|>role and <|im_end|>, as plain text or as the "text" of JSON records.

Knows nothing of weights: whoever trains on the text learns what stands under "assistant".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from training.recipes.burst import guard, read_burst, unguard, write_burst
from training.recipes.records import (
    TOOLS_LEFT_OUT,
    BadRecord,
    Reading,
    Record,
    Said,
    fields,
    gather,
    is_system,
    side,
    text,
)
from twin.messages import Turn

START, END = "<|im_start|>", "<|im_end|>"
_ROLES = {"owner": "assistant", "other": "user"}
_BETWEEN = re.compile(r"(?:\s|<\|endoftext\|>)*")


class ChatML:
    """Fulfils `Format`."""

    name = "chatml"
    says_context = False
    is_text = True

    def read(self, value: Any, how: Reading) -> Record:
        """See Format. A turn that was begun and not ended makes a record bad; an empty last one is a prompt's end."""
        whole = text(value if isinstance(value, str) else fields(value).get("text"))
        before, *pieces = whole.split(START)
        if not pieces or not _BETWEEN.fullmatch(before):
            raise BadRecord("no ChatML")
        said, system, notes = [], [], []
        for number, piece in enumerate(pieces, 1):
            head, _, rest = piece.partition("\n")
            words, end, after = rest.partition(END)
            if not end and number == len(pieces) and not words.strip():
                break
            if not end or not head.split():
                raise BadRecord("a turn that does not end")
            if not _BETWEEN.fullmatch(after):
                raise BadRecord("text outside of turns")
            role = head.split()[0]
            speaker = side(role, how)
            if speaker is not None:
                said.append(Said(speaker, read_burst(words, how.lines)))
            elif is_system(role):
                system.append(unguard(words))
            else:
                notes.append(TOOLS_LEFT_OUT)
        return gather(said, system, notes)

    def write(self, turns: Sequence[Turn], system: str) -> dict[str, Any]:
        """See Format; the text ends with a newline."""
        parts = [("system", guard(system))] if system else []
        parts += [(_ROLES[turn.speaker], write_burst(bubble.text for bubble in turn.bubbles)) for turn in turns]
        return {"text": "".join(f"{START}{role}\n{words}{END}\n" for role, words in parts)}
