"""The store that is a directory of this machine.

Places are reached from its open root, which nothing leads out of (`artfs.stores.local.root`). Bytes are adopted by hard
link, directories of places are claimed by locks, and the root bears a mark that says whose it is.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from artfs.content import files
from artfs.content.long_paths import LONGEST, shown
from artfs.content.replacing import DRAFT
from artfs.errors import InvalidValue, PlaceExists
from artfs.names import MANIFEST, check_relative_path
from artfs.sharing import Sharing
from artfs.stores.backend import Capabilities, Listed, PlaceReader, Progress, Stored, root_is_file
from artfs.stores.base import Store
from artfs.stores.flavor import PathType, StoreFlavor
from artfs.stores.history import Newest, StoreHistory
from artfs.stores.local.claims import Claims
from artfs.stores.local.files import LocalFiles, local_path
from artfs.stores.local.manifest_files import LocalManifestFiles
from artfs.stores.local.root import ATTEMPTS, Root
from artfs.stores.mark import FOLDER, Mark, Stamp, check_mark, mark_stamp, not_mounted

__all__ = ["FEW_FILES", "LocalReader", "LocalStore", "local_path"]

FEW_FILES = 16
"""Up to this many files are synced one by one; beyond, one syncfs is cheaper."""

_SETTLED_NS = 100_000_000

logger = logging.getLogger(__name__)


class LocalReader(PlaceReader):
    """An open local file."""

    __slots__ = ("descriptor",)

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def pread(self, offset: int, size: int) -> bytes:
        return os.pread(self.descriptor, size, offset)

    def pread_at_once(self, offset: int, size: int) -> bytes | None:
        buffer = bytearray(size)
        try:
            count = os.preadv(self.descriptor, [buffer], offset, os.RWF_NOWAIT)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EOPNOTSUPP):
                return None
            raise
        return bytes(buffer) if count == size else None

    @property
    def size(self) -> int:
        return os.fstat(self.descriptor).st_size

    @property
    def mtime_ns(self) -> int:
        return os.fstat(self.descriptor).st_mtime_ns

    @property
    def stamp(self) -> object | None:
        # Nobody can set the change time. It ticks in milliseconds, so that of a moment ago may hide a second change.
        status = os.fstat(self.descriptor)
        if time.time_ns() - status.st_ctime_ns < _SETTLED_NS:
            return None
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns

    @property
    def status(self) -> os.stat_result:
        """What the kernel says of it."""
        return os.fstat(self.descriptor)

    def close(self) -> None:
        os.close(self.descriptor)

    def __enter__(self) -> LocalReader:
        return self


class LocalStore(StoreFlavor, Store):
    """A store in a directory.

    Args:
        root: absolute path or `file://` URI. It must be there, or be made with `create`: one that is missing later is
            an error, as its disk may just not be mounted.
    """

    flavor = "local"
    SUPPORTED_SCHEMES: ClassVar[set[str]] = {"/", "file://"}

    def __init__(
        self, root: str, options: Mapping[str, Any] | None = None, *, id: int | None = None, name: str = ""
    ) -> None:
        super().__init__(root, options, id=id, name=name)
        self._files = LocalFiles(
            self.root, name=self.name, id=self.id, flavor=self.flavor, check_there=self.check_there
        )
        self._root = Root(self.root, self.name, self._files.followed, self._check_root)
        self._claims = Claims(self.root, "")
        self._manifest_files = LocalManifestFiles(self._root)
        self._mark: Mark | None = None
        self._seen: Stamp | None = None
        self._sync_lock = threading.Lock()
        self._lost_writes = False

    @classmethod
    def check_root(cls, root: str) -> str:
        path = local_path(super().check_root(root))
        if path is None or not os.path.isabs(path):
            raise InvalidValue(f"a local store needs an absolute path, not '{root}'", subject=root)
        return os.path.normpath(path)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(is_local=True, links=True, atomic_put=True)

    @property
    def files(self) -> LocalFiles:
        return self._files

    def require_mark(self, mark: Mark) -> None:
        """Use the root from now on only where it bears this mark."""
        self._mark = mark
        self._root.close()

    def check_there(self) -> None:
        if self._mark is None:
            return
        try:
            stamp = mark_stamp(self.root)
        except (FileNotFoundError, NotADirectoryError):
            raise not_mounted(self.root, self.name) from None
        if stamp != self._seen:
            # Another disk may be mounted there now: what is open here may be below it.
            self._root.open_again()
            self._seen = stamp

    def numbered(self, artifact: str, following: int) -> None:
        if self._mark is not None:
            StoreHistory(self.root, self._root.sharing).numbered(artifact, following)

    def committed(self, uuid: str, row: int) -> None:
        if self._mark is not None:
            try:
                StoreHistory(self.root, self._root.sharing).committed(Newest(uuid, row))
            except OSError as error:
                logger.warning("the store at '%s' does not know of the newest version: %s", self.root, error)

    def share(self, sharing: Sharing, home: str = "") -> None:
        """Say whom what is made here is for, and by which home: its identity."""
        self._root.sharing = sharing
        self._claims = Claims(self.root, home)

    def create(self) -> None:
        if os.path.isdir(self.root):
            return
        try:
            os.makedirs(self.root)
        except FileExistsError:
            raise root_is_file(self.root) from None
        os.chmod(self.root, self._root.sharing.folder)

    def isdir(self, path: PathType) -> bool:
        """Whether a directory is there."""
        return self._files.isdir(path)

    def listdir(self, path: PathType) -> list[str]:
        """Return the names in a directory."""
        return self._files.listdir(path)

    def put(self, source: Path, key: bytes, progress: Progress = lambda taken: None) -> Stored:
        self.place(source, key, adopt=False)
        self.sync([key])
        stored = self.stat(key)
        progress(stored.size)
        return stored

    def stat(self, key: bytes) -> Stored:
        with self.open_place(key) as reader:
            status = reader.status
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), self.place_path(key))
        return Stored(status.st_size)

    def place(self, source: Path, relative: bytes, *, adopt: bool = True) -> bytes:
        check_relative_path(relative)
        parent, _, name = relative.rpartition(b"/")
        bring = files.link_or_copy if adopt else files.clone_or_copy
        for attempt in range(ATTEMPTS):
            directory = self._root.open_directory(parent)
            try:
                if not bring(source, name, target_directory=directory):
                    mode = self._root.sharing.stored_mode(os.lstat(source).st_mode)
                    os.chmod(name, mode, dir_fd=directory)
                return relative
            except FileExistsError:
                raise PlaceExists(
                    f"'{shown(relative)}' already exists in the store at '{self.root}'", subject=relative
                ) from None
            except FileNotFoundError:
                if attempt == ATTEMPTS - 1 or not os.path.lexists(source):
                    raise
            finally:
                os.close(directory)
        raise AssertionError("unreachable")

    def protect(self, places: Collection[bytes]) -> None:
        """Make the files at places those of this process's user, which nobody may write, whoever wrote them."""
        user = os.geteuid()
        is_shared = bool(self._root.sharing.folder & stat.S_ISGID)
        group = os.fstat(self._root.descriptor()).st_gid if is_shared else os.getegid()
        for place in places:
            descriptor = self._root.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                status = os.fstat(descriptor)
                if (status.st_uid, status.st_gid) != (user, group):
                    os.fchown(descriptor, user, group)
                os.fchmod(descriptor, self._root.sharing.stored_mode(status.st_mode))
            finally:
                os.close(descriptor)

    def sync(self, places: Collection[bytes]) -> None:
        if not places:
            return
        # A deep file has so many directories above it that they are not even to be listed.
        if (len(places) > FEW_FILES or max(map(len, places)) > LONGEST) and self._sync_filesystem():
            return
        directories: set[bytes] = set()
        for place in places:
            self._sync(place, os.O_RDONLY)
            while place:
                place = place.rpartition(b"/")[0]
                directories.add(place)
        # Deepest first: a name never survives whose directory does not.
        for directory in sorted(directories, key=len, reverse=True):
            self._sync(directory or b".", os.O_RDONLY | os.O_DIRECTORY)

    def open_place(self, key: bytes) -> LocalReader:
        check_relative_path(key)
        return LocalReader(self._root.open(key, os.O_RDONLY | os.O_NONBLOCK))

    def delete(self, key: bytes) -> None:
        check_relative_path(key)
        parent, _, name = key.rpartition(b"/")
        try:
            self._root.in_directory(parent, functools.partial(_unlink, name))
        except FileNotFoundError:
            return
        self._root.remove_empty(parent)

    def list(self, prefix: bytes = b"") -> Iterator[Listed]:
        if prefix:
            check_relative_path(prefix)
        try:
            os.close(self._root.open(prefix or b".", os.O_PATH))
        except FileNotFoundError:
            return
        yield from map(Listed, self.places(prefix))

    def places(self, under: bytes = b"") -> Iterator[bytes]:
        top = os.fsencode(self.place_path(under) if under else self.root)
        above = len(os.fsencode(self.root).rstrip(b"/")) + 1
        own, described = os.fsencode(f"{FOLDER}/"), (b"/" + MANIFEST, b"/" + MANIFEST + DRAFT)
        found = (path for path in files.walk_files(top) if not path.startswith(own, above))
        return (path[above:] for path in found if not path.endswith(described))

    @contextlib.contextmanager
    def claim(self, directory: bytes) -> Iterator[None]:
        # A lock on the directory itself: it ends with the process, and leaves nothing behind.
        check_relative_path(directory)
        while True:
            descriptor = self._root.open_directory(directory, is_new=True)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH)
                # Whoever removes the directory holds the lock alone: look whether that happened before it was got.
                if self._root.is_at(descriptor, directory):
                    self._claims.set(descriptor, directory, self._root.sharing)
                    try:
                        yield
                    finally:
                        self._root.remove_empty(directory)
                        if not self._root.is_at(descriptor, directory):
                            self._claims.forget(directory)
                    return
            finally:
                os.close(descriptor)

    def has_claimed(self, directory: bytes) -> bool:
        """Whether this home has ever claimed a directory: then it is neither a user's nor another home's."""
        return self._claims.has(self.place_path(directory), directory)

    @property
    def manifest_files(self) -> LocalManifestFiles:
        return self._manifest_files

    def remove_unclaimed(self, directory: bytes, still_unwanted: Callable[[], bool]) -> bool:
        """Remove a directory of places if nobody claims it; answer whether it was removed.

        Args:
            directory: relative to the root.
            still_unwanted: asked once nobody can claim the directory any more; nothing is removed when it says no.
        """
        check_relative_path(directory)
        try:
            descriptor = self._root.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not self._root.is_at(descriptor, directory) or not still_unwanted():
                return False
            parent, _, name = directory.rpartition(b"/")
            self._root.in_directory(parent, functools.partial(_rmtree, name))
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        self._root.remove_empty(parent)
        self._claims.forget(directory)
        return True

    def place_path(self, key: bytes) -> str:
        check_relative_path(key)
        if len(key) <= LONGEST:
            return self._files.inside(key)
        # To ask for each directory whether it is a link would take minutes: opening it tells as well.
        with contextlib.suppress(FileNotFoundError):
            self._root.in_directory(key.rpartition(b"/")[0], lambda directory: None)
        return os.path.join(self.root, os.fsdecode(key))

    def close(self) -> None:
        self._root.close()

    def _sync_filesystem(self) -> bool:
        """Sync all at once; answer no when that cannot be trusted.

        The kernel reports bytes that it could not write to the first who asks, which may be another thread: after the
        first such failure, every file is asked for its own.
        """
        root = self._root.descriptor()
        with self._sync_lock:
            if self._lost_writes:
                return False
            try:
                files.sync_filesystem(root)
            except OSError:
                self._lost_writes = True
                raise
        return True

    def _sync(self, place: bytes, flags: int) -> None:
        descriptor = self._root.open(place, flags)
        try:
            files.sync_file(descriptor)
        finally:
            os.close(descriptor)

    def _check_root(self, root: int) -> None:
        if self._mark is not None:
            check_mark(root, self.root, self._mark)


def _unlink(name: bytes, directory: int) -> None:
    os.unlink(name, dir_fd=directory)


def _rmtree(name: bytes, directory: int) -> None:
    files.remove_tree(name, directory=directory)
