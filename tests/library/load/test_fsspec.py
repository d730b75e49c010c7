"""`artfs://` in whatever speaks fsspec: verified, read-only, without a mount."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fsspec
import pytest

from artfs.artifacts.scan import scan
from artfs.catalog.versions import Version
from artfs.content.digest import BLOCK_SIZE, format_digest, hash_bytes
from artfs.errors import ArtifactNotFound, DigestMismatch, HomeError, ReadOnly, VersionNotFound
from artfs.fsspec import ArtfsFileSystem
from artfs.workspace.workspace import Workspace
from support.versions import seal

Make = Callable[..., Version]


@pytest.fixture
def fs(workspace: Workspace) -> ArtfsFileSystem:
    found = fsspec.filesystem("artfs", skip_instance_cache=True)
    assert isinstance(found, ArtfsFileSystem)
    return found


@pytest.fixture
def make(workspace: Workspace, tmp_path: Path) -> Make:
    """Makes a version of files, given as bytes, and links, given as text."""
    count = iter(range(1000))

    def version(artifact: str, files: dict[str, bytes | str], **facts: Any) -> Version:
        folder = tmp_path / f"folder-{next(count)}"
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                (folder / path).write_bytes(content)
            else:
                (folder / path).symlink_to(content)
        return seal(scan(folder), workspace, artifact, adopt=False, **facts)

    return version


@pytest.fixture
def iris(make: Make) -> list[Version]:
    """Two versions."""
    return [
        make("iris", {"train.csv": b"1\n", "deep/test.csv": b"22\n"}, tags=["raw"]),
        make("iris", {"train.csv": b"333\n"}, name="clean", tags=["best"]),
    ]


def stored(workspace: Workspace, version: Version, path: str) -> Path:
    return Path(workspace.stores.active.path, version.artifact, uuid.UUID(version.uuid).hex, path)


class TestWhatIsThere:
    def test_it_is_found_by_its_protocol(self, iris: list[Version]) -> None:
        with fsspec.open("artfs://iris/latest/train.csv") as file:
            assert file.read() == b"333\n"
        with fsspec.open("artfs://iris/1/deep/test.csv", "rt") as file:
            assert file.read() == "22\n"

    @pytest.mark.parametrize(
        ("path", "content"),
        [
            ("iris/1/train.csv", b"1\n"),
            ("iris/clean/train.csv", b"333\n"),
            ("iris/latest/train.csv", b"333\n"),
            ("iris/@raw/train.csv", b"1\n"),
            ("artfs://iris/@best/train.csv", b"333\n"),
            ("artfs:///iris/1/deep/../train.csv", b"1\n"),
        ],
    )
    def test_a_version_is_named_in_many_ways(
        self, fs: ArtfsFileSystem, iris: list[Version], path: str, content: bytes
    ) -> None:
        assert fs.cat_file(path) == content

    def test_listings(self, fs: ArtfsFileSystem, iris: list[Version], make: Make) -> None:
        make("other", {"f": b""})
        assert fs.ls("", detail=False) == fs.ls("artfs://", detail=False) == ["iris", "other"]
        assert fs.ls("iris", detail=False) == ["iris/1", "iris/clean"]
        assert fs.ls("iris/1/", detail=False) == ["iris/1/deep", "iris/1/train.csv"]
        assert fs.ls("iris/latest", detail=False) == ["iris/latest/train.csv"]
        assert fs.ls("iris/1/train.csv", detail=False) == ["iris/1/train.csv"]
        assert fs.find("iris") == ["iris/1/deep/test.csv", "iris/1/train.csv", "iris/clean/train.csv"]
        assert fs.glob("iris/1/*.csv") == ["iris/1/train.csv"]
        assert fs.glob("artfs://iris/*/train.csv") == ["iris/1/train.csv", "iris/clean/train.csv"]
        assert [at for at, _, _ in fs.walk("iris/1")] == ["iris/1", "iris/1/deep"]
        assert fs.du("iris/1") == 5

    def test_what_is_known_of_a_path(self, fs: ArtfsFileSystem, iris: list[Version], tmp_path: Path) -> None:
        info = fs.info("iris/1/train.csv")
        assert (info["name"], info["size"], info["type"]) == ("iris/1/train.csv", 2, "file")
        assert info["digest"] == fs.ukey("iris/1/train.csv") == format_digest(hash_bytes(b"1\n"))
        status = (tmp_path / "folder-0/train.csv").stat()
        assert info["mode"] == status.st_mode
        # As a float, a time of today is told to a fraction of a microsecond: either side may be rounded the other way.
        written = datetime.fromtimestamp(status.st_mtime, UTC)
        assert abs(fs.modified("iris/1/train.csv") - written) <= timedelta(microseconds=1)
        assert fs.info("iris/@best")["version"] == "clean"
        assert fs.info("iris/@best")["digest"] == format_digest(iris[1].digest)
        assert fs.created("iris/1/train.csv") == datetime.fromtimestamp(iris[0].created_us / 1e6, UTC)
        for path in ("", "iris", "iris/1", "iris/latest", "iris/1/deep"):
            assert fs.isdir(path) and not fs.isfile(path)
        assert fs.info("iris/1") in fs.ls("iris")
        assert fs.info("iris/1/deep") in fs.ls("iris/1")

    @pytest.mark.parametrize(
        ("path", "error"),
        [
            ("none", ArtifactNotFound),
            ("none/1/x", ArtifactNotFound),
            ("iris/7/x", VersionNotFound),
            ("iris/@none", VersionNotFound),
            ("iris/1/none", FileNotFoundError),
            ("iris/1/none/x", FileNotFoundError),
            ("iris/1/../../x", FileNotFoundError),
            ("iris/1/train.csv/x", NotADirectoryError),
        ],
    )
    def test_what_is_not_there(self, fs: ArtfsFileSystem, iris: list[Version], path: str, error: type[OSError]) -> None:
        assert not fs.exists(path)
        for operation in (fs.info, fs.ls, fs.open, fs.cat_file):
            with pytest.raises(error):
                operation(path)

    @pytest.mark.parametrize("path", ["", "iris", "iris/1", "iris/1/deep"])
    def test_a_directory_is_no_file(self, fs: ArtfsFileSystem, iris: list[Version], path: str) -> None:
        with pytest.raises(IsADirectoryError):
            fs.open(path)

    def test_a_new_version_is_there_at_once(self, fs: ArtfsFileSystem, iris: list[Version], make: Make) -> None:
        assert fs.cat_file("iris/latest/train.csv") == b"333\n"
        make("iris", {"train.csv": b"new"})
        assert fs.cat_file("iris/latest/train.csv") == b"new"
        assert fs.ls("iris", detail=False)[-1] == "iris/2"

    def test_a_purged_version_is_gone(self, fs: ArtfsFileSystem, iris: list[Version], workspace: Workspace) -> None:
        fs.info("iris/clean/train.csv")
        workspace.catalog.versions.purge(iris[1].id, "too old")
        assert fs.ls("iris", detail=False) == ["iris/1"]
        with pytest.raises(VersionNotFound, match="was removed: too old"):
            fs.open("iris/clean/train.csv")

    @pytest.mark.parametrize("name", ["train::fit::output", "50%", "a b", "ünïcode"])
    def test_names_of_all_kinds(self, make: Make, name: str) -> None:
        make(name, {"f 100%.txt": b"x"})
        fs = fsspec.filesystem("artfs")
        assert fs.cat_file(f"{name}/1/f 100%.txt") == b"x"
        quoted = name.replace("%", "%25").replace(":", "%3A").replace(" ", "%20")
        with fsspec.open(f"artfs://{quoted}/1/f 100%.txt") as file:
            assert file.read() == b"x"

    def test_names_need_not_be_text(self, fs: ArtfsFileSystem, workspace: Workspace, tmp_path: Path) -> None:
        (tmp_path / "odd").mkdir()
        (Path(os.fsdecode(os.fsencode(tmp_path / "odd") + b"/\xff"))).write_bytes(b"x")
        seal(scan(tmp_path / "odd"), workspace, "odd")
        (path,) = fs.find("odd/1")
        assert fs.cat_file(path) == b"x"

    def test_another_home(self, fs: ArtfsFileSystem, tmp_path: Path, make: Make) -> None:
        (tmp_path / "file").write_bytes(b"elsewhere")
        with Workspace.open(tmp_path / "other") as other:
            seal(scan(tmp_path / "file"), other, "there", adopt=False)
        with fsspec.open("artfs://there/1/file", home=str(tmp_path / "other")) as file:
            assert file.read() == b"elsewhere"
        assert not fs.exists("there")
        with pytest.raises(HomeError, match="run 'artfs init'"):
            fsspec.filesystem("artfs", home=str(tmp_path / "none")).ls("")


class TestLinks:
    @pytest.fixture
    def version(self, make: Make) -> Version:
        return make(
            "linked",
            {
                "data/file": b"content",
                "data/up": "..",
                "also": "data",
                "file": "also/file",
                "dangling": "none",
                "out": "../../etc/passwd",
                "absolute": "/etc/passwd",
                "a": "b",
                "b": "a",
            },
        )

    def test_they_are_followed(self, fs: ArtfsFileSystem, version: Version) -> None:
        assert fs.cat_file("linked/1/file") == fs.cat_file("linked/1/also/up/also/file") == b"content"
        assert fs.info("linked/1/file")["islink"] and fs.info("linked/1/file")["size"] == 7
        assert fs.isdir("linked/1/also")

    @pytest.mark.parametrize("name", ["dangling", "out", "absolute", "a"])
    def test_those_that_lead_nowhere_are_only_listed(self, fs: ArtfsFileSystem, version: Version, name: str) -> None:
        listed = {info["name"]: info for info in fs.ls("linked/1")}
        assert listed[f"linked/1/{name}"]["type"] == "link"
        with pytest.raises(OSError, match=r"No such file|leads out of the version|Too many levels"):
            fs.open(f"linked/1/{name}")

    def test_a_walk_ends(self, fs: ArtfsFileSystem, version: Version) -> None:
        found = [path for path in fs.find("linked/1") if fs.isfile(path)]
        assert found == ["linked/1/also/file", "linked/1/data/file", "linked/1/file"]


class TestReading:
    @pytest.fixture
    def content(self, make: Make) -> bytes:
        """A file of two blocks and a half, `big/1/f`."""
        content = os.urandom(BLOCK_SIZE * 2 + BLOCK_SIZE // 2)
        make("big", {"f": content})
        return content

    @pytest.mark.parametrize(
        ("start", "end"),
        [
            (None, None),
            (0, 10),
            (BLOCK_SIZE - 5, BLOCK_SIZE + 5),
            (5, BLOCK_SIZE * 2 + 7),
            (-10, None),
            (-10, -5),
            (None, -BLOCK_SIZE),
            (10, 5),
            (10**9, 10**9 + 1),
            (-(10**9), 3),
            (3, 10**9),
        ],
    )
    def test_ranges(self, fs: ArtfsFileSystem, content: bytes, start: int | None, end: int | None) -> None:
        assert fs.cat_file("big/1/f", start, end) == content[start:end]

    def test_many_ranges_at_once(self, fs: ArtfsFileSystem, content: bytes, iris: list[Version]) -> None:
        paths = ["big/1/f", "iris/1/train.csv", "big/1/f", "iris/1/none", "big/1/f"]
        *found, last = fs.cat_ranges(paths, [0, 0, BLOCK_SIZE, 0, -3], [5, 1, BLOCK_SIZE + 5, 1, None])
        assert found[:3] == [content[:5], b"1", content[BLOCK_SIZE : BLOCK_SIZE + 5]]
        assert isinstance(found[3], FileNotFoundError)
        assert last == content[-3:]
        with pytest.raises(FileNotFoundError):
            fs.cat_ranges(paths, 0, 1, on_error="raise")
        with pytest.raises(ValueError, match="5 paths need as many"):
            fs.cat_ranges(paths, [0], 1)
        assert fs.cat(["iris/1/train.csv", "iris/clean/train.csv"]) == {
            "iris/1/train.csv": b"1\n",
            "iris/clean/train.csv": b"333\n",
        }

    def test_a_file_is_read_in_any_order(self, fs: ArtfsFileSystem, content: bytes) -> None:
        with fs.open("big/1/f") as file:
            assert file.read(10) == content[:10]
            assert file.seek(-20, os.SEEK_END) == len(content) - 20
            assert file.read() == content[-20:]
            assert file.read() == b""
            assert file.seek(BLOCK_SIZE - 1) == file.tell() == BLOCK_SIZE - 1
            buffer = bytearray(BLOCK_SIZE + 2)
            assert file.readinto(buffer) == len(buffer)
            assert buffer == content[BLOCK_SIZE - 1 : BLOCK_SIZE * 2 + 1]
            assert file.seek(0) == 0
            assert file.read() == content
            assert file.seek(10**9) == 10**9
            assert file.read() == b""
            with pytest.raises(ValueError, match="before the file's beginning"):
                file.seek(-(10**10), os.SEEK_CUR)
            assert (file.size, file.mode, file.info()["size"]) == (len(content), "rb", len(content))
            assert file.full_name == "artfs://big/1/f"
        assert file.closed

    def test_lines(self, fs: ArtfsFileSystem, make: Make) -> None:
        make("lines", {"f": b"one\ntwo\nthree"})
        with fs.open("lines/1/f") as file:
            assert list(file) == [b"one\n", b"two\n", b"three"]
        assert fs.read_text("lines/1/f") == "one\ntwo\nthree"
        assert (fs.head("lines/1/f", 3), fs.tail("lines/1/f", 3)) == (b"one", b"ree")

    def test_compression_and_local_caches_work_on_top(self, iris: list[Version], tmp_path: Path) -> None:
        with fsspec.open(
            "filecache::artfs://iris/1/train.csv", filecache={"cache_storage": str(tmp_path / "cache")}
        ) as file:
            assert file.read() == b"1\n"

    def test_a_file_can_be_pickled_and_keeps_its_version(
        self, fs: ArtfsFileSystem, iris: list[Version], make: Make
    ) -> None:
        with fs.open("iris/latest/train.csv") as file:
            file.read(1)
            pickled = pickle.dumps(file)
        make("iris", {"train.csv": b"newer"})
        with pickle.loads(pickled) as file:
            assert file.read() == b"33\n"

    @pytest.mark.parametrize("start", ["fork", "spawn"])
    @pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
    def test_it_works_in_other_processes(self, fs: ArtfsFileSystem, iris: list[Version], start: str) -> None:
        fs.cat_file("iris/1/train.csv")
        with multiprocessing.get_context(start).Pool(1) as pool:
            assert pool.apply(fs.cat_file, ("iris/1/train.csv",)) == b"1\n"

    @pytest.mark.parametrize("size", [100, BLOCK_SIZE * 2 + 100])
    def test_other_bytes_are_never_returned(
        self, fs: ArtfsFileSystem, make: Make, workspace: Workspace, size: int
    ) -> None:
        path = stored(workspace, make("precious", {"f": bytes(size)}), "f")
        path.chmod(0o600)
        with path.open("r+b") as file:
            file.seek(size - 1)
            file.write(b"x")
        for read in (
            lambda: fs.cat_file("precious/1/f"),
            lambda: fs.open("precious/1/f").read(),
            lambda: fs.get("precious/1/f", str(path.parent.parent / "copy")),
        ):
            with pytest.raises(DigestMismatch, match="is damaged"):
                read()
        assert isinstance(fs.cat_ranges(["precious/1/f"], [size - 1], [size])[0], DigestMismatch)


class TestWriting:
    @pytest.mark.parametrize(
        ("operation", "arguments"),
        [
            ("mkdir", ["iris/1/new"]),
            ("makedirs", ["iris/1/new"]),
            ("makedir", ["iris/1/new"]),
            ("rmdir", ["iris/1"]),
            ("rm", ["iris/1", True]),
            ("rm_file", ["iris/1/train.csv"]),
            ("delete", ["iris/1/train.csv"]),
            ("touch", ["iris/1/train.csv"]),
            ("copy", ["iris/1/train.csv", "iris/1/copy"]),
            ("mv", ["iris/1/train.csv", "iris/1/copy"]),
            ("rename", ["iris/1/train.csv", "iris/1/copy"]),
            ("pipe", ["iris/1/train.csv", b"x"]),
            ("pipe_file", ["iris/1/train.csv", b"x"]),
            ("write_text", ["iris/1/train.csv", "x"]),
            ("put", [__file__, "iris/1/new"]),
            ("open", ["iris/1/new", "wb"]),
            ("open", ["iris/1/train.csv", "ab"]),
            ("open", ["iris/1/new", "w"]),
            ("open", ["iris/1/new", "xb"]),
        ],
    )
    def test_it_is_refused_in_one_clear_line(
        self, fs: ArtfsFileSystem, iris: list[Version], operation: str, arguments: list[Any]
    ) -> None:
        with pytest.raises(
            ReadOnly, match=r"^artfs:// is read-only, as versions never change: .*save_artifact"
        ) as caught:
            getattr(fs, operation)(*arguments)
        assert "\n" not in str(caught.value)
        assert fs.find("iris") == ["iris/1/deep/test.csv", "iris/1/train.csv", "iris/clean/train.csv"]


class TestLibraries:
    """Document 004 would load these with a client; here any program does."""

    @pytest.fixture
    def table(self, make: Make, tmp_path: Path) -> Any:
        pandas = pytest.importorskip("pandas")
        pytest.importorskip("pyarrow")
        table = pandas.DataFrame({"x": range(1000), "name": [f"n{number}" for number in range(1000)]})
        table.to_parquet(tmp_path / "df.parquet")
        table.to_csv(tmp_path / "df.csv", index=False)
        make("iris", {name: (tmp_path / name).read_bytes() for name in ("df.parquet", "df.csv")}, tags=["best"])
        return table

    def test_pandas(self, table: Any) -> None:
        import pandas

        assert pandas.read_parquet("artfs://iris/latest/df.parquet").equals(table)
        assert pandas.read_parquet("artfs://iris/@best/df.parquet", columns=["x"]).equals(table[["x"]])
        assert pandas.read_csv("artfs://iris/1/df.csv").equals(table)
        with pytest.raises(ReadOnly):
            table.to_parquet("artfs://iris/2/df.parquet")

    def test_arrow(self, table: Any, fs: ArtfsFileSystem) -> None:
        from pyarrow import dataset

        found = dataset.dataset("iris/1/df.parquet", filesystem=fs)
        assert found.count_rows() == 1000
        assert found.to_table(columns=["x"]).column("x").to_pylist() == list(range(1000))

    def test_numpy(self, make: Make, tmp_path: Path) -> None:
        numpy = pytest.importorskip("numpy")
        numpy.save(tmp_path / "a.npy", numpy.arange(10))
        make("array", {"a.npy": (tmp_path / "a.npy").read_bytes()})
        with fsspec.open("artfs://array/latest/a.npy") as file:
            assert numpy.load(file).tolist() == list(range(10))
