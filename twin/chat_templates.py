"""A model's own chat template as a frame: found out once by rendering probe conversations and cutting the words out.

Knows nothing of Jinja or of tokenizers; whoever renders comes in as a function. What is found out is kept with the
adapter (`twin.prompt.PromptSpec`), so nothing that serves it needs the template again.

The owner's turns open as the template's generation prompt does with thinking switched off. Some templates open the
turns of earlier replies differently, by a blank or by leaving out an empty think block; here they all open alike, since
a prompt must be a prefix of what training saw.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from twin.errors import SettingsError
from twin.templates import Template, strip_thoughts

Messages = list[dict[str, str]]
Render = Callable[[Messages], str]
"""Messages of the roles system, user and assistant to text, with the opening of the next reply at its end; raises
ValueError for a conversation that the template does not take."""

_SYSTEM, _BREAK = "qzsystemqz", "\n"
_USER = ("qzuseroneqz", "qzusertwoqz", "qzuserthreeqz")
_OWNER = ("qzownoneqz", "qzowntwoqz")
_MARKER = re.compile(r"(?<![\w<\[])[<\[][^\s<>\[\]]+")  # the beginning of "[INST]" or "<tag>"
_NEVER_WORDS = ("<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")


def derive(render: Render, special: Sequence[str], bos: str = "") -> Template:
    """The frame of a chat template.

    Args:
        special: the tokenizer's special tokens, as text.
        bos: what starts every sequence by itself, and so not in the frame; empty for nothing.

    Raises:
        SettingsError: it does not put every turn into the same frame, or no special token ends a turn.
    """
    try:
        whole = render(_talk())
        before, first, between, second, again, asked = _cut(whole, _in_turn())
    except ValueError as error:
        raise _odd() from error
    openings = {strip_thoughts(text).rstrip(" ") for text in (first, second, asked)}
    if between != again or len(openings) != 1:
        raise _odd()
    close, other = _end_of_turn(between, special)
    mark = next(token for token in _longest_first(special) if token in close)
    if bos and other.startswith(bos):  # Llama 2 starts every exchange anew
        close, other = close + bos, other.removeprefix(bos)
    before = before.removeprefix(bos)
    if not other or not before.endswith(other):
        raise _odd()
    close_other, owner = _opening(asked, special)
    frame = Template(
        owner=f"{owner}{{}}",
        other=f"{other}{{}}",
        close=close,
        close_other=close_other,
        mark="({})\n",
        end=mark,
        head_default=before.removesuffix(other),
        takes_system=False,
        reserved=_reserved((other, close_other, owner, close), special),
    )
    frame = _with_system(frame, render, bos)
    _check(frame, render, bos)
    return frame


def spoken(frame: Template, talk: Messages) -> str:
    """Messages in a frame, as a prompt for the next reply: what the renderer writes for them, without marks."""
    text = frame.head_default
    if talk and talk[0]["role"] == "system":
        text = f"{frame.head_open}{talk[0]['content']}{frame.head_close}"
    for message in talk:
        if message["role"] == "user":
            text += f"{frame.other.replace('{}', '')}{message['content']}{frame.close_other}"
        elif message["role"] == "assistant":
            text += f"{frame.owner.replace('{}', '')}{message['content']}{frame.close}"
    return text + frame.owner.replace("{}", "")


def _talk(words: Callable[[str], str] = str, turns: int = 5) -> Messages:
    said = [*_in_turn()][:turns]
    return [{"role": "assistant" if place % 2 else "user", "content": words(text)} for place, text in enumerate(said)]


def _in_turn() -> tuple[str, ...]:
    return (_USER[0], _OWNER[0], _USER[1], _OWNER[1], _USER[2])


def _cut(text: str, words: Sequence[str]) -> list[str]:
    """What stands before, between and after words that must each occur once, in this order.

    Raises:
        ValueError: they do not.
    """
    parts = []
    for word in words:
        if text.count(word) != 1:
            raise ValueError(f"{word} stands in the text {text.count(word)} times")
        part, _, text = text.partition(word)
        parts.append(part)
    return [*parts, text]


def _longest_first(special: Sequence[str]) -> list[str]:
    return sorted(special, key=len, reverse=True)


def _marks(text: str, special: Sequence[str]) -> list[re.Match[str]]:
    return list(re.finditer("|".join(map(re.escape, _longest_first(special))), text)) if special else []


def _end_of_turn(between: str, special: Sequence[str]) -> tuple[str, str]:
    """What stands between a reply and the next question, cut after the first special token and its line break."""
    found = _marks(between, special)
    if not found:
        raise SettingsError(
            "The base model's chat template has no special token that ends a turn",
            'set base.template to "plain" or "chatml"',
        )
    end = found[0].end()
    rest = between[end:]
    end += len(rest) - len(rest.lstrip("\n"))
    return between[:end], between[end:]


def _opening(asked: str, special: Sequence[str]) -> tuple[str, str]:
    """What stands between a question and its reply, cut in the same way; all is the question's if it cannot be."""
    found = _marks(asked, special)
    if len(found) < 2:
        return asked, ""
    end = found[0].end()
    rest = asked[end:]
    end += len(rest) - len(rest.lstrip("\n"))
    return asked[:end], asked[end:]


def _with_system(frame: Template, render: Render, bos: str) -> Template:
    """The frame with the place of a system text, if the template has one of its own before the first turn."""
    try:
        text = render([{"role": "system", "content": _SYSTEM}, *_talk(turns=1)]).removeprefix(bos)
        opened, closed, _ = _cut(text, [_SYSTEM, _USER[0]])
    except ValueError:
        return frame
    other = frame.other.replace("{}", "")
    if not opened or not closed.endswith(other) or not closed.removesuffix(other):
        return frame
    return replace(frame, head_open=opened, head_break="\n", head_close=closed.removesuffix(other), takes_system=True)


def _reserved(texts: Sequence[str], special: Sequence[str]) -> tuple[str, ...]:
    """What looks like the frame, or like a thought, and is no special token: nobody's words may read so."""
    found = set()
    for text in texts:
        for token in _longest_first(special):
            text = text.replace(token, " ")
        found.update(_MARKER.findall(text))
    return (*sorted(found), *(word for word in _NEVER_WORDS if word not in special))


def _check(frame: Template, render: Render, bos: str) -> None:
    """Compare with the template on conversations it was not cut from."""
    talks = [_talk(turns=1), _talk(turns=3), _talk(lambda word: f"{word}{_BREAK}and {word} more?")]
    if frame.takes_system:
        talks += [[{"role": "system", "content": "be kind\nand short"}, *talk] for talk in talks]
    for talk in talks:
        try:
            theirs = render(talk).removeprefix(bos)
        except ValueError as error:
            raise _odd() from error
        if _alike(theirs) != _alike(spoken(frame, talk)):
            raise _odd()


def _alike(text: str) -> str:
    """Without what is allowed to differ: empty think blocks, and blanks before a reply's first word."""
    return re.sub(r" +(?=qzown)", "", strip_thoughts(text))


def _odd() -> SettingsError:
    return SettingsError(
        "The base model's chat template does not put every turn into the same frame",
        'set base.template to "plain" or "chatml"',
    )
