"""The artifact store interface means the same whatever is below it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from artfs.blobs.places import Candidate
from artfs.blobs.reader import BlobReader
from artfs.content.digest import hash_file
from artfs.errors import DigestMismatch, InvalidName, InvalidValue, OutsideStore, PlaceExists, StoreError
from artfs.stores import LocalStore, Store
from support.stores import FileStore, MemoryStore


@pytest.fixture(params=["local", "file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store, with a neighbour whose name begins with the store's."""
    memory = fsspec.filesystem("memory")
    made: dict[str, Store] = {
        "local": LocalStore(str(tmp_path / "root"), name="test"),
        "file": FileStore(f"file://{tmp_path}/root", name="test"),
        "memory": MemoryStore("memory://bucket/root", name="test"),
    }
    (tmp_path / "root-evil").mkdir()
    (tmp_path / "root-evil/secret").write_bytes(b"secret")
    memory.pipe("/bucket/root-evil/secret", b"secret")
    made[request.param].create()
    yield made[request.param]
    made[request.param].close()
    memory.rm("/", recursive=True)


def write(store: Store, path: str, content: bytes = b"content") -> None:
    with store.open(path, "wb") as file:
        file.write(content)


def read(store: Store, path: str) -> bytes:
    with store.open(path, "rb") as file:
        return bytes(file.read())


@pytest.fixture
def filled(store: Store) -> Store:
    store.makedirs("a/b/empty")
    write(store, "a/one.txt", b"one")
    write(store, "a/b/two.txt", b"two!")
    return store


def test_paths_are_relative_or_full(filled: Store) -> None:
    assert read(filled, "a/one.txt") == read(filled, f"{filled.path}/a/one.txt") == b"one"
    assert filled.inside("a/one.txt") == f"{filled.path}/a/one.txt"


def test_text_is_text(store: Store) -> None:
    with store.open("text", "w") as file:
        file.write("two\nlines")
    with store.open("text") as file:
        assert list(file) == ["two\n", "lines"]


def test_what_is_there(filled: Store) -> None:
    assert [filled.exists(path) for path in ("a", "a/one.txt", "a/none", "b")] == [True, True, False, False]
    assert [filled.isdir(path) for path in ("a", "a/one.txt", "a/none", "")] == [True, False, False, True]
    assert sorted(filled.listdir("a")) == ["b", "one.txt"]
    assert filled.listdir("a/b/empty") == []
    assert filled.size("a/b/two.txt") == 4
    assert filled.stat("a/b/two.txt") is not None


def test_all_that_is_below(filled: Store) -> None:
    found = {directory: (sorted(names), sorted(files)) for directory, names, files in filled.walk("a")}
    root = filled.path
    assert found == {
        f"{root}/a": (["b"], ["one.txt"]),
        f"{root}/a/b": (["empty"], ["two.txt"]),
        f"{root}/a/b/empty": ([], []),
    }
    upwards = [directory for directory, _, _ in filled.walk("a", topdown=False)]
    assert upwards[-1] == f"{root}/a"


@pytest.mark.parametrize(
    ("pattern", "found"), [("a/*.txt", ["a/one.txt"]), ("a/*/*.txt", ["a/b/two.txt"]), ("none/*", [])]
)
def test_patterns(filled: Store, pattern: str, found: list[str]) -> None:
    assert filled.glob(pattern) == [f"{filled.path}/{each}" for each in found]
    assert filled.glob(f"{filled.path}/{pattern}") == filled.glob(pattern)


@pytest.mark.parametrize("operation", ["copyfile", "rename"])
def test_nothing_is_replaced_unless_asked_for(filled: Store, operation: str) -> None:
    act = getattr(filled, operation)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        act("a/one.txt", "a/b/two.txt")
    assert read(filled, "a/b/two.txt") == b"two!"
    act("a/one.txt", "a/b/two.txt", overwrite=True)
    assert read(filled, "a/b/two.txt") == b"one"
    assert filled.exists("a/one.txt") == (operation == "copyfile")


def test_a_directory_is_renamed_with_all_in_it(filled: Store) -> None:
    filled.rename("a/b", "c")
    assert read(filled, "c/two.txt") == b"two!"
    assert not filled.exists("a/b/two.txt")


def test_directories_are_made(store: Store) -> None:
    store.mkdir("a")
    with pytest.raises(FileExistsError):
        store.mkdir("a")
    with pytest.raises(FileNotFoundError):
        store.mkdir("b/c")
    store.makedirs("b/c")
    store.makedirs("b/c")
    assert store.isdir("b/c")


def test_things_are_removed(filled: Store) -> None:
    filled.remove("a/one.txt")
    with pytest.raises(FileNotFoundError):
        filled.remove("a/one.txt")
    filled.rmtree("a/b")
    assert filled.listdir("a") == []
    with pytest.raises(StoreError, match="the root of the store"):
        filled.rmtree("")
    assert filled.isdir("")


@pytest.mark.parametrize("path", ["{root}-evil/secret", "../root-evil/secret", "{root}/../root-evil/secret", "ftp://x"])
def test_nothing_leaves_the_root(filled: Store, path: str) -> None:
    outside = path.format(root=filled.path)
    for operation in ("open", "exists", "glob", "isdir", "listdir", "makedirs", "mkdir", "remove", "rmtree", "size"):
        if isinstance(filled, LocalStore) and operation == "glob":
            continue  # it lists what is inside, which is nothing
        with pytest.raises(OutsideStore, match="leads out of the store"):
            getattr(filled, operation)(outside)
    for operation in ("copyfile", "rename"):
        with pytest.raises(OutsideStore):
            getattr(filled, operation)(outside, "a/new")
        with pytest.raises(OutsideStore):
            getattr(filled, operation)("a/one.txt", outside)
    with pytest.raises((OutsideStore, InvalidName)):
        filled.open_place(outside.encode())


@pytest.mark.parametrize("store", ["local", "file"], indirect=True)
def test_no_link_leads_out(filled: Store, tmp_path: Path) -> None:
    (tmp_path / "root/way").symlink_to(tmp_path / "root-evil")
    (tmp_path / "root/inner").symlink_to("a")
    for operation in ("open", "exists", "isdir", "size", "stat", "remove"):
        with pytest.raises(OutsideStore, match="leads out of the store"):
            getattr(filled, operation)("way/secret")
    assert filled.glob("*/secret") == []
    assert not any("secret" in files for _, _, files in filled.walk(""))
    assert read(filled, "inner/one.txt") == b"one"


def test_places_are_written_once_and_read_by_range(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"0123456789")
    digest = hash_file(source)
    place = store.place(source, b"iris/0123/deep/file")
    store.sync([place])
    with pytest.raises(PlaceExists):
        store.place(source, b"iris/0123/deep/file")
    with store.open_place(place) as reader:
        assert (reader.pread(3, 4), reader.pread(8, 100), reader.pread(50, 1)) == (b"3456", b"89", b"")
        assert reader.size == 10
    with BlobReader(digest, [Candidate(lambda: store.open_place(place), lambda: "here")]) as blob:
        assert bytes(blob.read(0, 100)) == b"0123456789"
    assert list(store.places()) == list(store.places(b"iris/0123")) == [b"iris/0123/deep/file"]
    store.remove(place)
    write(store, "iris/0123/deep/file", b"tampered!!")
    with (
        BlobReader(digest, [Candidate(lambda: store.open_place(place), lambda: "here")]) as blob,
        pytest.raises(DigestMismatch),
    ):
        blob.read(0, 100)
    store.remove_place(place)
    store.remove_place(place)
    with pytest.raises(FileNotFoundError):
        store.open_place(place)


def test_what_a_dead_process_left_can_be_removed(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    with store.claim(b"iris/0123"):
        store.place(tmp_path / "file", b"iris/0123/file")
    assert not store.remove_unclaimed(b"iris/0123", lambda: False)
    assert store.remove_unclaimed(b"iris/0123", lambda: True)
    assert not store.remove_unclaimed(b"iris/0123", lambda: True)


def test_an_error_of_the_client_is_told_as_the_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    class Throttled(Exception):
        pass

    def fail(*_: object, **__: object) -> None:
        raise Throttled("slow down")

    store = MemoryStore("memory://bucket/root", name="mine")
    for operation in ("info", "walk"):
        monkeypatch.setattr(store.filesystem, operation, fail)
    with pytest.raises(StoreError, match=r"store 'mine' failed at 'memory://bucket/root/x': Throttled: slow down"):
        store.stat("x")
    with pytest.raises(StoreError, match="slow down"):
        list(store.walk("x"))


@pytest.mark.parametrize(
    ("root", "why"),
    [
        ("s3://bucket", "its path must begin with memory://"),
        ("bucket", "its path must begin with memory://"),
        ("", "its path must begin with memory://"),
        ("memory://", "it needs a path after memory://"),
        ("memory:///", "it needs a path after memory://"),
        ("memory://bucket/../other", "mean nothing in a URI"),
        ("memory://bucket/a\nb", "control characters"),
        ("memory://bucket/a\0b", "NUL byte"),
        ("memory://user:hunter2@bucket", "a password in it would be kept"),
    ],
)
def test_a_root_that_cannot_be(root: str, why: str) -> None:
    with pytest.raises(InvalidValue, match=why) as caught:
        MemoryStore(root)
    assert "hunter2" not in str(caught.value)
