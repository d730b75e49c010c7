"""Bringing a catalog to the schema of this release.

A new catalog is made from `tables` at once; an older one is brought up step by step. Each step is one transaction, so
a kill leaves the catalog at one version or the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from artfs.catalog.engine import Engine, now_us, scalar
from artfs.catalog.schema import statements
from artfs.catalog.tables import SCHEMA_VERSION, TABLES
from artfs.errors import CatalogCorrupt, CatalogTooNew


@dataclass(frozen=True, slots=True)
class Step:
    """What brings a catalog from schema version `version - 1` to `version`."""

    version: int
    apply: Callable[[Engine], None]


def _keep_unsynced_contents(engine: Engine) -> None:
    words = engine.dialect
    engine.execute(
        f"CREATE TABLE unsynced ( blob_id {words.integer} NOT NULL PRIMARY KEY REFERENCES blob(id) ON DELETE CASCADE, "
        f"content {words.bytes} NOT NULL, boot TEXT )"
    )
    # Each cost a save more than it brought to anybody.
    for index in ("version_of_artifact", "version_store", "tree_digest"):
        engine.execute(f"DROP INDEX {index}")


STEPS = (Step(2, _keep_unsynced_contents),)


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


def migrate(engine: Engine, steps: Sequence[Step] = STEPS, target: int = SCHEMA_VERSION) -> None:
    """Make the schema in a new catalog, or apply the steps that an older one lacks, in order.

    Only one process may do this at a time.
    """
    found = current(engine)
    if found == 0:
        with engine.transaction():
            for statement in statements(engine.dialect, TABLES):
                engine.execute(statement)
            _record(engine, target)
        return
    for step in sorted(steps, key=lambda step: step.version):
        if found < step.version <= target:
            with engine.transaction():
                step.apply(engine)
                _record(engine, step.version)


def _record(engine: Engine, version: int) -> None:
    engine.execute(
        "INSERT INTO schema_version (version, applied_us) VALUES (:version, :now)",
        {"version": version, "now": now_us()},
    )
