"""How fast secrets are looked for in ordinary chat, against one pass of `phonenumbers` over the same lines.

    .venv/bin/python benchmarks/scrub.py [--json]

The lines are the messages of the public chitchat corpus (MIT), every fiftieth replaced by one that holds a secret.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib.resources import files

import phonenumbers

from twin.privacy import find, find_window

SECRETS = ("my number is +1 (415) 555-2671", "wifi pw is sunflower88 btw", "IBAN DE89 3704 0044 0532 0130 00")
MESSAGES = 20_000
WINDOW = 50


def lines() -> list[str]:
    """Ordinary messages with a secret in every fiftieth."""
    corpus = json.loads(files("chitchat_dataset").joinpath("dataset.json").read_text("utf-8"))
    texts = [m["text"] for chat in corpus.values() for group in chat["messages"] for m in group][:MESSAGES]
    return [SECRETS[n // 50 % 3] if n % 50 == 0 else text for n, text in enumerate(texts)]


def rate(work: Callable[[], object], count: int) -> float:
    """Messages a second of CPU, the best of three."""
    best = float("inf")
    for _ in range(3):
        begin = time.process_time()
        work()
        best = min(best, time.process_time() - begin)
    return count / best


def main() -> None:
    """Measure and print."""
    texts = lines()
    windows = [texts[start : start + WINDOW] for start in range(0, len(texts), WINDOW)]
    peer = rate(lambda: [list(phonenumbers.PhoneNumberMatcher(text, "US")) for text in texts], len(texts))
    single = rate(lambda: [find(text) for text in texts], len(texts))
    joined = rate(lambda: [find_window(window) for window in windows], len(texts))
    result = {
        "messages": len(texts),
        "phonenumbers_per_second": round(peer),
        "find_per_second": round(single),
        "find_window_per_second": round(joined),
        "ratio_find": round(single / peer, 2),
        "ratio_window": round(joined / peer, 2),
    }
    if "--json" in sys.argv:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:26} {value:>12,}")


if __name__ == "__main__":
    main()
