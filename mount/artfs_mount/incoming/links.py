"""Links of a draft that lead out of it: to nothing, if a folder of links was copied as it is."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from pathlib import Path

from artfs.artifacts import seal
from artfs.artifacts.outside import leads_out
from artfs.content.tree import EntryKind
from artfs.errors import DraftHeld
from artfs.linux import users
from artfs_mount.incoming.as_user import run_as
from artfs_mount.incoming.incoming import Incoming
from artfs_mount.tree.root import INCOMING


def check(incoming: Incoming, mount_point: Path, path: bytes, scanned: seal.Scanned) -> None:
    """Raise DraftHeld if a link leads out of what was scanned to nothing. With the rights of the draft's owner.

    Args:
        incoming: where the draft is.
        mount_point: of the mount.
        path: of what was scanned, below `/incoming`.
        scanned: what is to become a version.
    """
    owner = os.lstat(incoming.path(path.split(b"/")[0])).st_uid
    look = functools.partial(_first_dangling, incoming, mount_point, path.rstrip(b"/"), scanned)
    found = look() if owner == os.geteuid() else run_as(users.by_uid(owner), look)
    if found is not None:
        link, target = map(os.fsdecode, found)
        raise DraftHeld(
            f"{link}: it is a link to {target}, which is not there: copy what it leads to with 'cp -rL', or have the"
            " link as it is with 'artfs commit'",
            subject=link,
        )


def _first_dangling(
    incoming: Incoming, mount_point: Path, path: bytes, scanned: seal.Scanned
) -> tuple[bytes, bytes] | None:
    for name, target in _links_out(scanned):
        link = os.path.join(path, name)
        shown = os.path.join(os.fsencode(mount_point), INCOMING, link)
        if not _may_be_there(incoming, mount_point, os.path.join(os.path.dirname(shown), target)):
            return link, target
    return None


def _links_out(scanned: seal.Scanned) -> Iterator[tuple[bytes, bytes]]:
    for name, entry in scanned.tree.walk():
        if entry.kind is EntryKind.SYMLINK and entry.target is not None and leads_out(name, entry.target):
            yield name, entry.target


def _may_be_there(incoming: Incoming, mount_point: Path, path: bytes) -> bool:
    """Whether something is at a path, or cannot be known to be missing. The daemon does not ask its own mount."""
    normal = os.path.normpath(path)
    inside = os.path.relpath(normal, os.fsencode(mount_point))
    if not inside.startswith(b".."):
        top, _, rest = inside.partition(b"/")
        if top != INCOMING:
            return top in _TOP
        normal = os.fsencode(incoming.path(rest)) if rest else os.fsencode(mount_point)
    try:
        os.lstat(normal)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


_TOP = frozenset((b"", b".", b"artifacts", b"runs", b"lineage", b"tags", b"models"))
