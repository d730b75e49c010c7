"""A worker, a version, and stores that it is owed to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from artfs.artifacts.seal import scan
from artfs.catalog.versions import Version
from artfs.stores.base import Store
from artfs.transfers.worker import Worker
from artfs.workspace.workspace import Workspace
from support.transfers import (
    FILES,
    SickStore,
    Time,
    local_store,
)
from support.versions import seal


@pytest.fixture
def time(workspace: Workspace) -> Time:
    return Time()


@pytest.fixture
def worker(workspace: Workspace, time: Time) -> Iterator[Worker]:
    """A worker whose time goes on when a test says so."""
    made = Worker(
        workspace.home, lambda: workspace.catalog, workspace.stores, workspace.manifests.write_owed, time.clock
    )
    yield made
    made.close()


@pytest.fixture
def remote(workspace: Workspace) -> Iterator[Store]:
    row = workspace.catalog.stores.register("bucket", "test-sick", "memory://bucket/artfs")
    SickStore.ill = None
    yield workspace.stores.by_id(row.id)
    SickStore.ill = None
    fsspec.filesystem("memory").rm("/", recursive=True)


@pytest.fixture
def other(workspace: Workspace, tmp_path: Path) -> Store:
    return local_store(workspace, tmp_path / "other")


@pytest.fixture
def version(workspace: Workspace, tmp_path: Path) -> Version:
    """A version in the default store."""
    for path, content in FILES.items():
        file = tmp_path / "made" / os.fsdecode(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return seal(scan(tmp_path / "made"), workspace, "big", adopt=False)
