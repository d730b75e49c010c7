"""What is known of a draft, its paths and its open files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from artfs_mount.incoming.complete.process import Ending, Process


class DraftKind(StrEnum):
    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"


class HandleFacts(NamedTuple):
    """An open file: which, since when, by whom (None: the daemon itself), and whether to write, or only at its end."""

    path: bytes
    since: float
    by: Process | None
    writes: bool
    appends: bool


@dataclass(slots=True)
class PathFacts:
    """What is known of a path, since the draft was last a version.

    changed_at, by: the last change, and whose. made_at, closed_at, arrived_at: when it was made, when a handle that may
    write was last closed, when it was renamed to this path, if ever; origin: the name it had before. in_order: nothing
    in it was written over. appended: all that was written to it came at its end, through handles that can do nothing
    else. failed: why a write to it failed, killed: how a writer ended that a signal killed while it had it open;
    writing it anew clears both. removed_at: when a name in this directory was removed, if ever. checked_at, fault,
    hint, proven: when its format was looked at, what is wrong with it, whether that counts only as long as a writer
    lives, and whether the bytes themselves prove that it is whole. folded: how many paths below are told here, as they
    have no facts of their own any more.
    """

    changed_at: float = -math.inf
    by: Process | None = None
    made_at: float | None = None
    closed_at: float | None = None
    arrived_at: float | None = None
    origin: bytes | None = None
    in_order: bool = True
    failed: str | None = None
    killed: Ending | None = None
    appended: bool = False
    removed_at: float | None = None
    checked_at: float = -math.inf
    fault: str | None = None
    hint: bool = False
    proven: bool = False
    folded: int = 0

    @property
    def is_checked(self) -> bool:
        """Whether its format was looked at since it last changed."""
        return self.checked_at >= self.changed_at

    def fold(self, below: PathFacts) -> None:
        """Takes over what has to be known of a path below this one."""
        self.changed_at = max(self.changed_at, below.changed_at)
        self.failed = self.failed or below.failed
        self.killed = self.killed or below.killed
        self.fault = self.fault or below.fault
        self.folded += 1 + below.folded


class Sign(StrEnum):
    """What says that a unit is complete."""

    MARKER = "marker"
    """The file that is written last is there."""
    RENAME = "rename"
    """It was renamed from a temporary name."""
    NEXT = "next"
    """The next one of its series was begun."""


@dataclass(slots=True)
class UnitFacts:
    """A directory or file of a draft that completes by itself. sign, at: what says that it is complete, since when.

    A unit that is in a version as it stands has no sign, until it is written anew. has_marker: whether the file that is
    written last is there. is_rotated: whether a program that saves here has removed something from it since. is_stale:
    whether something in it was written again after that file, and before a version had it. is_early: whether that file
    came before others that take the place of older ones; missing: what went of those since, and has not come again.
    """

    sign: Sign | None = None
    at: float = -math.inf
    has_marker: bool = False
    is_rotated: bool = False
    is_stale: bool = False
    is_early: bool = False
    missing: set[bytes] = field(default_factory=set)


class Pin(NamedTuple):
    """A unit whose files are kept: since when, when it had last changed, and what said that it is complete.

    No sign: nothing did yet. It is the newest one of its series, and is complete when the next one begins, which may
    come a moment before, or after, it is removed.
    """

    at: float
    changed_at: float
    sign: Sign | None


class Carried(NamedTuple):
    """What is known of something that is renamed, and of what is in it, by the path from there."""

    paths: Mapping[bytes, PathFacts]
    handles: Mapping[int, HandleFacts]
    units: Mapping[bytes, UnitFacts] = {}
    pinned: Mapping[bytes, Pin] = {}
