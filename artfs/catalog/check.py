"""Reading a whole catalog, and telling what in it cannot be."""

from __future__ import annotations

from collections.abc import Iterator

from artfs.catalog.audit import Audit
from artfs.catalog.engine import Engine
from artfs.catalog.engines.sqlite import SQLiteEngine
from artfs.catalog.schema import TABLES
from artfs.catalog.schema.growth import differences

_SHOWN = 20
"""So many rows of a kind are told one by one."""

_RULES = {
    "version {} says other things of its tree than that does": (
        "SELECT v.uuid FROM version v JOIN tree t ON t.id = v.tree_id "
        "WHERE v.digest <> t.digest OR v.files <> t.files OR v.bytes <> t.bytes ORDER BY v.id"
    ),
    "artifact {} would give out a number once more": (
        "SELECT a.name FROM artifact a JOIN version v ON v.artifact_id = a.id AND v.number >= a.next_number "
        "GROUP BY a.name ORDER BY a.name"
    ),
    "version {} carries a tag, but is purged": (
        "SELECT DISTINCT v.uuid FROM version_tag x JOIN version v ON v.id = x.version_id WHERE v.state = 'purged'"
    ),
    "a tag of version {} knows another time or artifact of it": (
        "SELECT DISTINCT v.uuid FROM version_tag x JOIN version v ON v.id = x.version_id "
        "WHERE x.version_us <> v.created_us OR x.artifact_id <> v.artifact_id"
    ),
    "file {} in a directory has no content": "SELECT e.id FROM tree_entry e WHERE e.kind = 1 AND e.blob_id IS NULL",
    "directory {} in a directory has no entries of its own": (
        "SELECT e.id FROM tree_entry e WHERE e.kind = 2 AND e.child_id IS NULL"
    ),
    "the content {} is in versions, but nowhere else": (
        "SELECT b.id FROM blob b WHERE EXISTS (SELECT 1 FROM tree_entry e WHERE e.blob_id = b.id) "
        "AND NOT EXISTS (SELECT 1 FROM blob_place p WHERE p.blob_id = b.id)"
    ),
}
"""What no sound catalog has, and how to find it."""


def problems(engine: Engine, audit: Audit) -> Iterator[str]:
    """Yield what is damaged or cannot be, one line each, reading everything."""
    damaged = engine.check()
    yield from damaged
    if isinstance(engine, SQLiteEngine):
        yield from differences(engine, TABLES)
    if damaged:
        return  # what the rest would say follows from that
    for what, sql in _RULES.items():
        rows = engine.query(f"{sql} LIMIT {_SHOWN + 1}")
        yield from (what.format(row[0]) for row in rows[:_SHOWN])
        if len(rows) > _SHOWN:
            yield f"and so on, more than {_SHOWN} times"
    if (changed := audit.verify()) is not None:
        yield f"row {changed} of the audit log was changed, or one before it removed"
