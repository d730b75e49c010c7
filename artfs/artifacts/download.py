"""The files of a version are copied out: into a directory, or into one zip file."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from artfs.artifacts.lookup import told_if_removed
from artfs.content.digest import BLOCK_SIZE
from artfs.content.files import remove_tree, sync_directory, sync_file, write_all
from artfs.content.long_paths import reachable, shown
from artfs.content.tree import EntryKind
from artfs.errors import AlreadyExists, DigestMismatch, InvalidName, PlaceChanged, VersionNotFound
from artfs.scopes import step_scope

if TYPE_CHECKING:
    from artfs.blobs.reader import BlobReader
    from artfs.catalog.trees import EntryRow
    from artfs.catalog.versions import Version
    from artfs.workspace.workspace import Workspace

Advance = Callable[[int], None]
Rows = list[tuple[bytes, "EntryRow"]]

_ZIP_NAME_BYTES = 2**16 - 1
_ZIP_BEGINS = (1980, 1, 1, 0, 0, 0)
_ZIP_ENDS = (2107, 12, 31, 23, 59, 58)


def download(
    workspace: Workspace,
    version: Version,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    advance: Advance = lambda done: None,
) -> Path:
    """Copy the files of a version, with sub-folders, links, modes and times, and return where they are.

    Every byte is compared with its digest on the way. A zip file, and a new directory, appear when they are complete.

    Args:
        workspace: where the version is.
        version: what to copy.
        path: a file that ends in `.zip`; anything else is a directory, which is new or empty.
        overwrite: replace an existing zip file; or put the files into a directory that has others, replacing those of
            the same names.
        advance: called with the number of bytes copied since the last call.

    Raises:
        AlreadyExists: something is at `path`, and `overwrite` is not set.
        VersionNotFound: the version was removed.
        DigestMismatch, PlaceChanged: a file is not what was stored; the line names it.
        InvalidName: a file's name is not UTF-8 or too long, and cannot be in a zip file.
    """
    current = workspace.catalog.versions.by_id(version.id)
    if current is None or current.tree_id is None:
        raise VersionNotFound(f"version {version.shown_name} was removed", subject=version.shown_name)
    if (scope := step_scope.get()) is not None:
        scope.loaded(current)
    target = Path(os.path.abspath(Path(path).expanduser()))
    rows = list(workspace.catalog.trees.walk(current.tree_id))
    copier = _Copier(workspace, current, advance)
    with told_if_removed(workspace.catalog, version, "copied"):
        if target.suffix.lower() == ".zip":
            copier.to_zip(rows, target, overwrite=overwrite)
        else:
            copier.to_directory(rows, target, overwrite=overwrite)
    return target


class _Copier:
    """One download."""

    def __init__(self, workspace: Workspace, version: Version, advance: Advance) -> None:
        self._workspace = workspace
        self._version = version
        self._advance = advance

    def to_zip(self, rows: Rows, target: Path, *, overwrite: bool) -> None:
        if target.is_dir() or (os.path.lexists(target) and not overwrite):
            raise AlreadyExists(f"'{target}' exists already: choose another path, or overwrite it", subject=target)
        names = [_zip_name(path) for path, _ in rows]
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = _beside(target)
        try:
            # Stored, not deflated: most artifacts are dense already, and it is many times faster.
            with draft.open("xb") as file:
                with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
                    for name, (path, row) in zip(names, rows, strict=True):
                        self._add(archive, name, path, row)
                file.flush()
                sync_file(file.fileno())
            os.rename(draft, target)
        except OSError as error:
            raise _named(error, draft, target) from error
        finally:
            draft.unlink(missing_ok=True)
        sync_directory(target.parent)

    def to_directory(self, rows: Rows, target: Path, *, overwrite: bool) -> None:
        if os.path.lexists(target) and not target.is_dir():
            raise AlreadyExists(f"'{target}' is a file: choose another path", subject=target)
        if target.is_dir() and any(target.iterdir()):
            if not overwrite:
                raise AlreadyExists(
                    f"'{target}' is not empty: choose another directory, or overwrite what is in it", subject=target
                )
            self._fill(rows, target, replace=True)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = _beside(target)
        try:
            draft.mkdir()
        except OSError as error:
            raise _named(error, draft, target) from error
        try:
            self._fill(rows, draft, replace=False)
            os.chmod(draft, self._version.mode | stat.S_IRWXU)
            try:
                os.rename(draft, target)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                raise AlreadyExists(f"'{target}' was made by somebody else meanwhile", subject=target) from None
        except BaseException:
            with contextlib.suppress(OSError):  # what went wrong before is what is told
                remove_tree(os.fsencode(draft), despite_modes=True)
            raise
        os.utime(target, ns=(self._version.mtime_ns, self._version.mtime_ns))

    def _fill(self, rows: Rows, directory: Path, *, replace: bool) -> None:
        top = os.fsencode(directory)
        for path, row in rows:
            with reachable(full := os.path.join(top, path)) as target:
                if replace:
                    _make_room(target, EntryKind(row.kind), shown(full))
                self._put(path, row, target)
        # Innermost last made, first finished: making files changes a directory's time.
        for path, row in reversed(rows):
            if row.kind == EntryKind.DIRECTORY:
                with reachable(os.path.join(top, path)) as target:
                    os.chmod(target, row.mode)
                    os.utime(target, ns=(row.mtime_ns, row.mtime_ns))

    def _put(self, path: bytes, row: EntryRow, target: bytes) -> None:
        if row.kind == EntryKind.DIRECTORY:
            os.makedirs(target, exist_ok=True)
        elif row.kind == EntryKind.SYMLINK:
            os.symlink(row.target or b"", target)
            os.utime(target, ns=(row.mtime_ns, row.mtime_ns), follow_symlinks=False)
        else:
            self._copy(path, row, target)

    def _copy(self, path: bytes, row: EntryRow, target: bytes) -> None:
        # Beside it, so that what is there stays until all bytes are, and were right.
        draft = os.path.join(os.path.dirname(target), os.fsencode(_draft_name()))
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            try:
                for piece in self._pieces(path, row):
                    write_all(descriptor, piece)
                os.fchmod(descriptor, row.mode)
                os.utime(descriptor, ns=(row.mtime_ns, row.mtime_ns))
            finally:
                os.close(descriptor)
            os.rename(draft, target)
        except BaseException:
            os.unlink(draft)
            raise

    def _add(self, archive: zipfile.ZipFile, name: str, path: bytes, row: EntryRow) -> None:
        kinds = {EntryKind.DIRECTORY: stat.S_IFDIR, EntryKind.SYMLINK: stat.S_IFLNK, EntryKind.FILE: stat.S_IFREG}
        is_directory = row.kind == EntryKind.DIRECTORY
        member = zipfile.ZipInfo(name + "/" if is_directory else name, _zip_time(row.mtime_ns))
        member.create_system = 3  # Unix: what `external_attr` means
        member.external_attr = (kinds[EntryKind(row.kind)] | row.mode) << 16 | (0x10 if is_directory else 0)
        if row.kind != EntryKind.FILE:
            archive.writestr(member, row.target or b"")
            return
        member.file_size = row.size
        with archive.open(member, "w", force_zip64=row.size >= 2**31) as writing:
            for piece in self._pieces(path, row):
                writing.write(piece)

    def _pieces(self, path: bytes, row: EntryRow) -> Iterator[bytes | memoryview]:
        """The verified bytes of a file, in order."""
        assert row.digest is not None
        name = f"'{os.fsdecode(path)}' of {self._version.shown_name}"
        with self._workspace.blobs.open(row.digest) as reader:
            for start in range(0, row.size, BLOCK_SIZE):
                piece = _read(reader, start, name)
                yield piece
                self._advance(len(piece))


def _read(reader: BlobReader, start: int, name: str) -> bytes | memoryview:
    try:
        return reader.read(start, BLOCK_SIZE)
    except (DigestMismatch, PlaceChanged) as error:
        raise type(error)(f"{name}: {error}", subject=name) from error


def _beside(target: Path) -> Path:
    return target.with_name(_draft_name())


def _draft_name() -> str:
    return f".artfs-download-{uuid.uuid4().hex}"


def _named(error: OSError, draft: Path, target: Path) -> OSError:
    """Return the error as one of `target`, if it is one of the draft: nobody knows of that."""
    return type(error)(error.errno, error.strerror, str(target)) if error.filename == str(draft) else error


def _make_room(target: bytes, kind: EntryKind, name: str) -> None:
    """Remove what is where a directory or link is to be; a file takes the place of another by itself.

    Raises AlreadyExists for a directory in the place of anything else.
    """
    if not os.path.lexists(target):
        return
    if os.path.isdir(target) and not os.path.islink(target):
        if kind != EntryKind.DIRECTORY:
            raise AlreadyExists(f"'{name}' is a directory, where the version has a file", subject=name)
    elif kind != EntryKind.FILE:
        os.unlink(target)


def _zip_name(path: bytes) -> str:
    if len(path) >= _ZIP_NAME_BYTES:
        raise InvalidName(
            f"'{shown(path)}' has more bytes than a name in a zip file may have: download into a directory",
            subject=path,
        )
    try:
        return path.decode("utf-8")
    except UnicodeDecodeError:
        name = path.decode("utf-8", "backslashreplace")
        raise InvalidName(
            f"the name '{name}' is not UTF-8 and cannot be in a zip file: download into a directory", subject=path
        ) from None


def _zip_time(mtime_ns: int) -> tuple[int, int, int, int, int, int]:
    moment = time.localtime(mtime_ns // 10**9)[:6]
    return min(max(moment, _ZIP_BEGINS), _ZIP_ENDS)
