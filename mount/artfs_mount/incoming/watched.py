"""Processes that are watched until they end: how each did is known then, whoever its parent is.

A descriptor of each (pidfd) is registered with one epoll descriptor, which is readable when one of them has ended.
There are so many at most; the one asked for longest ago goes first, and is a process like any other then.
"""

from __future__ import annotations

import select
from collections import OrderedDict

from artfs.linux.pidfd import Pidfd
from artfs.linux.processes import start_time, state_of
from artfs_mount.incoming.complete.process import UNKNOWN, Ending, Process


class Watched:
    """A table of watched processes. Only the event loop's thread uses it. most: how many there may be."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: OrderedDict[Process, Pidfd] = OrderedDict()
        self._numbers: dict[int, Process] = {}
        self._epoll: select.epoll | None = None

    def __len__(self) -> int:
        return len(self._open)

    def fileno(self) -> int:
        """A descriptor that is readable when `ended` has something to tell."""
        return self._events().fileno()

    def __contains__(self, process: Process) -> bool:
        return process in self._open

    def keeps(self, process: Process) -> bool:
        """Whether a process is watched. It will be for longer than those that are not asked for."""
        if process not in self._open:
            return False
        self._open.move_to_end(process)
        return True

    def add(self, process: Process) -> bool:
        """Watches a process; answers whether that can be done."""
        if self._most < 1:
            return False
        try:
            pidfd = Pidfd(process.pid)
            if start_time(process.pid) != process.started:
                return False  # it has ended, and the descriptor may mean another one
            while len(self._open) >= self._most:
                self._drop(next(iter(self._open)))
            self._events().register(pidfd, select.EPOLLIN)
        except OSError:  # no descriptor is free, or the process is gone
            return False
        self._open[process] = pidfd
        self._numbers[pidfd.fileno()] = process
        return True

    def ended(self) -> list[tuple[Process, Ending]]:
        """Who has ended since the last time, and how.

        What only the parent may know yet is told as UNKNOWN, and once more when the parent has waited for it.
        """
        if not self._open:
            return []
        told = []
        for number, events in self._events().poll(0, len(self._open)):
            process = self._numbers[number]
            pidfd = self._open[process]
            ending = _ending(process, pidfd)
            if ending is None and not events & select.EPOLLHUP:
                self._events().modify(pidfd, 0)  # EPOLLHUP is told all the same
            else:
                self._drop(process)
            told.append((process, ending or UNKNOWN))
        return told

    def ending_of(self, process: Process) -> Ending:
        """How a process has ended, as far as that can be known, before `ended` tells it; watched or not."""
        return _ending(process, self._open.get(process)) or UNKNOWN

    def _events(self) -> select.epoll:
        if self._epoll is None:
            self._epoll = select.epoll()
        return self._epoll

    def _drop(self, process: Process) -> None:
        pidfd = self._open.pop(process)
        del self._numbers[pidfd.fileno()]
        # By closing alone it would stay registered as long as a child that is being started has a copy.
        self._events().unregister(pidfd)
        pidfd.close()


def _ending(process: Process, pidfd: Pidfd | None) -> Ending | None:
    """How a process has ended; None where only its parent can know that, until it has waited for it."""
    status = _status(pidfd)
    if status is None:
        try:
            state = state_of(process.pid)
        except OSError:
            return None
        if state is not None and state.started == process.started:
            status = state.exit_status
            return None if status is None else Ending.of(status)
        status = _status(pidfd)  # it may just have been waited for
    return UNKNOWN if status is None else Ending.of(status)


def _status(pidfd: Pidfd | None) -> int | None:
    return None if pidfd is None else pidfd.exit_status()
