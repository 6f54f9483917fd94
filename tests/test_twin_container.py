"""Dockerfile, .dockerignore and compose.yaml: what they name is there, and each service holds what they promise.

No docker engine is needed: the files are read as docker reads them, the parts of the shell are run.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from twin.cli import VERBS
from twin.settings import Settings, bot_token, load_settings
from twin.supervisor import GRACE_SECONDS

yaml = pytest.importorskip("yaml", reason="PyYAML comes with the ml extra")
ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
INSTRUCTIONS = [
    line.split(maxsplit=1)
    for line in (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    if line.strip() and not line.startswith("#")
]


def told(instruction: str) -> list[str]:
    return [rest for name, rest in INSTRUCTIONS if name == instruction]


def variables() -> dict[str, str]:
    return dict(word.split("=", 1) for rest in told("ENV") for word in shlex.split(rest))


def copied() -> list[str]:
    """What COPY takes from the checkout."""
    return [source for rest in told("COPY") if "--from" not in rest for source in shlex.split(rest)[:-1]]


def test_every_file_that_is_copied_is_there_and_not_kept_back() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert all((ROOT / source).exists() for source in copied())
    assert {*copied()} == let_in


def test_everything_that_the_package_is_built_from_is_copied() -> None:
    build = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {*build, PROJECT["project"]["readme"], "LICENSE", "pyproject.toml", "constraints.txt"} <= {*copied()}


def test_nothing_but_what_is_named_can_come_into_the_image() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "*"
    assert not {"tests", "docs", ".git", ".venv", ".env", "bot-token"} & {line[1:] for line in lines if line[0] == "!"}


def test_extras_that_are_installed_exist_and_versions_are_held_to_the_constraints() -> None:
    installs = [rest for rest in told("RUN") if "pip install" in rest]
    assert all("-c constraints.txt" in rest for rest in installs)
    (extras,) = re.findall(r"'\.\[([\w,]+)\]'", " ".join(installs))
    assert {*extras.split(",")} <= {*PROJECT["project"]["optional-dependencies"]}


@pytest.mark.parametrize(
    ("index", "options"),
    [("", []), ("https://torch.example/cpu", ["--index-url", "https://torch.example/cpu", "--no-deps"])],
)
def test_one_argument_chooses_the_build_of_torch(tmp_path: Path, index: str, options: list[str]) -> None:
    """The line is run by a shell, with a pip that only tells what it was asked."""
    (line,) = [rest for rest in told("RUN") if "TORCH_INDEX" in rest]
    (tmp_path / "python").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "python").chmod(0o755)
    line = line.replace("/opt/twin/bin/python", str(tmp_path / "python"))
    ran = subprocess.run(["sh", "-euc", line], env={"TORCH_INDEX": index}, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["-m", "pip", "install", "-c", "constraints.txt", *options, "torch"]


def test_the_image_runs_twin_up_and_not_as_root() -> None:
    assert told("ENTRYPOINT") == ['["twin"]']
    assert told("CMD") == ['["up"]']
    assert told("USER") == ["twin"]
    assert "twin" in PROJECT["project"]["scripts"]


def test_all_that_is_written_lies_in_the_volumes() -> None:
    volumes = yaml.safe_load(told("VOLUME")[0])
    places = [value for name, value in variables().items() if value.startswith("/var")]
    assert {variables()["TWIN_HOME"], variables()["TWIN_CACHE"]} == {*volumes}
    assert all(any(Path(place).is_relative_to(volume) for volume in volumes) for place in places)
    for service in SERVICES.values():
        assert {volume.rpartition(":")[2] for volume in service["volumes"]} == {*volumes}


def test_variables_of_the_image_are_ones_that_twin_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables().items():
        if name.startswith("TWIN_"):
            monkeypatch.setenv(name, value)
    settings = load_settings()
    assert (str(settings.home), str(settings.cache)) == ("/var/lib/twin", "/var/cache/twin")


def test_no_secret_can_be_given_at_build_time() -> None:
    names = {rest.split("=")[0] for rest in told("ARG")}
    assert names == {"TORCH_INDEX", "USER_ID"}
    assert {*SERVICES["twin"]["build"]["args"]} == names


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_shut_in(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert all(mount.startswith("/tmp") for mount in service["tmpfs"])
    assert int(service["stop_grace_period"].removesuffix("s")) > GRACE_SECONDS
    assert service["command"][0] in VERBS
    assert service["logging"]["options"]["max-size"]


def test_a_profile_starts_the_twin_with_or_without_a_gpu() -> None:
    by_profile = {profile: name for name, service in SERVICES.items() for profile in service["profiles"]}
    assert by_profile == {"cpu": "twin", "gpu": "twin-gpu", "serve": "serve", "serve-gpu": "serve-gpu"}
    for name, service in SERVICES.items():
        devices = service.get("deploy", {}).get("resources", {}).get("reservations", {}).get("devices", [])
        assert [device["driver"] for device in devices] == ["nvidia"] * name.endswith("-gpu")
        assert all(device["capabilities"] == ["gpu"] for device in devices)


def test_the_server_is_published_on_loopback_alone() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_a_server_in_a_container_accepts_its_command_and_wants_a_key(
    home: Settings, run_twin: Callable[..., Any]
) -> None:
    pytest.importorskip("fastapi")
    ran = run_twin(*SERVICES["serve"]["command"])
    assert ran.code == 2
    assert "key" in ran.err


def test_a_token_file_mounted_as_a_secret_is_read_and_an_empty_device_is_passed_over(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (secret,) = SERVICES["twin"]["secrets"]
    assert COMPOSE["secrets"][secret]["file"] == "${BOT_TOKEN_FILE:-/dev/null}"
    assert SERVICES["twin"]["environment"]["CREDENTIALS_DIRECTORY"] == "/run/secrets"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (home.home / "bot-token").write_text("from the home")
    (home.home / "bot-token").chmod(0o600)
    (tmp_path / secret).symlink_to("/dev/null")
    assert bot_token(home) == "from the home"
    (tmp_path / secret).unlink()
    (tmp_path / secret).write_text("from the secret\n")
    assert bot_token(home) == "from the secret"


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Processes with the arguments of verbs, as a folder such as /proc with those alone."""
    started = []

    def start(*verbs: str) -> Path:
        folder = tmp_path / "proc"
        for verb in verbs:
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "-m", "twin", verb])
            started.append(child)
            (folder / str(child.pid)).mkdir(parents=True)
            _as_executed(child.pid, verb)
            (folder / str(child.pid) / "cmdline").write_bytes(Path(f"/proc/{child.pid}/cmdline").read_bytes())
        return folder

    yield start
    for child in started:
        child.kill()
        child.wait()


def _as_executed(pid: int, verb: str) -> None:
    """Wait until the process is what was asked for, and no longer the copy of its parent."""
    deadline = time.monotonic() + 60
    while not Path(f"/proc/{pid}/cmdline").read_bytes().endswith(verb.encode() + b"\0"):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="no /proc on this machine")
@pytest.mark.skipif(shutil.which("grep") is None, reason="no grep on this machine")
@pytest.mark.parametrize(
    ("verbs", "is_healthy"),
    [(["up", "bot", "worker"], True), (["up", "worker"], False), (["up", "bot"], False), (["serve"], True)],
)
def test_a_container_is_healthy_while_what_it_shall_run_is_there(
    processes: Callable[..., Path], verbs: list[str], is_healthy: bool
) -> None:
    command = yaml.safe_load(told("HEALTHCHECK")[0].partition("CMD ")[2])
    command[-1] = command[-1].replace("/proc", str(processes(*verbs)))
    ran = subprocess.run(command, env=dict(os.environ), capture_output=True, check=False)
    assert (ran.returncode == 0) is is_healthy
