"""Files by path or URI: in stores, outside of stores, and never in the bytes of a version."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from artfs.artifacts.scan import scan
from artfs.errors import InvalidValue, OutsideStore, ReadOnly, StoreError
from artfs.io import fileio, io_utils
from artfs.workspace.registration import register_store
from artfs.workspace.workspace import Workspace
from support.stores import MemoryStore
from support.versions import seal


@pytest.fixture
def root(workspace: Workspace) -> str:
    """The root of the default store."""
    return workspace.stores.active.path


@pytest.fixture
def memory(workspace: Workspace) -> Iterator[str]:
    """The root of a store that is no directory."""
    yield register_store(workspace, "memory", MemoryStore.flavor, "memory://bucket/root").path
    fsspec.filesystem("memory").rm("/", recursive=True)


@pytest.fixture(params=["default", "memory", "plain"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A directory in a local store, in another store, or in none."""
    above = (
        str(tmp_path)
        if request.param == "plain"
        else request.getfixturevalue({"default": "root"}.get(request.param, request.param))
    )
    fileio.makedirs(f"{above}/base")
    return f"{above}/base"


def write(path: str, content: str = "content") -> None:
    io_utils.write_file_contents_as_string(path, content)


def read(path: str) -> str:
    return io_utils.read_file_contents_as_string(path)


def test_all_operations_work_everywhere(base: str) -> None:
    fileio.mkdir(f"{base}/a")
    fileio.makedirs(f"{base}/a/b/c")
    write(f"{base}/a/one.txt", "one")
    write(f"{base}/a/b/two.txt", "zwölf")
    assert fileio.exists(f"{base}/a/one.txt") and not fileio.exists(f"{base}/none")
    assert fileio.isdir(f"{base}/a") and not fileio.isdir(f"{base}/a/one.txt")
    assert sorted(fileio.listdir(f"{base}/a")) == ["b", "one.txt"]
    assert fileio.glob(f"{base}/a/*.txt") == [f"{base}/a/one.txt"]
    assert fileio.size(f"{base}/a/b/two.txt") == 6
    assert fileio.stat(f"{base}/a/one.txt") is not None
    assert [directory for directory, _, _ in fileio.walk(f"{base}/a")] == [f"{base}/a", f"{base}/a/b", f"{base}/a/b/c"]
    assert list(io_utils.find_files(base, "*.txt")) == [f"{base}/a/one.txt", f"{base}/a/b/two.txt"]
    fileio.copy(f"{base}/a/one.txt", f"{base}/copy.txt")
    with pytest.raises(FileExistsError):
        fileio.copyfile(f"{base}/a/one.txt", f"{base}/copy.txt")
    fileio.rename(f"{base}/copy.txt", f"{base}/moved.txt")
    with pytest.raises(FileExistsError):
        fileio.rename(f"{base}/moved.txt", f"{base}/a/one.txt")
    io_utils.move(f"{base}/moved.txt", f"{base}/a/one.txt", overwrite=True)
    assert read(f"{base}/a/one.txt") == "one"
    fileio.remove(f"{base}/a/one.txt")
    with pytest.raises(FileNotFoundError):
        fileio.remove(f"{base}/a/one.txt")
    with pytest.raises(FileNotFoundError):
        read(f"{base}/a/one.txt")
    fileio.rmtree(f"{base}/a")
    assert fileio.listdir(base) == []


def test_files_are_copied_between_stores(root: str, memory: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(range(256)))
    fileio.copy(tmp_path / "file", f"{memory}/file")
    fileio.copy(f"{memory}/file", f"{root}/file")
    fileio.copy(f"{root}/file", str(tmp_path / "back").encode())
    assert (tmp_path / "back").read_bytes() == bytes(range(256))
    with pytest.raises(FileExistsError, match="overwrite=True"):
        fileio.copy(tmp_path / "file", f"{memory}/file")
    fileio.copy(tmp_path / "file", f"{memory}/file", overwrite=True)
    with pytest.raises(StoreError, match="they are in different stores"):
        fileio.rename(f"{memory}/file", f"{root}/other")


def test_an_empty_temporary_file_may_be_copied_over(root: str) -> None:
    write(f"{root}/file", "content")
    with tempfile.NamedTemporaryFile() as temporary:
        fileio.copy(f"{root}/file", temporary.name)
        assert temporary.read() == b"content"
        with pytest.raises(FileExistsError):
            fileio.copy(f"{root}/file", temporary.name)


class TestSandbox:
    @pytest.fixture(autouse=True)
    def neighbour(self, root: str) -> str:
        """A directory whose name begins with the store's; in no store."""
        os.mkdir(f"{root}-evil")
        Path(f"{root}-evil/secret").write_text("secret")
        return f"{root}-evil"

    @pytest.mark.parametrize("way", ["../store-evil/secret", "a/../../store-evil/secret", "link/secret", "file"])
    def test_nothing_that_begins_in_a_store_leaves_it(self, root: str, neighbour: str, way: str) -> None:
        os.symlink(neighbour, f"{root}/link")
        os.symlink(f"{neighbour}/secret", f"{root}/file")
        path = f"{root}/{way}"
        for operation in (fileio.open, fileio.exists, fileio.isdir, fileio.size, fileio.stat, fileio.listdir):
            with pytest.raises(OutsideStore, match="leads out of the store"):
                operation(path)
        for writing in (lambda: write(path), lambda: fileio.copy(neighbour + "/secret", path, overwrite=True)):
            with pytest.raises(OutsideStore):
                writing()
        if way != "file":
            for removing in (fileio.remove, fileio.rmtree, fileio.mkdir):
                with pytest.raises(OutsideStore):
                    removing(path)
        assert read(f"{neighbour}/secret") == "secret"

    @pytest.mark.parametrize("way", ["../x", "a/../../x", "../root-evil/x"])
    def test_nor_where_there_are_no_directories(self, memory: str, way: str) -> None:
        with pytest.raises(OutsideStore):
            fileio.open(f"{memory}/{way}", "w")

    def test_a_neighbour_is_not_in_the_store(self, root: str, neighbour: str) -> None:
        write(f"{neighbour}/new")
        fileio.remove(f"{neighbour}/new")
        with pytest.raises(StoreError, match="different stores"):
            fileio.rename(f"{neighbour}/secret", f"{root}/x")

    def test_a_link_into_a_store_is_in_it(self, root: str, tmp_path: Path) -> None:
        (tmp_path / "way").symlink_to(root)
        write(f"{tmp_path}/way/file", "content")
        assert read(f"{root}/file") == "content"
        assert [directory for directory, _, _ in fileio.walk(tmp_path / "way")] == [f"{tmp_path}/way"]
        with pytest.raises(StoreError, match="the root of the store"):
            fileio.rmtree(f"{tmp_path}/way/../store")

    def test_a_store_is_not_removed_with_what_is_above_it(self, root: str, home: Path, tmp_path: Path) -> None:
        for above in (home, tmp_path):
            with pytest.raises(StoreError, match="holds the artifact store 'default'"):
                fileio.rmtree(above)
            with pytest.raises(StoreError, match="holds the artifact store 'default'"):
                fileio.rename(above, "/nowhere")
        assert os.path.isdir(root)

    @pytest.mark.parametrize("uri", ["s3://bucket/file", "memory://other", "file://elsewhere/x"])
    def test_a_uri_in_no_store_is_an_error(self, root: str, uri: str) -> None:
        with pytest.raises(StoreError, match="is in no registered artifact store"):
            fileio.open(uri)


class TestVersions:
    @pytest.fixture
    def file(self, workspace: Workspace, tmp_path: Path) -> str:
        """The path of a file that belongs to a version."""
        (tmp_path / "source").mkdir()
        (tmp_path / "source/a.txt").write_text("precious")
        version = seal(scan(tmp_path / "source"), workspace, "iris", adopt=False)
        return f"{workspace.stores.active.path}/iris/{version.uuid.replace('-', '')}/a.txt"

    def test_their_files_are_read(self, file: str) -> None:
        assert read(file) == "precious"
        assert fileio.listdir(os.path.dirname(file)) == ["a.txt"]

    def test_their_files_are_never_changed(self, file: str, root: str, tmp_path: Path) -> None:
        directory, above = os.path.dirname(file), os.path.dirname(os.path.dirname(file))
        os.symlink(file, f"{root}/link")
        os.symlink(file, tmp_path / "link")
        write(f"{root}/other")
        attempts = [
            *[lambda mode=mode: fileio.open(file, mode) for mode in ("w", "a", "r+", "xb")],
            lambda: fileio.open(f"{root}/link", "w"),
            lambda: fileio.open(tmp_path / "link", "w"),
            lambda: fileio.remove(file),
            lambda: fileio.rmtree(directory),
            lambda: fileio.rmtree(above),
            lambda: fileio.rename(above, f"{root}/new name"),
            lambda: fileio.rename(f"{root}/other", file, overwrite=True),
            lambda: fileio.copy(f"{root}/other", file, overwrite=True),
            lambda: fileio.makedirs(f"{directory}/new"),
            lambda: fileio.mkdir(f"{directory}/new"),
        ]
        for attempt in attempts:
            with pytest.raises(ReadOnly, match=r"belongs to version iris/1, and versions never change"):
                attempt()
        fileio.remove(f"{root}/link")
        assert read(file) == "precious"


def test_plain_files_need_no_home(home: Path, tmp_path: Path) -> None:
    write(f"{tmp_path}/file", "content")
    assert read(f"file://{tmp_path}/file") == "content"
    fileio.remove(tmp_path / "file")
    with pytest.raises(StoreError, match="is in no registered artifact store"):
        fileio.open("s3://bucket/x")
    assert not home.exists()


def test_relative_paths_are_plain(tmp_path: Path, root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fileio.makedirs("a/b")
    write("a/b/file")
    assert list(fileio.walk("a")) == [("a", ["b"], []), ("a/b", [], ["file"])]
    assert fileio.glob("a/*/file") == ["a/b/file"]


def test_directories_are_copied(base: str, root: str, tmp_path: Path) -> None:
    fileio.makedirs(f"{base}/from/deep/empty")
    write(f"{base}/from/one", "1")
    write(f"{base}/from/deep/two", "2")
    io_utils.copy_dir(f"{base}/from", f"{root}/to")
    assert sorted(io_utils.find_files(f"{root}/to", "*")) == [f"{root}/to/deep/two", f"{root}/to/one"]
    assert fileio.isdir(f"{root}/to/deep/empty")
    with pytest.raises(FileExistsError):
        io_utils.copy_dir(f"{base}/from", f"{root}/to")
    io_utils.copy_dir(f"{root}/to", f"{base}/from/deep/inner", overwrite=True)
    io_utils.copy_dir(f"{base}/from", f"{base}/from/deep/copy")
    assert read(f"{base}/from/deep/copy/deep/two") == "2"
    assert not fileio.exists(f"{base}/from/deep/copy/deep/copy")


def test_links_are_copied_as_what_they_lead_to(root: str, tmp_path: Path) -> None:
    (tmp_path / "from/deep").mkdir(parents=True)
    (tmp_path / "from/deep/file").write_text("content")
    (tmp_path / "from/also").symlink_to("deep")
    io_utils.copy_dir(tmp_path / "from", f"{root}/to")
    assert read(f"{root}/to/also/file") == "content"
    (tmp_path / "from/deep/loop").symlink_to("..")
    with pytest.raises(InvalidValue, match="leads to a directory above it"):
        io_utils.copy_dir(tmp_path / "from", f"{root}/to", overwrite=True)


def test_things_are_made_only_if_they_are_missing(base: str) -> None:
    io_utils.create_dir_if_not_exists(f"{base}/a")
    io_utils.create_dir_if_not_exists(f"{base}/a")
    io_utils.create_dir_recursive_if_not_exists(f"{base}/b/c")
    io_utils.create_file_if_not_exists(f"{base}/d/e/file")
    io_utils.create_file_if_not_exists(f"{base}/d/e/file", "other")
    assert read(f"{base}/d/e/file") == "{}"
    assert sorted(fileio.listdir(base)) == ["a", "b", "d"]


def test_small_helpers(tmp_path: Path, home: Path) -> None:
    assert [io_utils.is_remote(path) for path in ("s3://b/x", "file:///x", "/x", "x")] == [True, False, False, False]
    assert (io_utils.is_root("/"), io_utils.is_root("/x")) == (True, False)
    assert (io_utils.get_parent("/a/b/c"), io_utils.get_grandparent("/a/b/c")) == ("b", "a")
    (tmp_path / "link").symlink_to("target")
    assert io_utils.resolve_relative_path(tmp_path / "link") == str(tmp_path / "target")
    assert io_utils.resolve_relative_path("s3://b/../x") == "s3://b/../x"
    assert io_utils.convert_to_str(b"\xc3\xbc") == io_utils.convert_to_str(Path("ü")) == "ü"
    assert io_utils.get_global_config_directory() == str(home)


def test_text_is_never_written_in_part(root: str) -> None:
    with pytest.raises(TypeError, match="content must be a str, not bytes"):
        io_utils.write_file_contents_as_string(f"{root}/file", b"bytes")  # type: ignore[arg-type]
    assert not fileio.exists(f"{root}/file")


def test_the_names_of_zenml_lead_here() -> None:
    program = (
        "from artfs.utils import io_utils as theirs; from artfs.io import fileio, io_utils\n"
        "assert theirs.copy_dir is io_utils.copy_dir"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
