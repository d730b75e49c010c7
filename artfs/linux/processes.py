"""What the kernel tells of processes: whose thread, whose child, since when."""

from __future__ import annotations

import os
from typing import NamedTuple

_EXITING = 0x0000_0004
_SIGNALED = 0x0000_0400
_KERNEL_THREAD = 0x0020_0000
"""Flags of a process, as the kernel has them in `linux/sched.h`: PF_EXITING, PF_SIGNALED, PF_KTHREAD."""

_STAT_BYTES = 4096
"""More than /proc/<pid>/stat ever has: some fifty numbers and a short name."""


class ProcessState(NamedTuple):
    """How a process is doing.

    started: in clock ticks since boot. exit_code: as wait(2) tells it; 0 until it ends, and where it may not be seen.
    """

    started: int
    is_exiting: bool
    was_killed: bool
    exit_code: int


def ancestors(thread: int) -> frozenset[int]:
    """The process of a thread and all its parents up to, not including, the first process."""
    found: set[int] = set()
    process = process_of(thread)
    while process and process > 1 and process not in found:
        found.add(process)
        process = _stat_field(process, 1)
    return frozenset(found)


def process_of(thread: int) -> int | None:
    """The process that a thread belongs to, or None when it is gone."""
    try:
        with open(f"/proc/{thread}/status", "rb") as lines:
            for line in lines:
                if line.startswith(b"Tgid:"):
                    return int(line.split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None


def groups_of(thread: int, uid: int) -> frozenset[int]:
    """The supplementary groups of a thread; none when it is gone, or is no more the one of that user."""
    found: frozenset[int] = frozenset()
    try:
        with open(f"/proc/{thread}/status", "rb") as lines:
            for line in lines:
                if line.startswith(b"Uid:") and int(line.split()[4]) != uid:
                    return frozenset()
                if line.startswith(b"Groups:"):
                    found = frozenset(map(int, line.split()[1:]))
    except (FileNotFoundError, ProcessLookupError):
        return frozenset()
    return found


def umask() -> int:
    """The mask of this process. To read it by setting it would change what other threads make meanwhile."""
    with open("/proc/self/status", "rb") as lines:
        return next(int(line.split()[1], 8) for line in lines if line.startswith(b"Umask:"))


def is_kernel_thread(thread: int) -> bool:
    """Whether the kernel itself asks: its writeback brings sizes and times that a program has long been done with."""
    fields = _stat_fields(thread)
    return fields is not None and bool(int(fields[6]) & _KERNEL_THREAD)


def start_time(process: int) -> int | None:
    """When a process was started, in clock ticks since boot; None when it is gone or a zombie."""
    state = _stat_fields(process)
    return None if state is None or state[0] in (b"Z", b"X") else int(state[19])


def state_of(process: int) -> ProcessState | None:
    """How a process is doing, also one that is a zombie; None when it is gone."""
    fields = _stat_fields(process)
    if fields is None:
        return None
    flags = int(fields[6])
    return ProcessState(int(fields[19]), bool(flags & _EXITING), bool(flags & _SIGNALED), int(fields[49]))


def _stat_field(process: int, index: int) -> int | None:
    fields = _stat_fields(process)
    return None if fields is None else int(fields[index])


def _stat_fields(process: int) -> list[bytes] | None:
    """The fields of /proc/<pid>/stat that follow the command's name, which may itself hold spaces and brackets."""
    try:
        # A mount asks for each file that is written: a file object would take twice as long.
        file = os.open(f"/proc/{process}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError):
        return None
    try:
        return os.read(file, _STAT_BYTES).rpartition(b")")[2].split()
    except ProcessLookupError:
        return None
    finally:
        os.close(file)


def process_group(process: int) -> int | None:
    """The process group of a process, by its leader's number."""
    return _stat_field(process, 2)


def command_line(process: int) -> tuple[str, ...]:
    """The words that a process was started with; empty when it is gone."""
    try:
        with open(f"/proc/{process}/cmdline", "rb") as file:
            return tuple(word.decode("utf-8", "replace") for word in file.read().split(b"\0")[:-1])
    except (FileNotFoundError, ProcessLookupError):
        return ()


def environment_variable(process: int, name: str) -> str | None:
    """A variable of the environment that a process was started with; None when it has none or may not be looked at."""
    wanted = name.encode() + b"="
    try:
        with open(f"/proc/{process}/environ", "rb") as file:
            for entry in file.read().split(b"\0"):
                if entry.startswith(wanted):
                    return entry[len(wanted) :].decode("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    return None
