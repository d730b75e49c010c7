"""Pictures and texts that show a version to people."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from artfs.catalog.engine import Engine, Row, chunks, in_list
from artfs.catalog.sound import sound_name, sound_place
from artfs.content.digest import Digest

_COLUMNS = "id, version_id, name, kind, path, digest, size"


@dataclass(frozen=True, slots=True)
class Visualization:
    """One file below a version's `.artfs/visualizations`.

    Args:
        name: file name there.
        kind: csv, html, image, markdown or json.
        path: where its bytes lie, below the root of the version's store.
        digest: BLAKE3 of its bytes.
        size: bytes.
    """

    id: int
    version_id: int
    name: str
    kind: str
    path: bytes
    digest: Digest
    size: int


class Visualizations:
    """The visualizations of a catalog's versions."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, version_id: int, name: str, kind: str, path: bytes, digest: Digest, size: int) -> Visualization:
        """Record a visualization; one of the same name gives way to it."""
        row = self._engine.one(
            "INSERT INTO visualization (version_id, name, kind, path, digest, size) "
            "VALUES (:version, :name, :kind, :path, :digest, :size) "
            "ON CONFLICT (version_id, name) DO UPDATE "
            "SET kind = excluded.kind, path = excluded.path, digest = excluded.digest, size = excluded.size "
            f"RETURNING {_COLUMNS}",
            {"version": version_id, "name": name, "kind": kind, "path": path, "digest": digest, "size": size},
        )
        assert row is not None
        return _visualization(row)

    def list(self, version_id: int) -> Sequence[Visualization]:
        """Return the visualizations of a version, by name."""
        rows = self._engine.query(
            f"SELECT {_COLUMNS} FROM visualization WHERE version_id = :version ORDER BY name", {"version": version_id}
        )
        return [_visualization(row) for row in rows]

    def known_paths(self, paths: Collection[bytes]) -> set[bytes]:
        """Return those of the paths at which a visualization lies, to tell what is stray in a store."""
        known: set[bytes] = set()
        for part in chunks(sorted(paths)):
            names, parameters = in_list(part)
            rows = self._engine.query(f"SELECT path FROM visualization WHERE path IN ({names})", parameters)
            known.update(row[0] for row in rows)
        return known

    def remove(self, version_id: int) -> Sequence[Visualization]:
        """Forget all visualizations of a version and return them, so that their bytes can be removed."""
        with self._engine.transaction():
            removed = self.list(version_id)
            self._engine.execute("DELETE FROM visualization WHERE version_id = :version", {"version": version_id})
        return removed


def _visualization(row: Row) -> Visualization:
    sound_name("a visualization", row[2])
    sound_place(row[4])
    return Visualization(*row)
