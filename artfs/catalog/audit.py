"""What was done, in a chain of digests that shows any later change."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from artfs.catalog.engine import Engine, Row, now_us
from artfs.content.digest import Digest, tagged

_COLUMNS = "id, at_us, user_id, action, subject, detail, previous, digest"
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One thing that was done.

    Args:
        at_us: when, microseconds since 1970 UTC.
        action: what, such as `version.purge`.
        subject: to what, such as `iris@3`.
        detail: more about it, JSON values.
        digest: covers all of this and the digest of the row before.
    """

    id: int
    at_us: int
    user_id: int | None
    action: str
    subject: str
    detail: Mapping[str, Any]
    digest: bytes


class Audit:
    """The audit log of a catalog."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def append(
        self, action: str, subject: str, detail: Mapping[str, Any] | None = None, user_id: int | None = None
    ) -> AuditRow:
        """Add a row. In the transaction of what was done, so that neither is there without the other."""
        with self._engine.transaction():
            last = self._engine.one("SELECT digest FROM audit ORDER BY id DESC LIMIT 1")
            previous: bytes = last[0] if last else b""
            at_us, text = now_us(), json.dumps(dict(detail or {}), sort_keys=True)
            row = self._engine.one(
                "INSERT INTO audit (at_us, user_id, action, subject, detail, previous, digest) "
                "VALUES (:at, :user, :action, :subject, :detail, :previous, :digest) "
                f"RETURNING {_COLUMNS}",
                {
                    "at": at_us,
                    "user": user_id,
                    "action": action,
                    "subject": subject,
                    "detail": text,
                    "previous": previous,
                    "digest": _digest(previous, at_us, user_id, action, subject, text),
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
        previous, after = b"", 0
        while rows := self._engine.query(
            f"SELECT {_COLUMNS} FROM audit WHERE id > :after ORDER BY id LIMIT {_PAGE}", {"after": after}
        ):
            for id_, at_us, user_id, action, subject, detail, recorded, digest in rows:
                if recorded != previous or digest != _digest(previous, at_us, user_id, action, subject, detail):
                    found: int = id_
                    return found
                previous, after = digest, id_
        return None


def _digest(previous: bytes, at_us: int, user_id: int | None, action: str, subject: str, detail: str) -> Digest:
    user = "" if user_id is None else str(user_id)
    return tagged(
        b"audit", previous, str(at_us).encode(), user.encode(), action.encode(), subject.encode(), detail.encode()
    )


def _audit_row(row: Row) -> AuditRow:
    id_, at_us, user_id, action, subject, detail, _previous, digest = row
    return AuditRow(id_, at_us, user_id, action, subject, json.loads(detail), digest)
