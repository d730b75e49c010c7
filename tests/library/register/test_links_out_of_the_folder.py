"""Data in place whose folder has links that lead out of it: their files are part of the version."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from artfs import load_artifact, register_artifact
from artfs.artifacts.verify import verify
from artfs.client import Client
from artfs.errors import PlaceChanged
from artfs.workspace.current import current_workspace

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """What huggingface_hub makes: a folder of links to blobs, some of them in folders of their own."""
    hub = tmp_path / "hub" / "models--x"
    (hub / "blobs").mkdir(parents=True)
    (hub / "snapshots" / "abc" / "onnx").mkdir(parents=True)
    (hub / "blobs" / "c0ffee").write_text('{"a": 1}')
    (hub / "blobs" / "beef").write_bytes(os.urandom(5 * 2**20))
    folder = hub / "snapshots" / "abc"
    (folder / "config.json").symlink_to("../../blobs/c0ffee")
    (folder / "onnx" / "model.onnx").symlink_to("../../../blobs/beef")
    (folder / "again.json").symlink_to("config.json")
    return folder


def _files(name: str) -> dict[str, bytes]:
    version = Client().get_artifact_version(name)
    folder = load_artifact(name)
    assert list(verify(current_workspace(), [version.row])) == []
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_snapshot_of_links_is_its_files(snapshot: Path) -> None:
    version = register_artifact(str(snapshot), "model")
    config, model = (snapshot / "config.json").read_bytes(), (snapshot / "onnx" / "model.onnx").read_bytes()
    assert _files("model") == {"config.json": config, "again.json": config, "onnx/model.onnx": model}
    assert version.row.self_contained
    assert os.readlink(load_artifact("model") / "again.json") == "config.json"


def test_a_single_file_keeps_the_name_it_was_registered_by(snapshot: Path) -> None:
    register_artifact(str(snapshot / "config.json"), "one_file")
    loaded = load_artifact("one_file")
    assert (loaded.name, loaded.read_text()) == ("config.json", '{"a": 1}')


@pytest.mark.parametrize("depth", [1, 3])
def test_links_to_links_and_absolute_ones_are_followed_to_their_end(tmp_path: Path, depth: int) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    at = tmp_path / "end"
    at.write_text("bytes")
    for number in range(depth):
        (tmp_path / f"step{number}").symlink_to(at)
        at = tmp_path / f"step{number}"
    (folder / "absolute").symlink_to(at)
    (folder / "relative").symlink_to(f"../{at.name}")
    register_artifact(folder, "set")
    assert _files("set") == {"absolute": b"bytes", "relative": b"bytes"}


def test_an_absolute_link_to_a_file_of_the_folder_itself_is_that_file(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "a").write_text("bytes")
    (folder / "b").symlink_to(folder / "a")
    version = register_artifact(folder, "set")
    assert (version.row.files, version.row.self_contained) == (2, True)


@pytest.mark.parametrize("target", ["../nowhere", "../folder", "/proc/self/status", "../loop"])
def test_what_is_no_file_outside_stays_a_link(tmp_path: Path, target: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "link").symlink_to(target)
    version = register_artifact(folder, "set")
    assert (version.row.files, version.row.self_contained) == (1, False)
    assert os.readlink(load_artifact("set") / "link") == target


def test_a_file_outside_that_was_changed_is_told(snapshot: Path) -> None:
    register_artifact(snapshot, "model")
    (snapshot / "config.json").resolve().write_text('{"a": 2}')
    with pytest.raises(PlaceChanged, match=r"config\.json"):
        load_artifact("model")


def test_a_folder_with_links_from_a_closed_one_is_closed(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "secret").write_text("x")
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "secret").symlink_to("../closed/secret")
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    assert register_artifact(folder, "set").row.mode & 0o077 == 0
