"""The base model's tokenizer behind `twin.prompt.Tokenizer`: text to ids and back, ends of replies, added marks.

Knows nothing of weights, of conversations or of what a template means.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from jinja2 import TemplateError
from tokenizers import AddedToken
from transformers import AutoTokenizer

from inference.token_coding import DATE, TokenCoding, ends_of
from twin.chat_templates import derive
from twin.templates import Template


class BaseTokenizer(TokenCoding):
    """A model's tokenizer; message text never yields special tokens.

    Args:
        folder: where the model lies.
        marks: texts that are to be special tokens of their own. What the tokenizer has already is used as it is, the
            rest is added behind all other tokens, in this order; the fingerprint then differs from the folder's.

    Attributes:
        marks: the ids of those texts.
        pieces: for each one that was added, what it would read as without being a token: (its id, ids of its pieces).
    """

    def __init__(self, folder: Path, marks: Sequence[str] = ()) -> None:
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        super().__init__(self._tokenizer.backend_tokenizer)
        self.marks, self.pieces = self._add(marks)
        self.fingerprint = hashlib.sha256(self.backend.to_str().encode()).hexdigest()[:16]
        bos = self._tokenizer.bos_token_id
        self.bos: tuple[int, ...] = () if bos is None else (bos,)
        self.eos: int | None = self._tokenizer.eos_token_id
        self.ends: frozenset[int] = ends_of(folder, self.eos)
        self.pad: int = next(token for token in (self._tokenizer.pad_token_id, self.eos, 0) if token is not None)

    def _add(self, marks: Sequence[str]) -> tuple[tuple[int, ...], tuple[tuple[int, tuple[int, ...]], ...]]:
        known = self.backend.get_vocab(with_added_tokens=True)
        new = [mark for mark in marks if mark not in known]
        pieces = self.encode(new, special=False)
        special = {token.content for token in self.backend.get_added_tokens_decoder().values() if token.special}
        self._tokenizer.add_tokens(
            [AddedToken(mark, special=True, normalized=False) for mark in marks if mark not in special],
            special_tokens=True,
        )
        ids = {mark: self.backend.token_to_id(mark) for mark in marks}
        return tuple(ids.values()), tuple((ids[mark], tuple(its)) for mark, its in zip(new, pieces, strict=True))

    def own_template(self) -> Template | None:
        """The frame of the model's chat template, thinking switched off; None when it has none.

        Raises:
            SettingsError: there is no one frame around its turns.
        """
        if not self._tokenizer.chat_template:
            return None
        special = [str(token) for token in self._tokenizer.added_tokens_decoder.values() if token.special]
        return derive(self._render, special, self._tokenizer.bos_token or "")

    def _render(self, messages: list[dict[str, str]]) -> str:
        try:
            text: str = self._tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True, enable_thinking=False, date_string=DATE
            )
        except TemplateError as error:
            raise ValueError(str(error)) from error
        return text

    def decode(self, ids: Sequence[int]) -> str:
        """Text of generated ids up to the end of the sequence; a template's own marks stay in sight."""
        kept = list(takewhile(lambda token: token not in self.ends and token != self.pad, ids))
        text: str = self._tokenizer.decode(kept, skip_special_tokens=False)
        return text

    def save(self, folder: Path) -> None:
        """Write it as transformers' tokenizers are, with what was added."""
        self._tokenizer.save_pretrained(folder)
