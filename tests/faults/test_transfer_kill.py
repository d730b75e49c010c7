"""Kills while what is owed is brought to its stores: it comes all the same, whole, once, and by one at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from artfs.catalog.versions import LIVE
from artfs.workspace.workspace import Workspace
from support import transfer_and_die
from support.stores import FileStore
from support.transfers import contents_of, is_whole_in, local_store

VERSIONS = 30


def worked_on_by_one_at_a_time(told: list[Any]) -> bool:
    """Whether nobody did anything for a row after somebody else had begun with it."""
    last: dict[int, tuple[int, int]] = {}
    for round_, process, row, what in told:
        if what == "begins":
            last[row] = (round_, process)
        elif last[row] != (round_, process):
            return False
    return True


@pytest.mark.timeout(280)
@pytest.mark.parametrize(("processes", "seed"), [(1, 1), (3, 2)])
def test_kills_while_what_is_owed_is_brought(home: Path, tmp_path: Path, processes: int, seed: int) -> None:
    assert FileStore.flavor == "fsspec-file"
    (tmp_path / "bucket").mkdir()
    with Workspace.open(home) as workspace:
        local_store(workspace, tmp_path / "other")
        workspace.catalog.stores.register("bucket", "fsspec-file", f"file://{tmp_path}/bucket")
    program = [sys.executable, transfer_and_die.__file__ or "", str(VERSIONS), str(processes), str(seed)]
    paths = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(program, env=paths, stdout=subprocess.PIPE, text=True, timeout=240, check=True)
    *told, last = map(json.loads, done.stdout.splitlines())
    assert last["killed"] >= 10
    assert worked_on_by_one_at_a_time(told)

    with Workspace.open(home) as workspace:
        catalog = workspace.catalog
        assert catalog.check() == []
        bucket, other = workspace.stores.by_name("bucket"), workspace.stores.by_name("other")
        versions = catalog.versions.list()
        assert len(versions) == VERSIONS
        for number, version in enumerate(versions):
            assert version.state == LIVE
            assert is_whole_in(bucket, version, workspace)
            assert contents_of(version, workspace) == transfer_and_die.contents(number)
            if number % 2:
                assert is_whole_in(other, version, workspace)
        for store in (bucket, other):
            assert store.id is not None
            places = set(store.places())
            assert catalog.blobs.owned_paths(store.id, places) == places
        assert catalog.blobs.staged_places() == []
        assert list(workspace.transfers.landing.area(bucket).places()) == []
    begun: defaultdict[int, int] = defaultdict(int)
    for _, _, row, what in told:
        begun[row] += what == "begins"
    assert max(begun.values()) > 1, "some was gone on with"
