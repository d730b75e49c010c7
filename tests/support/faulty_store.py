"""A store that goes wrong when it is told to, be it in another process.

Its root is `faulty:///some/directory`; the option `control` names a file that says what goes wrong, and may be changed
at any time: a line of JSON made by `StoreFault`. In a good mood (no such file) it is a store like any other.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from artfs.stores.artifact_store import BaseArtifactStore
from artfs.stores.backend import Backend, Capabilities, Listed, PlaceReader, Progress, Stored
from artfs.stores.flavor import StoreFlavor
from artfs.stores.local.store import LocalStore

SCHEME = "faulty://"
CLASS = "support.faulty_store:FaultyStore"
DRIP_BYTES = 4096
DRIP_SECONDS = 0.02


@dataclass(frozen=True)
class StoreFault:
    """What goes wrong.

    operation: put, open_place, pread, stat, delete, list or close; `any` for each.
    how: stall (until the fault is taken away), error (which stays), transient (which may pass), short, wrong, or drip,
    the last three of pread.
    times: how often, 0 for always.
    """

    operation: str
    how: str
    times: int = 0

    def write(self, path: Path) -> None:
        """Lets it go wrong from now on."""
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(self)))
        fresh.rename(path)


class FaultyStore(StoreFlavor, Backend):
    """See the module."""

    flavor = "test-faulty"
    SUPPORTED_SCHEMES = {SCHEME}
    OPTIONS = frozenset({"control"})

    def __init__(
        self, root: str, options: Mapping[str, Any] | None = None, *, id: int | None = None, name: str = ""
    ) -> None:
        super().__init__(root, options, id=id, name=name)
        self._inner = LocalStore(root.removeprefix(SCHEME), name=name)
        self._control = Path(self.options.get("control", "/nonexistent"))
        self._counts: dict[str, int] = {}

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(atomic_put=True, connections=8)

    @property
    def files(self) -> BaseArtifactStore:
        return self._inner.files

    def create(self) -> None:
        self._inner.create()

    def put(self, source: Path, key: bytes, progress: Progress = lambda taken: None) -> Stored:
        self.go_wrong("put")
        return self._inner.put(source, key, progress)

    def open_place(self, key: bytes) -> PlaceReader:
        self.go_wrong("open_place")
        return _Reader(self._inner.open_place(key), self)

    def stat(self, key: bytes) -> Stored:
        self.go_wrong("stat")
        return self._inner.stat(key)

    def delete(self, key: bytes) -> None:
        self.go_wrong("delete")
        self._inner.delete(key)

    def list(self, prefix: bytes = b"") -> Iterator[Listed]:
        self.go_wrong("list")
        for listed in self._inner.list(prefix):
            self.go_wrong("list")
            yield listed

    def close(self) -> None:
        self.go_wrong("close")
        self._inner.close()

    def go_wrong(self, operation: str) -> str:
        """Does what the fault says, if it is of this operation; returns how, where the rest is the caller's."""
        try:
            text = self._control.read_text()
        except OSError:
            return ""
        fault = StoreFault(**json.loads(text))
        if fault.operation not in (operation, "any"):
            return ""
        count = self._counts[text] = self._counts.get(text, 0) + 1
        if fault.times and count > fault.times:
            return ""
        if fault.how == "stall":
            while self._control.exists():
                time.sleep(0.02)
        if fault.how == "error":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), operation)
        if fault.how == "transient":
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET), operation)
        return fault.how


class _Reader(PlaceReader):
    def __init__(self, inner: PlaceReader, store: FaultyStore) -> None:
        self._inner = inner
        self._store = store

    def pread(self, offset: int, size: int) -> bytes:
        how = self._store.go_wrong("pread")
        data = self._inner.pread(offset, size)
        if how == "short":
            return data[: len(data) // 2]
        if how == "wrong":
            return bytes(len(data))
        if how == "drip":
            time.sleep(DRIP_SECONDS * (len(data) // DRIP_BYTES))
        return data

    @property
    def size(self) -> int:
        return self._inner.size

    def close(self) -> None:
        self._store.go_wrong("close")
        self._inner.close()
