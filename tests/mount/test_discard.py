"""What is in no version: how it is told, taken all the same, and removed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.drafts import (
    NEVER_BY_ITSELF,
    QUIET,
    commit,
    drafts,
    mount_for_a_module,
    raises,
    versions,
)
from support.mount import Mount

WRITE_AND_DIE = """
import os, sys
for path in sys.argv[1:]:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(b"half")
"""


@pytest.fixture(scope="module")
def mount(fuse_for_everyone: None) -> Iterator[Mount]:
    """Nothing in it becomes a version but by a commit."""
    yield from mount_for_a_module(dict.fromkeys(QUIET, 600))


@pytest.fixture(scope="module")
def quick(fuse_for_everyone: None) -> Iterator[Mount]:
    yield from mount_for_a_module(QUIET)


@pytest.fixture
def run(request: pytest.FixtureRequest, mount: Mount) -> Path:
    return mount.incoming / request.node.name


def leave(*paths: Path) -> None:
    """Has a program write files that ends then."""
    subprocess.run([sys.executable, "-c", WRITE_AND_DIE, *map(str, paths)], check=True)


def refused(mount: Mount, *arguments: str | Path) -> str:
    done = mount.artfs("discard", *arguments, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    return done.stderr


def in_no_version(mount: Mount, draft: Path) -> list[tuple[str, bool, bool]]:
    """What status.json tells of a draft's paths, once the end of those who wrote them is known."""
    told = drafts(mount)[draft.name]["obstacles"]
    assert isinstance(told, list)
    return [(each["path"], each["waits"], each["left"]) for each in told]


class TestDiscard:
    def test_a_draft(self, mount: Mount, run: Path) -> None:
        leave(run / "checkpoint-7" / "weights", run / "log")
        done = mount.artfs("discard", "--yes", run)
        assert done.stdout == f"{run.name}: 2 files, 8 Bytes\n"
        assert not run.exists()
        assert run.name not in drafts(mount)

    def test_a_path_in_a_draft(self, mount: Mount, run: Path) -> None:
        leave(run / "checkpoint-7" / "weights", run / "log")
        done = mount.artfs("discard", "--yes", run / "checkpoint-7")
        assert done.stdout == f"{run.name}/checkpoint-7: 1 file, 4 Bytes\n"
        assert os.listdir(run) == ["log"]

    def test_versions_stay(self, mount: Mount, run: Path) -> None:
        leave(run / "weights")
        assert commit(run) == "1"
        mount.artfs("discard", "--yes", run)
        assert (mount.artifacts / run.name / "1" / "weights").read_bytes() == b"half"
        mount.artfs("verify", f"{run.name}/1")

    def test_a_link_and_not_what_it_leads_to(self, mount: Mount, run: Path, tmp_path: Path) -> None:
        (tmp_path / "data").write_bytes(b"the user's")
        run.mkdir()
        (run / "link").symlink_to(tmp_path / "data")
        mount.artfs("discard", "--yes", run / "link")
        assert os.listdir(run) == []
        assert (tmp_path / "data").read_bytes() == b"the user's"

    def test_what_its_owner_closed_to_himself(self, mount: Mount, run: Path) -> None:
        leave(run / "deep" / "file")
        (run / "deep").chmod(0o500)
        mount.artfs("discard", "--yes", run)
        assert not run.exists()

    def test_nothing_that_is_open_for_writing(self, mount: Mount, run: Path) -> None:
        leave(run / "a", run / "b" / "c", run / "b" / "d")
        with open(run / "b" / "c", "ab"):
            assert "a file is open for writing" in refused(mount, "--yes", run / "a", run / "b")
            assert "a file is open for writing" in refused(mount, "--yes", run)
            assert sorted(os.listdir(run)) == ["a", "b"]
            mount.artfs("discard", "--yes", run / "a")
        with open(run / "b" / "c", "rb"):
            mount.artfs("discard", "--yes", run)

    def test_nothing_without_an_answer(self, mount: Mount, run: Path) -> None:
        leave(run / "a")
        done = mount.artfs("discard", run, check=False, stdin=subprocess.DEVNULL)
        assert done.returncode == 2 and "--yes" in done.stderr
        assert os.listdir(run) == ["a"]

    def test_only_what_is_in_incoming(self, mount: Mount, run: Path, tmp_path: Path) -> None:
        leave(run / "a")
        commit(run)
        (run / "out").symlink_to(tmp_path)
        (tmp_path / "file").touch()
        for path in (mount.artifacts / run.name / "1", mount.incoming, mount.path, run / ".." / ".."):
            assert "it is not in" in refused(mount, "--yes", path)
        assert "not in a mount" in refused(mount, "--yes", run / "out" / "file")
        assert (tmp_path / "file").exists()
        assert "nothing of this name" in refused(mount, "--yes", run / "none")


class TestLeft:
    def test_all_that_programs_left(self, mount: Mount, run: Path) -> None:
        leave(run / "x.tmp", run / "step-1" / "y.part", run / "7.orbax-checkpoint-tmp" / "z", run / "weights")
        done = mount.artfs("discard", "--yes", "--left", run)
        assert sorted(line.partition(":")[0] for line in done.stdout.splitlines()) == [
            f"{run.name}/7.orbax-checkpoint-tmp",
            f"{run.name}/step-1/y.part",
            f"{run.name}/x.tmp",
        ]
        assert sorted(os.listdir(run)) == ["step-1", "weights"]
        assert mount.artfs("discard", "--yes", "--left", run).stdout == "nothing is left by programs that have ended\n"

    def test_nothing_while_a_writer_lives(self, mount: Mount, run: Path) -> None:
        run.mkdir()
        (run / "x.tmp").write_bytes(b"by this process")
        assert "still runs" in refused(mount, "--yes", "--left", run)
        assert in_no_version(mount, run) == [("x.tmp", True, False)]
        mount.artfs("discard", "--yes", run / "x.tmp")

    def test_after_a_new_start(self, start_mount, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
        mount = start_mount(settings=NEVER_BY_ITSELF)
        leave(mount.incoming / "run" / "x.tmp", mount.incoming / "run" / "weights")
        mount.unmount()
        mount.remount()
        mount.artfs("discard", "--yes", "--left", mount.incoming / "run")
        assert os.listdir(mount.incoming / "run") == ["weights"]


class TestStatus:
    def test_what_is_in_no_version(self, mount: Mount, run: Path) -> None:
        leave(run / "x.tmp", run / "weights")
        assert in_no_version(mount, run) == [("x.tmp", False, True)]
        lines = mount.artfs("status", mount.path).stdout.splitlines()
        [line] = [line for line in lines if line.startswith(f"{run.name}/x.tmp")]
        _, state, age, reason = line.split("\t")
        assert (state, reason) == ("left", "a program that has ended left it; 'artfs discard' removes it")
        assert age

    def test_a_temporary_file_is_aside_and_no_error(self, quick: Mount) -> None:
        leave(quick.incoming / "model.tmp", quick.incoming / "model")
        done = quick.artfs("sync", quick.path)
        why = "its name is the one of a temporary file; rename it, commit it or discard it"
        assert done.stderr == f"left as they are: model.tmp ({why})\n"
        assert drafts(quick)["model.tmp"]["state"] == "aside"
        assert versions(quick, "model") == ["1"]
        quick.artfs("discard", "--yes", quick.incoming / "model.tmp")
        assert quick.artfs("sync", quick.path).stderr == ""


class TestCommit:
    def test_what_was_held_is_taken_and_told(self, mount: Mount, run: Path) -> None:
        leave(run / "x.tmp", run / "weights")
        done = mount.artfs("commit", run)
        assert done.stdout == f"{run.name}/1\n"
        assert done.stderr == f"took {run.name}/x.tmp: a program that has ended left it; 'artfs discard' removes it\n"
        assert sorted(os.listdir(mount.artifacts / run.name / "1")) == ["weights", "x.tmp"]
        leave(run / "more")
        assert mount.artfs("commit", run).stderr == ""

    def test_half_a_file(self, quick: Mount) -> None:
        run = quick.incoming / "half"
        run.mkdir()
        (run / "model.safetensors").write_bytes((1000).to_bytes(8, "little") + b'{"a":')
        leave(run / "config.json.txt")
        quick.wait_until(lambda: bool(drafts(quick)["half"]["obstacles"]), "the look at its format")
        done = quick.artfs("commit", run)
        [line] = done.stderr.splitlines()
        assert line.startswith("took half/model.safetensors: ") and "bytes" in line


class TestUnit:
    def test_it_is_asked_and_said_on_the_draft(self, mount: Mount, run: Path) -> None:
        run.mkdir()
        assert os.getxattr(run, "user.artfs.unit") == b"draft"
        os.setxattr(run, "user.artfs.unit", b"child")
        assert os.getxattr(run, "user.artfs.unit") == b"child"
        with raises(22):
            os.setxattr(run, "user.artfs.unit", b"file")
        mount.artfs("artifact", "update", run.name, "--unit", "draft")
        assert os.getxattr(run, "user.artfs.unit") == b"draft"

    def test_each_child_is_a_version(self, quick: Mount) -> None:
        run = quick.incoming / "by child"
        run.mkdir()
        os.setxattr(run, "user.artfs.unit", b"child")
        leave(run / "epoch=1.bin", run / "epoch=2" / "weights")
        quick.wait_until(lambda: len(versions(quick, run.name)) == 2, "two versions")
        assert os.listdir(quick.artifacts / run.name / "@epoch=2") == ["weights"]
