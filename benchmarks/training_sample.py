"""What the training benchmarks train on: the public chitchat corpus as windows, as pairs, and the base model.

Knows nothing of trainers.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "examples" / "demo")]

VAL_TOKENS = 4_000

Pair = tuple[list[int], list[int]]


@dataclass
class Work:
    """What all sides are given.

    Attributes:
        sample: windows whose replies are trained, spread evenly over the corpus.
        pairs: (prompt ids, completion ids) of the sample's replies.
        epoch_tokens: of all windows; epoch_pair_tokens: of all pairs; epoch_replies: how many replies there are.
        val_rows: later conversations, packed.
    """

    settings: Any
    base: Any
    sample: list[Any]
    pairs: list[Pair]
    epoch_tokens: int
    epoch_pair_tokens: int
    epoch_replies: int
    val_rows: list[Any]

    @property
    def on_gpu(self) -> bool:
        """Whether the base model is on a GPU."""
        return bool(self.base.device.type == "cuda")


def write_home(home: Path) -> dict[str, str]:
    """A home with the corpus ingested and its dataset built; the variables that name it."""
    import os

    import chitchat

    variables = {
        "TWIN_HOME": str(home),
        "TWIN_DATASET__VAL_FROM": chitchat.VAL_FROM.isoformat(),
        "TWIN_DATASET__TEST_FROM": chitchat.TEST_FROM.isoformat(),
    }
    chitchat.write_export(home / "result.json")
    for verb in (["ingest", "export", f"{home}/result.json"], ["dataset", "build"]):
        subprocess.run(
            [sys.executable, "-m", "twin", *verb], env=os.environ | variables, check=True, stdout=subprocess.DEVNULL
        )
    return variables


def prepare(replies: int, *, with_pairs: bool) -> Work:
    """Snapshot to windows and, a minute's work, to pairs; the base model in memory. TWIN_HOME names the home."""
    from inference.base_model import load_base
    from training.encode import pack, windows
    from training.evaluate import evenly
    from training.snapshot import load, newest
    from twin.prompt import PromptSpec
    from twin.settings import load_settings

    settings = load_settings()
    snapshot = load(settings.datasets, newest(settings.datasets).fingerprint)
    base = load_base(settings)
    spec = PromptSpec(context_tokens=settings.dataset.context_tokens).for_tokenizer(base.tokenizer.fingerprint)
    by_window: list[tuple[Any, list[Pair]]] = []
    for session in snapshot.sessions("train"):
        pairs = iter(_pairs_of(session, spec, base.tokenizer) if with_pairs else [])
        by_window += [(w, list(islice(pairs, w.turns))) for w in windows([session], spec, base.tokenizer)]
    turns_per_window = sum(w.turns for w, _ in by_window) / len(by_window)
    count = max(1, round(replies / turns_per_window))
    sample = [by_window[int((n + 0.5) * len(by_window) / count)] for n in range(count)]
    return Work(
        settings=settings,
        base=base,
        sample=[w for w, _ in sample],
        pairs=[pair for _, found in sample for pair in found],
        epoch_tokens=sum(len(w.ids) for w, _ in by_window),
        epoch_pair_tokens=sum(len(p) + len(c) for _, found in by_window for p, c in found),
        epoch_replies=sum(w.turns for w, _ in by_window),
        val_rows=pack(evenly(windows(snapshot.sessions("val"), spec, base.tokenizer), VAL_TOKENS), 1024),
    )


def _pairs_of(session: Any, spec: Any, tokenizer: Any) -> list[Pair]:
    """One (prompt, completion) a reply; together at most the context budget, oldest turns left out first."""
    from twin.messages import Conversation
    from twin.prompt import encode_prompt, render_turn
    from twin.tokens import encode

    found = []
    for place, turn in enumerate(session.turns):
        if turn.is_supervisable:
            (body,) = encode(tokenizer, [render_turn(spec, turn)])
            completion = [token for token, seen in zip(body.ids, body.supervised, strict=True) if seen]
            completion = completion[: spec.context_tokens // 2]
            before = Conversation(session.turns[:place])
            found.append((encode_prompt(spec, tokenizer, before, len(completion)), completion))
    return found
