"""Which names in `/incoming` share their bytes with a version that is being made, and have to become stubs."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Mapping

from artfs.artifacts.seal import Scanned, ScannedFile
from artfs.content.digest import Digest
from artfs.content.files import walk_files
from artfs.content.long_paths import lstat
from artfs_mount.incoming.complete.paths import is_at
from artfs_mount.incoming.pins import KeptUnit, Pins


class SharedNames:
    """The names in one draft.

    lost: the pinned units of which another draft has a file, through which the version's bytes could be written to;
    known after `of`.
    """

    def __init__(self, draft: bytes, pinned: Mapping[bytes, KeptUnit], pins: Pins) -> None:
        self.lost: list[bytes] = []
        self._draft = draft
        self._pinned = pinned
        self._pins = pins

    def of(self, content: Scanned) -> dict[int, tuple[list[bytes], Digest]]:
        """The names of each file that is no stub yet, by its inode, and what the file holds. For any thread."""
        names: dict[int, list[bytes]] = defaultdict(list)
        digests: dict[int, Digest] = {}
        kept: dict[int, ScannedFile] = {}
        for file in content.files:
            if file.stand_in:
                continue
            if is_at(file.source_path, self._draft):
                names[file.st_ino].append(file.source_path)
                digests[file.st_ino] = file.digest.digest
            elif any(file.st_ino in pin.inodes for pin in self._pinned.values()):
                kept[file.st_ino] = file
        self._find(kept, names)
        digests.update((number, file.digest.digest) for number, file in kept.items())
        return {number: (paths, digests[number]) for number, paths in names.items() if paths}

    def _find(self, kept: Mapping[int, ScannedFile], names: dict[int, list[bytes]]) -> None:
        """Finds the names that files of pinned units still have: where they were, or moved or linked to."""
        links = {number: self._pins.links_at(file.source_path) for number, file in kept.items()}
        if any(links[number] > len(names[number]) for number in kept):
            names.update((number, []) for number in kept)
            for path in walk_files(self._draft):
                with contextlib.suppress(FileNotFoundError):
                    if (number := lstat(path).st_ino) in kept:
                        names[number].append(path)
        lost = [kept[number].source_path for number in kept if links[number] > len(names[number])]
        self.lost = [unit for unit, pin in self._pinned.items() if any(is_at(path, pin.path) for path in lost)]
