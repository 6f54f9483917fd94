"""Backstage: what stands around people's words, or in place of them, for the model's eyes only.

Knows nothing of where a text comes from. Frames are told by their marks, whichever model family they are of.

Never said to anybody:

- a turn's opening at the beginning of a line, with or without its mark of time: "Me:", "Them (21h):", "Assistant:";
- marks of chat templates, and tokens that are no text: "<|im_start|>", "<end_of_turn>", "[INST]", "<think>", "</s>";
- placeholders of media, forwards and quotes in any language, and of secrets: "[photo]", "[sticker 😂]", "[phone]".
"""

from __future__ import annotations

import re

from twin.placeholders import WRITTEN
from twin.privacy.spans import PLACEHOLDERS

_MARK_OF_TIME = r"(?:[ ]\([^()\n]{1,40}\))?"
_OPENINGS = (
    re.compile(rf"^\s*(?:Me|Them){_MARK_OF_TIME}\s?[:：]", re.MULTILINE),
    re.compile(rf"^\s*(?:me|them){_MARK_OF_TIME}\s?[:：]\s*$", re.MULTILINE | re.IGNORECASE),
    re.compile(r"^\s*(?:user|assistant|human)\s?[:：]", re.MULTILINE | re.IGNORECASE),
    re.compile(r"^\s*(?:system|model|ai|bot|chatbot|tool)\s?[:：]\s*$", re.MULTILINE | re.IGNORECASE),
    re.compile(r"^\s*#{2,}\s*(?:instructions?|response|input|human|user|assistant|system)\b", re.MULTILINE | re.I),
)
_MARKS = re.compile(
    r"<\s?\|[^|<>\n]{1,60}\|>"  # ChatML, Llama 3, Phi, Granite, Command; with a space where messages are respelled
    r"|<\s?\|(?:im_|start_|end_|begin_|eot|endof)"
    r"|<｜[^｜<>\n]{1,60}｜>"  # DeepSeek
    r"|</?(?:start_of_turn|end_of_turn|start_of_image|end_of_image|image_soft_token|end_of_utterance)>"  # Gemma
    r"|</?(?:think|thinking|s|bos|eos|pad|unk|mask|unused\d+|extra_id_\d+)>"
    r"|\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|THINK)\]|<</?SYS>>"  # Mistral, Llama 2
    r"|<0x[0-9A-F]{2}>"  # a byte that SentencePiece has no piece for
)
_SECRETS = re.compile("|".join(map(re.escape, PLACEHOLDERS.values())), re.IGNORECASE)


def shows_backstage(text: str) -> bool:
    """Whether anything stands in a message that only the model was to see."""
    if not any(sign in text for sign in ":：#<[") or not text.strip():
        return False
    patterns = (*_OPENINGS, _MARKS, _SECRETS, WRITTEN)
    return any(pattern.search(text) for pattern in patterns)
