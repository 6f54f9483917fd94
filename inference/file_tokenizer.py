"""A base model's tokenizer out of its files alone: loaded in a fraction of the time and memory that transformers takes.

Knows nothing of weights or of training: `inference.tokenizer` is the one that adapters are trained with, and this one
serves only where both come to the same fingerprint.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import Any

import tokenizers

from inference.token_coding import DATE, TokenCoding, ends_of
from twin.chat_templates import derive
from twin.errors import ModelError
from twin.templates import Template


class FileTokenizer(TokenCoding):
    """Text to ids and back; message text never yields special tokens.

    Args:
        folder: where the model lies.
        cache: a file that remembers fingerprints, which take seconds for large vocabularies; None for none.

    Raises:
        ModelError: the folder has no tokenizer.json, or a damaged one.
    """

    def __init__(self, folder: Path, cache: Path | None = None) -> None:
        self._cache = cache
        try:
            raw = (folder / "tokenizer.json").read_bytes()
            super().__init__(tokenizers.Tokenizer.from_buffer(raw))
            self._config: dict[str, Any] = json.loads((folder / "tokenizer_config.json").read_text())
        except Exception as error:  # tokenizers raises nothing more special
            raise ModelError(
                f"The tokenizer of the base model cannot be read ({type(error).__name__})",
                "check base.model in twin.toml; llama.cpp needs a tokenizer.json there",
            ) from error
        self._source = hashlib.sha256(raw).hexdigest()
        self._template = _chat_template(folder, self._config)
        bos, eos, pad = (self._id(name) for name in ("bos_token", "eos_token", "pad_token"))
        self.bos: tuple[int, ...] = () if bos is None else (bos,)
        self.eos = eos
        self.ends: frozenset[int] = ends_of(folder, eos)
        self.pad: int = next(token for token in (pad, eos, 0) if token is not None)

    @cached_property
    def fingerprint(self) -> str:
        """Of everything that the backend does; see `inference.tokenizer`."""
        key = f"{tokenizers.__version__} {self._source}"
        known = _read(self._cache)
        if key not in known:
            known[key] = hashlib.sha256(self.backend.to_str().encode()).hexdigest()[:16]
            _write(self._cache, known)
        return known[key]

    def own_template(self) -> Template | None:
        """The frame of the model's chat template, thinking switched off; None when it has none.

        Raises:
            SettingsError: there is no one frame around its turns.
        """
        if not self._template:
            return None
        special = [token.content for token in self.backend.get_added_tokens_decoder().values() if token.special]
        return derive(self._render, special, self._text("bos_token") or "")

    def decode(self, ids: Sequence[int]) -> str:
        """Text of generated ids up to the end of the sequence; a template's own marks stay in sight."""
        kept = list(takewhile(lambda token: token not in self.ends and token != self.pad, ids))
        text: str = self.backend.decode(kept, skip_special_tokens=False)
        return text

    def _text(self, name: str) -> str | None:
        """A special token's text: a string, or an object of older transformers."""
        value = self._config.get(name)
        found = value.get("content") if isinstance(value, dict) else value
        return found if isinstance(found, str) else None

    def _id(self, name: str) -> int | None:
        text = self._text(name)
        found: int | None = self.backend.token_to_id(text) if text is not None else None
        return found

    def _render(self, messages: list[dict[str, str]]) -> str:
        """As `apply_chat_template` of transformers 5 does, in the same sandbox."""
        from jinja2 import TemplateError
        from jinja2.ext import loopcontrols
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        def refuse(why: str) -> None:
            raise TemplateError(why)

        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
        environment.filters["tojson"] = _as_json
        environment.globals["raise_exception"] = refuse
        environment.globals["strftime_now"] = lambda _: DATE
        names = ("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token")
        tokens = {name: text for name in names if (text := self._text(name)) is not None}
        try:
            return environment.from_string(self._template or "").render(
                messages=messages,
                add_generation_prompt=True,
                enable_thinking=False,
                date_string=DATE,
                tools=None,
                documents=None,
                **tokens,
            )
        except TemplateError as error:
            raise ValueError(str(error)) from error


def _as_json(value: Any, indent: int | None = None) -> str:
    """Not escaped for HTML, unlike Jinja's own."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _chat_template(folder: Path, config: dict[str, Any]) -> str | None:
    file = folder / "chat_template.jinja"
    found = file.read_text() if file.is_file() else config.get("chat_template")
    if isinstance(found, list):  # several under names
        found = next((part["template"] for part in found if part.get("name") == "default"), None)
    return found if isinstance(found, str) else None


def _read(file: Path | None) -> dict[str, str]:
    try:
        found = json.loads(file.read_text()) if file is not None else {}
    except (OSError, ValueError):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, str)} if isinstance(found, dict) else {}


def _write(file: Path | None, known: dict[str, str]) -> None:
    """By rename; whoever cannot write there computes it again next time."""
    if file is None:
        return
    draft = file.with_name(f".{file.name}.{threading.get_native_id()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(known))
        draft.replace(file)
    except OSError:
        draft.unlink(missing_ok=True)
