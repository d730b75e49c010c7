"""Homes that write to a catalog, each on its machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from artfs.catalog.engine import Engine, now_us


@dataclass(frozen=True, slots=True)
class Machine:
    """A home that a catalog is written from.

    Args:
        uuid: identity of the home.
        name: host name, for people.
        home: its path there, for people.
    """

    uuid: str
    name: str
    home: str


@dataclass(frozen=True, slots=True)
class MachineRow:
    """A machine that has written to the catalog; `seen_us`: when it last began to."""

    id: int
    uuid: str
    name: str
    home: str
    seen_us: int
    created_us: int


_COLUMNS = "id, uuid, name, home, seen_us, created_us"


class Machines:
    """The machines of a catalog.

    Args:
        engine: of the catalog.
        own: which one this is; None for nobody's.
    """

    def __init__(self, engine: Engine, own: Machine | None = None) -> None:
        self._engine = engine
        self._own = own
        self._own_id: int | None = None

    def own_id(self) -> int | None:
        """Return the row of this machine, made at its first write; None if the catalog was opened for nobody.

        What is written with it belongs into the same transaction, or another one after it.
        """
        if self._own is None or self._own_id is not None:
            return self._own_id
        with self._engine.transaction():
            values = {"uuid": self._own.uuid, "name": self._own.name, "home": self._own.home, "now": now_us()}
            row = self._engine.one(
                "INSERT INTO machine (uuid, name, home, seen_us, created_us) VALUES (:uuid, :name, :home, :now, :now) "
                "ON CONFLICT (uuid) DO UPDATE SET name = excluded.name, home = excluded.home, "
                "seen_us = excluded.seen_us RETURNING id",
                values,
            )
            assert row is not None
            found: int = row[0]
            self._engine.after_commit(lambda: self._keep(found))
        return found

    def known_id(self) -> int | None:
        """Return the row of this machine, if it ever wrote; nothing is made."""
        if self._own is None or self._own_id is not None:
            return self._own_id
        row = self.by_uuid(self._own.uuid)
        return row.id if row else None

    def by_id(self, machine_id: int) -> MachineRow | None:
        """Return the machine of that row id."""
        row = self._engine.one(f"SELECT {_COLUMNS} FROM machine WHERE id = :id", {"id": machine_id})
        return MachineRow(*row) if row else None

    def by_uuid(self, uuid: str) -> MachineRow | None:
        """Return the machine whose home has that identity."""
        row = self._engine.one(f"SELECT {_COLUMNS} FROM machine WHERE uuid = :uuid", {"uuid": uuid})
        return MachineRow(*row) if row else None

    def list(self) -> Sequence[MachineRow]:
        """Return all machines, in the order in which they first wrote."""
        rows = self._engine.query(f"SELECT {_COLUMNS} FROM machine ORDER BY created_us, id")
        return [MachineRow(*row) for row in rows]

    def _keep(self, machine_id: int) -> None:
        self._own_id = machine_id
