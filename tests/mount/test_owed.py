"""What a home owes to stores is brought there by its daemon."""

from __future__ import annotations

from pathlib import Path

import pytest

from artfs.artifacts.save import save
from artfs.catalog.versions import Version
from artfs.stores.base import Store
from artfs.transfers.pending import owe_copy
from artfs.workspace.workspace import Workspace
from support.mount import Mount
from support.mount_fixtures import StartMount
from support.transfers import is_whole_in, local_store


def owed(workspace: Workspace, root: Path, *, paused: bool = False) -> tuple[Version, Store]:
    version, store = save(workspace, b"x" * 10_000, "big"), local_store(workspace, root)
    assert store.id is not None
    with workspace.catalog.transaction():
        owe_copy(workspace.catalog, version, store.id)
        if paused:
            workspace.catalog.pending.pause()
    return version, store


def test_the_daemon_brings_what_another_process_owes(mounted: Mount, tmp_path: Path) -> None:
    with Workspace.open(mounted.home) as workspace:
        version, store = owed(workspace, tmp_path / "other")
        assert workspace.transfers.is_somewhere()
        while workspace.catalog.pending.list():
            assert mounted.is_alive
        assert is_whole_in(store, version, workspace)


def test_sync_waits_for_it(mounted: Mount, tmp_path: Path) -> None:
    (mounted.incoming / "file").write_text("content")
    with Workspace.open(mounted.home) as workspace:
        version, store = owed(workspace, tmp_path / "other")
        done = mounted.artfs("sync", mounted.path)
        assert (done.stdout, done.stderr) == ("", "")
        assert is_whole_in(store, version, workspace)
    assert (mounted.artifacts / "file/latest/file").read_text() == "content"


def test_one_of_two_daemons_works_and_then_the_other(start_mount: StartMount, tmp_path: Path) -> None:
    mounts = [first := start_mount(), start_mount(beside=first)]
    with Workspace.open(first.home) as workspace:
        while not workspace.transfers.is_somewhere():
            assert first.is_alive
        first.unmount()
        version, store = owed(workspace, tmp_path / "other")
        while workspace.catalog.pending.list():
            assert mounts[1].is_alive
        assert is_whole_in(store, version, workspace)


@pytest.mark.expected_warnings("1 transfer is still owed to 'other', 10,000 bytes")
def test_the_end_of_a_daemon_says_what_is_owed(start_mount: StartMount, tmp_path: Path) -> None:
    mount = start_mount()
    with Workspace.open(mount.home) as workspace:
        version, store = owed(workspace, tmp_path / "other", paused=True)
        mount.unmount()
        assert "1 transfer is still owed to 'other', 10,000 bytes" in mount.log()
        workspace.catalog.pending.resume()
        mount.mount()
        while workspace.catalog.pending.list():
            assert mount.is_alive
        assert is_whole_in(store, version, workspace)
