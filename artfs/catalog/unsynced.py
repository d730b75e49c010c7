"""Small contents whose files in a store may not be on stable storage yet.

Their bytes are committed with the rows of the version that needs them, so that one flush of the disk makes both
durable. They go when the files are known to be durable too.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from artfs.catalog.engine import Engine, chunks, in_list, scalar
from artfs.content.digest import Digest


@dataclass(frozen=True, slots=True)
class UnsyncedPlace:
    """Where the file of an unsynced content lies.

    Args:
        path: below the root of the store.
        boot: of the machine, in which the file was written; None if that is not known.
    """

    blob_id: int
    digest: Digest
    store_id: int
    path: bytes
    boot: str | None


class Unsynced:
    """The unsynced contents of a catalog."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, contents: Mapping[int, bytes]) -> None:
        """Keep the bytes of blobs, by row id; of those that are kept already nothing changes."""
        boot = current_boot()
        self._engine.executemany(
            "INSERT INTO unsynced (blob_id, content, boot) VALUES (:blob, :content, :boot) "
            "ON CONFLICT (blob_id) DO NOTHING",
            [{"blob": blob_id, "content": content, "boot": boot} for blob_id, content in contents.items()],
        )

    def get(self, blob_id: int) -> bytes | None:
        """Return the bytes of a blob, if they are kept."""
        row = self._engine.one("SELECT content FROM unsynced WHERE blob_id = :blob", {"blob": blob_id})
        return row[0] if row else None

    def places(self, blob_id: int | None = None) -> Sequence[UnsyncedPlace]:
        """Return where the files of what is kept lie, of one blob or of all; a content may lie in several places."""
        rows = self._engine.query(
            "SELECT u.blob_id, b.digest, p.store_id, p.path, u.boot FROM unsynced u JOIN blob b ON b.id = u.blob_id "
            "JOIN blob_place p ON p.blob_id = u.blob_id "
            "WHERE p.owned = 1 AND p.store_id IS NOT NULL AND p.state = 'live' "
            f"{'' if blob_id is None else 'AND u.blob_id = :blob '}ORDER BY u.blob_id, p.id",
            {} if blob_id is None else {"blob": blob_id},
        )
        return [UnsyncedPlace(*row) for row in rows]

    def count(self) -> int:
        """Return of how many blobs bytes are kept."""
        found: int = scalar(self._engine.one("SELECT COUNT(*) FROM unsynced"))
        return found

    def remove(self, blob_ids: Collection[int]) -> None:
        """Forget the bytes of blobs: they are on stable storage elsewhere."""
        with self._engine.joined():
            for part in chunks(sorted(blob_ids)):
                names, parameters = in_list(part)
                self._engine.execute(f"DELETE FROM unsynced WHERE blob_id IN ({names})", parameters)


@functools.cache
def current_boot() -> str | None:
    """Return the id that Linux gives to each boot of the machine; None where there is none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
