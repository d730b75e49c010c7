"""Which process is behind a request, whether it has ended, and how it lets go of a file.

FUSE tells the thread that makes a request. It is looked up once, and believed for a while to be a thread of the same
process.
"""

from __future__ import annotations

import time
from collections.abc import Collection

from artfs.linux.processes import is_kernel_thread, process_of, start_time, state_of
from artfs_mount.incoming.complete.process import UNKNOWN, UNSEEN, Ending, How, Process

THREAD_SECONDS = 2.0
"""For how long a thread's number is believed to be the same thread's."""
THREADS_REMEMBERED = 2_000


class Processes:
    """Finds the processes of threads. Only the event loop's thread uses it."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[float, Process | None]] = {}

    def of(self, thread: int) -> Process | None:
        """The process of a thread, 0 being one that this process cannot see; None for the kernel itself."""
        now = time.monotonic()
        known = self._known.get(thread)
        if known is not None and now - known[0] < THREAD_SECONDS:
            return known[1]
        if len(self._known) > THREADS_REMEMBERED:
            self._known.clear()
        process = _look(thread) if thread else UNSEEN
        self._known[thread] = now, process
        return process


def _look(thread: int) -> Process | None:
    try:
        if is_kernel_thread(thread):
            return None
        process = process_of(thread)
        started = start_time(process) if process else None
    except OSError:  # it may not be looked at, or no descriptor is free for that: no reason not to write
        return UNSEEN
    return UNSEEN if process is None or started is None else Process(process, started)


def have_ended(processes: Collection[Process], except_for: Collection[int] = ()) -> bool:
    """Whether all of these are known to have ended, leaving out those that are waiting for the answer."""
    return not any(process.pid not in except_for for process in still_alive(processes))


def still_alive(processes: Collection[Process]) -> set[Process]:
    """Those that run, or may for all that is known."""
    return {process for process in processes if _may_run(process)}


def ending_of(process: Process | None) -> Ending:
    """How a process is doing that lets go of a file: to be asked while it does, as it may be gone a moment later."""
    if process is None or process.started is None:
        return UNKNOWN
    try:
        state = state_of(process.pid)
    except OSError:
        return UNKNOWN
    if state is None or state.started != process.started:
        return UNKNOWN
    if state.was_killed:
        return Ending(How.KILLED, state.exit_code & 0x7F)
    return Ending(How.EXITED, state.exit_code >> 8) if state.is_exiting else Ending(How.CLOSED)


def _may_run(process: Process) -> bool:
    try:
        return process.started is None or start_time(process.pid) == process.started
    except OSError:
        return True
