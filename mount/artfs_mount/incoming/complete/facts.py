"""What is known of a draft, its paths and its open files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
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
    in it was written over. failed: why a write to it failed, killed: how a writer ended that a signal killed while it
    had it open; writing it anew clears both. folded: how many paths below are told here, as they have no facts of
    their own any more.
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
    folded: int = 0

    def fold(self, below: PathFacts) -> None:
        """Takes over what has to be known of a path below this one."""
        self.changed_at = max(self.changed_at, below.changed_at)
        self.failed = self.failed or below.failed
        self.killed = self.killed or below.killed
        self.folded += 1 + below.folded


class Carried(NamedTuple):
    """What is known of something that is renamed, and of what is in it, by the path from there."""

    paths: Mapping[bytes, PathFacts]
    handles: Mapping[int, HandleFacts]
