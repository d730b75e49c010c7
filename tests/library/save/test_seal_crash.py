"""Real kills while versions are made: what was acknowledged is whole, nothing else exists, orphans are found."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from artfs.artifacts.gc import Garbage, gc
from artfs.artifacts.orphans import orphans, remove_orphan_anywhere
from artfs.content.tree import EntryKind
from artfs.workspace.workspace import Workspace
from support import seal_and_die

PROGRAM = [sys.executable, "-m", seal_and_die.__name__]
TESTS = Path(seal_and_die.__file__ or "").parents[1]


def check_promises(home: Path, acknowledged: list[str]) -> int:
    """Every acknowledged version is there, every version that is there is whole, and orphans can be removed."""
    with Workspace.open(home) as workspace:
        catalog, store = workspace.catalog, workspace.stores.active
        assert catalog.check() == []
        versions = {version.uuid: version for version in catalog.versions.list()}
        assert set(acknowledged) <= versions.keys()
        for version in versions.values():
            assert version.tree_id is not None and version.files == 4
            for path, entry in catalog.trees.walk(version.tree_id):
                if entry.kind == EntryKind.FILE and entry.digest is not None:
                    with workspace.blobs.open(entry.digest) as reader:
                        assert len(reader.read(0, reader.size)) == entry.size, path
        dead_ones = list(orphans(store, catalog))
        for dead, _ in dead_ones:
            assert remove_orphan_anywhere(workspace, dead)
        assert gc(workspace) == Garbage()
        for version in versions.values():
            assert workspace.manifests.differences(version) == []
        left = {place.split(b"/")[1].decode() for place in store.places()}
        assert left <= {uuid.UUID(version).hex for version in versions}
        return len(dead_ones)


def killed(home: Path, sources: Path, *stage: str) -> list[str]:
    """The versions that the program acknowledged before it killed itself."""
    done = subprocess.run(
        [*PROGRAM, home, sources, *stage], cwd=TESTS, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL, done
    return done.stdout.split()


@pytest.mark.parametrize(
    ("stage", "count", "acknowledged", "orphans"),
    [
        ("planned", "1", 0, 0),
        ("claimed", "1", 0, 1),
        ("placed", "1", 0, 1),
        ("placed", "6", 1, 1),
        ("brought", "1", 0, 1),
        ("brought", "2", 1, 1),
        ("recorded", "3", 2, 1),
        ("committed", "3", 2, 0),
        ("described", "3", 2, 0),
    ],
)
def test_a_kill_at_any_step_leaves_whole_versions(
    home: Path, tmp_path: Path, stage: str, count: str, acknowledged: int, orphans: int
) -> None:
    said = killed(home, tmp_path / "sources", stage, count)
    assert len(said) == acknowledged
    assert check_promises(home, said) == orphans
    said += killed(home, tmp_path / "sources", "recorded", "2")
    check_promises(home, said)


def test_kills_at_random_moments_leave_whole_versions(home: Path, tmp_path: Path) -> None:
    chance, said = random.Random(7), list[str]()
    for _ in range(8):
        with program(home, tmp_path) as told:
            before = len(said)
            while len(said := said[:before] + told()) == before:
                time.sleep(0.001)
            time.sleep(chance.uniform(0, 0.05))
        said = said[:before] + told()
    check_promises(home, said)


def test_versions_made_while_orphans_are_removed_are_whole(home: Path, tmp_path: Path) -> None:
    with program(home, tmp_path) as told, Workspace.open(home) as workspace:
        while len(told()) < 40:
            for unborn, _ in list(orphans(workspace.stores.active, workspace.catalog)):
                remove_orphan_anywhere(workspace, unborn)
    check_promises(home, told())


@contextmanager
def program(home: Path, directory: Path) -> Iterator[Callable[[], list[str]]]:
    """Runs the program until the end of the block, where it is killed; yields what tells the versions it made."""
    output = directory / f"{uuid.uuid4()}.out"

    def told() -> list[str]:
        assert running.returncode in (None, -signal.SIGKILL), "the program failed"
        running.poll()
        return [line.strip() for line in output.read_text().splitlines(keepends=True) if line.endswith("\n")]

    with output.open("w") as file:
        running = subprocess.Popen([*PROGRAM, home, directory / "sources"], cwd=TESTS, stdout=file)
    try:
        yield told
    finally:
        running.kill()
        running.wait()
