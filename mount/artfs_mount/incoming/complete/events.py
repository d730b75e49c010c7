"""What happens to a draft, as values: each says to which path, when, and whose doing it was.

They are told after they have happened; what fails is none of them, but for a write (`Failed`), whose file is not what
its writer thinks. A rename is told as `Left` where something was and `Arrived` where it is now, which may be another
draft; what was known of it goes along. Named tuples, as several are made for each file that is written.
"""

from __future__ import annotations

from typing import NamedTuple

from artfs_mount.incoming.complete.facts import Carried, Pin
from artfs_mount.incoming.complete.paths import name_of
from artfs_mount.incoming.complete.process import UNKNOWN, Ending, Process


class DraftPath(NamedTuple):
    """Where something is: a draft, and the path in it, which is empty for the draft itself."""

    draft: bytes
    path: bytes

    @property
    def name(self) -> bytes:
        """Its own name, without those of the directories that it is in."""
        return name_of(self.path) or self.draft


class Stamp(NamedTuple):
    """When something happened, in seconds of a clock that only grows, and whose doing it was: None is the kernel's."""

    at: float
    by: Process | None


class Made(NamedTuple):
    """A file, directory or link is new."""

    path: bytes
    stamp: Stamp


class Linked(NamedTuple):
    """A file that had the name `origin` has this one too."""

    path: bytes
    stamp: Stamp
    origin: bytes


class Opened(NamedTuple):
    """A file was opened. handle: a number that no other open file of this daemon has or had."""

    path: bytes
    stamp: Stamp
    handle: int
    writes: bool
    appends: bool = False


class Written(NamedTuple):
    """A file is being written; told now and then, not for each write. in_order: so far nothing was written over."""

    path: bytes
    stamp: Stamp
    handle: int
    in_order: bool


class Failed(NamedTuple):
    """A write failed. error: its errno by name, such as ENOSPC."""

    path: bytes
    stamp: Stamp
    error: str


class Truncated(NamedTuple):
    """A file was given a size."""

    path: bytes
    stamp: Stamp
    size: int


class Changed(NamedTuple):
    """Mode, owner or times were set."""

    path: bytes
    stamp: Stamp


class Closed(NamedTuple):
    """A file was closed. ending: how the process that opened it let go of it. in_order: nothing was written over."""

    path: bytes
    stamp: Stamp
    handle: int
    ending: Ending = UNKNOWN
    in_order: bool = True


class Removed(NamedTuple):
    """A name is gone. last: it was the file's last one. also: another one that it has, where that is known."""

    path: bytes
    stamp: Stamp
    last: bool = True
    also: bytes | None = None


class Left(NamedTuple):
    """Something was renamed, and is at `to` now."""

    path: bytes
    stamp: Stamp
    to: DraftPath


class Arrived(NamedTuple):
    """Something was renamed to this path. origin: the name that it had. carried: what was known of it."""

    path: bytes
    stamp: Stamp
    origin: bytes
    carried: Carried
    directory: bool = False


class Checked(NamedTuple):
    """The format of a file was looked at, as it was at that moment. fault: what is wrong with it, in words.

    proven: whether the bytes themselves prove that the file is whole. hint: the fault may be none. Of a directory, what
    it lacks.
    """

    path: bytes
    stamp: Stamp
    fault: str | None
    proven: bool = False
    hint: bool = False


class Pinned(NamedTuple):
    """The files of a unit are kept."""

    path: bytes
    pin: Pin


class Pointed(NamedTuple):
    """A file that names a directory beside it was read. target: that directory's name."""

    path: bytes
    stamp: Stamp
    target: bytes


Stamped = Made | Linked | Opened | Written | Failed | Truncated | Changed | Closed | Removed | Left | Arrived

Event = (
    Made
    | Linked
    | Opened
    | Written
    | Failed
    | Truncated
    | Changed
    | Closed
    | Removed
    | Left
    | Arrived
    | Checked
    | Pinned
    | Pointed
)
