"""The fsspec filesystem `artfs://<artifact>/<version>/<path>`: versions without a mount, in whatever speaks fsspec.

    pandas.read_parquet("artfs://iris/latest/df.parquet")
    fsspec.open_files("artfs://iris/@best/*.csv")
    fsspec.filesystem("artfs").get("iris/3/", "here/", recursive=True)

The version is a number, a name, `latest`, or `@tag`. Every byte is compared with its digest before it is returned, and
nothing can be written. Links inside a version are followed. A name with `::` in it, which fsspec takes for a chain of
filesystems, can be written with %3A for `:` in a URL.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from fsspec.spec import AbstractFileSystem

from artfs.artifacts.browse import Browser, Info, entry_info
from artfs.blobs.file import BlobFile
from artfs.blobs.window import Cursor
from artfs.errors import ReadOnly
from artfs.workspace.current import current_workspace

if TYPE_CHECKING:
    from artfs.blobs.reader import BlobReader
    from artfs.workspace.workspace import Workspace

BUFFER_SIZE = 2**17
"""What a file reads ahead; the 4 MiB blocks that are verified are kept by the workspace."""


class ArtfsFileSystem(AbstractFileSystem):
    """The versions of a catalog as a read-only filesystem.

    Args:
        home: artfs's directory; that of `$ARTFS_HOME`, or the usual one, when not given.

    Raises FileNotFoundError (ArtifactNotFound, VersionNotFound) for what is not there, DigestMismatch (an OSError) for
    bytes that were changed, and ReadOnly (a PermissionError) for every attempt to write.
    """

    protocol = "artfs"
    root_marker = ""

    def __init__(self, home: str | os.PathLike[str] | None = None, **storage_options: Any) -> None:
        super().__init__(**storage_options)
        self._home = Path(home) if home is not None else None
        self._own: Workspace | None = None
        self._last_browser: Browser | None = None

    @property
    def fsid(self) -> str:
        """Which filesystem this is."""
        return f"artfs_{self._workspace().home.path}"

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        stripped = super()._strip_protocol(path)
        return stripped.lstrip("/") if isinstance(stripped, str) else stripped

    def info(self, path: str, **kwargs: Any) -> Info:
        """Return what is known of a path; see `artfs.artifacts.browse.Info`."""
        return self._browser.info(self._strip_protocol(path))

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:
        """Return what is in a directory: all artifacts, the versions of one, or the files of one.

        The links `latest` and `@tag` of an artifact are not listed, so that nothing is found twice.
        """
        listed = self._browser.listed(self._strip_protocol(path))
        return listed if detail else [each["name"] for each in listed]

    def created(self, path: str) -> datetime:
        """Return when the artifact or version that a path is in was made."""
        return self._browser.created(self._strip_protocol(path))

    def modified(self, path: str) -> datetime:
        """Return when a file was written."""
        return datetime.fromtimestamp(self.info(path)["mtime"], UTC)

    def ukey(self, path: str) -> str:
        """Return a text that stands for the content of a path: its digest, where it has one."""
        return str(self.info(path).get("digest") or super().ukey(path))

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
        """Return the bytes of a file from `start` to before `end`; negative numbers count from its end."""
        with self._reader(path) as reader:
            return _range(reader, start, end)

    def cat_ranges(
        self,
        paths: list[str],
        starts: int | Sequence[int | None] | None,
        ends: int | Sequence[int | None] | None,
        max_gap: int | None = None,
        on_error: str = "return",
        **kwargs: Any,
    ) -> list[Any]:
        """Return a range of each path, or the error in its place; a file is opened once for all its ranges."""
        if not isinstance(paths, list):
            raise TypeError(f"paths must be a list, not {type(paths).__name__}")
        first, last = _each(starts, len(paths)), _each(ends, len(paths))
        indexes: dict[str, list[int]] = {}
        for index, path in enumerate(paths):
            indexes.setdefault(path, []).append(index)
        found: list[bytes | OSError] = [b""] * len(paths)
        for path, wanted in indexes.items():
            try:
                with self._reader(path) as reader:
                    for index in wanted:
                        found[index] = _range(reader, first[index], last[index])
            except OSError as error:
                if on_error != "return":
                    raise
                for index in wanted:
                    found[index] = error
        return found

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_options: Any = None,
        **kwargs: Any,
    ) -> ArtfsFile:
        if mode != "rb":
            self._refuse()
        version, inner, entry = self._browser.file(path)
        # The exact version, as `latest` may be another one when the file is opened again in another process.
        exact = f"{version.artifact}/{version.name}/{inner}"
        return ArtfsFile(self, entry_info(exact, entry), self._reader(exact), block_size or BUFFER_SIZE)

    def _refuse(self, *arguments: Any, **named: Any) -> NoReturn:
        raise ReadOnly(
            "artfs:// is read-only, as versions never change: save a new one with artfs.save_artifact, or write it"
            " into /incoming of a mount"
        )

    mkdir = makedirs = rmdir = rm = rm_file = _rm = cp_file = mv = pipe_file = put_file = touch = _refuse

    def _reader(self, path: str) -> BlobReader:
        browser = self._browser
        _, _, entry = browser.file(self._strip_protocol(path))
        assert entry.digest is not None
        return browser.workspace.blobs.open(entry.digest)

    @property
    def _browser(self) -> Browser:
        workspace = self._workspace()
        browser = self._last_browser
        if browser is None or browser.workspace is not workspace:
            browser = self._last_browser = Browser(workspace)
        return browser

    def _workspace(self) -> Workspace:
        if self._home is None:
            return current_workspace()
        if self._own is None:
            from artfs.home.home import Home
            from artfs.workspace.workspace import Workspace

            self._own = Workspace.of(Home.find(self._home).existing())
        return self._own


class ArtfsFile(io.BufferedReader):
    """An open file of a version; it can be pickled, and is then opened anew.

    Args:
        fs: what it was opened with.
        details: what the filesystem says of it; `name` is its path with the version's own number or name.
        reader: its bytes.
        block_size: how much to read ahead.
    """

    def __init__(self, fs: ArtfsFileSystem, details: Info, reader: BlobReader, block_size: int = BUFFER_SIZE) -> None:
        super().__init__(BlobFile(Cursor(reader)), block_size)
        self.fs = fs
        self.details = details
        self.path: str = details["name"]
        self.size = reader.size
        self.blocksize = block_size

    @property
    def full_name(self) -> str:
        """Its URL."""
        return str(self.fs.unstrip_protocol(self.path))

    def info(self) -> Info:
        """Return what is known of it."""
        return self.details

    def __reduce_ex__(self, protocol: Any) -> tuple[Callable[..., ArtfsFile], tuple[Any, ...]]:
        return _reopened, (self.fs, self.path, self.tell(), self.blocksize)


def _reopened(fs: ArtfsFileSystem, path: str, position: int, block_size: int) -> ArtfsFile:
    file: ArtfsFile = fs.open(path, "rb", block_size=block_size)
    file.seek(position)
    return file


def _range(reader: BlobReader, start: int | None, end: int | None) -> bytes:
    first, last, _ = slice(start, end).indices(reader.size)
    return bytes(reader.read(first, max(0, last - first)))


def _each(value: int | Sequence[int | None] | None, count: int) -> Sequence[int | None]:
    if value is None or isinstance(value, int):
        return [value] * count
    if len(value) != count:
        raise ValueError(f"{count} paths need as many starts and ends, not {len(value)}")
    return value
