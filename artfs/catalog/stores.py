"""Where bytes can live, by name. (What a store does is in `artfs.stores`.)"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from artfs.catalog.engine import Engine, Row, now_us, scalar
from artfs.errors import AlreadyExists, InvalidValue, StoreNotFound

_COLUMNS = "id, name, flavor, root, options, created_us, connector_id, layout"

PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class StoreRow:
    """A registered store.

    Args:
        flavor: which class serves it: local, s3, ...
        root: path or URI that everything in it lies below; relative to the home for a folder inside it.
        options: settings of the flavor; never a secret.
        connector_id: credentials for it; None for none, or the flavor's own ways to them.
        layout: `plain` or `packed`; None as the first release made it, without a mark.
    """

    id: int
    name: str
    flavor: str
    root: str
    options: Mapping[str, Any]
    created_us: int
    connector_id: int | None
    layout: str | None

    @property
    def marked(self) -> bool:
        """Whether the root is the store only if it bears its mark."""
        return self.layout is not None


class Stores:
    """The stores of a catalog."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, name: str) -> StoreRow | None:
        """Return the store of that name."""
        row = self._engine.one(f"SELECT {_COLUMNS} FROM store WHERE name = :name", {"name": name})
        return _store(row) if row else None

    def of_stack(self, stack: str) -> StoreRow | None:
        """Return the store that a stack writes to; None if there is no such stack."""
        row = self._engine.one(
            f"SELECT {_COLUMNS} FROM store WHERE id = (SELECT store_id FROM stack WHERE name = :stack)",
            {"stack": stack},
        )
        return _store(row) if row else None

    def by_id(self, store_id: int) -> StoreRow | None:
        """Return the store of that row id."""
        row = self._engine.one(f"SELECT {_COLUMNS} FROM store WHERE id = :id", {"id": store_id})
        return _store(row) if row else None

    def list(self) -> Sequence[StoreRow]:
        """Return all stores, by name."""
        return [_store(row) for row in self._engine.query(f"SELECT {_COLUMNS} FROM store ORDER BY name")]

    def register(
        self, name: str, flavor: str, root: str, options: Mapping[str, Any] | None = None, *, marked: bool = False
    ) -> StoreRow:
        """Add a store; `marked` if its root bears its mark.

        Raises AlreadyExists if the name is taken.
        """
        row = self._engine.one(
            "INSERT INTO store (name, flavor, root, options, layout, created_us) VALUES "
            f"(:name, :flavor, :root, :options, :layout, :now) ON CONFLICT (name) DO NOTHING RETURNING {_COLUMNS}",
            {
                "name": name,
                "flavor": flavor,
                "root": root,
                "options": json.dumps(dict(options or {}), sort_keys=True),
                "layout": PLAIN if marked else None,
                "now": now_us(),
            },
        )
        if row is None:
            raise AlreadyExists(f"a store named '{name}' exists already: choose another name", subject=name)
        return _store(row)

    def move(self, store_id: int, root: str) -> None:
        """Write down that a store's root is another path, or the same written in another way."""
        self._engine.execute("UPDATE store SET root = :root WHERE id = :id", {"root": root, "id": store_id})

    def configure(self, store_id: int, options: Mapping[str, Any]) -> None:
        """Write down other settings of a store."""
        self._engine.execute(
            "UPDATE store SET options = :options WHERE id = :id",
            {"options": json.dumps(dict(options), sort_keys=True), "id": store_id},
        )

    def set_marked(self, store_id: int) -> None:
        """Write down that the root of a store bears its mark."""
        self._engine.execute(
            "UPDATE store SET layout = :layout WHERE id = :id AND layout IS NULL", {"layout": PLAIN, "id": store_id}
        )

    def delete(self, name: str) -> None:
        """Remove a store that nothing uses.

        Raises StoreNotFound, or InvalidValue while a stack, a version or bytes are in it.
        """
        with self._engine.transaction():
            store = self.get(name)
            if store is None:
                raise StoreNotFound(f"there is no store named '{name}': see `artfs artifact-store list`", subject=name)
            for what, sql in _USES.items():
                if scalar(self._engine.one(sql, {"id": store.id})):
                    raise InvalidValue(f"store '{name}' cannot be deleted: {what}", subject=name)
            self._engine.execute("DELETE FROM store WHERE id = :id", {"id": store.id})


_USES = {
    "a stack uses it": "SELECT EXISTS (SELECT 1 FROM stack WHERE store_id = :id)",
    "versions are in it": "SELECT EXISTS (SELECT 1 FROM version WHERE store_id = :id OR folder_store_id = :id)",
    "something is owed to it": "SELECT EXISTS (SELECT 1 FROM pending WHERE store_id = :id OR source_id = :id)",
    "bytes are in it": "SELECT EXISTS (SELECT 1 FROM blob_place WHERE store_id = :id AND owned = 1)",
}


def _store(row: Row) -> StoreRow:
    id_, name, flavor, root, options, created_us, connector_id, layout = row
    return StoreRow(id_, name, flavor, root, json.loads(options), created_us, connector_id, layout)
