"""Versions that must not be purged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from artfs.catalog.engine import Engine, now_us


@dataclass(frozen=True, slots=True)
class Pin:
    """A version that is kept, and why."""

    version_id: int
    reason: str
    created_us: int


class Pins:
    """The pins of a catalog."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, version_id: int, reason: str) -> None:
        """Keep a version; pinning it again changes the reason."""
        self._engine.execute(
            "INSERT INTO pin (version_id, reason, created_us) VALUES (:version, :reason, :now) "
            "ON CONFLICT (version_id) DO UPDATE SET reason = excluded.reason",
            {"version": version_id, "reason": reason, "now": now_us()},
        )

    def remove(self, version_id: int) -> bool:
        """Let a version go; returns whether it was pinned."""
        return self._engine.execute("DELETE FROM pin WHERE version_id = :version", {"version": version_id}) > 0

    def get(self, version_id: int) -> Pin | None:
        """Return the pin of a version."""
        row = self._engine.one(
            "SELECT version_id, reason, created_us FROM pin WHERE version_id = :version", {"version": version_id}
        )
        return Pin(*row) if row else None

    def list(self) -> Sequence[Pin]:
        """Return all pins, oldest version first."""
        rows = self._engine.query("SELECT version_id, reason, created_us FROM pin ORDER BY version_id")
        return [Pin(*row) for row in rows]
