"""A small file system, for tests of what happens when a disk is full. Only root can make one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from support.mount import Mount
from support.mount_fixtures import StartMount


class Disk:
    """A small file system. `root` is for the home; its ballast takes the space that a test wants taken."""

    def __init__(self, path: Path, options: str) -> None:
        path.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "artfs-test", path], check=True)
        self.path = path
        self._ballast = path / "ballast"

    def fill(self, *, leave: int = 0) -> None:
        """Leaves so many bytes free."""
        self.free()
        with open(self._ballast, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, os.statvfs(self.path).f_bavail * 4096 - leave)

    def free(self) -> None:
        """Gives all of it back."""
        self._ballast.unlink(missing_ok=True)

    def end(self) -> None:
        subprocess.run(["umount", "--lazy", self.path], check=True)


@contextmanager
def small_disk(path: Path, options: str) -> Iterator[Disk]:
    """A small file system, which is gone afterwards."""
    disk = Disk(path, options)
    try:
        yield disk
    finally:
        disk.end()


@contextmanager
def mounted_on(disk: Disk, start_mount: StartMount, settings: Mapping[str, float]) -> Iterator[Mount]:
    """A mount whose home is on a disk. There is room again before it is unmounted."""
    mount = start_mount(home=disk.path / "home", settings=settings)
    yield mount
    disk.free()
    mount.unmount()
