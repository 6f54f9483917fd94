"""The manifest of an adapter, `twin.json`: what it is, what it was made from, and what its files must be.

Knows nothing of where adapters lie or which one serves.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from twin.errors import AdapterError
from twin.prompt import PromptSpec

MANIFEST = "twin.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class BaseIdentity:
    """Which frozen weights an adapter belongs to.

    Attributes:
        model: the setting that named it.
        fingerprint: of its weights' headers and its configuration.
        quantization: "nf4", "int8" or "none".
    """

    model: str
    fingerprint: str
    quantization: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `twin.json` says of an adapter.

    Attributes:
        version: the folder's name; unique for ever, so that no engine can confuse two adapters.
        created_at: ISO 8601, UTC.
        base: what it was trained on and must be served on.
        prompt: how its conversations are rendered.
        dataset: fingerprint of the snapshot it learned from.
        owner_turns: how many turns of the owner were stored then.
        lora: rank, alpha and dropout.
        metrics: measured numbers; held-out ones are named `val_*`.
        versions: of the libraries that made it.
        files: name to {"bytes", "sha256"}.
    """

    version: str
    created_at: str
    base: BaseIdentity
    prompt: PromptSpec
    dataset: str
    owner_turns: int
    lora: dict[str, Any]
    metrics: dict[str, Any]
    versions: dict[str, str]
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    format: int = FORMAT

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as they stand in the file."""
        return asdict(self)

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read a folder's manifest.

        Raises:
            AdapterError: it is missing, damaged or of a newer format.
        """
        try:
            values = json.loads((folder / MANIFEST).read_text())
            if values.get("format", 0) > FORMAT:
                raise AdapterError(f"The adapter {folder.name} was made by a newer version of twin", "upgrade twin")
            _check_types(values)
            values["base"] = BaseIdentity(**values["base"])
            values["prompt"] = PromptSpec.from_dict(values["prompt"])
            known = {part.name for part in fields(cls)}
            return cls(**{name: value for name, value in values.items() if name in known})
        except FileNotFoundError as error:
            raise AdapterError(
                f"The adapter {folder.name} has no {MANIFEST}",
                "choose another version from `twin adapters list`",
            ) from error
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise AdapterError(
                f"The {MANIFEST} of the adapter {folder.name} is damaged",
                "retrain, or promote another version",
            ) from error


def _check_types(values: dict[str, Any]) -> None:
    """Refuse (ValueError) a manifest whose numbers or file list would make trouble later."""
    for name, entry in values["files"].items():
        if Path(name).name != name or not isinstance(entry["bytes"], int) or not isinstance(entry["sha256"], str):
            raise ValueError(f"not a file of an adapter: {name!r}")
    if datetime.fromisoformat(values["created_at"]).tzinfo is None:
        raise ValueError("a time without a zone")
    texts = (values["version"], values["dataset"])
    tables = (values["metrics"], values["lora"], values["versions"])
    if not (
        isinstance(values["owner_turns"], int)
        and all(isinstance(text, str) for text in texts)
        and all(isinstance(table, dict) for table in tables)
    ):
        raise ValueError("a value of the wrong type")
