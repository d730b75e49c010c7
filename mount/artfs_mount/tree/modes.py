"""What a version shows of modes and owners: never more to anybody than what was written showed him.

The catalog keeps the mode bits of each file, and of each version one user, to whom all in it belonged; it keeps no
group. So the bits of the group count for others only where others have them too, and those of others only where the
group has them: whoever was in the group is one of the others now.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from artfs.content.tree import EntryKind
from artfs.linux import users
from artfs_mount.tree.blocking import Blocking, Slow
from artfs_mount.tree.node import Owner

if TYPE_CHECKING:
    from artfs.catalog.catalog import Catalog

_READ_ONLY: Final = 0o555


@dataclass(frozen=True, slots=True)
class Modes:
    """How modes are shown.

    group: the one that all versions belong to, where a home is shared with it: its members can read the store as well.
    """

    group: int | None = None

    def file(self, mode: int) -> int:
        """The mode of a file, with its type. Its owner can always read it: nobody could change that in a version."""
        return stat.S_IFREG | stat.S_IRUSR | self._bits(mode)

    def directory(self, mode: int) -> int:
        """The mode of a directory, with its type."""
        return stat.S_IFDIR | stat.S_IRUSR | stat.S_IXUSR | self._bits(mode)

    def of_all(self, modes: Iterable[tuple[int, int]]) -> int:
        """The mode of a text that tells of all in a version: only who may read all of it may read that.

        modes: the kind and mode of each entry.
        """
        common = 0o444
        for kind, mode in modes:
            if kind == EntryKind.FILE:
                common &= mode
            elif kind == EntryKind.DIRECTORY:
                common &= mode & mode << 2
        return self.file(common)

    def _bits(self, mode: int) -> int:
        bits = mode & _READ_ONLY
        others = bits & bits >> 3 & 0o7
        group = bits >> 3 & 0o7 if self.group is not None else others
        return bits & 0o700 | group << 3 | others


class Owners:
    """Whom the users of a catalog are on this machine. What was found once holds as long as the daemon lives.

    own: whom versions of the daemon's user belong to; None where its usual group will do, as that gets no bits.
    """

    def __init__(self, catalog: Callable[[], Catalog], group: int | None, blocking: Blocking) -> None:
        self._catalog = catalog
        self._blocking = blocking
        self._group = group
        self._found: dict[int, Owner | None] = {}
        self.own = None if group is None else Owner(os.geteuid(), group)

    def of(self, user_id: int) -> Owner | None:
        """The owner that a user id stands for; None for the daemon's user, and for whom this machine does not know."""
        if user_id not in self._found:
            self._found[user_id] = self._find(user_id)
        return self._found[user_id]

    def known(self, user_id: int | None) -> int:
        """The user id if it stands for an owner of this machine other than the daemon's user, else 0."""
        return user_id if user_id is not None and self.of(user_id) is not None else 0

    def _find(self, user_id: int) -> Owner | None:
        self._blocking.check(Slow.QUERY)  # the system may ask a directory on the network who this is
        row = self._catalog().users.by_id(user_id)
        user = users.by_name(row.name) if row is not None else None
        if user is None or user.uid == os.geteuid():
            return None
        return Owner(user.uid, user.gid if self._group is None else self._group)
