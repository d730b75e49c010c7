"""Which process is behind a request, how it is doing, how it lets go of a file, and how it ended.

FUSE tells the thread that makes a request. It is looked up once, and believed for a while to be a thread of the same
process; the main thread of a process that is watched is so until that ends.
"""

from __future__ import annotations

import resource
import time
from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import TypeVar

from artfs.linux.processes import environment_variable, is_kernel_thread, process_of, start_time, state_of
from artfs_mount.incoming.complete.process import UNKNOWN, UNSEEN, Ending, How, Process
from artfs_mount.incoming.complete.writers import Doing, Writer
from artfs_mount.incoming.watched import Watched

THREAD_SECONDS = 2.0
"""For how long a thread's number is believed to be the same thread's."""
THREADS_REMEMBERED = 2_000
PROCESSES_WATCHED = 4096
SHARE_OF_DESCRIPTORS = 16
"""One in so many of those that this process may have is for watching."""
ENDINGS_REMEMBERED = 4096
WORLD_SIZE = "WORLD_SIZE"
"""What torchrun, DeepSpeed and Accelerate call the number of processes that they start."""
LARGEST_WORLD = 100_000

Value = TypeVar("Value")


class Processes:
    """Finds the processes of threads, and watches those that write. Only the event loop's thread uses it."""

    def __init__(self) -> None:
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        share = limit // SHARE_OF_DESCRIPTORS if limit != resource.RLIM_INFINITY else PROCESSES_WATCHED
        self._watched = Watched(min(share, PROCESSES_WATCHED))
        self._threads: dict[int, tuple[float, Process | None]] = {}
        self._endings: OrderedDict[Process, Ending] = OrderedDict()
        self._world_sizes: OrderedDict[Process, int] = OrderedDict()

    def of(self, thread: int) -> Process | None:
        """The process of a thread, 0 being one that this process cannot see; None for the kernel itself."""
        now = time.monotonic()
        known = self._threads.get(thread)
        if known is not None:
            at, process = known
            if now - at < THREAD_SECONDS or (process and process.pid == thread and process in self._watched):
                return process
        if len(self._threads) > THREADS_REMEMBERED:
            self._threads.clear()
        process = _find(thread) if thread else UNSEEN
        self._threads[thread] = now, process
        return process

    def writer(self, thread: int) -> Process | None:
        """The same of a thread that changes something: its process is watched from now on, if that can be done."""
        process = self.of(thread)
        if process is not None and process.started is not None and not self._watched.keeps(process):
            self._watch(process)
        return process

    def fileno(self) -> int:
        """A descriptor that is readable when `ended` has something to tell."""
        return self._watched.fileno()

    def ended(self) -> list[tuple[Process, Ending]]:
        """Which writers have ended since the last time, and how. One may be told twice: at first as UNKNOWN."""
        told = self._watched.ended()
        for process, ending in told:
            self._threads.pop(process.pid, None)
            _remember(self._endings, process, ending, ENDINGS_REMEMBERED)
        return told

    def ending_of(self, process: Process | None) -> Ending:
        """How a process is doing that lets go of a file: to be asked while it does, as it may be gone a moment later.

        Another process may do so that has the file from it, when it has ended itself: then this is how it did.
        """
        if process is None or process.started is None:
            return UNKNOWN
        try:
            state = state_of(process.pid)
        except OSError:
            return UNKNOWN
        if state is None or state.started != process.started:
            return self._endings.get(process) or self._watched.ending_of(process)
        if not state.is_exiting:
            return Ending(How.CLOSED)
        return UNKNOWN if state.exit_status is None else Ending.of(state.exit_status)

    def look(self, processes: Collection[Process], endings: Mapping[Process, Ending]) -> list[Writer]:
        """How processes are doing now. endings: how some of them ended, where that is known."""
        return [self._look(process, endings.get(process, UNKNOWN)) for process in processes]

    def _look(self, process: Process, ending: Ending) -> Writer:
        if ending == UNKNOWN:
            ending = self._endings.get(process, UNKNOWN)
        doing = Doing.ENDED if ending != UNKNOWN else doing_of(process)
        if doing is Doing.ENDED and ending == UNKNOWN:
            ending = self._watched.ending_of(process)
        return Writer(process, doing, ending, self._world_sizes.get(process))

    def _watch(self, process: Process) -> None:
        if self._watched.add(process):
            size = _world_size(process)
            if size is not None:
                _remember(self._world_sizes, process, size, PROCESSES_WATCHED)


def doing_of(process: Process) -> Doing:
    """How a process is doing, as far as that can be seen."""
    if process.started is None:
        return Doing.UNSEEN
    try:
        state = state_of(process.pid)
    except OSError:
        return Doing.UNSEEN
    if state is None or state.started != process.started or state.has_ended:
        return Doing.ENDED
    return Doing.STOPPED if state.is_stopped else Doing.RUNS


def still_alive(processes: Collection[Process]) -> set[Process]:
    """Those that run, or may for all that is known."""
    return {process for process in processes if doing_of(process) is not Doing.ENDED}


def _find(thread: int) -> Process | None:
    try:
        if is_kernel_thread(thread):
            return None
        process = process_of(thread)
        started = start_time(process) if process else None
    except OSError:  # it may not be looked at, or no descriptor is free for that: no reason not to write
        return UNSEEN
    return UNSEEN if process is None or started is None else Process(process, started)


def _world_size(process: Process) -> int | None:
    try:
        size = int(environment_variable(process.pid, WORLD_SIZE) or "")
    except (OSError, ValueError):
        return None
    return size if 1 <= size <= LARGEST_WORLD else None


def _remember(known: OrderedDict[Process, Value], process: Process, value: Value, most: int) -> None:
    """Keeps what is known of a process, and of so many others at most."""
    known[process] = value
    known.move_to_end(process)
    while len(known) > most:
        known.popitem(last=False)
