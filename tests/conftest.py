"""What every test may ask for: a home of its own, its database, and the command line in this process.

Nothing here touches the network, a GPU or the real home folder.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from twin.cli import main
from twin.settings import Settings, load_settings
from twin.store import Store

# Before torch is imported: the suite's workers share the cores, and on models as tiny as these more threads only wait.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A loaded machine is no failure of a property.
hypothesis_settings.register_profile(
    "unhurried", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("unhurried")


@dataclass(frozen=True)
class Ran:
    """What a command line came to."""

    code: int
    out: str
    err: str


def is_running(pid: int) -> bool:
    """Whether a process runs: neither gone nor a zombie that nobody fetched yet."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees the settings or the data of whoever runs it."""
    for name in [name for name in os.environ if name.upper().startswith("TWIN_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.setenv("TWIN_HOME", str(tmp_path / "home"))


@pytest.fixture
def home(_no_settings_from_outside: None) -> Settings:
    """Settings of an empty home at `home.home`, which TWIN_HOME names."""
    settings = load_settings()
    settings.home.mkdir(mode=0o700)
    return settings


@pytest.fixture
def store(home: Settings) -> Iterator[Store]:
    """The database of `home`, open in the test's thread."""
    with Store.open(home.database) as opened:
        yield opened


@pytest.fixture
def run_twin(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Ran]]:
    """`run_twin("jobs", "--json")`: the command line in this process, through the same door as the shell."""
    root = logging.getLogger()
    handlers, level, umask = root.handlers[:], root.level, os.umask(0o077)
    os.umask(umask)

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Ran(int(ended.value.code or 0), printed.out, printed.err)

    yield run
    root.handlers[:] = handlers
    root.setLevel(level)
    os.umask(umask)


@pytest.fixture
def eventually() -> Callable[..., None]:
    """`eventually(condition)`: wait until it holds, generously; a loaded machine is no failure."""

    def wait(condition: Callable[[], object], seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it never came to that"
            time.sleep(0.02)

    return wait


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`tiny_base("gemma3")`: the folder of a tiny random-weight base model, made once a session."""
    made: dict[str, Path] = {}

    def get(family: str = "gemma3") -> Path:
        if family not in made:
            import torch

            from tests.tiny import make_base

            torch.cpu.get_capabilities = dict  # no bf16: the same numbers on every machine that runs the tests
            made[family] = make_base(tmp_path_factory.mktemp("bases") / family, family)
        return made[family]

    return get
