"""Dialects: what vLLM, llama.cpp's server and text-generation-inference call the same things in `/completions`.

Knows nothing of HTTP. Sources: vllm/entrypoints/openai/completion/protocol.py, llama.cpp's tools/server/README.md,
text-generation-inference's router/src/server.rs.

All of them count a repetition penalty over the prompt too, where the local engine counts the reply alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from twin.errors import SettingsError
from twin.sections import Reply

Kind = Literal["vllm", "llamacpp", "tgi", "other"]
LIKELIEST = 20  # vLLM tells no more unless started with --max-logprobs
_SEEDS = {"llamacpp": 2**32 - 1}  # there the highest number of 32 bits means any seed
_IN_ORDER = ["penalties", "temperature", "top_k", "top_p", "min_p"]  # as the local engine; llama.cpp's cuts first


@dataclass(frozen=True, slots=True)
class Served:
    """A model that a server lists.

    Attributes:
        name: by which it is asked for.
        context: the most tokens of prompt and text together; None if it is not told.
        parent: of an adapter, the model that it changes.
    """

    name: str
    context: int | None
    parent: str | None


def served(value: Any) -> tuple[list[Served], Kind]:
    """What `/models` says: the models, in their order, and whose server it is.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: it says something else.
    """
    cards = value["data"]
    models = [
        Served(
            str(card["id"]), _whole(card.get("max_model_len") or (card.get("meta") or {}).get("n_ctx")), _parent(card)
        )
        for card in cards
    ]
    owners = {card.get("owned_by") for card in cards}
    if "vllm" in owners:
        return models, "vllm"
    if "llamacpp" in owners:
        return models, "llamacpp"
    is_tgi = bool(cards) and all(card.get("owned_by") == card["id"] for card in cards)
    return models, "tgi" if is_tgi else "other"


def body(
    kind: Kind, model: str, prompt: list[int] | str, how: Reply, seed: int, ends: frozenset[int]
) -> dict[str, Any]:
    """A request for one text, streamed.

    Args:
        ends: ids after which a text ends.

    Raises:
        SettingsError: a server of this kind cannot sample like that.
    """
    refuse_unknown(kind, how)
    asked: dict[str, Any] = {
        "model": model,
        "prompt": prompt,
        "max_tokens": how.max_tokens,
        "temperature": how.temperature,
        "seed": seed % _SEEDS.get(kind, 2**63),
        "stream": True,
    }
    if kind == "tgi":  # 1 is not allowed there, and means nothing is cut
        asked |= {"top_p": how.top_p} if how.top_p < 1 else {}
        return asked | ({"repetition_penalty": how.repetition_penalty} if how.repetition_penalty != 1 else {})
    asked |= {
        "top_p": how.top_p,
        "top_k": how.top_k,
        "min_p": how.min_p,
        "stream_options": {"include_usage": True},
    }
    if kind in ("vllm", "other"):
        asked |= {
            "repetition_penalty": how.repetition_penalty,
            "stop_token_ids": sorted(ends),
            "skip_special_tokens": False,
            "spaces_between_special_tokens": False,
            "return_token_ids": True,
            "add_special_tokens": False,
        }
    if kind in ("llamacpp", "other"):
        asked |= {
            "repeat_penalty": how.repetition_penalty,
            "repeat_last_n": how.max_tokens,  # the reply and no more than as much of the prompt
            "samplers": _IN_ORDER,
            "timings_per_token": True,
        }
    return asked


def refuse_unknown(kind: Kind, how: Reply) -> None:
    """Refuse sampling that a server would silently leave out.

    Raises:
        SettingsError: it cannot sample like that.
    """
    if how.no_repeat_ngram:
        raise SettingsError(
            "A remote engine knows no reply.no_repeat_ngram", "set it to 0, or reply.repetition_penalty above 1"
        )
    if kind == "tgi" and (how.top_k or how.min_p):
        raise SettingsError(
            "text-generation-inference knows neither reply.top_k nor reply.min_p here", "set both to 0, or reply.top_p"
        )


def probe(kind: Kind, model: str, prompt: list[int], whole: int) -> dict[str, Any]:
    """A request for the likeliest next tokens.

    Args:
        whole: a token that is a whole character: of half a one llama.cpp tells nothing.
    """
    asked: dict[str, Any] = {
        "model": model,
        "prompt": prompt,
        "max_tokens": 1,
        "temperature": 0,
        "logprobs": LIKELIEST,
    }
    if kind == "llamacpp":  # told are the model's own probabilities; the bias only chooses what is written
        return asked | {"logit_bias": [[whole, 1000]], "cache_prompt": False}
    return asked | {"return_tokens_as_token_ids": True}


def likeliest(value: Any) -> dict[int, float]:
    """What `probe` was answered: ids with natural logarithms of their probabilities.

    Raises:
        ValueError, TypeError, KeyError, IndexError, AttributeError: it says something else.
    """
    told = value["choices"][0]["logprobs"]
    if told.get("content"):
        return {int(part["id"]): float(part["logprob"]) for part in told["content"][0]["top_logprobs"]}
    (first, *_) = told["top_logprobs"]
    return {int(name.removeprefix("token_id:")): float(log_prob) for name, log_prob in first.items()}


@dataclass(frozen=True, slots=True)
class Piece:
    """What one event of a stream brings.

    Attributes:
        text: that is new; may be empty.
        ids: of its tokens, if they are told.
        count: of all tokens so far, if it is told.
        ended: why the text is whole now; None if it is not.
    """

    text: str
    ids: tuple[int, ...] = ()
    count: int | None = None
    ended: Literal["turn", "length"] | None = None


def piece(kind: Kind, model: str, value: Mapping[str, Any]) -> Piece:
    """Read an event.

    Raises:
        ValueError, TypeError, KeyError, IndexError, AttributeError: it is no piece of a text, or another model's.
    """
    if kind == "vllm" and value.get("model", model) != model:
        raise ValueError("another model answers")
    count = _whole(
        (value.get("timings") or {}).get("predicted_n") or (value.get("usage") or {}).get("completion_tokens")
    )
    if not value["choices"]:
        return Piece("", count=count)
    choice = value["choices"][0]
    text, why = choice.get("text") or "", choice.get("finish_reason") or None
    if not isinstance(text, str) or why in ("abort", "error", "cancelled"):
        raise ValueError("no piece of a text")
    if why == "eos_token":
        text = ""  # text-generation-inference spells the token out that ends the text
    text.encode()  # half a character, which JSON can hold, is none
    ids = tuple(int(token) for token in choice.get("token_ids") or ())
    return Piece(text, ids, count, None if why is None else "length" if why == "length" else "turn")


def _whole(found: Any) -> int | None:
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else None


def _parent(card: Mapping[str, Any]) -> str | None:
    return str(card["parent"]) if card.get("parent") else None
