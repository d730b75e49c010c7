"""How the writers of a draft are doing, and what of that the rule asks."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import NamedTuple

from artfs_mount.incoming.complete.process import UNKNOWN, Ending, How, Process


class Doing(StrEnum):
    """How a process is doing."""

    RUNS = "runs"
    STOPPED = "stopped"
    """By a signal (SIGSTOP, Ctrl-Z) or a debugger: it does nothing, and may go on at any time."""
    ENDED = "ended"
    UNSEEN = "unseen"
    """It may run, for all that is known."""


class Writer(NamedTuple):
    """A process that changed a draft, and how it is doing.

    ending: how it ended, if it has. world_size: of how many processes that write together it is one, by its
    environment; None where that says nothing.
    """

    process: Process
    doing: Doing
    ending: Ending = UNKNOWN
    world_size: int | None = None


def all_ended(writers: Collection[Writer], except_for: Collection[int] = ()) -> bool:
    """Whether all are known to have ended, leaving out processes that do nothing but wait for the answer."""
    return all(writer.doing is Doing.ENDED or writer.process.pid in except_for for writer in writers)


def all_ended_well(writers: Collection[Writer]) -> bool:
    """Whether all are known to have ended with exit status 0."""
    return all(writer.doing is Doing.ENDED and writer.ending == Ending(How.EXITED, 0) for writer in writers)


def stopped(writers: Collection[Writer]) -> list[Writer]:
    """Those that are stopped."""
    return [writer for writer in writers if writer.doing is Doing.STOPPED]


def killed(writers: Collection[Writer]) -> list[Writer]:
    """Those that a signal has ended."""
    return [writer for writer in writers if writer.ending.how is How.KILLED]


def failed(writers: Collection[Writer]) -> list[Writer]:
    """Those that have ended by themselves with an exit status other than 0."""
    return [writer for writer in writers if writer.ending.how is How.EXITED and writer.ending.code]


def world_size(writers: Collection[Writer]) -> int | None:
    """Of how many processes that write together they are; None where nothing says so."""
    return max((writer.world_size for writer in writers if writer.world_size is not None), default=None)
