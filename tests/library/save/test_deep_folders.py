"""Folders deeper than a path can say, and deeper than Python can recurse, are saved, registered, read and removed."""

from __future__ import annotations

import os
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from artfs import load_artifact, register_artifact, save_artifact
from artfs.artifacts import scan as measuring
from artfs.artifacts.diff import diff
from artfs.artifacts.lookup import find_version
from artfs.artifacts.verify import verify
from artfs.client import Client
from artfs.content import files
from artfs.content.long_paths import reachable
from artfs.errors import InvalidName, PlaceChanged, UnsupportedFile
from artfs.io import fileio
from artfs.objects.version import ArtifactVersionResponse
from artfs.workspace.workspace import Workspace
from support.deep import LEVELS, NAME, dig, inside, picture


@pytest.fixture(autouse=True)
def clears_up(tmp_path: Path) -> Iterator[None]:
    """What pytest itself removes is not that deep."""
    yield
    for path in tmp_path.iterdir():
        if path.is_dir():
            files.remove_tree(bytes(path), despite_modes=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "folder"
    path.mkdir()
    dig(path)
    return path


def damages(workspace: Workspace, *versions: ArtifactVersionResponse) -> list[str]:
    rows = [workspace.catalog.versions.by_uuid(str(version.id)) for version in versions]
    return [damage.reason for damage in verify(workspace, [row for row in rows if row is not None])]


def test_a_folder_is_saved_and_comes_back(workspace: Workspace, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_bytes(b"outside")
    with inside(folder, LEVELS):
        os.symlink(tmp_path / "outside", "leads out")
    saved = save_artifact(folder, name="deep")
    loaded = load_artifact("deep")
    with inside(folder, LEVELS):
        os.unlink("leads out")
    found = picture(loaded)
    assert found.pop((LEVELS, b"leads out")) is None and found.pop((LEVELS + 1, b"file")) == b"outside"
    assert found == picture(folder)
    assert damages(workspace, saved) == []


def test_equal_folders_are_read_through_a_view(workspace: Workspace, folder: Path) -> None:
    first = save_artifact(folder, name="first")
    save_artifact(folder, name="second")
    for name in ("first", "second", "second"):
        assert picture(load_artifact(name)) == picture(folder)
    Client().delete_artifact_version("second")
    assert Client().collect_garbage().errors == []
    assert [view.name for view in workspace.home.cache.glob("views/*")] == [str(first.id)]


def test_a_folder_that_cannot_be_saved_leaves_nothing(workspace: Workspace, folder: Path) -> None:
    with inside(folder, LEVELS):
        os.mkfifo("pipe")
    with pytest.raises(UnsupportedFile, match="pipe is neither a file nor a folder") as failure:
        save_artifact(folder, name="deep")
    assert len(str(failure.value)) < 1000
    assert list(workspace.stores.active.places()) == []


def test_a_folder_is_registered_where_it_is(workspace: Workspace, folder: Path) -> None:
    registered = register_artifact(folder, name="deep")
    assert load_artifact("deep") == folder
    assert damages(workspace, registered) == []
    with inside(folder, LEVELS):
        Path("bottom").write_bytes(b"changed")
    assert len(damages(workspace, registered)) == 2
    with pytest.raises(PlaceChanged, match="was changed after it was registered"):
        load_artifact("deep")


def test_a_version_is_downloaded(folder: Path, tmp_path: Path) -> None:
    version = register_artifact(folder, name="deep")
    written = picture(folder)
    assert picture(version.download_files(tmp_path / "new")) == written
    with inside(tmp_path / "new", LEVELS):
        Path("bottom").write_bytes(b"other")
        Path("also there").touch()
    version.download_files(tmp_path / "new", overwrite=True)
    assert picture(tmp_path / "new") == {**written, (LEVELS, b"also there"): b""}
    with inside(folder, LEVELS):
        assert os.stat("bottom").st_mtime_ns == _mtime_ns(tmp_path / "new", "bottom")


def test_a_version_is_downloaded_as_zip_as_far_as_zip_goes(folder: Path, tmp_path: Path) -> None:
    with inside(folder, LEVELS):
        os.unlink(os.fsdecode(next(name for name in os.listdir(b".") if name.startswith(b"odd"))))
    out = register_artifact(folder, name="deep").download_files(tmp_path / "out.zip")
    with zipfile.ZipFile(out) as archive:
        assert archive.read(f"{NAME}/" * LEVELS + "bottom") == b"at the bottom"
    deeper = tmp_path / "deeper"
    deeper.mkdir()
    dig(deeper, 300, "n" * 250)
    version = register_artifact(deeper, name="deeper")
    with pytest.raises(InvalidName, match="more bytes than a name in a zip file may have: download into a directory"):
        version.download_files(tmp_path / "deeper.zip")
    assert not (tmp_path / "deeper.zip").exists()


def test_a_version_is_read_by_its_url_and_compared(workspace: Workspace, folder: Path) -> None:
    save_artifact(folder, name="deep")
    bottom = f"{folder.name}/" + f"{NAME}/" * LEVELS + "bottom"
    with fsspec.open(f"artfs://deep/1/{bottom}") as file:
        assert file.read() == b"at the bottom"
    with inside(folder, LEVELS):
        Path("bottom").write_bytes(b"changed")
    save_artifact(folder, name="deep")
    first, second = (find_version(workspace.catalog, "deep", version) for version in ("1", "2"))
    changed = {change.path.rpartition("/")[2] for change in diff(workspace, first, second)}
    assert changed == {"bottom", "also bottom"}


def test_a_deleted_version_and_an_unborn_one_leave_nothing(workspace: Workspace, folder: Path) -> None:
    save_artifact(folder, name="deep")
    Client().delete_artifact_version("deep")
    assert list(workspace.stores.active.places()) == []
    directory = f"half/{uuid.uuid4().hex}".encode()
    store = workspace.stores.active
    with store.claim(directory):
        dig(Path(store.place_path(directory)))
    os.utime(store.place_path(directory), (0, 0))
    found = Client().collect_garbage()
    assert found.errors == [] and len(found.directories) == 1
    assert found.directory_bytes == _bytes_of_files_with_one_name(folder)
    assert not os.path.exists(store.place_path(directory))


def test_folders_deeper_than_python_can_recurse(workspace: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "deepest"
    folder.mkdir()
    dig(folder, 1500, "d", every=750)
    written = picture(folder)
    version = save_artifact(folder, name="deepest")
    assert picture(load_artifact("deepest")) == written
    assert damages(workspace, version) == []
    assert len(picture(version.download_files(tmp_path / "out"))) == len(written) + 1
    Client().delete_artifact_version("deepest")
    assert list(workspace.stores.active.places()) == []


@pytest.mark.parametrize(("levels", "name"), [(LEVELS, NAME), (1500, "d")])
def test_files_are_walked_and_removed_without_a_version(tmp_path: Path, levels: int, name: str) -> None:
    top = tmp_path / "top"
    top.mkdir()
    dig(top, levels, name)
    for topdown in (True, False):
        found = list(fileio.walk(top, topdown))
        assert len(found) == levels + 1
        deepest = found[-1] if topdown else found[0]
        assert deepest[0] == os.path.join(top, *[name] * levels) and "bottom" in deepest[2]
    fileio.rmtree(top)
    assert not top.exists()


def test_paths_that_would_fill_the_memory_are_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = len(NAME) * LEVELS * LEVELS // 2
    monkeypatch.setattr(measuring, "_MOST_PATH_BYTES", whole // 2)
    with pytest.raises(UnsupportedFile, match=r"the paths of a version may have [0-9,]+ bytes together"):
        register_artifact(folder, name="deep")
    monkeypatch.setattr(measuring, "_MOST_PATH_BYTES", whole * 2)
    register_artifact(folder, name="deep")


def _bytes_of_files_with_one_name(folder: Path) -> int:
    found = {name: content or b"" for (_, name), content in picture(folder).items()}
    levels = sum(len(b"level %d" % level) for level in range(100, LEVELS + 1, 100))
    return levels + len(os.fsencode("bottom")) + sum(len(found[name]) for name in found if name.startswith(b"odd"))


def _mtime_ns(top: Path, name: str) -> int:
    with reachable(os.path.join(bytes(top), *[NAME.encode()] * LEVELS, name.encode())) as at:
        return os.stat(at).st_mtime_ns
