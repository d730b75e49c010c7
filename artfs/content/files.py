"""What real files need beyond `os` and `shutil`: durability, and copies that cost as little as the disk allows."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import functools
import os
import stat
import uuid
from collections.abc import Callable, Iterator

from artfs.content.long_paths import FilePath, lstat, reachable

COPYING = b".artfs-copy-"
"""The name of a copy begins so until it is whole; a crash may leave it."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FICLONE = 0x40049409
_SYNC_FILE_RANGE_WRITE = 2
_COPY_CHUNK = 16 * 2**20
_NO_REFLINK = {errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.EXDEV, errno.ENOSYS, errno.ETXTBSY, errno.EPERM}
_NO_COPY_RANGE = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM}
_NO_LINK = {errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS}


def sync_file(descriptor: int) -> None:
    """Return when the file's bytes and size are on stable storage."""
    os.fsync(descriptor)


LARGE_FILE = 4 * 2**20
"""Bytes of a file that is worth a `start_writing`."""


def start_writing(descriptor: int) -> None:
    """Let the disk begin to write a file's bytes now, so that a sync after other work has less to wait for.

    A mere hint: it promises nothing, and where it is not known nothing happens.
    """
    function = getattr(_libc(), "sync_file_range", None)
    if function is not None:
        function(descriptor, ctypes.c_int64(0), ctypes.c_int64(0), ctypes.c_uint(_SYNC_FILE_RANGE_WRITE))


def sync_directory(path: FilePath) -> None:
    """Return when the names in a directory are on stable storage."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def sync_filesystem(file: FilePath | int) -> None:
    """Return when everything written to the file system of `file` is on stable storage: one call for many files.

    Bytes that could not be written are reported once to each open descriptor: to miss none, give one that was opened
    before the writing began.
    """
    if not isinstance(file, int):
        with _opened(file, os.O_RDONLY) as descriptor:
            sync_filesystem(descriptor)
    elif _libc().syncfs(file) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"the file system could not write everything: {os.strerror(number)}")


def link_or_copy(source: FilePath, target: FilePath, *, target_directory: int | None = None) -> bool:
    """Make `target` a hard link of `source`, or its copy where that cannot be; raise FileExistsError if it exists.

    A copy is made beside the target and renamed, so that `target` is never there half. Returns whether it is a link.

    Args:
        source: an existing file.
        target: the new name.
        target_directory: descriptor of the directory that a relative `target` is in; else the working directory.
    """
    try:
        os.link(source, target, dst_dir_fd=target_directory, follow_symlinks=False)
        return True
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
    return clone_or_copy(source, target, target_directory=target_directory)


def clone_or_copy(source: FilePath, target: FilePath, *, target_directory: int | None = None) -> bool:
    """Copy a file's bytes, permission bits and mtime to a new file: as a reflink, else with its holes kept.

    Raises FileExistsError if `target` exists. It is never there half; what a crash leaves behind has a name that
    begins with `COPYING`. Returns False: it is no link. Arguments as for `link_or_copy`.
    """
    target = os.fsencode(target)
    draft = _beside(target, COPYING)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        with _opened(source, os.O_RDONLY) as reading, _opened(draft, flags, directory=target_directory) as writing:
            copy_content(reading, writing)
            status = os.fstat(reading)
            os.fchmod(writing, stat.S_IMODE(status.st_mode))
            os.utime(writing, ns=(status.st_atime_ns, status.st_mtime_ns))
        _rename_to_new(draft, target, target_directory)
    except BaseException:
        _remove_if_there(draft, target_directory)
        raise
    return False


def copy_content(reading: int, writing: int) -> None:
    """Copy all bytes from one descriptor to another, empty one: as a reflink, else range by range with holes kept."""
    try:
        fcntl.ioctl(writing, _FICLONE, reading)
        return
    except OSError as error:
        if error.errno not in _NO_REFLINK:
            raise
    size = os.fstat(reading).st_size
    copy_range: Callable[[int, int, int, int], int] = _copy_in_kernel
    for start, end in data_ranges(reading, size):
        position = start
        while position < end:
            try:
                count = copy_range(reading, writing, position, min(end - position, _COPY_CHUNK))
            except OSError as error:
                if copy_range is _copy_by_hand or error.errno not in _NO_COPY_RANGE:
                    raise
                copy_range = _copy_by_hand
                continue
            if count == 0:
                break
            position += count
    os.ftruncate(writing, size)


def data_ranges(descriptor: int, size: int) -> list[tuple[int, int]]:
    """Return the (start, end) ranges of a file that are not holes; the whole file where holes cannot be told."""
    ranges: list[tuple[int, int]] = []
    end = 0
    while end < size:
        try:
            start = os.lseek(descriptor, end, os.SEEK_DATA)
            end = min(os.lseek(descriptor, start, os.SEEK_HOLE), size)
        except OSError as error:
            if error.errno == errno.ENXIO:  # only a hole is left
                break
            if error.errno in (errno.EINVAL, errno.EOPNOTSUPP):
                return [(0, size)]
            raise
        if start < end:
            ranges.append((start, end))
    return ranges


@contextlib.contextmanager
def made_readable(path: FilePath, mode: int | None = None) -> Iterator[None]:
    """Let the owner of a file open it, whatever its mode says, while the context lasts.

    The mode is put back at the end. A file of somebody else stays as it is.

    Args:
        path: of the file.
        mode: what its mode is; looked up when not given.
    """
    mode = stat.S_IMODE(os.lstat(path).st_mode if mode is None else mode)
    if mode & stat.S_IRUSR or os.access(path, os.R_OK, effective_ids=True):
        yield
        return
    os.chmod(path, mode | stat.S_IRUSR)
    try:
        yield
    finally:
        os.chmod(path, mode)


def walk_files(top: bytes, on_error: Callable[[OSError], None] | None = None) -> Iterator[bytes]:
    """Yield the path of everything below a directory that is no directory; as deep as it goes, without recursion.

    Args:
        top: the directory.
        on_error: told of directories that cannot be listed; else the first one raises its OSError.
    """
    pending = [top]
    while pending:
        directory = pending.pop()
        prefix = os.path.join(directory, b"")
        try:
            with reachable(directory) as at, os.scandir(at) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(prefix + entry.name)
                    else:
                        yield prefix + entry.name
        except OSError as error:
            if on_error is None:
                raise
            on_error(error)


def walk(
    top: str, topdown: bool = True, onerror: Callable[[OSError], object] | None = None
) -> Iterator[tuple[str, list[str], list[str]]]:
    """Do as `os.walk`, but as deep as it goes: that one ends in a RecursionError, or leaves out what is deeper."""
    pending: list[str | tuple[str, list[str], list[str]]] = [top]
    while pending:
        each = pending.pop()
        if isinstance(each, tuple):
            yield each
            continue
        directories: list[str] = []
        names: list[str] = []
        try:
            with reachable(each) as at, os.scandir(at) as entries:
                for entry in entries:
                    (directories if _is_directory(entry) else names).append(os.fsdecode(entry.name))
        except OSError as error:
            if onerror is not None:
                onerror(error)
            continue
        if topdown:
            yield each, directories, names
        else:
            pending.append((each, directories, names))
        inside = [os.path.join(each, name) for name in reversed(directories)]
        pending += [path for path in inside if not stat.S_ISLNK(_mode(path))]


def remove_tree(top: bytes, *, directory: int | None = None, despite_modes: bool = False) -> None:
    """Remove a directory and everything below, as deep as it goes, without recursion; links are not followed.

    It goes down and up again with one open directory, so that neither paths nor descriptors grow with the depth.

    Args:
        top: the directory; itself no link.
        directory: descriptor of the directory that a relative `top` is in.
        despite_modes: its own user may have taken rights to directories from himself: remove them all the same.

    Raises OSError, also if a directory is moved elsewhere meanwhile.
    """
    with reachable(top, directory) as at:
        descriptor = _opened_to_empty(at, directory, despite_modes)
        try:
            levels = [_Emptied(b"", descriptor)]
            while True:
                level = levels[-1]
                if level.directories:
                    name = level.directories.pop()
                    descriptor = _replace(descriptor, _opened_to_empty(name, descriptor, despite_modes))
                    levels.append(_Emptied(name, descriptor))
                    continue
                levels.pop()
                if not levels:
                    break
                descriptor = _replace(descriptor, os.open(b"..", _DIRECTORY, dir_fd=descriptor))
                if not os.path.samestat(os.fstat(descriptor), levels[-1].status):
                    raise OSError(errno.ESTALE, "the directory was moved while it was removed", level.name)
                os.rmdir(level.name, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        os.rmdir(at, dir_fd=directory)


def write_file(path: FilePath, data: bytes) -> None:
    """Put `data` into the file at `path`, which is made if it is not there; what was in it goes.

    For small files `open`, which first asks what it has opened, takes longer than all the rest of it.
    """
    with _opened(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666) as writing:
        write_all(writing, data)


def read_regular(path: FilePath) -> bytes | None:
    """Return what is in a file; None where there is none, or a folder, link, pipe, ... in its place.

    For what must be a file of artfs, where others can put things: nobody follows a link, or waits for a pipe.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO):
            return None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    with open(descriptor, "rb") as reading:
        return reading.read()


def atomic_write(path: FilePath, data: bytes, *, mode: int) -> None:
    """Put `data` into the file at `path`, durably; at any crash the file has its old content or the new.

    It has that mode then, whatever the umask is.
    """
    target = os.fsencode(path)
    draft = _beside(target, b".artfs-write-")
    try:
        with _opened(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode) as writing:
            os.fchmod(writing, mode)
            write_all(writing, data)
            sync_file(writing)
        os.rename(draft, target)
    except BaseException:
        _remove_if_there(draft)
        raise
    sync_directory(os.path.dirname(target) or b".")


def write_all(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    """Write all of `data` at the descriptor's position; a full disk raises OSError with ENOSPC."""
    view = memoryview(data).cast("B")
    while view:
        view = view[os.write(descriptor, view) :]


def _is_directory(entry: os.DirEntry[bytes]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # as os.walk takes it


def _mode(path: str) -> int:
    try:
        return lstat(path).st_mode
    except FileNotFoundError:
        return 0  # gone meanwhile, as it is found to be when it is listed


class _Emptied:
    """A directory that is being removed: its files are gone, and the names of the directories in it are left."""

    __slots__ = ("directories", "name", "status")

    def __init__(self, name: bytes, descriptor: int) -> None:
        self.name = name
        self.status = os.fstat(descriptor)
        self.directories: list[bytes] = []
        with os.scandir(descriptor) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    self.directories.append(os.fsencode(entry.name))
                else:
                    os.unlink(entry.name, dir_fd=descriptor)


def _opened_to_empty(path: bytes, directory: int | None, despite_modes: bool) -> int:
    """Open a directory whose entries are to be removed."""
    try:
        descriptor = os.open(path, _DIRECTORY, dir_fd=directory)
    except PermissionError:
        if not despite_modes:
            raise
        os.chmod(path, stat.S_IRWXU, dir_fd=directory)
        descriptor = os.open(path, _DIRECTORY, dir_fd=directory)
    try:
        if despite_modes and os.fstat(descriptor).st_mode & stat.S_IRWXU != stat.S_IRWXU:
            os.fchmod(descriptor, stat.S_IRWXU)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _replace(old: int, new: int) -> int:
    os.close(old)
    return new


class _opened:
    """A descriptor for the length of a `with` block."""

    def __init__(self, path: FilePath, flags: int, mode: int = 0o600, directory: int | None = None) -> None:
        self._descriptor = os.open(path, flags | os.O_CLOEXEC, mode, dir_fd=directory)

    def __enter__(self) -> int:
        return self._descriptor

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def _beside(target: bytes, prefix: bytes) -> bytes:
    return os.path.join(os.path.dirname(target), prefix + uuid.uuid4().hex.encode())


def _rename_to_new(draft: bytes, target: bytes, directory: int | None) -> None:
    """Give the draft its name unless that is taken: a link fails where a rename would replace."""
    try:
        os.link(draft, target, src_dir_fd=directory, dst_dir_fd=directory)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        # A file system without hard links.
        if _exists(target, directory):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fsdecode(target)) from None
        os.rename(draft, target, src_dir_fd=directory, dst_dir_fd=directory)
        return
    os.unlink(draft, dir_fd=directory)


def _exists(path: bytes, directory: int | None) -> bool:
    try:
        os.stat(path, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _remove_if_there(path: bytes, directory: int | None = None) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path, dir_fd=directory)


def _copy_in_kernel(reading: int, writing: int, position: int, count: int) -> int:
    return os.copy_file_range(reading, writing, count, position, position)


def _copy_by_hand(reading: int, writing: int, position: int, count: int) -> int:
    data = os.pread(reading, min(count, 2**20), position)
    return os.pwrite(writing, data, position) if data else 0


def _sync(path: FilePath, flags: int) -> None:
    with _opened(path, flags) as descriptor:
        os.fsync(descriptor)


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
