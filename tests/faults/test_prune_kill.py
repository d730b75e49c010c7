"""Kills while versions are pruned and garbage is collected: no version loses a byte, and no byte is lost track of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from artfs.artifacts.gc import Garbage
from artfs.artifacts.orphans import unlisted
from artfs.artifacts.verify import verify
from artfs.client import Client
from artfs.workspace.workspace import Workspace
from support import library_and_die
from support.kills import KILLS, killed_while, let_it_be_old


def check_bytes(workspace: Workspace) -> None:
    """All versions are whole before and after the garbage was collected, and then only known bytes are left."""
    catalog, store = workspace.catalog, workspace.stores.active
    assert catalog.check() == []
    assert list(verify(workspace, catalog.versions.list())) == []
    let_it_be_old(workspace.home.path)
    found = Client().collect_garbage(dry_run=True)
    assert Client().collect_garbage() == found
    assert Client().collect_garbage() == Garbage()
    assert list(verify(workspace, catalog.versions.list())) == []
    places = set(store.places())
    assert store.id is not None
    assert places == catalog.blobs.owned_paths(store.id, places)
    for version in catalog.versions.list():
        assert workspace.manifests.differences(version) == []
    assert list(unlisted(store, catalog)) == []
    assert catalog.blobs.orphans() == []


@pytest.mark.timeout(280)
def test_kills_while_versions_are_pruned(home: Path) -> None:
    acknowledged = killed_while("prune", seed=4)
    client = Client()
    for number in range(KILLS + 1):
        name = f"pruned {number}"
        left = [version.version for version in client.get_artifact(name).versions]
        assert left in (["1", "2", "3"], ["3"]), "a prune of an artifact happens or does not"
        if number in acknowledged:
            assert (left, acknowledged[number]) == (["3"], f"{name}/1,{name}/2")
        newest = client.get_artifact_version(name).load()
        np.testing.assert_equal(newest, [library_and_die.value(number), 2])
    check_bytes(client.workspace)


@pytest.mark.timeout(280)
def test_kills_while_garbage_is_collected(home: Path) -> None:
    killed_while("gc", seed=5)
    client = Client()
    for number in range(KILLS + 1):
        np.testing.assert_equal(client.get_artifact_version(f"saved {number}").load(), library_and_die.value(number))
    check_bytes(client.workspace)
