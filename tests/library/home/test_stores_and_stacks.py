"""Stores are registered, stacks choose between them, and versions are read back from wherever they went."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from artfs.artifacts.scan import scan
from artfs.catalog.versions import Version
from artfs.client import Client
from artfs.errors import (
    AlreadyExists,
    DigestMismatch,
    InvalidName,
    InvalidValue,
    StackNotFound,
    StoreError,
    StoreNotFound,
)
from artfs.stores.remote.deadline import DeadlineStore
from artfs.workspace.registration import delete_store, register_store
from artfs.workspace.stacks import activate_stack, active_stack, delete_stack, find_stack, list_stacks, register_stack
from artfs.workspace.workspace import Workspace
from support.stores import MemoryStore
from support.versions import seal


@pytest.fixture(autouse=True)
def empty_memory() -> Iterator[None]:
    yield
    fsspec.filesystem("memory").rm("/", recursive=True)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    made = tmp_path / "source"
    (made / "deep").mkdir(parents=True)
    (made / "a").write_bytes(b"aaa")
    (made / "deep/b").write_bytes(b"bbb")
    return made


def content(workspace: Workspace, version: Version) -> dict[bytes, bytes]:
    """The files of a version, read through the verified reader."""
    assert version.tree_id is not None
    found: dict[bytes, bytes] = {}
    for path, entry in workspace.catalog.trees.walk(version.tree_id):
        if entry.blob_id is not None and entry.digest is not None:
            with workspace.blobs.open(entry.digest) as reader:
                found[path] = bytes(reader.read(0, reader.size))
    return found


def root_of(flavor: str, tmp_path: Path) -> str:
    return str(tmp_path / "second") if flavor == "local" else "memory://bucket/second"


@pytest.mark.parametrize("flavor", ["local", "memory"])
class TestOtherStores:
    def test_a_version_is_read_back_from_the_store_it_went_to(
        self, workspace: Workspace, source: Path, tmp_path: Path, flavor: str
    ) -> None:
        store = register_store(workspace, "second", flavor, root_of(flavor, tmp_path))
        register_stack(workspace, "other", "second")
        activate_stack(workspace, "other")
        version = seal(scan(source), workspace, "iris")
        assert len(list(store.places())) == 2
        assert os.listdir(workspace.home.store_root) == [".artfs"]
        with Workspace.open(workspace.home.path) as elsewhere:
            row = elsewhere.catalog.stores.get("second")
            assert row is not None and version.store_id == row.id
            assert content(elsewhere, version) == {b"a": b"aaa", b"deep/b": b"bbb"}

    def test_a_changed_byte_in_it_is_noticed(
        self, workspace: Workspace, source: Path, tmp_path: Path, flavor: str
    ) -> None:
        store = register_store(workspace, "second", flavor, root_of(flavor, tmp_path))
        version = seal(scan(source), workspace, "iris", store=store, adopt=False)
        with store.files.open(sorted(store.places())[0], "wb") as file:
            file.write(b"aab")
        with pytest.raises(DigestMismatch, match=r"/iris/.*/a' is damaged"):
            content(workspace, version)

    def test_content_that_another_store_has_is_not_stored_again(
        self, workspace: Workspace, source: Path, tmp_path: Path, flavor: str
    ) -> None:
        store = register_store(workspace, "second", flavor, root_of(flavor, tmp_path))
        seal(scan(source), workspace, "iris", adopt=False)
        version = seal(scan(source), workspace, "copy", store=store)
        assert list(store.places()) == []
        assert content(workspace, version) == {b"a": b"aaa", b"deep/b": b"bbb"}

    def test_values_are_saved_and_loaded(self, tmp_path: Path, flavor: str) -> None:
        import artfs

        workspace = Client().workspace
        store = register_store(workspace, "second", flavor, root_of(flavor, tmp_path))
        register_stack(workspace, "other", "second")
        activate_stack(workspace, "other")
        artfs.save_artifact({"a": [1, (2, 3)]}, "value")
        assert list(store.places()) != []
        assert artfs.load_artifact("value") == {"a": [1, (2, 3)]}
        assert Client().active_stack.artifact_store.path == store.path

    def test_a_store_in_use_cannot_be_deleted(
        self, workspace: Workspace, source: Path, tmp_path: Path, flavor: str
    ) -> None:
        store = register_store(workspace, "second", flavor, root_of(flavor, tmp_path))
        register_stack(workspace, "other", "second")
        with pytest.raises(InvalidValue, match=r"cannot be deleted: the stack 'other' uses it; delete that first"):
            delete_store(workspace, "second")
        delete_stack(workspace, "other")
        seal(scan(source), workspace, "iris", store=store)
        with pytest.raises(InvalidValue, match="versions are in it"):
            delete_store(workspace, "second")
        assert workspace.stores.by_name("second") is store


class TestRegistering:
    def test_a_folder_is_the_store_of_one_home_only(self, workspace: Workspace, tmp_path: Path) -> None:
        register_store(workspace, "disk", "local", str(tmp_path / "disk"))
        with Workspace.open(tmp_path / "other home") as other:
            for taken in (tmp_path / "disk", workspace.home.store_root):
                with pytest.raises(AlreadyExists, match=r"the artifact store of another home.*mark.json"):
                    register_store(other, "shared", "local", str(taken))
            delete_store(workspace, "disk")
            register_store(other, "shared", "local", str(tmp_path / "disk"))

    def test_its_root_is_made(self, workspace: Workspace, tmp_path: Path) -> None:
        store = register_store(workspace, "disk", "local", f"file://{tmp_path}/a/b/")
        assert store.path == f"{tmp_path}/a/b"
        assert Path(store.path).is_dir()
        assert workspace.stores.by_name("disk") is store
        row = workspace.catalog.stores.get("disk")
        assert row is not None and (row.flavor, row.root, row.options) == ("local", f"{tmp_path}/a/b", {})

    def test_options_are_kept(self, workspace: Workspace) -> None:
        options = {"class": "support.stores:MemoryStore", "asynchronous": False}
        register_store(workspace, "mine", "custom", "memory://bucket", options)
        with Workspace.open(workspace.home.path) as again:
            store = again.stores.by_name("mine")
            assert isinstance(store, DeadlineStore)
            assert isinstance(store.backend, MemoryStore)
            assert store.options == options

    def test_it_is_audited(self, workspace: Workspace, tmp_path: Path) -> None:
        register_store(workspace, "disk", "local", str(tmp_path / "disk"))
        delete_store(workspace, "disk")
        assert [row.action for row in workspace.catalog.audit.list("disk")] == ["store.delete", "store.register"]
        assert workspace.catalog.audit.verify() is None

    @pytest.mark.parametrize(
        ("flavor", "path", "why"),
        [
            ("local", "relative", "its path must begin with /, file://"),
            ("local", "", "its path must begin with"),
            ("local", "s3://bucket", "its path must begin with"),
            ("local", "file://elsewhere/x", "needs an absolute path"),
            ("memory", "s3://bucket", "its path must begin with memory://"),
            ("memory", "memory://", "needs a path after memory://"),
            ("memory", "memory://u:hunter2@bucket", "a password in it would be kept in the catalog"),
        ],
    )
    def test_a_path_that_cannot_be(self, workspace: Workspace, flavor: str, path: str, why: str) -> None:
        with pytest.raises(InvalidValue, match=why):
            register_store(workspace, "new", flavor, path)
        assert workspace.catalog.stores.get("new") is None

    @pytest.mark.parametrize("name", ["", "a/b", "..", "a\nb", " x", "x" * 256])
    def test_a_name_that_cannot_be(self, workspace: Workspace, tmp_path: Path, name: str) -> None:
        with pytest.raises(InvalidName, match="invalid artifact store name"):
            register_store(workspace, name, "local", str(tmp_path / "new"))
        with pytest.raises(InvalidName, match="invalid stack name"):
            register_stack(workspace, name, "default")
        assert not (tmp_path / "new").exists()

    def test_a_secret_is_not_taken(self, workspace: Workspace) -> None:
        with pytest.raises(InvalidValue, match="has no option 'password'") as caught:
            register_store(workspace, "new", "memory", "memory://bucket", {"password": "hunter2"})
        assert "hunter2" not in str(caught.value)

    def test_a_name_is_taken_once(self, workspace: Workspace, tmp_path: Path) -> None:
        register_store(workspace, "disk", "local", str(tmp_path / "disk"))
        with pytest.raises(AlreadyExists, match="a store named 'disk' exists already"):
            register_store(workspace, "disk", "local", str(tmp_path / "other"))
        assert not (tmp_path / "other").exists()

    @pytest.mark.parametrize(
        ("first", "second", "how"),
        [
            ("{tmp}/a", "{tmp}/a", "is the artifact store"),
            ("{tmp}/a", "{tmp}/x/../a//", "is the artifact store"),
            ("{tmp}/a", "{tmp}/link", "is the artifact store"),
            ("{tmp}/a", "{tmp}/a/b", "lies in the artifact store"),
            ("{tmp}/a/b", "{tmp}/a", "lies around the artifact store"),
            ("memory://bucket/a", "memory://bucket/a/", "is the artifact store"),
            ("memory://bucket/a", "memory://bucket//a/b", "lies in the artifact store"),
            ("memory://bucket/a", "memory://bucket", "lies around the artifact store"),
        ],
    )
    def test_two_stores_never_share_a_place(
        self, workspace: Workspace, tmp_path: Path, first: str, second: str, how: str
    ) -> None:
        """Else each would take the bytes of the other for left-overs of its own."""
        (tmp_path / "link").symlink_to("a")
        flavor = "memory" if first.startswith("memory") else "local"
        register_store(workspace, "first", flavor, first.format(tmp=tmp_path))
        with pytest.raises(AlreadyExists, match=rf"{how} 'first' at"):
            register_store(workspace, "second", flavor, second.format(tmp=tmp_path))

    @pytest.mark.parametrize(
        ("first", "second"), [("{tmp}/a", "{tmp}/a-evil"), ("memory://bucket/a", "memory://bucket/a-evil")]
    )
    def test_a_neighbour_with_a_longer_name_is_another_place(
        self, workspace: Workspace, tmp_path: Path, first: str, second: str
    ) -> None:
        flavor = "memory" if first.startswith("memory") else "local"
        register_store(workspace, "first", flavor, first.format(tmp=tmp_path))
        register_store(workspace, "second", flavor, second.format(tmp=tmp_path))

    @pytest.mark.parametrize("path", ["", "cache", "mounts/x", "store", "store/iris"])
    def test_where_artfs_keeps_its_own_files_is_no_place(self, workspace: Workspace, path: str) -> None:
        with pytest.raises((InvalidValue, AlreadyExists), match=r"keeps its own files|the artifact store 'default'"):
            register_store(workspace, "new", "local", str(workspace.home.path / path))

    def test_a_file_is_no_place(self, workspace: Workspace, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(InvalidValue, match="is a file: an artifact store needs a directory"):
            register_store(workspace, "new", "local", str(tmp_path / "file"))
        with pytest.raises(StoreError, match=r"cannot be made: Not a directory"):
            register_store(workspace, "new", "local", str(tmp_path / "file/deep"))

    def test_of_many_at_once_one_gets_the_place(self, workspace: Workspace, tmp_path: Path) -> None:
        ready, failures = threading.Barrier(4), []

        def register(number: int) -> None:
            ready.wait()
            try:
                register_store(workspace, f"store {number}", "local", str(tmp_path / "same"))
            except AlreadyExists as error:
                failures.append(error)

        threads = [threading.Thread(target=register, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(failures) == 3
        assert len([row for row in workspace.catalog.stores.list() if row.root == str(tmp_path / "same")]) == 1

    def test_a_flavor_that_is_not_here_stops_only_who_needs_it(self, workspace: Workspace, source: Path) -> None:
        """As when a daemon runs without the package that provides it."""
        workspace.catalog.stores.register("far", "elsewhere", "elsewhere://x")
        assert [store.name for store in workspace.stores.local()] == ["default"]
        assert seal(scan(source), workspace, "iris").name == "1"
        with pytest.raises(StoreError, match=r"no artifact store flavor 'elsewhere'; .*install the package"):
            workspace.stores.by_name("far")

    def test_deleting_leaves_what_is_there(self, workspace: Workspace, tmp_path: Path) -> None:
        register_store(workspace, "disk", "local", str(tmp_path / "disk"))
        (tmp_path / "disk/file").touch()
        delete_store(workspace, "disk")
        assert (tmp_path / "disk/file").exists()
        with pytest.raises(StoreNotFound, match="there is no store named 'disk'"):
            delete_store(workspace, "disk")


class TestStacks:
    @pytest.fixture(autouse=True)
    def disk(self, workspace: Workspace, tmp_path: Path) -> None:
        register_store(workspace, "disk", "local", str(tmp_path / "disk"))

    def test_a_new_home_has_one(self, workspace: Workspace) -> None:
        stack = active_stack(workspace)
        assert (stack.name, stack.active, stack.store_name) == ("default", True, "default")
        assert stack.artifact_store.path == str(workspace.home.store_root)
        assert repr(stack).startswith("Stack(name='default', store_name='default', active=True")

    def test_the_active_one_is_remembered(self, workspace: Workspace, tmp_path: Path) -> None:
        register_stack(workspace, "other", "disk")
        assert [(stack.name, stack.active) for stack in list_stacks(workspace)] == [("default", True), ("other", False)]
        assert activate_stack(workspace, "other").active
        assert workspace.stores.active.path == str(tmp_path / "disk")
        with Workspace.open(workspace.home.path) as again:
            assert active_stack(again).name == "other"
        assert not find_stack(workspace, "default").active

    def test_one_that_another_process_chose_is_taken_at_once(self, workspace: Workspace, tmp_path: Path) -> None:
        """And the one before may be deleted, without a program that is running missing it."""
        register_stack(workspace, "other", "disk")
        activate_stack(workspace, "other")
        assert workspace.stores.active.path == str(tmp_path / "disk")
        with Workspace.open(workspace.home.path) as elsewhere:
            activate_stack(elsewhere, "default")
            delete_stack(elsewhere, "other")
        assert active_stack(workspace).name == "default"
        assert workspace.stores.active.path == str(workspace.home.store_root)

    def test_names_that_mean_nothing(self, workspace: Workspace) -> None:
        for operation in (find_stack, activate_stack, delete_stack):
            with pytest.raises(StackNotFound, match="there is no stack named 'none': see 'artfs stack list'"):
                operation(workspace, "none")
        with pytest.raises(StoreNotFound, match="no artifact store is named 'none'"):
            register_stack(workspace, "other", "none")
        register_stack(workspace, "other", "disk")
        with pytest.raises(AlreadyExists, match="a stack named 'other' exists already"):
            register_stack(workspace, "other", "disk")

    def test_the_one_in_use_stays(self, workspace: Workspace) -> None:
        register_stack(workspace, "other", "disk")
        activate_stack(workspace, "other")
        with pytest.raises(InvalidValue, match="is the active one: choose another with 'artfs stack set'"):
            delete_stack(workspace, "other")
        with pytest.raises(InvalidValue, match="is always there"):
            delete_stack(workspace, "default")
        activate_stack(workspace, "default")
        delete_stack(workspace, "other")
        assert [stack.name for stack in list_stacks(workspace)] == ["default"]

    def test_settings_that_name_a_lost_one_say_so(self, workspace: Workspace) -> None:
        workspace.home.configure(active_stack="gone")
        with pytest.raises(StackNotFound, match=r"the active stack 'gone' of .*config.toml does not exist"):
            active_stack(workspace)
        with pytest.raises(InvalidValue, match="does not exist; choose one with 'artfs stack set'"):
            _ = workspace.stores.active

    def test_the_client_knows_them(self, workspace: Workspace, tmp_path: Path) -> None:
        client = Client()
        register_stack(workspace, "other", "disk")
        assert [stack.name for stack in client.list_stacks()] == ["default", "other"]
        assert client.activate_stack("other").artifact_store.path == str(tmp_path / "disk")
        assert client.active_stack == client.get_stack("other")
