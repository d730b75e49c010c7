"""What the catalog holds: every table, column and index, and why it is there.

Times named `_us` are integer microseconds since 1970 UTC; `mtime_ns` is integer nanoseconds, as file systems have it.
JSON is TEXT, with sorted keys. A new column stands after the others of its table: that is where older catalogs get it.
A change of the tables is a new schema version: raise SCHEMA_VERSION and add a step to `migrations`.
"""

from __future__ import annotations

from artfs.catalog.schema.contents import CONTENT_TABLES
from artfs.catalog.schema.description import Column, Index, Table, statements
from artfs.catalog.schema.models import MODEL_TABLES
from artfs.catalog.schema.places import PLACE_TABLES
from artfs.catalog.schema.runs import RUN_TABLES, USE_TABLES
from artfs.catalog.schema.upkeep import UPKEEP_TABLES
from artfs.catalog.schema.versions import ARTIFACT_TABLES, MARK_TABLES, VERSION_TABLES

SCHEMA_VERSION = 3

TABLES: tuple[Table, ...] = (
    # A table comes after those that it refers to: PostgreSQL wants it so.
    *PLACE_TABLES,
    *ARTIFACT_TABLES,
    *CONTENT_TABLES,
    *RUN_TABLES,
    *VERSION_TABLES,
    *USE_TABLES,
    *MARK_TABLES,
    *MODEL_TABLES,
    *UPKEEP_TABLES,
)

__all__ = ["SCHEMA_VERSION", "TABLES", "Column", "Index", "Table", "statements"]
