"""What a home owes to stores, as `artfs status` tells and `artfs sync` waits for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from artfs.catalog.versions import Version
from artfs.stores.base import Store
from artfs.transfers.pending import owe_copy
from artfs.workspace.workspace import Workspace
from support.transfers import is_whole_in, local_store

from .conftest import Run, Seal


@pytest.fixture
def other(workspace: Workspace, tmp_path: Path) -> Store:
    return local_store(workspace, tmp_path / "other")


@pytest.fixture
def version(workspace: Workspace, seal_files: Seal, other: Store) -> Version:
    """A version that is owed to another store."""
    made = seal_files("iris", {"a.txt": b"content"})
    assert other.id is not None
    owe_copy(workspace.catalog, made, other.id)
    return made


def test_the_status_tells_what_is_owed(run: Run, version: Version, on_terminal: Callable[..., str]) -> None:
    [owed] = json.loads(run("status", "--json").output)["home"]["owed"]
    assert (owed["what"], owed["kind"], owed["store"], owed["bytes"], owed["left"]) == ("iris/1", "copy", "other", 7, 7)
    assert (owed["working"], owed["paused"], owed["error"], owed["next_try"]) == (False, False, None, None)
    assert "iris/1\tother\t7\t\tno\t0\t\t\n" in run("status").output
    assert "OWED" in on_terminal("status")


def test_nothing_owed_is_not_shown(run: Run, seal_files: Seal) -> None:
    seal_files("iris", {"a.txt": b"content"})
    assert json.loads(run("status", "--json").output)["home"]["owed"] == []
    assert len(run("status").output.splitlines()[0:5]) == 5


def test_sync_brings_it(run: Run, version: Version, other: Store, workspace: Workspace) -> None:
    done = run("sync")
    assert (done.exit_code, done.output) == (0, "")
    assert is_whole_in(other, version, workspace)
    assert json.loads(run("sync", "--json").output) == {"owed": []}


def test_sync_tells_what_is_left(run: Run, version: Version, other: Store, tmp_path: Path) -> None:
    (tmp_path / "other").rename(tmp_path / "away")
    done = run("sync", "--timeout", "0.5")
    assert done.exit_code == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("artfs: 1 transfer is still owed to 'other', 7 bytes; the last error: ")
    assert "is its disk mounted" in line
    [owed] = json.loads(run("status", "--json").output)["home"]["owed"]
    assert owed["attempts"] >= 1
    assert owed["since"] <= owed["next_try"]
    (tmp_path / "away").rename(tmp_path / "other")
    assert run("sync").exit_code == 0


def test_sync_does_not_wait_for_what_is_paused(run: Run, version: Version, workspace: Workspace) -> None:
    workspace.catalog.pending.pause()
    done = run("sync")
    assert done.exit_code == 1
    assert done.stderr.startswith("artfs: 1 transfer is still owed to 'other', 7 bytes; ")
    assert "\tyes\t0\t" in run("status").output


def test_sync_makes_small_files_durable(run: Run, workspace: Workspace) -> None:
    from artfs.artifacts.save import save

    save(workspace, {"a": 1}, "small")
    assert workspace.catalog.unsynced.count() == 1
    assert run("sync").exit_code == 0
    assert workspace.catalog.unsynced.count() == 0


def test_there_is_nothing_to_sync_where_there_is_no_home(run: Run, home: Path) -> None:
    done = run("sync")
    assert done.exit_code == 1
    assert "no artfs home" in done.stderr
    assert not home.exists()
