"""Copies that share or keep what they can, and writes that are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from artfs.content import files


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A directory on another file system."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        yield Path(directory)


def sparse(path: Path) -> Path:
    with path.open("wb") as file:
        file.write(b"start")
        file.seek(20 * 2**20)
        file.write(b"middle")
        file.truncate(50 * 2**20 + 3)
    return path


def test_a_link_is_made_where_it_can_be(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x")
    assert files.link_or_copy(source, tmp_path / "target")
    assert (tmp_path / "target").samefile(source)


def test_a_file_on_another_file_system_is_copied(tmp_path: Path, elsewhere: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 10)
    source.chmod(0o640)
    os.utime(source, ns=(1, 123_456_789_123_456_789))
    assert not files.link_or_copy(source, elsewhere / "target")
    copied = (elsewhere / "target").stat()
    assert (elsewhere / "target").read_bytes() == b"x" * 10
    assert (copied.st_mode & 0o777, copied.st_mtime_ns, copied.st_nlink) == (0o640, 123_456_789_123_456_789, 1)
    assert os.listdir(elsewhere) == ["target"]


def test_beyond_the_limit_of_links_a_file_is_copied(tmp_path: Path, elsewhere: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x")
    try:
        for number in range(os.pathconf(tmp_path, "PC_LINK_MAX")):
            os.link(source, tmp_path / str(number))
            if number > 70_000:
                pytest.skip("this file system knows no limit of links")
    except OSError:
        assert not files.link_or_copy(source, tmp_path / "target")
    else:
        pytest.skip("this file system knows no limit of links")
    assert (tmp_path / "target").read_bytes() == b"x"
    assert not (tmp_path / "target").samefile(source)


def test_holes_stay_holes_in_a_copy(tmp_path: Path, elsewhere: Path) -> None:
    source = sparse(tmp_path / "source")
    for target in (tmp_path / "target", elsewhere / "target"):
        files.clone_or_copy(source, target)
        assert target.read_bytes() == source.read_bytes()
        assert target.stat().st_blocks * 512 < 2 * 2**20


@pytest.mark.parametrize("size", [0, 1, 2**20 + 1])
def test_a_copy_is_the_same_at_every_size(tmp_path: Path, elsewhere: Path, size: int) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(size))
    files.clone_or_copy(source, elsewhere / "target")
    assert (elsewhere / "target").read_bytes() == source.read_bytes()


@pytest.mark.parametrize("bring", [files.link_or_copy, files.clone_or_copy])
def test_nothing_is_overwritten(tmp_path: Path, elsewhere: Path, bring: object) -> None:
    assert callable(bring)
    (tmp_path / "source").write_bytes(b"new")
    for directory in (tmp_path, elsewhere):
        (directory / "target").write_bytes(b"old")
        with pytest.raises(FileExistsError):
            bring(tmp_path / "source", directory / "target")
        assert (directory / "target").read_bytes() == b"old"
        assert not [name for name in os.listdir(directory) if name.startswith(".artfs")]


def test_a_link_is_copied_as_itself_never_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    files.link_or_copy(tmp_path / "link", tmp_path / "target")
    assert os.readlink(tmp_path / "target") == "/etc/passwd"


def test_data_ranges_are_where_the_data_is(tmp_path: Path) -> None:
    with sparse(tmp_path / "file").open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        ranges = files.data_ranges(file.fileno(), size)
        assert sum(end - start for start, end in ranges) < 2**20
    data = (tmp_path / "file").read_bytes()
    inside = bytearray(size)
    for start, end in ranges:
        inside[start:end] = data[start:end]
    assert bytes(inside) == data


def test_an_atomic_write_replaces_and_leaves_nothing_beside(tmp_path: Path) -> None:
    target = tmp_path / "file"
    for data in (b"old", b"new and longer"):
        files.atomic_write(target, data, mode=0o660)
        assert target.read_bytes() == data
        assert target.stat().st_mode & 0o777 == 0o660, "whatever the umask is"
    assert os.listdir(tmp_path) == ["file"]


def test_a_failed_atomic_write_keeps_the_old_content(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.mkdir()
    with pytest.raises(IsADirectoryError):
        files.atomic_write(target, b"new", mode=0o640)
    assert os.listdir(tmp_path) == ["file"]


def test_syncing_says_when_it_could_not(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    files.sync_directory(tmp_path)
    files.sync_filesystem(tmp_path)
    for sync in (files.sync_directory, files.sync_filesystem):
        with pytest.raises(FileNotFoundError):
            sync(tmp_path / "missing")
    with pytest.raises(OSError, match="Bad file descriptor"):
        files.sync_filesystem(99_999)


@pytest.mark.parametrize("topdown", [True, False])
def test_walking_finds_what_the_system_library_finds(tmp_path: Path, topdown: bool) -> None:
    for path in ("a/b/file", "a/c/deep/er/file", "b/file", "file"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "a" / "link to a folder").symlink_to("../b")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / os.fsdecode(b"\xff")).touch()
    assert list(files.walk(str(tmp_path), topdown)) == list(os.walk(tmp_path, topdown)) != []
    told: list[OSError] = []
    assert list(files.walk(str(tmp_path / "missing"), topdown, told.append)) == []
    assert isinstance(told[0], FileNotFoundError)


def test_whoever_walks_may_leave_directories_out(tmp_path: Path) -> None:
    (tmp_path / "in/deep").mkdir(parents=True)
    (tmp_path / "out/deep").mkdir(parents=True)
    found = []
    for directory, directories, _ in files.walk(str(tmp_path)):
        found.append(os.path.relpath(directory, tmp_path))
        directories[:] = [name for name in directories if name != "out"]
    assert found == [".", "in", "in/deep"]
