"""A real catalog in a file for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from artfs.catalog import Catalog


@pytest.fixture
def catalog_path(tmp_path: Path) -> Path:
    """Where a catalog may be; nothing is there yet."""
    return tmp_path / "catalog.db"


@pytest.fixture
def catalog(catalog_path: Path) -> Iterator[Catalog]:
    """A new catalog. Whatever a test does to it, it is sound afterwards."""
    with Catalog.open(catalog_path) as catalog:
        yield catalog
        assert catalog.check() == []
