"""Small contents whose files in a store may not be on stable storage yet.

Only a catalog of one machine has them. Their bytes are committed with the rows of the version that needs them, so that
one flush of the disk makes both durable. They go when the files are known to be durable too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from artfs.catalog.engine import NO_PARAMETERS, Engine, Parameters, Row, in_lists
from artfs.content.digest import Digest
from artfs.linux.boot import current_boot

_MODE = 0o644
"""Of a content that is no file of a version: what shows one to people."""


@dataclass(frozen=True, slots=True)
class UnsyncedPlace:
    """Where the file of an unsynced content lies.

    Args:
        id: of the place.
        path: below the root of the store.
        boot: of the machine, in which the file was written; None if the file is not to be trusted whatever is in it.
        mode, mtime_ns: what a version says of a file with that content.
    """

    id: int
    blob_id: int
    digest: Digest
    store_id: int
    path: bytes
    boot: str | None
    mode: int
    mtime_ns: int


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
        row = self._one("SELECT content FROM unsynced WHERE blob_id = :blob", {"blob": blob_id})
        return row[0] if row else None

    def places(self, blob_id: int | None = None) -> Sequence[UnsyncedPlace]:
        """Return where the files of what is kept lie, of one blob or of all; a content may lie in several places."""
        rows = self._query(
            "SELECT p.id, u.blob_id, b.digest, p.store_id, p.path, u.boot, "
            f"COALESCE(e.mode, {_MODE}), COALESCE(e.mtime_ns, 0) "
            "FROM unsynced u JOIN blob b ON b.id = u.blob_id JOIN blob_place p ON p.blob_id = u.blob_id "
            "LEFT JOIN tree_entry e ON e.id = (SELECT MIN(f.id) FROM tree_entry f WHERE f.blob_id = u.blob_id) "
            "WHERE p.owned = 1 AND p.store_id IS NOT NULL AND p.state = 'live' "
            f"{'' if blob_id is None else 'AND u.blob_id = :blob '}ORDER BY u.blob_id, p.id",
            {} if blob_id is None else {"blob": blob_id},
        )
        return [UnsyncedPlace(*row) for row in rows]

    def count(self) -> int:
        """Return of how many blobs bytes are kept."""
        row = self._one("SELECT COUNT(*) FROM unsynced")
        return row[0] if row else 0

    def any_from_earlier_boots(self) -> bool:
        """Return whether bytes are kept of files that a crash of the machine may have taken."""
        row = self._one(
            "SELECT 1 FROM unsynced WHERE boot IS NULL OR boot <> :boot LIMIT 1", {"boot": current_boot() or ""}
        )
        return row is not None

    def doubt(self, places: Collection[UnsyncedPlace]) -> None:
        """Keep that the files at places are not to be trusted, whatever is in them: their sync has failed."""
        with self._engine.joined():
            for names, parameters in in_lists({place.blob_id for place in places}):
                self._engine.execute(f"UPDATE unsynced SET boot = NULL WHERE blob_id IN ({names})", parameters)

    def remove(self, synced: Collection[UnsyncedPlace]) -> None:
        """Forget the bytes of blobs whose places are all among those that were synced."""
        with self._engine.transaction():
            # Somebody may have saved the same once more while this was synced: then the bytes stay, for that place.
            now = {blob_id: set[int]() for blob_id in {place.blob_id for place in synced}}
            for names, parameters in in_lists(now):
                rows = self._engine.query(
                    "SELECT blob_id, id FROM blob_place "
                    f"WHERE blob_id IN ({names}) AND owned = 1 AND store_id IS NOT NULL AND state = 'live'",
                    parameters,
                )
                for blob_id, place_id in rows:
                    now[blob_id].add(place_id)
            ids = {place.id for place in synced}
            for names, parameters in in_lists(blob_id for blob_id, places in now.items() if places <= ids):
                self._engine.execute(f"DELETE FROM unsynced WHERE blob_id IN ({names})", parameters)

    def _query(self, sql: str, parameters: Parameters = NO_PARAMETERS) -> list[Row]:
        return [] if self._engine.is_remote else self._engine.query(sql, parameters)

    def _one(self, sql: str, parameters: Parameters = NO_PARAMETERS) -> Row | None:
        rows = self._query(sql, parameters)
        return rows[0] if rows else None
