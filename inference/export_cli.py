"""`twin adapters merge` and `twin adapters gguf`: an adapter for other programs.

Knows nothing of file formats; torch is imported when a command needs it.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from twin.console import echo_json
from twin.errors import AdapterError
from twin.registry import Registry
from twin.settings import Settings, load_settings
from twin.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

_VERSION = click.option("--version", "version", help="Which one; by default the one that serves.")
_OUT = click.argument("out", type=click.Path(path_type=Path))
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A verified adapter and the base model it was trained on; `corrects` as in `inference.merge`."""

    version: str
    folder: Path
    base: Path
    corrects: bool


@click.command("merge")
@_OUT
@_VERSION
@_JSON
def merge_command(out: Path, version: str | None, as_json: bool) -> None:
    """Write base model and adapter as one normal model folder, unquantized."""
    with _chosen(version, out) as chosen, Console(stderr=True).status("Merging"):
        from inference.merge import merge
        from inference.vocabulary import rows_in

        merge(chosen.folder, chosen.base, out, corrects=chosen.corrects)
        rows = rows_in(chosen.folder)
    if as_json:
        echo_json({"version": chosen.version, "path": str(out)})
    else:
        click.echo(
            f"{out} holds the base model with {chosen.version} in it, as any program loads that reads such folders."
        )
        if rows:
            click.echo(
                "It is the only form that vLLM and llama.cpp can load: neither takes an adapter with trained rows of"
                " the vocabulary."
            )


@click.command("gguf")
@_OUT
@_VERSION
@_JSON
def gguf_command(out: Path, version: str | None, as_json: bool) -> None:
    """Write an adapter as GGUF, for llama.cpp on a GGUF of the same base model."""
    with _chosen(version, out) as chosen:
        from inference.gguf_adapter import write_gguf

        if chosen.corrects:
            raise AdapterError(
                f"The adapter {chosen.version} corrects what NF4 lost of the base model; a GGUF lost something else",
                'train one with train.init = "default" for llama.cpp, or write a model with `twin adapters merge`',
            )
        draft = out.with_name(f".{out.name}.draft")
        try:
            count = write_gguf(chosen.folder, chosen.base, draft)
            draft.replace(out)
        except OSError as error:
            raise AdapterError(
                f"{out} cannot be written ({error.strerror})", "check the folder and free disk space"
            ) from error
        finally:
            draft.unlink(missing_ok=True)
    if as_json:
        echo_json({"version": chosen.version, "path": str(out), "weights": count})
    else:
        click.echo(
            f"{out} holds {chosen.version} ({count} weights): `--lora {out}` in llama.cpp, on the base model's GGUF."
        )


@contextmanager
def _chosen(version: str | None, out: Path) -> Iterator[_Chosen]:
    settings = load_settings()
    if out.exists():
        raise AdapterError(f"{out} exists already", "choose another name")
    with Store.of(settings) as store:
        registry = Registry(settings.adapters, store.db)
        chosen = version or registry.current()
        if chosen is None:
            raise AdapterError("No adapter serves yet", "train one with `twin train`, or give --version")
        manifest = registry.verify(chosen)
        base = _base(settings, manifest.base.model, manifest.base.fingerprint)
        yield _Chosen(chosen, registry.path(chosen), base, manifest.lora.get("init") == "loftq")


def _base(settings: Settings, model: str, expected: str) -> Path:
    """The base model's folder, the same weights that the adapter was trained on."""
    from inference.model_folder import fingerprint, locate

    folder = locate(
        settings.model_copy(update={"base": settings.base.model_copy(update={"model": model})}), offline=True
    )
    if fingerprint(folder) != expected:
        raise AdapterError(
            f"The base model {model!r} is not the one this adapter was trained on", "bring that one back"
        )
    return folder
