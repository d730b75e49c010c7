"""What was made from what.

A version's direct inputs are what its producer read; only older versions count, so there are no circles. The version
that a draft went on from (`continued`) is upstream of its direct successor, and no ancestor of anything.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from artfs.catalog.engine import Engine, Row, in_lists
from artfs.catalog.sound import sound_name
from artfs.content.digest import Digest

_UPSTREAM = "version v JOIN step_input i ON i.step_run_id = v.producer_id AND i.version_id < v.id"
_DOWNSTREAM = "step_input i JOIN version v ON v.producer_id = i.step_run_id AND v.id > i.version_id"


class VersionFacts(NamedTuple):
    """A version as a node of a graph; fields as of `Version`. A named tuple: listings make thousands of them."""

    id: int
    uuid: str
    artifact: str
    name: str
    state: str
    type: str
    files: int
    bytes: int
    digest: Digest
    producer_id: int | None
    created_us: int


class StepFacts(NamedTuple):
    """A step run as a node of a graph, with the names that its path below /runs is made of."""

    id: int
    uuid: str
    name: str
    status: str
    started_us: int
    ended_us: int | None
    run_id: int
    run_uuid: str
    run: str
    run_kind: str
    pipeline: str


class Use(NamedTuple):
    """A version in a slot of a step run.

    Args:
        how: declared, client, external or observed for what was read; made or cached for what was given out.
    """

    step_run_id: int
    slot: str
    position: int
    version_id: int
    how: str


_VERSION_COLUMNS = (
    "v.id, v.uuid, a.name, v.name, v.state, v.type, v.files, v.bytes, v.digest, v.producer_id, v.created_us"
)
_VERSION_FACTS = f"SELECT {_VERSION_COLUMNS} FROM version v JOIN artifact a ON a.id = v.artifact_id"
_STEP_FACTS = (
    "SELECT s.id, s.uuid, s.name, s.status, s.started_us, s.ended_us, r.id, r.uuid, r.name, r.kind, p.name "
    "FROM step_run s JOIN run r ON r.id = s.run_id JOIN pipeline p ON p.id = r.pipeline_id"
)
_READ = "SELECT step_run_id, slot, position, version_id, how FROM step_input"
_HOW_GIVEN = "CASE WHEN v.producer_id = i.step_run_id THEN 'made' ELSE 'cached' END"
_GIVEN = (
    f"SELECT i.step_run_id, i.slot, i.position, i.version_id, {_HOW_GIVEN} "
    "FROM step_output i JOIN version v ON v.id = i.version_id"
)


class Lineage:
    """Questions about ancestry. Row ids, oldest first, and in bulk the facts that graphs are drawn of."""

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

    def inputs(self, version_id: int) -> list[int]:
        """Return the versions that a version was made from."""
        return self._ids(
            f"SELECT DISTINCT i.version_id FROM {_UPSTREAM} WHERE v.id = :id ORDER BY i.version_id", version_id
        )

    def upstream(self, version_id: int) -> list[int]:
        """Return the versions that a version was made from, and the one that its draft went on from."""
        previous = self.previous(version_id)
        return sorted({*self.inputs(version_id), *([previous] if previous is not None else [])})

    def previous(self, version_id: int) -> int | None:
        """Return the version that a version's draft went on from. Ancestors and descendants do not follow it."""
        row = self._engine.one("SELECT previous_id FROM version WHERE id = :id", {"id": version_id})
        return row[0] if row and row[0] is not None and row[0] < version_id else None

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

    def is_ancestor(self, ancestor_id: int, version_id: int) -> bool:
        """Whether a version was made from another one, at any depth. Looks at nothing older than that."""
        row = self._engine.one(
            f"WITH RECURSIVE found(id) AS (SELECT i.version_id FROM {_UPSTREAM} WHERE v.id = :id "
            "AND i.version_id >= :ancestor UNION SELECT i.version_id FROM found JOIN version v ON v.id = found.id "
            "JOIN step_input i ON i.step_run_id = v.producer_id AND i.version_id < v.id "
            "AND i.version_id >= :ancestor) SELECT 1 FROM found WHERE id = :ancestor LIMIT 1",
            {"id": version_id, "ancestor": ancestor_id},
        )
        return row is not None

    def is_input(self, input_id: int, version_id: int) -> bool:
        """Whether a version was made from another one directly."""
        row = self._engine.one(
            f"SELECT 1 FROM {_UPSTREAM} WHERE v.id = :id AND i.version_id = :input LIMIT 1",
            {"id": version_id, "input": input_id},
        )
        return row is not None

    def is_upstream(self, other_id: int, version_id: int) -> bool:
        """Whether a version was made from another one directly, or its draft went on from it."""
        return self.previous(version_id) == other_id or self.is_input(other_id, version_id)

    def is_read(self, version_id: int, step_run_id: int) -> bool:
        """Whether a step run read a version."""
        row = self._engine.one(
            "SELECT 1 FROM step_input WHERE version_id = :version AND step_run_id = :step LIMIT 1",
            {"version": version_id, "step": step_run_id},
        )
        return row is not None

    def versions(self, version_ids: Collection[int]) -> list[VersionFacts]:
        """Return what graphs show of versions, oldest first, also of tombstones."""
        rows = self._each(_VERSION_FACTS + " WHERE v.id IN ({}) ORDER BY v.id", version_ids)
        for row in rows:
            sound_name("an artifact", row[2])
            sound_name("a version", row[3])
        return list(map(VersionFacts._make, rows))

    def steps(self, step_run_ids: Collection[int]) -> list[StepFacts]:
        """Return what graphs show of step runs, in the order in which they began."""
        return [
            StepFacts._make(row) for row in self._each(_STEP_FACTS + " WHERE s.id IN ({}) ORDER BY s.id", step_run_ids)
        ]

    def steps_of_run(self, run_id: int) -> list[StepFacts]:
        """Return what graphs show of the steps of a run, in the order in which they began."""
        rows = self._engine.query(_STEP_FACTS + " WHERE s.run_id = :run ORDER BY s.started_us, s.id", {"run": run_id})
        return [StepFacts._make(row) for row in rows]

    def version_named(self, artifact: str, name: str) -> VersionFacts | None:
        """Return what graphs show of an artifact's version of that name, also of a tombstone."""
        row = self._engine.one(
            _VERSION_FACTS + " WHERE a.name = :artifact AND v.name = :name", {"artifact": artifact, "name": name}
        )
        return VersionFacts(*row) if row else None

    def step_of(self, pipeline: str, run: str, name: str) -> StepFacts | None:
        """Return what graphs show of the step of that name in a pipeline's run."""
        row = self._engine.one(
            _STEP_FACTS + " WHERE p.name = :pipeline AND r.name = :run AND s.name = :name",
            {"pipeline": pipeline, "run": run, "name": name},
        )
        return StepFacts(*row) if row else None

    def step_named(self, run_id: int, name: str) -> StepFacts | None:
        """Return what graphs show of a run's step of that name."""
        row = self._engine.one(_STEP_FACTS + " WHERE s.run_id = :run AND s.name = :name", {"run": run_id, "name": name})
        return StepFacts(*row) if row else None

    def read_by(self, step_run_ids: Collection[int]) -> list[Use]:
        """Return what step runs read, by slot and position."""
        condition = " WHERE step_run_id IN ({}) ORDER BY step_run_id, slot, position"
        return [Use._make(row) for row in self._each(_READ + condition, step_run_ids)]

    def readers_of(self, version_ids: Collection[int], *, cached: bool = True) -> list[Use]:
        """Return which step runs read versions; without those that were taken over from the cache unless `cached`."""
        ran = "" if cached else "AND (SELECT s.status FROM step_run s WHERE s.id = step_run_id) <> 'cached' "
        condition = f" WHERE version_id IN ({{}}) {ran}ORDER BY version_id, step_run_id, slot, position"
        return [Use._make(row) for row in self._each(_READ + condition, version_ids)]

    def given_by(self, step_run_ids: Collection[int]) -> list[Use]:
        """Return what step runs gave out, by slot and position: made by them, or taken over from the cache."""
        condition = " WHERE i.step_run_id IN ({}) ORDER BY i.step_run_id, i.slot, i.position"
        return [Use._make(row) for row in self._each(_GIVEN + condition, step_run_ids)]

    def made_by(self, step_run_ids: Collection[int]) -> list[tuple[int, int]]:
        """Return (step run, version) for every version that step runs made, in a slot or not (yet)."""
        sql = "SELECT producer_id, id FROM version WHERE producer_id IN ({}) ORDER BY id"
        return [(row[0], row[1]) for row in self._each(sql, step_run_ids)]

    def _each(self, sql: str, ids: Collection[int]) -> list[Row]:
        """The rows of a query with ids in place of its `{}`, as many at a time as fit."""
        found: list[Row] = []
        for names, parameters in in_lists(set(ids)):
            found += self._engine.query(sql.format(names), parameters)
        return found

    def _ids(self, sql: str, version_id: int) -> list[int]:
        return [row[0] for row in self._engine.query(sql, {"id": version_id})]
