"""`twin install-service`: what it writes, what it refuses, and that systemctl is called only when told to."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import platformdirs
import pytest

import twin.service_cli
import twin.service_unit
from twin.settings import Settings

Run = Callable[..., Any]
OTHER = next((user.pw_name for user in pwd.getpwall() if user.pw_uid not in (0, os.getuid())), None)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """A machine with systemd, whose units lie in tmp_path and whose systemctl only remembers what it was told."""
    heard: list[list[str]] = []
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("TWIN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setattr(twin.service_cli, "SYSTEM_UNITS", tmp_path / "system")
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(twin.service_cli, "_run", heard.append)
    return heard


def unit_file(name: str = "twin.service") -> Path:
    return platformdirs.user_config_path("systemd") / "user" / name


def test_a_unit_is_written_and_nothing_is_called(home: Settings, run_twin: Run, calls: list[list[str]]) -> None:
    ran = run_twin("install-service")
    assert (ran.code, calls) == (0, [])
    text = unit_file().read_text()
    assert f'Environment="TWIN_HOME={home.home}"' in text
    assert " -m twin up\n" in text
    assert "systemctl --user enable twin.service" in ran.out
    assert "loginctl enable-linger" in ran.out
    assert "no bot token" in ran.out
    assert (home.cache.is_dir(), stat.S_IMODE(home.cache.stat().st_mode)) == (True, 0o700)


def test_now_runs_what_is_otherwise_only_shown(home: Settings, run_twin: Run, calls: list[list[str]]) -> None:
    assert run_twin("install-service", "--now", "--verb", "serve").code == 0
    control = ["systemctl", "--user"]
    name = "twin-serve.service"
    assert calls == [[*control, "daemon-reload"], [*control, "enable", name], [*control, "restart", name]]


def test_a_dry_run_shows_the_unit_and_writes_nothing(home: Settings, run_twin: Run, calls: list[list[str]]) -> None:
    ran = run_twin("install-service", "--dry-run", "--verb", "worker", "--now")
    assert "ExecStart=" in ran.out
    assert (unit_file("twin-worker.service").exists(), home.cache.exists(), calls) == (False, False, [])


def test_what_was_installed_can_be_removed_with_its_links(
    home: Settings, run_twin: Run, calls: list[list[str]]
) -> None:
    run_twin("install-service")
    link = unit_file().parent / "default.target.wants" / "twin.service"
    link.parent.mkdir()
    link.symlink_to(unit_file())
    ran = run_twin("install-service", "--remove")
    assert (ran.code, calls) == (0, [])
    assert "systemctl --user stop twin.service" in ran.out
    assert not unit_file().exists()
    assert not link.is_symlink()
    assert home.home.is_dir()


def test_removing_now_stops_it_first(home: Settings, run_twin: Run, calls: list[list[str]]) -> None:
    run_twin("install-service")
    assert run_twin("install-service", "--remove", "--now").code == 0
    assert calls == [
        ["systemctl", "--user", "disable", "--now", "twin.service"],
        ["systemctl", "--user", "daemon-reload"],
    ]


def test_removing_what_is_not_there_is_said(home: Settings, run_twin: Run, calls: list[list[str]]) -> None:
    ran = run_twin("install-service", "--remove")
    assert (ran.code, calls) == (2, [])
    assert "There is no" in ran.err


def test_a_machine_without_systemd_gets_one_sentence(
    home: Settings, run_twin: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    ran = run_twin("install-service")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "has no systemd" in ran.err


def test_a_home_that_is_not_there_is_named_before_anything_is_written(
    run_twin: Run, calls: list[list[str]], tmp_path: Path
) -> None:
    ran = run_twin("install-service")
    assert ran.code == 2
    assert "twin init" in ran.err
    assert not (tmp_path / "config").exists()


def test_variables_that_a_unit_does_not_take_along_are_named_without_their_values(
    home: Settings, run_twin: Run, calls: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWIN_BOT_TOKEN", "123456789:" + "A" * 35)
    monkeypatch.setenv("TWIN_OWNER__ID", "1001")
    ran = run_twin("install-service")
    assert "TWIN_BOT_TOKEN, TWIN_OWNER__ID" in ran.out
    assert "AAAA" not in ran.out + unit_file().read_text()


def test_system_and_a_user_go_together(home: Settings, run_twin: Run, calls: list[list[str]]) -> None:
    assert run_twin("install-service", "--system").code == 2
    assert "go together" in run_twin("install-service", "--as", "somebody").err


def test_root_and_nobody_known_are_refused(home: Settings, run_twin: Run, calls: list[list[str]]) -> None:
    assert "needs no root" in run_twin("install-service", "--system", "--as", "root").err
    assert "no user" in run_twin("install-service", "--system", "--as", "no-such-user-here").err


@pytest.mark.skipif(OTHER is None, reason="this machine has one user alone")
def test_a_unit_of_the_system_names_its_user_and_refuses_the_home_of_another(
    home: Settings, run_twin: Run, calls: list[list[str]], tmp_path: Path
) -> None:
    shown = run_twin("install-service", "--system", "--as", OTHER, "--dry-run")
    assert f"User={OTHER}\n" in shown.out
    assert "WantedBy=multi-user.target" in shown.out
    ran = run_twin("install-service", "--system", "--as", OTHER)
    assert ran.code == 2
    assert "belongs to somebody else" in ran.err
    assert not (tmp_path / "system").exists()


@pytest.mark.skipif(OTHER is None, reason="this machine has one user alone")
def test_a_secret_that_root_keeps_goes_into_a_unit_of_the_system_and_no_other(
    home: Settings, run_twin: Run, calls: list[list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(twin.service_unit, "CREDENTIALS", tmp_path)
    (tmp_path / "twin.bot-token").touch()
    shown = run_twin("install-service", "--system", "--as", OTHER, "--dry-run").out
    assert [line for line in shown.splitlines() if line.startswith("LoadCredential")] == [
        f"LoadCredential=bot-token:{tmp_path}/twin.bot-token"
    ]
    assert "LoadCredential" not in run_twin("install-service", "--dry-run").out


@pytest.mark.skipif(OTHER is None or os.getuid() != 0, reason="only root can install it for somebody else")
def test_an_interpreter_that_the_user_cannot_use_is_refused(
    home: Settings, run_twin: Run, calls: list[list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert OTHER is not None
    os.chown(home.home, pwd.getpwnam(OTHER).pw_uid, -1)
    mine = tmp_path / "mine" / "python"
    mine.parent.mkdir(mode=0o700)
    mine.write_text("#!/bin/sh\nexit 0\n")
    mine.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(mine))
    ran = run_twin("install-service", "--system", "--as", OTHER)
    assert (ran.code, calls) == (2, [])
    assert "finds no twin" in ran.err


def test_an_installation_that_lies_in_a_checkout_alone_is_refused(
    home: Settings, run_twin: Run, calls: list[list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bare = tmp_path / "python"
    bare.write_text("#!/bin/sh\nexit 1\n")
    bare.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(bare))
    ran = run_twin("install-service")
    assert "finds no twin" in ran.err
    assert not unit_file().exists()
