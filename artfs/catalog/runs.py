"""Runs of pipelines and programs."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from artfs.catalog.engine import (
    BATCH,
    FROM_THE_FIRST,
    Engine,
    Row,
    in_batches,
    in_lists,
    insert_sql,
    now_us,
    scalar,
)
from artfs.catalog.filters import Where, compile_order, compile_page, compile_where
from artfs.catalog.machines import Machines
from artfs.catalog.run_fields import FIELDS
from artfs.catalog.sound import sound_name
from artfs.errors import AlreadyExists, RunNotFound
from artfs.secrets.redaction import redacted, redacted_values

RUNNING = "running"

_COLUMNS = (
    "r.id, r.uuid, r.pipeline_id, p.name, r.name, r.status, r.kind, r.started_us, r.ended_us, r.user_id, "
    "r.environment_id, r.config, r.error, r.host, r.pid, r.process_started, r.heartbeat_us, r.machine_id"
)
_FROM = "FROM run r JOIN pipeline p ON p.id = r.pipeline_id"


@dataclass(frozen=True, slots=True)
class PipelineRow:
    """A name with runs."""

    id: int
    name: str
    created_us: int


@dataclass(frozen=True, slots=True)
class Run:
    """One run.

    Args:
        pipeline: name of what was run.
        name: name among its runs.
        status: running, completed, failed, cached or cancelled.
        kind: pipeline, observed, exec or client.
        started_us, ended_us, heartbeat_us: microseconds since 1970 UTC.
        config: settings or command line it was started with.
        host, pid, process_started: the process it runs in.
        machine_id: the machine that has its lock and its log.
    """

    id: int
    uuid: str
    pipeline_id: int
    pipeline: str
    name: str
    status: str
    kind: str
    started_us: int
    ended_us: int | None
    user_id: int | None
    environment_id: int | None
    config: Mapping[str, Any]
    error: str | None
    host: str | None
    pid: int | None
    process_started: str | None
    heartbeat_us: int | None
    machine_id: int | None = None


class Runs:
    """The pipelines and runs of a catalog."""

    def __init__(self, engine: Engine, machines: Machines) -> None:
        self._engine = engine
        self._machines = machines

    def create(
        self,
        pipeline: str,
        name: str,
        *,
        kind: str = "pipeline",
        uuid: str | None = None,
        status: str = RUNNING,
        user_id: int | None = None,
        environment_id: int | None = None,
        config: Mapping[str, Any] | None = None,
        host: str | None = None,
        pid: int | None = None,
        process_started: str | None = None,
        started_us: int | None = None,
    ) -> Run:
        """Begin a run of a pipeline, which is made if there is none of that name, now or in the past.

        Raises AlreadyExists if the pipeline has a run of that name.
        """
        now = now_us()
        with self._engine.transaction():
            values = {
                "uuid": uuid or str(uuid4()),
                "pipeline_id": self._ensure_pipeline(pipeline),
                "name": name,
                "status": status,
                "kind": kind,
                "started_us": started_us or now,
                "heartbeat_us": now,
                "user_id": user_id,
                "environment_id": environment_id,
                "config": json.dumps(redacted_values(config or {})),
                "host": host,
                "pid": pid,
                "process_started": process_started,
                "machine_id": self._machines.own_id(),
            }
            row = self._engine.one(
                insert_sql("run", values) + " ON CONFLICT (pipeline_id, name) DO NOTHING RETURNING id", values
            )
            if row is None:
                raise AlreadyExists(
                    f"pipeline '{pipeline}' has a run named '{name}': choose another name", subject=name
                )
            run = self.by_id(row[0])
        assert run is not None
        return run

    def finish(self, run_id: int, status: str, error: str | None = None) -> Run:
        """Say how a run ended. Raises RunNotFound."""
        changed = self._engine.execute(
            "UPDATE run SET status = :status, error = :error, ended_us = :now WHERE id = :id",
            {"status": status, "error": error and redacted(error), "now": now_us(), "id": run_id},
        )
        run = self.by_id(run_id)
        if not changed or run is None:
            raise _unknown(run_id)
        return run

    def get(self, pipeline: str, name: str) -> Run | None:
        """Return a pipeline's run of that name."""
        return self._one("p.name = :pipeline AND r.name = :name", {"pipeline": pipeline, "name": name})

    def by_id(self, run_id: int) -> Run | None:
        """Return the run of that row id."""
        return self._one("r.id = :id", {"id": run_id})

    def by_ids(self, run_ids: Collection[int]) -> Sequence[Run]:
        """Return the runs of these row ids, oldest first."""
        found: list[Run] = []
        for names, parameters in in_lists(run_ids):
            found += self._many(f"r.id IN ({names})", parameters, "")
        return sorted(found, key=lambda run: (run.started_us, run.id))

    def by_uuid(self, uuid: str) -> Run | None:
        """Return the run of that id."""
        return self._one("r.uuid = :uuid", {"uuid": uuid})

    def by_uuid_prefix(self, prefix: str) -> Sequence[Run]:
        """Return the runs whose id begins so: two at most, as more than one is one too many."""
        return self._many(
            "r.uuid >= :prefix AND r.uuid < :end",
            {"prefix": prefix.lower(), "end": prefix.lower() + "g"},
            "ORDER BY r.uuid LIMIT 2",
        )

    def latest(self, pipeline_id: int) -> Run | None:
        """Return the newest run of a pipeline."""
        return self._one(
            "r.pipeline_id = :pipeline", {"pipeline": pipeline_id}, "ORDER BY r.started_us DESC, r.id DESC LIMIT 1"
        )

    def unfinished(self, host: str) -> Sequence[Run]:
        """Return the runs of a host, and of this home, that have not ended: their processes may have died."""
        return self._many(
            # Any host, so that the index of unfinished runs finds them: there are few.
            "r.ended_us IS NULL AND r.host >= '' AND (r.host = :host OR r.machine_id = :machine)",
            {"host": host, "machine": self._machines.known_id()},
            "ORDER BY r.host, r.id",
        )

    def of_process(self, host: str, pid: int, process_started: str) -> Run | None:
        """Return the newest run of a pipeline that a process has begun, also one that has ended."""
        found = self._many(
            "r.kind = 'pipeline' AND r.host = :host AND r.pid = :pid AND r.process_started = :started",
            {"host": host, "pid": pid, "started": process_started},
            "ORDER BY r.id DESC LIMIT 1",
        )
        return found[0] if found else None

    def list(
        self,
        pipeline_id: int | None = None,
        where: Where | None = None,
        *,
        any_of: bool = False,
        sort: str | None = None,
        page: int = 1,
        size: int | None = None,
    ) -> Sequence[Run]:
        """Return runs, of one pipeline or of all, oldest first unless `sort` says otherwise; as in `filters`."""
        condition, parameters = compile_where(FIELDS, where, any_of=any_of)
        order, order_parameters = compile_order(FIELDS, sort)
        limit, limit_parameters = compile_page(page, size)
        return self._many(
            f"{_scope(pipeline_id)} AND {condition}",
            {**parameters, **order_parameters, **limit_parameters, "scope": pipeline_id},
            f"ORDER BY {order} {limit}",
        )

    def newest(self, pipeline_id: int | None, count: int) -> Sequence[Run]:
        """Return so many of the newest runs, of one pipeline or of all, oldest first."""
        parameters = {"scope": pipeline_id, "count": count}
        newest = "ORDER BY r.started_us DESC, r.id DESC LIMIT :count"
        return self._many(_scope(pipeline_id), parameters, newest)[::-1]

    def batches(self, pipeline_id: int | None, size: int = BATCH) -> Iterator[Sequence[Run]]:
        """Yield all runs, of one pipeline or of all, oldest first, so many at a time."""

        def read(last: Run | None, count: int) -> Sequence[Run]:
            after = {"time": last.started_us, "last": last.id} if last is not None else FROM_THE_FIRST
            return self._many(
                f"{_scope(pipeline_id)} AND (r.started_us, r.id) > (:time, :last)",
                {"scope": pipeline_id, "count": count, **after},
                "ORDER BY r.started_us, r.id LIMIT :count",
            )

        return in_batches(read, size)

    def names(self, pipeline_id: int) -> Sequence[tuple[str, int]]:
        """Return the name and row id of every run of a pipeline, oldest first."""
        rows = self._engine.query(
            "SELECT r.name, r.id FROM run r WHERE r.pipeline_id = :pipeline ORDER BY r.started_us, r.id",
            {"pipeline": pipeline_id},
        )
        return [(row[0], row[1]) for row in rows]

    def count(self, pipeline_id: int | None = None, where: Where | None = None, *, any_of: bool = False) -> int:
        """Return how many runs `list` would return without pages."""
        condition, parameters = compile_where(FIELDS, where, any_of=any_of)
        sql = f"SELECT COUNT(*) {_FROM} WHERE {_scope(pipeline_id)} AND {condition}"
        found: int = scalar(self._engine.one(sql, {**parameters, "scope": pipeline_id}))
        return found

    def pipelines(self) -> Sequence[PipelineRow]:
        """Return all pipelines, by name."""
        return [
            PipelineRow(*row) for row in self._engine.query("SELECT id, name, created_us FROM pipeline ORDER BY name")
        ]

    def pipeline(self, name: str) -> PipelineRow | None:
        """Return the pipeline of that name."""
        row = self._engine.one("SELECT id, name, created_us FROM pipeline WHERE name = :name", {"name": name})
        return PipelineRow(*row) if row else None

    def pipeline_by_id(self, pipeline_id: int) -> PipelineRow | None:
        """Return the pipeline of that row id."""
        row = self._engine.one("SELECT id, name, created_us FROM pipeline WHERE id = :id", {"id": pipeline_id})
        return PipelineRow(*row) if row else None

    def delete(self, run_id: int) -> None:
        """Forget a run, its step runs and what was logged for them. Versions that it made stay, without a producer.

        Raises RunNotFound.
        """
        steps = "(SELECT id FROM step_run WHERE run_id = :id)"
        with self._engine.transaction():
            for statement in (
                f"UPDATE version SET producer_id = NULL WHERE producer_id IN {steps}",
                f"UPDATE step_run SET cached_from_id = NULL WHERE cached_from_id IN {steps}",
                f"DELETE FROM step_input WHERE step_run_id IN {steps}",
                f"DELETE FROM step_output WHERE step_run_id IN {steps}",
                f"DELETE FROM step_use WHERE step_run_id IN {steps}",
                "DELETE FROM run_meta WHERE run_id = :id",
                "DELETE FROM run_tag WHERE run_id = :id",
                "DELETE FROM model_link WHERE run_id = :id",
                "DELETE FROM step_run WHERE run_id = :id",
            ):
                self._engine.execute(statement, {"id": run_id})
            if not self._engine.execute("DELETE FROM run WHERE id = :id", {"id": run_id}):
                raise _unknown(run_id)

    def _ensure_pipeline(self, name: str) -> int:
        found = self.pipeline(name)
        if found is None:
            self._engine.execute(
                "INSERT INTO pipeline (name, created_us) VALUES (:name, :now) ON CONFLICT (name) DO NOTHING",
                {"name": name, "now": now_us()},
            )
            found = self.pipeline(name)
        assert found is not None
        return found.id

    def _one(self, condition: str, parameters: Mapping[str, Any], tail: str = "") -> Run | None:
        row = self._engine.one(f"SELECT {_COLUMNS} {_FROM} WHERE {condition} {tail}", parameters)
        return _run(row) if row else None

    def _many(self, condition: str, parameters: Mapping[str, Any], tail: str) -> Sequence[Run]:
        return [
            _run(row) for row in self._engine.query(f"SELECT {_COLUMNS} {_FROM} WHERE {condition} {tail}", parameters)
        ]


def _scope(pipeline_id: int | None) -> str:
    return "1 = 1" if pipeline_id is None else "r.pipeline_id = :scope"


def _run(row: Row) -> Run:
    sound_name("the id of a run", row[1])  # its logs lie in a folder of that name
    values = list(row)
    values[11] = json.loads(row[11])
    return Run(*values)


def _unknown(run_id: int) -> RunNotFound:
    return RunNotFound(f"there is no run with id {run_id}", subject=str(run_id))
