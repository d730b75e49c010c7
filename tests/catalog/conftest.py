"""A real catalog for every test: in a file, and in a database of a PostgreSQL server that the tests start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from artfs.catalog import Catalog
from support.postgres import drop_database, emptied, new_database, postgres_server, programs


@pytest.fixture
def catalog_path(tmp_path: Path) -> Path:
    """Where a catalog may be; nothing is there yet."""
    return tmp_path / "catalog.db"


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of a PostgreSQL server."""
    pytest.importorskip("psycopg_pool", reason="no psycopg here: scripts/setup --dev installs it")
    if programs() is None:
        pytest.skip("no PostgreSQL server on this machine: scripts/setup --dev installs it")
    with postgres_server() as url:
        yield url


@pytest.fixture
def database(server: str) -> Iterator[str]:
    """The URL of a database where a catalog may be; nothing is in it yet."""
    url = new_database(server)
    yield url
    drop_database(server, url)


@pytest.fixture(scope="session")
def used(server: str) -> str:
    """The URL of a catalog that one test after the other uses."""
    url = new_database(server)
    Catalog.open(url).close()
    return url


@pytest.fixture
def shared(used: str) -> Iterator[str]:
    """The URL of a new catalog in PostgreSQL."""
    yield used
    emptied(used)


@pytest.fixture
def embedded(catalog_path: Path) -> Iterator[Catalog]:
    """A new catalog in SQLite. Whatever a test does to it, it is sound afterwards."""
    with Catalog.open(catalog_path) as catalog:
        yield catalog
        assert catalog.check() == []


@pytest.fixture(params=["sqlite", "postgresql"])
def catalog(request: pytest.FixtureRequest) -> Iterator[Catalog]:
    """A new catalog, of each engine."""
    if request.param == "sqlite":
        yield request.getfixturevalue("embedded")
        return
    with Catalog.open(request.getfixturevalue("shared")) as catalog:
        yield catalog
