"""Templates: the frame that stands around turns, and how one message becomes one line inside it.

Knows nothing of tokens, or of what a specification switches on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from typing import Any

from twin.messages import Speaker

LINE_BREAK = "↵"
CHATML_MARKS = ("<|im_start|>", "<|im_end|>")
"""What opens and ends a turn in ChatML."""
_THOUGHTS = re.compile(r"<think>.*?(?:</think>\s*|\Z)", re.DOTALL)
_TYPED_LINE_BREAK = "⏎"  # what is written when somebody typed LINE_BREAK itself


@dataclass(frozen=True, slots=True)
class Template:
    """The frame around turns.

    Attributes:
        owner, other: open a turn; "{}" is where a mark of time stands, if there is one.
        close: ends the owner's turn; `close_other` the other side's, None for the same.
        bubble_break: stands between bubbles.
        mark: how a mark of time is written, in place of its "{}".
        end: after which a generated reply is over; empty for an empty line.
        head_open, head_break, head_close: around and between what stands before the first turn.
        head_default: what stands there when there is nothing to tell.
        takes_system: whether anything may be told there.
        reserved: spelled otherwise in messages and names, so that text never looks like the frame.
    """

    owner: str
    other: str
    close: str
    close_other: str | None = None
    bubble_break: str = "\n"
    mark: str = " ({})"
    end: str = ""
    head_open: str = ""
    head_break: str = "\n\n"
    head_close: str = "\n\n"
    head_default: str = ""
    takes_system: bool = True
    reserved: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Template:
        """Read what `dataclasses.asdict` made of a frame, and JSON of that.

        Raises:
            TypeError: it is no frame.
        """
        frame = cls(**{**values, "reserved": tuple(values["reserved"])})
        blank = replace(frame, close_other=frame.close_other or "", reserved=())
        if any(type(getattr(blank, field.name)) is not type(getattr(_BLANK, field.name)) for field in fields(cls)):
            raise TypeError
        return frame

    def text(self, words: str) -> str:
        """Somebody's words as one line that is nothing but text."""
        for mark in self.reserved:
            words = words.replace(mark, f"{mark[0]} {mark[1:]}")
        return words

    def opening(self, speaker: Speaker, told: str = "") -> str:
        """What opens a turn; `told` is its mark of time, empty for none."""
        frame = self.owner if speaker == "owner" else self.other
        return frame.replace("{}", self.mark.replace("{}", told) if told else "")

    def closing(self, speaker: Speaker) -> str:
        """What ends a turn."""
        return self.close if speaker == "owner" or self.close_other is None else self.close_other


_BLANK = Template("", "", "", close_other="")
TEMPLATES = {
    "plain": Template(owner="Me{}:\n", other="Them{}:\n", close="\n\n"),
    "chatml": Template(
        owner="<|im_start|>assistant{}\n",
        other="<|im_start|>user{}\n",
        close="<|im_end|>\n",
        head_open="<|im_start|>system\n",
        head_break="\n",
        head_close="<|im_end|>\n",
        end="<|im_end|>",
        reserved=("<|im_",),
    ),
}


def strip_thoughts(text: str) -> str:
    """Text without think blocks, also without one that nobody closed."""
    return _THOUGHTS.sub("", text)


def write_bubble(text: str) -> str:
    """One bubble as one line of model text: inner newlines, of any kind and number, become one LINE_BREAK."""
    lines = text.replace(LINE_BREAK, _TYPED_LINE_BREAK).splitlines()
    return LINE_BREAK.join(kept for line in lines if (kept := line.strip()))


def read_bubble(line: str) -> str:
    """The inverse of `write_bubble` for what a model wrote."""
    return "\n".join(part.strip() for part in line.split(LINE_BREAK)).strip()
