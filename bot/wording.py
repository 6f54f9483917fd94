"""What the bot says of itself: greetings, the state of the twin, the course of a training.

Knows nothing of Telegram, the database or the clock: facts in, words out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.engine import Serving
from twin.jobs import Job

COMMANDS = {
    "start": "what this is",
    "help": "the commands",
    "status": "which version answers, and how good it is",
    "reset": "start a fresh conversation",
}
OWNER_COMMANDS = COMMANDS | {"retrain": "train on what is new, and follow it here"}
RETRAIN_USAGE = (
    "/retrain trains on what is new, and lets it serve if it is better; /retrain force lets it serve in any case."
)
FORCED = "Whatever it comes to, it will serve: you forced it."
RESET = "Fresh start: I no longer look at what was said before."


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


def status(serving: Serving | None, metrics: Mapping[str, Any], job: Job | None) -> str:
    """The answer to /status.

    Args:
        serving: None while the model loads.
        metrics: of the serving adapter; those called `val_*` are held-out ones.
        job: the newest training, if there was any.
    """
    lines = []
    if serving is None:
        lines.append("The model is still loading.")
    elif serving.adapter is None:
        lines.append("No trained version answers yet.")
    else:
        lines.append(f"Version {serving.adapter} answers.")
    if serving is not None and serving.refused:
        lines.append(f"The promoted version does not serve. {serving.refused}")
    lines += [
        f"Held-out {name.removeprefix('val_').replace('_', ' ')}: {_number(value)}"
        for name, value in metrics.items()
        if name.startswith("val_") and isinstance(value, int | float)
    ]
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
