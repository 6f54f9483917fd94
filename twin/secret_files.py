"""Files that only their owner can read, written whole or not at all; secrets in the home are some of them.

Knows nothing of what a secret is for or of how it is asked for; `twin.settings.secret` reads the files.
"""

from __future__ import annotations

import os
from pathlib import Path


def write_private(file: Path, text: str) -> Path:
    """Write a file, all of it or nothing, readable by its owner alone whatever the umask is; returns it.

    Raises:
        OSError: it cannot be written.
    """
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft.unlink(missing_ok=True)
    try:
        draft.touch(mode=0o600, exist_ok=False)
        draft.write_text(text, encoding="utf-8")
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    return file


def keep_secret(home: Path, name: str, secret: str) -> Path:
    """Write a secret into the home, as `write_private` does; a line end follows it."""
    return write_private(home / name, f"{secret}\n")
