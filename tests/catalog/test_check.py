"""`Catalog.check` reads everything, and tells what cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from artfs.catalog import Catalog
from support.catalogs import save


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE version SET files = 7", "says other things of its tree"),
        ("UPDATE version SET digest = :digest", "says other things of its tree"),
        ("UPDATE artifact SET next_number = 1", "artifact iris would give out a number once more"),
        ("UPDATE version_tag SET version_us = 1", "knows another time"),
        ("UPDATE version SET state = 'purged', tree_id = NULL", "carries a tag, but is purged"),
        ("UPDATE tree_entry SET blob_id = NULL", "has no content"),
        ("UPDATE tree_entry SET kind = 2", "has no entries of its own"),
        ("DELETE FROM blob_place", "is in versions, but nowhere else"),
        ("UPDATE audit SET subject = 'other'", "row 1 of the audit log was changed"),
    ],
)
def test_what_cannot_be_is_told(catalog_path: Path, shared: str, change: str, told: str) -> None:
    for url in (str(catalog_path), shared):
        with Catalog.open(url) as catalog:
            save(catalog, "iris", b"1", tags=["best"])
            catalog.audit.append("tag.add", "iris@1")
            assert catalog.check() == []
            catalog.engine.execute(change, {"digest": b"x"})
            assert any(told in line for line in catalog.check())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("DROP INDEX version_name", "index version_name is not as this release knows it"),
        ("ALTER TABLE pin ADD COLUMN mood TEXT", "table pin has other columns"),
        ("DROP TABLE rule", "there is no table rule"),
    ],
)
def test_a_schema_that_was_changed_is_told(catalog_path: Path, change: str, told: str) -> None:
    with Catalog.open(catalog_path) as catalog:
        catalog.engine.execute(change)
        assert any(line.startswith(told) for line in catalog.check())


def test_a_damage_of_many_rows_is_not_told_for_ever(catalog_path: Path) -> None:
    with Catalog.open(catalog_path) as catalog:
        for number in range(30):
            save(catalog, "iris", b"%d" % number)
        catalog.engine.execute("UPDATE version SET bytes = 77")
        assert len(catalog.check()) == 21
