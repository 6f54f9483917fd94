"""A home with a past for tests of backups: messages, an adapter of random bytes that serves, a vault, secrets."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from tests.chats import fill
from twin import backup_age
from twin.backup import BackedUp, back_up
from twin.backup_collect import Wanted
from twin.backup_restore import Restored, restore
from twin.manifest import BaseIdentity, Manifest
from twin.overhearing import overhear
from twin.prompt import PromptSpec
from twin.registry import Registry
from twin.settings import Settings
from twin.store import Store

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
PASSPHRASE = "four words from nowhere"
EASY = 4
"""log2 of scrypt's cost in tests: nobody guesses there."""


def publish(settings: Settings, store: Store, version: str, *, promoted: bool = False, size: int = 5_000) -> None:
    """An adapter that verifies, of random bytes."""
    registry = Registry(settings.adapters, store.db)
    manifest = Manifest(
        version=version,
        created_at="2026-04-01T00:00:00+00:00",
        base=BaseIdentity("tiny", "0" * 64, "none"),
        prompt=PromptSpec(context_tokens=256),
        dataset="none",
        owner_turns=100,
        lora={"rank": 4, "alpha": 8, "dropout": 0.0},
        metrics={},
        versions={},
    )
    with registry.incoming() as folder:
        (folder / "adapter_config.json").write_text("{}")
        (folder / "adapter_model.safetensors").write_bytes(secrets.token_bytes(size))
        registry.publish(folder, manifest)
    if promoted:
        registry.promote(version, "test", NOW.timestamp())


def live_in(settings: Settings, store: Store) -> None:
    """Fill a home with some of everything."""
    fill(store)
    publish(settings, store, "v001")
    publish(settings, store, "v002", promoted=True)
    (settings.home / "twin.toml").write_text("[reply]\ntemperature = 0.5\n")
    for name in ("vault.json", "bot-token", "telegram.session"):
        (settings.home / name).write_text(f"what {name} holds")
        (settings.home / name).chmod(0o600)
    overhear(store.db, settings.home)
    snapshot = settings.datasets / "abc123"
    snapshot.mkdir(parents=True)
    for part in ("train.jsonl", "manifest.json"):
        (snapshot / part).write_text("{}\n")


def make(settings, file, *, passphrase=None, overwrite=False, told=lambda *_: None, **wanted) -> BackedUp:
    """`twin backup` without a terminal."""
    wanted = Wanted(**wanted)
    return back_up(settings, file, wanted, passphrase=passphrase, may_replace=overwrite, now=NOW, told=told)


def bring_back(file, target, *, passphrase=PASSPHRASE, replace=False, told=lambda *_: None) -> Restored:
    """`twin restore` without a terminal."""
    return restore(file, target, ask=lambda: passphrase, replace=replace, now=NOW, told=told)


def easily(monkeypatch) -> None:
    """Passphrases cost nothing for the rest of a test."""
    monkeypatch.setattr(backup_age, "WORK", EASY)
