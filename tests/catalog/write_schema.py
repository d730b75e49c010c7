"""Writes the schema of this version down, for the tests of migrations. Never for a version that was released."""

from __future__ import annotations

from pathlib import Path

from artfs.catalog.engines.sqlite import SQLITE
from artfs.catalog.schema import SCHEMA_VERSION, TABLES, statements

if __name__ == "__main__":
    text = "".join(f"{statement};\n" for statement in statements(SQLITE, TABLES))
    Path(__file__).with_name(f"schema_{SCHEMA_VERSION}.sql").write_text(text)
