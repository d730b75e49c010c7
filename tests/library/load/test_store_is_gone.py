"""A store that cannot be used is told as that: nothing is known to be wrong with what lies in it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from artfs import load_artifact, save_artifact
from artfs.artifacts.download import download
from artfs.artifacts.lookup import find_version
from artfs.artifacts.verify import verify
from artfs.cli import cli
from artfs.errors import DigestMismatch, StoreError
from artfs.workspace.current import current_workspace
from support.stores import stored_files

WORDS = r"is its disk mounted\?"


@pytest.fixture
def gone(home: Path) -> Callable[[], None]:
    """Two versions, and a function that takes the directory of their store away."""
    save_artifact(os.urandom(300_000), "c")
    save_artifact({"a": os.urandom(5 * 2**20), "b": 1}, "c")
    load_artifact("c")

    def unmount() -> None:
        (home / "store").rename(home / "unmounted")
        current_workspace().stores.close()  # while it is open no disk is unmounted

    return unmount


def test_loading_says_so(gone: Callable[[], None]) -> None:
    gone()
    for version in ("1", "2"):
        with pytest.raises(StoreError, match=WORDS) as raised:
            load_artifact("c", version)
        assert "damaged" not in str(raised.value)


def test_verify_says_so_once_a_version(gone: Callable[[], None], home: Path) -> None:
    workspace = current_workspace()
    gone()
    damages = list(verify(workspace, workspace.catalog.versions.list()))
    assert [(damage.version, damage.path, damage.unreachable) for damage in damages] == [
        ("c/1", b"", True),
        ("c/2", b"", True),
    ]
    result = CliRunner().invoke(cli, ["verify", "--all"])
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert len(lines) == 2 and all("cannot be verified: " in line and "disk mounted?" in line for line in lines)
    assert "damaged" not in result.stderr


def test_downloads_say_so(gone: Callable[[], None], tmp_path: Path) -> None:
    workspace = current_workspace()
    gone()
    with pytest.raises(StoreError, match=WORDS):
        download(workspace, find_version(workspace.catalog, "c"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("is_open", [True, False])
def test_a_file_in_the_place_of_the_store_is_no_store(is_open: bool, home: Path) -> None:
    save_artifact(os.urandom(300_000), "c")
    load_artifact("c")
    (home / "store").rename(home / "unmounted")
    (home / "store").touch()
    if not is_open:
        current_workspace().stores.close()
    with pytest.raises(StoreError, match=WORDS):
        load_artifact("c")
    with pytest.raises(StoreError, match=WORDS):
        save_artifact(b"more", "c")


def test_a_file_that_is_gone_from_a_store_that_is_there_is_damage(home: Path) -> None:
    save_artifact(os.urandom(300_000), "c")
    for path in stored_files(home / "store"):
        path.unlink()
    with pytest.raises(DigestMismatch, match="is damaged"):
        load_artifact("c")
