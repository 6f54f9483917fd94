"""Opening the database leaves other connections what they have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twin.store import Store

WRITER = """
import sys
from pathlib import Path
from twin.store import Store
with Store.open(Path(sys.argv[1])) as store:
    store.add_dialog(2, None)
"""


def test_a_second_connection_of_a_process_takes_no_lock_away_from_the_first(tmp_path: Path) -> None:
    """Else another process that closes the file believes to be the last, and removes what the first reads from."""
    path = tmp_path / "twin.db"
    with Store.open(path) as first, Store.open(path) as second:
        first.add_dialog(1, None)
        subprocess.run([sys.executable, "-c", WRITER, str(path)], check=True, timeout=300)
        assert path.with_name("twin.db-wal").exists()
        first.add_dialog(3, None)
        second.add_dialog(4, None)
        with Store.open(path) as third:
            for store in (first, second, third):
                assert sorted(dialog.chat_id for dialog in store.dialogs()) == [1, 2, 3, 4]
