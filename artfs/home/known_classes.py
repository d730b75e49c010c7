"""Which classes a home may import because its own saves and registrations named them: `classes.toml`.

To import a module is to run its code. A catalog, and what lies in a store, may come from elsewhere or be written by
somebody else, so a class that is named there is imported only if this file names it too, if artfs itself knows it, or
if the caller trusts it in words. What is imported already may always be used: that runs no code.

The file lies in the home, for those who may use that. A save writes it only for a class that is new to it.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path

from artfs.classes import dotted
from artfs.content.files import atomic_write
from artfs.errors import HomeError
from artfs.materializers import builtin
from artfs.sharing import Sharing

FILE_NAME = "classes.toml"

_KEY = "classes"
_HEAD = """\
# Classes that what was saved or registered in this home may name: artfs imports their modules to load it.
# Add a class that you trust, or remove one that is not to be imported any more.
"""
_NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT}
_Stamp = tuple[int, int, int]

logger = logging.getLogger(__name__)


class KnownClasses:
    """The classes of one home. Many threads and processes may use it.

    Args:
        path: of the file.
        sharing: who may use the home.
    """

    def __init__(self, path: Path, sharing: Sharing) -> None:
        self._path = path
        self._sharing = sharing
        self._read_as: _Stamp | None = None
        self._names: frozenset[str] = frozenset()
        self._trusted: set[str] = set()

    def allows(self, name: str) -> bool:
        """Whether the module of this class or function ("module.QualName") may be imported.

        Raises:
            HomeError: the file cannot be read.
        """
        return name in self._names or name in self._trusted or _is_artfs_own(name) or name in self._read()

    def trust(self, names: Iterable[str]) -> None:
        """Allow classes for as long as this object lives, as the user said."""
        self._trusted.update(map(dotted, names))

    def add(self, names: Iterable[str]) -> None:
        """Remember classes that a save or a registration of this home names, durably, before it is acknowledged.

        Raises:
            HomeError: the file cannot be read or written.
        """
        wanted = {name for name in names if name not in self._names and not _is_artfs_own(name) and _can_be_found(name)}
        if wanted:
            self._change(lambda known: known | wanted)

    def begin(self, named: Callable[[], Iterable[str]]) -> None:
        """Make the file if there is none: once in the life of a home, with the classes that it has named until then.

        Args:
            named: finds those. Homes of releases that had no such file have some.
        """
        if self._path.exists():
            return
        found = frozenset(name for name in named() if not _is_artfs_own(name) and _can_be_found(name))
        try:
            self._change(lambda known: known | found, only_new=True)
        except HomeError as error:
            if not isinstance(error.__cause__, OSError) or error.__cause__.errno not in _NOT_WRITABLE:
                raise
            self._trusted |= found  # a home that can only be read now is read all the same
        if found:
            logger.info("%s: made with the %d classes that the catalog named", self._path, len(found))

    def _change(self, change: Callable[[frozenset[str]], Iterable[str]], *, only_new: bool = False) -> None:
        """Write the file anew, one process at a time."""
        try:
            with open(self._path.with_name(f"{FILE_NAME}.lock"), "a+b", opener=self._sharing.opener) as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if only_new and self._path.exists():
                    return
                names = sorted(change(self._read()))
                listed = "".join(f'    "{name}",\n' for name in names)
                atomic_write(self._path, f"{_HEAD}{_KEY} = [\n{listed}]\n".encode(), mode=self._sharing.file)
        except HomeError:
            raise
        except OSError as error:
            reason = os.strerror(error.errno or errno.EIO)
            raise HomeError(f"cannot write {self._path}: {reason}", subject=self._path) from error
        self._read()

    def _read(self) -> frozenset[str]:
        """The names in the file as it is now; it is read again only when it is another one."""
        try:
            status = os.stat(self._path)
            stamp = status.st_ino, status.st_size, status.st_mtime_ns
            if stamp != self._read_as:
                self._names = _parsed(self._path)
                self._read_as = stamp
        except FileNotFoundError:
            self._names, self._read_as = frozenset(), None
        except HomeError:
            raise
        except OSError as error:
            reason = os.strerror(error.errno or errno.EIO)
            raise HomeError(f"cannot read {self._path}: {reason}", subject=self._path) from error
        return self._names


def _parsed(path: Path) -> frozenset[str]:
    try:
        names = tomllib.loads(path.read_text("utf-8")).get(_KEY, [])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise HomeError(f"cannot read {path}: {error}; correct the file", subject=path) from None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise HomeError(f"cannot read {path}: '{_KEY}' is no list of texts; correct the file", subject=path)
    return frozenset(map(dotted, names))


def _is_artfs_own(name: str) -> bool:
    """Whether it is artfs's own, or one of the library classes that its materializers were written for."""
    return name.startswith("artfs.") or name in builtin.EXACT_TYPES or name in builtin.TYPES_WITH_SUBCLASSES


def _can_be_found(name: str) -> bool:
    """Whether another process could find it by its name at all: not what a script or a function defined for itself."""
    return not name.startswith("__main__.") and all(part.isidentifier() for part in name.split("."))
