"""Pins: links to what is complete, which outlive its names."""

from __future__ import annotations

import os
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from artfs.content.files import remove_tree, walk_files
from artfs.content.long_paths import lstat, reachable
from artfs_mount.incoming.pins import KeptUnit, Pins, remove
from support.deep import LEVELS, NAME, dig, picture

ODD = [b"with space", b"new\nline", b"\xff\xfe", b"-rf", b"*", "größer".encode(), b"a" * 255, b".hidden"]


@pytest.fixture
def pins(tmp_path: Path) -> Pins:
    return Pins(tmp_path / "pins")


@pytest.fixture
def unit(tmp_path: Path) -> bytes:
    unit = os.fsencode(tmp_path / "unit")
    os.mkdir(unit)
    return unit


def write(path: bytes, content: bytes = b"content") -> bytes:
    with reachable(path) as at, open(at, "wb") as file:
        file.write(content)
    return path


def names(top: bytes) -> set[bytes]:
    return {os.path.relpath(path, top) for path in walk_files(top)}


def test_names_of_all_kinds(pins: Pins, unit: bytes) -> None:
    for number, name in enumerate(ODD):
        os.mkdir(os.path.join(unit, b"%d" % number))
        write(os.path.join(unit, b"%d" % number, name), name)
        write(os.path.join(unit, name), name)
    kept = pins.make(unit)
    assert names(kept.path) == names(unit)
    for path in names(unit):
        with open(os.path.join(kept.path, path), "rb") as file:
            assert file.read() == os.path.basename(path)
        assert os.path.samestat(os.lstat(os.path.join(unit, path)), os.lstat(os.path.join(kept.path, path)))
    assert sum(kept.inodes.values()) == 2 * len(ODD)


def test_directories_and_links_are_as_they_were(pins: Pins, unit: bytes) -> None:
    os.mkdir(os.path.join(unit, b"closed"))
    os.mkdir(os.path.join(unit, b"empty"))
    os.symlink(b"nowhere", os.path.join(unit, b"link"))
    os.symlink(b"closed", os.path.join(unit, b"link to a directory"))
    write(os.path.join(unit, b"closed", b"a"))
    os.chmod(os.path.join(unit, b"closed"), 0o550)
    for name in (b"closed", b"empty", b""):
        os.utime(os.path.join(unit, name), ns=(10**9, 2 * 10**9))
    kept = pins.make(unit)
    for name in (b"closed", b"empty", b"", b"link", b"link to a directory"):
        before, after = os.lstat(os.path.join(unit, name)), os.lstat(os.path.join(kept.path, name))
        assert (before.st_mode, before.st_mtime_ns, before.st_uid) == (after.st_mode, after.st_mtime_ns, after.st_uid)
    assert os.readlink(os.path.join(kept.path, b"link")) == b"nowhere"
    remove(kept.path)
    assert not os.path.lexists(kept.path)
    assert os.path.exists(os.path.join(unit, b"closed", b"a"))


def test_a_unit_may_be_as_deep_as_it_likes(pins: Pins, unit: bytes) -> None:
    dig(Path(os.fsdecode(unit)))
    kept = pins.make(unit)
    bottom = b"/".join([unit, *[NAME.encode()] * LEVELS, b"bottom"])
    try:
        assert picture(Path(os.fsdecode(kept.path))) == picture(Path(os.fsdecode(unit)))
        assert lstat(bottom).st_nlink == 4
    finally:
        remove(kept.path)
    assert lstat(bottom).st_nlink == 2
    remove_tree(unit)


@pytest.mark.parametrize("is_copied", [False, True])
def test_a_single_file(pins: Pins, unit: bytes, is_copied: bool) -> None:
    file = write(os.path.join(unit, b"epoch=1.ckpt"))
    os.setxattr(file, "user.artfs.unfinished", b"open")
    kept = pins.make(file, [file] if is_copied else [])
    os.unlink(file)
    with open(kept.path, "rb") as kept_file:
        assert kept_file.read() == b"content"
    assert os.listxattr(kept.path) == ([] if is_copied else ["user.artfs.unfinished"])
    assert len(kept.inodes) == (0 if is_copied else 1)


def test_what_is_being_removed_meanwhile_is_not_kept_and_leaves_nothing(
    pins: Pins, unit: bytes, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        pins.make(os.path.join(unit, b"gone"))
    for number in range(2000):
        write(os.path.join(unit, b"%d" % number))
    removing = subprocess.Popen(["rm", "-r", unit])
    made: list[KeptUnit] = []
    try:
        while True:
            made.append(pins.make(unit))
    except FileNotFoundError:
        pass
    assert removing.wait() == 0
    assert {os.fsdecode(kept.path) for kept in made} == {str(path) for path in (tmp_path / "pins").iterdir()}
    for kept in made:
        remove(kept.path)


def test_links_that_users_made_are_told_from_pins(pins: Pins, unit: bytes) -> None:
    a = write(os.path.join(unit, b"a"))
    os.link(a, os.path.join(unit, b"b"))
    first = pins.make(unit)
    pins.keep(b"run", b"unit", first)
    assert pins.links(os.lstat(a)) == 2
    second = pins.make(a)
    pins.keep(b"other", b"a", second)
    assert pins.links(os.lstat(a)) == 2
    assert pins.units_of(os.lstat(a).st_ino) == [(b"run", b"unit"), (b"other", b"a")]
    assert pins.drop(b"run", b"unit") == first
    assert pins.links(os.lstat(a)) == 2  # its links are still there
    pins.remove(first)
    pins.removed(first)
    assert pins.links(os.lstat(a)) == 2
    assert pins.holds(os.lstat(a).st_ino)
    assert pins.drop_all(b"other") == [second]
    pins.remove(second)
    pins.removed(second)
    assert not pins.holds(os.lstat(a).st_ino)
    assert os.lstat(a).st_nlink == pins.links(os.lstat(a)) == 2


def test_a_link_is_never_counted_as_none(pins: Pins, unit: bytes) -> None:
    """Between the removal of a pin's links and the note of that."""
    a = write(os.path.join(unit, b"a"))
    kept = pins.make(unit)
    pins.keep(b"run", b"unit", kept)
    pins.drop(b"run", b"unit")
    pins.remove(kept)
    assert pins.links(os.lstat(a)) == 1


def test_links_are_told_exactly_while_they_are_made_and_removed(pins: Pins, unit: bytes) -> None:
    """Whoever makes a version asks so: a user's link must be seen, and none that is the daemon's own."""
    for number in range(50):
        write(os.path.join(unit, b"%d" % number))
    os.link(os.path.join(unit, b"7"), os.path.join(unit, b"seven"))
    stopped = threading.Event()

    def make_and_remove() -> None:
        while not stopped.is_set():
            kept = pins.make(unit)
            pins.remove(kept)
            pins.removed(kept)

    thread = threading.Thread(target=make_and_remove)
    thread.start()
    try:
        for _ in range(300):
            assert pins.links_at(os.path.join(unit, b"7")) == 2
            assert pins.links_at(os.path.join(unit, b"8")) == 1
    finally:
        stopped.set()
        thread.join()


def test_places_of_pins_move(pins: Pins, unit: bytes) -> None:
    kept = {name: pins.make(write(os.path.join(unit, name))) for name in (b"a", b"b", b"c")}
    for name, each in kept.items():
        pins.keep(b"run", name, each)
    assert pins.move({(b"run", b"a"): (b"run", b"b"), (b"run", b"b"): (b"run", b"a")}) == []
    assert (pins.of(b"run", b"a"), pins.of(b"run", b"b")) == (kept[b"b"], kept[b"a"])
    assert pins.move({(b"run", b"a"): (b"run", b"c")}) == [kept[b"c"]]
    assert (pins.of(b"run", b"a"), pins.of(b"run", b"c")) == (None, kept[b"b"])
    assert pins.move({(b"run", b"unknown"): (b"run", b"c")}) == []


def test_a_fifo_is_left_to_the_version_to_refuse(pins: Pins, unit: bytes) -> None:
    os.mkfifo(os.path.join(unit, b"fifo"))
    kept = pins.make(unit)
    assert stat.S_ISFIFO(os.lstat(os.path.join(kept.path, b"fifo")).st_mode)
