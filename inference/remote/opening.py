"""Opening the remote engine: the settings, then the server itself, each checked, with one sentence if it does not fit.

Knows nothing of how texts are written. Prompts are private: an address that is not this machine is only asked if its
owner said so in so many words.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable

from inference.model_folder import fingerprint, locate
from inference.remote.adapters import ServedVersions, VllmAdapters, is_name_of_version, models_of
from inference.remote.client import RemoteClient
from inference.remote.dialects import Kind, Served, refuse_unknown
from inference.remote.engine import RemoteEngine, Server
from inference.remote.prompt_text import PromptText
from inference.tokenizer import BaseTokenizer
from twin.addresses import fault_of, is_loopback, place
from twin.console import printable
from twin.errors import ModelError, SettingsError, TwinError
from twin.manifest import BaseIdentity
from twin.sections import EngineSettings
from twin.settings import Settings, remote_key
from twin.templates import CHATML_MARKS

_READ = "hello there, how are you?\n\nfine, and you?"
_MOST_SHOWN = 5
_LONGEST_NAME = 80
log = logging.getLogger(__name__)


def open_engine(settings: Settings, client_of: Callable[..., RemoteClient] = RemoteClient) -> RemoteEngine:
    """See `RemoteEngine.open`.

    Args:
        client_of: makes the client of an address, a key and a limit in seconds.
    """
    url = checked_url(settings.engine)
    folder = locate(settings, is_loaded=False)
    try:
        tokenizer = BaseTokenizer(folder, CHATML_MARKS if settings.base.chatml_tokens == "trained" else ())
        identity = BaseIdentity(settings.base.model, fingerprint(folder), settings.base.quantization)
    except (OSError, ValueError, KeyError, struct.error) as error:
        raise ModelError(
            f"The base model {settings.base.model!r} cannot be read ({type(error).__name__})",
            "check base.model in twin.toml: its folder is needed here too, for the tokenizer",
        ) from error
    client = client_of(url, remote_key(settings), settings.engine.timeout_seconds)
    try:
        models, kind = models_of(client)
        base = _base(models, kind, settings, client.place)
        refuse_unknown(kind, settings.reply)
        as_text = (
            PromptText(tokenizer, spells_bos=kind in ("vllm", "other")) if settings.engine.prompts == "text" else None
        )
        _refuse_other_tokenizer(client, base, kind, tokenizer, as_text)
        if settings.engine.adapters == "none":
            return RemoteEngine(client, Server(kind, base), ServedVersions(client), tokenizer, identity, as_text)
        adapters = VllmAdapters(client, settings.engine.adapters_path)
        adapters.check()
        return RemoteEngine(client, Server(kind, base), adapters, tokenizer, identity, as_text)
    except TwinError:
        client.close()
        raise


def checked_url(engine: EngineSettings) -> str:
    """The address without what comes after it, if prompts may be sent there.

    Raises:
        SettingsError: there is none, it is none, or it is another machine and nobody allowed that.
    """
    if not engine.url:
        raise SettingsError("The remote engine has no address", "set engine.url in twin.toml")
    url = engine.url.strip().rstrip("/").removesuffix("/completions").removesuffix("/chat").rstrip("/")
    match fault_of(url):
        case "no address":
            raise SettingsError("engine.url is no address", "write it as http://127.0.0.1:8000/v1")
        case "more than an address":
            raise SettingsError(
                "engine.url holds more than an address", "keep the key in TWIN_REMOTE_KEY or the file remote-key"
            )
    if not is_loopback(url) and not engine.send_private_data:
        lost = "" if url.startswith("https:") else ", unencrypted"
        raise SettingsError(
            f"Conversations would leave this machine for {place(url)}{lost}",
            "set engine.send_private_data = true if you mean it, or run the server here",
        )
    if url.startswith("http:") and not is_loopback(url):
        log.warning("the way to engine.url is not encrypted: others on it can read conversations")
    return url


def _base(models: list[Served], kind: Kind, settings: Settings, where: str) -> str:
    """What the base model is called there.

    Raises:
        SettingsError: it is not told, and cannot be guessed.
        ModelError: it is not there, or reads too little at once.
    """
    bases = [model for model in models if model.parent is None]
    wanted = settings.engine.model
    if wanted is None:
        if len(bases) != 1:
            raise SettingsError("engine.model is not set", f"set it to one of those at {where}: {_listed(models)}")
        found = bases[0]
    elif kind == "tgi" and wanted == "tgi" and bases:
        found = bases[0]
    else:
        named = [model for model in models if model.name == wanted]
        if not named:
            raise ModelError(
                f"The remote server at {where} serves no model called {_shown(wanted)}",
                f"set engine.model to one of those there: {_listed(models)}",
            )
        found = named[0]
    needed = settings.dataset.context_tokens
    if found.context is not None and found.context < needed:
        raise ModelError(
            f"The remote server at {where} reads {found.context} tokens at once, and conversations have up to {needed}",
            f"start it with room for {needed} for each (vLLM: --max-model-len), or lower dataset.context_tokens",
        )
    return "tgi" if kind == "tgi" else found.name  # there any other name is an adapter's


def _refuse_other_tokenizer(
    client: RemoteClient, base: str, kind: Kind, tokenizer: BaseTokenizer, as_text: PromptText | None
) -> None:
    """See that the server reads a text as we do: the same ids, or, where it is only told texts, as many.

    Raises:
        ModelError: it does not.
    """
    (ours,) = tokenizer.encode([_READ], special=False)
    if as_text is not None:
        prompt = [*tokenizer.bos, *ours]
        asked = {"model": base, "prompt": as_text(prompt), "max_tokens": 1, "add_special_tokens": False}
        answer = client.post("/completions", asked)
        theirs = _in(answer.value, "usage", "prompt_tokens")
        if isinstance(theirs, int) and theirs != len(prompt):
            raise ModelError(
                f"The remote server at {client.place} reads {theirs} tokens where base.model has {len(prompt)}",
                'serve base.model there, or set engine.prompts = "ids"',
            )
        return
    if kind == "tgi":
        raise SettingsError("text-generation-inference takes no token ids", 'set engine.prompts = "text"')
    asked = {"model": base, "prompt": _READ, "content": _READ, "add_special_tokens": False, "add_special": False}
    answer = client.post(f"{client.root}/tokenize", asked)
    told = _in(answer.value, "tokens")
    if answer.status != 200 or not isinstance(told, list):
        log.info("the remote server does not tell how it reads text; whether it serves base.model is not known")
    elif told != ours:
        raise ModelError(
            f"The remote server at {client.place} reads text as other tokens than base.model",
            "serve the same model there that base.model names",
        )


def _in(value: object, *names: str) -> object:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _listed(models: list[Served]) -> str:
    names = [model.name for model in models if not is_name_of_version(model.name)] or [m.name for m in models]
    return ", ".join(map(_shown, names[:_MOST_SHOWN])) + (", ..." if len(names) > _MOST_SHOWN else "") or "none"


def _shown(name: str) -> str:
    return printable(name[:_LONGEST_NAME])
