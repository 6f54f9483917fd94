"""Several processes for one training, started by `accelerate launch` and watched until all have ended.

Knows nothing of what they do or of torch: it starts them, passes on a wish to stop, and says in one sentence what went
wrong. Run as a module it is the launcher itself: accelerate's, without its tracebacks.

    twin train                   this machine's front: signals in, exit code out
      training.launch            accelerate's launcher; dies with the front
        twin train --part-of ... process 0: what `twin train` is when it is alone
        twin train --part-of ... process 1: takes its share of every step; dies with the launcher
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from training.deepspeed_file import check as check_deepspeed
from training.processes import cores
from twin.errors import SettingsError, TrainingError, TwinError
from twin.processes import StopRequest, start_child, stop_children
from twin.sections import Train
from twin.settings import Settings

_FIRST = "first.pid"
_ENDS = "ends.json"
_SEEN_EVERY = 0.2
_SECONDS_TO_END = 10.0


def processes_here(how: Train) -> int:
    """How many processes this machine gives: as set, else one for each GPU, else one."""
    if how.processes is not None:
        return how.processes
    from torch.cuda import device_count

    return max(1, device_count())


def command(how: Train, here: int, folder: Path, arguments: Sequence[str]) -> list[str]:
    """The command line of the launcher.

    Args:
        here: processes on this machine; every machine has as many.
        folder: for notes between the front, the launcher and the processes.
        arguments: of `twin train`.

    Raises:
        SettingsError: there are several machines, and nothing says where the first one listens.
    """
    flags = ["--multi_gpu", "--num_processes", str(here * how.machines), "--num_machines", str(how.machines)]
    flags += ["--machine_rank", str(how.machine), "--mixed_precision", "no", "--dynamo_backend", "no"]
    flags += ["--num_cpu_threads_per_process", str(max(1, cores() // here))]
    if how.machines > 1:
        host, _, port = (how.main_address or "").rpartition(":")
        if not host or not port.isdigit():
            raise SettingsError(
                "Training on several machines needs the first one's address",
                'set train.main_address to "host:port" on all of them, and train.machine to 0, 1, ...',
            )
        flags += ["--main_process_ip", host, "--main_process_port", port, "--same_network"]
    return [
        *(sys.executable, "-m", "training.launch", str(folder)),
        *(*flags, "--module", "twin", "train", "--part-of", str(folder), *arguments),
    ]


def start(settings: Settings, here: int, arguments: Sequence[str], stop: StopRequest) -> int:
    """Run a training in several processes; returns the exit code of the first, which has printed what it came to.

    A stop lets the first process end the run after the step that all are at; asked for twice, all end at once.

    Raises:
        SettingsError: DeepSpeed is to share out the base model, and is not there or cannot.
        TrainingError: it failed, or one of the processes died; whichever sentence comes first in that.
    """
    check_deepspeed(settings.train)
    with tempfile.TemporaryDirectory(prefix="training-", dir=settings.home) as name:
        folder = Path(name)
        launcher = start_child(command(settings.train, here, folder, arguments))
        try:
            _watch(launcher, folder, stop)
        finally:
            stop_children([launcher], _SECONDS_TO_END)
        ends = _read(folder / _ENDS) or {}
        if not ends and not launcher.returncode:
            return 0
        if ends.get("0") == 130:
            return 130
        raise reason(folder, {int(rank): code for rank, code in ends.items()}, here * settings.train.machines)


def _watch(launcher: subprocess.Popen[bytes], folder: Path, stop: StopRequest) -> None:
    """Until the launcher ends; passes a wish to stop on to the first process, once."""
    told = False
    while launcher.poll() is None:
        stop.wait(_SEEN_EVERY) if not stop.requested else _pause(launcher)
        if stop.requested and not told and (first := _read(folder / _FIRST)):
            with suppress(ProcessLookupError):
                os.kill(int(first), signal.SIGTERM)
            told = True


def _pause(launcher: subprocess.Popen[bytes]) -> None:
    with suppress(subprocess.TimeoutExpired):
        launcher.wait(_SEEN_EVERY)


def reason(folder: Path, ends: dict[int, int], count: int) -> TwinError:
    """Why processes ended, from their exit codes (negative: the signal that killed one) and what they noted.

    One that was killed comes first: the others only lost touch with it. Then a sentence that one of them noted.
    """
    for rank, code in sorted(ends.items()):
        if code < 0 and -code != signal.SIGTERM:
            return TrainingError(
                f"Process {rank + 1} of {count} was killed ({signal.Signals(-code).name})",
                "free some memory or set a smaller base.model, then train again: it goes on from the last checkpoint",
            )
    notes = [note for rank in range(count) if (note := _read(folder / f"{rank}.json"))]
    for note in sorted(notes, key=lambda note: not note["foreseen"]):
        return TrainingError(note["problem"], note["remedy"])
    return TrainingError(
        f"Training in {count} processes ended without a result",
        "set train.processes = 1 and run `twin --verbose train` to see why",
    )


def note_first(folder: Path) -> None:
    """Let the front know which process is the first."""
    _write(folder / _FIRST, os.getpid())


def note_end(folder: Path, rank: int, count: int, error: Exception) -> None:
    """Note why a process ends; of what nobody foresaw only its kind, since its words might quote a message."""
    if isinstance(error, TwinError):
        _write(folder / f"{rank}.json", {"problem": error.problem, "remedy": error.remedy, "foreseen": True})
        return
    problem = f"Something unforeseen in process {rank + 1} of {count}, {type(error).__name__}"
    remedy = "set train.processes = 1 and run `twin --verbose train` to see why"
    _write(folder / f"{rank}.json", {"problem": problem, "remedy": remedy, "foreseen": False})


def _write(path: Path, value: Any) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value))
    part.replace(path)


def _read(path: Path) -> Any:
    return json.loads(path.read_text()) if path.exists() else None


def main(folder: Path, arguments: Sequence[str]) -> int:
    """The launcher: accelerate's own, which finds a free port, starts the processes and ends all when one fails.

    On one machine the port is chosen by the socket that listens on it, so nobody can take it in between.
    """
    from accelerate.commands.launch import launch_command, launch_command_parser
    from torch.cuda import is_available
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    logging.getLogger("torch.distributed").setLevel(logging.CRITICAL)
    parsed = launch_command_parser().parse_args(list(arguments))
    if parsed.num_machines == 1:
        parsed.standalone = True
        parsed.main_process_port = 0
        if not is_available():
            os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
    if not is_available():
        os.environ["ACCELERATE_USE_CPU"] = "true"
    try:
        launch_command(parsed)
    except ChildFailedError as error:
        _write(folder / _ENDS, {rank: failure.exitcode for rank, failure in error.failures.items()})
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2:]))
