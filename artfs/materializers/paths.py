"""Files and folders that are artifacts as they are: a pathlib.Path stands for what lies there."""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from artfs.content.files import walk_files
from artfs.content.long_paths import LONGEST, lstat, reachable, shown
from artfs.content.reach import has_list, is_closed_above
from artfs.enums import ArtifactType
from artfs.errors import InvalidValue, MaterializerError, SourceNotFound, UnsupportedFile
from artfs.materializers.base import BaseMaterializer
from artfs.names import RESERVED_PREFIX


class PathMaterializer(BaseMaterializer):
    """pathlib.Path: the file or folder it names, kept under its own name as plain files with modes and times.

    Loading gives the path of the stored file or folder, which is read-only: copy what you want to change. Relative
    links within the folder stay links; for others, what they lead to is copied. Where a folder above, or an access
    control list, keeps other users out, only the owner keeps rights to the copy.
    """

    ASSOCIATED_TYPES: ClassVar[tuple[type | str, ...]] = ("pathlib.Path", "pathlib.PosixPath", "pathlib.WindowsPath")
    KNOWS_TYPE: ClassVar[bool] = True
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.DATA

    def save(self, data: Path) -> None:
        """Copy the file or folder.

        Raises:
            SourceNotFound: nothing is there, or a link in it leads nowhere.
            UnsupportedFile: a FIFO, socket or device is in it.
            InvalidValue: a link in it leads to a folder that it lies in.
        """
        if not data.exists():
            raise SourceNotFound(
                f"{data} does not exist: a Path is saved as the file or folder it names; to keep just the name, save"
                " str(path)",
                subject=data,
            )
        source = data.resolve()
        _copy(bytes(source), os.fsencode(os.path.join(self.uri, _name(data))), (source,))

    def load(self, data_type: type[Any]) -> Path:
        """Return the path of the stored file or folder.

        Raises:
            MaterializerError: there is not exactly one.
        """
        entries = [entry for entry in Path(self.uri).iterdir() if entry.name != RESERVED_PREFIX]
        if len(entries) != 1:
            raise MaterializerError(
                f"there are {len(entries)} entries in {self.uri}, and not the one file or folder of a saved Path",
                subject=self.uri,
            )
        return entries[0]

    def extract_metadata(self, data: Path) -> dict[str, Any]:
        """Return the `name`, and of a folder how many `files` it has."""
        if not data.is_dir():
            return {"name": _name(data)}
        return {"name": _name(data), "files": sum(1 for _ in walk_files(bytes(data)))}


class PreexistingDataMaterializer(BaseMaterializer):
    """Data that artfs did not write, registered or come through /incoming: loading gives the path of it."""

    SKIP_REGISTRATION = True
    ASSOCIATED_TYPES: ClassVar[tuple[type | str, ...]] = ("pathlib.Path", "pathlib.PosixPath", "pathlib.WindowsPath")
    KNOWS_TYPE: ClassVar[bool] = True
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.DATA

    def save(self, data: Any) -> None:
        """Refuse: such data is registered where it lies."""
        raise MaterializerError("existing data is not saved but registered: use register_artifact")

    def load(self, data_type: type[Any]) -> Path:
        """Return the path of the directory, or of the file where `uri` is a file."""
        return Path(self.uri)


def _name(path: Path) -> str:
    """Return the name that a path was given by, also where it is a link or ends in `..`."""
    return os.path.basename(os.path.abspath(path)) or "data"


@dataclass(frozen=True, slots=True)
class _Copied:
    """A folder that is being copied; `roots` are the folders it is in, the innermost last, links resolved.
    is_closed: others cannot reach it."""

    source: bytes
    target: bytes
    roots: tuple[Path, ...]
    pending: list[bytes]
    is_closed: bool


def _copy(source: bytes, target: bytes, roots: tuple[Path, ...]) -> None:
    """Copy a file or folder, however deep, without recursion; `roots` are the folders that are being copied."""
    first = _begun(source, target, roots, is_closed=is_closed_above(roots[-1]))
    folders = [] if first is None else [first]
    while folders:
        folder = folders[-1]
        if not folder.pending:
            with reachable(folder.source) as reading, reachable(folder.target) as writing:
                shutil.copystat(reading, writing)
            _close(folder.source, folder.target, folder.is_closed)
            folders.pop()
            continue
        name = folder.pending.pop()
        inner, copy = os.path.join(folder.source, name), os.path.join(folder.target, name)
        if stat.S_ISLNK(lstat(inner).st_mode):
            there = _kept_link(inner, copy, folder.roots)
            begun = None if there is None else _linked(there, copy, folder.roots)
        else:
            begun = _begun(inner, copy, folder.roots)
        if begun is not None:
            folders.append(begun)


def _linked(there: Path, target: bytes, roots: tuple[Path, ...]) -> _Copied | None:
    """Copy what a link leads to, as `_begun` does."""
    return _begun(bytes(there), target, (*roots, there), is_closed=is_closed_above(there))


def _begun(source: bytes, target: bytes, roots: tuple[Path, ...], *, is_closed: bool = False) -> _Copied | None:
    """Copy a file; of a folder, make the copy and return what is to be copied into it."""
    with reachable(source) as reading, reachable(target) as writing:
        mode = os.stat(reading).st_mode
        if stat.S_ISREG(mode):
            shutil.copy2(reading, writing)
            _close(source, target, is_closed)
            return None
        if not stat.S_ISDIR(mode):
            name = shown(source)
            raise UnsupportedFile(f"{name} is neither a file nor a folder, and has no content to save", subject=name)
        os.mkdir(writing)
        return _Copied(source, target, roots, os.listdir(reading), is_closed)


def _close(source: bytes, target: bytes, is_closed: bool) -> None:
    """Let only the owner keep rights to a copy that others must not reach: what is in it is closed with it."""
    if is_closed or has_list(source):
        with reachable(target) as writing:
            os.chmod(writing, stat.S_IMODE(os.stat(writing).st_mode) & stat.S_IRWXU)


def _kept_link(link: bytes, target: bytes, roots: tuple[Path, ...]) -> Path | None:
    """Keep a relative link that stays within the folder; of any other, return what is to be copied in its place."""
    with reachable(link) as at:
        text = os.fsdecode(os.readlink(at))
    there, name = _resolved(link, text), shown(link)
    if not os.path.isabs(text) and there.is_relative_to(roots[-1]):
        with reachable(target) as at:
            os.symlink(text, at)
        return None
    if not _exists(there):
        raise SourceNotFound(f"the link {name} leads to {text}, which does not exist: remove it first", subject=name)
    if any(root.is_relative_to(there) for root in roots):
        raise InvalidValue(f"the link {name} leads to {there}, which it lies in itself: remove it first", subject=name)
    return there


def _resolved(link: bytes, text: str) -> Path:
    """Where a link really leads."""
    if len(link) <= LONGEST:
        return Path(os.path.realpath(os.fsdecode(link)))
    # No system call resolves a path that long; but the folders above the link have been walked, and are no links.
    return Path(os.path.realpath(os.path.normpath(os.path.join(os.path.dirname(os.fsdecode(link)), text))))


def _exists(path: Path) -> bool:
    try:
        with reachable(path) as at:
            return os.path.exists(at)
    except (FileNotFoundError, NotADirectoryError):
        return False
