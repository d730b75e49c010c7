"""Directories that hold nothing but links, made of a few rows at once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from artfs_mount.tree.node import DIRECTORY_MODE, FOREVER, Attributes, Directory, Node, no_entry

if TYPE_CHECKING:
    from artfs_mount.tree.context import Context


class LinkDirectory(Directory):
    """A directory of links. What it holds is kept until the catalog changes.

    Args:
        context: What the mount shares.
        ino: Inode number.
        changed_us: When it last got an entry, or what it belongs to began.
    """

    __slots__ = ("_changed_us", "_context")
    name_seconds: ClassVar[float] = FOREVER

    def __init__(self, context: Context, ino: int, changed_us: int) -> None:
        self.ino = ino
        self._context = context
        self._changed_us = changed_us

    def attributes(self) -> Attributes:
        return Attributes(self.ino, DIRECTORY_MODE, 0, self._changed_us * 1000, 1, FOREVER, self.name_seconds)

    def lookup(self, name: bytes) -> Node:
        found = self._links().get(name)
        if found is None:
            raise no_entry(name)
        return found

    def entries(self) -> Sequence[tuple[bytes, Node]]:
        return list(self._links().items())

    @abstractmethod
    def _read(self) -> Mapping[bytes, Node]:
        """What it holds, as of now."""

    def _links(self) -> Mapping[bytes, Node]:
        return self._context.facts.get(("links", self.ino), self._read, lambda links: len(links) + 1)
