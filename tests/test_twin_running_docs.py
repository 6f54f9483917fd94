"""docs/running.md tells the truth: its commands, options, services, variables and folders are there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from twin.cli import VERBS
from twin.service_unit import DAEMONS, Unit
from twin.settings import Settings, known_keys, load_settings

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "running.md").read_text(encoding="utf-8")
LINES = [line.strip() for block in re.findall(r"```sh\n(.*?)```", TEXT, re.S) for line in block.splitlines()]
COMPOSE = (ROOT / "compose.yaml").read_text(encoding="utf-8")


def twin_commands() -> list[list[str]]:
    """Every command of twin's, on the host and in the container, from its verb on."""
    found = []
    for line in LINES:
        words = shlex.split(line)
        if words[:3] == ["docker", "compose", "run"]:
            service = next(n for n, word in enumerate(words) if word in ("twin", "serve") and n > 2)
            found.append(words[service + 1 :])
        elif words[0] == "twin":
            found.append(words[1:])
        elif "/opt/twin/bin/twin" in words:
            found.append(words[words.index("/opt/twin/bin/twin") + 1 :])
    return found


@pytest.mark.parametrize("words", twin_commands(), ids=" ".join)
def test_every_command_is_a_verb_with_options_that_it_has(words: list[str], run_twin: Callable[..., Any]) -> None:
    verb = next(word for word in words if not word.startswith("-"))
    assert verb in VERBS
    parts = [verb, "export"] if verb == "ingest" else [verb]
    ran = run_twin(*parts, "--help")
    assert ran.code == 0
    assert {word for word in words if word.startswith("--")} <= set(re.findall(r"--[\w-]+", ran.out))


def test_all_that_the_page_shows_was_looked_at() -> None:
    assert len(twin_commands()) >= 8


def test_services_and_profiles_of_compose_are_those_of_the_file() -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML comes with the ml extra")
    services = yaml.safe_load(COMPOSE)["services"]
    profiles = {profile for service in services.values() for profile in service["profiles"]}
    assert set(re.findall(r"--profile (?:\"\*\"|([\w-]+))", TEXT)) - {""} <= profiles
    assert {words[words.index("--rm") + 1] for words in map(shlex.split, LINES) if words[-1] == "--set-token"} <= {
        *services
    }


def test_variables_of_compose_are_told_where_the_page_says() -> None:
    used = set(re.findall(r"\$\{(\w+):-", COMPOSE))
    told = set(re.findall(r"^#   ([A-Z_]+) ", COMPOSE, re.M))
    assert used == told
    known = {"TWIN_HOME", "TWIN_CACHE", "HF_HOME", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"}
    known |= {f"TWIN_{key.upper().replace('.', '__')}" for key in known_keys()}
    assert set(re.findall(r"`([A-Z]+_[A-Z_]+)(?:=<address>)?`", TEXT)) - used <= known


def test_settings_that_the_page_shows_are_settings(tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", TEXT, re.S)
    assert blocks
    for block in blocks:
        (tmp_path / "twin.toml").write_text(block, encoding="utf-8")
        assert load_settings(tmp_path).telegram.webhook_url == "https://bot.example.org/hook"
    shown = dict(re.findall(r'`(webhook_host|webhook_url|bot_api_url|proxy) = "([^"]+)"`', TEXT))
    assert len(shown) == 4 and Settings(home=tmp_path, telegram=shown).telegram.proxy is not None  # type: ignore[arg-type]


def test_what_the_page_says_of_the_unit_stands_in_it() -> None:
    unit = Unit("up", Path("/opt/twin/bin/python"), Path("/var/lib/twin"), Path("/home/anna"), run_as="twin").text()
    for line in ("RestartSec=10", "StartLimitBurst=5", "StartLimitIntervalSec=600", "TimeoutStopSec=45"):
        assert f"\n{line}\n" in unit
    for name in re.findall(r"`(?:/etc/credstore/)?(twin\.[\w-]+)`", TEXT):
        assert name in ("twin.toml", "twin.service") or any(
            name[5:] in daemon.credentials for daemon in DAEMONS.values()
        )
    for verb in re.findall(r"`--verb (\w+)`, `(\w+)` or `(\w+)`", TEXT)[0]:
        assert verb in DAEMONS


def test_links_and_anchors_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", TEXT):
        assert (ROOT / "docs" / target).exists()
    assert "\n## Every verb\n" in (ROOT / "README.md").read_text()
