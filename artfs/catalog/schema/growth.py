"""What a catalog in SQLite lacks of a schema, as sqlite-utils sees it, and how it gets it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from artfs.catalog.engine import Engine
from artfs.catalog.engines.sqlite import SQLITE, SQLiteEngine
from artfs.catalog.schema.description import Table, column_definition, create_index, create_table, statements

if TYPE_CHECKING:
    from sqlite_utils import Database


def grow(engine: Engine, tables: Sequence[Table]) -> None:
    """Add the tables, columns and indexes that are not there; indexes that are declared otherwise are made anew.

    What old rows have in a new column is its default. Columns that are no longer declared stay.
    """
    with _looked_at(engine) as found:
        there = {name: {column.name for column in found.table(name).columns} for name in found.table_names()}
        indexes = _indexes(found)
    for table in tables:
        name = table.name.strip('"')
        if name not in there:
            engine.execute(create_table(SQLITE, table))
        else:
            for column in table.columns:
                if column.name.strip('"') not in there[name]:
                    engine.execute(f"ALTER TABLE {table.name} ADD COLUMN {column_definition(SQLITE, column)}")
        for index in table.indexes:
            statement = create_index(table, index)
            if (made := indexes.get(index.name)) != _normal(statement):
                if made is not None:
                    engine.execute(f"DROP INDEX {index.name}")
                engine.execute(statement)


def differences(engine: Engine, tables: Sequence[Table]) -> list[str]:
    """Return where the schema of a catalog is not the declared one, one line each."""
    import sqlite_utils

    wanted = sqlite_utils.Database(memory=True)
    try:
        for statement in statements(SQLITE, tables):
            wanted.execute(statement)
        with _looked_at(engine) as found:
            return list(_differences(found, wanted))
    finally:
        wanted.close()


def _differences(found: Database, wanted: Database) -> Iterator[str]:
    names, known = set(found.table_names()), set(wanted.table_names())
    yield from (f"there is no table {name}" for name in sorted(known - names))
    for name in sorted(known & names):
        here, there = found.table(name), wanted.table(name)
        if [column[1:] for column in here.columns] != [column[1:] for column in there.columns]:
            yield f"table {name} has other columns than this release knows"
        if sorted(here.foreign_keys) != sorted(there.foreign_keys):
            yield f"table {name} refers to other tables than this release knows"
    indexes, declared = _indexes(found), _indexes(wanted)
    for name in sorted(declared.keys() | indexes.keys()):
        if indexes.get(name) != declared.get(name):
            yield f"index {name} is not as this release knows it"


def _indexes(database: Database) -> dict[str, str]:
    """The DDL of every index that was made by name."""
    rows = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    return {name: _normal(sql) for name, sql in rows.fetchall()}


def _normal(sql: str) -> str:
    return " ".join(sql.split())


@contextmanager
def _looked_at(engine: Engine) -> Iterator[Database]:
    # Only SQLite has catalogs of schemas before this one.
    assert isinstance(engine, SQLiteEngine)
    with engine.utilities() as database:
        yield database
