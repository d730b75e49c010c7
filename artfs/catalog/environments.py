"""What runs ran in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from artfs.catalog.engine import Engine, scalar
from artfs.content.digest import tagged


class Environments:
    """The environments of a catalog; equal ones are stored once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def ensure(self, facts: Mapping[str, Any]) -> int:
        """Return the id of the environment with these facts (JSON values), stored if it is new."""
        text = json.dumps(facts, sort_keys=True)
        parameters = {"digest": tagged(b"environment", text.encode()), "facts": text}
        find = "SELECT id FROM environment WHERE digest = :digest"
        row = self._engine.one(find, parameters)
        if row is None:
            self._engine.execute(
                "INSERT INTO environment (digest, facts) VALUES (:digest, :facts) ON CONFLICT (digest) DO NOTHING",
                parameters,
            )
            row = self._engine.one(find, parameters)
        found: int = scalar(row)
        return found

    def get(self, environment_id: int) -> Mapping[str, Any] | None:
        """Return the facts of an environment."""
        row = self._engine.one("SELECT facts FROM environment WHERE id = :id", {"id": environment_id})
        facts: Mapping[str, Any] | None = json.loads(row[0]) if row else None
        return facts
