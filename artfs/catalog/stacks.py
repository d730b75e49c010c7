"""Named choices of where new versions go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from artfs.catalog.engine import Engine, now_us
from artfs.errors import AlreadyExists, NotFound, StackNotFound

_COLUMNS = "id, name, store_id, created_us"


@dataclass(frozen=True, slots=True)
class StackRow:
    """A stack and the store that it writes to."""

    id: int
    name: str
    store_id: int
    created_us: int


class Stacks:
    """The stacks of a catalog. Which one is active is a setting of each machine, not of the catalog."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, name: str) -> StackRow | None:
        """Return the stack of that name."""
        row = self._engine.one(f"SELECT {_COLUMNS} FROM stack WHERE name = :name", {"name": name})
        return StackRow(*row) if row else None

    def list(self) -> Sequence[StackRow]:
        """Return all stacks, by name."""
        return [StackRow(*row) for row in self._engine.query(f"SELECT {_COLUMNS} FROM stack ORDER BY name")]

    def register(self, name: str, store_id: int) -> StackRow:
        """Add a stack.

        Raises AlreadyExists if the name is taken.
        """
        row = self._engine.one(
            "INSERT INTO stack (name, store_id, created_us) VALUES (:name, :store, :now) "
            f"ON CONFLICT (name) DO NOTHING RETURNING {_COLUMNS}",
            {"name": name, "store": store_id, "now": now_us()},
        )
        if row is None:
            raise AlreadyExists(f"a stack named '{name}' exists already: choose another name", subject=name)
        return StackRow(*row)

    def update(self, name: str, store_id: int) -> StackRow:
        """Let a stack write to another store."""
        row = self._engine.one(
            f"UPDATE stack SET store_id = :store WHERE name = :name RETURNING {_COLUMNS}",
            {"name": name, "store": store_id},
        )
        if row is None:
            raise _unknown(name)
        return StackRow(*row)

    def delete(self, name: str) -> None:
        """Remove a stack; what was written through it stays."""
        if not self._engine.execute("DELETE FROM stack WHERE name = :name", {"name": name}):
            raise _unknown(name)


def _unknown(name: str) -> NotFound:
    return StackNotFound(f"there is no stack named '{name}': see `artfs stack list`", subject=name)
