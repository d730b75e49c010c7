"""How directories tell what they hold: all at once, by row ids, or for ids that were read together."""

from __future__ import annotations

from abc import abstractmethod
from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, Final, Generic, Protocol, TypeVar

from artfs_mount.tree import inode
from artfs_mount.tree.node import (
    DIRECTORY_MODE,
    FOREVER,
    Attributes,
    Directory,
    DirectoryEntry,
    Listing,
    TreeNode,
    as_text,
    no_entry,
)

if TYPE_CHECKING:
    from artfs.catalog.listings import Named
    from artfs_mount.tree.context import Context

AFTER_ROWS: Final = 1 << 62
"""Positions of what comes after all rows; a position is a signed 64-bit number."""


class FixedDirectory(Listing):
    """A few names that are all known."""

    def __init__(self, entries: Iterable[tuple[bytes, TreeNode]]) -> None:
        self._entries = list(entries)

    def after(self, position: int, most: int) -> Sequence[DirectoryEntry]:
        piece = self._entries[position : position + most]
        return [DirectoryEntry(at, name, node) for at, (name, node) in enumerate(piece, position + 1)]


class HasId(Protocol):
    """A row."""

    @property
    def id(self) -> int: ...


R = TypeVar("R", bound=HasId)


class Rows(Listing, Generic[R]):
    """Names that are rows of the catalog, in their order there: the position is the row's id, and nothing is held.

    Args:
        context: What the mount shares.
        read: Reads the rows after the one of an id, 0 at the beginning, so many at most.
        entry: Makes a row's name and node.
        last: Makes the names that come after all rows.
        is_quick: A piece is one query that an index answers, and what is made of it needs no other: under a
            millisecond.
    """

    def __init__(
        self,
        context: Context,
        read: Callable[[int, int], Sequence[R]],
        entry: Callable[[R], tuple[bytes, TreeNode]],
        last: Callable[[], Iterable[tuple[bytes, TreeNode]]] = lambda: (),
        *,
        is_quick: bool = False,
    ) -> None:
        self._context = context
        self._read = read
        self._entry = entry
        self._make_last = last
        self._is_quick = is_quick
        self._last: FixedDirectory | None = None

    def after(self, position: int, most: int) -> Sequence[DirectoryEntry]:
        if not self._is_quick or self._context.is_remote:
            self._context.may_wait()
        rows = self._read(position, most) if position < AFTER_ROWS else ()
        piece = [DirectoryEntry(row.id, *self._entry(row)) for row in rows]
        if len(piece) < most:
            if self._last is None:
                self._last = FixedDirectory(self._make_last())
            last = self._last.after(max(0, position - AFTER_ROWS), most - len(piece))
            piece += [DirectoryEntry(AFTER_ROWS + entry.position, entry.name, entry.node) for entry in last]
        return piece


class Numbered(Listing):
    """Names of row ids that were read together: 8 bytes each are held.

    Args:
        context: What the mount shares.
        ids: The ids, in their order.
        entries: Makes the names and nodes of some of them, of as many as are still there.
    """

    def __init__(
        self,
        context: Context,
        ids: Iterable[int],
        entries: Callable[[list[int]], Iterable[tuple[int, bytes, TreeNode]]],
    ) -> None:
        self._context = context
        self._ids = array("q", ids)
        self._entries = entries

    def after(self, position: int, most: int) -> Sequence[DirectoryEntry]:
        self._context.may_wait()
        piece: list[DirectoryEntry] = []
        while len(piece) < most and position < len(self._ids):
            asked = self._ids[position : position + most - len(piece)]
            made = {id_: (name, node) for id_, name, node in self._entries(list(asked))}
            piece += [DirectoryEntry(at, *made[id_]) for at, id_ in enumerate(asked, position + 1) if id_ in made]
            position += len(asked)
        return piece


class HasTime(HasId, Protocol):
    """A row that says when it was made."""

    @property
    def created_us(self) -> int: ...


class TableDirectory(Directory):
    """A directory at the top of the mount, whose names are the rows of a table, read afresh each time."""

    __slots__ = ("_context",)
    number: ClassVar[inode.Fixed]

    def __init__(self, context: Context) -> None:
        self.ino = int(self.number)
        self._context = context

    def attributes(self) -> Attributes:
        return Attributes(self.ino, DIRECTORY_MODE, 0, self._context.started_ns, name_seconds=FOREVER)

    def lookup(self, name: bytes) -> TreeNode:
        row = self._row(as_text(name))
        if row is None:
            raise no_entry(name)
        return self._child(row)

    def listing(self) -> Listing:
        return Rows(self._context, self._rows, lambda row: (row.name.encode(), self._child(row)), is_quick=True)

    @abstractmethod
    def _row(self, name: str) -> HasTime | None:
        """The row of a name."""

    @abstractmethod
    def _rows(self, after: int, most: int) -> Sequence[Named]:
        """The rows after the one of an id, so many at most."""

    @abstractmethod
    def _child(self, row: HasTime) -> TreeNode:
        """The directory of a row."""


class LinkDirectory(Directory):
    """A directory of links, read afresh each time.

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

    @abstractmethod
    def listing(self) -> Listing: ...
