"""Blobs by their digests: the way in for whoever reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from artfs.blobs.disk import DiskCache
from artfs.blobs.memory import Memory
from artfs.blobs.places import Candidate, Failure, Places
from artfs.blobs.reader import BlobReader
from artfs.blobs.window import Cursor
from artfs.content.digest import BLOCK_SIZE, Digest, format_digest
from artfs.errors import ContentNotFound

if TYPE_CHECKING:
    from artfs.catalog.blobs import Blob
    from artfs.catalog.catalog import Catalog
    from artfs.home.home import Home
    from artfs.home.stores import HomeStores

MEMORY_BYTES = 8 * BLOCK_SIZE
"""What is kept in memory for all readers of a process together."""


class BlobOpener:
    """Opens the blobs of a home for verified reading. Many threads may use it.

    Args:
        home: keeps the disk cache.
        catalog: knows the blobs and their places.
        stores: have the bytes.
    """

    def __init__(self, home: Home, catalog: Callable[[], Catalog], stores: Callable[[], HomeStores]) -> None:
        self.memory = Memory(MEMORY_BYTES)
        self.places = Places(home, catalog, stores)
        self._home = home
        self._catalog = catalog

    @cached_property
    def disk(self) -> DiskCache:
        """What was read from stores elsewhere, for all processes of the home."""
        return DiskCache(self._home.cache / ".artfs" / "blobs", self._home.config.cache_bytes, self._home.sharing)

    def open(self, digest: Digest) -> BlobReader:
        """Open the content of that digest, wherever it lies.

        Raises:
            ContentNotFound: the catalog knows no such content.
        """
        blob = self._catalog().blobs.get(digest)
        if blob is None:
            raise ContentNotFound(
                f"the catalog knows no content {format_digest(digest)}: restore a newer catalog, or remove the file",
                subject=format_digest(digest),
            )
        return self.reader(blob, self.places.of(blob.id, lists_of=blob.digest if blob.pieces else None))

    def cursor(self, digest: Digest) -> Cursor:
        """Open the content of that digest for one who goes through it; raises what `open` does."""
        return Cursor(self.open(digest))

    def reader(self, blob: Blob, candidates: Sequence[Candidate]) -> BlobReader:
        """Open a blob at some places."""
        return BlobReader(
            blob.file,
            candidates,
            memory=self.memory,
            disk=None if all(each.is_local for each in candidates) else self.disk,
            has_digest=blob.kind == "content",
            on_failure=self._failed,
        )

    def _failed(self, failures: Sequence[Failure], recovered: bool) -> None:
        self.places.failed(failures, recovered=recovered)
