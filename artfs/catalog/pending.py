"""What machines owe to stores, as rows. What becomes of them is in `artfs.transfers`."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from artfs.catalog.engine import Engine, Row, in_lists, now_us, scalar
from artfs.catalog.machines import Machines
from artfs.errors import InvalidValue

UPLOAD = "upload"
COPY = "copy"
REACH = "reach"
KINDS = (UPLOAD, COPY, REACH)

_COLUMNS = (
    "id, kind, machine_id, store_id, version_id, blob_id, source_id, bytes, done, state, attempts, next_us, error, "
    "since_us, paused, created_us"
)


@dataclass(frozen=True, slots=True)
class PendingRow:
    """A version or a single blob that a machine owes to a store.

    Args:
        kind: upload; copy, from another store; reach, for a cache hit whose bytes lie elsewhere.
        machine_id: who owes it.
        store_id: to which store.
        version_id, blob_id: what is owed; the other one is None.
        source_id: store to copy from; None from the landing area, or from wherever the bytes are.
        bytes, done: how many are owed in all, and how many of them are there.
        state: what going on needs.
        attempts: how often it failed since it last went on.
        next_us: not to be tried again before.
        error: why it failed the last time, in words.
        since_us: since when it fails; None while it does not.
        paused: whether it waits until somebody says `resume`.
    """

    id: int
    kind: str
    machine_id: int
    store_id: int
    version_id: int | None
    blob_id: int | None
    source_id: int | None
    bytes: int
    done: int
    state: Mapping[str, Any]
    attempts: int
    next_us: int
    error: str | None
    since_us: int | None
    paused: bool
    created_us: int


class Pending:
    """What the machines of a catalog owe; without another word, what the own machine owes."""

    def __init__(self, engine: Engine, machines: Machines) -> None:
        self._engine = engine
        self._machines = machines

    def add(
        self,
        kind: str,
        store_id: int,
        *,
        bytes: int,
        version_id: int | None = None,
        blob_id: int | None = None,
        source_id: int | None = None,
    ) -> PendingRow:
        """Write down that this machine owes a version or a blob to a store; whatever is owed already stays as it is.

        Raises InvalidValue for an unknown kind, and if the catalog was opened for no machine.
        """
        if kind not in KINDS or (version_id is None) == (blob_id is None):
            raise InvalidValue(f"a '{kind}' of version {version_id}, blob {blob_id} is nothing that can be owed")
        owed = {"store": store_id, "version": version_id, "blob": blob_id}
        with self._engine.transaction():
            machine_id = self._machines.own_id()
            if machine_id is None:
                raise InvalidValue("a catalog that was opened for no machine owes nothing")
            self._engine.execute(
                "INSERT INTO pending (kind, machine_id, store_id, version_id, blob_id, source_id, bytes, created_us) "
                "VALUES (:kind, :machine, :store, :version, :blob, :source, :bytes, :now) ON CONFLICT DO NOTHING",
                {
                    **owed,
                    "kind": kind,
                    "machine": machine_id,
                    "source": source_id,
                    "bytes": bytes,
                    "now": now_us(),
                },
            )
            what = "version_id = :version" if version_id is not None else "blob_id = :blob"
            [row] = self._engine.query(f"SELECT {_COLUMNS} FROM pending WHERE {what} AND store_id = :store", owed)
        return _pending(row)

    def get(self, pending_id: int) -> PendingRow | None:
        """Return the row of that id, if it is still owed."""
        row = self._engine.one(f"SELECT {_COLUMNS} FROM pending WHERE id = :id", {"id": pending_id})
        return _pending(row) if row else None

    def of_version(self, version_id: int) -> Sequence[PendingRow]:
        """Return what of a version is owed, to whichever store by whichever machine, oldest first."""
        rows = self._engine.query(
            f"SELECT {_COLUMNS} FROM pending WHERE version_id = :version ORDER BY id", {"version": version_id}
        )
        return [_pending(row) for row in rows]

    def list(self) -> Sequence[PendingRow]:
        """Return all that is owed, oldest first."""
        return self._own("")

    def count(self) -> int:
        """Return how much of what is owed waits for nobody's `resume`."""
        found: int = scalar(
            self._engine.one(
                "SELECT COUNT(*) FROM pending WHERE machine_id = :machine AND paused = 0",
                {"machine": self._machines.known_id()},
            )
        )
        return found

    def due(self, now_us: int, store_id: int) -> Sequence[PendingRow]:
        """Return what is to be tried now for a store, oldest first."""
        return self._own("AND paused = 0 AND next_us <= :now AND store_id = :store", now=now_us, store=store_id)

    def due_stores(self, now_us: int) -> Sequence[int]:
        """Return the stores that something is to be tried now for."""
        rows = self._engine.query(
            "SELECT DISTINCT store_id FROM pending "
            "WHERE machine_id = :machine AND paused = 0 AND next_us <= :now ORDER BY store_id",
            {"machine": self._machines.known_id(), "now": now_us},
        )
        return [row[0] for row in rows]

    def next_us(self) -> int | None:
        """Return when something is to be tried next, which may be long ago; None if nothing waits for its time."""
        row = self._engine.one(
            "SELECT MIN(next_us) FROM pending WHERE machine_id = :machine AND paused = 0",
            {"machine": self._machines.known_id()},
        )
        return row[0] if row else None

    def went_on(self, pending_id: int, done: int, state: Mapping[str, Any]) -> bool:
        """Write down how far a row is, which therefore does not fail; answer whether it may go on: it is not paused."""
        row = self._engine.one(
            "UPDATE pending SET done = :done, state = :state, attempts = 0, error = NULL, since_us = NULL "
            "WHERE id = :id RETURNING paused",
            {"id": pending_id, "done": done, "state": json.dumps(dict(state), sort_keys=True)},
        )
        return row is not None and not row[0]

    def failed(self, pending_id: int, error: str, *, now_us: int, next_us: int) -> None:
        """Write down why a row failed, and when to try again."""
        self._engine.execute(
            "UPDATE pending SET attempts = attempts + 1, error = :error, since_us = COALESCE(since_us, :now), "
            "next_us = :next WHERE id = :id",
            {"id": pending_id, "error": error, "now": now_us, "next": next_us},
        )

    def remove(self, pending_id: int) -> bool:
        """Forget a row: it is owed no more. Answer whether it was still there."""
        return self._engine.execute("DELETE FROM pending WHERE id = :id", {"id": pending_id}) > 0

    def pause(self, ids: Collection[int] | None = None) -> int:
        """Let rows wait, all of them when none are named, until somebody resumes them; return how many there are."""
        return self._change("paused = 1", ids)

    def resume(self, ids: Collection[int] | None = None) -> int:
        """Let rows that wait go on at once; return how many there are."""
        return self._change("paused = 0, next_us = 0", ids)

    def retry(self, ids: Collection[int] | None = None) -> int:
        """Let rows be tried at once, whenever they would be else; return how many there are."""
        return self._change("attempts = 0, next_us = 0", ids)

    def _change(self, what: str, ids: Collection[int] | None) -> int:
        with self._engine.transaction():
            machine = {"machine": self._machines.known_id()}
            if ids is None:
                return self._engine.execute(f"UPDATE pending SET {what} WHERE machine_id = :machine", machine)
            changed = 0
            for names, parameters in in_lists(ids):
                changed += self._engine.execute(
                    f"UPDATE pending SET {what} WHERE machine_id = :machine AND id IN ({names})",
                    {**parameters, **machine},
                )
            return changed

    def _own(self, condition: str, **parameters: int) -> Sequence[PendingRow]:
        rows = self._engine.query(
            f"SELECT {_COLUMNS} FROM pending WHERE machine_id = :machine {condition} ORDER BY id",
            {"machine": self._machines.known_id(), **parameters},
        )
        return [_pending(row) for row in rows]


def _pending(row: Row) -> PendingRow:
    values = dict(zip(PendingRow.__dataclass_fields__, row, strict=True))
    return PendingRow(**{**values, "state": json.loads(values["state"]), "paused": bool(values["paused"])})
