"""Templates: the frame that stands around turns, and how one message becomes one line inside it.

Knows nothing of tokens, or of what a specification switches on.
"""

from __future__ import annotations

from dataclasses import dataclass

LINE_BREAK = "↵"
_TYPED_LINE_BREAK = "⏎"  # what is written when somebody typed LINE_BREAK itself


@dataclass(frozen=True, slots=True)
class Template:
    """The frame around turns.

    Attributes:
        owner, other: open a turn; "{}" is where a mark of time stands, if there is one.
        close: ends a turn; `bubble_break` stands between bubbles.
        head_open, head_break, head_close: around and between what stands before the first turn.
        reserved: spelled otherwise in messages and names, so that text never looks like the frame.
    """

    owner: str
    other: str
    close: str
    bubble_break: str = "\n"
    head_open: str = ""
    head_break: str = "\n\n"
    head_close: str = "\n\n"
    reserved: str = ""

    def text(self, words: str) -> str:
        """Somebody's words as one line that is nothing but text."""
        return words.replace(self.reserved, f"{self.reserved[0]} {self.reserved[1:]}") if self.reserved else words


TEMPLATES = {
    "plain": Template(owner="Me{}:\n", other="Them{}:\n", close="\n\n"),
    "chatml": Template(
        owner="<|im_start|>assistant{}\n",
        other="<|im_start|>user{}\n",
        close="<|im_end|>\n",
        head_open="<|im_start|>system\n",
        head_break="\n",
        head_close="<|im_end|>\n",
        reserved="<|im_",
    ),
}


def write_bubble(text: str) -> str:
    """One bubble as one line of model text: inner newlines, of any kind and number, become one LINE_BREAK."""
    lines = text.replace(LINE_BREAK, _TYPED_LINE_BREAK).splitlines()
    return LINE_BREAK.join(kept for line in lines if (kept := line.strip()))


def read_bubble(line: str) -> str:
    """The inverse of `write_bubble` for what a model wrote."""
    return "\n".join(part.strip() for part in line.split(LINE_BREAK)).strip()
