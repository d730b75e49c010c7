"""The processes behind what happens to a draft."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Process(NamedTuple):
    """A process, with its start time, so that a number used again is not taken for it; None where it cannot be seen."""

    pid: int
    started: int | None


UNSEEN = Process(0, None)
"""Any process of which nothing can be known, such as one of another PID namespace."""


class How(StrEnum):
    """How a process let go of a file, or ended."""

    CLOSED = "closed"
    """It goes on."""
    EXITED = "exited"
    """By itself."""
    KILLED = "killed"
    """By a signal."""
    UNKNOWN = "unknown"
    """It cannot be seen."""


class Ending(NamedTuple):
    """How a process let go of a file, or ended. code: the exit status, or the number of the signal."""

    how: How
    code: int | None = None

    @classmethod
    def of(cls, status: int) -> Ending:
        """What an exit status says, as wait(2) tells it."""
        signal = status & 0x7F
        return cls(How.KILLED, signal) if signal else cls(How.EXITED, status >> 8 & 0xFF)


UNKNOWN = Ending(How.UNKNOWN)
