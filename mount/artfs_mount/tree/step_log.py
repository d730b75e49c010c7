"""`log.txt` of a step run: the file that the step writes its output to, as long as it is now."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from artfs.content.digest import tagged
from artfs.runs import log_file
from artfs_mount.tree import inode
from artfs_mount.tree.node import TEXT_MODE, Attributes, Generated, Owner, stale

if TYPE_CHECKING:
    from artfs.catalog.steps import StepRun
    from artfs_mount.tree.context import Context

LOG: Final = b"log.txt"


class StepLog(Generated):
    """A log, which those may read who may read the file itself.

    It may grow; each length is another inode, as the kernel never updates the size of one that it knows.
    """

    __slots__ = ("_context", "_path", "mode", "mtime_ns", "owner", "size")

    def __init__(self, context: Context, row: StepRun) -> None:
        self._context = context
        self._path = log_file(context.workspace.home.path, row.log_path)
        status = _status(self._path)
        self.size = status.st_size if status else 0
        self.mtime_ns = status.st_mtime_ns if status else row.started_us * 1000
        self.mode = context.modes.file(status.st_mode) if status else TEXT_MODE
        self.owner = Owner(status.st_uid, status.st_gid) if status else None
        mark = tagged(b"artfs mount log", b"%d %d" % (self.size, self.mtime_ns))
        self.ino = inode.pack_pair(
            inode.InodeKind.STEP_LOG, row.id, int.from_bytes(mark[: inode.HASH_BITS // 8], "big"), inode.HASH_BITS
        )

    def content(self) -> bytes:
        if self._path is None or not self.size:
            return b""
        self._context.may_wait()
        with open(self._path, "rb") as file:
            return file.read(self.size)

    def attributes(self) -> Attributes:
        return Attributes(self.ino, self.mode, self.size, self.mtime_ns, owner=self.owner)


def step_log(context: Context, payload: int) -> StepLog:
    """The log of an inode number. One that has grown since is told as it is now, and found by its name as another."""
    step_run_id, _ = inode.unpack_pair(payload, inode.HASH_BITS)
    row = context.catalog.steps.by_id(step_run_id)
    if row is None:
        raise stale(payload)
    log = StepLog(context, row)
    log.ino = inode.pack(inode.InodeKind.STEP_LOG, payload)
    return log


def _status(path: Path | None) -> os.stat_result | None:
    try:
        status = os.stat(path, follow_symlinks=False) if path is not None else None
    except FileNotFoundError:
        return None  # the step has written nothing, or the log was removed
    return status if status is not None and stat.S_ISREG(status.st_mode) else None
