"""Bringing a catalog to the schema of this release.

A new catalog is made from `TABLES` at once. An older one is copied beside itself and then brought up step by step, all
in one transaction, so that an error or a kill leaves it as the older release made it.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from artfs.catalog.engine import Engine, now_us, scalar
from artfs.catalog.schema import SCHEMA_VERSION, TABLES, statements
from artfs.catalog.schema.growth import differences, grow
from artfs.errors import CatalogCorrupt, CatalogTooNew


@dataclass(frozen=True, slots=True)
class Migration:
    """What brings a catalog from schema version `version - 1` to `version`."""

    version: int
    apply: Callable[[Engine], None]


def _to_2(engine: Engine) -> None:
    """Keep the contents of small files until they are synced; three indexes cost a save more than they brought."""
    for index in ("version_of_artifact", "version_store", "tree_digest"):
        engine.execute(f"DROP INDEX {index}")


def _to_3(engine: Engine) -> None:
    # The mount numbers what is in a version by its ordinal there.
    for index in ("tree_entry_inode", "tree_entry_blob"):
        engine.execute(f"DROP INDEX {index}")
    engine.execute("ALTER TABLE tree_entry DROP COLUMN inode")
    engine.execute("DROP INDEX visualization_path")
    engine.execute("ALTER TABLE visualization RENAME TO older_visualization")
    grow(engine, TABLES)
    _pictures_to_blobs(engine)
    _mark_to_layout(engine)
    # Seconds of a time were exact to the microsecond.
    engine.execute(
        "UPDATE version_meta SET time_us = CAST(ROUND(number * 1000000) AS INTEGER) WHERE type IN ('datetime', 'date')"
    )
    _put_in_order(engine)
    name_catalog(engine, changes=scalar(engine.one("SELECT COALESCE(MAX(id), 0) FROM version")))


STEPS = (Migration(2, _to_2), Migration(3, _to_3))


def current(engine: Engine) -> int:
    """Return the schema version that the catalog has; 0 for a new one.

    Raises CatalogCorrupt for a database of another program.
    """
    tables = engine.tables()
    if "schema_version" not in tables:
        if tables:
            raise CatalogCorrupt(
                f"{engine.url} is a database, but no catalog of artfs: choose another path", subject=engine.url
            )
        return 0
    version: int = scalar(engine.one("SELECT COALESCE(MAX(version), 0) FROM schema_version"))
    return version


def is_current(engine: Engine) -> bool:
    """Return whether nothing is to be done; raises CatalogTooNew for the catalog of a newer release."""
    found = current(engine)
    if found > SCHEMA_VERSION:
        raise CatalogTooNew(
            f"catalog {engine.url} has schema version {found}, this release knows {SCHEMA_VERSION}: "
            "install a newer artfs",
            subject=engine.url,
        )
    return found == SCHEMA_VERSION


def bring_up(engine: Engine) -> None:
    """Make the schema in a new catalog, or bring an older one to it, after a copy of that was put beside it.

    Only one process may do this at a time. Raises CatalogCorrupt if the outcome is not the schema: then nothing was
    changed.
    """
    found = current(engine)
    if found == 0:
        _make(engine)
        return
    when = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()) + f"-{uuid.uuid4().hex[:4]}"
    copy = engine.keep_copy(f"catalog-before-{SCHEMA_VERSION}-{when}.db")
    try:
        migrate(engine)
    except BaseException:
        if copy is not None:  # it is the catalog that is still there
            with suppress(FileNotFoundError):
                os.unlink(copy)
        raise


def migrate(engine: Engine, steps: Sequence[Migration] = STEPS, target: int = SCHEMA_VERSION) -> None:
    """Apply the steps up to a target that a catalog lacks, in order, all or none of them."""
    with engine.transaction():
        found = current(engine)
        before = _counts(engine)
        for step in sorted(steps, key=lambda step: step.version):
            if found < step.version <= target:
                step.apply(engine)
                _record(engine, step.version)
        if found < SCHEMA_VERSION == target:
            _check(engine, before)


def name_catalog(engine: Engine, *, changes: int = 0) -> None:
    """Give a catalog its identity."""
    engine.execute(
        "INSERT INTO identity (id, uuid, changes, created_us) VALUES (1, :uuid, :changes, :now)",
        {"uuid": str(uuid.uuid4()), "changes": changes, "now": now_us()},
    )


def _make(engine: Engine) -> None:
    tables = [table for table in TABLES if table.shared or not engine.is_remote]
    with engine.transaction():
        for statement in statements(engine.dialect, tables):
            engine.execute(statement)
        name_catalog(engine)
        _record(engine, SCHEMA_VERSION)


def _pictures_to_blobs(engine: Engine) -> None:
    """Let visualizations, which had bytes of their own, be contents like files. Large ones lack digests of blocks."""
    engine.execute(
        "INSERT INTO blob (digest, kind, size) SELECT DISTINCT o.digest, 'content', o.size FROM older_visualization o "
        "WHERE NOT EXISTS (SELECT 1 FROM blob b WHERE b.digest = o.digest)"
    )
    engine.execute(
        "INSERT INTO blob_place (blob_id, store_id, path, owned, state) SELECT b.id, v.store_id, o.path, 1, 'live' "
        "FROM older_visualization o JOIN blob b ON b.digest = o.digest JOIN version v ON v.id = o.version_id "
        "WHERE v.store_id IS NOT NULL ON CONFLICT DO NOTHING"
    )
    engine.execute(
        "INSERT INTO visualization (id, version_id, name, kind, blob_id) SELECT o.id, o.version_id, o.name, o.kind, "
        "b.id FROM older_visualization o JOIN blob b ON b.digest = o.digest"
    )
    engine.execute("DROP TABLE older_visualization")


def _mark_to_layout(engine: Engine) -> None:
    """Say in the column what the options said: whether a store's root bears a mark."""
    for store_id, text in engine.query("SELECT id, options FROM store"):
        options = json.loads(text)
        if options.pop("artfs.marked", False):
            engine.execute(
                "UPDATE store SET layout = 'plain', options = :options WHERE id = :id",
                {"options": json.dumps(options, sort_keys=True), "id": store_id},
            )


def _put_in_order(engine: Engine) -> None:
    """Versions are ordered by their times now: where a clock was set back, keep the order in which they were made."""
    rows = engine.query(
        "SELECT id, latest FROM (SELECT id, created_us, MAX(created_us) OVER (PARTITION BY artifact_id ORDER BY id) "
        "AS latest FROM version) ordered WHERE created_us < latest"
    )
    engine.executemany(
        "UPDATE version SET created_us = :time WHERE id = :id", [{"id": id_, "time": time_us} for id_, time_us in rows]
    )
    engine.execute("UPDATE version_tag SET version_us = (SELECT created_us FROM version WHERE id = version_id)")


def _counts(engine: Engine) -> dict[str, int]:
    """How many rows each table has."""
    return {table: scalar(engine.one(f'SELECT COUNT(*) FROM "{table}"')) for table in sorted(engine.tables())}


def _check(engine: Engine, before: dict[str, int]) -> None:
    """Raise CatalogCorrupt if a catalog has not become one of this release, with all its rows."""
    after = _counts(engine)
    wrong = differences(engine, TABLES)
    wrong += [f"{table} had {rows} rows" for table, rows in before.items() if after.get(table, 0) < rows]
    wrong += [f"{row[0]} row {row[1]} refers to no {row[2]}" for row in engine.query("PRAGMA foreign_key_check")]
    if wrong:
        raise CatalogCorrupt(
            f"catalog {engine.url} cannot be brought to schema {SCHEMA_VERSION} ({wrong[0]}), and is left as it was: "
            "restore it from a backup",
            subject=engine.url,
        )


def _record(engine: Engine, version: int) -> None:
    engine.execute(
        "INSERT INTO schema_version (version, applied_us) VALUES (:version, :now)",
        {"version": version, "now": now_us()},
    )
