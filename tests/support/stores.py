"""Artifact stores of other flavours than `local`, as a third party would write them."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from artfs.stores.fsspec_store import FsspecStore


class MemoryStore(FsspecStore):
    """In the memory of this process. All of them share it: empty it after use."""

    flavor: ClassVar[str] = "memory"
    SUPPORTED_SCHEMES: ClassVar[set[str]] = {"memory://"}
    PROTOCOL: ClassVar[str] = "memory"
    OPTIONS: ClassVar[frozenset[str]] = frozenset({"asynchronous"})


class FileStore(FsspecStore):
    """In a directory, but through fsspec."""

    flavor: ClassVar[str] = "fsspec-file"
    SUPPORTED_SCHEMES: ClassVar[set[str]] = {"file://"}
    PROTOCOL: ClassVar[str] = "file"


def stored_files(root: Path) -> list[Path]:
    """The files of versions below the root of a store, without what the store keeps for itself."""
    return sorted(path for path in root.rglob("*") if path.is_file() and ".artfs" not in path.relative_to(root).parts)
