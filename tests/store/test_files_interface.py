"""The artifact store interface (operations on files) means the same whatever is below it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from artfs.errors import InvalidValue, OutsideStore, StoreError
from artfs.stores import Backend, BaseArtifactStore, LocalStore
from artfs.stores.local.files import LocalFiles
from support.stores import FileStore, MemoryStore


@pytest.fixture(params=["local", "file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BaseArtifactStore]:
    """An empty store, with a neighbour whose name begins with the store's."""
    memory = fsspec.filesystem("memory")
    made: dict[str, Backend] = {
        "local": LocalStore(str(tmp_path / "root"), name="test"),
        "file": FileStore(f"file://{tmp_path}/root", name="test"),
        "memory": MemoryStore("memory://bucket/root", name="test"),
    }
    (tmp_path / "root-evil").mkdir()
    (tmp_path / "root-evil/secret").write_bytes(b"secret")
    memory.pipe("/bucket/root-evil/secret", b"secret")
    made[request.param].create()
    yield made[request.param].files
    made[request.param].close()
    memory.rm("/", recursive=True)


def write(store: BaseArtifactStore, path: str, content: bytes = b"content") -> None:
    with store.open(path, "wb") as file:
        file.write(content)


def read(store: BaseArtifactStore, path: str) -> bytes:
    with store.open(path, "rb") as file:
        return bytes(file.read())


@pytest.fixture
def filled(store: BaseArtifactStore) -> BaseArtifactStore:
    store.makedirs("a/b/empty")
    write(store, "a/one.txt", b"one")
    write(store, "a/b/two.txt", b"two!")
    return store


def test_paths_are_relative_or_full(filled: BaseArtifactStore) -> None:
    assert read(filled, "a/one.txt") == read(filled, f"{filled.path}/a/one.txt") == b"one"
    assert filled.inside("a/one.txt") == f"{filled.path}/a/one.txt"


def test_text_is_text(store: BaseArtifactStore) -> None:
    with store.open("text", "w") as file:
        file.write("two\nlines")
    with store.open("text") as file:
        assert list(file) == ["two\n", "lines"]


def test_what_is_there(filled: BaseArtifactStore) -> None:
    assert [filled.exists(path) for path in ("a", "a/one.txt", "a/none", "b")] == [True, True, False, False]
    assert [filled.isdir(path) for path in ("a", "a/one.txt", "a/none", "")] == [True, False, False, True]
    assert sorted(filled.listdir("a")) == ["b", "one.txt"]
    assert filled.listdir("a/b/empty") == []
    assert filled.size("a/b/two.txt") == 4
    assert filled.stat("a/b/two.txt") is not None


def test_all_that_is_below(filled: BaseArtifactStore) -> None:
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
def test_patterns(filled: BaseArtifactStore, pattern: str, found: list[str]) -> None:
    assert filled.glob(pattern) == [f"{filled.path}/{each}" for each in found]
    assert filled.glob(f"{filled.path}/{pattern}") == filled.glob(pattern)


@pytest.mark.parametrize("operation", ["copyfile", "rename"])
def test_nothing_is_replaced_unless_asked_for(filled: BaseArtifactStore, operation: str) -> None:
    act = getattr(filled, operation)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        act("a/one.txt", "a/b/two.txt")
    assert read(filled, "a/b/two.txt") == b"two!"
    act("a/one.txt", "a/b/two.txt", overwrite=True)
    assert read(filled, "a/b/two.txt") == b"one"
    assert filled.exists("a/one.txt") == (operation == "copyfile")


def test_a_directory_is_renamed_with_all_in_it(filled: BaseArtifactStore) -> None:
    filled.rename("a/b", "c")
    assert read(filled, "c/two.txt") == b"two!"
    assert not filled.exists("a/b/two.txt")


def test_directories_are_made(store: BaseArtifactStore) -> None:
    store.mkdir("a")
    with pytest.raises(FileExistsError):
        store.mkdir("a")
    with pytest.raises(FileNotFoundError):
        store.mkdir("b/c")
    store.makedirs("b/c")
    store.makedirs("b/c")
    assert store.isdir("b/c")


def test_things_are_removed(filled: BaseArtifactStore) -> None:
    filled.remove("a/one.txt")
    with pytest.raises(FileNotFoundError):
        filled.remove("a/one.txt")
    filled.rmtree("a/b")
    assert filled.listdir("a") == []
    with pytest.raises(StoreError, match="the root of the store"):
        filled.rmtree("")
    assert filled.isdir("")


@pytest.mark.parametrize("path", ["{root}-evil/secret", "../root-evil/secret", "{root}/../root-evil/secret", "ftp://x"])
def test_nothing_leaves_the_root(filled: BaseArtifactStore, path: str) -> None:
    outside = path.format(root=filled.path)
    for operation in ("open", "exists", "glob", "isdir", "listdir", "makedirs", "mkdir", "remove", "rmtree", "size"):
        if isinstance(filled, LocalFiles) and operation == "glob":
            continue  # it lists what is inside, which is nothing
        with pytest.raises(OutsideStore, match="leads out of the store"):
            getattr(filled, operation)(outside)
    for operation in ("copyfile", "rename"):
        with pytest.raises(OutsideStore):
            getattr(filled, operation)(outside, "a/new")
        with pytest.raises(OutsideStore):
            getattr(filled, operation)("a/one.txt", outside)


@pytest.mark.parametrize("store", ["local", "file"], indirect=True)
def test_no_link_leads_out(filled: BaseArtifactStore, tmp_path: Path) -> None:
    (tmp_path / "root/way").symlink_to(tmp_path / "root-evil")
    (tmp_path / "root/inner").symlink_to("a")
    for operation in ("open", "exists", "isdir", "size", "stat", "remove"):
        with pytest.raises(OutsideStore, match="leads out of the store"):
            getattr(filled, operation)("way/secret")
    assert filled.glob("*/secret") == []
    assert not any("secret" in files for _, _, files in filled.walk(""))
    assert read(filled, "inner/one.txt") == b"one"


def test_an_error_of_the_client_is_told_as_the_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    class Throttled(Exception):
        pass

    def fail(*_: object, **__: object) -> None:
        raise Throttled("slow down")

    store = MemoryStore("memory://bucket/root", name="mine")
    for operation in ("info", "walk"):
        monkeypatch.setattr(store.filesystem, operation, fail)
    with pytest.raises(StoreError, match=r"store 'mine' failed at 'memory://bucket/root/x': Throttled: slow down"):
        store.files.stat("x")
    with pytest.raises(StoreError, match="slow down"):
        store.stat(b"x")
    with pytest.raises(StoreError, match="slow down"):
        list(store.files.walk("x"))


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
