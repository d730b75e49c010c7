"""What the kernel tells of processes: whose thread, whose child, since when."""

from __future__ import annotations

import os
from typing import NamedTuple

_EXITING = 0x0000_0004
_FORKED = 0x0000_0040
_KERNEL_THREAD = 0x0020_0000
"""Flags of a process, as the kernel has them in `linux/sched.h`: PF_EXITING, PF_FORKNOEXEC, PF_KTHREAD.

PF_SIGNALED proves nothing: it also stands on the main thread of a process of which another thread has called exit(3).
"""

_STAT_BYTES = 4096
"""More than /proc/<pid>/stat ever has: some fifty numbers and a short name."""


class ProcessState(NamedTuple):
    """How a process is doing.

    started: in clock ticks since boot. has_ended: nothing of it runs any more, but its parent has not waited for it.
    is_stopped: by a signal or a debugger. exit_status: as wait(2) tells it; None until it is exiting, and where it may
    not be seen: of another user's process only root is told.
    """

    started: int
    has_ended: bool
    is_stopped: bool
    is_exiting: bool
    exit_status: int | None


class Kin(NamedTuple):
    """A process among others.

    parent: who started it, or took it over. forked: it still is what its parent was when it forked, and has called no
    exec. started: in clock ticks since boot.
    """

    parent: int
    group: int
    session: int
    forked: bool
    started: int


def kin_of(process: int) -> Kin | None:
    """Whose child a process is, and in which group and session; None when it is gone. Also of a zombie."""
    try:
        fields = _stat_fields(process)
    except OSError:
        return None
    if fields is None:
        return None
    forked = bool(int(fields[6]) & _FORKED)
    return Kin(int(fields[1]), int(fields[2]), int(fields[3]), forked, int(fields[19]))


def is_same_program(one: int, other: int) -> bool:
    """Whether two processes run the same program, as far as this process may know."""
    try:
        return os.path.samestat(os.stat(f"/proc/{one}/exe"), os.stat(f"/proc/{other}/exe"))
    except OSError:
        return False


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
    fields = _stat_fields(process)
    return None if fields is None or _has_ended(fields) else int(fields[19])


def state_of(process: int) -> ProcessState | None:
    """How a process is doing, also one that is a zombie; None when it is gone."""
    fields = _stat_fields(process)
    if fields is None:
        return None
    started, is_exiting = int(fields[19]), bool(int(fields[6]) & _EXITING)
    status = int(fields[49]) if is_exiting else None
    if status == 0 and not (may_be_looked_into(process) and _stat_field(process, 19) == started):
        status = None
    return ProcessState(started, _has_ended(fields), fields[0] in (b"T", b"t"), is_exiting, status)


def _has_ended(fields: list[bytes]) -> bool:
    """Whether no thread is left: the main one is a zombie as soon as it ends, however many others go on."""
    return fields[0] in (b"Z", b"X") and int(fields[17]) <= 1


def may_be_looked_into(process: int) -> bool:
    """Whether the kernel tells this process of another what it tells not everybody, such as its exit status."""
    try:
        os.readlink(f"/proc/{process}/exe")
    except FileNotFoundError:  # it has no program any more, but asking was allowed
        return True
    except OSError:
        return False
    return True


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
