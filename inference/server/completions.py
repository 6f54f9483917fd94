"""The request for a completion: what OpenAI's clients send, and what of it a twin can fulfil.

Knows nothing of HTTP, of answers, or of how replies are written.

"assistant" is the owner and "user" the other person; consecutive messages of one role are bubbles of one turn. As the
bubbles of a reply are joined by line breaks in `content`, an assistant's message is taken apart at them again; a
message may tell "bubbles" (a list) instead. System messages are left out: a twin takes no instructions. What would
change the meaning of the answer and is not supported is refused; other fields that are not known are left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from inference.contexts import ROLES, Said, conversation_of, moment_of, text_of
from inference.generator import BASE, Wish
from inference.server.problems import Refused
from twin.messages import Conversation
from twin.sections import Reply

T = TypeVar("T")
TWIN = "twin"
"""The model's name that stands for whatever version serves."""
MOST_CHOICES = 8
_INSTRUCTING = ("system", "developer")
_SEEDS = 2**63 - 1
_Stop = Annotated[str, Field(min_length=1, max_length=200)]
_SAMPLING = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")


class StreamOptions(BaseModel):
    """How a stream is wanted."""

    include_usage: bool | None = None


class ChatRequest(BaseModel):
    """The body of POST /v1/chat/completions; null is the same as nothing everywhere.

    `top_k`, `min_p` and `repetition_penalty` are as in vLLM's API. `twin` may tell "peer" (a name), "relation",
    "chat_id" and "at" (ISO 8601, the moment of the reply), as `twin reply` does.
    """

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    messages: list[Any] = Field(min_length=1)
    model: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = Field(None, ge=1, le=MOST_CHOICES)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stop: _Stop | Annotated[list[_Stop], Field(max_length=16)] | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    top_k: int | None = Field(None, ge=0)
    min_p: float | None = Field(None, ge=0, le=1)
    repetition_penalty: float | None = Field(None, ge=1, le=10)
    twin: dict[str, Any] | None = None

    @property
    def choices(self) -> int:
        """How many replies are wanted."""
        return self.n or 1

    @property
    def wants_usage(self) -> bool:
        """Whether a stream is to end with what it cost."""
        return bool(self.stream_options and self.stream_options.include_usage)


_HARMLESS: Mapping[str, tuple[Any, ...]] = {
    "logprobs": (False,),
    "top_logprobs": (0,),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "audio": (),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "web_search_options": (),
}
"""What cannot be fulfilled, and the values with which it asks for nothing."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request understood.

    Attributes:
        conversation: what is to be answered.
        wishes: one for each reply wanted; nobody listens to them yet.
        version: which version is asked for, BASE for the bare base model, None for the one that serves.
        ignored: what of the request has no effect, by name.
    """

    conversation: Conversation
    wishes: tuple[Wish, ...]
    version: str | None
    ignored: tuple[str, ...]


def understand(request: ChatRequest, usual: Reply) -> Asked:
    """What a request asks for.

    Args:
        usual: how replies are sampled where the request does not say.

    Raises:
        Refused: it asks for what a twin cannot do, or its messages are of another form than documented.
    """
    _refuse_unsupported(request.model_extra or {})
    version = None if request.model in (None, TWIN) else request.model
    how = _sampling(request, usual)
    stops = (request.stop,) if isinstance(request.stop, str) else tuple(request.stop or ())
    said, ignored = list(_all_said(request.messages)), _instructions(request.messages)
    try:
        conversation = conversation_of(said, request.twin or {})
    except ValueError:
        fields = '"peer" and "relation" (texts), "chat_id" (a number) and "at" (ISO 8601 with a zone)'
        raise Refused(400, f"twin may hold {fields}.", "invalid_value", "twin") from None
    wishes = tuple(Wish(how, _seed(request.seed, n), version, stops) for n in range(request.choices))
    return Asked(conversation, wishes, version, ignored)


def label(version: str | None) -> str:
    """The name under which a version stands in answers."""
    return BASE if version is None else version


def _seed(seed: int | None, choice: int) -> int | None:
    """Each choice has a seed of its own, the first one that of the request (made positive)."""
    if seed is None:
        return None
    if choice == 0:
        return seed & _SEEDS
    return int.from_bytes(hashlib.sha256(f"{seed}/{choice}".encode()).digest()[:8], "big") & _SEEDS


def _sampling(request: ChatRequest, usual: Reply) -> Reply:
    wanted = {name: value for name in _SAMPLING if (value := getattr(request, name)) is not None}
    if wanted.get("top_p") == 0:  # the likeliest tokens that make up nothing: the likeliest one
        wanted |= {"top_p": 1.0, "temperature": 0.0}
    if most := request.max_completion_tokens or request.max_tokens:
        wanted["max_tokens"] = most
    return usual.model_copy(update=wanted)


def _refuse_unsupported(extra: Mapping[str, Any]) -> None:
    for name, value in extra.items():
        if name in _HARMLESS and value is not None and not any(_same(value, fine) for fine in _HARMLESS[name]):
            raise Refused(400, f"{name} is not supported: a twin answers with text alone.", "unsupported", name)


def _same(value: Any, fine: Any) -> bool:
    return bool(value == fine and isinstance(value, bool) == isinstance(fine, bool))


def _instructions(messages: list[Any]) -> tuple[str, ...]:
    roles = [message.get("role") for message in messages if isinstance(message, dict)]
    return tuple(role for role in _INSTRUCTING if role in roles)


def _all_said(messages: list[Any]) -> Iterator[Said]:
    for number, message in enumerate(messages):
        place = f"messages[{number}]"
        if not isinstance(message, dict):
            raise Refused(400, f"{place} must be an object with role and content.", "invalid_value", place)
        role = message.get("role")
        if role in _INSTRUCTING:
            continue
        if not isinstance(role, str) or role not in ROLES:
            raise Refused(
                400, f"{place}.role must be user, assistant, system or developer.", "invalid_value", f"{place}.role"
            )
        if message.get("tool_calls") or message.get("function_call"):
            raise Refused(400, f"{place} calls tools, which a twin cannot.", "unsupported", place)
        yield from _said(role, message, place)


def _said(role: str, message: dict[str, Any], place: str) -> Iterator[Said]:
    at = _checked(moment_of, message.get("at"), f"{place}.at", "must be a time in ISO 8601 with a zone")
    for text in _texts(role, message, place):
        readable = _checked(text_of, text, f"{place}.content", "must hold text")
        yield ROLES[role], readable, at


def _texts(role: str, message: dict[str, Any], place: str) -> list[Any]:
    if (bubbles := message.get("bubbles")) is not None:
        if not isinstance(bubbles, list):
            raise Refused(400, f"{place}.bubbles must be a list of texts.", "invalid_value", f"{place}.bubbles")
        return bubbles
    content = message.get("content")
    if isinstance(content, list):
        content = "\n".join(_part(part, f"{place}.content[{number}]") for number, part in enumerate(content))
    if role == "assistant" and (content is None or isinstance(content, str)):  # a reply may have been silence
        return [line for line in (content or "").replace("\r\n", "\n").split("\n") if line.strip()]
    return [content]


def _part(part: Any, place: str) -> str:
    if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
        raise Refused(400, f"{place} is no part of type text: a twin reads text alone.", "unsupported", place)
    return str(part["text"])


def _checked(read: Callable[[Any], T], value: Any, place: str, otherwise: str) -> T:
    try:
        return read(value)
    except ValueError:
        raise Refused(400, f"{place} {otherwise}.", "invalid_value", place) from None
