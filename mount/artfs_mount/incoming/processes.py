"""Which processes wrote a draft, and whether they have ended."""

from __future__ import annotations

from artfs.processes import is_kernel_thread, process_of, start_time


class Writers:
    """The processes that changed a draft, each with its start time, so that a number used again is not taken for it.

    FUSE tells the thread that makes a request; it is looked up once and remembered as its process.
    """

    def __init__(self) -> None:
        self._threads: set[int] = set()
        self._processes: dict[int, int] = {}
        self._unknown = False

    def add(self, thread: int) -> None:
        """Notes the thread behind a request; 0 is a process that this one cannot see."""
        if thread in self._threads:
            return
        self._threads.add(thread)
        try:
            if thread and is_kernel_thread(thread):
                return
            process = process_of(thread) if thread else None
            started = start_time(process) if process else None
        except OSError:  # it may not be looked at, or no descriptor is free for that: no reason not to write
            process = started = None
        if process is None or started is None:
            self._unknown = True
        else:
            self._processes[process] = started

    def clear(self) -> None:
        """Starts anew: the draft has been sealed."""
        self.__init__()  # type: ignore[misc]

    def have_ended(self, except_for: frozenset[int] = frozenset()) -> bool:
        """Whether all writers are known to have ended, leaving out processes that are waiting for the answer."""
        try:
            return not self._unknown and all(
                process in except_for or start_time(process) != started for process, started in self._processes.items()
            )
        except OSError:
            return False
