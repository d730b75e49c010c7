"""Writes the schema of this version down, for the tests of migrations. Never for a version that was released."""

from __future__ import annotations

from pathlib import Path

from artfs.catalog.schema import statements
from artfs.catalog.sqlite import SQLITE
from artfs.catalog.tables import SCHEMA_VERSION, TABLES

if __name__ == "__main__":
    text = "".join(f"{statement};\n" for statement in statements(SQLITE, TABLES))
    Path(__file__).with_name(f"schema_{SCHEMA_VERSION}.sql").write_text(text)
