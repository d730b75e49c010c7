"""What docs/semantics.md promises of `/incoming` beyond what every test does in passing."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.drafts import NEVER_BY_ITSELF, commit, mount_for_a_module, raises
from support.mount import Mount
from support.programs import all_ended

RENAME_NOREPLACE = 1
RENAME_EXCHANGE = 2

_libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture(scope="module")
def mount(fuse_for_everyone: None) -> Iterator[Mount]:
    yield from mount_for_a_module(NEVER_BY_ITSELF)


@pytest.fixture
def draft(mount: Mount, request: pytest.FixtureRequest) -> Path:
    path = mount.incoming / request.node.name.removeprefix("test_")
    path.mkdir()
    (path / "file").write_bytes(b"content")
    return path


def rename2(source: Path, target: Path, flags: int) -> None:
    if _libc.renameat2(-100, os.fsencode(source), -100, os.fsencode(target), flags) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")


def test_rename_that_replaces_nothing(draft: Path) -> None:
    (draft / "other").touch()
    with raises(errno.EEXIST):
        rename2(draft / "other", draft / "file", RENAME_NOREPLACE)
    rename2(draft / "other", draft / "new", RENAME_NOREPLACE)
    assert sorted(os.listdir(draft)) == ["file", "new"]


def test_rename_that_exchanges(draft: Path) -> None:
    (draft / "directory").mkdir()
    (draft / "directory" / "inner").write_bytes(b"inner")
    with open(draft / "file", "r+b") as file:
        rename2(draft / "file", draft / "directory", RENAME_EXCHANGE)
        file.write(b"C")
    assert (draft / "file" / "inner").read_bytes() == b"inner"
    assert (draft / "directory").read_bytes() == b"Content"


def test_drafts_that_are_exchanged(mount: Mount, draft: Path) -> None:
    other = draft.with_name("another draft")
    other.write_bytes(b"a file")
    commit(other)
    rename2(draft, other, RENAME_EXCHANGE)
    assert draft.read_bytes() == b"a file"
    assert (other / "file").read_bytes() == b"content"
    assert commit(other) == "2"
    assert commit(draft) == "1"
    assert (mount.artifacts / other.name / "2" / "file").read_bytes() == b"content"


def test_half_of_a_hard_link_is_not_exchanged_into_another_draft(draft: Path) -> None:
    other = draft.with_name(f"{draft.name} other")
    other.mkdir()
    (other / "single").touch()
    os.link(draft / "file", draft / "linked")
    for source, target in [(draft / "file", other / "single"), (other / "single", draft / "file")]:
        with raises(errno.EXDEV):
            rename2(source, target, RENAME_EXCHANGE)


def test_special_files(draft: Path) -> None:
    os.mkfifo(draft / "pipe")
    assert stat.S_ISFIFO((draft / "pipe").stat().st_mode)
    with socket.socket(socket.AF_UNIX) as listener:
        os.chdir(draft)  # the path of a socket is short
        listener.bind("socket")
        os.chdir("/")
    assert stat.S_ISSOCK((draft / "socket").stat().st_mode)
    with raises(errno.EPERM):
        os.mknod(draft / "device", stat.S_IFCHR | 0o600, os.makedev(1, 3))


def test_locks_between_programs(draft: Path) -> None:
    take = (
        "import fcntl, sys\n"
        "with open(sys.argv[1], 'r+b') as file:\n"
        "    try: getattr(fcntl, sys.argv[2])(file, fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
        "    except BlockingIOError: print('locked')\n"
    )
    for lock in (fcntl.flock, fcntl.lockf):
        command = [sys.executable, "-c", take, draft / "file", lock.__name__]
        with open(draft / "file", "r+b") as file:
            lock(file, fcntl.LOCK_EX)
            assert subprocess.run(command, capture_output=True, check=True).stdout == b"locked\n"
            lock(file, fcntl.LOCK_UN)
            assert subprocess.run(command, capture_output=True, check=True).stdout == b""


def test_what_is_not_there_says_so(draft: Path) -> None:
    with open(draft / "file", "r+b") as file:
        assert _libc.fallocate(file.fileno(), 0, ctypes.c_long(0), ctypes.c_long(100)) == -1
        assert ctypes.get_errno() == errno.EOPNOTSUPP
        os.posix_fallocate(file.fileno(), 0, 5000)  # the C library writes zeros instead
    assert (draft / "file").stat().st_size == 5000
    assert (draft / "file").read_bytes()[:7] == b"content"
    with raises(errno.EOPNOTSUPP):
        os.open(draft, os.O_TMPFILE | os.O_RDWR)


def test_holes_take_no_space(mount: Mount, draft: Path) -> None:
    with open(draft / "file", "r+b") as file:
        file.seek(2**30)
        file.write(b"end")
    with open(draft / "file", "rb") as file:
        assert os.lseek(file.fileno(), 0, os.SEEK_HOLE) == 2**30 + 3
    (real,) = mount.home.glob(f"mounts/*/work/{draft.name}/file")
    assert real.stat().st_blocks * 512 < 2**20
    commit(draft)
    with open(draft / "file", "r+b") as file:
        file.write(b"C")
    assert real.stat().st_blocks * 512 < 2**24, "brought back without the holes"
    assert (draft / "file").stat().st_size == 2**30 + 3


def test_a_directory_that_is_read_again_shows_what_is_there_now(draft: Path) -> None:
    descriptor = os.open(draft, os.O_RDONLY)
    assert os.listdir(descriptor) == ["file"]
    (draft / "new").touch()
    (draft / "file").unlink()
    assert os.listdir(descriptor) == ["new"]
    os.close(descriptor)


def test_a_large_directory_is_listed_once_while_it_shrinks(draft: Path) -> None:
    names = {f"{number:05}" for number in range(2000)}
    for name in names:
        (draft / name).touch()
    seen = []
    with os.scandir(draft) as entries:
        for entry in entries:
            seen.append(entry.name)
            os.unlink(entry.path)
    assert sorted(seen) == sorted(names | {"file"})
    assert os.listdir(draft) == []


def test_a_shared_mapping_is_seen_by_readers(draft: Path) -> None:
    with open(draft / "file", "r+b") as file, mmap.mmap(file.fileno(), 0) as mapping:
        mapping[:7] = b"CONTENT"
        assert (draft / "file").read_bytes() == b"CONTENT"
        mapping.flush()


def test_append_by_two_programs(draft: Path) -> None:
    script = (
        "import sys\n"
        "with open(sys.argv[1], 'ab', 0) as file:\n"
        "    for _ in range(200): file.write(sys.argv[2].encode() * 9 + b'\\n')"
    )
    writers = [subprocess.Popen([sys.executable, "-c", script, draft / "file", letter]) for letter in "ab"]
    with all_ended(*writers):
        assert [writer.wait(60) for writer in writers] == [0, 0]
    lines = (draft / "file").read_bytes().removeprefix(b"content").splitlines()
    assert sorted(lines) == [b"a" * 9] * 200 + [b"b" * 9] * 200


def test_more_files_are_open_than_a_program_of_old_may_have(draft: Path) -> None:
    script = (
        "import os, resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, [resource.getrlimit(resource.RLIMIT_NOFILE)[1]] * 2)\n"
        "files = [open(os.path.join(sys.argv[1], str(number)), 'wb') for number in range(2000)]\n"
        "for file in files: file.write(b'x')\n"
        "for file in files: file.close()\n"
    )
    subprocess.run([sys.executable, "-c", script, draft], check=True)
    assert {path.read_bytes() for path in draft.glob("[0-9]*")} == {b"x"}


def test_who_maps_and_who_reads_see_what_another_writes_at_once(draft: Path) -> None:
    path = draft / "file"
    path.write_bytes(b"a" * 5000)
    with open(path, "r+b", buffering=0) as file, mmap.mmap(file.fileno(), 5000) as mapped:
        assert mapped[4999] == file.read()[4999] == ord("a")
        mapped[1] = ord("m")
        writer = os.open(path, os.O_WRONLY)
        os.pwrite(writer, b"w", 4999)
        os.pwrite(writer, b"longer", 5000)
        assert mapped[4999] == ord("w")
        assert os.pread(file.fileno(), 10_000, 0) == b"am" + b"a" * 4997 + b"wlonger"
        os.close(writer)
    assert path.read_bytes() == b"am" + b"a" * 4997 + b"wlonger"


@pytest.mark.parametrize("access", [os.O_WRONLY, os.O_RDWR])
def test_a_write_shows_in_size_and_time_at_once(draft: Path, access: int) -> None:
    path = draft / "file"
    os.utime(path, ns=(1, 1))
    writer = os.open(path, access | os.O_APPEND)
    os.write(writer, b" and more")
    assert path.stat().st_size == len(b"content and more")
    assert path.stat().st_mtime_ns > 1
    os.close(writer)
    assert path.stat().st_mtime_ns > 1


@pytest.mark.parametrize("access", [os.O_WRONLY, os.O_RDWR])
def test_large_writes_of_odd_sizes_at_odd_places(draft: Path, access: int) -> None:
    noise = os.urandom(5_000_011)
    writer = os.open(draft / "file", access)
    assert os.write(writer, noise) == len(noise)
    assert os.pwrite(writer, noise[:3_000_017], 1_234_567) == 3_000_017
    os.close(writer)
    expected = noise[:1_234_567] + noise[:3_000_017] + noise[1_234_567 + 3_000_017 :]
    assert (draft / "file").read_bytes() == expected
