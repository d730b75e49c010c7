"""Artifact stores beside the default one, and a mount."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from artfs.artifacts.scan import scan
from artfs.errors import InvalidValue
from artfs.workspace.registration import register_store
from artfs.workspace.workspace import Workspace
from support.mount import Mount
from support.versions import seal


@pytest.fixture
def mount(start_mount: Callable[..., Mount]) -> Mount:
    return start_mount()


def test_a_version_in_another_store_is_in_the_mount_at_once(mount: Mount, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    with Workspace.open(mount.home) as workspace:
        store = register_store(workspace, "disk", "local", str(tmp_path / "disk"))
        seal(scan(tmp_path / "file"), workspace, "iris", store=store, adopt=False)
    assert (mount.path / "artifacts/iris/latest/file").read_text() == "content"


@pytest.mark.parametrize("below", ["incoming/store", "artifacts", "."])
def test_no_store_can_be_in_the_mount(mount: Mount, below: str) -> None:
    with Workspace.open(mount.home) as workspace, pytest.raises(InvalidValue, match="is in a mount of artfs"):
        register_store(workspace, "loop", "local", str(mount.path / below))
    assert list((mount.path / "incoming").iterdir()) == []


def test_a_mount_notices_that_a_store_was_moved(mount: Mount, tmp_path: Path) -> None:
    """Its folder was copied to another disk, so that what the daemon has open does not move along."""
    (mount.incoming / "first").write_text("first")
    mount.commit("first")
    shutil.copytree(mount.home / "store", tmp_path / "moved")
    shutil.rmtree(mount.home / "store")
    mount.artfs("artifact-store", "update", "default", "--path", tmp_path / "moved")
    (mount.incoming / "second").write_text("second")
    mount.commit("second")
    mount.wait_until(lambda: mount.run(["cat", mount.artifacts / "first/1/first"], check=False).stdout == "first")
    assert (mount.artifacts / "second/1/second").read_text() == "second"
    assert sorted(os.listdir(tmp_path / "moved")) == [".artfs", "first", "second"]
    assert not (mount.home / "store").exists()
    mount.artfs("verify", "--all")


def test_a_mount_takes_the_stack_that_was_chosen_since(mount: Mount, tmp_path: Path) -> None:
    (mount.incoming / "first").write_text("first")
    mount.commit("first")
    mount.artfs("artifact-store", "register", "disk", "--flavor", "local", "--path", tmp_path / "disk")
    mount.artfs("stack", "register", "other", "--artifact-store", "disk", "--set")
    (mount.incoming / "second").write_text("second")
    mount.commit("second")
    assert sorted(os.listdir(tmp_path / "disk")) == [".artfs", "second"]
    mount.artfs("stack", "set", "default")
    mount.artfs("stack", "delete", "other")
    (mount.incoming / "third").write_text("third")
    mount.commit("third")
    assert sorted(os.listdir(tmp_path / "disk")) == [".artfs", "second"]
