"""`/incoming` against a plain directory: the same operations must have the same outcome, sealed in between or not."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from support.mount import Mount

names = st.sampled_from(["a", "b", "dir", "dir/c", "dir/sub", "dir/sub/d", "name with spaces", "dir/\udcff"])
sizes = st.sampled_from([0, 1, 4095, 4096, 70_000, 5 * 2**20])
offsets = st.sampled_from([0, 1, 4096, 100_000])
DRAFT = "draft"


class LikeADirectory(RuleBasedStateMachine):
    """Does everything twice: in a draft of the mount, and in a directory beside it."""

    mount: Mount
    plain_root: Path

    def __init__(self) -> None:
        super().__init__()
        self.draft = self.mount.incoming / DRAFT
        self.plain = self.plain_root / DRAFT
        for root in (self.draft, self.plain):
            root.mkdir()

    def teardown(self) -> None:
        shutil.rmtree(self.draft)
        shutil.rmtree(self.plain)

    def both(self, operation: Callable[[Path], object]) -> None:
        outcomes = [_outcome(operation, root) for root in (self.draft, self.plain)]
        assert outcomes[0] == outcomes[1]

    @rule(name=names, size=sizes, seed=st.integers(0, 255))
    def write_anew(self, name: str, size: int, seed: int) -> None:
        self.both(lambda root: (root / name).write_bytes(bytes([seed]) * size))

    @rule(name=names, offset=offsets, size=sizes)
    def write_in_the_middle(self, name: str, offset: int, size: int) -> None:
        def write(root: Path) -> None:
            with open(root / name, "r+b") as file:
                file.seek(offset)
                file.write(b"m" * size)

        self.both(write)

    @rule(name=names)
    def append(self, name: str) -> None:
        def write(root: Path) -> None:
            with open(root / name, "ab") as file:
                file.write(b"appended")

        self.both(write)

    @rule(name=names, size=sizes)
    def truncate(self, name: str, size: int) -> None:
        self.both(lambda root: os.truncate(root / name, size))

    @rule(old=names, new=names)
    def rename(self, old: str, new: str) -> None:
        self.both(lambda root: os.rename(root / old, root / new))

    @rule(old=names, new=names)
    def rename_while_open(self, old: str, new: str) -> None:
        def write(root: Path) -> None:
            with open(root / old, "r+b") as file:
                os.rename(root / old, root / new)
                file.write(b"written after the rename")

        self.both(write)

    @rule(old=names, new=names)
    def link(self, old: str, new: str) -> None:
        self.both(lambda root: os.link(root / old, root / new))

    @rule(name=names)
    def symlink(self, name: str) -> None:
        self.both(lambda root: os.symlink("a", root / name))

    @rule(name=names)
    def unlink(self, name: str) -> None:
        self.both(lambda root: os.unlink(root / name))

    @rule(name=names)
    def read_after_unlink(self, name: str) -> None:
        def read(root: Path) -> bytes:
            with open(root / name, "rb") as file:
                os.unlink(root / name)
                return file.read()

        self.both(read)

    @rule(name=names)
    def make_directory(self, name: str) -> None:
        self.both(lambda root: os.mkdir(root / name))

    @rule(name=names)
    def remove_directory(self, name: str) -> None:
        self.both(lambda root: os.rmdir(root / name))

    @rule(name=names, mode=st.sampled_from([0o600, 0o644, 0o755, 0o444]))
    def chmod(self, name: str, mode: int) -> None:
        def change(root: Path) -> None:
            if not stat.S_ISDIR(os.lstat(root / name).st_mode):
                os.chmod(root / name, mode)

        self.both(change)

    @rule(name=names, mtime_ns=st.integers(0, 2**60))
    def set_times(self, name: str, mtime_ns: int) -> None:
        def change(root: Path) -> int:
            os.utime(root / name, ns=(mtime_ns, mtime_ns), follow_symlinks=False)
            return os.lstat(root / name).st_mtime_ns

        self.both(change)

    @rule(name=names, value=st.binary(max_size=20))
    def set_attribute(self, name: str, value: bytes) -> None:
        def change(root: Path) -> list[str]:
            os.setxattr(root / name, "user.test", value)
            return os.listxattr(root / name)

        self.both(change)

    @rule()
    def seal(self) -> None:
        os.setxattr(self.draft, "user.artfs.commit", b"")

    @invariant()
    def both_look_the_same(self) -> None:
        assert _picture(self.draft) == _picture(self.plain)


def test_incoming_does_what_a_directory_does(mounted: Mount, tmp_path: Path) -> None:
    LikeADirectory.mount = mounted
    LikeADirectory.plain_root = tmp_path
    run_state_machine_as_test(
        LikeADirectory,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )


@pytest.mark.parametrize("sealed", [False, True], ids=["never sealed", "sealed"])
def test_a_version_keeps_what_the_draft_was(mounted: Mount, sealed: bool) -> None:
    draft = mounted.incoming / "x"
    draft.mkdir()
    (draft / "file").write_bytes(b"first")
    if sealed:
        mounted.commit("x")
    (draft / "file").chmod(0o600)
    os.utime(draft / "file", ns=(5, 5))
    with open(draft / "file", "r+b") as file:
        file.write(b"SECOND")
    mounted.commit("x")
    versions = sorted(path.name for path in (mounted.artifacts / "x").iterdir() if path.name.isdigit())
    assert versions == (["1", "2"] if sealed else ["1"])
    assert (mounted.artifacts / "x" / "latest" / "file").read_bytes() == b"SECOND"
    if sealed:
        first = mounted.artifacts / "x" / "1" / "file"
        assert first.read_bytes() == b"first"
        assert first.stat().st_mtime_ns != 5


def _outcome(operation: Callable[[Path], object], root: Path) -> object:
    try:
        return operation(root)
    except OSError as error:
        return error.errno


def _picture(root: Path) -> dict[str, tuple[object, ...]]:
    """What a program can see of a directory, but inode numbers, change times and directories' own times and sizes."""
    picture: dict[str, tuple[object, ...]] = {}
    for folder, directories, files in os.walk(root):
        for name in directories + files:
            path = Path(folder, name)
            status = os.lstat(path)
            facts: tuple[object, ...] = (status.st_mode,)
            if stat.S_ISLNK(status.st_mode):
                facts += (os.readlink(path),)
            elif stat.S_ISREG(status.st_mode):
                facts += (status.st_nlink, status.st_size, path.read_bytes())
            picture[os.path.relpath(path, root)] = facts
    return picture
