"""The store that is a directory of this machine.

Places are reached from its open root, which nothing leads out of (`artfs.stores.root`); the file level compares
resolved paths by components.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import glob
import logging
import os
import shutil
import stat
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, ClassVar
from urllib.parse import unquote_to_bytes

from artfs.content import files
from artfs.content.long_paths import LONGEST, shown
from artfs.content.replacing import DRAFT, write_in_place_of
from artfs.errors import InvalidValue, OutsideStore, PlaceExists, StoreError
from artfs.names import check_relative_path
from artfs.sharing import Sharing
from artfs.stores import manifest
from artfs.stores.base import PathType, PlaceReader, Store
from artfs.stores.claimed import Claims
from artfs.stores.history import History, Newest
from artfs.stores.mark import FOLDER, Mark, Stamp, check_mark, mark_stamp, not_mounted
from artfs.stores.root import ATTEMPTS, Root

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

    def close(self) -> None:
        os.close(self.descriptor)


class LocalStore(Store):
    """A store in a directory.

    Args:
        root: absolute path or `file://` URI. It must be there, or be made with `create`: one that is missing later is
            an error, as its disk may just not be mounted.
    """

    flavor: ClassVar[str] = "local"
    SUPPORTED_SCHEMES: ClassVar[set[str]] = {"/", "file://"}

    def __init__(
        self, root: str, options: Mapping[str, Any] | None = None, *, id: int | None = None, name: str = ""
    ) -> None:
        super().__init__(root, options, id=id, name=name)
        self._root = Root(self.root, self.name, self._followed, self._check_root)
        self._claims = Claims(self.root, "")
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
    def is_local(self) -> bool:
        return True

    def require_mark(self, mark: Mark) -> None:
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
            History(self.root, self._root.sharing).numbered(artifact, following)

    def committed(self, uuid: str, row: int) -> None:
        if self._mark is not None:
            try:
                History(self.root, self._root.sharing).committed(Newest(uuid, row))
            except OSError as error:
                logger.warning("the store at '%s' does not know of the newest version: %s", self.root, error)

    def inside(self, path: PathType) -> str:
        text = os.fsdecode(path)
        if (plain := local_path(text)) is None:
            raise OutsideStore(f"'{text}' leads out of the store at '{self.root}'", subject=text)
        return self._checked(os.path.join(self.root, plain), text)

    def share(self, sharing: Sharing, home: str = "") -> None:
        self._root.sharing = sharing
        self._claims = Claims(self.root, home)

    def create(self) -> None:
        if not os.path.isdir(self.root):
            os.makedirs(self.root)
            os.chmod(self.root, self._root.sharing.folder)

    # The file level.

    def open(self, path: PathType, mode: str = "r") -> IO[Any]:
        return open(self._followed(path), mode)

    def copyfile(self, src: PathType, dst: PathType, overwrite: bool = False) -> None:
        source, target = self._followed(src), self._followed(dst)
        if os.path.lexists(target) and not overwrite:
            raise FileExistsError(errno.EEXIST, "the file exists; pass overwrite=True to replace it", target)
        shutil.copyfile(source, target)

    def exists(self, path: PathType) -> bool:
        return os.path.exists(self._followed(path))

    def glob(self, pattern: PathType) -> list[str]:
        plain = local_path(os.fsdecode(pattern))
        found = glob.glob(os.path.join(self.root, plain)) if plain is not None else []
        return [path for path in found if self._is_inside(os.path.realpath(path))]

    def isdir(self, path: PathType) -> bool:
        return os.path.isdir(self._followed(path))

    def listdir(self, path: PathType) -> list[str]:
        directory = self._followed(path)
        return [name for name in os.listdir(directory) if not self._is_own(directory, name)]

    def makedirs(self, path: PathType) -> None:
        os.makedirs(self._followed(path), exist_ok=True)

    def mkdir(self, path: PathType) -> None:
        os.mkdir(self.inside(path))

    def remove(self, path: PathType) -> None:
        os.remove(self.inside(path))

    def rename(self, src: PathType, dst: PathType, overwrite: bool = False) -> None:
        source, target = self.inside(src), self.inside(dst)
        if os.path.lexists(target) and not overwrite:
            raise FileExistsError(errno.EEXIST, "the file exists; pass overwrite=True to replace it", target)
        os.replace(source, target)

    def rmtree(self, path: PathType) -> None:
        target = self.inside(path)
        if os.path.realpath(target) == os.path.realpath(self.root):
            raise StoreError(f"the root of the store at '{self.root}' cannot be removed", subject=target)
        files.remove_tree(os.fsencode(target))

    def stat(self, path: PathType) -> os.stat_result:
        return os.stat(self._followed(path))

    def size(self, path: PathType) -> int:
        return os.stat(self._followed(path)).st_size

    def walk(
        self, top: PathType, topdown: bool = True, onerror: Callable[..., None] | None = None
    ) -> Iterable[tuple[str, list[str], list[str]]]:
        for directory, directories, names in files.walk(self._followed(top), topdown, onerror):
            directories[:] = [name for name in directories if not self._is_own(directory, name)]
            yield directory, directories, names

    # The place level.

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

    def open_place(self, place: bytes) -> LocalReader:
        check_relative_path(place)
        return LocalReader(self._root.open(place, os.O_RDONLY | os.O_NONBLOCK))

    def remove_place(self, place: bytes) -> None:
        check_relative_path(place)
        parent, _, name = place.rpartition(b"/")
        try:
            self._root.in_directory(parent, functools.partial(_unlink, name))
        except FileNotFoundError:
            return
        self._root.remove_empty(parent)

    def places(self, under: bytes = b"") -> Iterator[bytes]:
        top = os.fsencode(self.place_path(under) if under else self.root)
        above = len(os.fsencode(self.root).rstrip(b"/")) + 1
        own, described = os.fsencode(f"{FOLDER}/"), (b"/" + manifest.FILE, b"/" + manifest.FILE + DRAFT)
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
        return self._claims.has(self.place_path(directory), directory)

    @property
    def keeps_manifests(self) -> bool:
        return True

    def prepare_manifest(self, folder: bytes) -> None:
        at = folder + b"/" + manifest.FILE.rpartition(b"/")[0]
        os.close(self._root.open_directory(at, is_new=True))

    def write_manifest(self, folder: bytes, pieces: Iterable[bytes], *, durable: bool) -> bytes:
        place = folder + b"/" + manifest.FILE
        above, _, name = place.rpartition(b"/")
        directory = self._root.open_directory(above, is_new=True)
        try:
            write_in_place_of(name, pieces, directory, mode=self._root.sharing.stored, durable=durable)
        finally:
            os.close(directory)
        return place

    def open_manifest(self, folder: bytes) -> IO[bytes] | None:
        try:
            return os.fdopen(self._root.open(folder + b"/" + manifest.FILE, os.O_RDONLY | os.O_NOFOLLOW), "rb")
        except (FileNotFoundError, NotADirectoryError):
            return None

    def remove_unclaimed(self, directory: bytes, still_unwanted: Callable[[], bool]) -> bool:
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

    def place_path(self, place: bytes) -> str:
        if len(place) <= LONGEST:
            return super().place_path(place)
        check_relative_path(place)
        # To ask for each directory whether it is a link would take minutes: opening it tells as well.
        with contextlib.suppress(FileNotFoundError):
            self._root.in_directory(place.rpartition(b"/")[0], lambda directory: None)
        return os.path.join(self.root, os.fsdecode(place))

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

    def _is_own(self, directory: str, name: str) -> bool:
        """Whether a name is that of the store's own folder, which is nobody's content."""
        return name == FOLDER and os.path.realpath(self.root) == os.path.realpath(directory)

    def _check_root(self, root: int) -> None:
        if self._mark is not None:
            check_mark(root, self.root, self._mark)

    def _followed(self, path: PathType) -> str:
        """The full path with all links resolved, which is inside the root."""
        self.check_there()
        resolved = os.path.realpath(self.inside(path))
        if not self._is_inside(resolved):
            raise OutsideStore(f"'{os.fsdecode(path)}' leads out of the store at '{self.root}'", subject=path)
        return resolved

    def _checked(self, full: str, shown: str) -> str:
        """The full path with the links of the directories above it resolved; the last name is taken as it is."""
        if "\0" in full:
            raise OutsideStore(f"{shown!r} contains a NUL byte", subject=shown)
        above, name = os.path.split(full.rstrip("/") or "/")
        resolved = os.path.realpath(full) if name in ("", ".", "..") else os.path.join(os.path.realpath(above), name)
        if os.path.normpath(full) != self.root and not self._is_inside(resolved):
            raise OutsideStore(f"'{shown}' leads out of the store at '{self.root}'", subject=shown)
        return resolved

    def _is_inside(self, resolved: str) -> bool:
        root = os.path.realpath(self.root)
        return resolved == root or os.path.commonpath([resolved, root]) == root


def local_path(path: str) -> str | None:
    """Return the local path that a path or `file://` URI names, or None for another scheme or another host."""
    if path.startswith("file://"):
        host, slash, rest = path.removeprefix("file://").partition("/")
        return os.fsdecode(unquote_to_bytes(slash + rest)) if host in ("", "localhost") else None
    return None if "://" in path and not path.startswith("/") else path


def _unlink(name: bytes, directory: int) -> None:
    os.unlink(name, dir_fd=directory)


def _rmtree(name: bytes, directory: int) -> None:
    files.remove_tree(name, directory=directory)
