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


@pytest.mark.expected_warnings("setxattr: the directory .* is its disk mounted")
def test_drafts_wait_for_a_store_that_is_away(start_mount: Callable[..., Mount]) -> None:
    mount = start_mount(settings={"quiet_file_seconds": 0.2})
    (mount.incoming / "first").write_text("first")
    mount.sync()
    root, away = mount.home / "store", mount.home / "away"
    root.rename(away)
    names = [f"model {number}" for number in range(8)]
    for name in names:
        (mount.incoming / name).write_bytes(os.urandom(100_000))
    refused = mount.artfs("sync", mount.path, check=False)
    assert refused.returncode == 1
    assert all(name in refused.stderr for name in names)
    assert refused.stderr.count("is its disk mounted?") == len(names)
    assert mount.artfs("sync", mount.path, check=False).stderr == refused.stderr
    assert mount.artfs("commit", mount.incoming / names[0], check=False).returncode == 1
    assert sorted(os.listdir(mount.artifacts)) == ["first"]
    assert (mount.incoming / names[0]).stat().st_size == 100_000
    away.rename(root)
    mount.sync()
    assert sorted(os.listdir(mount.artifacts)) == ["first", *names]
    mount.artfs("verify", "--all")


def test_what_waited_for_a_store_is_a_version_when_it_is_there_again(start_mount: Callable[..., Mount]) -> None:
    mount = start_mount(settings={"quiet_file_seconds": 0.2})
    (mount.incoming / "first").write_text("first")
    mount.sync()
    root, away = mount.home / "store", mount.home / "away"
    root.rename(away)
    (mount.incoming / "second").write_text("second")

    def state() -> str:
        return {draft["name"]: draft["state"] for draft in mount.status()["drafts"]}["second"]

    mount.wait_until(lambda: state() == "held")
    away.rename(root)
    mount.wait_until(lambda: state() == "sealed")
    assert (mount.artifacts / "second/1/second").read_text() == "second"
