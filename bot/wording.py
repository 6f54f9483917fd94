"""What the bot says of itself to its owner: the state of the twin, the course of a training, who may talk.

Knows nothing of Telegram, the database or the clock: facts in, words out. What guests read stands in bot/phrases.toml.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bot.engine import Serving
from bot.people import Person
from bot.phrases import commands, languages
from twin.jobs import Job
from twin.language import FALLBACK
from twin.quizzes import told_apart

_SHOWN = 300  # characters of what was said once

OWNER_COMMANDS = commands(FALLBACK) | {
    "retrain": "train on what is new, and follow it here",
    "allow": "let somebody talk to the twin: an id, link, or nothing for the list",
    "deny": "keep somebody out",
    "pause": "answer nobody, from this moment on",
    "resume": "answer again, also what came meanwhile",
    "versions": "what was trained, how good it is, which serves",
    "rollback": "go back to the version that served before",
    "why": "as an answer to a message of the twin's: who wrote it, and after what",
    "settings": "temperature, pacing and the language I speak to guests",
    "business": "what I do in your own chats: nothing, suggest, answer",
}
RETRAIN_USAGE = (
    "/retrain trains on what is new, and lets it serve if it is better; /retrain force lets it serve in any case."
)
FORCED = "Whatever it comes to, it will serve: you forced it."
WHO = (
    "Send /allow ID or /deny ID with a Telegram user id, or answer a message that you forwarded from them with /allow"
    " or /deny. /allow link makes an invite."
)
HIDDEN = "Their account hides who wrote what you forward: use their id, or send them what /allow link makes."
NOT_YOURSELF = "You are always allowed: this is your twin."
NO_VERSION = "There is no version yet: /retrain makes the first."
NO_SUCH_VERSION = "There is no such version."
WHY_USAGE = "Send /why as an answer to a message that the twin wrote."
SETTINGS_USAGE = (
    "/settings temperature 0.8 (0 to 2), /settings pacing owner or fast, /settings language auto or "
    f"{', '.join(sorted(languages()))}; the word default goes back to twin.toml."
)


def help_text(commands: Mapping[str, str] = OWNER_COMMANDS) -> str:
    """The answer to /help."""
    return "\n".join(f"/{name} - {what}" for name, what in commands.items())


def untrained(refused: str | None) -> str:
    """The answer to every message of the owner's while no trained version serves.

    Args:
        refused: why the promoted version does not serve, as a sentence; None when there is none.
    """
    if refused:
        return f"I cannot answer: the promoted version does not serve. {refused}"
    return "I have not learned to answer yet: send /retrain."


def status(
    serving: Serving | None,
    metrics: Mapping[str, Any],
    job: Job | None,
    paused_since: float | None = None,
    tried: str | None = None,
) -> str:
    """The answer to /status.

    Args:
        serving: None while the model loads.
        metrics: of the serving adapter; those called `val_*` are held-out ones.
        job: the newest training, if there was any.
        paused_since: when the owner paused it, in UTC epoch seconds.
        tried: the version that answers the owner's own chat instead; for the owner's eyes.
    """
    lines = []
    if paused_since is not None:
        lines.append(f"Paused since {datetime.fromtimestamp(paused_since, UTC):%Y-%m-%d %H:%M} UTC: /resume ends it.")
    if serving is None:
        lines.append("The model is still loading.")
    elif serving.adapter is None:
        lines.append("No trained version answers yet.")
    else:
        lines.append(f"Version {serving.adapter} answers.")
    if tried is not None:
        lines.append(f"You try version {tried} in this chat: /versions ends it.")
    if serving is not None and serving.refused:
        lines.append(f"The promoted version does not serve. {serving.refused}")
    lines += _held_out(metrics)
    lines.append("No training was asked for yet." if job is None else course(job))
    return "\n".join(lines)


def course(job: Job) -> str:
    """Where a training stands, or how it ended; `Job.result` tells its version, whether it was promoted, and why."""
    if job.state == "queued":
        return "Training is queued; it starts when `twin worker` is free."
    if job.state == "failed":
        return f"The training failed: {job.error or 'see the log of `twin worker`'}"
    if job.state == "done":
        return _outcome(job.result)
    return f"Training is running{_steps(job.progress)}."


def open_already(job: Job) -> str:
    """The answer to a second /retrain."""
    return f"A training is open already. {course(job)}"


def invite(link: str) -> str:
    """A new invite, for the owner to hand on."""
    return f"Whoever opens this first may talk to your twin. It works once, within 24 hours:\n{link}"


def allowed(user_id: int) -> str:
    """The answer to /allow."""
    return f"User {user_id} may talk to your twin from now on. /deny {user_id} takes it back."


def denied(user_id: int) -> str:
    """The answer to /deny."""
    return f"User {user_id} gets no answer any more, whatever twin.toml says. /allow {user_id} takes it back."


def arrived(user_id: int, name: str | None) -> str:
    """What the owner is told when an invite was used."""
    return f"{_called(user_id, name)} came in with your invite. /deny {user_id} shows them out."


def people(everybody: Sequence[Person]) -> str:
    """The list of those who are allowed, and of those who are kept out."""
    if not everybody:
        return "Nobody but you is allowed."
    return "\n".join(
        f"{'Allowed' if person.is_allowed else 'Denied'}: {_called(person.user_id, person.name)}"
        for person in everybody
    )


def paused(hours: float) -> str:
    """The answer to /pause."""
    return (
        "Paused: nobody gets an answer, you neither, until you send /resume. What comes meanwhile is kept, and answered"
        f" then if it came within {hours:g} hours."
    )


def resumed(given_up: int, hours: float) -> str:
    """The answer to /resume; `given_up` messages stay unanswered."""
    if not given_up:
        return "I answer again."
    return f"I answer again. Older than {hours:g} hours, and left unanswered: {given_up}."


def versions(facts: Sequence[Mapping[str, Any]], in_all: int) -> str:
    """The list of versions, newest first; facts: see bot/versions.py."""
    lines = [_version_line(version) for version in facts]
    if in_all > len(facts):
        lines.append(f"... and {in_all - len(facts)} older: `twin adapters list` has them.")
    return "\n".join(lines)


def version(facts: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """One version: its held-out metrics, and what its last report says."""
    lines = [_version_line({**facts, "figures": {}, "quizzes": None}), *_held_out(metrics)]
    lines += [f"{name}: {_number(value)}" for name, value in facts["figures"].items()]
    if facts["quizzes"]:
        lines.append(told_apart(facts["quizzes"]).capitalize())
    if not facts["figures"]:
        lines.append(f"How much it sounds like you was not measured: `twin eval {facts['name']}` does it.")
    return "\n".join(lines)


def serves(version: str) -> str:
    """What is told when another version was chosen."""
    return f"Version {version} answers from the next message on."


def tries(version: str) -> str:
    """What is told when the owner begins to try a version."""
    return (
        f"Version {version} answers you in this chat from your next message on, and nobody else."
        " /versions has the button that ends it."
    )


def tries_no_more(version: str | None) -> str:
    """What is told when the owner ends that; None: there was nothing to end."""
    return f"Version {version} is not tried any more." if version else "No version is being tried."


def cannot_be_tried(version: str, why: str) -> str:
    """Why a version does not answer the owner's chat, or not any more."""
    return f"Version {version} cannot be tried; the one that serves answers. {why}"


def tried_serves(version: str) -> str:
    """What is told when a version that was tried was promoted."""
    return f"Version {version}, which you tried, serves everybody now: the trial is over."


def tried_is_stale(version: str) -> str:
    """What is told when a version that was tried learned from something forgotten meanwhile."""
    return f"The trial of version {version} is over: it learned from messages that you wanted forgotten."


def why(adapter: str | None, at: datetime, moments: Sequence[tuple[str, Sequence[str]]] | None) -> str:
    """Who wrote a message, and the moments in what it learned that were most like it; None: those are not known."""
    lines = [f"Version {adapter or 'unknown'} wrote that, on {at:%Y-%m-%d at %H:%M} UTC."]
    if moments is not None and not moments:
        lines.append("Nothing that it learned from is like what was asked.")
    for asked, reply in moments or ():
        lines += ["", f"Asked: {_short(asked)}", f"You: {_short(' / '.join(reply))}"]
    return "\n".join(lines)


def settings(values: Mapping[str, tuple[Any, bool]]) -> str:
    """What is set: by name, the value and whether it was set in Telegram."""
    lines = [f"{name}: {value}{' (set here)' if is_set else ''}" for name, (value, is_set) in values.items()]
    return "\n".join([*lines, SETTINGS_USAGE])


def _version_line(facts: Mapping[str, Any]) -> str:
    state = f" ({facts['state']})" if facts["state"] else ""
    fidelity = facts["figures"].get("Fidelity")
    told = [f"fidelity {_number(fidelity)}"] if fidelity is not None else []
    told += [told_apart(facts["quizzes"])] if facts["quizzes"] else []
    return f"{facts['name']}{state}" + (f": {', '.join(told)}" if told else "")


def _held_out(metrics: Mapping[str, Any]) -> list[str]:
    return [
        f"Held-out {name.removeprefix('val_').replace('_', ' ')}: {_number(value)}"
        for name, value in metrics.items()
        if name.startswith("val_") and isinstance(value, int | float)
    ]


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"


def _called(user_id: int, name: str | None) -> str:
    return f"{name} (user {user_id})" if name else f"User {user_id}"


def _outcome(result: Mapping[str, Any]) -> str:
    version, reason = result.get("version", ""), result.get("reason", "")
    because = f": {reason}" if reason else ""
    if result.get("promoted"):
        return f"The training is done. Version {version} answers from the next message on{because}."
    return f"The training is done. Version {version} does not serve{because}."


def _steps(progress: Mapping[str, Any]) -> str:
    parts = []
    if progress.get("steps"):
        step, steps = progress.get("step", 0), progress["steps"]
        parts.append(f"step {step} of {steps} ({100 * step // steps} %)")
    if progress.get("loss") is not None:
        parts.append(f"loss {_number(progress['loss'])}")
    if progress.get("seconds_left") is not None:
        parts.append(f"{_duration(progress['seconds_left'])} left")
    return f": {', '.join(parts)}" if parts else ""


def _number(value: float) -> str:
    return f"{value:.3g}" if isinstance(value, float) else f"{value:,}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min"
    return f"about {seconds / 3600:.1f} h"
