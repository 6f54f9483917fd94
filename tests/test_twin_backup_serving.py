"""A restored twin says what the saved one says: a real adapter, a real engine, the same words."""

from __future__ import annotations

import io
import json

from inference.local import LocalEngine
from tests.backups import NOW, PASSPHRASE, bring_back, easily, make
from tests.chats import fill
from tests.engines import FAMILY, publish
from twin.registry import Registry
from twin.settings import load_settings

QUESTION = json.dumps({"messages": [{"role": "user", "content": "are you coming tonight?"}]})


def test_a_restored_home_serves_the_same_adapter(home, store, tiny_base, run_twin, tmp_path, monkeypatch) -> None:
    for name, value in {
        "BASE__MODEL": str(tiny_base(FAMILY)),
        "ENGINE__KIND": "local",
        "REPLY__MAX_TOKENS": "16",
    }.items():
        monkeypatch.setenv(f"TWIN_{name}", value)
    easily(monkeypatch)
    fill(store)
    registry = Registry(home.adapters, store.db)
    engine = LocalEngine.open(load_settings())
    version = publish(registry, engine.identity, tiny_base(FAMILY), 1)
    engine.close()
    registry.promote(version, "test", NOW.timestamp())

    def said(*how):
        monkeypatch.setattr("sys.stdin", io.StringIO(QUESTION + "\n"))
        ran = run_twin("reply", "--seed", "1", *how)
        assert ran.code == 0, ran.err
        return json.loads(ran.out)

    before = said()
    assert before["adapter"] == version and before["bubbles"] != said("--base")["bubbles"]
    make(home, tmp_path / "b", passphrase=PASSPHRASE)
    monkeypatch.setenv("TWIN_HOME", str(bring_back(tmp_path / "b", tmp_path / "new").home))
    assert said() == before
