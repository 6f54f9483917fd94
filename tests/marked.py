"""Texts in which «guillemets» stand around what is secret, for tests that read as tables; and the sheets of such lines.

Knows nothing of the detectors.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SHEETS = tuple("abcdef")


def unmark(marked: str) -> tuple[str, list[str]]:
    """A text without its marks, and what stood between them."""
    pieces = marked.replace("»", "«").split("«")
    return "".join(pieces), pieces[1::2]


def sheet(name: str) -> list[dict[str, Any]]:
    """The lines of tests/privacy_sheet_NAME.jsonl: {"text", "spans": [{"start", "end", "label"}], "lang"}."""
    file = Path(__file__).with_name(f"privacy_sheet_{name}.jsonl")
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
