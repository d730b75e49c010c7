"""Paths that no system call takes are reached all the same; what is shown of them stays readable."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from artfs.content import files
from artfs.content.long_paths import LONGEST, in_pieces, lstat, reachable, shown
from support.deep import LEVELS, NAME, PATH_MAX, dig, inside
from support.forks import forked, was_killed
from support.users import let_all_reach


@pytest.fixture
def top(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "top"
    path.mkdir()
    dig(path)
    yield path
    if path.exists():
        files.remove_tree(bytes(path), despite_modes=True)


@pytest.fixture
def bottom(top: Path) -> bytes:
    return bytes(top) + b"/" + b"/".join([NAME.encode()] * LEVELS) + b"/bottom"


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_a_short_path_is_used_as_it_is() -> None:
    before = open_descriptors()
    with reachable("/etc/passwd") as at:
        assert at == b"/etc/passwd" and open_descriptors() == before


@pytest.mark.parametrize("length", [LONGEST, LONGEST + 1, PATH_MAX - 1, PATH_MAX, 3 * PATH_MAX])
def test_a_file_is_reached_however_long_its_path_is(tmp_path: Path, length: int) -> None:
    """With a name of the greatest length at its end, and with names beside it."""
    path, last = bytes(tmp_path), b"f" * 255
    with inside(tmp_path):
        while len(path) < length - 256:
            name = b"d" * min(200, max(1, length - 256 - len(path) - 1))
            os.mkdir(name)
            os.chdir(name)
            path += b"/" + name
    path = b"%s/%s" % (path, last)
    assert abs(len(path) - length) <= 1
    before = open_descriptors()
    with reachable(path) as at:
        Path(os.fsdecode(at)).write_bytes(b"content")
        os.setxattr(at, "user.x", b"value")
        os.rename(at, os.path.join(os.path.dirname(at), b"r" * 255))
        assert os.listdir(os.path.dirname(at)) == [b"r" * 255]
        assert os.path.samestat(os.lstat(os.path.dirname(at)), os.stat(os.path.dirname(at)))
    assert open_descriptors() == before
    with pytest.raises(FileNotFoundError):
        lstat(path)
    files.remove_tree(bytes(next(tmp_path.iterdir())))


def test_slashes_too_many_lead_nowhere_else(top: Path, bottom: bytes) -> None:
    doubled = bottom.replace(b"/", b"//")
    with reachable(doubled) as at:
        assert os.path.samestat(os.lstat(at), lstat(bottom))
    steps, rest = in_pieces(doubled)
    assert not any(step.startswith(b"/") for step in [*steps[1:], rest])


def test_a_relative_path_is_reached_from_here_and_from_a_directory(top: Path, bottom: bytes) -> None:
    relative = bottom.removeprefix(bytes(top) + b"/")
    with inside(top):
        assert lstat(relative).st_nlink == 2
    directory = os.open(top, os.O_PATH)
    with reachable(relative, directory) as at:
        assert os.stat(at, dir_fd=directory).st_nlink == 2
    os.close(directory)


def test_an_error_names_the_path_and_leaves_nothing_open(top: Path, bottom: bytes) -> None:
    before = open_descriptors()
    with pytest.raises(FileNotFoundError) as failure:
        lstat(bottom + b" is not here")
    assert failure.value.filename == shown(bottom + b" is not here")
    assert failure.value.filename.startswith(str(top)) and failure.value.filename.endswith("bottom is not here")
    with pytest.raises(FileNotFoundError):
        lstat(bottom.replace(b"/n", b"/m"))
    with pytest.raises(NotADirectoryError):
        lstat(bottom + b"/n" * LONGEST)
    assert open_descriptors() == before


def test_a_name_that_no_file_can_have_is_an_error() -> None:
    with pytest.raises(OSError) as failure:
        lstat(b"/" + b"n" * 2 * PATH_MAX)
    assert failure.value.errno == errno.ENAMETOOLONG


def test_a_link_on_the_way_is_followed_and_one_at_the_end_is_not(top: Path, bottom: bytes) -> None:
    (top / "way").symlink_to(NAME)
    through = bottom.replace(NAME.encode(), b"way", 1)
    assert os.path.samestat(lstat(through), lstat(bottom))
    assert os.readlink(f"/proc/self/fd/{os.open(top, os.O_PATH | os.O_CLOEXEC)}") == str(top)
    with reachable(os.path.dirname(bottom) + b"/link") as at:
        assert os.path.islink(at)


def test_what_is_shown_of_a_long_path_is_its_begin_and_its_end() -> None:
    assert shown(b"/short/\xff") == "/short/\udcff"
    assert shown("/first" + "/n" * 5000 + "/last").startswith("/first/n")
    assert shown("/first" + "/n" * 5000 + "/last").endswith("/n/last")
    assert len(shown("/n" * 5000)) < 500


def test_everything_below_is_found_and_removed(top: Path, bottom: bytes) -> None:
    found = list(files.walk_files(bytes(top)))
    assert bottom in found and len(found) == LEVELS // 100 + 4
    before = open_descriptors()
    files.remove_tree(bytes(top))
    assert not top.exists() and open_descriptors() == before


def test_trees_deeper_than_the_stack_are_walked_and_removed(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    dig(top, 2000, "d", every=400)
    assert len(list(files.walk_files(bytes(top)))) == 5 + 4
    files.remove_tree(bytes(top))
    assert os.listdir(tmp_path) == []


def test_a_tree_is_removed_from_a_directory_that_is_open(top: Path) -> None:
    (top / "outside").mkdir()
    (top / "outside" / "kept").touch()
    with inside(top, LEVELS):
        os.symlink(top / "outside", "link to a directory")
    directory = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    files.remove_tree(NAME.encode(), directory=directory)
    os.close(directory)
    assert os.listdir(top) == ["outside"] and os.listdir(top / "outside") == ["kept"]


def test_a_link_is_not_a_tree_to_be_removed(top: Path) -> None:
    link = top / "link"
    link.symlink_to(NAME)
    with pytest.raises(NotADirectoryError):
        files.remove_tree(bytes(link))
    assert (top / NAME).is_dir()


def test_a_tree_is_not_removed_beyond_a_directory_that_was_moved_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever moves the directory that is just being emptied has its new surroundings left alone."""
    (tmp_path / "tree/a/b").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/kept").touch()
    real_scandir = os.scandir
    listed = []

    def scandir(directory: int):  # type: ignore[no-untyped-def]
        listed.append(directory)
        if len(listed) == 3:
            os.rename(tmp_path / "tree/a/b", tmp_path / "elsewhere/b")
        return real_scandir(directory)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(OSError) as failure:
        files.remove_tree(bytes(tmp_path / "tree"))
    assert failure.value.errno == errno.ESTALE
    assert (tmp_path / "elsewhere/kept").exists() and (tmp_path / "tree/a").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_modes_keep_the_owner_from_removing_only_if_they_are_heeded(tmp_path: Path) -> None:
    top = tmp_path / "tree"
    (top / "a/b").mkdir(parents=True)
    (top / "a/b/file").touch()
    for path in (top / "a/b", top / "a"):
        path.chmod(0)
    for path in (tmp_path, top, top / "a", top / "a/b"):
        os.chown(path, 65534, 65534)
    let_all_reach(tmp_path)

    def remove_as_nobody() -> None:
        os.setresuid(65534, 65534, 65534)
        with pytest.raises(PermissionError):
            files.remove_tree(bytes(top))
        files.remove_tree(bytes(top), despite_modes=True)

    assert not was_killed(forked(remove_as_nobody))
    assert not top.exists()


def test_a_directory_that_cannot_be_listed_is_told(tmp_path: Path) -> None:
    told: list[OSError] = []
    assert list(files.walk_files(bytes(tmp_path / "missing"), on_error=told.append)) == []
    assert isinstance(told[0], FileNotFoundError)
    with pytest.raises(FileNotFoundError):
        list(files.walk_files(bytes(tmp_path / "missing")))
