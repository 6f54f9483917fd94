"""Child processes that end with their parent, and the wish to stop that a signal brings.

Knows nothing of what the children do; the worker and the supervisor share it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import IO

# Asks Linux to kill this process when its parent dies (prctl(2), PR_SET_PDEATHSIG = 1), which also holds after a
# `kill -9` of the parent, then becomes the command. Done in a process of its own because `preexec_fn` may deadlock
# in a parent with threads, and because a child that watches its parent itself cannot do so while it hangs.
# SIGKILL, since nobody is left to insist: every process of twin is safe to kill at any moment.
_TIED = (
    "import ctypes, os, signal, sys;"
    "ctypes.CDLL(None).prctl(1, signal.SIGKILL);"
    "os.getppid() == int(sys.argv[1]) or os._exit(1);"
    "os.execvp(sys.argv[2], sys.argv[2:])"
)


def start_child(command: Sequence[str], output: int | IO[bytes] | None = None) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own, so that a Ctrl-C reaches only us; on Linux it dies when we die.

    Args:
        command: program and arguments.
        output: where stdout and stderr go together; None leaves them where ours go.

    Returns:
        the process; its id is the command's own. Start it from a thread that lives as long as the child shall:
        Linux takes the end of that thread for the death of the parent.
    """
    tie = [sys.executable, "-I", "-S", "-c", _TIED, str(os.getpid())] if sys.platform == "linux" else []
    return subprocess.Popen(
        [*tie, *command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        start_new_session=True,
    )


def stop_children(children: Iterable[subprocess.Popen[bytes]], grace_seconds: float) -> None:
    """End children: SIGTERM to all, wait, then SIGKILL to what remains with everything it started."""
    running = [child for child in children if child.poll() is None]
    for child in running:
        child.terminate()
    deadline = time.monotonic() + grace_seconds
    for child in running:
        try:
            child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()


class StopRequest:
    """Whether this process was asked to stop; waiting for it ends at once when it is."""

    def __init__(self) -> None:
        # SimpleQueue.put may interrupt itself, so a signal handler may call it; Event.set may not.
        self._wakeups: SimpleQueue[None] = SimpleQueue()
        self._requested = False

    @property
    def requested(self) -> bool:
        """Whether somebody asked."""
        return self._requested

    def request(self) -> None:
        """Ask; safe from signal handlers and other threads."""
        self._requested = True
        self._wakeups.put(None)

    def wait(self, seconds: float) -> bool:
        """Sleep until asked, at most so long; returns whether somebody asked."""
        if not self._requested:
            with suppress(Empty):
                self._wakeups.get(timeout=seconds)
        return self._requested

    @contextmanager
    def on_signals(self) -> Iterator[StopRequest]:
        """Let SIGTERM, SIGINT and a closed terminal ask; a signal that is ignored (nohup) stays ignored."""
        before = {
            number: signal.signal(number, lambda *_: self.request())
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
            if signal.getsignal(number) is not signal.SIG_IGN
        }
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
