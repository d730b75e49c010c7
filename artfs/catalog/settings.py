"""How artifacts are treated, where that is not the default."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from artfs.catalog.engine import Engine, in_lists, now_us


class ArtifactSettings:
    """The settings of a catalog's artifacts: JSON values by name. What each means is said where it is obeyed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, artifact_id: int, name: str) -> Any:
        """Return the value of a setting; None if it has the default."""
        row = self._engine.one(
            "SELECT value FROM artifact_setting WHERE artifact_id = :artifact AND name = :name",
            {"artifact": artifact_id, "name": name},
        )
        return json.loads(row[0]) if row else None

    def set(self, artifact_id: int, name: str, value: Any, user_id: int | None = None) -> None:
        """Change a setting; None restores the default."""
        key = {"artifact": artifact_id, "name": name}
        if value is None:
            self._engine.execute("DELETE FROM artifact_setting WHERE artifact_id = :artifact AND name = :name", key)
            return
        self._engine.execute(
            "INSERT INTO artifact_setting (artifact_id, name, value, user_id, created_us) "
            "VALUES (:artifact, :name, :value, :user, :now) ON CONFLICT (artifact_id, name) "
            "DO UPDATE SET value = excluded.value, user_id = excluded.user_id, created_us = excluded.created_us",
            {**key, "value": json.dumps(value, sort_keys=True), "user": user_id, "now": now_us()},
        )

    def of(self, artifact_ids: Collection[int]) -> dict[int, dict[str, Any]]:
        """Return the settings of artifacts that are not the default, by artifact and name."""
        found: dict[int, dict[str, Any]] = {}
        for names, parameters in in_lists(artifact_ids):
            rows = self._engine.query(
                f"SELECT artifact_id, name, value FROM artifact_setting WHERE artifact_id IN ({names})", parameters
            )
            for artifact_id, name, value in rows:
                found.setdefault(artifact_id, {})[name] = json.loads(value)
        return found
