"""Settings: one file, overridden by variables, and clear words for what is wrong."""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from twin.errors import SettingsError
from twin.settings import (
    Settings,
    bot_token,
    default_home,
    default_toml,
    known_keys,
    load_settings,
    settings_file,
)

SETTING = re.compile(r"^# (?=\w+ = [^ ])", re.MULTILINE)
LINES = [line for line in default_toml().splitlines() if SETTING.match(line)]


def write(home: Settings, text: str) -> None:
    settings_file(home.home).write_text(text)


def test_without_a_file_everything_is_at_its_default(home: Settings) -> None:
    assert home.reply.temperature == 1.0
    assert home.telegram.allowed_ids == frozenset()
    assert home.home == default_home()
    assert home.database == home.home / "twin.db"


def test_the_default_file_loads_to_the_defaults_as_it_is_and_with_every_line_switched_on(home: Settings) -> None:
    write(home, default_toml())
    assert load_settings() == home
    write(home, SETTING.sub("", default_toml()))
    assert load_settings() == home
    assert len(LINES) > 20


@pytest.mark.parametrize("line", LINES)
def test_each_line_of_the_default_file_can_be_switched_on_alone(home: Settings, line: str) -> None:
    write(home, default_toml().replace(line, SETTING.sub("", line)))
    assert load_settings() == home


def test_the_default_file_shows_every_setting_once(home: Settings) -> None:
    section = ""
    shown = []
    for line in default_toml().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif found := re.match(r"# (\w+) =", line):
            shown.append(f"{section}.{found[1]}")
    assert shown == known_keys()
    assert tomllib.loads(default_toml()).keys() == {key.split(".")[0] for key in shown}


def test_the_file_wins_over_defaults_and_variables_win_over_the_file(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home, "[reply]\ntemperature = 0.1\ntop_p = 0.5\n")
    assert (load_settings().reply.temperature, load_settings().reply.top_p) == (0.1, 0.5)
    monkeypatch.setenv("TWIN_REPLY__TEMPERATURE", "0.2")
    assert (load_settings().reply.temperature, load_settings().reply.top_p) == (0.2, 0.5)


def test_a_list_in_a_variable_is_json(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWIN_TELEGRAM__ALLOWED_IDS", "[1,2]")
    assert load_settings().telegram.allowed_ids == frozenset({1, 2})
    monkeypatch.setenv("TWIN_TELEGRAM__ALLOWED_IDS", "1,2")
    with pytest.raises(SettingsError, match=r"TWIN_TELEGRAM__ALLOWED_IDS|telegram"):
        load_settings()


@pytest.mark.parametrize(
    ("text", "problem", "remedy"),
    [
        ("[reply]\ntemprature = 1\n", "unknown key 'reply.temprature'", "did you mean reply.temperature"),
        ("[replies]\ntop_p = 1\n", "unknown key 'replies'", "did you mean reply"),
        ("[reply]\ntemperature = 'hot'\n", "setting reply.temperature is wrong", "correct it in .*twin.toml"),
        ("[reply]\ntop_p = 2\n", "setting reply.top_p is wrong", "correct it"),
        ("[reply\n", "is not valid TOML", "correct that line"),
        ("home = '/elsewhere'\n", "cannot say where its own home is", "TWIN_HOME"),
        ("zzzz = 1\n", "unknown key 'zzzz'", "remove it"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_remedy(home: Settings, text: str, problem: str, remedy: str) -> None:
    write(home, text)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert re.search(problem, str(caught.value))
    assert re.search(remedy, caught.value.remedy)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_text_is_one_sentence(home: Settings) -> None:
    settings_file(home.home).write_bytes(b"\xff\xfe[\x00")
    with pytest.raises(SettingsError, match="is not UTF-8 text: save it as UTF-8"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("TWIN_REPLY__TEMPRATURE", "did you mean TWIN_REPLY__TEMPERATURE"),
        ("TWIN_REPLY_TEMPERATURE", "did you mean TWIN_REPLY__TEMPERATURE"),
        ("TWIN_TOKEN", "did you mean TWIN_BOT_TOKEN"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_one(
    home: Settings, monkeypatch: pytest.MonkeyPatch, name: str, near: str
) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(SettingsError, match=f"no setting behind the variable {name}: {near}"):
        load_settings()


def test_a_wrong_value_in_a_variable_is_named(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWIN_TRAIN__RANK", "many")
    with pytest.raises(SettingsError, match=r"The setting train.rank is wrong"):
        load_settings()


@pytest.mark.parametrize("raw", ["relative/home", "~/twin-home", ""])
def test_the_home_means_the_same_to_every_reader(monkeypatch: pytest.MonkeyPatch, raw: str) -> None:
    monkeypatch.setenv("TWIN_HOME", raw)
    settings = load_settings()
    assert settings.home == Settings().home == default_home()
    assert settings.home.is_absolute()
    assert "~" not in str(settings.home)


def test_settings_made_for_a_home_read_that_homes_file(home: Settings, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "twin.toml").write_text("[train]\nrank = 4\n")
    write(home, "[train]\nrank = 8\n")
    assert Settings(home=elsewhere).train.rank == 4
    assert load_settings().train.rank == 8


def test_settings_are_frozen(home: Settings) -> None:
    with pytest.raises(ValidationError):
        home.reply.temperature = 2.0  # type: ignore[misc]
    with pytest.raises(ValidationError):
        home.home = Path("/")  # type: ignore[misc]


def test_a_time_without_a_zone_is_utc(home: Settings) -> None:
    write(home, "[dataset]\nval_from = 2026-01-01T00:00:00\ntest_from = 2026-02-01T01:00:00+01:00\n")
    dataset = load_settings().dataset
    assert dataset.val_from == datetime(2026, 1, 1, tzinfo=UTC)
    assert dataset.test_from == datetime(2026, 2, 1, tzinfo=UTC)


def test_the_owner_commands_the_bot_unless_another_is_named(home: Settings) -> None:
    write(home, "[owner]\nid = 7\n")
    assert load_settings().bot_owner == 7
    write(home, "[owner]\nid = 7\n[telegram]\nowner_id = 8\n")
    assert load_settings().bot_owner == 8


def test_the_token_comes_from_the_variable_then_the_credential_then_the_file(
    home: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert bot_token(home) is None
    file = home.home / "bot-token"
    file.write_text("from-file\n")
    file.chmod(0o600)
    assert bot_token(home) == "from-file"
    (tmp_path / "bot-token").write_text("from-credential\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert bot_token(home) == "from-credential"
    monkeypatch.setenv("TWIN_BOT_TOKEN", " from-variable ")
    assert bot_token(home) == "from-variable"
    assert load_settings() == home  # a secret is no setting


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_token_that_others_can_read_is_refused(home: Settings, mode: int) -> None:
    file = home.home / "bot-token"
    file.write_text("123456:secret")
    file.chmod(mode)
    with pytest.raises(SettingsError, match=r"Others can read .*bot-token: run `chmod 600 .*bot-token`") as caught:
        bot_token(home)
    assert "secret" not in str(caught.value)


def test_an_empty_token_file_is_no_token(home: Settings) -> None:
    file = home.home / "bot-token"
    file.touch(mode=0o600)
    assert bot_token(home) is None


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="no file here that even root cannot read")
def test_a_credential_that_cannot_be_read_is_one_sentence(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bot-token").symlink_to("/proc/self/mem")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(SettingsError, match="bot-token cannot be read"):
        bot_token(home)
