"""A backup that kills itself with SIGKILL in the middle: `python -m tests.killed_backup FILE STAGE [PASSPHRASE]`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from tests.backups import EASY, make
from twin import backup_age
from twin.settings import load_settings


def main() -> None:
    backup_age.WORK = EASY
    file, stage, *passphrase = sys.argv[1:]

    def told(what: str, done: int, total: int) -> None:
        if what == stage and (what != "Packing" or done > total // 2):
            os.kill(os.getpid(), signal.SIGKILL)

    make(load_settings(), Path(file), passphrase=(passphrase or [None])[0], told=told)


if __name__ == "__main__":
    main()
