"""Messages on their way out, without the secrets in them: each is examined among those before and after it.

Knows nothing of files, and of secrets only that twin.privacy finds them. It fails closed: a message that cannot be
examined does not leave.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from twin.dialogs import Dialog
from twin.messages import Message

if TYPE_CHECKING:
    from twin.privacy import Span

_WINDOW = 256
_AROUND = 32  # messages of context on either side; an answer is looked for in fewer


class Scrubber:
    """Replaces secrets by placeholders, and counts.

    Attributes:
        replaced: messages in which something was replaced.
        left_out: messages that could not be examined.
    """

    def __init__(self) -> None:
        self.replaced = 0
        self.left_out = 0

    def messages(self, messages: Iterator[Message]) -> Iterator[Message]:
        """One dialog's messages, oldest first, as they may leave."""
        before: list[Message] = []
        waiting: list[Message] = []
        while batch := list(islice(messages, _WINDOW)):
            waiting += batch
            ready, waiting = waiting[:-_AROUND], waiting[-_AROUND:]
            yield from self._scrub(before, ready, waiting)
            before = [*before, *ready][-_AROUND:]
        yield from self._scrub(before, waiting, [])

    def dialog(self, dialog: Dialog) -> Dialog:
        """A dialog as it may leave: strangers are often called by their telephone number."""
        name = self._text(dialog.name)
        return dialog if name == dialog.name else replace(dialog, name=name)

    def _scrub(
        self, before: Sequence[Message], ready: Sequence[Message], after: Sequence[Message]
    ) -> Iterator[Message]:
        if not ready:
            return
        texts = [message.text for message in (*before, *ready, *after)]
        for message, spans in zip(ready, _examine(texts)[len(before) :], strict=False):
            if spans is None:
                self.left_out += 1
                continue
            scrubbed = self._one(message, spans)
            self.replaced += scrubbed != message
            yield scrubbed

    def _one(self, message: Message, spans: Sequence[Span]) -> Message:
        from twin.privacy import replace as placeholders

        return replace(
            message,
            text=placeholders(message.text, spans) if spans else message.text,
            entities=None if spans or self._text(message.entities) != message.entities else message.entities,
            first_text=self._text(message.first_text),
            forwarded_from=self._text(message.forwarded_from),
        )

    def _text(self, text: str | None) -> str | None:
        """A text that stands alone; None when it cannot be examined."""
        if text is None:
            return None
        from twin.privacy import replace as placeholders

        (spans,) = _examine([text])
        return None if spans is None else placeholders(text, spans) if spans else text


def _examine(texts: Sequence[str]) -> list[Sequence[Span] | None]:
    """What is secret in each text; None for those that cannot be examined."""
    from twin.privacy import find_window

    try:
        return list(find_window(texts))
    except Exception:  # noqa: BLE001 - whatever a rule stumbles over, the text must not pass
        fails = [not _can_be_examined(text) for text in texts] if len(texts) > 1 else [True]
    try:
        found = find_window(["" if is_failing else text for text, is_failing in zip(texts, fails, strict=True)])
    except Exception:  # noqa: BLE001
        return [None] * len(texts)
    return [None if is_failing else spans for spans, is_failing in zip(found, fails, strict=True)]


def _can_be_examined(text: str) -> bool:
    from twin.privacy import find_window

    try:
        find_window([text])
    except Exception:  # noqa: BLE001
        return False
    return True
