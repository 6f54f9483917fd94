"""What all tokenizers of a base model share: a backend that encodes, and the tokens that end a reply.

Knows nothing of files' formats beside the one that names those tokens, or of templates.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

DATE = "26 Jul 2024"
"""Some chat templates tell one: that which Llama 3.1's tells by itself."""


class TokenCoding:
    """Text to ids by a `tokenizers.Tokenizer`; any thread may ask."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self._encoding = threading.Lock()  # what counts as special is a state of the backend

    def encode(self, texts: Sequence[str], *, special: bool) -> list[list[int]]:
        """Ids of each text; see `twin.prompt.Tokenizer`."""
        with self._encoding:
            self.backend.encode_special_tokens = not special
            return [found.ids for found in self.backend.encode_batch(list(texts), add_special_tokens=False)]


def ends_of(folder: Path, eos: int | None) -> frozenset[int]:
    """The tokens that end a reply: the tokenizer's own, and those that a model's maker names (instruct models have
    several)."""
    try:
        found = json.loads((folder / "generation_config.json").read_text()).get("eos_token_id")
    except (OSError, ValueError, AttributeError):
        found = None
    named = found if isinstance(found, list) else [found]
    return frozenset(token for token in (*named, eos) if isinstance(token, int))
