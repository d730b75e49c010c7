"""An area: the folder under `<home>/mounts/` in which one mount keeps its drafts between starts.

    work/          the working directory: what `/incoming` shows
    scratch/       files on their way into the working directory
    drafts/        one record a draft that is not (yet) a version, see drafts.py
    mount.json     where this area was last mounted, and by which process
    lock           held by the daemon for as long as it runs
    ballast        a little space, for when the disk is full (loop/room.py)
    daemon.log     what it had to say
    stacks.txt     where its threads were when it was asked with SIGUSR1, or when it crashed

A mount point gets the area it had the last time, so that its drafts are found again; a new mount point gets the first
area that nobody uses, so that no draft is left behind; a second daemon on one home gets an area of its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from artfs.content.files import atomic_write, remove_tree
from artfs.errors import MountError
from artfs.sharing import OWNER, Sharing

INCOMING_MODE = 0o755


@dataclass(frozen=True)
class Area:
    """An area that this process has locked. lock: the descriptor that holds it. sharing: the modes of its files."""

    path: Path
    lock: int
    sharing: Sharing = OWNER

    @property
    def work(self) -> Path:
        return self.path / "work"

    @property
    def scratch(self) -> Path:
        return self.path / "scratch"

    def new_scratch(self) -> Path:
        """A new folder for files that are needed for a while."""
        return Path(tempfile.mkdtemp(dir=self.scratch))

    @property
    def records(self) -> Path:
        return self.path / "drafts"

    @property
    def log(self) -> Path:
        return self.path / "daemon.log"

    @property
    def stacks(self) -> Path:
        return self.path / "stacks.txt"

    def write_mount(self, facts: dict[str, Any]) -> None:
        """Writes down who has this area mounted, for the command line and for the next start."""
        atomic_write(self.path / "mount.json", json.dumps(facts, indent=1).encode(), mode=self.sharing.file)

    def close(self) -> None:
        """Gives the area back."""
        os.close(self.lock)


def claim(mounts: Path, mount_point: Path, sharing: Sharing = OWNER) -> Area:
    """Locks the area for a mount point, making one where none is free.

    mounts: the home's folder of areas. sharing: whom the home is for. Raises MountError when the mount point's own area
    is in use.
    """
    sharing.make_folder(mounts)
    areas = sorted((path for path in mounts.iterdir() if _is_own(path)), key=_number)
    own = [path for path in areas if mounted_at(path) == str(mount_point)]
    for path in own + [path for path in areas if path not in own]:
        lock = _lock(path, sharing)
        if lock is not None:
            return _prepared(Area(path, lock, sharing))
        if path in own:
            raise MountError(
                f"{mount_point}: another artfs daemon serves it already; unmount it first: artfs umount {mount_point}"
            )
    number = 1 + max((_number(path) for path in areas), default=0)
    while True:
        path = mounts / str(number)
        _make_private(path)
        lock = _lock(path, sharing) if _is_own(path) else None
        if lock is not None:
            return _prepared(Area(path, lock, sharing))
        number += 1


def mount_facts(area: Path) -> dict[str, Any]:
    """What the last mount of an area wrote down; empty when it never was mounted."""
    try:
        facts = json.loads((area / "mount.json").read_bytes())
    except FileNotFoundError:
        return {}
    return facts if isinstance(facts, dict) else {}


def mounted_at(area: Path) -> str | None:
    """The mount point that last used an area."""
    point = mount_facts(area).get("mount_point")
    return point if isinstance(point, str) else None


def remove(path: bytes) -> None:
    """Removes a file, or a directory with all that is in it, whatever modes its owner gave to directories."""
    if os.path.islink(path) or not os.path.isdir(path):
        os.unlink(path)
        return
    remove_tree(path, despite_modes=True)


def _lock(path: Path, sharing: Sharing) -> int | None:
    descriptor = sharing.opener(str(path / "lock"), os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _is_own(path: Path) -> bool:
    """Whether a folder is an area of this user, and not of another one with whom he shares the home."""
    return path.is_dir() and not path.is_symlink() and path.stat().st_uid == os.geteuid()


def _make_private(path: Path) -> None:
    """Make the folder of an area, which nobody but the daemon's user may enter, also where a group shares the home.

    Whoever could change what is in it behind the daemon's back could lead the daemon anywhere with a link.
    """
    with contextlib.suppress(FileExistsError):
        path.mkdir(0o700)


def _prepared(area: Area) -> Area:
    if area.scratch.exists():
        remove(os.fsencode(area.scratch))
    for folder in (area.scratch, area.records):
        area.sharing.make_folder(folder)
    if not area.work.exists():
        area.work.mkdir()
        # Its mode is that of `/incoming`, and may be changed there.
        area.work.chmod(INCOMING_MODE | area.sharing.folder & (stat.S_ISGID | stat.S_IWGRP))
    _check_attributes(area.scratch)
    return area


def _check_attributes(folder: Path) -> None:
    probe = folder / "probe"
    probe.touch()
    try:
        os.setxattr(probe, "user.artfs.probe", b"1")
    except OSError as error:
        raise MountError(
            f"{folder}: this file system keeps no extended attributes ({error.strerror}), which drafts need; "
            "put the home on ext4, xfs, btrfs, zfs or a tmpfs of Linux 6.6 or newer (ARTFS_HOME)"
        ) from error
    finally:
        probe.unlink()


def _number(path: Path) -> int:
    return int(path.name) if path.name.isdigit() else 0
