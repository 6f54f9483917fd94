"""`twin up`: keeps worker and bot running as children, restarts what crashes, stops both together.

Knows nothing of what they do; it sees command lines, exit codes and lines of output.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from twin.errors import TwinError
from twin.log import log_to_file, passed_on, redact
from twin.processes import StopRequest, start_child, stop_children
from twin.settings import load_settings

log = logging.getLogger(__name__)
NEEDS_A_PERSON = 2  # the exit code of a TwinError: starting again would only say the same again
GRACE_SECONDS = 40.0  # more than the worker grants a training (30 s), so that the job gets back into the queue
POLL_SECONDS = 0.2


@dataclass
class Backoff:
    """How long to wait before the next start, in seconds: doubling, forgiven after a good run."""

    first: float = 1.0
    longest: float = 60.0
    good_run: float = 60.0
    _next: float = field(default=0.0, init=False)

    def after(self, ran_seconds: float) -> float:
        """The pause after a run that lasted so long."""
        if ran_seconds >= self.good_run or self._next == 0.0:
            self._next = self.first
        pause, self._next = self._next, min(self._next * 2, self.longest)
        return pause


class _Charge:
    """One supervised command: its process, the thread that passes its output on, and when it may start again."""

    def __init__(self, name: str, command: Sequence[str], backoff: Backoff, say: Callable[[str], None]) -> None:
        self.name = name
        self.process: subprocess.Popen[bytes] | None = None
        self.start_at = -float("inf")
        self.last_error = ""
        self._command = command
        self._backoff = backoff
        self._say = say
        self._started_at = 0.0
        self._reader: threading.Thread | None = None

    def start(self, now: float) -> None:
        self.process = start_child(self._command, output=subprocess.PIPE)
        self._started_at = now
        self._reader = threading.Thread(target=self._pass_on, args=[self.process], daemon=True)
        self._reader.start()

    def ended(self, now: float) -> int | None:
        """The exit code if it just ended; then its output has been read and the next start is set."""
        if self.process is None or (code := self.process.poll()) is None:
            return None
        self.finish_reading()
        self.process = None
        self.start_at = now + self._backoff.after(now - self._started_at)
        return code

    def finish_reading(self) -> None:
        """Wait for the last lines, but not for a grandchild that holds the pipe open."""
        if self._reader is not None:
            self._reader.join(timeout=2.0)

    def _pass_on(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for raw in lines:
                line = redact(raw.decode(errors="replace").rstrip())
                if line.startswith("twin: "):
                    self.last_error = line.removeprefix("twin: ")
                self._say(f"{self.name:<6} | {line}")


class Supervisor:
    """Runs named commands until it is asked to stop, or until one of them needs a person.

    Args:
        commands: name to command line; started in this order.
        stop: ends `run`.
        say: takes one line of output, prefixed with the name of the child that wrote it; never called twice at once.
        backoff: makes the pauses of one child.
        grace_seconds: how long children may take to stop before they are killed.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        commands: Mapping[str, Sequence[str]],
        stop: StopRequest,
        *,
        say: Callable[[str], None],
        backoff: Callable[[], Backoff] = Backoff,
        grace_seconds: float = GRACE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        speaking = threading.Lock()

        def say_alone(line: str) -> None:
            with speaking:
                say(line)

        self._charges = [_Charge(name, command, backoff(), say_alone) for name, command in commands.items()]
        self._stop = stop
        self._grace = grace_seconds
        self._clock = clock

    def run(self) -> None:
        """Keep the children running.

        Raises:
            GaveUp: a child ended with the exit code of a TwinError; the others have been stopped.
        """
        try:
            while not self._stop.requested:
                for charge in self._charges:
                    self._tend(charge)
                self._stop.wait(POLL_SECONDS)
        finally:
            stop_children([c.process for c in self._charges if c.process is not None], self._grace)
            for charge in self._charges:
                charge.finish_reading()

    def _tend(self, charge: _Charge) -> None:
        now = self._clock()
        if charge.process is None and now >= charge.start_at:
            charge.start(now)
        code = charge.ended(now)
        if code == NEEDS_A_PERSON:
            raise GaveUp(charge.name, charge.last_error)
        if code is not None:
            log.warning(
                "%s ended (exit code %d); starting it again in %.0f s", charge.name, code, charge.start_at - now
            )


class GaveUp(TwinError):
    """A child said that a person must act; carries the child's own sentence."""

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(f"The {name} cannot run", "see its lines above")
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence or super().__str__()


@click.command()
@click.option(
    "--log-file", type=click.Path(path_type=Path), help="Write what is said here into this file too; it turns."
)
@click.pass_context
def up(context: click.Context, log_file: Path | None) -> None:
    """Run worker and bot together until stopped; a crashed one is restarted.

    Ctrl-C or SIGTERM stops both. When one of them needs you (no token, a wrong setting), both stop and say why.
    """
    load_settings()
    if log_file is not None:
        log_to_file(log_file.expanduser())
    verbose = ["--verbose"] if context.find_root().params.get("verbose") else []
    commands = {name: [sys.executable, "-m", "twin", *verbose, name] for name in ("worker", "bot")}
    with StopRequest().on_signals() as stop:
        Supervisor(commands, stop, say=passed_on.info).run()
