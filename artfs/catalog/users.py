"""Who makes versions and runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from artfs.catalog.engine import Engine, in_lists, now_us


@dataclass(frozen=True, slots=True)
class UserRow:
    """Somebody, by login name."""

    id: int
    name: str
    created_us: int


class Users:
    """The users of a catalog."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, name: str) -> UserRow | None:
        """Return the user of that name."""
        row = self._engine.one('SELECT id, name, created_us FROM "user" WHERE name = :name', {"name": name})
        return UserRow(*row) if row else None

    def by_id(self, user_id: int) -> UserRow | None:
        """Return the user of that row id."""
        row = self._engine.one('SELECT id, name, created_us FROM "user" WHERE id = :id', {"id": user_id})
        return UserRow(*row) if row else None

    def names(self, user_ids: Collection[int]) -> dict[int, str]:
        """Return the names of users, by row id."""
        found: dict[int, str] = {}
        for names, parameters in in_lists(user_ids):
            found.update(self._engine.query(f'SELECT id, name FROM "user" WHERE id IN ({names})', parameters))
        return found

    def ensure(self, name: str) -> UserRow:
        """Return the user of that name, made if there is none."""
        found = self.get(name)
        if found is None:
            self._engine.execute(
                'INSERT INTO "user" (name, created_us) VALUES (:name, :now) ON CONFLICT (name) DO NOTHING',
                {"name": name, "now": now_us()},
            )
            found = self.get(name)
        assert found is not None
        return found

    def list(self) -> Sequence[UserRow]:
        """Return all users, by name."""
        return [UserRow(*row) for row in self._engine.query('SELECT id, name, created_us FROM "user" ORDER BY name')]
