"""Artifact stores beside the default one, and a mount."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from artfs.artifacts.measure import measure
from artfs.errors import InvalidValue
from artfs.stores.registration import register_store
from artfs.workspace import Workspace
from support.mount import Mount
from support.versions import seal


@pytest.fixture
def mount(start_mount: Callable[..., Mount]) -> Mount:
    return start_mount()


def test_a_version_in_another_store_is_in_the_mount_at_once(mount: Mount, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    with Workspace.open(mount.home) as workspace:
        store = register_store(workspace, "disk", "local", str(tmp_path / "disk"))
        seal(measure(tmp_path / "file"), workspace, "iris", store=store, adopt=False)
    assert (mount.path / "artifacts/iris/latest/file").read_text() == "content"


@pytest.mark.parametrize("below", ["incoming/store", "artifacts", "."])
def test_no_store_can_be_in_the_mount(mount: Mount, below: str) -> None:
    with Workspace.open(mount.home) as workspace, pytest.raises(InvalidValue, match="is in a mount of artfs"):
        register_store(workspace, "loop", "local", str(mount.path / below))
    assert list((mount.path / "incoming").iterdir()) == []
