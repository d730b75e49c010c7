"""Modes that a home's files have, against those that they must have: what `artfs doctor` looks at and mends.

What lies in a folder that only the right users may enter is safe, so that of stores and of the cache only the upper
folders are looked at; a group's members need the right to all of it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from artfs.content.files import walk
from artfs.content.long_paths import lstat, reachable
from artfs.home.home import Home
from artfs.stores.mark import FOLDER

if TYPE_CHECKING:
    from artfs.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class WrongMode:
    """A file or folder whose mode or group is not what it must be.

    Args:
        path: of it.
        found, wanted: mode bits.
        group: the group that it must belong to; None if that does not matter.
    """

    path: Path
    found: int
    wanted: int
    group: int | None

    def mend(self) -> None:
        """Put it right. Raises OSError if it is not this user's."""
        with reachable(self.path) as at:
            descriptor = os.open(at, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if self.group is not None:
                os.fchown(descriptor, -1, self.group)
            os.fchmod(descriptor, self.wanted)  # last: a new group takes the set-group-id bit
        finally:
            os.close(descriptor)


def wrong_modes(home: Home, stores: Iterable[tuple[Path, Iterable[str]]] = ()) -> Iterator[WrongMode]:
    """Yield what is wrong in a home, and in its stores.

    Args:
        home: one that exists.
        stores: roots of local stores, each with the names of the folders in it that artfs made.
    """
    sharing, group = home.sharing, home.group
    for path, is_stored in chain(
        _of_home(home, deeply=group is not None), _of_stores(stores, deeply=group is not None)
    ):
        try:
            status = lstat(path)
        except FileNotFoundError:
            continue
        found = stat.S_IMODE(status.st_mode)
        if stat.S_ISDIR(status.st_mode):
            wanted = sharing.folder
        elif stat.S_ISREG(status.st_mode):
            wanted = sharing.stored_mode(found) if is_stored else sharing.file
        else:
            continue
        if found != wanted or group not in (None, status.st_gid):
            yield WrongMode(path, found, wanted, group)


def stores_of(workspace: Workspace) -> list[tuple[Path, list[str]]]:
    """Return the local stores of a workspace as `wrong_modes` takes them."""
    names = [artifact.name for artifact in workspace.catalog.artifacts.list()]
    return [(Path(store.root), names) for store in workspace.stores.local()]


def _of_home(home: Home, *, deeply: bool) -> Iterator[tuple[Path, bool]]:
    """What must have a mode, and whether it is a store's."""
    yield from ((home.path, False), (home.mounts, False), (home.cache, False), (home.store_root, False))
    yield from ((path, False) for path in _inside(home.path) if not path.is_dir())
    yield from ((path, False) for path in _below(home.path / "logs", deeply=True))
    yield from ((path, True) for path in _below(home.cache, deeply=deeply))
    for area in _inside(home.mounts):
        # What users see as `/incoming` has the modes that they give it.
        own = [path for path in _inside(area) if path.name not in ("work", "scratch")]
        yield from ((path, False) for path in (area / "scratch", *own))
        yield from ((path, False) for path in _below(area / "drafts", deeply=True))


def _of_stores(stores: Iterable[tuple[Path, Iterable[str]]], *, deeply: bool) -> Iterator[tuple[Path, bool]]:
    for root, names in stores:
        yield from ((path, False) for path in _below(root / FOLDER, deeply=True))
        for name in names:
            yield root / name, True
            if deeply:
                yield from ((path, True) for path in _below(root / name, deeply=True))


def _below(top: Path, *, deeply: bool) -> Iterator[Path]:
    if top.is_dir():
        yield top
        if deeply:
            for directory, folders, names in walk(str(top)):
                yield from (Path(directory, name) for name in (*folders, *names))


def _inside(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
