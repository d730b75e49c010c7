"""Artifact stores of other flavours than `local`, as a third party would write them."""

from __future__ import annotations

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
