"""What is owed, to which store, by which machine: as values, and how it comes to be owed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from artfs.catalog.pending import COPY, UPLOAD, PendingRow
from artfs.content.digest import format_digest
from artfs.errors import InvalidValue

if TYPE_CHECKING:
    from artfs.catalog.catalog import Catalog
    from artfs.catalog.versions import Version
    from artfs.transfers.locks import Locks


@dataclass(frozen=True, slots=True)
class Owed:
    """Something that this machine owes to a store.

    Args:
        row: of the catalog.
        what: the version, as `artifact/version`, or the digest of a single content.
        store: its name.
        source: name of the store that it is copied from.
        is_worked_on: whether somebody is at it just now.
    """

    row: PendingRow
    what: str
    store: str
    source: str | None
    is_worked_on: bool

    @property
    def left(self) -> int:
        """Bytes that are still to be brought."""
        return max(self.row.bytes - self.row.done, 0)

    @property
    def rate(self) -> int | None:
        """How many bytes a second arrive, while somebody is at it."""
        return self.row.state.get("rate") if self.is_worked_on else None


def owe_upload(catalog: Catalog, version: Version, bytes: int) -> PendingRow:
    """Owe a version, which has landed here, to its store.

    Args:
        catalog: of the version; in the transaction that makes it.
        version: staged.
        bytes: of all its contents that are staged.
    """
    if version.store_id is None:
        raise InvalidValue(f"{version.shown_name} is registered in place: no store is to have it")
    return catalog.pending.add(UPLOAD, version.store_id, version_id=version.id, bytes=bytes)


def owe_copy(catalog: Catalog, version: Version, store_id: int, source_id: int | None = None) -> PendingRow:
    """Owe a version to one more store.

    Args:
        catalog: of the version.
        version: live.
        store_id: the store that is to have all of its contents.
        source_id: the store to copy from first; wherever they are when not given.
    """
    if version.tree_id is None:
        raise InvalidValue(f"{version.shown_name} was removed: there is nothing to copy")
    files = {
        entry.file.digest: entry.file.size for _, entry in catalog.trees.load(version.tree_id).walk() if entry.file
    }
    return catalog.pending.add(COPY, store_id, version_id=version.id, source_id=source_id, bytes=sum(files.values()))


def owed(catalog: Catalog, locks: Locks) -> list[Owed]:
    """Return what this machine owes, oldest first."""
    rows = catalog.pending.list()
    stores = {store.id: store.name for store in catalog.stores.list()} if rows else {}
    names = _names(catalog, rows)
    return [
        Owed(
            row,
            names[row.id],
            stores[row.store_id],
            stores[row.source_id] if row.source_id is not None else None,
            locks.is_held(lock_of(row)),
        )
        for row in rows
    ]


def told(left: Sequence[Owed]) -> str:
    """Return one line that says what is owed."""
    count = "1 transfer is" if len(left) == 1 else f"{len(left):,} transfers are"
    stores = ", ".join(sorted({f"'{each.store}'" for each in left}))
    size = sum(each.left for each in left)
    error = next((f"; the last error: {each.row.error}" for each in reversed(left) if each.row.error), "")
    return f"{count} still owed to {stores}, {size:,} bytes{error}; 'artfs sync' or a mount goes on with that"


def lock_of(row: PendingRow) -> str:
    """Return the name of the lock that whoever works on a row holds."""
    return f"pending-{row.id}"


def _names(catalog: Catalog, rows: Sequence[PendingRow]) -> dict[int, str]:
    versions = catalog.versions.by_ids([row.version_id for row in rows if row.version_id is not None])
    titles = {version.id: version.shown_name for version in versions}
    names: dict[int, str] = {}
    for row in rows:
        if row.version_id is not None:
            names[row.id] = titles[row.version_id]
        else:
            assert row.blob_id is not None
            blob = catalog.blobs.by_id(row.blob_id)
            names[row.id] = format_digest(blob.digest) if blob is not None else f"blob {row.blob_id}"
    return names
