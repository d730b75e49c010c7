"""How the tables of the catalog are described, and made. The tables themselves are in `tables`.

Types are words of the engine's dialect: ID, BYTES, INTEGER, REAL, TEXT; whatever follows a word is SQL.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from artfs.catalog.engine import Dialect


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, its type and constraints in words of the dialect, and what it means."""

    name: str
    type: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Index:
    """An index: what it is on, and the question that needs it. `where` makes it partial."""

    name: str
    columns: str
    purpose: str
    unique: bool = False
    where: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table: what one row is, its columns, constraints over several columns, and indexes."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    constraints: tuple[str, ...] = ()
    indexes: tuple[Index, ...] = ()


def statements(dialect: Dialect, tables: Iterable[Table]) -> list[str]:
    """Return the DDL that makes tables and their indexes, in order."""
    made = []
    for table in tables:
        parts = [f"{column.name} {_spelled(column.type, dialect)}" for column in table.columns] + [*table.constraints]
        made.append(f"CREATE TABLE {table.name} (\n  " + ",\n  ".join(parts) + "\n)")
        for index in table.indexes:
            unique, where = "UNIQUE " if index.unique else "", f" WHERE {index.where}" if index.where else ""
            made.append(f"CREATE {unique}INDEX {index.name} ON {table.name} ({index.columns}){where}")
    return made


def _spelled(type_: str, dialect: Dialect) -> str:
    word, _, rest = type_.partition(" ")
    spelled = {"ID": dialect.id, "BYTES": dialect.bytes, "INTEGER": dialect.integer, "REAL": dialect.real}
    return f"{spelled.get(word, word)} {rest}".strip()
