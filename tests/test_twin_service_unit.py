"""What a unit says: what systemd itself thinks of it, and that it fits what the verbs do."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.worker import GRACE_SECONDS as WORKER_GRACE
from twin.cli import VERBS
from twin.errors import ServiceError
from twin.service_unit import DAEMONS, Unit
from twin.supervisor import GRACE_SECONDS as SUPERVISOR_GRACE

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
BOUNDS = {"system": 1.8, "user": 5.8}  # of systemd-analyze's exposure, 10 at worst; 252 says 1.5 and 5.3


def unit(verb: str = "up", *, run_as: str | None = None, home: Path = Path("/var/lib/twin")) -> Unit:
    return Unit(
        verb=verb,
        interpreter=Path(sys.executable),
        home=home,
        user_home=Path("/home/anna"),
        writable=[Path("/var/cache/twin")],
        environment={"TWIN_HOME": str(home)},
        run_as=run_as,
    )


def words_of(text: str, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", text, re.M)


def analyze(tmp_path: Path, made: Unit, *arguments: str) -> subprocess.CompletedProcess[str]:
    file = tmp_path / made.name
    file.write_text(made.text())
    scope = "--system" if made.run_as else "--user"
    return subprocess.run(
        ["systemd-analyze", scope, *arguments, str(file)],
        env={"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
        capture_output=True,
        text=True,
        check=False,
    )


@needs_systemd
@pytest.mark.parametrize("run_as", [None, "daemon"])
@pytest.mark.parametrize("verb", DAEMONS)
def test_systemd_finds_nothing_wrong_with_any_unit(tmp_path: Path, verb: str, run_as: str | None) -> None:
    ran = analyze(tmp_path, unit(verb, run_as=run_as), "verify", "--man=no")
    ours = [line for line in ran.stderr.splitlines() if "twin" in line]
    assert (ran.returncode, ours) == (0, [])


@needs_systemd
def test_systemd_would_find_a_misspelt_line(tmp_path: Path) -> None:
    (tmp_path / "spelt.service").write_text(unit().text().replace("KillMode", "KilMode"))
    ran = subprocess.run(
        ["systemd-analyze", "--user", "verify", "--man=no", str(tmp_path / "spelt.service")],
        env={"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "KilMode" in ran.stderr


@needs_systemd
@pytest.mark.parametrize("run_as", [None, "daemon"])
def test_the_exposure_that_systemd_reckons_stays_low(tmp_path: Path, run_as: str | None) -> None:
    ran = analyze(tmp_path, unit(run_as=run_as), "security", "--offline=true", "--no-pager")
    level = re.search(r"exposure level for twin\.service: ([\d.]+)", ran.stdout)
    assert level is not None, ran.stderr
    assert float(level.group(1)) <= BOUNDS["system" if run_as else "user"]


def test_only_folders_that_are_its_own_can_be_written_to() -> None:
    text = unit().text()
    assert words_of(text, "ReadWritePaths") == ['"/var/lib/twin"', '-"/var/cache/twin"']
    assert words_of(text, "ProtectSystem") == ["strict"]
    assert words_of(text, "UMask") == ["0077"]


def test_home_folders_are_out_of_sight_where_nothing_needed_lies_in_them() -> None:
    apart = Unit("up", Path("/opt/twin/bin/python"), Path("/var/lib/twin"), Path("/home/anna"), run_as="twin")
    assert words_of(apart.text(), "ProtectHome") == ["yes"]
    within = unit(home=Path("/home/anna/.local/share/twin")).text()
    assert words_of(within, "ProtectHome") == ["read-only"]
    assert '-"/home/anna/.ssh"' in words_of(within, "InaccessiblePaths")


def test_a_home_among_temporary_files_is_not_hidden_from_its_service() -> None:
    assert words_of(unit(home=Path("/tmp/twin")).text(), "PrivateTmp") == ["no"]


def test_a_training_gets_the_time_to_go_back_into_the_queue() -> None:
    assert DAEMONS["up"].stop_seconds > SUPERVISOR_GRACE > WORKER_GRACE
    assert DAEMONS["worker"].stop_seconds > WORKER_GRACE


def test_what_needs_a_person_is_not_started_again() -> None:
    assert {*DAEMONS} <= {*VERBS}
    for verb in DAEMONS:
        text = unit(verb).text()
        assert words_of(text, "Restart") == ["on-failure"]
        assert words_of(text, "RestartPreventExitStatus") == ["2"]


def test_secrets_that_root_keeps_come_as_credentials() -> None:
    kept = Unit("up", Path("/p"), Path("/h"), Path("/u"), run_as="twin", credentials=["bot-token"])
    assert words_of(kept.text(), "LoadCredential") == ["bot-token:/etc/credstore/twin.bot-token"]
    assert words_of(unit(run_as="twin").text(), "LoadCredential") == []


def test_what_a_unit_of_the_users_own_cannot_always_do_is_left_out() -> None:
    assert "CapabilityBoundingSet" not in unit().text()
    assert words_of(unit(run_as="twin").text(), "CapabilityBoundingSet") == [""]


@pytest.mark.parametrize("odd", ["/srv/a\nExecStart=/bin/sh", "/srv/$HOME", "/srv/\x1b[31m"])
def test_a_path_that_systemd_would_read_otherwise_is_refused(odd: str) -> None:
    with pytest.raises(ServiceError, match="plain characters"):
        unit(home=Path(odd)).text()


@given(st.text(alphabet=st.sampled_from("ab \"'%\\;#=ж"), min_size=1, max_size=8))
def test_a_quoted_path_reads_back_as_itself(name: str) -> None:
    """By the rules of systemd.syntax(7) for C-like escapes, and systemd.unit(5) for specifiers."""
    home = Path("/srv") / ("x" + name + "x")
    (quoted,) = [word for word in words_of(unit(home=home).text(), "ReadWritePaths") if not word.startswith("-")]
    assert json.loads(quoted.replace("%%", "%")) == str(home)
    assert (quoted.count("%") - 2 * quoted.count("%%")) == 0
