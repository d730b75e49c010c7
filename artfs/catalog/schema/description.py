"""How the tables of the catalog are described, and made. The tables themselves are beside this.

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
    """A table: what one row is, its columns, constraints over several columns, and indexes.

    `shared`: whether a catalog that several machines share has it; without it, it is of one machine alone.
    """

    name: str
    meaning: str
    columns: tuple[Column, ...]
    constraints: tuple[str, ...] = ()
    indexes: tuple[Index, ...] = ()
    shared: bool = True


def statements(dialect: Dialect, tables: Iterable[Table]) -> list[str]:
    """Return the DDL that makes tables and their indexes, in order."""
    made = []
    for table in tables:
        made.append(create_table(dialect, table))
        made += [create_index(table, index) for index in table.indexes]
    return made


def create_table(dialect: Dialect, table: Table) -> str:
    """Return the DDL that makes a table, without its indexes."""
    parts = [column_definition(dialect, column) for column in table.columns] + [*table.constraints]
    return f"CREATE TABLE {table.name} (\n  " + ",\n  ".join(parts) + "\n)"


def create_index(table: Table, index: Index) -> str:
    """Return the DDL that makes an index of a table."""
    unique, where = "UNIQUE " if index.unique else "", f" WHERE {index.where}" if index.where else ""
    return f"CREATE {unique}INDEX {index.name} ON {table.name} ({index.columns}){where}"


def column_definition(dialect: Dialect, column: Column) -> str:
    """Return a column as DDL has it."""
    word, _, rest = column.type.partition(" ")
    words = {
        "ID": dialect.id,
        "BYTES": dialect.bytes,
        "INTEGER": dialect.integer,
        "REAL": dialect.real,
        "TEXT": dialect.text,
    }
    return f"{column.name} {words.get(word, word)} {rest}".strip()
