"""What of a draft becomes a version while the rest of it goes on changing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from artfs.content.long_paths import reachable
from artfs_mount.incoming.complete.paths import below_of, is_at_any, joined, parent
from artfs_mount.incoming.pins import copy_file

MOST_LINKS = 40
"""As many as the kernel follows for one path."""


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
    """Tells a scan what of a draft to look at. copies: of streams, by their paths."""

    def __init__(self, draft: bytes, part: Part, copies: Mapping[bytes, bytes]) -> None:
        self._draft = draft
        self._part = part
        self._copies = copies

    def takes(self, path: bytes) -> bool:
        return not is_at_any(self._part.path(path), self._part.leave_out)

    def takes_link(self, path: bytes) -> bool:
        """Not one that leads to what is left out: in the version it would lead nowhere (`last.ckpt`)."""
        ahead, at, links = [self._part.path(path)], b"", 0
        while ahead:
            name, _, rest = ahead.pop().partition(b"/")
            ahead += [rest] if rest else []
            if name == b".." and not at:
                return True  # it leads out of the draft
            at = parent(at) if name == b".." else at if name in (b"", b".") else joined(at, name)
            if self._is_left_out(at):
                return False
            target = self._target(at) if name not in (b"", b".", b"..") else None
            if target is not None:
                links += 1
                if links > MOST_LINKS or target.startswith(b"/"):
                    return True
                ahead.append(target)
                at = parent(at)
        return True

    def _is_left_out(self, path: bytes) -> bool:
        """Whether the version has nothing there: pinned units are not taken from the draft, and put there."""
        return is_at_any(path, self._part.leave_out) and not is_at_any(path, self._part.pinned)

    def _target(self, path: bytes) -> bytes | None:
        try:
            with reachable(os.path.join(self._draft, path)) as at:
                return os.readlink(at)
        except OSError:
            return None

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
