"""What was done, in a chain of digests for each machine that shows any later change."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from artfs.catalog.engine import Engine, Row, now_us
from artfs.catalog.machines import Machines
from artfs.content.digest import Digest, tagged

_COLUMNS = "id, at_us, user_id, action, subject, detail, previous, digest, machine_id, number"
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One thing that was done.

    Args:
        at_us: when, microseconds since 1970 UTC.
        action: what, such as `version.purge`.
        subject: to what, such as `iris@3`.
        detail: more about it, JSON values.
        digest: covers all of this and the digest of the row before in its chain.
        machine_id: whose chain it is in; None for rows before schema 3, and of catalogs opened for nobody.
        number: its place in that chain; 0 in rows before schema 3, which are one chain.
    """

    id: int
    at_us: int
    user_id: int | None
    action: str
    subject: str
    detail: Mapping[str, Any]
    digest: bytes
    machine_id: int | None
    number: int


class Audit:
    """The audit log of a catalog."""

    def __init__(self, engine: Engine, machines: Machines) -> None:
        self._engine = engine
        self._machines = machines

    def append(
        self, action: str, subject: str, detail: Mapping[str, Any] | None = None, user_id: int | None = None
    ) -> AuditRow:
        """Add a row. In the transaction of what was done, so that neither is there without the other."""
        with self._engine.transaction():
            machine = self._machines.own_id()
            last = self._engine.one(
                f"SELECT number, digest FROM audit WHERE {_chain(machine)} AND number > 0 ORDER BY number DESC LIMIT 1",
                {"machine": machine},
            )
            number, previous = (last[0] + 1, last[1]) if last else (1, b"")
            at_us, text = now_us(), json.dumps(dict(detail or {}), sort_keys=True)
            row = self._engine.one(
                "INSERT INTO audit (at_us, user_id, action, subject, detail, previous, digest, machine_id, number) "
                "VALUES (:at, :user, :action, :subject, :detail, :previous, :digest, :machine, :number) "
                f"RETURNING {_COLUMNS}",
                {
                    "at": at_us,
                    "user": user_id,
                    "action": action,
                    "subject": subject,
                    "detail": text,
                    "previous": previous,
                    "digest": _digest(previous, number, at_us, user_id, action, subject, text),
                    "machine": machine,
                    "number": number,
                },
            )
        assert row is not None
        return _audit_row(row)

    def list(self, subject: str | None = None, *, limit: int = 100, before: int | None = None) -> Sequence[AuditRow]:
        """Return rows, newest first.

        Args:
            subject: only what was done to this.
            limit: at most so many.
            before: only rows with a smaller id, for the next page.
        """
        conditions, parameters = ["1 = 1"], {"limit": limit, "subject": subject, "before": before}
        if subject is not None:
            conditions.append("subject = :subject")
        if before is not None:
            conditions.append("id < :before")
        rows = self._engine.query(
            f"SELECT {_COLUMNS} FROM audit WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT :limit", parameters
        )
        return [_audit_row(row) for row in rows]

    def verify(self) -> int | None:
        """Return the id of the first row that was changed, or that follows a removed one; None if all is well."""
        ends: dict[tuple[int | None, bool], tuple[int, bytes]] = {}
        after = 0
        while rows := self._engine.query(
            f"SELECT {_COLUMNS} FROM audit WHERE id > :after ORDER BY id LIMIT {_PAGE}", {"after": after}
        ):
            for id_, at_us, user_id, action, subject, detail, recorded, digest, machine, number in rows:
                chain = (machine, number > 0)
                last, previous = ends.get(chain, (0, b""))
                follows = number == last + 1 if number > 0 else True
                expected = _digest(previous, number, at_us, user_id, action, subject, detail)
                if not follows or recorded != previous or digest != expected:
                    found: int = id_
                    return found
                ends[chain] = number, digest
                after = id_
        return None


def _chain(machine: int | None) -> str:
    return "machine_id IS NULL" if machine is None else "machine_id = :machine"


def _digest(
    previous: bytes, number: int, at_us: int, user_id: int | None, action: str, subject: str, detail: str
) -> Digest:
    """`number`: 0 for rows of earlier releases, whose digests do not cover it."""
    user = "" if user_id is None else str(user_id)
    place = [str(number).encode()] if number else []
    return tagged(
        b"audit", previous, *place, str(at_us).encode(), user.encode(), action.encode(), subject.encode(),
        detail.encode(),
    )  # fmt: skip


def _audit_row(row: Row) -> AuditRow:
    id_, at_us, user_id, action, subject, detail, _previous, digest, machine, number = row
    return AuditRow(id_, at_us, user_id, action, subject, json.loads(detail), digest, machine, number)
