"""Who holds which end of which pipe."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from artfs.linux.processes import kin_of

_PREFIX = "pipe:["


class PipeEnd(NamedTuple):
    """An end of a pipe that a process holds. pipe: its inode, which no other pipe of this boot has."""

    pipe: int
    reads: bool
    writes: bool


def pipe_ends(process: int) -> list[PipeEnd]:
    """The ends of unnamed pipes that a process holds; none when it is gone or may not be looked at."""
    folder = f"/proc/{process}/fd"
    try:
        numbers = os.listdir(folder)
    except OSError:
        return []
    return [end for number in numbers if (end := _end(f"{folder}/{number}")) is not None]


def processes_in_session(session: int) -> Iterator[tuple[int, int]]:
    """The processes of a session, each with its start time."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            kin = kin_of(int(name))
            if kin is not None and kin.session == session:
                yield int(name), kin.started


def _end(path: str) -> PipeEnd | None:
    try:
        target = os.readlink(path)
        if not target.startswith(_PREFIX):
            return None
        mode = os.lstat(path).st_mode  # of such a link it says how the file is open
    except OSError:
        return None
    return PipeEnd(int(target[len(_PREFIX) : -1]), bool(mode & 0o400), bool(mode & 0o200))
