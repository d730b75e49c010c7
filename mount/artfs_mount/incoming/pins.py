"""Pins: what is kept of units that are complete and not yet in a version, so that no program can take it away.

A unit's files are linked into a folder of the area, in directories of the same names. So they outlive their names in
`/incoming`, which a framework may remove a second later. A pinned file that is written anew from its beginning gets a
new inode first; one that is written otherwise loses its pin, as its unit is not complete any more.

`make`, `remove` and `links_at` may run on worker threads; all else belongs to the event loop's thread.
"""

from __future__ import annotations

import errno
import itertools
import os
import stat
import threading
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from artfs.content.files import clone_or_copy, remove_tree
from artfs.content.long_paths import lstat, reachable


@dataclass(frozen=True)
class KeptUnit:
    """Where a unit's files are kept. inodes: of those that are linked, and how often each is."""

    path: bytes
    inodes: Counter[int]


class Pins:
    """The pins of an area. folder: where they are made; on the file system of the working directory.

    Links are counted twice. `_links` is never less than what there is, so the event loop takes no pin for a user's
    link; `_made` is exact for whoever holds `_linking`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[tuple[bytes, bytes], KeptUnit] = {}
        self._held: Counter[int] = Counter()
        self._links: Counter[int] = Counter()
        self._made: Counter[int] = Counter()
        self._numbers = itertools.count(1)
        self._counting = threading.Lock()
        self._linking = threading.Lock()

    def make(self, unit: bytes, copied: Collection[bytes] = ()) -> KeptUnit:
        """Links all files of a unit. unit: where it is. copied: where files are that may be written on, and are copied.

        Raises OSError if it changes meanwhile, or there is no room.
        """
        kept = KeptUnit(self.spare(), Counter())
        try:
            if stat.S_ISDIR(lstat(unit).st_mode):
                self._keep_all(unit, kept, copied)
            else:
                with reachable(unit) as at:
                    self._keep_one(at, kept.path, kept, is_copied=unit in copied)
        except BaseException:
            self.remove(kept)
            self.removed(kept)
            raise
        return kept

    def remove(self, kept: KeptUnit) -> None:
        """Removes what was kept of a unit."""
        with self._linking:
            remove(kept.path)
            _subtract(self._made, kept.inodes)

    def spare(self) -> bytes:
        """A path beside the pins that nothing has."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        return os.fsencode(self._folder / str(next(self._numbers)))

    def keep(self, draft: bytes, unit: bytes, kept: KeptUnit) -> KeptUnit | None:
        """Takes note of a pin; returns the one that it takes the place of."""
        before = self.drop(draft, unit)
        self._kept[draft, unit] = kept
        self._held.update(kept.inodes)
        return before

    def drop(self, draft: bytes, unit: bytes) -> KeptUnit | None:
        """Forgets a pin and returns it, to be removed."""
        kept = self._kept.pop((draft, unit), None)
        if kept is not None:
            _subtract(self._held, kept.inodes)
        return kept

    def removed(self, kept: KeptUnit) -> None:
        """Takes note that a pin's links are gone."""
        with self._counting:
            _subtract(self._links, kept.inodes)

    def move(self, moves: Mapping[tuple[bytes, bytes], tuple[bytes, bytes]]) -> list[KeptUnit]:
        """Takes note that units have other places now; returns pins that others have taken the place of."""
        moved = {moves[old]: kept for old in moves if (kept := self._kept.pop(old, None)) is not None}
        before = [kept for place in moved if (kept := self.drop(*place)) is not None]
        self._kept.update(moved)
        return before

    def drop_all(self, draft: bytes) -> list[KeptUnit]:
        """Forgets all pins of a draft and returns them, to be removed."""
        units = [unit for of, unit in self._kept if of == draft]
        return [kept for unit in units if (kept := self.drop(draft, unit)) is not None]

    def of(self, draft: bytes, unit: bytes) -> KeptUnit | None:
        """The pin of a unit."""
        return self._kept.get((draft, unit))

    def units_of(self, inode: int) -> list[tuple[bytes, bytes]]:
        """The drafts and units whose pins keep a file."""
        return [place for place, kept in self._kept.items() if inode in kept.inodes] if inode in self._held else []

    def holds(self, inode: int) -> bool:
        """Whether a pin keeps a file."""
        return inode in self._held

    def links(self, status: os.stat_result) -> int:
        """How many names a file has in `/incoming`; of several it may be one less, just when it is pinned or was."""
        return max(status.st_nlink - self._links.get(status.st_ino, 0), min(status.st_nlink, 1))

    def links_at(self, path: bytes) -> int:
        """How many names a file has in `/incoming`, exactly. For worker threads: it may wait for links."""
        with self._linking:
            status = lstat(path)
            return status.st_nlink - self._made.get(status.st_ino, 0)

    def _keep_all(self, unit: bytes, kept: KeptUnit, copied: Collection[bytes]) -> None:
        """Links what is in a directory. Without recursion, as it may be deep."""
        pending = [(unit, kept.path)]
        made = []
        while pending:
            source, into = pending.pop()
            with reachable(source) as at, reachable(into) as to:
                os.mkdir(to, 0o700)
                made.append((into, os.stat(at)))
                with os.scandir(at) as entries:
                    for entry in entries:
                        path, target = os.path.join(source, entry.name), os.path.join(to, entry.name)
                        if entry.is_dir(follow_symlinks=False):
                            pending.append((path, os.path.join(into, entry.name)))
                        else:
                            self._keep_one(os.path.join(at, entry.name), target, kept, is_copied=path in copied)
        for into, status in reversed(made):
            with reachable(into) as to:
                _set_attributes(to, status)

    def _keep_one(self, source: bytes, target: bytes, kept: KeptUnit, *, is_copied: bool) -> None:
        if is_copied:
            copy_file(source, target)
            return
        inode = os.lstat(source).st_ino
        with self._counting:
            self._links[inode] += 1
            kept.inodes[inode] += 1
        with self._linking:
            os.link(source, target, follow_symlinks=False)
            self._made[inode] += 1
        if os.lstat(target).st_ino != inode:
            raise FileNotFoundError(errno.ENOENT, "another file took its place", source)


def remove(path: bytes) -> None:
    """Removes what was kept of a unit."""
    if os.path.isdir(path):
        remove_tree(path, despite_modes=True)
    elif os.path.lexists(path):
        os.unlink(path)


def copy_file(source: bytes, copy: bytes) -> None:
    """Copies a file with what a version says of it, and not with the mark that it is open."""
    status = os.lstat(source)
    clone_or_copy(source, copy)
    _set_attributes(copy, status)


def _set_attributes(path: bytes, status: os.stat_result) -> None:
    if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
        os.chown(path, status.st_uid, status.st_gid)
    os.chmod(path, stat.S_IMODE(status.st_mode))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _subtract(counts: Counter[int], inodes: Mapping[int, int]) -> None:
    counts.subtract(inodes)
    for inode in inodes:
        if counts[inode] <= 0:
            del counts[inode]
