"""The library is killed at each stage of making versions: nothing is half, and nothing acknowledged is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from artfs.artifacts.gc import Garbage, gc
from artfs.artifacts.orphans import unlisted
from artfs.artifacts.verify import verify
from artfs.workspace.workspace import Workspace
from support import work_and_die
from support.kills import let_it_be_old

TESTS = Path(work_and_die.__file__ or "").parents[1]
BEFORE = ("planned", "claimed", "brought", "recorded")
AFTER = ("committed", "described")


def killed(work: str, stage: str, count: int) -> list[str]:
    """The versions that were acknowledged before the kill."""
    program = [sys.executable, "-m", work_and_die.__name__, work, stage, str(count)]
    done = subprocess.run(program, cwd=TESTS, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL, done
    return done.stdout.split()


def check(home: Path, acknowledged: list[str], made: int) -> None:
    """So many versions are there, all whole and described, and what gc may remove is all that a kill has left."""
    with Workspace.open(home) as workspace:
        catalog, store = workspace.catalog, workspace.stores.active
        versions = catalog.versions.list()
        assert catalog.check() == []
        assert len(versions) == made and set(acknowledged) <= {version.uuid for version in versions}
        assert list(verify(workspace, versions)) == []
        assert list(unlisted(store, catalog)) == []
        let_it_be_old(home)
        assert gc(workspace).errors == []
        assert gc(workspace) == Garbage()
        places = set(store.places())
        assert store.id is not None and places == catalog.blobs.owned_paths(store.id, places)
        for version in catalog.versions.list():
            assert version.manifest and workspace.manifests.differences(version) == []


@pytest.mark.parametrize("stage", [*BEFORE, *AFTER])
@pytest.mark.parametrize("work", ["small", "large", "pictures"])
def test_a_save_that_is_killed(home: Path, work: str, stage: str) -> None:
    acknowledged = killed(work, stage, 2)
    assert len(acknowledged) == 1
    check(home, acknowledged, made=1 if stage in BEFORE else 2)


@pytest.mark.parametrize(("stage", "count"), [("planned", 2), ("claimed", 2), ("brought", 3), ("recorded", 1)])
def test_a_step_that_is_killed_has_no_output(home: Path, stage: str, count: int) -> None:
    assert killed("step", stage, count) == []
    check(home, [], made=0)


@pytest.mark.parametrize("stage", AFTER)
def test_a_step_that_is_killed_later_has_all_its_outputs(home: Path, stage: str) -> None:
    assert killed("step", stage, 1) == []
    check(home, [], made=3)
    with Workspace.open(home) as workspace:
        [run] = workspace.catalog.runs.list()
        [step] = workspace.catalog.steps.list(run.id)
        assert (step.status, len(workspace.catalog.steps.outputs(step.id))) == ("completed", 3)


@pytest.mark.parametrize("stage", [*BEFORE, *AFTER])
def test_registering_that_is_killed(home: Path, stage: str) -> None:
    assert killed("register", stage, 1) == []
    check(home, [], made=0 if stage in BEFORE else 1)


def test_a_late_sync_that_is_killed(home: Path) -> None:
    acknowledged = killed("sync", "synced", 1)
    assert len(acknowledged) == 3
    check(home, acknowledged, made=3)
