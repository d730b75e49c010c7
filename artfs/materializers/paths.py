"""Files and folders that are artifacts as they are: a pathlib.Path stands for what lies there."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import Any, ClassVar

from artfs.enums import ArtifactType
from artfs.errors import InvalidValue, MaterializerError, SourceNotFound, UnsupportedFile
from artfs.materializers.base import BaseMaterializer


class PathMaterializer(BaseMaterializer):
    """pathlib.Path: the file or folder it names, kept under its own name as plain files with modes and times.

    Loading gives the path of the stored file or folder, which is read-only: copy what you want to change. Relative
    links within the folder stay links; for others, what they lead to is copied.
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
        _copy(source, Path(self.uri, _name(data)), (source,))

    def load(self, data_type: type[Any]) -> Path:
        """Return the path of the stored file or folder.

        Raises:
            MaterializerError: there is not exactly one.
        """
        entries = list(Path(self.uri).iterdir())
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
        return {"name": _name(data), "files": sum(len(names) for _, _, names in os.walk(data))}


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


def _copy(source: Path, target: Path, roots: tuple[Path, ...]) -> None:
    """Copy a file or folder; `roots` are the folders that are being copied, the innermost last, links resolved."""
    mode = source.stat().st_mode
    if stat.S_ISREG(mode):
        shutil.copy2(source, target)
        return
    if not stat.S_ISDIR(mode):
        raise UnsupportedFile(f"{source} is neither a file nor a folder, and has no content to save", subject=source)
    target.mkdir()
    for path in source.iterdir():
        if path.is_symlink():
            _copy_link(path, target / path.name, roots)
        else:
            _copy(path, target / path.name, roots)
    shutil.copystat(source, target)


def _copy_link(link: Path, target: Path, roots: tuple[Path, ...]) -> None:
    """Keep a relative link that stays within the folder; copy what any other link leads to."""
    text = os.readlink(link)
    there = Path(os.path.realpath(link))
    if not os.path.isabs(text) and there.is_relative_to(roots[-1]):
        os.symlink(text, target)
    elif not there.exists():
        raise SourceNotFound(f"the link {link} leads to {text}, which does not exist: remove it first", subject=link)
    elif any(root.is_relative_to(there) for root in roots):
        raise InvalidValue(f"the link {link} leads to {there}, which it lies in itself: remove it first", subject=link)
    else:
        _copy(there, target, (*roots, there))
