"""What a store is: a root that holds bytes, and the operations on it.

There are two levels. The file level is the artifact store interface of ZenML (`open copyfile exists glob ...`); a
flavour has to implement it. The place level is what versions use: bytes are placed once under a path relative to the
root, read by range, and removed; it has an implementation on top of the file level, and a flavour that can do better
(hard links, multipart uploads, range requests) replaces it.

A flavour is a subclass with a `flavor` name (or `FLAVOR`, as ZenML spells it); being defined registers it, see
`artfs.stores.registry`. No operation may leave the root: a flavour calls `self.inside(path)` on every path it is given.

    class ShelfStore(BaseArtifactStore):
        FLAVOR = "shelf"
        SUPPORTED_SCHEMES = {"shelf://"}

        def open(self, path, mode="r"):
            return shelf.open(self.inside(path), mode)
        ...
"""

from __future__ import annotations

import inspect
import shutil
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Any, ClassVar

from artfs.errors import InvalidValue, OutsideStore, PlaceExists
from artfs.names import check_relative_path
from artfs.redaction import has_secret, redacted
from artfs.sharing import Sharing
from artfs.stores.built_in import RESERVED
from artfs.stores.mark import Mark

PathType = str | bytes | Path


class PlaceReader(ABC):
    """An open place. Many threads may read at once."""

    __slots__ = ()

    @abstractmethod
    def pread(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from byte `offset`; fewer only at the end."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Bytes that are there now."""

    @property
    def mtime_ns(self) -> int | None:
        """When they were last changed, where the store can tell."""
        return None

    @property
    def stamp(self) -> object | None:
        """What is different after any change of the bytes, where the store can tell that for certain."""
        return None

    @property
    def etag(self) -> str | None:
        """What the store says the content's version is, where it does."""
        return None

    @abstractmethod
    def close(self) -> None:
        """Give back what the reader holds."""

    def __enter__(self) -> PlaceReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Store(ABC):
    """A root that holds bytes.

    Args:
        root: a directory or URI.
        options: settings of the flavour.
        id: the row in the catalog, if it is registered.
        name: what people call it.
    """

    #: What `artifact-store register -f` calls the class. One without a name of its own is reached as `custom`.
    flavor: ClassVar[str] = "custom"
    #: What a root begins with: `{"s3://"}`, or `/` for absolute local paths.
    SUPPORTED_SCHEMES: ClassVar[set[str]] = set()
    #: The options that the flavour takes. Secrets are none: they stay out of the catalog, in the client's environment.
    OPTIONS: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "FLAVOR" in cls.__dict__:
            cls.flavor = cls.__dict__["FLAVOR"]
        if "flavor" in cls.__dict__ and not inspect.isabstract(cls):
            defined.add(cls)

    def __init__(
        self, root: str, options: Mapping[str, Any] | None = None, *, id: int | None = None, name: str = ""
    ) -> None:
        self.root = self.check_root(root)
        self.options: Mapping[str, Any] = options or {}
        self.id = id
        self.name = name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.root!r})"

    @classmethod
    def check_root(cls, root: str) -> str:
        """Return `root` as the flavour will use it, or raise InvalidValue when no store of it can be there."""
        scheme = next((each for each in sorted(cls.SUPPORTED_SCHEMES, key=len) if root.startswith(each)), None)
        if scheme is None:
            schemes = ", ".join(sorted(cls.SUPPORTED_SCHEMES)) or "a scheme, but its class names none"
            raise InvalidValue(
                f"a {cls.flavor} store cannot be at {redacted(root)!r}: its path must begin with {schemes}"
            )
        if why := _root_fault(root, scheme):
            raise InvalidValue(f"a {cls.flavor} store cannot be at {redacted(root)!r}: {why}")
        return root.rstrip("/") or "/"

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> None:
        """Raise InvalidValue for an option that the flavour does not take."""
        for name in sorted(options.keys() - cls.OPTIONS):
            known = f"it takes {', '.join(sorted(cls.OPTIONS))}" if cls.OPTIONS else "it takes none"
            raise InvalidValue(
                f"a {cls.flavor} store has no option '{name}': {known}; passwords and keys belong in the environment",
                subject=name,
            )

    @property
    def path(self) -> str:
        """The root."""
        return self.root

    @property
    def is_local(self) -> bool:
        """Whether the root is a directory of this machine, so that its files can be opened, linked and mapped."""
        return False

    def share(self, sharing: Sharing, home: str = "") -> None:  # noqa: B027 - only local stores have modes and claims
        """Say whom what is made here is for, and by which home: its identity."""

    def create(self) -> None:
        """Make the root if it is not there."""
        self.makedirs(self.root)

    def require_mark(self, mark: Mark) -> None:  # noqa: B027 - only directories can be those of other disks
        """Use the root from now on only where it bears this mark."""

    def check_there(self) -> None:  # noqa: B027 - as above
        """Raise StoreError if the root does not bear its mark, as when its disk is not mounted."""

    def numbered(self, artifact: str, following: int) -> None:  # noqa: B027 - comes with the stores that need it
        """Remember the next number of an artifact, before a version gets the one before. See `artfs.stores.history`."""

    def committed(self, uuid: str, row: int) -> None:  # noqa: B027 - as above
        """Remember the newest version, after its rows were committed."""

    def inside(self, path: PathType) -> str:
        """Return the full path or URI of `path` (relative to the root, or full), or raise OutsideStore."""
        text = path.decode("utf-8", "surrogateescape") if isinstance(path, bytes) else str(path)
        relative = _relative_to(self.root, text) if _is_full(text) else text.split("/")
        if relative is None or ".." in relative or any("\0" in part for part in relative):
            raise OutsideStore(f"'{text}' leads out of the store at '{self.root}'", subject=text)
        return "/".join([self.root.rstrip("/"), *(part for part in relative if part not in ("", "."))])

    # The file level. Every path may be relative to the root or full.

    @abstractmethod
    def open(self, path: PathType, mode: str = "r") -> IO[Any]:
        """Open a file."""

    @abstractmethod
    def copyfile(self, src: PathType, dst: PathType, overwrite: bool = False) -> None:
        """Copy a file; FileExistsError unless `overwrite`."""

    @abstractmethod
    def exists(self, path: PathType) -> bool:
        """Whether something is there."""

    @abstractmethod
    def glob(self, pattern: PathType) -> list[str]:
        """Return the full paths that match a shell pattern."""

    @abstractmethod
    def isdir(self, path: PathType) -> bool:
        """Whether a directory is there."""

    @abstractmethod
    def listdir(self, path: PathType) -> list[str]:
        """Return the names in a directory."""

    @abstractmethod
    def makedirs(self, path: PathType) -> None:
        """Make a directory and those above it; fine if it is there."""

    @abstractmethod
    def mkdir(self, path: PathType) -> None:
        """Make a directory in an existing one."""

    @abstractmethod
    def remove(self, path: PathType) -> None:
        """Remove a file."""

    @abstractmethod
    def rename(self, src: PathType, dst: PathType, overwrite: bool = False) -> None:
        """Give a file another path; FileExistsError unless `overwrite`."""

    @abstractmethod
    def rmtree(self, path: PathType) -> None:
        """Remove a directory and everything in it."""

    @abstractmethod
    def stat(self, path: PathType) -> Any:
        """Return what the store knows about a path."""

    @abstractmethod
    def size(self, path: PathType) -> int | None:
        """Return a file's bytes, or None where the store cannot tell."""

    @abstractmethod
    def walk(
        self, top: PathType, topdown: bool = True, onerror: Callable[..., None] | None = None
    ) -> Iterable[tuple[str, list[str], list[str]]]:
        """Yield (directory, names of directories, names of files) for `top` and all below."""

    # The place level. A place is a path relative to the root, as bytes.

    def place(self, source: Path, relative: bytes, *, adopt: bool = True) -> bytes:
        """Bring a complete local file into the store and return its place.

        Args:
            source: the file; nobody may write to it any more when it is adopted.
            relative: where to; never overwritten, PlaceExists if taken.
            adopt: the store may share the file's inode (hard link); else it makes its own copy.
        """
        target = self.place_path(relative)
        if self.exists(target):
            raise PlaceExists(f"'{target}' already exists in the store", subject=target)
        self.makedirs(target.rpartition("/")[0])
        with source.open("rb") as reading, self.open(target, "wb") as writing:
            shutil.copyfileobj(reading, writing, 2**20)
        return relative

    def protect(self, places: Collection[bytes]) -> None:  # noqa: B027 - adopted files are there on this machine alone
        """Make the files at places those of this process's user, which nobody may write, whoever wrote them."""

    def sync(self, places: Collection[bytes]) -> None:  # noqa: B027 - object stores have nothing to do
        """Return when the bytes at these places, and their names, will survive a crash."""

    def open_place(self, place: bytes) -> PlaceReader:
        """Open a place for reading by range."""
        return _FileReader(self.open(self.place_path(place), "rb"), self.size(self.place_path(place)))

    def remove_place(self, place: bytes) -> None:
        """Remove what lies at a place, and directories above that it leaves empty; fine if it is gone already."""
        path = self.place_path(place)
        if self.exists(path):
            self.remove(path)

    def places(self, under: bytes = b"") -> Iterator[bytes]:
        """Yield every place, or those in one directory, at any depth. Manifests are none."""
        top = self.place_path(under) if under else self.root
        if not self.isdir(top):
            return
        for directory, _, names in self.walk(top):
            for name in names:
                full = f"{directory.rstrip('/')}/{name}"
                yield full[len(self.root.rstrip("/")) + 1 :].encode("utf-8", "surrogateescape")

    def claim(self, directory: bytes) -> AbstractContextManager[None]:
        """Keep everybody from taking a directory of places for what a dead process left, while the context lasts.

        The claim ends with this process, however it ends. A flavour whose bytes appear only when they are complete
        needs none.
        """
        check_relative_path(directory)
        return nullcontext()

    def has_claimed(self, directory: bytes) -> bool:
        """Whether this home has ever claimed a directory: then it is no user's folder in the root, nor another home's.

        A flavour that cannot tell says no: then what a dead process left there is not found.
        """
        return False

    @property
    def keeps_manifests(self) -> bool:
        """Whether versions have manifests here; see `artfs.stores.manifest`."""
        return False

    def prepare_manifest(self, folder: bytes) -> None:
        """Make the directory for the manifest of a version's folder, so that it becomes durable with that."""
        raise NotImplementedError

    def write_manifest(self, folder: bytes, pieces: Iterable[bytes], *, durable: bool) -> bytes:
        """Put a manifest into the folder of a version, whole, in the place of the one before; return its path.

        Args:
            folder: relative to the root.
            pieces: its bytes.
            durable: return when it is on stable storage, if the directory for it already is.
        """
        raise NotImplementedError

    def open_manifest(self, folder: bytes) -> IO[bytes] | None:
        """Open the manifest in the folder of a version; None if there is none."""
        return None

    def remove_unclaimed(self, directory: bytes, still_unwanted: Callable[[], bool]) -> bool:
        """Remove a directory of places if nobody claims it; answer whether it was removed.

        Args:
            directory: relative to the root.
            still_unwanted: asked once nobody can claim the directory any more; nothing is removed when it says no.
        """
        path = self.place_path(directory)
        if not self.isdir(path) or not still_unwanted():
            return False
        self.rmtree(path)
        return True

    def place_path(self, place: bytes) -> str:
        """Return the full path or URI of a place, for people and for the file level."""
        check_relative_path(place)
        return self.inside(place)

    def close(self) -> None:  # noqa: B027 - most flavours hold nothing
        """Give back what the store holds."""


class Defined:
    """The flavours that classes of this process defined, by name. There is one, `defined`.

    `artfs.stores.registry` finds a class among them, the built-in ones and those that packages announce.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_name: dict[str, type[Store]] = {}

    def add(self, store: type[Store]) -> None:
        """Let `store` serve its flavour from now on; defining a subclass of Store with a flavour calls this.

        Raises:
            InvalidValue: the flavour is artfs's own, or the class does not say which schemes it supports.
        """
        name, shown = store.flavor, f"{store.__module__}.{store.__qualname__}"
        if name in RESERVED and not store.__module__.startswith("artfs.stores."):
            raise InvalidValue(f"{shown} cannot be the flavor '{name}', which is artfs's own: choose another")
        if not store.SUPPORTED_SCHEMES:
            raise InvalidValue(f"{shown} needs SUPPORTED_SCHEMES, for example {{'{name}://'}}", subject=name)
        with self._lock:
            self._by_name[name] = store

    def get(self, name: str) -> type[Store] | None:
        """Return the class that serves a flavour, if one was defined."""
        with self._lock:
            return self._by_name.get(name)

    def names(self) -> list[str]:
        """Return the flavours that were defined."""
        with self._lock:
            return list(self._by_name)


defined = Defined()


class _FileReader(PlaceReader):
    """A place through an ordinary file object: one reader at a time moves its position."""

    __slots__ = ("_file", "_lock", "_size")

    def __init__(self, file: IO[bytes], size: int | None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._size = size if size is not None else file.seek(0, 2)

    def pread(self, offset: int, size: int) -> bytes:
        with self._lock:
            self._file.seek(offset)
            pieces: list[bytes] = []
            while size > 0 and (piece := self._file.read(size)):
                pieces.append(piece)
                size -= len(piece)
            return b"".join(pieces)

    @property
    def size(self) -> int:
        return self._size

    def close(self) -> None:
        self._file.close()


def _root_fault(root: str, scheme: str) -> str | None:
    """Why nothing can be at `root`, which begins with `scheme`."""
    if "\0" in root:
        return "it has a NUL byte in it"
    if not scheme.endswith("://"):
        return None
    rest = root.removeprefix(scheme)
    if not rest.strip("/"):
        return f"it needs a path after {scheme}"
    if not root.isprintable():
        return "it has control characters in it"
    if any(part in (".", "..") for part in rest.split("/")):
        return "'.' and '..' mean nothing in a URI"
    if has_secret(root):
        return "a password in it would be kept in the catalog; set it in the environment instead"
    return None


def _is_full(path: str) -> bool:
    return path.startswith("/") or "://" in path


def _relative_to(root: str, path: str) -> list[str] | None:
    """The components of `path` below `root`, or None when it is not below: compared by component."""
    above, below = root.rstrip("/").split("/"), path.split("/")
    return below[len(above) :] if below[: len(above)] == above else None
