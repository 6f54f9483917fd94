"""Work spread over processes: a function applied to chunks, the results in the order of the chunks.

Knows nothing of what the work is. A worker is spawned, not forked, so that threads and open connections of the parent
are none of its business; it reads from a pipe, so that it ends when its parent does, however that ends.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


def cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def uncollected() -> Iterator[None]:
    """No search for cyclic garbage meanwhile: among millions of objects that have none it takes a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def spread(work: Callable[[In], Out], chunks: Sequence[In], workers: int) -> Iterator[Out]:
    """The work on every chunk, in the order of the chunks; with one worker, or one chunk, in this process.

    Args:
        work: a function of a module (it is found there by its name), which does not raise.
        chunks: what can be pickled; smaller than a few megabytes each.

    Raises:
        ChildProcessError: a worker died, for want of memory perhaps.
    """
    workers = min(workers, len(chunks))
    if workers < 2:
        yield from map(work, chunks)
        return
    context = get_context("spawn")
    pipes = []
    children = []
    try:
        for _ in range(workers):
            ours, theirs = context.Pipe()
            child = context.Process(target=_serve, args=(theirs, work), daemon=True)
            with _without_interrupts():
                child.start()
            theirs.close()
            pipes.append(ours)
            children.append(child)
        yield from _hand_out(chunks, pipes)
    except (EOFError, OSError) as error:
        raise ChildProcessError("a worker died") from error
    finally:
        for pipe in pipes:
            pipe.close()  # ends its worker
        for child in children:
            child.join(30)
            child.kill()


def _hand_out(chunks: Sequence[In], pipes: Sequence[Connection]) -> Iterator[Out]:
    """Give every idle worker the next chunk; yield results as soon as those before them are there."""
    todo = iter(enumerate(chunks))
    working: dict[Connection, int] = {}
    done: dict[int, Out] = {}
    following = 0

    def hand_to(pipe: Connection) -> None:
        if (task := next(todo, None)) is not None:
            working[pipe], chunk = task
            pipe.send(chunk)

    for pipe in pipes:
        hand_to(pipe)
    while working:
        for ready in wait(list(working)):
            assert isinstance(ready, Connection)
            done[working.pop(ready)] = ready.recv()
            hand_to(ready)
        while following in done:
            yield done.pop(following)
            following += 1


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """A child that starts inherits the mask: a Ctrl-C never finds it half-way through its imports."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe: Connection, work: Callable[[In], Out]) -> None:
    """The life of a worker: chunk in, result out, until the pipe is closed."""
    with suppress(EOFError, OSError):
        while True:
            pipe.send(work(pipe.recv()))
