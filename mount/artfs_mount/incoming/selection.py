"""What of a draft becomes a version while the rest of it goes on changing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from artfs.content.long_paths import reachable
from artfs_mount.incoming.complete.paths import below_of, is_at_any, joined
from artfs_mount.incoming.pins import copy_file


@dataclass(frozen=True)
class Part:
    """A part of a draft. child: only this, which lies directly in it. leave_out: not what is at these paths, nor below.

    pinned: where the files of units are kept that are taken from there, and put at these paths. streams: files that may
    be written at this moment, each taken at the length that it has. world_size: of how many processes that write
    together the files have to be there.
    """

    leave_out: frozenset[bytes] = frozenset()
    pinned: Mapping[bytes, bytes] = field(default_factory=dict)
    streams: tuple[bytes, ...] = ()
    child: bytes = b""
    world_size: int | None = None

    def path(self, path: bytes) -> bytes:
        """Where in the draft is what will be at a path in the version."""
        return joined(self.child, path)

    def inner(self, path: bytes) -> bytes:
        """Where in the version will be what is at a path in the draft; empty for the child itself."""
        return below_of(self.child, path)


class Selection:
    """Tells a scan what to look at. copies: of streams, by their paths."""

    def __init__(self, part: Part, copies: Mapping[bytes, bytes]) -> None:
        self._part = part
        self._copies = copies

    def takes(self, path: bytes) -> bool:
        return not is_at_any(self._part.path(path), self._part.leave_out)

    def instead(self, path: bytes) -> bytes | None:
        return self._copies.get(self._part.path(path))


def copy_streams(draft: bytes, part: Part, folder: Path) -> dict[bytes, bytes]:
    """Copies what streams hold at this moment, each to a new file in a folder; returns the copies by their paths.

    A stream that is gone by now is left out.
    """
    copies: dict[bytes, bytes] = {}
    for number, path in enumerate(part.streams):
        copy = os.fsencode(folder / str(number))
        try:
            with reachable(os.path.join(draft, path)) as source:
                copy_file(source, copy)
        except FileNotFoundError:
            continue
        copies[path] = copy
    return copies
