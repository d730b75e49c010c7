"""Columns that several tables of the catalog have."""

from __future__ import annotations

from artfs.catalog.schema.description import Column

ID = Column("id", "ID", "Row id. Never used again, even when the row is gone: inodes and paths are made of ids.")
CREATED = Column("created_us", "INTEGER NOT NULL", "When the row was made.")
USER = Column("user_id", 'INTEGER REFERENCES "user"(id)', "Who made it; NULL if nobody was named.")
UUID = Column("uuid", "TEXT NOT NULL UNIQUE", "Name of the row that holds on every machine; what people see as its id.")

LEADING = 100
"""How many characters of a text an index holds: some engines refuse entries of more than a few kilobytes."""


def metadata_columns(owner: Column) -> tuple[Column, ...]:
    """Return the columns of a table of logged values, which belong to an owner."""
    return (
        ID,
        owner,
        Column(
            "key", "TEXT NOT NULL", "Name of the value. The newest row of a key is its value; older ones are history."
        ),
        Column("type", "TEXT NOT NULL", "Type of the value, see `values.py`."),
        Column("text", "TEXT", "The value as text, for types that filter and sort as text; exact digits of numbers."),
        Column("number", "REAL", "The value as a number, for types that filter and sort as numbers (times: seconds)."),
        Column("json", "TEXT", "The whole value, for containers and for text that no column can hold."),
        Column("newest", "INTEGER NOT NULL DEFAULT 1", "1 until the key is logged again, then 0."),
        CREATED,
    )
