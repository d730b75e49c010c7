"""The store in a directory: bytes are placed once and whole, and nothing ever leaves the root."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from artfs.content import files
from artfs.content.long_paths import reachable
from artfs.errors import InvalidName, InvalidValue, OutsideStore, PlaceExists, StoreError
from artfs.stores.base import Store
from artfs.stores.local import openat2
from artfs.stores.local import store as local
from artfs.stores.local.files import LocalFiles
from artfs.stores.local.store import LocalStore
from artfs.stores.registry import store_class


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    """A store, with a directory beside it whose name begins with the store's."""
    made = LocalStore(str(tmp_path / "store"), name="test")
    made.create()
    evil = tmp_path / "store-evil"
    evil.mkdir()
    (evil / "secret").write_bytes(b"secret")
    yield made
    made.close()


@pytest.fixture(params=["openat2", "compared paths"])
def any_kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the kernel's own check, and as on a kernel that does not have it."""
    if request.param == "compared paths":
        # No such system call: the kernel answers ENOSYS.
        monkeypatch.setattr(openat2, "_SYS_OPENAT2", 100_000)


def test_a_store_that_is_forgotten_leaves_nothing_open(tmp_path: Path) -> None:
    def descriptors() -> int:
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    source = a_file(tmp_path)
    before = descriptors()
    for number in range(3):
        store = LocalStore(str(tmp_path / "store"), name="test")
        store.create()
        store.place(source, b"%d" % number)
        del store
    assert descriptors() == before


def a_file(directory: Path, content: bytes = b"content", name: str = "source") -> Path:
    path = directory / name
    path.write_bytes(content)
    return path


def content_of(store: Store, place: bytes) -> bytes:
    with store.open_place(place) as reader:
        return reader.pread(0, reader.size)


@pytest.mark.usefixtures("any_kernel")
class TestPlaces:
    def test_a_file_that_is_adopted_is_not_copied(self, store: LocalStore, tmp_path: Path) -> None:
        source = a_file(tmp_path)
        assert store.place(source, b"iris/0123/deep/file") == b"iris/0123/deep/file"
        assert (tmp_path / "store/iris/0123/deep/file").samefile(source)
        assert content_of(store, b"iris/0123/deep/file") == b"content"

    def test_a_file_that_others_write_to_is_copied(self, store: LocalStore, tmp_path: Path) -> None:
        source = a_file(tmp_path)
        store.place(source, b"iris/file", adopt=False)
        source.write_bytes(b"changed")
        assert content_of(store, b"iris/file") == b"content"

    def test_a_file_from_another_file_system_is_copied(self, store: LocalStore) -> None:
        with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
            store.place(a_file(Path(elsewhere)), b"iris/file")
        assert content_of(store, b"iris/file") == b"content"

    def test_a_place_is_never_overwritten(self, store: LocalStore, tmp_path: Path) -> None:
        store.place(a_file(tmp_path, b"first"), b"iris/file")
        for adopt in (True, False):
            with pytest.raises(PlaceExists, match="'iris/file' already exists"):
                store.place(a_file(tmp_path, b"second", "other"), b"iris/file", adopt=adopt)
        assert content_of(store, b"iris/file") == b"first"

    def test_names_need_not_be_text(self, store: LocalStore, tmp_path: Path) -> None:
        store.place(a_file(tmp_path), b"iris/\xff\n")
        assert content_of(store, b"iris/\xff\n") == b"content"
        assert list(store.places()) == [b"iris/\xff\n"]

    def test_a_place_is_read_by_range(self, store: LocalStore, tmp_path: Path) -> None:
        store.place(a_file(tmp_path, b"0123456789"), b"digits")
        with store.open_place(b"digits") as reader:
            assert (reader.pread(3, 4), reader.pread(8, 100), reader.pread(50, 1)) == (b"3456", b"89", b"")
            assert reader.size == 10
            assert reader.mtime_ns == (tmp_path / "source").stat().st_mtime_ns

    def test_what_is_removed_takes_empty_directories_along(self, store: LocalStore, tmp_path: Path) -> None:
        store.place(a_file(tmp_path), b"iris/1/deep/file")
        store.place(a_file(tmp_path), b"iris/2/file")
        store.delete(b"iris/1/deep/file")
        assert sorted(os.listdir(tmp_path / "store/iris")) == ["2"]
        store.delete(b"iris/1/deep/file")
        store.delete(b"iris/2/file")
        assert os.listdir(tmp_path / "store") == []

    @pytest.mark.parametrize("count", [1, local.FEW_FILES, local.FEW_FILES + 1])
    def test_syncing_takes_any_number_of_places(self, store: LocalStore, tmp_path: Path, count: int) -> None:
        store.sync([store.place(a_file(tmp_path), b"iris/%d/file" % number) for number in range(count)])

    def test_syncing_what_is_not_there_is_an_error(self, store: LocalStore) -> None:
        with pytest.raises(FileNotFoundError):
            store.sync([b"iris/missing"])

    @pytest.mark.parametrize(
        "place", [b"../store-evil/secret", b"/etc/passwd", b"a/../../store-evil/secret", b"", b"a\0b"]
    )
    def test_a_path_that_leads_out_is_refused(self, store: LocalStore, tmp_path: Path, place: bytes) -> None:
        operations: list[Callable[[], object]] = [
            lambda: store.place(a_file(tmp_path), place),
            lambda: store.open_place(place),
            lambda: store.delete(place),
        ]
        for operation in operations:
            with pytest.raises((InvalidName, OutsideStore)):
                operation()
        assert (tmp_path / "store-evil/secret").read_bytes() == b"secret"

    @pytest.mark.parametrize("target", ["../store-evil", "absolute"])
    def test_a_link_that_leads_out_is_refused(self, store: LocalStore, tmp_path: Path, target: str) -> None:
        (tmp_path / "store/way").symlink_to(tmp_path / "store-evil" if target == "absolute" else target)
        operations: list[Callable[[], object]] = [
            lambda: store.place(a_file(tmp_path), b"way/new"),
            lambda: store.open_place(b"way/secret"),
            lambda: store.delete(b"way/secret"),
            lambda: store.sync([b"way/secret"]),
        ]
        for operation in operations:
            with pytest.raises(OutsideStore, match="leads out of the store"):
                operation()
        assert os.listdir(tmp_path / "store-evil") == ["secret"]

    def test_a_link_inside_is_followed(self, store: LocalStore, tmp_path: Path) -> None:
        store.place(a_file(tmp_path), b"iris/file")
        (tmp_path / "store/also").symlink_to("iris")
        assert content_of(store, b"also/file") == b"content"

    def test_a_fifo_in_the_store_hangs_nobody(self, store: LocalStore, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "store/fifo")
        with store.open_place(b"fifo") as reader, pytest.raises(OSError, match="Illegal seek"):
            reader.pread(0, 1)


class TestRoot:
    def test_a_root_that_is_missing_is_not_made_by_the_way(self, tmp_path: Path) -> None:
        store = LocalStore(str(tmp_path / "unmounted"), name="disk")
        for operation in (lambda: store.place(a_file(tmp_path), b"a"), lambda: store.open_place(b"a")):
            with pytest.raises(StoreError, match=r"of artifact store 'disk' cannot be used: .* is its disk mounted"):
                operation()
        assert not (tmp_path / "unmounted").exists()

    def test_a_root_that_was_replaced_is_found_again(self, store: LocalStore, tmp_path: Path) -> None:
        store.place(a_file(tmp_path), b"iris/file")
        (tmp_path / "store").rename(tmp_path / "old")
        shutil.copytree(tmp_path / "old", tmp_path / "store")
        shutil.rmtree(tmp_path / "old")
        assert content_of(store, b"iris/file") == b"content"

    @pytest.mark.parametrize("root", ["relative", "s3://bucket", "file://elsewhere/x", ""])
    def test_a_root_that_is_no_local_directory_is_refused(self, root: str) -> None:
        with pytest.raises(InvalidValue):
            LocalStore(root)

    def test_a_root_may_be_a_uri(self, tmp_path: Path) -> None:
        assert LocalStore(f"file://{tmp_path}/a%20b/").path == f"{tmp_path}/a b"

    def test_the_flavor_is_registered(self) -> None:
        assert store_class("local") is LocalStore
        with pytest.raises(StoreError, match=r"no artifact store flavor 'floppy'.* known flavors are .*local"):
            store_class("floppy")


class TestClaims:
    def test_what_is_claimed_is_not_removed(self, store: LocalStore, tmp_path: Path) -> None:
        other = LocalStore(store.root)
        with store.claim(b"iris/0123"):
            store.place(a_file(tmp_path), b"iris/0123/file")
            assert not other.remove_unclaimed(b"iris/0123", lambda: True)
            assert content_of(other, b"iris/0123/file") == b"content"
        assert not other.remove_unclaimed(b"iris/0123", lambda: False)
        assert other.remove_unclaimed(b"iris/0123", lambda: True)
        assert os.listdir(store.root) == []
        assert not other.remove_unclaimed(b"iris/0123", lambda: True)

    def test_a_claim_that_came_to_nothing_leaves_nothing(self, store: LocalStore) -> None:
        with store.claim(b"iris/0123"):
            pass
        assert os.listdir(store.root) == []

    def test_a_claim_ends_with_its_process(self, store: LocalStore) -> None:
        program = (
            "import os, sys; from artfs.stores.local.store import LocalStore\n"
            "with LocalStore(sys.argv[1]).claim(b'iris/0123'): os._exit(9)"
        )
        assert subprocess.run([sys.executable, "-c", program, store.root], check=False).returncode == 9
        assert os.listdir(store.root) == ["iris"]
        assert store.remove_unclaimed(b"iris/0123", lambda: True)

    def test_claiming_and_removing_at_once_never_loses_a_place(self, store: LocalStore, tmp_path: Path) -> None:
        source, lost, done = a_file(tmp_path), [], threading.Event()

        def remove() -> None:
            while not done.is_set():
                store.remove_unclaimed(b"iris/0123", lambda: True)

        remover = threading.Thread(target=remove)
        remover.start()
        try:
            for number in range(300):
                with store.claim(b"iris/0123"):
                    place = store.place(source, b"iris/0123/%d" % number)
                    if not os.path.exists(store.place_path(place)):
                        lost.append(number)
        finally:
            done.set()
            remover.join()
        assert lost == []


class TestFiles:
    @pytest.fixture
    def files(self, store: LocalStore) -> LocalFiles:
        return store.files

    def test_the_interface_of_the_documents_works(self, files: LocalFiles) -> None:
        root = files.path
        files.makedirs(f"{root}/a/b")
        files.mkdir(f"{root}/a/c")
        with files.open(f"{root}/a/b/x", "w") as file:
            file.write("text")
        files.copyfile(f"{root}/a/b/x", f"{root}/a/c/y")
        files.rename(f"{root}/a/c/y", f"{root}/a/c/z")
        assert files.exists(f"{root}/a/c/z") and not files.exists(f"{root}/a/c/y")
        assert files.isdir(f"{root}/a") and not files.isdir(f"{root}/a/b/x")
        assert sorted(files.listdir(f"{root}/a")) == ["b", "c"]
        assert files.glob(f"{root}/a/*/x") == [f"{root}/a/b/x"]
        assert files.size(f"{root}/a/b/x") == files.stat(f"{root}/a/b/x").st_size == 4
        assert sorted(name for _, _, names in files.walk(root) for name in names) == ["x", "z"]
        files.remove(f"{root}/a/c/z")
        files.rmtree(f"{root}/a")
        assert files.listdir(root) == []

    def test_paths_may_be_relative_to_the_root_or_uris(self, files: LocalFiles) -> None:
        with files.open("x", "w") as file:
            file.write("text")
        assert files.exists(f"file://{files.root}/x") and files.exists(b"x") and files.exists(Path(files.root) / "x")

    def test_an_existing_file_is_overwritten_only_on_request(self, files: LocalFiles) -> None:
        for name in ("x", "y"):
            with files.open(name, "w") as file:
                file.write(name)
        for operation in (files.copyfile, files.rename):
            with pytest.raises(FileExistsError):
                operation("x", "y")
        files.rename("x", "y", overwrite=True)
        with files.open("y") as file:
            assert file.read() == "x"

    @pytest.mark.parametrize(
        "path",
        [
            "../store-evil/secret",
            "{root}-evil/secret",
            "/etc/passwd",
            "way/secret",
            "{root}/../store-evil/secret",
            "s3://x/y",
        ],
    )
    def test_nothing_outside_of_the_root_can_be_named(self, files: LocalFiles, tmp_path: Path, path: str) -> None:
        (tmp_path / "store/way").symlink_to("../store-evil")
        (tmp_path / "store/inside").write_bytes(b"x")
        path = path.format(root=files.root)
        operations: list[Callable[[], object]] = [
            lambda: files.open(path),
            lambda: files.open(path, "w"),
            lambda: files.copyfile("inside", path, overwrite=True),
            lambda: files.copyfile(path, "copy"),
            lambda: files.exists(path),
            lambda: files.isdir(path),
            lambda: files.listdir(path),
            lambda: files.makedirs(path + "/deep"),
            lambda: files.mkdir(path + "/deep"),
            lambda: files.remove(path),
            lambda: files.rename("inside", path, overwrite=True),
            lambda: files.rename(path, "moved"),
            lambda: files.rmtree(path),
            lambda: files.stat(path),
            lambda: files.size(path),
            lambda: list(files.walk(path)),
        ]
        for number, operation in enumerate(operations):
            with pytest.raises(OutsideStore):
                operation()
                pytest.fail(f"operation {number} left the root")
        assert (tmp_path / "store-evil/secret").read_bytes() == b"secret"
        assert sorted(os.listdir(tmp_path / "store")) == ["inside", "way"]
        assert files.glob(path) == []

    def test_a_link_itself_can_be_removed_and_moved(self, files: LocalFiles, tmp_path: Path) -> None:
        (tmp_path / "store/way").symlink_to("../store-evil/secret")
        files.rename("way", "moved")
        files.remove("moved")
        assert (tmp_path / "store-evil/secret").read_bytes() == b"secret"

    @pytest.mark.parametrize("path", ["", ".", "a/..", "{root}"])
    def test_the_root_itself_is_not_removed(self, files: LocalFiles, path: str) -> None:
        files.mkdir("a")
        with pytest.raises(StoreError, match="cannot be removed"):
            files.rmtree(path.format(root=files.root))
        assert files.isdir("a")


DEEP = b"iris/0123/" + b"/".join([b"d" * 100] * 100) + b"/file"


@pytest.mark.usefixtures("any_kernel")
class TestDeepPlaces:
    """More than twice as long as a system call takes."""

    @pytest.mark.parametrize("adopt", [True, False])
    def test_they_are_placed_synced_read_and_removed(self, store: LocalStore, tmp_path: Path, adopt: bool) -> None:
        store.place(a_file(tmp_path), DEEP, adopt=adopt)
        store.place(a_file(tmp_path), DEEP + b" beside it", adopt=adopt)
        store.sync([DEEP])
        assert content_of(store, DEEP) == b"content"
        assert sorted(store.places(b"iris/0123")) == [DEEP, DEEP + b" beside it"]
        assert store.place_path(DEEP) == os.path.join(store.root, DEEP.decode())
        with pytest.raises(PlaceExists) as failure:
            store.place(a_file(tmp_path), DEEP, adopt=adopt)
        assert len(str(failure.value)) < 1000
        store.delete(DEEP)
        with pytest.raises(FileNotFoundError):
            store.open_place(DEEP)
        store.delete(DEEP)
        store.delete(DEEP + b" beside it")
        assert os.listdir(store.root) == []

    def test_each_is_synced_when_the_file_system_has_lost_writes(self, store: LocalStore, tmp_path: Path) -> None:
        store.place(a_file(tmp_path), DEEP)
        store._lost_writes = True
        store.sync([DEEP])
        with pytest.raises(FileNotFoundError):
            store.sync([DEEP + b" missing"])

    def test_they_go_with_the_directory_that_nobody_claims(self, store: LocalStore, tmp_path: Path) -> None:
        with store.claim(b"iris/0123"):
            store.place(a_file(tmp_path), DEEP)
            assert not store.remove_unclaimed(b"iris/0123", lambda: True)
        assert store.remove_unclaimed(b"iris/0123", lambda: True)
        assert os.listdir(store.root) == []

    @pytest.mark.parametrize("above", [b"", b"iris/0123/" + b"/".join([b"d" * 100] * 99) + b"/"])
    def test_a_link_on_the_way_leads_nowhere_out(self, store: LocalStore, tmp_path: Path, above: bytes) -> None:
        """At the top, and deeper than a path can say."""
        outside = tmp_path / "outside"
        store.place(a_file(tmp_path), DEEP)
        other = LocalStore(str(outside))
        other.create()
        other.place(a_file(tmp_path), DEEP)
        with reachable(os.path.join(os.fsencode(store.root), above + b"link")) as at:
            os.symlink(outside, at)
        way = above + b"link/" + DEEP
        operations: list[Callable[[], object]] = [
            lambda: store.open_place(way),
            lambda: store.place(a_file(tmp_path), way + b"2"),
            lambda: store.delete(way),
            lambda: store.place_path(way),
        ]
        for operation in operations:
            with pytest.raises((OutsideStore, NotADirectoryError)):
                operation()
        assert len(list(files.walk_files(bytes(outside)))) == 1
