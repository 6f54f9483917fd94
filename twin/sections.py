"""The sections of `twin.toml`: every setting with its type, its bounds, its default and one line on it.

Knows nothing of files or of the environment: twin/settings.py reads those.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator, model_validator

from twin.addresses import proxy_fault, webhook_fault
from twin.errors import SettingsError
from twin.marks import PeerShown, zone

EMBEDDED_MODEL = "gemma3-270m"
UNNAMED = "the owner"
Language = Literal[
    "auto", "en", "de", "fr", "es", "it", "pt", "ru", "uk", "pl", "tr", "zh", "ja", "ko", "ar", "fa", "he", "hi", "id"
]
"""What the bot itself can speak; "auto": as the person it speaks to."""


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Owner(Section):
    """Whose twin this is."""

    id: int | None = Field(None, description="your Telegram user id; exports that tell it need no setting")
    name: str = Field(UNNAMED, description="how the bot speaks of you")
    language: str | None = Field(
        None, pattern="^[a-z]{2}$", description='what you write in, as "de"; default: found from your messages'
    )
    timezone: str = Field("UTC", description='whose hours you live by, as "Europe/Berlin"')
    place: str = Field("", description='where you are from, as you answer that ("Lisbon")')
    occupation: str = Field("", description='what you do, as it stands after "I am" ("a nurse")')
    about: tuple[str, ...] = Field((), description="short facts about you, each a sentence in your own words")
    bot_policy: Literal["honest", "deflect"] = Field(
        "honest", description='"are you a bot?": says so, or evades it; it never claims to be a person'
    )

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            zone(value)
        except SettingsError as error:
            raise ValueError(f"{error.problem}; {error.remedy}") from error
        return value


class Base(Section):
    """The model that is fine-tuned."""

    model: str = Field(EMBEDDED_MODEL, description="the embedded model, a folder, or a Hugging Face id")
    quantization: Literal["nf4", "int8", "none"] = Field("nf4", description="how the frozen weights are held")
    template: Literal["auto", "plain", "chatml", "own"] = Field(
        "auto", description="how turns are written; auto: as the model's own chat template does, plain if it has none"
    )
    chatml_tokens: Literal["text", "trained"] = Field(
        "text", description="of chatml's two marks: write them as the model can, or add them as tokens and train those"
    )
    system: str = Field("", description="text before every conversation")

    @model_validator(mode="after")
    def _has_marks_to_train(self) -> Base:
        if self.chatml_tokens == "trained" and self.template != "chatml":
            raise ValueError('chatml_tokens = "trained" needs template = "chatml"')
        return self


class DatasetSettings(Section):
    """How messages become a training set."""

    session_gap_minutes: float = Field(60, gt=0, description="a longer silence starts a new conversation")
    context_tokens: int = Field(1024, ge=128, description="budget of a conversation window, reply included")
    peer: PeerShown = Field("none", description="none, pseudonym or name: whom the twin is told it talks to")
    relation: bool = Field(False, description="tell it what they are to you, as `twin dialogs tag` says")
    time_of_day: bool = Field(False, description="tell it the hour of every turn, on the clock of owner.timezone")
    gaps: bool = Field(False, description="tell it how long nobody had spoken before a turn")
    dialog_cap: int | None = Field(None, ge=1, description="learn at most so many turns of one dialog")
    dialog_temperature: float = Field(
        1, ge=0, le=1, description="below 1, large dialogs count less; at 0 all have equal shares"
    )
    max_repeats: int = Field(
        100, ge=0, description="learn the same short reply so often, or in 2 % of all; long ones twice; 0: no limit"
    )
    val_share: float = Field(0.08, gt=0, lt=0.5, description="latest share held out to choose a checkpoint")
    test_share: float = Field(0.10, gt=0, lt=0.5, description="share after that, held out to report on")
    max_held_out_turns: int = Field(500, ge=1, description="about so many turns at most in either held-out part")
    val_from: datetime | None = Field(None, description="instead of shares: validation starts here (UTC)")
    test_from: datetime | None = Field(None, description="instead of shares: the test part starts here (UTC)")

    @field_validator("val_from", "test_from")
    @classmethod
    def _as_utc(cls, value: datetime | None) -> datetime | None:
        """A time without a zone is UTC, as the description says."""
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


class Privacy(Section):
    """What the twin is never to learn."""

    scrub: bool = Field(True, description="take passwords, phone numbers, addresses and the like out of training")
    words: frozenset[str] = Field(
        frozenset(), description='a message with one of these is left out; "anna" is no "annabel", "ann*" is both'
    )
    people: frozenset[str] = Field(
        frozenset(), description="the same for these names, and the dialogs with them are left out altogether"
    )


class Train(Section):
    """QLoRA; every default's reason is in docs/design.md."""

    rank: int = Field(16, ge=1)
    alpha: int = Field(32, ge=1)
    dropout: float = Field(0.05, ge=0, lt=1)
    lora: Literal["lora", "rslora", "dora"] = Field("lora", description="plain, rank-stabilised, or with magnitudes")
    init: Literal["default", "pissa", "loftq"] = Field(
        "default", description="start from nothing, a weight's strongest directions, or what nf4 lost of it"
    )
    learning_rate: float | None = Field(None, gt=0, description="default: 5e-4 below 1 billion parameters, else 2e-4")
    epochs: int | None = Field(None, ge=1, description="default: 3 below 1,000 owner turns, 2 below 10,000, else 1")
    batch_tokens: int = Field(1024, ge=64, description="tokens of conversation per optimiser step")
    warmup: float = Field(0.03, ge=0, lt=1, description="share of the run with a rising learning rate")
    max_grad_norm: float = Field(1.0, gt=0)
    evaluations: int = Field(4, ge=1, description="held-out measurements during a run")
    patience: int = Field(4, ge=1, description="so many measurements on end that are not the best end a run early")
    checkpoint_minutes: float = Field(5, gt=0, description="how often a run writes down where it could go on")
    max_seconds: float | None = Field(None, gt=0, description="stop in time for the run to end within this")
    gate: Literal["auto", "loss", "quick", "full"] = Field(
        "auto", description="what a new adapter must show: its loss, or replies to 100 or 400 held-out moments too"
    )
    canaries: bool = Field(
        False, description="an audit: hide made-up secrets in what is learned, so that `twin eval` sees; never serves"
    )
    tensorboard: bool = Field(False, description="write event files for TensorBoard into the home")
    processes: int | None = Field(None, ge=1, description="on this machine; default: one for each GPU, else one")
    machines: int = Field(1, ge=1, description="how many train together; each has a twin.toml of its own")
    machine: int = Field(0, ge=0, description="this one's number; 0 has the messages and publishes")
    main_address: str | None = Field(None, description='where machine 0 listens for the others, as "10.0.0.1:29500"')
    sharding: Literal["none", "fsdp", "deepspeed"] = Field(
        "none", description="of several processes: each holds the whole base model, or a part of every layer"
    )
    deepspeed_config: str | None = Field(
        None, description='sharding "deepspeed": a JSON file of DeepSpeed\'s, of which "zero_optimization" is read'
    )
    seed: int = 0


class Reply(Section):
    """How the twin samples."""

    temperature: float = Field(1.0, ge=0, description="0 is greedy; below 1 the twin is told from you more easily")
    top_p: float = Field(1.0, gt=0, le=1, description="draw from the likeliest tokens that make up so much")
    min_p: float = Field(0.0, ge=0, le=1, description="never draw one less likely than this share of the likeliest")
    top_k: int = Field(0, ge=0, description="never draw from more than so many; 0: any number")
    max_tokens: int = Field(120, ge=1)
    repetition_penalty: float = Field(1.0, ge=1, description="above 1, tokens that the reply holds already count less")
    no_repeat_ngram: int = Field(0, ge=0, description="never say so many tokens in a row twice in a reply; 0: may be")
    candidates: int = Field(1, ge=1, le=64, description="write so many replies and send the one that fits best")
    rerank_weight: float = Field(
        0.5, ge=0, description="of candidates, how much it counts against one that would fit anywhere"
    )


class EngineSettings(Section):
    """What runs the model that answers."""

    kind: Literal["auto", "local", "llamacpp", "remote"] = Field(
        "auto", description="auto: llamacpp where there is no GPU, if it is installed and fits the model, else local"
    )
    gguf: str | None = Field(None, description="llamacpp: the base model as a GGUF file; the embedded one needs none")
    threads: int | None = Field(None, ge=1, description="llamacpp: of the CPU; default: one for each core")
    at_once: int = Field(8, ge=1, le=64, description="replies written at the same time; further ones wait")
    while_training: Literal["keep", "release"] = Field(
        "keep", description="release: free the model's memory while a training runs, and answer afterwards"
    )
    url: str | None = Field(None, description="remote: address of the API, as http://127.0.0.1:8000/v1")
    model: str | None = Field(None, description="remote: the base model's name there; default: the only one")
    adapters: Literal["vllm", "none"] = Field(
        "vllm", description="remote: how adapters get there; none: it serves models as they are, base or merged"
    )
    prompts: Literal["ids", "text"] = Field("ids", description="remote: text for servers that take no token ids (TGI)")
    adapters_path: str | None = Field(
        None, description="remote: where the server sees the home's folder `adapters`; default: at the same place"
    )
    timeout_seconds: float = Field(60, gt=0, description="remote: the longest silence before a reply and within it")
    send_private_data: bool = Field(
        False, description="remote: true: conversations may leave this machine for that address, as they are"
    )


class Guard(Section):
    """What the twin never says, whatever it learned."""

    secrets: bool = Field(True, description="keep back what looks like a password, number or address, and the vault")
    others: bool = Field(True, description="keep back what somebody else once wrote, word for word")
    stock_phrases: tuple[str, ...] = Field(
        (), description="said instead of a reply that was kept back twice; default: one in your language"
    )


class Serve(Section):
    """`twin serve`. Its API key is a secret and lives elsewhere: TWIN_SERVER_KEY, or `server-key` in the home."""

    host: str = Field("127.0.0.1", description="where to listen; anything but this machine itself needs a key")
    port: int = Field(8390, ge=0, le=65535)
    requests_per_minute: int = Field(60, ge=1, description="for each address")
    max_request_kilobytes: int = Field(256, ge=1)
    max_waiting: int = Field(64, ge=1, description="more requests than that at once are sent away with a 503")


class Ingest(Section):
    """What `twin ingest telegram` brings in from the live account, by hand and on schedule."""

    only: frozenset[str] = Field(frozenset(), description="only these dialogs: names, usernames or ids")
    exclude: frozenset[str] = Field(frozenset(), description="never these dialogs: names, usernames or ids")
    rescan_days: float = Field(2, ge=0, description="how far back edits and deletions are looked for again")

    @field_validator("only", "exclude", mode="before")
    @classmethod
    def _ids_may_be_numbers(cls, value: object) -> object:
        return [str(part) for part in value] if isinstance(value, (list, tuple, set, frozenset)) else value


class Worker(Section):
    """When retraining and ingest happen by themselves."""

    retrain_cron: str = Field("0 4 * * mon", description="minute hour day month weekday, local time")
    min_new_turns: int = Field(200, ge=1, description="... and only with so many new turns of yours")
    ingest_cron: str = Field("", description="when to run `twin ingest telegram`, in the same form; empty for never")
    poll_seconds: float = Field(1.0, gt=0)
    stale_seconds: float = Field(60.0, gt=0, description="a job without a heartbeat for so long is taken over")
    max_attempts: int = Field(2, ge=1)


class Telegram(Section):
    """The bot. Its token is a secret and lives elsewhere: see `twin doctor`."""

    owner_id: int | None = Field(None, description="who may /retrain; default: owner.id")
    allowed_ids: frozenset[int] = Field(
        frozenset(), description="who else gets answers; a group's id: whoever calls the bot, or replies to it, there"
    )
    bot_api_url: str | None = Field(None, description="address of a self-hosted Bot API server")
    webhook_url: str | None = Field(
        None,
        description="where Telegram brings messages, as https://bot.example.org/hook; default: the bot fetches them",
    )
    webhook_host: str = Field(
        "127.0.0.1", description="where the bot listens for them, behind what answers webhook_url"
    )
    webhook_port: int = Field(8391, ge=0, le=65535)
    proxy: SecretStr | None = Field(
        None, description="http://, https:// or socks5:// address by way of which the bot reaches Telegram"
    )
    debounce_seconds: float = Field(
        3, ge=0, description="messages are answered together once nothing more came for so long; 0: one by one"
    )
    debounce_most_seconds: float = Field(30, ge=0, description="the longest they are gathered, from the first on")
    pacing: Literal["owner", "fast"] = Field(
        "owner", description="how bubbles follow one another: at your own pace, if a dataset tells it, or fast"
    )
    longest_pause_seconds: float = Field(20, ge=0, description="however long you would take, the twin waits no longer")
    bubble_pause_seconds: float = Field(0.8, ge=0, description="between bubbles when fast, or when no pace is known")
    history_messages: int = Field(200, ge=1, description="how far back a live conversation is read")
    silence: bool = Field(False, description="stay silent where you would, as a dataset tells; a guest expects answers")
    reactions: bool = Field(False, description="react with an emoji where you would, as a dataset tells")
    busy_seconds: float = Field(
        20, ge=0, description="so much later than you would, a late answer is announced with a short line; 0: never"
    )
    busy_phrases: tuple[str, ...] = Field(
        (), description='such lines: "one sec"; default: what you wrote most often of a few in your language'
    )
    language: Language = Field(
        "auto", description="what the bot itself speaks to guests; auto: theirs as Telegram tells it, else yours"
    )
    disclosure: bool = Field(True, description="tell everybody, before the first reply, that a program answers")
    business: Literal["off", "draft", "auto"] = Field(
        "off", description="your own chats (Telegram Business): nothing, suggestions for you, or answers"
    )
    messages_per_minute: int = Field(20, ge=1, description="answered from one person, you excepted")
    messages_per_day: int = Field(500, ge=1, description="answered from one person within 24 hours, you excepted")
    messages_per_day_in_all: int = Field(2000, ge=1, description="answered from everybody but you, within 24 hours")
    answer_within_hours: float = Field(
        12, gt=0, description="after /resume, what came longer ago than that is left unanswered"
    )

    @field_validator("webhook_url")
    @classmethod
    def _can_be_reached(cls, value: str | None, others: ValidationInfo) -> str | None:
        if value is not None and (fault := webhook_fault(value, is_self_hosted=bool(others.data.get("bot_api_url")))):
            raise ValueError(fault)
        return value

    @field_validator("proxy")
    @classmethod
    def _is_a_proxy(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and (fault := proxy_fault(value.get_secret_value())):
            raise ValueError(fault)
        return value


class Storage(Section):
    """Whether the database is encrypted, and where its key is; see `twin database`."""

    key: Literal["none", "keyring", "environment", "file"] = Field(
        "none", description="none: a plain file; else where SQLCipher's key is (TWIN_DATABASE_KEY, or `database-key`)"
    )


class Teacher(Section):
    """A model that helps to make training data, behind any OpenAI-compatible address; its key is a secret."""

    url: str | None = Field(None, description="address of the API, as http://127.0.0.1:8080/v1")
    model: str | None = Field(None, description="the model's name there")
    price_in: float | None = Field(None, ge=0, description="what a million prompt tokens cost, in any currency")
    price_out: float | None = Field(None, ge=0, description="what a million written tokens cost")
    timeout_seconds: float = Field(120, gt=0, description="for one answer")
    send_private_data: bool = Field(
        False, description="true: what you wrote may leave this machine for that address, scrubbed"
    )
