"""`twin up`: what it does with children that crash, that need a person, or that shall stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import is_running
from twin.processes import StopRequest, start_child, stop_children
from twin.settings import Settings, settings_file
from twin.supervisor import Backoff, GaveUp, Supervisor

Eventually = Callable[..., None]
STAYS = "import time; print('up', flush=True); time.sleep(600)"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


class Running:
    """A supervisor in a thread, with the lines it passed on and the error it ended with."""

    def __init__(self, commands: dict[str, list[str]], grace_seconds: float = 30.0) -> None:
        self.lines: list[str] = []
        self.error: Exception | None = None
        self.stop = StopRequest()
        self.supervisor = Supervisor(
            commands,
            self.stop,
            say=self.lines.append,
            backoff=lambda: Backoff(first=0.01, longest=0.05),
            grace_seconds=grace_seconds,
        )
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.supervisor.run()
        except GaveUp as error:
            self.error = error

    def end(self) -> None:
        self.stop.request()
        self.thread.join(60)
        assert not self.thread.is_alive()


@pytest.fixture
def supervise() -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(commands: dict[str, list[str]], **options: float) -> Running:
        started.append(Running(commands, **options))
        return started[-1]

    yield start
    for running in started:
        running.end()


def test_the_pause_doubles_to_a_limit_and_is_forgiven_after_a_good_run() -> None:
    backoff = Backoff()
    assert [backoff.after(0.0) for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert backoff.after(59.0) == 60
    assert backoff.after(60.0) == 1
    assert backoff.after(3.0) == 2


def test_a_crashed_child_is_started_again_after_its_pause_and_the_other_is_left_alone(tmp_path: Path) -> None:
    """With a clock of its own: nothing starts before the pause is over."""
    now = 0.0
    starts = tmp_path / "starts"
    crash = f"open({str(starts)!r}, 'a').write('x'); raise SystemExit(1)"
    supervisor = Supervisor({"worker": python(crash)}, StopRequest(), say=lambda _: None, clock=lambda: now)
    (charge,) = supervisor._charges

    def tend_until_it_ended() -> None:
        supervisor._tend(charge)
        if charge.process is not None:  # a quick one may have ended in the same round
            charge.process.wait(60)
            supervisor._tend(charge)
        assert charge.process is None

    for count, pause in ((1, 1.0), (2, 2.0), (3, 4.0)):
        tend_until_it_ended()
        assert starts.read_text() == "x" * count
        assert charge.start_at == now + pause
        now += pause - 0.1
        supervisor._tend(charge)
        assert charge.process is None
        now += 0.1


def test_a_crashed_child_comes_back_and_the_other_keeps_running(
    supervise: Callable[..., Running], eventually: Eventually
) -> None:
    running = supervise({"worker": python("print('again', flush=True); raise SystemExit(1)"), "bot": python(STAYS)})
    eventually(lambda: running.lines.count("worker | again") >= 3)
    assert running.lines.count("bot    | up") == 1


def test_every_line_says_whose_it_is_and_tokens_are_blotted_out(
    supervise: Callable[..., Running], eventually: Eventually
) -> None:
    token = "123456789:" + "A" * 35
    code = f"import sys, time; print('out'); sys.stdout.flush(); print('{token}', file=sys.stderr); time.sleep(600)"
    running = supervise({"bot": python(code)})
    eventually(lambda: len(running.lines) == 2)
    assert running.lines == ["bot    | out", "bot    | <token>"]


def test_a_child_that_needs_a_person_stops_all_with_its_own_sentence(
    supervise: Callable[..., Running], tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    stays = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); {STAYS}"
    needs = (
        "import pathlib, sys, time\n"
        f"while not pathlib.Path({str(pid)!r}).exists(): time.sleep(0.01)\n"
        "print('twin: There is no token: make one.', file=sys.stderr); sys.exit(2)"
    )
    running = supervise({"worker": python(stays), "bot": python(needs)})
    running.thread.join(60)
    assert isinstance(running.error, GaveUp)
    assert str(running.error) == "There is no token: make one."
    assert "bot    | twin: There is no token: make one." in running.lines
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_a_child_that_will_not_stop_is_killed_after_the_grace(
    supervise: Callable[..., Running], eventually: Eventually
) -> None:
    deaf = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {STAYS}"
    running = supervise({"bot": python(deaf)}, grace_seconds=0.2)
    eventually(lambda: running.lines)
    running.end()
    assert running.error is None


STANDALONE = """
import sys
from twin.processes import StopRequest
from twin.supervisor import Supervisor
with StopRequest().on_signals() as stop:
    child = lambda name: [sys.executable, "-c", sys.argv[1], name]
    say = lambda line: print(line, flush=True)
    Supervisor({name: child(name) for name in ("worker", "bot")}, stop, say=say).run()
"""
LEAVES_CLEANLY = """
import os, signal, sys, time
def leave(*_):
    print("left cleanly", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
signal.signal(signal.SIGINT, lambda *_: print("heard a Ctrl-C", flush=True))
print(os.getpid(), flush=True)
time.sleep(600)
"""


@pytest.fixture
def standalone() -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A supervisor process, and the process ids of its two running children."""
    process = subprocess.Popen(
        [sys.executable, "-c", STANDALONE, LEAVES_CLEANLY], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    yield process, [int(process.stdout.readline().split("|")[1]) for _ in range(2)]
    process.kill()
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_one_signal_to_the_whole_terminal_group_stops_both_cleanly(
    standalone: tuple[subprocess.Popen[str], list[int]], number: signal.Signals
) -> None:
    """A Ctrl-C goes to everything in the terminal's foreground: the children hear only of SIGTERM, and once."""
    process, children = standalone
    os.killpg(process.pid, number)
    lines = process.communicate(timeout=60)[0].splitlines()
    assert sorted(lines) == ["bot    | left cleanly", "worker | left cleanly"]
    assert process.returncode == 0
    for pid in children:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child's life to its parent's")
def test_a_killed_supervisor_takes_its_children_along(
    standalone: tuple[subprocess.Popen[str], list[int]], eventually: Eventually
) -> None:
    process, children = standalone
    assert all(is_running(pid) for pid in children)
    process.kill()
    eventually(lambda: not any(is_running(pid) for pid in children))


def test_what_a_killed_child_started_is_killed_with_it(eventually: Eventually) -> None:
    grandchild = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    family = (
        "import signal, subprocess, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"subprocess.run([sys.executable, '-c', {grandchild!r}])"
    )
    child = start_child(python(family), output=subprocess.PIPE)
    assert child.stdout is not None
    with child.stdout:
        pid = int(child.stdout.readline())
    stop_children([child], grace_seconds=0.1)
    assert child.returncode == -signal.SIGKILL
    eventually(lambda: not is_running(pid))


def test_a_request_to_stop_ends_a_wait_at_once() -> None:
    stop = StopRequest()
    assert stop.wait(0.01) is False
    began = time.monotonic()
    threading.Timer(0.05, stop.request).start()
    assert stop.wait(60) is True
    assert stop.wait(60) is True
    assert time.monotonic() - began < 30


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopRequest().on_signals():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_up_starts_the_two_verbs_and_ends_with_what_a_child_needs(
    home: Settings, run_twin: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, list[str]] = {}

    def run(supervisor: Supervisor) -> None:
        seen.update({charge.name: list(charge._command) for charge in supervisor._charges})
        raise GaveUp("bot", "There is no token: make one.")

    monkeypatch.setattr(Supervisor, "run", run)
    ran = vars(run_twin("--verbose", "up"))
    assert (ran["code"], ran["err"]) == (2, "twin: There is no token: make one.\n")
    assert seen == {name: [sys.executable, "-m", "twin", "--verbose", name] for name in ("worker", "bot")}


def test_up_with_a_wrong_setting_starts_nothing(home: Settings, run_twin: Callable[..., object]) -> None:
    settings_file(home.home).write_text("[worker]\npoll_secnds = 1\n")
    ran = vars(run_twin("up"))
    assert ran["code"] == 2
    assert "did you mean worker.poll_seconds" in ran["err"]
