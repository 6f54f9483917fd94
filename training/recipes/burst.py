"""Bursts as one text and back: for formats in which a turn is a single string.

Knows nothing of formats; what it writes, it reads back to the letter.

As in `twin.templates` a line is a bubble and a newline inside a bubble is written "↵". Here nothing may be lost on the
way out and back, so a "↵" of the text itself gets an invisible word joiner (U+2060) before it. And no text may become
a control token in anybody's trainer: where one is spelled out, a word joiner stands after its bracket.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from twin.templates import LINE_BREAK

Lines = Literal["bubbles", "inside"]
_JOINER = "\u2060"
_BREAK = re.compile(rf"{_JOINER}*[\n{LINE_BREAK}]")
_WRITTEN_BREAK = re.compile(rf"({_JOINER}*){LINE_BREAK}")
# What ChatML, Llama, Mistral, Gemma, DeepSeek and BERT tokenizers take for their own, after its bracket.
_ANGLE = (
    r"(?:[|｜]|/?(?:s|bos|eos|pad|unk|mask|start_of_turn|end_of_turn|start_of_image|end_of_image|im_start|im_end"
    r"|im_sep|endoftext|fim_\w+|think|tool_call|tool_response)>|</?SYS>>)"
)
_SQUARE = r"(?:/?(?:INST|CLS|SEP|PAD|UNK|MASK|SYSTEM_PROMPT|TOOL_CALLS|TOOL_RESULTS|AVAILABLE_TOOLS)\])"
_TOKEN = re.compile(rf"(?:<(?={_JOINER}*{_ANGLE})|\[(?={_JOINER}*{_SQUARE}))", re.IGNORECASE)
_GUARDED = re.compile(rf"(?:<{_JOINER}(?={_JOINER}*{_ANGLE})|\[{_JOINER}(?={_JOINER}*{_SQUARE}))", re.IGNORECASE)


def write_burst(bubbles: Iterable[str]) -> str:
    """Bubbles as lines of one text."""
    return "\n".join(guard(_BREAK.sub(_write_break, bubble)) for bubble in bubbles)


def read_burst(text: str, lines: Lines = "bubbles") -> tuple[str, ...]:
    """The inverse of `write_burst`; blank lines are no bubbles.

    Args:
        lines: "inside" takes the whole text as one bubble, newlines and all: for foreign essays.
    """
    parts = text.split("\n") if lines == "bubbles" else [text]
    found = (_WRITTEN_BREAK.sub(_read_break, unguard(part)).strip() for part in parts)
    return tuple(bubble for bubble in found if bubble)


def guard(text: str) -> str:
    """No control token is left in it."""
    return _TOKEN.sub(lambda found: found[0] + _JOINER, text)


def unguard(text: str) -> str:
    """The inverse of `guard`."""
    return _GUARDED.sub(lambda found: found[0][0], text)


def _write_break(found: re.Match[str]) -> str:
    """2n joiners say a newline, 2n + 1 the sign itself, where n stood before it."""
    joiners = len(found[0]) - 1
    return _JOINER * (2 * joiners + (found[0][-1] == LINE_BREAK)) + LINE_BREAK


def _read_break(found: re.Match[str]) -> str:
    joiners = len(found[1])
    return _JOINER * (joiners // 2) + (LINE_BREAK if joiners % 2 else "\n")
