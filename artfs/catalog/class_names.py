"""Which classes the rows of a catalog name, and where files of versions may name more."""

from __future__ import annotations

from artfs.catalog.engine import Engine
from artfs.content.digest import Digest

_BELOW_TRUSTED = (
    "WITH RECURSIVE below(id) AS (SELECT tree_id FROM version WHERE trusted = 1 AND tree_id IS NOT NULL "
    "UNION SELECT e.child_id FROM below JOIN tree_entry e ON e.tree_id = below.id WHERE e.child_id IS NOT NULL) "
)


class ClassNames:
    """The names of classes in a catalog. A class is not imported because it is among them: see `known_classes`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of_versions(self) -> set[str]:
        """Return the materializers and types of all versions that this catalog's own saves made."""
        rows = self._engine.query("SELECT DISTINCT materializer, data_type FROM version WHERE trusted = 1")
        return {name for row in rows for name in row if name is not None}

    def contents_called(self, suffix: bytes, largest: int) -> list[Digest]:
        """Return the contents of all files in such versions whose names end so, up to a number of bytes each."""
        rows = self._engine.query(
            f"{_BELOW_TRUSTED} SELECT DISTINCT b.digest FROM below JOIN tree_entry e ON e.tree_id = below.id "
            "JOIN blob b ON b.id = e.blob_id "
            "WHERE SUBSTR(e.name, LENGTH(e.name) - :length + 1) = :suffix AND b.size <= :largest",
            {"length": len(suffix), "suffix": suffix, "largest": largest},
        )
        return [Digest(row[0]) for row in rows]
