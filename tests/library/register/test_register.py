"""Existing data becomes a version where it is, and is never touched."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import fsspec
import pytest

from artfs import load_artifact, register_artifact, save_artifact
from artfs.artifacts.delete import delete_version
from artfs.artifacts.verify import verify
from artfs.catalog.versions import Version
from artfs.client import Client
from artfs.content.digest import hash_bytes
from artfs.enums import ArtifactSaveType
from artfs.errors import (
    InvalidName,
    InvalidValue,
    PlaceChanged,
    SourceNotFound,
    StoreError,
    UnsupportedFile,
    VersionExists,
)
from artfs.objects.version import ArtifactVersionResponse
from artfs.stages import stages
from artfs.workspace.current import current_workspace
from support.stores import stored_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files, one of them in a sub-folder, a link and an empty folder."""
    folder = tmp_path / "data set"
    (folder / "sub").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "a.txt").write_text("a")
    (folder / "sub" / "b.bin").write_bytes(bytes(1000))
    (folder / "link").symlink_to("a.txt")
    return folder


def test_a_folder_is_listed_with_sizes_and_digests_and_not_copied(folder: Path, home: Path) -> None:
    version = register_artifact(folder, name="data", tags=["raw"], metadata={"source": "sensor"})
    assert (version.size, version.files, version.tags) == (1001, 3, ["raw"])
    assert version.save_type is ArtifactSaveType.PREEXISTING
    assert version.metadata["source"] == "sensor"
    assert version.metadata["storage_size"] == 1001
    assert version.uri == str(folder)
    assert stored_files(home / "store") == []


def test_a_small_folder_needs_no_thread_and_no_folder_in_the_store(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise AssertionError(f"{thread.name} was started")

    def look(stage: str) -> None:
        if stage in ("claimed", "recorded"):
            assert not (home / "store" / "data").exists()

    save_artifact("anything", "first")  # which makes what a new home has not yet
    with monkeypatch.context() as alone, stages.heard(look):
        alone.setattr(threading.Thread, "start", refuse)
        version = register_artifact(folder, name="data")
    assert version.files == 3
    assert list(verify(current_workspace(), [row(version)])) == []


def test_a_folder_is_loaded_as_its_path(folder: Path) -> None:
    register_artifact(str(folder), name="data")
    assert load_artifact("data") == folder


def test_a_folder_with_a_single_file_is_still_a_folder(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "model.pkl").write_bytes(b"x")
    register_artifact(tmp_path / "one", name="folder")
    register_artifact(tmp_path / "one" / "model.pkl", name="file")
    assert load_artifact("folder").is_dir()
    assert load_artifact("file").read_bytes() == b"x"
    assert load_artifact("file").name == "model.pkl"


def test_a_folder_with_equal_files_is_loaded_as_its_path(folder: Path) -> None:
    (folder / "equal").write_bytes(b"twice")
    (folder / "a equal").write_bytes(b"twice")
    version = register_artifact(folder, name="images")
    assert load_artifact("images") == folder
    assert version.uri == str(folder)


def test_a_folder_whose_files_are_in_the_store_too_is_loaded_as_its_path(folder: Path) -> None:
    save_artifact(folder, name="copy")
    version = register_artifact(folder, name="images")
    assert load_artifact("images") == folder
    assert version.uri == str(folder)
    copied = load_artifact("copy")
    assert not copied.is_relative_to(folder)
    for file in [path for path in folder.rglob("*") if path.is_file()]:
        file.write_bytes(b"other bytes")
    loaded = load_artifact("images")
    for path in (path for path in copied.rglob("*") if path.is_file()):
        assert (loaded / path.relative_to(copied)).read_bytes() == path.read_bytes() != b"other bytes"


def test_a_file_uri_is_a_path(folder: Path) -> None:
    register_artifact(folder.as_uri(), name="data")
    assert load_artifact("data") == folder


def test_a_link_to_the_data_is_followed_once(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(folder)
    version = register_artifact(tmp_path / "current", name="data")
    assert version.uri == str(folder)


def test_equal_data_registered_twice_is_the_same_tree(folder: Path) -> None:
    first, second = register_artifact(folder, name="data"), register_artifact(folder, name="data")
    assert first.digest == second.digest
    assert (first.version, second.version) == ("1", "2")


def test_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match="nothing is there"):
        register_artifact(tmp_path / "gone", name="data")
    assert Client().list_artifacts().total == 0


@pytest.mark.parametrize("source", ["", None, 5])
def test_no_path_is_not_taken_for_the_working_directory(source: Any) -> None:
    with pytest.raises(InvalidValue, match="give the path or file:// URI of a file or folder"):
        register_artifact(source, name="n")


def test_what_cannot_be_registered_is_told(folder: Path) -> None:
    with pytest.raises(StoreError, match="s3://"):
        register_artifact("s3://bucket/key", name="data")
    with pytest.raises(InvalidName):
        register_artifact(folder, name="a/b")
    register_artifact(folder, name="data", version="raw")
    with pytest.raises(VersionExists):
        register_artifact(folder, name="data", version="raw")
    os.mkfifo(folder / "fifo")
    with pytest.raises(UnsupportedFile, match="fifo"):
        register_artifact(folder, name="data")


def test_a_change_is_an_error_that_names_the_file_and_never_other_bytes(folder: Path, tmp_path: Path) -> None:
    version = register_artifact(folder, name="data")
    status = (folder / "a.txt").stat()
    (folder / "a.txt").write_text("b")
    os.utime(folder / "a.txt", ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(PlaceChanged, match=r"a\.txt"):
        version.load()
    with pytest.raises(PlaceChanged, match=r"a\.txt"):
        version.download_files(tmp_path / "out.zip")
    assert not (tmp_path / "out.zip").exists()


def test_of_data_that_grew_the_bytes_of_the_version_are_read_and_no_path_is_given(folder: Path, tmp_path: Path) -> None:
    """What is read is compared with the digests; whoever opened the path would read on."""
    content = (folder / "a.txt").read_bytes()
    version = register_artifact(folder, name="data")
    with open(folder / "a.txt", "ab") as file:
        file.write(b"more")
    with fsspec.open("artfs://data/1/a.txt") as reading:
        assert reading.read() == content
    version.download_files(tmp_path / "out.zip")
    with ZipFile(tmp_path / "out.zip") as archive:
        assert archive.read("a.txt") == content
    with pytest.raises(PlaceChanged, match=r"a\.txt.* bytes instead of"):
        version.load()
    [damage] = verify(Client().workspace, [version.row])
    assert damage.path == b"a.txt" and "bytes instead of" in damage.reason


def test_a_new_file_beside_the_data_is_not_in_the_version(folder: Path) -> None:
    version = register_artifact(folder, name="data")
    (folder / "later.txt").write_text("later")
    loaded = version.load()
    assert sorted(os.listdir(loaded)) == ["a.txt", "empty", "link", "sub"]
    assert (loaded / "sub" / "b.bin").read_bytes() == bytes(1000)
    assert os.readlink(loaded / "link") == "a.txt"


def test_many_files_are_registered_with_the_digests_they_have_one_by_one(tmp_path: Path) -> None:
    many = tmp_path / "many"
    for number in range(200):
        (many / str(number % 7)).mkdir(parents=True, exist_ok=True)
        (many / str(number % 7) / f"{number}.bin").write_bytes(os.urandom(number))
    from artfs.artifacts.scan import scan_in_place

    assert register_artifact(many, name="many").row.digest == scan_in_place(many).tree.digest


def test_removing_the_version_leaves_the_data(folder: Path) -> None:
    version = register_artifact(folder, name="data")
    delete_version(Client().workspace, version.row)
    assert (folder / "sub" / "b.bin").read_bytes() == bytes(1000)
    assert (folder / "a.txt").read_text() == "a"


def test_data_below_the_store_is_registered_in_place_too(home: Path) -> None:
    prefix = Path(Client().active_stack.artifact_store.path)
    (prefix / "my_folder").mkdir()
    (prefix / "my_folder" / "x").write_text("x")
    register_artifact(prefix / "my_folder", name="data")
    assert load_artifact("data") == prefix / "my_folder"


class TestEqualFiles:
    """Each file's own path is a place of its content; what becomes of one place is no damage of another version."""

    @pytest.mark.expected_warnings("content is no longer what was registered; .*; another place has the bytes")
    def test_a_file_is_read_when_its_equal_neighbour_changes(self, tmp_path: Path) -> None:
        (tmp_path / "d").mkdir()
        for name in ("a", "b"):
            (tmp_path / "d" / name).write_text("one")
        version = register_artifact(tmp_path / "d", name="d")
        for changed, kept in (("b", "a"), ("a", "b")):
            (tmp_path / "d" / changed).write_text("changed")
            with current_workspace().blobs.open(hash_bytes(b"one")) as reader:
                assert bytes(reader.read(0, 3)) == b"one"
            (tmp_path / "d" / changed).write_text("one")
            assert (tmp_path / "d" / kept).read_text() == "one"
        assert list(verify(current_workspace(), [row(version)])) == []
        (tmp_path / "d" / "a").write_text("changed")
        [damage] = verify(current_workspace(), [row(version)])
        assert damage.path == b"a"

    def test_what_is_saved_is_whole_whatever_becomes_of_an_equal_file(self, tmp_path: Path) -> None:
        (tmp_path / "x").write_bytes(b"content" * 1000)
        saved = save_artifact(tmp_path / "x", name="saved")
        (tmp_path / "r").mkdir()
        (tmp_path / "r" / "x").write_bytes(b"content" * 1000)
        registered = register_artifact(tmp_path / "r", name="registered")
        (tmp_path / "r" / "x").unlink()
        assert list(verify(current_workspace(), [row(saved)])) == []
        [damage] = verify(current_workspace(), [row(registered)])
        assert damage.path == b"x"
        Client().delete_artifact("registered")
        assert list(verify(current_workspace(), current_workspace().catalog.versions.list())) == []

    def test_equal_folders_are_each_loaded_as_its_own_path(self, tmp_path: Path) -> None:
        for name in ("r3", "r4"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "b").write_text("same")
            register_artifact(tmp_path / name, name=name)
        assert [load_artifact(name) for name in ("r3", "r4")] == [tmp_path / "r3", tmp_path / "r4"]


def row(version: ArtifactVersionResponse) -> Version:
    found = current_workspace().catalog.versions.by_uuid(str(version.id))
    assert found is not None
    return found
