"""What was made from what.

A version's direct inputs are what its producer read; only older versions count, so there are no circles.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from artfs.catalog.engine import Engine, chunks, in_list

_UPSTREAM = "version v JOIN step_input i ON i.step_run_id = v.producer_id AND i.version_id < v.id"
_DOWNSTREAM = "step_input i JOIN version v ON v.producer_id = i.step_run_id AND v.id > i.version_id"


@dataclass(frozen=True, slots=True)
class Edge:
    """A version, one that was made from it, and the step run that did."""

    input_id: int
    output_id: int
    step_run_id: int


class Lineage:
    """Questions about ancestry. All answers are row ids, oldest first."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def producer(self, version_id: int) -> int | None:
        """Return the step run that made a version."""
        row = self._engine.one("SELECT producer_id FROM version WHERE id = :id", {"id": version_id})
        return row[0] if row else None

    def consumers(self, version_id: int) -> list[int]:
        """Return the step runs that read a version."""
        return self._ids(
            "SELECT DISTINCT step_run_id FROM step_input WHERE version_id = :id ORDER BY step_run_id", version_id
        )

    def upstream(self, version_id: int) -> list[int]:
        """Return the versions that a version was made from."""
        return self._ids(
            f"SELECT DISTINCT i.version_id FROM {_UPSTREAM} WHERE v.id = :id ORDER BY i.version_id", version_id
        )

    def downstream(self, version_id: int) -> list[int]:
        """Return the versions that were made from a version."""
        return self._ids(
            f"SELECT DISTINCT v.id FROM {_DOWNSTREAM} WHERE i.version_id = :id ORDER BY v.id",
            version_id,
        )

    def ancestors(self, version_id: int) -> list[int]:
        """Return everything that a version was made from, at any depth."""
        return self._ids(
            f"WITH RECURSIVE found(id) AS (SELECT i.version_id FROM {_UPSTREAM} WHERE v.id = :id "
            "UNION SELECT i.version_id FROM found JOIN version v ON v.id = found.id "
            "JOIN step_input i ON i.step_run_id = v.producer_id AND i.version_id < v.id) "
            "SELECT id FROM found ORDER BY id",
            version_id,
        )

    def descendants(self, version_id: int) -> list[int]:
        """Return everything that was made from a version, at any depth."""
        return self._ids(
            f"WITH RECURSIVE found(id) AS (SELECT v.id FROM {_DOWNSTREAM} WHERE i.version_id = :id "
            "UNION SELECT v.id FROM found JOIN step_input i ON i.version_id = found.id "
            "JOIN version v ON v.producer_id = i.step_run_id AND v.id > i.version_id) SELECT id FROM found ORDER BY id",
            version_id,
        )

    def edges(self, version_ids: Collection[int]) -> Sequence[Edge]:
        """Return the direct edges into the given versions, to draw a graph."""
        found: list[Edge] = []
        for part in chunks(sorted(version_ids)):
            names, parameters = in_list(part)
            rows = self._engine.query(
                f"SELECT DISTINCT i.version_id, v.id, i.step_run_id FROM {_UPSTREAM} WHERE v.id IN ({names}) "
                "ORDER BY v.id, i.version_id",
                parameters,
            )
            found += [Edge(*row) for row in rows]
        return found

    def _ids(self, sql: str, version_id: int) -> list[int]:
        return [row[0] for row in self._engine.query(sql, {"id": version_id})]
