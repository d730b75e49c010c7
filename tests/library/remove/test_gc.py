"""Garbage: what killed processes leave is found, and nothing else."""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from artfs import load_artifact, register_artifact, save_artifact
from artfs.artifacts.delete import delete_version
from artfs.artifacts.gc import MIN_AGE_SECONDS, Garbage, gc
from artfs.artifacts.load import load
from artfs.artifacts.save import save
from artfs.artifacts.tombstones import make_tombstones
from artfs.client import Client
from artfs.errors import StoreError
from artfs.stores.base import PathType
from artfs.stores.local.store import LocalStore
from artfs.stores.mark import read_mark
from artfs.workspace.registration import register_store
from artfs.workspace.stacks import activate_stack, register_stack
from artfs.workspace.workspace import Workspace
from support.stages import fails_at

OLD = time.time() - MIN_AGE_SECONDS - 10


def leave_half_a_version(workspace: Workspace, artifact: str = "half", when: float = OLD) -> Path:
    """What a process leaves that was killed while it saved 700 bytes."""
    directory = f"{artifact}/{uuid.uuid4().hex}".encode()
    store = workspace.stores.active
    path = Path(store.place_path(directory))
    with store.claim(directory):
        (path / "deep").mkdir()
        (path / "deep" / "file").write_bytes(bytes(700))
    os.utime(path, (when, when))
    return path


def collect(dry_run: bool = False) -> Garbage:
    found = Client().collect_garbage(dry_run=dry_run)
    assert found.errors == []
    return found


def stored(workspace: Workspace) -> set[bytes]:
    return set(workspace.stores.active.places())


def test_nothing_is_found_where_nothing_is_wrong(workspace: Workspace, tmp_path: Path) -> None:
    save_artifact({"a": np.arange(10), "b": "text"}, name="a")
    (tmp_path / "file").write_bytes(b"data")
    register_artifact(tmp_path / "file", name="data")
    before = stored(workspace)
    assert collect() == Garbage()
    assert stored(workspace) == before
    assert load_artifact("a")["b"] == "text"


def test_a_version_that_never_came_to_be_is_removed(workspace: Workspace) -> None:
    path = leave_half_a_version(workspace)
    only_looked = collect(dry_run=True)
    assert path.exists()
    assert collect() == only_looked
    assert (only_looked.directories, only_looked.directory_bytes) == ([str(path)], 700)
    assert not path.parent.exists()
    assert collect() == Garbage()


def test_what_is_being_made_is_left_alone(workspace: Workspace) -> None:
    path = leave_half_a_version(workspace)
    with workspace.stores.active.claim(os.fsencode(path.relative_to(workspace.home.store_root))):
        assert collect(dry_run=True) == collect() == Garbage()
    assert path.exists()


def test_a_folder_that_a_user_keeps_in_the_store_is_his(workspace: Workspace) -> None:
    """The documents put data there, in folders called like `uuid4().hex`."""
    folder = Path(Client().active_stack.artifact_store.path) / "checkpoints" / uuid.uuid4().hex
    folder.mkdir(parents=True)
    (folder / "epoch=1.ckpt").write_bytes(b"weights")
    assert collect() == Garbage()
    version = register_artifact(folder, name="checkpoints")
    collect()
    Client().delete_artifact_version(version.id)
    collect()
    assert (folder / "epoch=1.ckpt").read_bytes() == b"weights"


def test_what_somebody_registered_of_a_half_version_is_his(workspace: Workspace) -> None:
    path = leave_half_a_version(workspace)
    register_artifact(path / "deep", name="found it")
    assert collect() == Garbage()
    assert len((load_artifact("found it") / "file").read_bytes()) == 700


def test_bytes_of_tombstones_are_removed_that_were_not_yet(workspace: Workspace) -> None:
    """A process was killed after the rows were changed, and before any byte was removed."""
    save_artifact(bytes(5000), name="a")
    version = Client().get_artifact_version("a").row
    save_artifact(b"other", name="a")
    make_tombstones(workspace, [version], "test")
    only_looked = collect(dry_run=True)
    assert (only_looked.files, only_looked.bytes) == (1, 5000)
    assert len(stored(workspace)) == 2
    assert collect() == only_looked
    assert len(stored(workspace)) == 1
    assert workspace.catalog.blobs.total_bytes() == 5
    assert collect() == Garbage()


def test_places_that_were_given_up_are_removed(workspace: Workspace) -> None:
    """A process was killed between giving bytes up and removing them, or after that and before forgetting them."""
    for content in (b"still there", b"removed already"):
        save_artifact(content, name="a")
    catalog = workspace.catalog
    loose = make_tombstones(workspace, catalog.versions.list(), "test")
    dropped = catalog.blobs.drop_places(loose.blobs)
    workspace.stores.active.delete(dropped[1].path)
    assert collect(dry_run=True).files == collect().files == 2
    assert stored(workspace) == set()
    assert catalog.blobs.gone_places() == []
    assert catalog.blobs.total_bytes() == 0


def test_visualizations_of_tombstones_are_removed(workspace: Workspace) -> None:
    version = save_artifact(np.random.default_rng(1).normal(size=(8, 8, 3)), name="picture")
    assert any(b"/.artfs/visualizations/" in place for place in stored(workspace))
    make_tombstones(workspace, [version.row], "test")
    collect()
    assert stored(workspace) == set()


def test_views_and_pages_of_tombstones_are_removed(workspace: Workspace) -> None:
    save_artifact([np.arange(3), "shared"], name="a")
    version = save_artifact([np.arange(4), "shared"], name="b")
    version.load()
    version.visualize(open_browser=False)
    views, pages = workspace.home.cache / "views", workspace.home.cache / "pages"
    assert (os.listdir(views), os.listdir(pages)) == ([str(version.id)], [f"{version.id}.html"])
    collect()
    assert os.listdir(views) == [str(version.id)]
    make_tombstones(workspace, [version.row], "test")
    assert collect(dry_run=True).views == 2
    assert collect().views == 2
    assert (os.listdir(views), os.listdir(pages)) == ([], [])


def test_half_a_view_is_removed(workspace: Workspace) -> None:
    cache = LocalStore(str(workspace.home.cache))
    half = f"views/{uuid.uuid4().hex}".encode()
    with cache.claim(half):
        Path(cache.place_path(half), "file").write_bytes(b"link to a content")
        os.utime(cache.place_path(half), (OLD, OLD))
        assert collect() == Garbage()
    assert collect().directory_bytes == 17
    assert not (workspace.home.cache / "views").exists()
    cache.close()


def test_what_is_left_of_a_save_into_a_store_that_is_elsewhere(workspace: Workspace) -> None:
    staging = workspace.home.cache / "model" / uuid.uuid4().hex
    staging.mkdir(parents=True)
    os.setxattr(staging, "user.artfs.claimed", b"1")
    (staging / "file").write_bytes(bytes(10))
    os.utime(staging, (OLD, OLD))
    assert collect().directory_bytes == 10
    assert not staging.exists()


def test_what_cannot_be_removed_is_told_and_the_rest_is_removed(workspace: Workspace) -> None:
    paths = [leave_half_a_version(workspace) for _ in range(2)]
    with fails_at("orphaned", PermissionError(13, "Permission denied")):
        found = Client().collect_garbage()
    [stays] = [path for path in paths if path.exists()]
    assert found.errors == [f"'{stays}' could not be removed: Permission denied"]
    assert found.directories == [str(path) for path in paths if path != stays]


def test_what_another_home_keeps_in_the_same_folder_is_left_alone(workspace: Workspace, tmp_path: Path) -> None:
    path = leave_half_a_version(workspace)
    with Workspace.open(tmp_path / "other home") as other:
        other.catalog.stores.register("shared", "local", str(workspace.home.store_root))
        found = gc(other)
    [error] = found.errors
    assert error.startswith(f"another artifact store is at '{workspace.home.store_root}' ('default' of the home ")
    assert path.exists()


@pytest.mark.expected_warnings("could not be (removed|replaced|synced) yet: .* belongs to another home")
def test_a_copy_of_a_home_takes_nothing_away_from_it_and_puts_nothing_into_it(
    workspace: Workspace, tmp_path: Path
) -> None:
    """A backup that somebody looks at while the home is in use: its catalog names the same store on another disk."""
    register_store(workspace, "disk", "local", str(tmp_path / "disk"))
    register_stack(workspace, "disk", "disk")
    activate_stack(workspace, "disk")
    old = save_artifact("old", name="a")
    subprocess.run(["cp", "-a", workspace.home.path, tmp_path / "copy"], check=True)
    save_artifact("newer", name="a")
    with Workspace.open(tmp_path / "copy") as copy:
        assert len(gc(copy).errors) == 1
        [version] = copy.catalog.versions.list()
        assert load(copy, version) == "old"
        delete_version(copy, version)
        with pytest.raises(StoreError, match=r"belongs to another home, of which .* may be a copy"):
            save(copy, "from the copy", "a")
    assert (load_artifact("a", "1"), load_artifact("a", "2")) == ("old", "newer")
    assert old.refresh().version == "1"
    assert collect() == Garbage()


def test_a_home_that_was_moved_keeps_its_stores(workspace: Workspace, tmp_path: Path) -> None:
    register_store(workspace, "disk", "local", str(tmp_path / "disk"))
    home = workspace.home.path
    workspace.close()
    home.rename(tmp_path / "moved")
    with Workspace.open(tmp_path / "moved") as moved:
        moved.stores.check_own(moved.stores.by_name("disk"))
    mark = read_mark(str(tmp_path / "disk"))
    assert mark is not None and mark.home_path == str(tmp_path / "moved")


def test_an_artifact_that_goes_while_its_directory_is_looked_at_is_no_trouble(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process deletes it between two questions to the file system."""
    save_artifact(1, name="goes")
    path = leave_half_a_version(workspace)
    listdir = LocalStore.listdir

    def deleted_just_before(store: LocalStore, at: PathType) -> list[str]:
        if at == "goes" and store.isdir("goes"):
            Client().delete_artifact("goes")
        return listdir(store, at)

    monkeypatch.setattr(LocalStore, "listdir", deleted_just_before)
    assert collect().directories == [str(path)]


def make_fifo(at: Path) -> None:
    os.mkfifo(at)


def make_link_out(at: Path) -> None:
    at.symlink_to("/etc/passwd")


def make_folder(at: Path) -> None:
    at.mkdir()
    (at / "file").write_bytes(b"user")


@pytest.mark.parametrize("make", [make_fifo, make_link_out, make_folder])
def test_what_is_called_like_a_manifest_and_is_no_file_stays_and_keeps_nothing_from_being_collected(
    workspace: Workspace, make: Callable[[Path], None]
) -> None:
    own = leave_half_a_version(workspace)
    claimed = leave_half_a_version(workspace, "claimed")
    users = Path(workspace.stores.active.root, "mine", uuid.uuid4().hex)
    for folder in (claimed, users):
        (folder / ".artfs").mkdir(parents=True)
        make(folder / ".artfs" / "version.json")
        os.utime(folder, (OLD, OLD))
    found = collect()
    assert found.directories == [str(own)]
    assert sorted(found.unlisted) == sorted(map(str, [claimed, users]))
    assert os.path.lexists(users / ".artfs" / "version.json")
    assert (claimed / "deep" / "file").exists()


def test_links_of_a_user_in_the_store_are_not_looked_behind(workspace: Workspace, tmp_path: Path) -> None:
    own = leave_half_a_version(workspace)
    hidden = tmp_path / uuid.uuid4().hex
    hidden.mkdir()
    root = Path(workspace.stores.active.root)
    (root / "out").symlink_to(tmp_path)
    (root / "loop").symlink_to("loop")
    (root / "mine").mkdir()
    (root / "mine" / uuid.uuid4().hex).symlink_to(tmp_path)
    (root / "mine" / uuid.uuid4().hex).write_bytes(b"user")
    folder = root / "mine" / uuid.uuid4().hex
    folder.mkdir()
    (folder / ".artfs").symlink_to(tmp_path)
    assert collect().directories == [str(own)]
    assert hidden.exists()


@pytest.mark.parametrize("make", [make_fifo, make_link_out])
def test_a_manifest_that_something_else_took_the_place_of_is_written_again(
    workspace: Workspace, make: Callable[[Path], None]
) -> None:
    saved = save_artifact(np.arange(1000), name="a")
    version = workspace.catalog.versions.by_uuid(str(saved.id))
    assert version is not None
    workspace.syncing.try_to_sync()
    [written] = Path(workspace.stores.active.root).glob("a/*/.artfs/version.json")
    before = written.read_bytes()
    written.unlink()
    make(written)
    collect()
    assert not written.is_symlink()
    assert written.read_bytes() == before


def test_a_closed_folder_of_somebody_else_in_the_store_is_passed_over(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = leave_half_a_version(workspace)
    root = Path(workspace.stores.active.root)
    (root / "closed").mkdir()
    listdir = LocalStore.listdir

    def refusing(store: LocalStore, path: PathType) -> list[str]:
        if path == "closed":
            raise PermissionError(13, "Permission denied", "closed")
        return listdir(store, path)

    monkeypatch.setattr(LocalStore, "listdir", refusing)
    assert collect().directories == [str(own)]


@pytest.mark.parametrize("make", [make_fifo, make_link_out, make_folder])
@pytest.mark.parametrize(
    "where", ["pieces/ab", "store/.artfs", "store/.artfs/numbers", "store/.artfs/claims", "cache/views", "cache/pages"]
)
def test_what_others_put_where_artfs_keeps_its_notes_keeps_nothing_from_being_collected(
    workspace: Workspace, where: str, make: Callable[[Path], None]
) -> None:
    own = leave_half_a_version(workspace)
    folder = workspace.home.path / where
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("unlisted", own.name, "0" * 64, f"{uuid.uuid4()}.html"):
        make(folder / name)
        os.utime(folder / name, (OLD, OLD), follow_symlinks=False)
    (folder / "gone").symlink_to("nowhere")
    assert collect().directories == [str(own)]
