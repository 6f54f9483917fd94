"""Every setting, frozen, with its default: one `twin.toml`, overridden by TWIN_* variables.

The only reader of the environment. Secrets are not settings: see `secret`.
"""

from __future__ import annotations

import difflib
import json
import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import platformdirs
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings.exceptions import SettingsError as UnreadableVariable

from twin.errors import SettingsError
from twin.sections import (
    Base,
    DatasetSettings,
    EngineSettings,
    Guard,
    Ingest,
    Owner,
    Privacy,
    Reply,
    Section,
    Serve,
    Storage,
    Teacher,
    Telegram,
    Train,
    Worker,
)

HOME_VARIABLE = "TWIN_HOME"
CACHE_VARIABLE = "TWIN_CACHE"
HUB_VARIABLE = "HF_HOME"  # of a library; read only to tell a service
TOKEN_VARIABLE = "TWIN_BOT_TOKEN"
DATABASE_KEY_VARIABLE = "TWIN_DATABASE_KEY"
TEACHER_KEY_VARIABLE = "TWIN_TEACHER_KEY"
SERVER_KEY_VARIABLE = "TWIN_SERVER_KEY"
REMOTE_KEY_VARIABLE = "TWIN_REMOTE_KEY"
API_ID_VARIABLE = "TWIN_API_ID"
API_HASH_VARIABLE = "TWIN_API_HASH"
SESSION_VARIABLE = "TWIN_TELEGRAM_SESSION"
_NOT_SETTINGS = {HOME_VARIABLE, CACHE_VARIABLE, TOKEN_VARIABLE, DATABASE_KEY_VARIABLE, TEACHER_KEY_VARIABLE}
_NOT_SETTINGS |= {API_ID_VARIABLE, API_HASH_VARIABLE, SESSION_VARIABLE, SERVER_KEY_VARIABLE, REMOTE_KEY_VARIABLE}
_PREFIX = "TWIN_"
_NESTING = "__"


class Settings(BaseSettings):
    """All settings and the places derived from `home`."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=_PREFIX,
        env_nested_delimiter=_NESTING,
        nested_model_default_partial_update=True,
        hide_input_in_errors=True,  # some of it is secret
    )

    # Where everything lives: from TWIN_HOME alone, never from the file, which lies in it.
    home: Path = Field(default_factory=lambda: default_home(), exclude=True)
    owner: Owner = Owner()
    ingest: Ingest = Ingest()
    base: Base = Base()
    dataset: DatasetSettings = DatasetSettings()
    privacy: Privacy = Privacy()
    train: Train = Train()
    reply: Reply = Reply()
    engine: EngineSettings = EngineSettings()
    guard: Guard = Guard()
    serve: Serve = Serve()
    worker: Worker = Worker()
    telegram: Telegram = Telegram()
    storage: Storage = Storage()
    teacher: Teacher = Teacher()

    @model_validator(mode="after")
    def _room_for_a_conversation(self) -> Settings:
        if self.reply.max_tokens > self.dataset.context_tokens // 2:
            raise ValueError("reply.max_tokens must leave half of dataset.context_tokens to the conversation")
        return self

    @model_validator(mode="after")
    def _something_to_correct(self) -> Settings:
        if self.train.init == "loftq" and self.base.quantization != "nf4":
            raise ValueError('train.init = "loftq" corrects what base.quantization = "nf4" loses')
        return self

    @model_validator(mode="after")
    def _can_be_shared_out(self) -> Settings:
        how = self.train
        if how.sharding != "none" and self.base.quantization == "int8":
            raise ValueError(f'train.sharding = "{how.sharding}" needs base.quantization = "nf4" or "none"')
        if how.sharding == "deepspeed" and how.lora == "dora" and self.base.quantization == "nf4":
            raise ValueError('train.lora = "dora" over 4-bit weights needs train.sharding = "fsdp" or "none"')
        if how.deepspeed_config is not None and how.sharding != "deepspeed":
            raise ValueError('train.deepspeed_config needs train.sharding = "deepspeed"')
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
    def runs(self) -> Path:
        """Checkpoints of trainings that are not over, and curves of those that failed."""
        return self.home / "runs"

    @property
    def cache(self) -> Path:
        """Converted base models: nothing private, safe to delete, shared by all homes."""
        return cache_folder()

    @property
    def bot_owner(self) -> int | None:
        """Who commands the bot."""
        return self.telegram.owner_id if self.telegram.owner_id is not None else self.owner.id


def default_home() -> Path:
    """TWIN_HOME, else the platform's data folder."""
    return Path(os.environ.get(HOME_VARIABLE) or platformdirs.user_data_dir("twin")).expanduser().absolute()


def cache_folder() -> Path:
    """TWIN_CACHE, else the platform's cache folder."""
    return Path(os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("twin")).expanduser()


def hub_folder() -> Path:
    """Where Hugging Face's library keeps what it downloads: HF_HOME, else its usual place."""
    return Path(os.environ.get(HUB_VARIABLE) or platformdirs.user_cache_dir("huggingface")).expanduser()


def given_places() -> dict[str, Path]:
    """Of TWIN_HOME, TWIN_CACHE and HF_HOME those that are set, absolute."""
    names = (HOME_VARIABLE, CACHE_VARIABLE, HUB_VARIABLE)
    return {name: Path(os.environ[name]).expanduser().absolute() for name in names if os.environ.get(name)}


def variables_left_behind() -> list[str]:
    """Names of the TWIN_* variables that are no places: whoever starts twin in another way must see to them."""
    return sorted(n for n in os.environ if n.startswith(_PREFIX) and n not in (HOME_VARIABLE, CACHE_VARIABLE))


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


def load_settings(home: Path | None = None) -> Settings:
    """Read `twin.toml` and TWIN_* variables once; pass the result on explicitly.

    Args:
        home: whose; None for the home that TWIN_HOME names.

    Raises:
        SettingsError: the file is not TOML, a key is unknown (the nearest valid one is named), a value is wrong.
    """
    file = settings_file(home or default_home())
    _refuse_unknown_variables(os.environ)
    try:
        return Settings() if home is None else Settings(home=home)
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


def _sections() -> dict[str, type[Section]]:
    """Each section of the file with its class, in the order of the file."""
    return {
        name: field.annotation
        for name, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
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
        f"The setting {key} is wrong ({first['msg'].removeprefix('Value error, ')})",
        f"correct it in {file} or in its {_PREFIX}* variable",
    )


def _did_you_mean(name: str, valid: Any) -> str:
    near = difflib.get_close_matches(name, sorted(valid), n=1, cutoff=0.4)
    return f"did you mean {near[0]}" if near else "remove it"


def secret(settings: Settings, variable: str, name: str) -> str | None:
    """A secret from where secrets may be: the variable, else systemd's credential `name`, else `name` in the home.

    Raises:
        SettingsError: the file in the home can be read by others, or a file cannot be read.
    """
    if value := os.environ.get(variable, "").strip():
        return value
    if folder := os.environ.get("CREDENTIALS_DIRECTORY"):
        credential = Path(folder) / name
        if credential.is_file():
            return _text_of(credential).strip() or None
    file = settings.home / name
    if not file.is_file():
        return None
    if os.name == "posix" and file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingsError(f"Others can read {file}", f"run `chmod 600 {file}`")
    return _text_of(file).strip() or None


def _text_of(file: Path) -> str:
    try:
        return file.read_text()
    except OSError as error:
        raise SettingsError(f"{file} cannot be read ({error.strerror})", "let its owner be who runs twin") from error


def bot_token(settings: Settings) -> str | None:
    """The bot's token: TWIN_BOT_TOKEN, else `bot-token`; see `secret`."""
    return secret(settings, TOKEN_VARIABLE, "bot-token")


def teacher_key(settings: Settings) -> str | None:
    """The key of the teacher's address: TWIN_TEACHER_KEY, else `teacher-key`; see `secret`."""
    return secret(settings, TEACHER_KEY_VARIABLE, "teacher-key")


def server_key(settings: Settings) -> str | None:
    """The key that `twin serve` asks for: TWIN_SERVER_KEY, else `server-key`; see `secret`."""
    return secret(settings, SERVER_KEY_VARIABLE, "server-key")


def remote_key(settings: Settings) -> str | None:
    """The key of the remote engine's address: TWIN_REMOTE_KEY, else `remote-key`; see `secret`."""
    return secret(settings, REMOTE_KEY_VARIABLE, "remote-key")


def hides_gpus() -> bool:
    """Whether whoever started this process hid all GPUs from CUDA."""
    return os.environ.get("CUDA_VISIBLE_DEVICES", "all").strip() in ("", "-1")


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
        case bool():
            return f" {str(value).lower()}"
        case frozenset() | tuple():
            return f" [{', '.join(_toml(part).strip() for part in sorted(value))}]"
        case _:
            return f" {value}"
