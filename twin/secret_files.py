"""Secrets kept in the home: a file each, which only its owner can read.

Knows nothing of what a secret is for or of how it is asked for; `twin.settings.secret` reads the files.
"""

from __future__ import annotations

import os
from pathlib import Path


def keep_secret(home: Path, name: str, secret: str) -> Path:
    """Write a secret into the home, all of it or nothing, readable by its owner alone.

    Returns:
        the file.

    Raises:
        OSError: it cannot be written.
    """
    file = home / name
    draft = home / f".{name}.{os.getpid()}"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft.unlink(missing_ok=True)
    try:
        draft.touch(mode=0o600, exist_ok=False)
        draft.write_text(f"{secret}\n", encoding="ascii")
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    return file
