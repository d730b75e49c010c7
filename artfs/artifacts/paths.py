"""Paths inside a version, with links followed, and never out of it."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from artfs.content.tree import EntryKind

if TYPE_CHECKING:
    from artfs.catalog.trees import EntryRow, Trees

_MOST_LINKS = 40
"""As many as Linux follows in one path."""

_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Position:
    """What is at a path.

    Args:
        path: where it really is, after all links.
        entry: its row; None for the version's own directory.
        tree_id: the directory it is; None for a file.
        is_link: whether the path itself was a link.
    """

    path: tuple[bytes, ...]
    entry: EntryRow | None
    tree_id: int | None
    is_link: bool = False


class Inside:
    """Looks paths up in versions. What was looked up is remembered: trees never change.

    Args:
        trees: of the catalog.
    """

    def __init__(self, trees: Trees) -> None:
        self._trees = trees
        self._entry = lru_cache(_REMEMBERED)(trees.entry)

    def find(self, tree_id: int, path: Sequence[bytes]) -> Position:
        """Return what is at a path, given by its components, in the version whose root is `tree_id`.

        Raises:
            FileNotFoundError: nothing is there, or a link leads out of the version.
            NotADirectoryError: a file has something below it.
            OSError: links lead in a circle (ELOOP).
        """
        at: list[EntryRow] = []
        pending, links, is_link = list(reversed(path)), 0, False
        while pending:
            name = pending.pop()
            if name in (b"", b"."):
                continue
            if name == b"..":
                if not at:
                    raise _error(errno.ENOENT, path, "it leads out of the version")
                at.pop()
                continue
            directory = at[-1].child_id if at else tree_id
            if directory is None:
                raise _error(errno.ENOTDIR, path)
            entry = self._entry(directory, name)
            if entry is None:
                raise _error(errno.ENOENT, path)
            if entry.kind != EntryKind.SYMLINK:
                at.append(entry)
                continue
            target = entry.target or b""
            links += 1
            if links > _MOST_LINKS:
                raise _error(errno.ELOOP, path)
            if target.startswith(b"/"):
                raise _error(errno.ENOENT, path, "it is a link that leads out of the version")
            is_link = is_link or not pending
            pending += reversed(target.split(b"/"))
        names = tuple(entry.name for entry in at)
        return Position(names, at[-1] if at else None, at[-1].child_id if at else tree_id, is_link)

    def entries(self, tree_id: int) -> Sequence[EntryRow]:
        """Return what is in a directory, in name order."""
        return self._trees.entries(tree_id)

    def leads_up(self, tree_id: int, path: Sequence[bytes], found: Position) -> bool:
        """Whether a directory is one of those above `path`, so that going down into it would never end."""
        if found.tree_id is None:
            return False
        return any(self.find(tree_id, path[:depth]).path == found.path for depth in range(len(path)))


def _error(number: int, path: Sequence[bytes], why: str | None = None) -> OSError:
    return OSError(number, why or os.strerror(number), os.fsdecode(b"/".join(path)))
