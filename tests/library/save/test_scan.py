"""Measuring: what is there becomes a tree, as it is; what cannot be kept, or changes meanwhile, is an error."""

from __future__ import annotations

import os
import pwd
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from artfs.artifacts.scan import Elsewhere, Scanned, scan, scan_in_place
from artfs.content import files
from artfs.content.digest import FileDigest, hash_bytes, hash_file
from artfs.content.tree import EntryKind
from artfs.errors import (
    Cancelled,
    ChangedWhileReading,
    InvalidName,
    InvalidValue,
    SourceNotFound,
    StoreError,
    UnsupportedFile,
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    made = tmp_path / "directory"
    (made / "deep/er").mkdir(parents=True)
    (made / "deep/er/file").write_bytes(b"content")
    (made / "empty").touch()
    (made / "run.sh").write_bytes(b"#!/bin/sh")
    (made / "run.sh").chmod(0o755)
    (made / os.fsdecode(b"not \xff text")).write_bytes(b"odd")
    (made / "link").symlink_to("/nowhere/at all")
    os.link(made / "empty", made / "deep/also empty")
    return made


def paths(scanned: Scanned) -> list[bytes]:
    return [path for path, _ in scanned.tree.walk()]


def test_a_directory_becomes_a_tree_of_all_that_is_in_it(directory: Path) -> None:
    os.utime(directory / "deep", ns=(0, 1_234_567_890_123_456_789))
    directory.chmod(0o750)
    scanned = scan(directory)
    assert paths(scanned) == [
        b"deep", b"deep/also empty", b"deep/er", b"deep/er/file", b"empty", b"link", b"not \xff text", b"run.sh",
    ]  # fmt: skip
    assert scanned.mode == 0o750 and scanned.mtime_ns == directory.stat().st_mtime_ns and not scanned.in_place
    found = dict(scanned.tree.walk())
    assert found[b"deep"].mtime_ns == 1_234_567_890_123_456_789
    assert found[b"run.sh"].mode == 0o755
    assert (found[b"link"].kind, found[b"link"].target) == (EntryKind.SYMLINK, b"/nowhere/at all")
    assert found[b"deep/er/file"].digest == hash_bytes(b"content")


def test_every_file_is_told_with_its_source(directory: Path) -> None:
    scanned = scan(directory)
    assert [file.path for file in scanned.files] == [
        path for path, entry in scanned.tree.walk() if entry.kind is EntryKind.FILE
    ]
    for file in scanned.files:
        status = file.source.lstat()
        assert (file.st_dev, file.st_ino) == (status.st_dev, status.st_ino)
        assert file.digest == file.entry.file == hash_file(file.source) and not file.stand_in


@pytest.mark.parametrize(("name", "called"), [(None, b"run.sh"), (b"entry", b"entry")])
def test_a_file_becomes_a_tree_with_one_entry(directory: Path, name: bytes | None, called: bytes) -> None:
    scanned = scan(directory / "run.sh", entry_name=name)
    assert paths(scanned) == [called]
    assert (scanned.tree.entries[0].mode, scanned.mode) == (0o755, 0o755)
    assert scanned.mtime_ns == (directory / "run.sh").stat().st_mtime_ns


def test_what_is_known_is_not_read(directory: Path) -> None:
    asked: list[bytes] = []

    def known(status: os.stat_result, path: bytes) -> FileDigest | Elsewhere | None:
        asked.append(path)
        digest = FileDigest(hash_bytes(b"said"), status.st_size)
        if path.endswith(b"/file"):
            return Elsewhere(digest)
        return digest if path.endswith(b"/run.sh") else None

    scanned = {file.path: file for file in scan(directory, known=known).files}
    assert scanned[b"run.sh"].digest.digest == scanned[b"deep/er/file"].digest.digest == hash_bytes(b"said")
    assert (scanned[b"run.sh"].stand_in, scanned[b"deep/er/file"].stand_in) == (False, True)
    assert sorted(asked) == sorted(file.source_path for file in scanned.values())


@pytest.mark.parametrize(
    ("kind", "what"), [("fifo", "a FIFO"), ("socket", "a socket"), ("device", "a character device")]
)
def test_what_has_no_content_is_refused(directory: Path, kind: str, what: str) -> None:
    path = directory / "deep/special"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(path))
    elif os.geteuid() == 0:
        os.mknod(path, 0o020666, os.makedev(1, 3))
    else:
        pytest.skip("only root can make a device")
    with pytest.raises(UnsupportedFile, match=f"deep/special' is {what}, and a version holds"):
        scan(directory)


def test_names_reserved_for_artfs_are_refused(directory: Path) -> None:
    (directory / "deep/.artfs").touch()
    scan(directory)
    (directory / ".artfs-mine").touch()
    with pytest.raises(InvalidName, match="reserved"):
        scan(directory)


def test_nothing_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match="missing' does not exist"):
        scan(tmp_path / "missing")


@pytest.mark.parametrize("change", ["append", "rewrite in place", "replace", "new name", "remove"])
def test_what_changes_meanwhile_is_an_error(directory: Path, change: str) -> None:
    """The change happens at the question before the first file; `run.sh` is the last to be looked at."""
    asked: list[bytes] = []
    (directory / "run.sh").write_bytes(os.urandom(9 * 2**20))
    questions_at_last = 3 + 5 + 1  # one for each directory and each entry before it, and its own

    def cancelled() -> bool:
        asked.append(b"")
        target = directory / "run.sh"
        if change == "new name" and len(asked) == 2:
            (directory / "late").touch()
        elif change == "remove" and len(asked) == 2:
            target.unlink()
        elif len(asked) == questions_at_last + 2:  # in the middle of run.sh
            if change == "append":
                with target.open("ab") as file:
                    file.write(b"more")
            elif change == "rewrite in place":
                status = target.stat()
                with target.open("r+b") as file:
                    file.write(b"other")
                os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
            elif change == "replace":
                target.unlink()
                target.write_bytes(b"new")
        return False

    with pytest.raises(ChangedWhileReading, match="was changed while it was read"):
        scan(directory, cancelled=cancelled)


def test_measuring_stops_when_cancelled(directory: Path) -> None:
    with pytest.raises(Cancelled):
        scan(directory, cancelled=lambda: True)


def test_directories_may_be_deeper_than_the_stack(tmp_path: Path) -> None:
    path = bytes(tmp_path)
    depth = 1100
    for _ in range(depth):
        path += b"/d"
        os.mkdir(path)
    try:
        assert scan(tmp_path / "d").tree.directories == depth
    finally:
        files.remove_tree(bytes(tmp_path / "d"))


@pytest.fixture
def plain_directory() -> Iterator[Path]:
    """A directory of a user without rights, who the test acts as."""
    nobody = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else os.geteuid()
    root = os.geteuid()
    with tempfile.TemporaryDirectory() as made:
        os.chown(made, nobody, -1)
        os.seteuid(nobody)
        try:
            yield Path(made)
        finally:
            os.seteuid(root)


def test_a_file_that_its_owner_may_not_read_is_read_and_left_as_it_is(plain_directory: Path) -> None:
    locked = plain_directory / "locked"
    locked.write_bytes(b"content")
    locked.chmod(0o200)
    scanned = scan(plain_directory)
    assert scanned.files[0].digest.digest == hash_bytes(b"content")
    assert scanned.files[0].entry.mode == locked.stat().st_mode & 0o777 == 0o200


def test_a_directory_that_may_not_be_read_says_what_to_do(plain_directory: Path) -> None:
    locked = plain_directory / "locked dir"
    locked.mkdir()
    (locked / "file").touch()
    for mode in (0o000, 0o400, 0o300):
        locked.chmod(mode)
        with pytest.raises(PermissionError, match=r"may not be read; allow it with 'chmod u\+rx "):
            scan(plain_directory)
    locked.chmod(0o700)


class TestInPlace:
    def test_existing_data_is_measured_like_any_other(self, directory: Path) -> None:
        for target in (str(directory), directory, f"file://{directory}", f"{directory}/"):
            scanned = scan_in_place(target)
            assert scanned.in_place and scanned.tree == scan(directory).tree

    def test_a_file_keeps_its_name(self, directory: Path) -> None:
        assert paths(scan_in_place(f"file://{directory}/not%20%FF%20text")) == [b"not \xff text"]

    def test_a_link_to_the_data_is_resolved_and_links_in_it_are_kept(self, directory: Path, tmp_path: Path) -> None:
        (tmp_path / "current").symlink_to(directory)
        scanned = scan_in_place(str(tmp_path / "current"))
        assert all(file.source_path.startswith(os.fsencode(directory) + b"/") for file in scanned.files)
        assert dict(scanned.tree.walk())[b"link"].target == b"/nowhere/at all"

    @pytest.mark.parametrize(
        ("target", "error", "says"),
        [
            ("/missing/data", SourceNotFound, "cannot register '/missing/data': nothing is there"),
            ("relative", InvalidValue, "give an absolute path or a URI"),
            ("gopher://host/x", StoreError, "no artifact store for gopher:// is installed"),
        ],
    )
    def test_a_target_that_names_nothing_is_a_clear_error(self, target: str, error: type[Exception], says: str) -> None:
        with pytest.raises(error, match=says):
            scan_in_place(target)


@pytest.mark.parametrize(
    ("target", "stays"),
    [
        ("file", True),
        ("../../file", True),
        ("./..//../deep/er/../er/x", True),
        ("dangling", True),
        ("../../../directory/file", False),
        ("er/../../../..", False),
        ("/etc/passwd", False),
    ],
)
def test_a_link_that_leads_out_is_noticed(tmp_path: Path, target: str, stays: bool) -> None:
    (tmp_path / "directory/deep/er").mkdir(parents=True)
    (tmp_path / "directory/deep/er/link").symlink_to(target)
    (tmp_path / "directory/deep/z").symlink_to("er")
    assert scan(tmp_path / "directory").self_contained is stays
    is_file_outside = target == "/etc/passwd"  # which is in the version then
    assert scan_in_place(tmp_path / "directory").self_contained is (stays or is_file_outside)
