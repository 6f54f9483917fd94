"""The base model as an interviewer: it goes on with a list of passages and their questions.

Knows nothing of adapters: what serves as the twin must not ask its own questions.
"""

from __future__ import annotations

import copy
from typing import Any

from training.recipes.answers import Answer
from training.recipes.interview import examples, is_about, is_copied, language_of, prompt, question_in
from twin.settings import Settings

_ATTEMPTS = 4
_QUESTION_TOKENS = 48
_UNQUANTIZED = 1e9  # parameters up to which a CPU, slow at 4-bit weights, gets plain ones


class BaseInterviewer:
    """Fulfils `Interviewer`; the model is loaded when the first question is needed.

    What the model finds likeliest is taken if it is a question about this passage, and not one of the examples' again;
    else it is sampled, each time the same way. What stands before every passage is read once.
    """

    def __init__(self, settings: Settings, language: str | None) -> None:
        self._settings = settings
        self._language = language_of(language)
        self._base: Any = None
        self._ids: list[int] = []
        self._read: Any = None

    @property
    def model(self) -> str:
        """See Interviewer."""
        return f"base model {self._settings.base.model}"

    def ask(self, passage: str) -> Answer:
        """See Interviewer.

        Raises:
            ModelError: the base model is missing or does not fit this machine.
        """
        import torch

        with torch.inference_mode():
            if self._base is None:
                self._load(torch)
            (more,) = self._base.tokenizer.encode([prompt(passage, self._language)], special=False)
            found: list[str] = []
            for attempt in range(_ATTEMPTS):
                torch.manual_seed(attempt)
                question = question_in(self._complete(torch, more, is_sampled=attempt > 0))
                if question and not is_copied(question, self._language):
                    found.append(question)
                    if is_about(question, passage):
                        return Answer(question)
        return Answer(found[0] if found else "")

    def _load(self, torch: Any) -> None:
        from inference.base_model import count_parameters, load_base
        from inference.model_folder import locate

        settings = self._settings
        if not torch.cuda.is_available() and count_parameters(locate(settings)) <= _UNQUANTIZED:
            settings = settings.model_copy(update={"base": settings.base.model_copy(update={"quantization": "none"})})
        base = load_base(settings)
        (ids,) = base.tokenizer.encode([examples(self._language)], special=False)
        self._ids = [*base.tokenizer.bos, *ids]
        self._read = base.model(torch.tensor([self._ids], device=base.device), use_cache=True).past_key_values
        self._base = base

    def _complete(self, torch: Any, more: list[int], *, is_sampled: bool) -> str:
        base, ids = self._base, [*self._ids, *more]
        how = {"do_sample": True, "temperature": 0.7, "top_p": 0.9, "top_k": 0} if is_sampled else {"do_sample": False}
        out = base.model.generate(
            input_ids=torch.tensor([ids], device=base.device),
            attention_mask=torch.ones((1, len(ids)), dtype=torch.long, device=base.device),
            past_key_values=copy.deepcopy(self._read),
            max_new_tokens=_QUESTION_TOKENS,
            eos_token_id=base.tokenizer.eos,
            pad_token_id=base.tokenizer.pad,
            stopping_criteria=[lambda found, _, **__: self._has_ended(torch, found, len(ids))],
            **how,
        )
        written: str = base.tokenizer.decode(out[0, len(ids) :].tolist())
        return written.split("\n", 1)[0]

    def _has_ended(self, torch: Any, found: Any, start: int) -> Any:
        """Whether a line was written; a tensor of one truth value, as generation wants it."""
        text = self._base.tokenizer.decode(found[0, start:].tolist())
        return torch.tensor(["\n" in text.lstrip("\n")], device=found.device)
