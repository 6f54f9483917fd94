"""Every setting, frozen, with its default: one `twin.toml`, overridden by TWIN_* variables.

The only reader of the environment. Secrets are not settings: see `bot_token`.
"""

from __future__ import annotations

import difflib
import json
import os
import stat
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings.exceptions import SettingsError as UnreadableVariable

from twin.errors import SettingsError

EMBEDDED_MODEL = "gemma3-270m"
HOME_VARIABLE = "TWIN_HOME"
CACHE_VARIABLE = "TWIN_CACHE"
TOKEN_VARIABLE = "TWIN_BOT_TOKEN"
_NOT_SETTINGS = {HOME_VARIABLE, CACHE_VARIABLE, TOKEN_VARIABLE}
_PREFIX = "TWIN_"
_NESTING = "__"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Owner(_Section):
    """Whose twin this is."""

    id: int | None = Field(None, description="your Telegram user id; exports that tell it need no setting")
    name: str = Field("the owner", description="how the bot speaks of you")


class Base(_Section):
    """The model that is fine-tuned."""

    model: str = Field(EMBEDDED_MODEL, description="the embedded model, a folder, or a Hugging Face id")
    quantization: Literal["nf4", "none"] = Field("nf4", description="how the frozen weights are held")
    template: Literal["plain", "chatml"] = Field("plain", description="how turns are written for the model")
    system: str = Field("", description="text before every conversation")


class DatasetSettings(_Section):
    """How messages become a training set."""

    session_gap_minutes: float = Field(60, gt=0, description="a longer silence starts a new conversation")
    context_tokens: int = Field(1024, ge=128, description="budget of a conversation window, reply included")
    val_share: float = Field(0.08, gt=0, lt=0.5, description="latest share held out to choose a checkpoint")
    test_share: float = Field(0.10, gt=0, lt=0.5, description="share after that, held out to report on")
    max_held_out_turns: int = Field(500, ge=1, description="no more turns than this in either held-out part")
    val_from: datetime | None = Field(None, description="instead of shares: validation starts here (UTC)")
    test_from: datetime | None = Field(None, description="instead of shares: the test part starts here (UTC)")

    @field_validator("val_from", "test_from")
    @classmethod
    def _as_utc(cls, value: datetime | None) -> datetime | None:
        """A time without a zone is UTC, as the description says."""
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


class Train(_Section):
    """QLoRA; every default's reason is in docs/design.md."""

    rank: int = Field(16, ge=1)
    alpha: int = Field(32, ge=1)
    dropout: float = Field(0.05, ge=0, lt=1)
    learning_rate: float | None = Field(None, gt=0, description="default: 5e-4 below 1 billion parameters, else 2e-4")
    epochs: int | None = Field(None, ge=1, description="default: 3 below 1,000 owner turns, 2 below 10,000, else 1")
    batch_tokens: int = Field(1024, ge=64, description="tokens of conversation per optimiser step")
    warmup: float = Field(0.03, ge=0, lt=1, description="share of the run with a rising learning rate")
    max_grad_norm: float = Field(1.0, gt=0)
    evaluations: int = Field(4, ge=1, description="held-out measurements during a run")
    max_seconds: float | None = Field(None, gt=0, description="stop in time for the run to end within this")
    seed: int = 0


class Reply(_Section):
    """How the twin samples."""

    temperature: float = Field(0.8, ge=0, description="0 is greedy")
    top_p: float = Field(0.95, gt=0, le=1)
    max_tokens: int = Field(120, ge=1)
    repetition_penalty: float = Field(1.0, ge=1)


class Worker(_Section):
    """When retraining happens by itself."""

    retrain_cron: str = Field("0 4 * * mon", description="minute hour day month weekday, local time")
    min_new_turns: int = Field(200, ge=1, description="... and only with so many new turns of yours")
    poll_seconds: float = Field(1.0, gt=0)
    stale_seconds: float = Field(60.0, gt=0, description="a job without a heartbeat for so long is taken over")
    max_attempts: int = Field(2, ge=1)


class Telegram(_Section):
    """The bot. Its token is a secret and lives elsewhere: see `twin doctor`."""

    owner_id: int | None = Field(None, description="who may /retrain; default: owner.id")
    allowed_ids: frozenset[int] = Field(frozenset(), description="who else gets answers")
    bot_api_url: str | None = Field(None, description="address of a self-hosted Bot API server")
    bubble_pause_seconds: float = Field(0.8, ge=0, description="between the bubbles of a reply")
    history_messages: int = Field(200, ge=1, description="how far back a live conversation is read")


class Settings(BaseSettings):
    """All settings and the places derived from `home`."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=_PREFIX,
        env_nested_delimiter=_NESTING,
        nested_model_default_partial_update=True,
    )

    # Where everything lives: from TWIN_HOME alone, never from the file, which lies in it.
    home: Path = Field(default_factory=lambda: default_home(), exclude=True)
    owner: Owner = Owner()
    base: Base = Base()
    dataset: DatasetSettings = DatasetSettings()
    train: Train = Train()
    reply: Reply = Reply()
    worker: Worker = Worker()
    telegram: Telegram = Telegram()

    @model_validator(mode="after")
    def _room_for_a_conversation(self) -> Settings:
        if self.reply.max_tokens > self.dataset.context_tokens // 2:
            raise ValueError("reply.max_tokens must leave half of dataset.context_tokens to the conversation")
        return self

    @field_validator("home", mode="before")
    @classmethod
    def _same_home_everywhere(cls, value: Any) -> Path:
        """The variable's raw text means what `default_home` makes of it: absolute, "~" expanded, empty for none."""
        return Path(value).expanduser().absolute() if str(value) else default_home()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Variables win over the file of the same home, the file over defaults."""
        home = init_settings().get("home") or default_home()
        file = TomlConfigSettingsSource(settings_cls, settings_file(Path(home)))
        if "home" in file.toml_data:
            raise SettingsError(
                f"{settings_file(Path(home))} cannot say where its own home is",
                f"remove `home` and set the variable {HOME_VARIABLE} instead",
            )
        return (init_settings, env_settings, file)

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.home / "twin.db"

    @property
    def adapters(self) -> Path:
        """Published adapters, one folder a version."""
        return self.home / "adapters"

    @property
    def datasets(self) -> Path:
        """Dataset snapshots, one folder a fingerprint."""
        return self.home / "datasets"

    @property
    def cache(self) -> Path:
        """Converted base models: nothing private, safe to delete, shared by all homes."""
        return Path(os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("twin")).expanduser()

    @property
    def bot_owner(self) -> int | None:
        """Who commands the bot."""
        return self.telegram.owner_id if self.telegram.owner_id is not None else self.owner.id


def default_home() -> Path:
    """TWIN_HOME, else the platform's data folder."""
    return Path(os.environ.get(HOME_VARIABLE) or platformdirs.user_data_dir("twin")).expanduser().absolute()


def settings_file(home: Path) -> Path:
    """Where a home keeps its settings."""
    return home / "twin.toml"


def secure_umask() -> None:
    """Everything this process creates is the owner's alone: folders 0700, files 0600."""
    os.umask(0o077)


def keep_libraries_local() -> None:
    """Tell the machine-learning libraries not to phone home; must run before they are imported."""
    for name in ("HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK", "DISABLE_SAFETENSORS_CONVERSION"):
        os.environ.setdefault(name, "1")


def keep_temporary_files_home() -> None:
    """SQLite's temporary files may hold messages: they belong into the home, not into a shared folder."""
    os.environ.setdefault("SQLITE_TMPDIR", str(default_home()))


def load_settings() -> Settings:
    """Read `twin.toml` and TWIN_* variables once; pass the result on explicitly.

    Raises:
        SettingsError: the file is not TOML, a key is unknown (the nearest valid one is named), a value is wrong.
    """
    file = settings_file(default_home())
    _refuse_unknown_variables(os.environ)
    try:
        return Settings()
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file} is not valid TOML ({error})", "correct that line") from error
    except OSError as error:
        raise SettingsError(f"{file} cannot be read ({error.strerror})", "check its permissions") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file} is not UTF-8 text", "save it as UTF-8") from error
    except UnreadableVariable as error:
        raise SettingsError(
            f"A {_PREFIX}* variable cannot be read ({error})", "write lists as JSON, for example [1, 2]"
        ) from error
    except ValidationError as error:
        raise _explain(error, file) from error


def known_keys() -> list[str]:
    """Every setting as "section.key", in the order of the file."""
    return [f"{section}.{key}" for section, kind in _sections().items() for key in kind.model_fields]


def _sections() -> dict[str, type[_Section]]:
    """Each section of the file with its class, in the order of the file."""
    return {
        name: field.annotation
        for name, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, _Section)
    }


def _refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    valid = {_PREFIX + key.upper().replace(".", _NESTING) for key in known_keys()} | _NOT_SETTINGS
    for name in environment:
        if name.upper().startswith(_PREFIX) and name.upper() not in valid:
            raise SettingsError(f"There is no setting behind the variable {name}", _did_you_mean(name.upper(), valid))


def _explain(error: ValidationError, file: Path) -> SettingsError:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return SettingsError(f"{file} has an unknown key {key!r}", _did_you_mean(key, [*known_keys(), *_sections()]))
    if not key:
        words = first["msg"].removeprefix("Value error, ")
        return SettingsError("Two settings do not fit together", f"{words}; correct one of them in {file}")
    return SettingsError(
        f"The setting {key} is wrong ({first['msg']})", f"correct it in {file} or in its {_PREFIX}* variable"
    )


def _did_you_mean(name: str, valid: Any) -> str:
    near = difflib.get_close_matches(name, sorted(valid), n=1, cutoff=0.4)
    return f"did you mean {near[0]}" if near else "remove it"


def bot_token(settings: Settings) -> str | None:
    """The bot's token: TWIN_BOT_TOKEN, else systemd's credential `bot-token`, else `bot-token` in the home.

    Raises:
        SettingsError: the file in the home can be read by others.
    """
    if token := os.environ.get(TOKEN_VARIABLE, "").strip():
        return token
    if folder := os.environ.get("CREDENTIALS_DIRECTORY"):
        credential = Path(folder) / "bot-token"
        if credential.is_file():
            return credential.read_text().strip() or None
    file = settings.home / "bot-token"
    if not file.is_file():
        return None
    if os.name == "posix" and file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingsError(f"Others can read {file}", f"run `chmod 600 {file}`")
    return file.read_text().strip() or None


def default_toml() -> str:
    """A commented `twin.toml` in which every setting stands at its default, switched off."""
    lines = [
        "# Settings of your twin. Every line is at its default; remove the leading # to change one.",
        "# A variable such as TWIN_REPLY__TEMPERATURE=0.7 overrides this file.",
        "# The bot's token does not belong here: `twin bot --set-token` keeps it.",
    ]
    for section, kind in _sections().items():
        lines += ["", f"# {(kind.__doc__ or '').splitlines()[0]}", f"[{section}]"]
        for key, option in kind.model_fields.items():
            note = f"  # {option.description}" if option.description else ""
            lines.append(f"# {key} ={_toml(option.default)}{note}")
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    """A value as it stands after the "=": nothing for None, which TOML cannot say, else a space and the value."""
    match value:
        case None:
            return ""
        case str():
            return f" {json.dumps(value, ensure_ascii=False)}"  # a JSON string is a TOML basic string
        case frozenset():
            return f" [{', '.join(map(str, sorted(value)))}]"
        case _:
            return f" {value}"
