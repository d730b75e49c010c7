"""Who may use a home: the modes of all that artfs makes in it, whatever the process's umask is.

    owner    its owner alone
    group    all members of the group that its folder belongs to, which `artfs init --group` has given it

The one exception is what users see as `/incoming`, whose mode is theirs to choose; it lies in folders that nobody else
can enter.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_Path = str | bytes | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Sharing:
    """The modes of a home.

    Args:
        folder: of folders. With the set-group-id bit, what is made in one belongs to its group.
        file: of files.
        stored: of files in a store, which nobody may write.
    """

    folder: int
    file: int
    stored: int

    def make_folder(self, path: Path) -> None:
        """Make a folder, unless it is there; those above it must be."""
        with contextlib.suppress(FileExistsError):
            self.make_new_folder(path)

    def make_folders(self, path: Path, above: Path) -> None:
        """Make a folder and those between it and the one above, which is there."""
        self.make_folder(above)
        for part in reversed([path, *path.parents][: len(path.relative_to(above).parts)]):
            self.make_folder(part)

    def make_new_folder(self, path: _Path, *, directory: int | None = None) -> None:
        """Make a folder; raise FileExistsError if it is there. directory: what a relative path is in."""
        os.mkdir(path, stat.S_IRWXU, dir_fd=directory)
        # Not by mkdir, which knows no set-group-id bit, and heeds the umask.
        os.chmod(path, self.folder, dir_fd=directory)

    def opener(self, path: str, flags: int) -> int:
        """Open a file of the home; the `opener` of `open`. One that is this user's gets the mode that it must have."""
        descriptor = os.open(path, flags | os.O_CLOEXEC, self.file & stat.S_IRWXU)
        try:
            self.settle(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def settle(self, descriptor: int) -> None:
        """Give an open file of this user the mode that files have."""
        status = os.fstat(descriptor)
        if stat.S_IMODE(status.st_mode) != self.file and status.st_uid == os.geteuid():
            os.fchmod(descriptor, self.file)

    def stored_mode(self, mode: int) -> int:
        """Return the mode in a store of a file that was written with a mode: programs stay programs."""
        return self.stored | self.stored >> 2 & mode


def make_file(path: Path, mode: int) -> None:
    """Make an empty file of a mode, unless it is there."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode & stat.S_IRWXU)
    except FileExistsError:
        return
    try:
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


OWNER: Final = Sharing(0o700, 0o600, 0o400)
GROUP: Final = Sharing(0o2770, 0o660, 0o440)
