"""The answer to a request for a completion, as OpenAI's documents: whole, or in chunks.

Knows nothing of how documents travel or of how replies come about.

The bubbles of a reply are joined by line breaks in `content`; `twin` beside it keeps them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inference.generator import TwinReply
from inference.server.completions import label

Document = dict[str, Any]


class Answer:
    """Makes the documents of one answer.

    Args:
        name: the answer's id; created: when it was asked for, UTC epoch seconds.
        ignored: what of the request has no effect.
    """

    def __init__(self, name: str, created: int, ignored: Sequence[str] = ()) -> None:
        self._name = name
        self._created = created
        self._ignored = list(ignored)

    def whole(self, replies: Sequence[TwinReply]) -> Document:
        """One document with every choice; `twin` and `model` at its top are those of the first."""
        choices = [
            {
                "index": index,
                "message": {"role": "assistant", "content": "\n".join(reply.bubbles), "refusal": None},
                "logprobs": None,
                "finish_reason": _finish(reply),
                "twin": self._twin(reply),
            }
            for index, reply in enumerate(replies)
        ]
        first = replies[0]
        return {
            **self._head("chat.completion", first.adapter),
            "choices": choices,
            "usage": usage(replies),
            "twin": self._twin(first),
        }

    def bubble(self, index: int, place: int, text: str, version: str | None) -> Document:
        """The chunk of one bubble.

        Args:
            index: of the choice; place: of the bubble in it, from 0.
        """
        delta = {"content": f"\n{text}"} if place else {"role": "assistant", "content": text}
        return self._chunk(index, delta, None, version)

    def end(self, index: int, reply: TwinReply) -> Document:
        """The chunk that ends a choice; `twin` tells what its bubbles came to."""
        delta = {} if reply.bubbles else {"role": "assistant", "content": ""}
        return {**self._chunk(index, delta, _finish(reply), reply.adapter), "twin": self._twin(reply)}

    def cost(self, replies: Sequence[TwinReply]) -> Document:
        """The chunk after all choices, for whoever asked for it."""
        head = self._head("chat.completion.chunk", replies[0].adapter)
        return {**head, "choices": [], "usage": usage(replies)}

    def _chunk(self, index: int, delta: Document, finish: str | None, version: str | None) -> Document:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**self._head("chat.completion.chunk", version), "choices": [choice]}

    def _head(self, kind: str, version: str | None) -> Document:
        return {"id": self._name, "object": kind, "created": self._created, "model": label(version)}

    def _twin(self, reply: TwinReply) -> Document:
        return {
            "bubbles": list(reply.bubbles),
            "adapter": reply.adapter,
            "caught": list(reply.caught),
            "ignored": self._ignored,
        }


def usage(replies: Sequence[TwinReply]) -> Document:
    """What replies to one conversation cost: the prompt counts once."""
    prompt, written = replies[0].prompt_tokens, sum(reply.tokens for reply in replies)
    return {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}


def _finish(reply: TwinReply) -> str:
    return "length" if reply.ended == "length" else "stop"
