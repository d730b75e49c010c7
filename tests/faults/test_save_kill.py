"""Kills while versions are made and removed: nothing is half, nothing acknowledged is lost, orphans are found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from artfs.artifacts.orphans import orphans, remove_orphan_anywhere
from artfs.artifacts.verify import verify
from artfs.artifacts.visualize import read_visualization
from artfs.client import Client
from artfs.errors import VersionNotFound
from artfs.workspace.workspace import Workspace
from support import library_and_die
from support.kills import KILLS, killed_while


def check_store(workspace: Workspace) -> None:
    """The catalog and all versions are whole; and once orphans are removed, only known bytes are in the store."""
    catalog, store = workspace.catalog, workspace.stores.active
    assert catalog.check() == []
    versions = catalog.versions.list()
    assert list(verify(workspace, versions)) == []
    for version in versions:
        for row in catalog.visualizations.list(version.id):
            read_visualization(workspace, row.digest)
    for dead in {uuid for uuid, _ in orphans(store, catalog)}:
        assert remove_orphan_anywhere(workspace, dead)
    assert list(orphans(store, catalog)) == []
    places = set(store.places())
    gone = {place.path for place in catalog.blobs.gone_places()}
    assert store.id is not None
    assert places - gone <= catalog.blobs.owned_paths(store.id, places)


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    return bool(np.array_equal(one, other))


@pytest.mark.timeout(280)
def test_kills_while_values_are_saved(home: Path) -> None:
    acknowledged = killed_while("save", seed=1)
    client = Client()
    versions = list(client.list_artifact_versions(size=1000))
    assert set(acknowledged.values()) <= {str(version.id) for version in versions}
    assert len(versions) < KILLS
    for version in versions:
        number = version.metadata["number"]
        assert (version.name, version.tags) == (f"saved {number}", ["new"])
        assert equal(version.load(), library_and_die.value(number))
    check_store(client.workspace)


@pytest.mark.timeout(280)
def test_kills_while_data_is_registered(home: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "deep").mkdir(parents=True)
    for number in range(6):
        (data / "deep" / str(number)).write_text(str(number))
    acknowledged = killed_while("register", seed=2)
    client = Client()
    versions = list(client.list_artifact_versions(size=1000))
    assert set(acknowledged.values()) <= {str(version.id) for version in versions}
    for version in versions:
        assert (version.files, version.load()) == (6, data)
    check_store(client.workspace)


@pytest.mark.timeout(280)
def test_kills_while_versions_are_removed(home: Path) -> None:
    for number in range(KILLS + 1):
        library_and_die.save(number)
    removed = killed_while("remove", seed=3)
    client = Client()
    for number in range(KILLS + 1):
        try:
            version = client.get_artifact_version(f"saved {number}")
        except VersionNotFound:
            continue
        assert number not in removed
        assert equal(version.load(), library_and_die.value(number))
    check_store(client.workspace)
