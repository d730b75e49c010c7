"""Looking at files that are to become a version: what is there, and what its digests are."""

from __future__ import annotations

import errno
import os
import shlex
import stat
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from artfs.artifacts.outside import file_outside, leads_out
from artfs.content import files
from artfs.content.digest import FileDigest, hash_bytes, hash_file
from artfs.content.long_paths import lstat, reachable, shown
from artfs.content.reach import has_list, is_closed_above
from artfs.content.tree import Entry, EntryKind, Tree
from artfs.errors import (
    Cancelled,
    ChangedWhileReading,
    InvalidValue,
    SourceNotFound,
    StoreError,
    UnsupportedFile,
)
from artfs.names import PICTURES, check_entry_name
from artfs.stores.local.store import local_path

Cancel = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What a file is that is only a stand-in: its bytes are in a store already, and must not be taken from it."""

    file: FileDigest


Known = Callable[[os.stat_result, bytes], FileDigest | Elsewhere | None]
"""Asked for each file (its status, its full path): its digest, if that is known without reading it."""


class Selection(Protocol):
    """What of a directory is looked at while the rest of it may change. Paths are relative to it."""

    def takes(self, path: bytes) -> bool:
        """Whether something is in the version, and what is below it may be."""
        ...

    def takes_link(self, path: bytes) -> bool:
        """Whether a link whose path is taken is in the version, with what it leads to."""
        ...

    def instead(self, path: bytes) -> bytes | None:
        """Where to look for a file that is taken as it was; None to take the file itself."""
        ...


@dataclass(frozen=True, slots=True)
class ScannedFile:
    """A file of a version to be.

    Args:
        path: where it will be in the version.
        source_path: where it is now, as bytes.
        st_dev, st_ino: which file that is.
        entry: what the version says of it.
        digest: what its content is.
        stand_in: whether its bytes are in a store already, and not in `source`.
        content: its bytes, if they were to be kept.
    """

    path: bytes
    source_path: bytes
    st_dev: int
    st_ino: int
    entry: Entry
    digest: FileDigest
    stand_in: bool
    content: bytes | None = None

    @property
    def source(self) -> Path:
        """Where it is now."""
        return Path(os.fsdecode(self.source_path))


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a version will hold.

    Args:
        tree: all of it.
        files: the files in it, in the tree's order.
        mode, mtime_ns: of the version's directory.
        in_place: whether the bytes stay where they are.
        owners, groups: the users and groups that files and directories belong to.
        self_contained: whether no link in it leads out of it.
        top: what was looked at.
        called: what its user calls it, if not so.
    """

    tree: Tree
    files: tuple[ScannedFile, ...]
    mode: int
    mtime_ns: int
    in_place: bool = False
    owners: frozenset[int] = frozenset()
    groups: frozenset[int] = frozenset()
    self_contained: bool = True
    top: bytes = b""
    called: str | None = None

    def shown(self, source: bytes) -> str:
        """Return the path of a file of it for people, as they call it."""
        return _shown(source, self.top, self.called)


def scan(
    path: str | Path,
    *,
    entry_name: bytes | None = None,
    known: Known | None = None,
    cancelled: Cancel | None = None,
    keep: int = 0,
    is_new: bool = False,
    is_staging: bool = False,
    called: str | None = None,
    selection: Selection | None = None,
    follows: bool = False,
) -> Scanned:
    """Look at a directory, or at a file, which will be the only one in its version. Links are kept.

    Args:
        path: what is to become a version.
        entry_name: what to call a single file in the version; its own name when not given.
        known: tells digests that need no reading.
        cancelled: asked again and again; Cancelled is raised as soon as it says yes.
        keep: up to how many bytes of content may be kept, of all files together.
        is_new: whether the files were written just now and will be synced: the disk begins while they are hashed.
        is_staging: whether visualizations may lie in a folder `.artfs` in it, which is not looked at.
        called: what errors call `path`, where its user knows it by another one.
        selection: what of a directory to look at; all of it when not given. Other names may come and go meanwhile.
        follows: whether a link that leads out of the directory to a file is that file.

    Raises:
        SourceNotFound: nothing is there.
        InvalidName: a name cannot be in a version.
        UnsupportedFile: a FIFO, socket or device is there.
        ChangedWhileReading: something was written to meanwhile.
        OSError: something cannot be read.
    """
    walk = _Scan(known, cancelled, keep, is_new, is_staging, called, selection, follows)
    return walk.scan(os.fsencode(path), entry_name)


def scan_in_place(target: str | Path, *, cancelled: Cancel | None = None, avoid: Path | None = None) -> Scanned:
    """Look at existing data that a version will refer to where it is. Links out of it to a file are that file.

    The mode of the version's directory gives others nothing where they cannot reach the data itself, because of a
    directory above it or an access control list.

    Args:
        target: an absolute path or a `file://` URI. When it is itself a link, what it points to is taken.
        cancelled: asked now and then; True ends it with Cancelled.
        avoid: a folder that no link is followed into.

    Raises:
        InvalidValue, StoreError: the target names nothing on this machine.
        ChangedWhileReading: something was written to meanwhile.
    """
    given = os.fspath(target)
    path = local_path(given)
    if path is None:
        scheme = given.partition("://")[0]
        raise StoreError(f"cannot register '{given}': no artifact store for {scheme}:// is installed", subject=given)
    if not os.path.isabs(path):
        raise InvalidValue(f"cannot register '{given}': give an absolute path or a URI", subject=given)
    try:
        resolved = os.path.realpath(path, strict=True)
    except FileNotFoundError:
        raise SourceNotFound(f"cannot register '{given}': nothing is there", subject=given) from None
    walk = _Scan(None, cancelled, follows=True, avoid=os.fsencode(avoid) if avoid is not None else None)
    return in_place(walk.scan(os.fsencode(resolved), os.fsencode(os.path.basename(path.rstrip("/")))), resolved)


def in_place(found: Scanned, path: str | os.PathLike[str]) -> Scanned:
    """Return what was scanned at a path, whose links are resolved, as data that stays there."""
    top = os.fsencode(path)
    directories = (name for name, entry in found.tree.walk() if entry.kind is EntryKind.DIRECTORY)
    inside: tuple[bytes, ...] = (
        *(os.path.join(top, name) for name in directories),
        *(file.source_path for file in found.files),
    )
    above = {os.path.dirname(file.source_path) for file in found.files if not file.source_path.startswith(top)}
    beside = (os.fsdecode(os.path.join(folder, b"file")) for folder in above)
    is_closed = any(map(is_closed_above, (path, *beside))) or any(map(has_list, (top, *inside)))
    return replace(closed(found) if is_closed else found, in_place=True)


def closed(found: Scanned) -> Scanned:
    """Return what was scanned as a version that only its owner may enter."""
    return replace(found, mode=found.mode & stat.S_IRWXU)


_MOST_PATH_BYTES = 2**30
"""Bytes of all paths of a version together. A thousand files a level, a thousand levels deep, are no accident, and
whoever lists the version has them all in memory."""


@dataclass(slots=True)
class _Directory:
    """A directory that is being looked at: what is still to do, and what was found."""

    name: bytes
    status: os.stat_result
    pending: list[bytes]
    entries: list[Entry] = field(default_factory=list)


class _Scan:
    """One walk. Without recursion, as directories may be deeper than Python's stack."""

    def __init__(
        self,
        known: Known | None,
        cancelled: Cancel | None,
        keep: int = 0,
        is_new: bool = False,
        is_staging: bool = False,
        called: str | None = None,
        selection: Selection | None = None,
        follows: bool = False,
        avoid: bytes | None = None,
    ) -> None:
        self._follows = follows
        self._avoid = avoid
        self._called = called
        self._selection = selection
        self._top = b""
        self._known = known
        self._cancelled = cancelled
        self._keep = keep
        self._is_new = is_new
        self._is_staging = is_staging
        self._files: list[ScannedFile] = []
        self._path_bytes = 0
        self._owners: set[int] = set()
        self._groups: set[int] = set()
        self._self_contained = True

    def scan(self, source: bytes, entry_name: bytes | None) -> Scanned:
        self._top = source
        try:
            status = lstat(source)
        except FileNotFoundError:
            raise SourceNotFound(f"'{self._shown(source)}' does not exist", subject=self._shown(source)) from None
        if stat.S_ISDIR(status.st_mode):
            tree = self._walk(source, status)
            return self._measured(tree, status.st_mode & 0o777, status.st_mtime_ns)
        entry_name = entry_name if entry_name is not None else os.path.basename(source)
        check_entry_name(entry_name, at_root=True)
        entry = self._leaf(source, entry_name, entry_name, status)
        return self._measured(Tree((entry,)), 0o755, status.st_mtime_ns)

    def _measured(self, tree: Tree, mode: int, mtime_ns: int) -> Scanned:
        return Scanned(
            tree,
            tuple(self._files),
            mode,
            mtime_ns,
            owners=frozenset(self._owners),
            groups=frozenset(self._groups),
            self_contained=self._self_contained,
            top=self._top,
            called=self._called,
        )

    def _walk(self, top: bytes, status: os.stat_result) -> Tree:
        open_directories = [self._listed(top, b"", status, at_root=True)]
        above = b""  # the path of the innermost of them, with a slash at its end: one for each would be too much
        while True:
            directory = open_directories[-1]
            if directory.pending:
                name = directory.pending.pop()
                if self._selection is not None and not self._selection.takes(above + name):
                    continue
                inner = self._at(top, above + name)
                inner_status = self._status(inner)
                self._count(inner, len(above) + len(name))
                if stat.S_ISDIR(inner_status.st_mode):
                    open_directories.append(self._listed(inner, name, inner_status))
                    above += name + b"/"
                elif self._takes_leaf(above + name, inner_status):
                    directory.entries.append(self._leaf(inner, above + name, name, inner_status))
                continue
            open_directories.pop()
            source = os.path.join(top, above[:-1]) if above else top
            if self._selection is None:
                self._check_unchanged(source, directory.status, self._status(source))
            tree = Tree(tuple(directory.entries))
            if not open_directories:
                return tree
            mode, mtime_ns = directory.status.st_mode & 0o777, directory.status.st_mtime_ns
            open_directories[-1].entries.append(Entry(directory.name, EntryKind.DIRECTORY, mode, mtime_ns, tree=tree))
            above = above[: -len(directory.name) - 1]

    def _takes_leaf(self, path: bytes, status: os.stat_result) -> bool:
        return self._selection is None or not stat.S_ISLNK(status.st_mode) or self._selection.takes_link(path)

    def _at(self, top: bytes, path: bytes) -> bytes:
        """Where to look for what is at a path below the top."""
        instead = self._selection.instead(path) if self._selection is not None else None
        return instead if instead is not None else os.path.join(top, path)

    def _listed(self, source: bytes, name: bytes, status: os.stat_result, *, at_root: bool = False) -> _Directory:
        self._stop_if_cancelled(source)
        try:
            with reachable(source) as at:
                names = os.listdir(at)
        except PermissionError:
            raise self._unreadable(source) from None
        if at_root and self._is_staging and _has_only_pictures(source, names):
            names.remove(_OWN)
        for inner in names:
            check_entry_name(inner, at_root=at_root)
        self._owners.add(status.st_uid)
        self._groups.add(status.st_gid)
        return _Directory(name, status, sorted(names, reverse=True))

    def _count(self, source: bytes, path_bytes: int) -> None:
        self._path_bytes += path_bytes
        if self._path_bytes > _MOST_PATH_BYTES:
            raise UnsupportedFile(
                f"'{self._shown(source)}': the paths of a version may have {_MOST_PATH_BYTES:,} bytes together, and"
                " here are more; put what lies so deep into an archive",
                subject=source,
            )

    def _stop_if_cancelled(self, source: bytes) -> None:
        if self._cancelled is not None and self._cancelled():
            raise Cancelled(f"'{self._shown(source)}': cancelled", subject=source)

    def _leaf(self, source: bytes, relative: bytes, name: bytes, status: os.stat_result) -> Entry:
        self._stop_if_cancelled(source)
        if stat.S_ISLNK(status.st_mode):
            with reachable(source) as at:
                target = os.readlink(at)
            if self._follows and (file := file_outside(self._top, source, target, self._avoid)) is not None:
                return self._leaf(file, relative, name, lstat(file))
            self._self_contained = self._self_contained and not leads_out(relative, target)
            return Entry(name, EntryKind.SYMLINK, 0o777, status.st_mtime_ns, target=target)
        if not stat.S_ISREG(status.st_mode):
            what = _SPECIAL.get(stat.S_IFMT(status.st_mode), "a special file")
            raise UnsupportedFile(
                f"'{self._shown(source)}' is {what}, and a version holds files, directories and links only; remove it",
                subject=source,
            )
        self._owners.add(status.st_uid)
        self._groups.add(status.st_gid)
        known = self._known(status, source) if self._known is not None else None
        content: bytes | None = None
        if known is None:
            digest, content = self._hashed(source, status)
        else:
            digest = known.file if isinstance(known, Elsewhere) else known
        entry = Entry(name, EntryKind.FILE, status.st_mode & 0o777, status.st_mtime_ns, file=digest)
        stand_in = isinstance(known, Elsewhere)
        self._files.append(
            ScannedFile(relative, source, status.st_dev, status.st_ino, entry, digest, stand_in, content)
        )
        return entry

    def _hashed(self, source: bytes, status: os.stat_result) -> tuple[FileDigest, bytes | None]:
        """The digest of a file, and its content if that is to be kept."""
        content: bytes | None = None
        with reachable(source) as at, files.made_readable(at, status.st_mode):
            # Not blocking, should a FIFO have taken the file's place since it was looked at.
            descriptor = os.open(at, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            before = os.fstat(descriptor)
            self._check_unchanged(source, status, before)
            if before.st_size <= self._keep:
                content = os.pread(descriptor, before.st_size + 1, 0)
                self._keep -= len(content)
                digest = FileDigest(hash_bytes(content), len(content))
            else:
                if self._is_new and before.st_size >= files.LARGE_FILE:
                    files.start_writing(descriptor)
                digest = hash_file(descriptor, self._cancelled)
            after = os.fstat(descriptor)
        except InterruptedError:
            raise Cancelled(f"'{self._shown(source)}': cancelled", subject=source) from None
        finally:
            os.close(descriptor)
        self._check_unchanged(source, before, after)
        if before.st_ctime_ns != after.st_ctime_ns or digest.size != after.st_size:
            raise self._changed(source)
        return digest, content

    def _status(self, source: bytes) -> os.stat_result:
        try:
            return lstat(source)
        except FileNotFoundError:
            raise self._changed(source) from None
        except PermissionError:
            raise self._unreadable(os.path.dirname(source)) from None

    def _unreadable(self, directory: bytes) -> PermissionError:
        name = self._shown(directory)
        return PermissionError(
            errno.EACCES, f"the directory may not be read; allow it with 'chmod u+rx {shlex.quote(name)}'", name
        )

    def _check_unchanged(self, source: bytes, before: os.stat_result, after: os.stat_result) -> None:
        # Sizes of directories are not compared: they say nothing on some file systems.
        size_changed = before.st_size != after.st_size and not stat.S_ISDIR(before.st_mode)
        if not os.path.samestat(before, after) or before.st_mtime_ns != after.st_mtime_ns or size_changed:
            raise self._changed(source)

    def _changed(self, source: bytes) -> ChangedWhileReading:
        name = self._shown(source)
        return ChangedWhileReading(
            f"'{name}' was changed while it was read; try again when it is complete", subject=name
        )

    def _shown(self, source: bytes) -> str:
        return _shown(source, self._top, self._called)


def _shown(source: bytes, top: bytes, called: str | None) -> str:
    return shown(source) if called is None else called + shown(source[len(top) :])


_OWN, _PICTURES, _ = PICTURES.split(b"/")


def _has_only_pictures(source: bytes, names: Collection[bytes]) -> bool:
    return _OWN in names and os.listdir(os.path.join(source, _OWN)) == [_PICTURES]


_SPECIAL = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a block device",
    stat.S_IFCHR: "a character device",
}
