"""The verb `doctor`: everything that can be checked, a line each, with what to do.

Knows how to look, not how to repair. Nobody elsewhere is asked but a remote engine's server: whether it fits.
"""

from __future__ import annotations

import platform
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from twin.addresses import place
from twin.console import echo_json
from twin.database import schema_version
from twin.errors import TwinError
from twin.forgotten import Forgettings
from twin.registry import Registry
from twin.sections import EMBEDDED_MODEL
from twin.settings import TOKEN_VARIABLE, Settings, bot_token, load_settings
from twin.store import Store

_OURS = ("twin", "bot", "ingest", "training", "inference")
_NEEDED = ("sqlite-utils", "python-telegram-bot", "apscheduler", "pydantic", "ijson", "rich")
_ML = ("torch", "transformers", "peft", "bitsandbytes", "safetensors")
_FREE_GIB = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, whether it is well, what was seen, and what to do if not.

    Attributes:
        optional: only a part of twin needs it; it being missing is no failure.
    """

    check: str
    ok: bool
    seen: str
    remedy: str = ""
    optional: bool = False


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@click.option("--quick", is_flag=True, help="Do not load the base model or ask a remote server.")
def doctor(as_json: bool, quick: bool) -> None:
    """Check this machine and say what to do; exit code 1 when something is to be done."""
    with Console(stderr=True).status("Looking"):
        findings = list(examine(quick=quick))
    is_well = all(found.ok or found.optional for found in findings)
    if as_json:
        echo_json({"ok": is_well, "findings": [asdict(found) for found in findings]})
    else:
        _show(findings)
    if not is_well:
        raise SystemExit(1)


def examine(*, quick: bool) -> Iterator[Finding]:
    """Every finding in the order of the way of a message; one bad thing never hides the others."""
    yield _python()
    yield _packages("packages", _NEEDED, "run `pip install .`")
    yield _one_parent()
    yield _packages("packages to train and serve", _ML, "run `pip install '.[ml]'`")
    try:
        settings = load_settings()
    except TwinError as error:
        yield Finding("settings", False, error.problem, error.remedy)
        return
    yield Finding("settings", True, f"home {settings.home}")
    yield from _folders(settings)
    yield _guarded("database", lambda: _database(settings))
    yield _guarded("forgetting", lambda: _forgetting(settings))
    yield _guarded("adapter", lambda: _adapter(settings))
    yield _guarded("bot token", lambda: _token(settings))
    yield _owner(settings)
    yield _way(settings)
    yield _guarded("engine", lambda: _engine(settings))
    if settings.engine.kind == "remote" and not quick:
        yield _guarded("remote server", lambda: _remote(settings))
    if find_spec("torch"):
        yield from _accelerator()
        if not quick:
            yield _guarded("base model", lambda: _base(settings))


def _python() -> Finding:
    ok = sys.version_info >= (3, 11)
    return Finding("Python", ok, f"{platform.python_version()} on {platform.system()}", "install Python 3.11 or newer")


def _packages(check: str, names: tuple[str, ...], remedy: str) -> Finding:
    found, missing = [], []
    for name in names:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    return Finding(check, not missing, f"missing: {', '.join(missing)}" if missing else ", ".join(found), remedy)


def _one_parent() -> Finding:
    """Two checkouts on one path would mix versions of the five packages."""
    parents = {Path(str(import_module(name).__file__)).resolve().parents[1] for name in _OURS}
    seen = ", ".join(map(str, sorted(parents)))
    return Finding("one copy of twin", len(parents) == 1, seen, "uninstall the other copy, or make a fresh .venv")


def _folders(settings: Settings) -> Iterator[Finding]:
    home = settings.home
    if not home.is_dir():
        yield Finding("home folder", False, f"{home} is not there yet", "run `twin init`")
        return
    open_ = [
        path.name or str(path)
        for path in (home, settings.database, settings.adapters, settings.datasets, home / "bot-token")
        if path.exists() and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    ]
    seen = f"others can open: {', '.join(open_)}" if open_ else "yours alone"
    yield Finding("permissions", not open_, seen, f"run `chmod -R go-rwx {home}`")
    free = shutil.disk_usage(home).free / 2**30
    yield Finding("free disk space", free >= _FREE_GIB, f"{free:.1f} GiB", f"free at least {_FREE_GIB} GiB")


def _database(settings: Settings) -> Finding:
    if not settings.database.exists():
        return Finding("database", False, "nothing stored yet", "run `twin ingest export PATH`")
    with Store.of(settings) as store:
        count, mine, schema = store.message_count(), store.owner_messages(), schema_version(store.db)
    seen = f"schema {schema}, {count:,} messages, {mine:,} of yours"
    return Finding("database", mine > 0, seen, "run `twin ingest export PATH`")


def _forgetting(settings: Settings) -> Finding:
    """Whether everything that was to be forgotten is."""
    if not settings.database.exists():
        return Finding("forgetting", True, "nothing was to be forgotten")
    with Store.of(settings) as store:
        wishes = Forgettings(store.db).all()
    broken_off = sorted({wish.chat_id for wish in wishes if not wish.is_done})
    if broken_off:
        commands = " and ".join(f"`twin forget {chat_id}`" for chat_id in broken_off)
        return Finding("forgetting", False, f"broken off in {len(broken_off)} dialogs", f"run {commands} again")
    return Finding("forgetting", True, f"done in {len({wish.chat_id for wish in wishes})} dialogs")


def _adapter(settings: Settings) -> Finding:
    """Whether what serves may serve; that none does yet is no failure."""
    if not settings.database.exists():
        return Finding("adapter", False, "none yet", "run `twin train`", optional=True)
    with Store.of(settings) as store:
        registry = Registry(settings.adapters, store.db)
        version = registry.current()
        if version is None:
            return Finding("adapter", False, "none serves", "run `twin train`", optional=True)
        if registry.is_stale(registry.verify(version)):
            seen = f"{version} serves, but learned from messages that you wanted forgotten"
            return Finding("adapter", False, seen, f"retrain, or stop it with `twin adapters withdraw {version}`")
    return Finding("adapter", True, f"{version} serves")


def _token(settings: Settings) -> Finding:
    there = bot_token(settings) is not None
    remedy = f"get one from @BotFather, then run `twin bot --set-token` or set {TOKEN_VARIABLE}"
    return Finding("bot token", there, "present" if there else "none; only the bot needs it", remedy, optional=True)


def _owner(settings: Settings) -> Finding:
    there = settings.bot_owner is not None
    seen = "set" if there else "not set; only the bot needs it"
    return Finding("your Telegram id", there, seen, "set owner.id in twin.toml", optional=True)


def _way(settings: Settings) -> Finding:
    """How messages come to the bot; paths, users and passwords of the addresses are nobody's business."""
    telegram = settings.telegram
    server = f"the Bot API server {place(telegram.bot_api_url)}" if telegram.bot_api_url else "Telegram"
    seen = f"the bot fetches them from {server}"
    if telegram.webhook_url:
        seen = f"{server} brings them to {place(telegram.webhook_url)}"
        seen += f"; the bot listens at {telegram.webhook_host} port {telegram.webhook_port}"
    if telegram.proxy:
        seen += f"; by way of the proxy {place(telegram.proxy.get_secret_value())}"
    ready = telegram.webhook_url is None or find_spec("uvicorn") is not None
    return Finding("bot's messages", ready, seen, "run `pip install '.[serve]'`", optional=True)


def _engine(settings: Settings) -> Finding:
    """What would serve, and why."""
    from inference.choosing import choose
    from inference.llamacpp.limits import unable

    choice = choose(settings)
    problem = unable(settings) if choice.kind == "llamacpp" else None
    if problem is not None:
        return Finding("engine", False, problem[0], problem[1])
    return Finding("engine", True, f"{choice.kind}: {choice.why}")


def _remote(settings: Settings) -> Finding:
    """Ask the server, as opening the engine does: its models, its tokenizer, its addresses for adapters."""
    from inference.remote.opening import open_engine

    engine = open_engine(settings)
    try:
        return Finding("remote server", True, f"answers, and fits the base model {settings.base.model!r}")
    finally:
        engine.close()


def _accelerator() -> Iterator[Finding]:
    import torch

    from inference.base_model import has_bf16

    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            card = torch.cuda.get_device_properties(number)
            precision = "bf16" if has_bf16(torch.device("cuda", number)) else "fp32"
            yield Finding("GPU", True, f"{card.name}, {card.total_memory / 2**30:.0f} GiB, {precision}")
    else:
        yield Finding("GPU", True, f"none: models up to 4 billion parameters on {torch.get_num_threads()} CPU threads")
    yield _guarded("bitsandbytes", _quantizer)


def _quantizer() -> Finding:
    """Quantize and dequantize one block on the device that would be used."""
    import torch
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    device = "cuda" if torch.cuda.is_available() else "cpu"
    weights = torch.linspace(-1, 1, 4096, device=device)
    packed, state = quantize_4bit(weights, quant_type="nf4")
    error = float((dequantize_4bit(packed, state) - weights).abs().max())
    version = metadata.version("bitsandbytes")
    return Finding("bitsandbytes", error < 0.2, f"{version}, NF4 works on {device}", "reinstall bitsandbytes")


def _base(settings: Settings) -> Finding:
    from inference.base_model import load_base

    base = load_base(settings, offline=True)
    name = "the embedded Gemma 3 270M" if settings.base.model == EMBEDDED_MODEL else settings.base.model
    size = f"{base.parameters / 1e6:,.0f} M parameters"
    return Finding("base model", True, f"{name}, {size}, {settings.base.quantization}, loads on {base.device.type}")


def _guarded(check: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except TwinError as error:
        return Finding(check, False, error.problem, error.remedy)
    except Exception as error:  # noqa: BLE001 - a doctor reports what breaks, whatever it is
        return Finding(check, False, f"broken ({type(error).__name__})", "reinstall it, or report this")


def _show(findings: list[Finding]) -> None:
    table = Table(show_header=False, box=None, pad_edge=False)
    for found in findings:
        mark = "[green]OK[/green]" if found.ok else "LATER" if found.optional else "[yellow]TO DO[/yellow]"
        table.add_row(mark, found.check, escape(found.seen if found.ok else f"{found.seen}\n→ {found.remedy}"))
    Console().print(table)
