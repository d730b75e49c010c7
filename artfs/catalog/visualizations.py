"""Pictures and texts that show a version to people: files beside its own, whose contents are blobs like theirs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from artfs.catalog.engine import Engine, Row, in_lists
from artfs.catalog.sound import sound_name
from artfs.content.digest import Digest

_SELECT = (
    "SELECT z.id, z.version_id, z.name, z.kind, z.blob_id, b.digest, b.size "
    "FROM visualization z JOIN blob b ON b.id = z.blob_id"
)


@dataclass(frozen=True, slots=True)
class Visualization:
    """One file below a version's `.artfs/visualizations`.

    Args:
        name: file name there.
        kind: csv, html, image, markdown or json.
        blob_id, digest, size: its content.
    """

    id: int
    version_id: int
    name: str
    kind: str
    blob_id: int
    digest: Digest
    size: int


class Visualizations:
    """The visualizations of a catalog's versions."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, version_id: int, name: str, kind: str, blob_id: int) -> None:
        """Record a visualization; one of the same name gives way to it."""
        self._engine.execute(
            "INSERT INTO visualization (version_id, name, kind, blob_id) VALUES (:version, :name, :kind, :blob) "
            "ON CONFLICT (version_id, name) DO UPDATE SET kind = excluded.kind, blob_id = excluded.blob_id",
            {"version": version_id, "name": name, "kind": kind, "blob": blob_id},
        )

    def list(self, version_id: int) -> Sequence[Visualization]:
        """Return the visualizations of a version, by name."""
        rows = self._engine.query(f"{_SELECT} WHERE z.version_id = :version ORDER BY z.name", {"version": version_id})
        return [_visualization(row) for row in rows]

    def of_versions(self, version_ids: Collection[int]) -> Mapping[int, Sequence[Visualization]]:
        """Return the visualizations of those of the versions that have some, by name."""
        rows: list[Row] = []
        for names, parameters in in_lists(version_ids):
            rows += self._engine.query(
                f"{_SELECT} WHERE z.version_id IN ({names}) ORDER BY z.version_id, z.name", parameters
            )
        found = map(_visualization, rows)
        return {version_id: list(its) for version_id, its in groupby(found, key=lambda each: each.version_id)}

    def remove(self, version_id: int) -> set[int]:
        """Forget all visualizations of a version, and return the blobs that they were: others may need them too."""
        rows = self._engine.query(
            "DELETE FROM visualization WHERE version_id = :version RETURNING blob_id", {"version": version_id}
        )
        return {row[0] for row in rows}


def _visualization(row: Row) -> Visualization:
    sound_name("a visualization", row[2])
    return Visualization(*row)
