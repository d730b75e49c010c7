"""What is in a draft, with digests: looked at on a worker thread, while the draft may still change.

Most files were digested while they were written, and stubs name their content; only the rest is read.
"""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from artfs.artifacts import seal
from artfs.artifacts.graft import grafted
from artfs.content.digest import FileDigest
from artfs.content.files import sync_filesystem
from artfs.content.long_paths import shown
from artfs.errors import DraftHeld
from artfs.linux import users
from artfs.secrets.redaction import has_secret, redacted
from artfs.stores.local.store import local_path
from artfs_mount.incoming import links as links_out
from artfs_mount.incoming import stubs
from artfs_mount.incoming.as_user import run_as
from artfs_mount.incoming.complete.facts import DraftKind
from artfs_mount.incoming.incoming import Incoming
from artfs_mount.incoming.pins import Pins
from artfs_mount.incoming.selection import Part, Selection, copy_streams
from artfs_mount.tree.root import INCOMING

SYNC_EARLY_BYTES = 64 * 2**20
"""More new bytes than this go to the disk before nobody may change the draft any more, and not first while all wait."""


def take(
    incoming: Incoming,
    mount_point: Path,
    draft: bytes,
    stop: Callable[[], bool],
    part: tuple[Part, Path | None] | None = None,
) -> seal.Scanned:
    """Looks at all of a draft, or at a part of it. stop: whether it is not wanted any more.

    part: what to look at, and a folder for copies of its streams, if it has any.

    Raises Cancelled when it is stopped, and DraftHeld for what can be no version.
    """
    path = Path(os.fsdecode(incoming.path(draft)))
    if incoming.kind(draft) is DraftKind.LINK:
        return _linked(path, mount_point, stop)
    known = _Known(incoming.drafts.digests, os.fsencode(path), incoming.drafts.pins)
    called = str(mount_point / os.fsdecode(INCOMING) / path.name)
    look = functools.partial(seal.scan, known=known.digest_of, cancelled=stop, called=called)
    scanned = look(path) if part is None else _part_of(path, *part, look)
    known.check_links(scanned)
    if part is not None and not scanned.self_contained:  # nobody asked for it: whoever does may mean it so
        links_out.check(incoming, mount_point, os.path.join(draft, part[0].child), scanned)
    if sum(file.digest.size for file in scanned.files if not file.stand_in) > SYNC_EARLY_BYTES:
        sync_filesystem(incoming.area.work)
    return scanned


def _part_of(draft: Path, part: Part, folder: Path | None, look: Callable[..., seal.Scanned]) -> seal.Scanned:
    """Looks at a part of a draft, with what is kept of it elsewhere. folder: for copies of what goes on growing."""

    def kept(unit: bytes, at: bytes) -> seal.Scanned:
        return look(os.fsdecode(at), entry_name=None if os.path.isdir(at) else os.path.basename(unit))

    if part.child in part.pinned:
        return kept(part.child, part.pinned[part.child])
    copies = copy_streams(os.fsencode(draft), part, folder) if folder is not None else {}
    top = draft / os.fsdecode(part.child)
    scanned = look(top, selection=Selection(os.fsencode(draft), part, copies) if top.is_dir() else None)
    for unit, at in part.pinned.items():
        scanned = grafted(scanned, part.inner(unit), kept(unit, at), is_file=not os.path.isdir(at))
    return scanned


def named(draft: bytes, path: bytes) -> str:
    """What to call a file of a draft in a message: as in `/incoming`. Both are where they are in the home."""
    return os.fsencode(shown(os.path.relpath(path, os.path.dirname(draft)))).decode("utf-8", "replace")


def why_unfinished(draft: bytes, path: bytes) -> str | None:
    """Why a file of a draft may not be whole, and what to do about it; None for one that is."""
    why = stubs.unfinished(path)
    return None if why is None else f"{named(draft, path)}: {_reason(why)}; write it again or remove it"


def _linked(link: Path, mount_point: Path, stop: Callable[[], bool]) -> seal.Scanned:
    """Looks at what a link leads to with the rights of the link's owner, who may have nobody's but his own."""
    owner = os.lstat(link).st_uid
    look = functools.partial(_in_place, link, os.readlink(link), mount_point, stop)
    try:
        return look() if owner == os.geteuid() else run_as(users.by_uid(owner), look)
    except PermissionError as error:
        who = users.name_of(owner)
        raise DraftHeld(
            f"{link.name}: {who}, who made the link, may not read what it leads to ({error}); copy it instead",
            subject=link.name,
        ) from error


def _in_place(link: Path, target: str, mount_point: Path, stop: Callable[[], bool]) -> seal.Scanned:
    if has_secret(target):
        raise DraftHeld(
            f"{link.name}: it links to {redacted(target)}, and a secret in a link would be kept; link to the URI "
            "without it, and give credentials in the environment",
            subject=link.name,
        )
    if "://" not in target and not os.path.isabs(target):
        raise DraftHeld(
            f"{link.name}: a relative link registers nothing; link to an absolute path or a URI", subject=link.name
        )
    resolved = Path(os.path.realpath(local_path(target) or "/dev/null"))
    if resolved.is_relative_to(mount_point):
        raise DraftHeld(
            f"{link.name}: {target} lies in the mount itself; copy it instead of linking it", subject=link.name
        )
    if mount_point.is_relative_to(resolved):
        raise DraftHeld(f"{link.name}: the mount itself lies in {target}; link to a part of it", subject=link.name)
    return seal.scan_in_place(target, cancelled=stop, avoid=mount_point)


class _Known:
    """Tells `scan` the digests that need no reading, and stops it at files that are not whole."""

    def __init__(self, digests: Mapping[int, FileDigest], root: bytes, pins: Pins) -> None:
        self._root = root
        self._pins = pins
        self._digests = digests
        self._linked: dict[int, tuple[int, bytes]] = {}

    def digest_of(self, status: os.stat_result, path: bytes) -> FileDigest | seal.Elsewhere | None:
        why = why_unfinished(self._root, path)
        if why is not None:
            raise DraftHeld(why, subject=path)
        blob = stubs.blob_of(path)
        if blob is not None:
            return seal.Elsewhere(FileDigest(blob, status.st_size))
        links = self._pins.links_at(path) if status.st_nlink > 1 else 1
        if links > 1:
            self._linked[status.st_ino] = links, path
        known = self._digests.get(status.st_ino)
        return known if known is not None and known.size == status.st_size else None

    def check_links(self, scanned: seal.Scanned) -> None:
        """Refuses files with names outside the draft: through those the version's bytes could be written to."""
        names = Counter(file.st_ino for file in scanned.files)
        for number, (links, path) in self._linked.items():
            if names[number] < links:
                what = named(self._root, path)
                raise DraftHeld(
                    f"{what}: it has hard links outside of its draft; copy it there, or remove the links", subject=path
                )


def _reason(why: bytes) -> str:
    if why == b"open":
        return "it was being written when the daemon stopped, so its end may be missing"
    return f"a write to it failed ({why.decode('ascii', 'replace')})"
