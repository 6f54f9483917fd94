"""A prompt's ids as text, for servers that take no ids, so that they read it as the same ids.

Knows nothing of servers. What a server makes of the text is its own affair: see `RemoteEngine`, which compares.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from inference.tokenizer import BaseTokenizer


class PromptText:
    """Spells prompts out.

    Args:
        spells_bos: whether the token that begins every sequence is spelled out; some servers add it.
    """

    def __init__(self, tokenizer: BaseTokenizer, *, spells_bos: bool) -> None:
        self._backend = tokenizer.backend
        added = self._backend.get_added_tokens_decoder()
        self._special = {number: token.content for number, token in added.items() if token.special}
        self._bos = () if spells_bos else tokenizer.bos
        names = sorted(self._special.values(), key=len, reverse=True)
        self._spelled = re.compile("|".join(map(re.escape, names)) or r"(?!)")

    def __call__(self, prompt: Sequence[int]) -> str:
        """The text. What a message says that looks like a special token is broken by a space, as it is none."""
        ids = list(prompt[len(self._bos) :] if self._bos and tuple(prompt[: len(self._bos)]) == self._bos else prompt)
        parts: list[str] = []
        start = 0
        for end in [*(n for n, token in enumerate(ids) if token in self._special), len(ids)]:
            plain = self._backend.decode(ids[start:end], skip_special_tokens=False)
            parts.append(self._spelled.sub(lambda found: f"{found[0][0]} {found[0][1:]}", plain))
            parts += [self._special[ids[end]]] if end < len(ids) else []
            start = end + 1
        return "".join(parts)
