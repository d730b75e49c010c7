"""Who asks, and what he may do to a draft.

The kernel has checked the file that an order is set on. An order may name another draft: what it does is checked here,
against that draft.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass

from artfs.linux.processes import groups_of


@dataclass(frozen=True)
class Caller:
    """Whoever sends a request. pid: of the thread that makes it; 0 when this process cannot see it."""

    uid: int
    gid: int
    pid: int

    @property
    def is_trusted(self) -> bool:
        """Whether he is root or the daemon's own user, from whom nothing here is kept."""
        return self.uid in (0, os.geteuid())

    def may_write(self, status: os.stat_result) -> bool:
        """Whether he may change a file or directory by its owner and mode; a link only its owner may."""
        if self.is_trusted or status.st_uid == self.uid:
            return True
        wanted = stat.S_IWOTH | stat.S_IXOTH if stat.S_ISDIR(status.st_mode) else stat.S_IWOTH
        return not stat.S_ISLNK(status.st_mode) and self._allowed(status) & wanted == wanted

    def may_look(self, status: os.stat_result) -> bool:
        """Whether he may read or change it."""
        if self.may_write(status):
            return True
        return not stat.S_ISLNK(status.st_mode) and bool(self._allowed(status) & stat.S_IROTH)

    def _allowed(self, status: os.stat_result) -> int:
        """The three bits that count for him, who is not the owner."""
        if status.st_gid == self.gid or status.st_gid in groups_of(self.pid, self.uid):
            return status.st_mode >> 3 & 0o7
        return status.st_mode & 0o7


def check_order(caller: Caller, draft: str, status: os.stat_result) -> None:
    """Raises PermissionError (EACCES) unless the caller may write the draft that an order is about."""
    if not caller.may_write(status):
        raise PermissionError(errno.EACCES, f"{draft}: only those who may write this draft may make a version of it")
