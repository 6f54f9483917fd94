"""What the bot says of itself: greetings, the state of the twin, the course of a training.

Knows nothing of Telegram, the database or the clock: facts in, words out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bot.engine import Serving
from bot.people import Person
from twin.jobs import Job

_SHOWN = 300  # characters of what was said once

COMMANDS = {
    "start": "what this is",
    "help": "the commands",
    "status": "which version answers, and how good it is",
    "reset": "start a fresh conversation",
    "forget": "delete what I keep of our chat",
}
OWNER_COMMANDS = COMMANDS | {
    "retrain": "train on what is new, and follow it here",
    "allow": "let somebody talk to the twin: an id, link, or nothing for the list",
    "deny": "keep somebody out",
    "pause": "answer nobody, from this moment on",
    "resume": "answer again, also what came meanwhile",
    "versions": "what was trained, how good it is, which serves",
    "rollback": "go back to the version that served before",
    "why": "as an answer to a message of the twin's: who wrote it, and after what",
    "settings": "temperature and pacing",
    "business": "what I do in your own chats: nothing, suggest, answer",
}
RETRAIN_USAGE = (
    "/retrain trains on what is new, and lets it serve if it is better; /retrain force lets it serve in any case."
)
FORCED = "Whatever it comes to, it will serve: you forced it."
RESET = "Fresh start: I no longer look at what was said before."
WHO = (
    "Send /allow ID or /deny ID with a Telegram user id, or answer a message that you forwarded from them with /allow"
    " or /deny. /allow link makes an invite."
)
HIDDEN = "Their account hides who wrote what you forward: use their id, or send them what /allow link makes."
NOT_YOURSELF = "You are always allowed: this is your twin."
NO_VERSION = "There is no version yet: /retrain makes the first."
NO_SUCH_VERSION = "There is no such version."
FORGET = "Delete all that I keep of our chat? I will not know any more what we said. That cannot be taken back."
KEPT = "Nothing was deleted."
WHY_USAGE = "Send /why as an answer to a message that the twin wrote."
SETTINGS_USAGE = (
    "/settings temperature 0.8 (0 to 2), /settings pacing owner or fast; the word default goes back to twin.toml."
)


def greeting(owner: str) -> str:
    """The answer to /start."""
    return (
        f"Hi! I am a program that texts like {owner}. Just write to me, as you would to a person. /help has the rest."
    )


def help_text(*, for_owner: bool) -> str:
    """The answer to /help."""
    commands = OWNER_COMMANDS if for_owner else COMMANDS
    return "\n".join(f"/{name} - {what}" for name, what in commands.items())


def untrained(refused: str | None, *, for_owner: bool) -> str:
    """The answer to every message while no trained version serves.

    Args:
        refused: why the promoted version does not serve, as a sentence; None when there is none.
    """
    if not for_owner:
        return "I have not learned to answer yet. Try again another day."
    if refused:
        return f"I cannot answer: the promoted version does not serve. {refused}"
    return "I have not learned to answer yet: send /retrain."


def status(
    serving: Serving | None, metrics: Mapping[str, Any], job: Job | None, paused_since: float | None = None
) -> str:
    """The answer to /status.

    Args:
        serving: None while the model loads.
        metrics: of the serving adapter; those called `val_*` are held-out ones.
        job: the newest training, if there was any.
        paused_since: when the owner paused it, in UTC epoch seconds.
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


def over(limit: str, most: int) -> str:
    """What somebody is told whose message is over a limit; see `Limits`."""
    if limit == "minute":
        return f"I am a program, and I answer at most {most} messages a minute. What is over that stays unanswered."
    if limit == "day":
        return f"I am a program, and I answer you at most {most} messages in 24 hours. That is reached for now."
    return f"I am a program, and I answer at most {most} messages in 24 hours, of everybody. That is reached for now."


def versions(facts: Sequence[Mapping[str, Any]], in_all: int) -> str:
    """The list of versions, newest first; facts: see bot/versions.py."""
    lines = [_version_line(version) for version in facts]
    if in_all > len(facts):
        lines.append(f"... and {in_all - len(facts)} older: `twin adapters list` has them.")
    return "\n".join(lines)


def version(facts: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """One version: its held-out metrics, and what its last report says."""
    lines = [_version_line({**facts, "figures": {}}), *_held_out(metrics)]
    lines += [f"{name}: {_number(value)}" for name, value in facts["figures"].items()]
    if not facts["figures"]:
        lines.append(f"How much it sounds like you was not measured: `twin eval {facts['name']}` does it.")
    return "\n".join(lines)


def serves(version: str) -> str:
    """What is told when another version was chosen."""
    return f"Version {version} answers from the next message on."


def forgotten(count: int) -> str:
    """What somebody is told whose chat was deleted."""
    return f"Deleted: {count} messages. What you wrote to my owner elsewhere is not mine to delete."


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
    return f"{facts['name']}{state}" + (f": fidelity {_number(fidelity)}" if fidelity is not None else "")


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
