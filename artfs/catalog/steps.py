"""Runs of steps, and the versions that they read and gave out."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from artfs.catalog.engine import Engine, Row, in_lists, insert_sql, now_us
from artfs.catalog.machines import Machines
from artfs.content.digest import Digest
from artfs.errors import AlreadyExists, InvalidValue, RunNotFound
from artfs.secrets.redaction import redacted, redacted_values

RUNNING = "running"

_COLUMNS = (
    "s.id, s.uuid, s.run_id, s.name, s.status, s.cache_key, s.cache_parts, s.source, s.parameters, s.started_us, "
    "s.ended_us, s.attempt, s.log_path, s.error, s.cached_from_id"
)


@dataclass(frozen=True, slots=True)
class StepRun:
    """One run of a step.

    Args:
        status: running, completed, failed, cached, cancelled or skipped.
        cache_key: digest of all that its outputs depend on; None if they may not be reused.
        cache_parts: what went into the key, part by part.
        source: source code.
        parameters: its parameters, as `artfs.materializers.json.parameters` writes them.
        started_us, ended_us: microseconds since 1970 UTC.
        attempt: 1, and one more for every retry.
        error: traceback of its failure.
        cached_from_id: step run whose outputs it took over.
    """

    id: int
    uuid: str
    run_id: int
    name: str
    status: str
    cache_key: Digest | None
    cache_parts: Mapping[str, Any]
    source: str | None
    parameters: Mapping[str, Any]
    started_us: int
    ended_us: int | None
    attempt: int
    log_path: str | None
    error: str | None
    cached_from_id: int | None


@dataclass(frozen=True, slots=True)
class Input:
    """A version that a step run read, as `how` says: declared, client, external or observed."""

    slot: str
    position: int
    version_id: int
    how: str


@dataclass(frozen=True, slots=True)
class Output:
    """A version that a step run gave out."""

    slot: str
    position: int
    version_id: int


class Steps:
    """The step runs of a catalog.

    Lineage has no circles, by one rule that is checked wherever it could be broken: what a step run reads is older (has
    a smaller id) than what it makes.
    """

    def __init__(self, engine: Engine, machines: Machines) -> None:
        self._engine = engine
        self._machines = machines

    def create(
        self,
        run_id: int,
        name: str,
        *,
        uuid: str | None = None,
        status: str = RUNNING,
        cache_key: Digest | None = None,
        cache_parts: Mapping[str, Any] | None = None,
        source: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        log_path: str | None = None,
        cached_from_id: int | None = None,
        started_us: int | None = None,
    ) -> StepRun:
        """Begin a step of a run, now or in the past. Raises AlreadyExists if the run has a step of that name."""
        values = {
            "uuid": uuid or str(uuid4()),
            "run_id": run_id,
            "name": name,
            "status": status,
            "cache_key": cache_key,
            "cache_parts": json.dumps(dict(cache_parts or {}), sort_keys=True),
            "source": source,
            "parameters": json.dumps(redacted_values(parameters or {})),
            "started_us": started_us or now_us(),
            "log_path": log_path,
            "cached_from_id": cached_from_id,
        }
        row = self._engine.one(
            insert_sql("step_run", values) + " ON CONFLICT (run_id, name) DO NOTHING RETURNING id", values
        )
        if row is None:
            raise AlreadyExists(f"the run has a step named '{name}': choose another name", subject=name)
        return self._required(row[0])

    def finish(self, step_run_id: int, status: str, error: str | None = None, attempt: int | None = None) -> StepRun:
        """Say how a step run ended. Raises RunNotFound."""
        self._engine.execute(
            "UPDATE step_run SET status = :status, error = :error, ended_us = :now, "
            "attempt = COALESCE(:attempt, attempt) WHERE id = :id",
            {
                "status": status,
                "error": error and redacted(error),
                "now": now_us(),
                "attempt": attempt,
                "id": step_run_id,
            },
        )
        return self._required(step_run_id)

    def set_log(self, run_id: int, log_path: str) -> None:
        """Name the log of those steps of a run that have none of their own."""
        self._engine.execute(
            "UPDATE step_run SET log_path = :path WHERE run_id = :run AND log_path IS NULL",
            {"path": log_path, "run": run_id},
        )

    def set_cache_key(self, step_run_id: int, cache_key: Digest | None, parts: Mapping[str, Any]) -> None:
        """Record what a step run's outputs depend on, when that is known only after it began."""
        self._engine.execute(
            "UPDATE step_run SET cache_key = :key, cache_parts = :parts WHERE id = :id",
            {"key": cache_key, "parts": json.dumps(dict(parts), sort_keys=True), "id": step_run_id},
        )

    def by_id(self, step_run_id: int) -> StepRun | None:
        """Return the step run of that row id."""
        return self._one("s.id = :id", {"id": step_run_id})

    def by_uuid(self, uuid: str) -> StepRun | None:
        """Return the step run of that id."""
        return self._one("s.uuid = :uuid", {"uuid": uuid})

    def get(self, run_id: int, name: str) -> StepRun | None:
        """Return a run's step of that name."""
        return self._one("s.run_id = :run AND s.name = :name", {"run": run_id, "name": name})

    def list(self, run_id: int) -> Sequence[StepRun]:
        """Return the steps of a run, in the order in which they began."""
        rows = self._engine.query(
            f"SELECT {_COLUMNS} FROM step_run s WHERE s.run_id = :run ORDER BY s.started_us, s.id", {"run": run_id}
        )
        return [_step_run(row) for row in rows]

    def find_cached(self, cache_key: Digest, *, since_us: int | None = None) -> StepRun | None:
        """Return the newest of `all_cached`, or None."""
        return next(iter(self.all_cached(cache_key, since_us=since_us, limit=1)), None)

    def all_cached(self, cache_key: Digest, *, since_us: int | None = None, limit: int) -> Sequence[StepRun]:
        """Return completed step runs with this key whose outputs are all there, newest first.

        Args:
            cache_key: digest of all that the outputs depend on and that is known before the step runs.
            since_us: only those that ended since (microseconds since 1970 UTC).
            limit: at most so many.
        """
        machine = self._machines.known_id() if self._engine.is_remote else None
        rows = self._engine.query(
            f"SELECT {_COLUMNS} FROM step_run s WHERE s.cache_key = :key AND s.status = 'completed' "
            "AND s.ended_us >= :since "
            "AND NOT EXISTS (SELECT 1 FROM step_output o JOIN version v ON v.id = o.version_id "
            f"WHERE o.step_run_id = s.id AND NOT ({self._readable(machine)})) ORDER BY s.id DESC LIMIT :limit",
            {"key": cache_key, "since": since_us or 0, "machine": machine, "limit": limit},
        )
        return [_step_run(row) for row in rows]

    def earlier(self, step_run: StepRun) -> StepRun | None:
        """Return the newest run of the same step, in an earlier run of the same pipeline, that came to its outputs."""
        return self._one(
            "s.name = :name AND s.run_id < :run AND s.status IN ('completed', 'cached') "
            "AND s.run_id IN (SELECT o.id FROM run r JOIN run o ON o.pipeline_id = r.pipeline_id WHERE r.id = :run)",
            {"name": step_run.name, "run": step_run.run_id},
            "ORDER BY s.run_id DESC LIMIT 1",
        )

    def add_input(
        self, step_run_id: int, slot: str, version_id: int, *, how: str = "declared", position: int = 0
    ) -> None:
        """Record a version that a step run reads; the same version in the same slot is recorded once.

        Raises InvalidValue if the step run has made a version that is not newer.
        """
        with self._engine.transaction():
            self._check_reads(step_run_id, version_id)
            self._engine.execute(
                "INSERT INTO step_input (step_run_id, slot, position, version_id, how) "
                "VALUES (:step, :slot, :position, :version, :how) ON CONFLICT (step_run_id, slot, position) "
                "DO UPDATE SET version_id = excluded.version_id, how = excluded.how",
                {"step": step_run_id, "slot": slot, "position": position, "version": version_id, "how": how},
            )

    def add_observed(self, step_run_id: int, version_ids: Collection[int]) -> None:
        """Record all versions that a step run was seen to read, each in a slot called like it: `iris@3`.

        Raises InvalidValue if the step run has made a version that is not newer than all of them.
        """
        if not version_ids:
            return
        with self._engine.transaction():
            self._check_reads(step_run_id, max(version_ids))
            for names, parameters in in_lists(version_ids):
                self._engine.execute(
                    "INSERT INTO step_input (step_run_id, slot, position, version_id, how) "
                    "SELECT s.id, a.name || '@' || v.name, 0, v.id, 'observed' "
                    "FROM step_run s, version v JOIN artifact a ON a.id = v.artifact_id "
                    f"WHERE s.id = :step AND v.id IN ({names}) ON CONFLICT (step_run_id, slot, position) DO NOTHING",
                    {"step": step_run_id, **parameters},
                )

    def add_output(
        self, step_run_id: int, slot: str, version_id: int, *, position: int = 0, produced: bool = True
    ) -> None:
        """Record a version that a step run gives out.

        Args:
            produced: whether the step run made it; False for one taken over from the cache. The first that is said to
                have made a version stays its producer.

        Raises InvalidValue if it was made and is not newer than all that the step run has read.
        """
        with self._engine.transaction():
            parameters = {"step": step_run_id, "slot": slot, "position": position, "version": version_id}
            if produced:
                check_producer(self._engine, step_run_id, version_id)
                self._engine.execute(
                    "UPDATE version SET producer_id = :step WHERE id = :version AND producer_id IS NULL", parameters
                )
            self._engine.execute(
                "INSERT INTO step_output (step_run_id, slot, position, version_id) "
                "VALUES (:step, :slot, :position, :version) "
                "ON CONFLICT (step_run_id, slot, position) DO UPDATE SET version_id = excluded.version_id",
                parameters,
            )

    def inputs(self, step_run_id: int) -> Sequence[Input]:
        """Return what a step run read, by slot and position."""
        rows = self._engine.query(
            "SELECT slot, position, version_id, how FROM step_input WHERE step_run_id = :step ORDER BY slot, position",
            {"step": step_run_id},
        )
        return [Input(*row) for row in rows]

    def outputs(self, step_run_id: int) -> Sequence[Output]:
        """Return what a step run gave out, by slot and position."""
        rows = self._engine.query(
            "SELECT slot, position, version_id FROM step_output WHERE step_run_id = :step ORDER BY slot, position",
            {"step": step_run_id},
        )
        return [Output(*row) for row in rows]

    def _check_reads(self, step_run_id: int, version_id: int) -> None:
        """Raise InvalidValue if a step run has made a version that is not newer than one that it is to have read."""
        if self._engine.one(
            "SELECT 1 FROM version v WHERE v.producer_id = :step AND v.id <= :version LIMIT 1",
            {"step": step_run_id, "version": version_id},
        ):
            raise InvalidValue(
                "a step run cannot read a version that is newer than one that it made: begin another step run"
            )

    def _readable(self, machine: int | None) -> str:
        """What is true of a version whose bytes can be read here: staged ones only on the machine that staged them."""
        if not self._engine.is_remote:
            return "v.state IN ('live', 'staged')"
        own = "v.machine_id IS NULL" if machine is None else "v.machine_id = :machine"
        return f"v.state = 'live' OR (v.state = 'staged' AND COALESCE({own}, 1 = 0))"

    def _one(self, condition: str, parameters: Mapping[str, Any], tail: str = "") -> StepRun | None:
        row = self._engine.one(f"SELECT {_COLUMNS} FROM step_run s WHERE {condition} {tail}", parameters)
        return _step_run(row) if row else None

    def _required(self, step_run_id: int) -> StepRun:
        found = self.by_id(step_run_id)
        if found is None:
            raise RunNotFound(f"there is no step run with id {step_run_id}", subject=str(step_run_id))
        return found


def check_producer(engine: Engine, step_run_id: int, version_id: int) -> None:
    """Raise InvalidValue if a step run has read a version that is not older than one that it is said to have made."""
    if engine.one(
        "SELECT 1 FROM step_input WHERE step_run_id = :step AND version_id >= :version LIMIT 1",
        {"step": step_run_id, "version": version_id},
    ):
        raise InvalidValue("a step run cannot have made a version that is older than one that it read")


def _step_run(row: Row) -> StepRun:
    values = list(row)
    values[6], values[8] = json.loads(row[6]), json.loads(row[8])
    return StepRun(*values)
