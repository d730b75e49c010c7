"""Writing into a catalog as somebody would who is not artfs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any


def tamper(home: Path, sql: str, *parameters: Any) -> None:
    """Run a statement in the catalog of a home. References are not checked, as nobody makes an attacker do so."""
    with closing(sqlite3.connect(home / "catalog.db")) as connection:
        with connection:
            changed = connection.execute(sql, parameters).rowcount
        assert changed > 0, f"nothing to tamper with: {sql}"
