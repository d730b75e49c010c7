"""Which file systems are mounted where, and what the mounts of artfs say of themselves."""

from __future__ import annotations

import errno
import json
import os
import re
import select
import subprocess
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from artfs.errors import MountError, NotMounted

FILE_SYSTEM = "fuse.artfs"
MOUNTINFO = Path("/proc/self/mountinfo")
STATUS_FILE = Path(".artfs/status.json")
ANSWER_SECONDS = 5.0
"""A mount that does not tell its free space within this time hangs."""

T = TypeVar("T")

_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class Mounted:
    """A line of mountinfo.

    Args:
        path: the mount point.
        device: major:minor, as /sys names it.
        file_system: its type, `fuse.artfs` for a mount of artfs.
        source: what is mounted.
        user_id: who mounted it, where the file system says so (FUSE does).
    """

    path: Path
    device: str
    file_system: str
    source: str
    user_id: int | None = None

    @property
    def is_artfs(self) -> bool:
        return self.file_system == FILE_SYSTEM

    @property
    def is_dead(self) -> bool:
        """Whether it is a FUSE mount whose daemon has ended without unmounting it."""
        return is_dead(self.path)


def all_mounts(mountinfo: Path = MOUNTINFO) -> list[Mounted]:
    """Return everything mounted in this process's view, in the order it was mounted."""
    return [_parsed(line) for line in mountinfo.read_text("utf-8", "surrogateescape").splitlines()]


def mounted_at(path: Path, mounts: list[Mounted] | None = None) -> Mounted | None:
    """Return what is mounted exactly at a path without links, the topmost if several are."""
    found = None
    for mount in all_mounts() if mounts is None else mounts:
        if mount.path == path:
            found = mount
    return found


def mount_of(path: Path, mounts: list[Mounted] | None = None) -> Mounted:
    """Return the mount that a path without links lies in."""
    found = Mounted(Path("/"), "", "rootfs", "")
    for mount in all_mounts() if mounts is None else mounts:
        if path.is_relative_to(mount.path) and len(mount.path.parts) >= len(found.path.parts):
            found = mount
    return found


class MountPoints:
    """Tells the mount that a path lies in, without asking it anything, as often as one likes. Thread-safe.

    The table of mounts is read again only when the kernel says that it has changed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._table: int | None = None
        self._changes = select.poll()
        self._points: frozenset[bytes] = frozenset()

    def of(self, path: bytes) -> bytes:
        """Return the mount point that an absolute path without links lies in."""
        points = self._now()
        while path not in points and path != (above := os.path.dirname(path)):
            path = above
        return path

    def _now(self) -> frozenset[bytes]:
        with self._lock:
            is_new = self._table is None
            if self._table is None:
                self._table = os.open(MOUNTINFO, os.O_RDONLY | os.O_CLOEXEC)
                weakref.finalize(self, os.close, self._table)
                self._changes.register(self._table, select.POLLERR | select.POLLPRI)
            # The poll comes first: what changes while the table is read is seen by the next one.
            if self._changes.poll(0) or is_new:
                self._points = frozenset(os.fsencode(mount.path) for mount in all_mounts())
            return self._points


def artfs_of(path: Path, given: Path | None = None) -> Path:
    """Return the root of the mount of artfs that a path lies in. given: what the user calls it, if not so.

    Raises NotMounted when it lies in none, or in one whose daemon has died.
    """
    resolved = without_links(path)
    mount = mount_of(resolved)
    if not mount.is_artfs:
        raise NotMounted(f"{given or path}: it is not in a mount of artfs; mount one: artfs mount DIR", subject=path)
    if mount.is_dead:
        raise NotMounted(
            f"{mount.path}: the daemon of this mount has died; mount it again: artfs mount {mount.path}", subject=path
        )
    return mount.path


def is_dead(path: Path) -> bool:
    """Return whether a mount is there whose daemon has died.

    The kernel goes on answering `stat` from its cache, but has to ask the daemon about free space; the first question
    after the death is cut off, the later ones meet no connection. A daemon that does not answer is not dead.
    """
    try:
        _answer(lambda: os.statvfs(path))
    except OSError as error:
        return error.errno in (errno.ENOTCONN, errno.ECONNABORTED)
    return False


def _answer(ask: Callable[[], T]) -> T:
    """Return what a mount answers, or raise TimeoutError.

    It is asked in a thread that is left alone when it hangs: who looks at all mounts must not hang with one of them.
    """
    answers: list[T] = []
    failures: list[OSError] = []

    def run() -> None:
        try:
            answers.append(ask())
        except OSError as error:
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True, name="artfs asks a mount")
    thread.start()
    thread.join(ANSWER_SECONDS)
    if failures:
        raise failures[0]
    if not answers:
        raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
    return answers[0]


def is_left(mount: Mounted, seconds: float) -> bool:
    """Return whether a mount that has lost its daemon's connection is still there, and dead, after so many seconds."""
    give_up = time.monotonic() + seconds
    changes = select.poll()
    with MOUNTINFO.open("rb") as table:
        changes.register(table, select.POLLERR | select.POLLPRI)
        while (found := mounted_at(mount.path)) is not None and found.device == mount.device and found.is_dead:
            remaining = give_up - time.monotonic()
            if remaining <= 0:
                return True
            changes.poll(remaining * 1000)
    return False


def without_links(path: Path) -> Path:
    """Return the absolute path without links; it need not exist, and a dead mount at its end is left alone."""
    return Path(os.path.realpath(path))


def read_status(mount_point: Path) -> dict[str, Any]:
    """Return what the daemon of a mount says of itself.

    Raises MountError when it does not say.
    """
    try:
        status = json.loads(_answer((mount_point / STATUS_FILE).read_bytes))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise MountError(f"{mount_point}: the mount does not tell its status: {why}", subject=mount_point) from error
    if not isinstance(status, dict):
        raise MountError(f"{mount_point}: its status is not a JSON object", subject=mount_point)
    return status


def unmount(path: Path, *, lazy: bool = False) -> None:
    """Unmount a FUSE file system as the user at hand.

    Args:
        path: the mount point, without links.
        lazy: take it out of the tree now, even if it is in use; its daemon goes on for those who still use it.

    Raises:
        MountError: it cannot be unmounted; with errno EBUSY when it is in use.
    """
    command = ["fusermount3", "-u", *(["-z"] if lazy else []), "--", str(path)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, env={**os.environ, "LC_ALL": "C"}
        )
    except FileNotFoundError:
        raise MountError(f"{path}: fusermount3 is missing; install it: apt install fuse3", subject=path) from None
    if done.returncode != 0:
        error = MountError(f"{path}: cannot be unmounted: {done.stderr.strip() or done.returncode}", subject=path)
        if "busy" in done.stderr.lower():
            error.errno = errno.EBUSY
        raise error


def _parsed(line: str) -> Mounted:
    fields = line.split(" ")
    after = fields.index("-", 6)
    options = dict(option.partition("=")[::2] for option in fields[after + 3].split(","))
    user_id = options.get("user_id")
    return Mounted(
        Path(_unescape(fields[4])),
        fields[2],
        fields[after + 1],
        _unescape(fields[after + 2]),
        int(user_id) if user_id is not None else None,
    )


def _unescape(text: str) -> str:
    """mountinfo writes spaces, tabs, newlines, backslashes and '#' as three octal digits."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), text)


def order_at(mount_point: Path, about: str) -> Path:
    """Return the file of a mount to set an order on. about: what the order is about; equal ones wait for each other."""
    return mount_point / ".artfs" / "orders" / about
