"""A daemon that is killed, at random moments and at the worst ones, loses nothing and leaves nothing half."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support import faulty_daemon
from support.drafts import commit, state, versions
from support.faulty_daemon import Fault
from support.faulty_mount import killed_at
from support.mount import Mount

KILL_TEST = Path(__file__).parents[2] / "scripts" / "kill-test"
SEED = 20261121
FILES = 12


def test_random_kills() -> None:
    done = subprocess.run(
        [sys.executable, KILL_TEST, "--kills", "8", "--seed", str(SEED)], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"seed {SEED}" in done.stdout
    assert "8 kills survived" in done.stdout


@pytest.fixture
def mount(mortal_mount: Mount) -> Mount:
    return mortal_mount


@pytest.fixture
def draft(mount: Mount) -> Path:
    """A draft with files, hard links, a file that nobody may read, an empty file, and a version of before."""
    draft = mount.incoming / "draft"
    (draft / "deep").mkdir(parents=True)
    (draft / "of before").write_bytes(b"of before")
    commit(draft)
    for number in range(FILES):
        (draft / "deep" / str(number)).write_bytes(b"%d " % number * 2000)
    os.link(draft / "deep" / "0", draft / "linked")
    (draft / "deep" / "1").chmod(0 if os.geteuid() == 0 else 0o400)  # what only root can compare afterwards
    (draft / "empty").touch()
    return draft


def picture(root: Path) -> dict[str, tuple[object, ...]]:
    """What a program can see of a directory's files."""
    return {
        path.relative_to(root).as_posix(): (
            path.stat().st_mode & 0o777,
            path.stat().st_nlink,
            path.read_bytes(),
        )
        for path in root.rglob("*")
        if path.is_file()
    }


BEFORE_THE_VERSION = [
    pytest.param("DraftCommit.commit", 1, False, id="before anything"),
    pytest.param("make", FILES // 2, True, id="among the stubs being made"),
    pytest.param("LocalStore.place", 1, False, id="before the first file is placed"),
    pytest.param("LocalStore.place", FILES // 2, True, id="among the files being placed"),
    pytest.param("stage brought", 1, False, id="after all are placed"),
    pytest.param("stage recorded", 1, False, id="before the commit"),
]
AFTER_THE_VERSION = [
    pytest.param("stage committed", 1, False, id="after the commit"),
    pytest.param("stage described", 1, False, id="after the manifest"),
    pytest.param("Stub.put", 1, False, id="before the first stub"),
    pytest.param("Stub.put", FILES // 2, True, id="among the stubs"),
    pytest.param("Drafts.sealed", 1, False, id="after all stubs"),
]


@pytest.mark.parametrize(("part", "call", "after"), BEFORE_THE_VERSION)
def test_killed_before_there_is_a_version(mount: Mount, draft: Path, part: str, call: int, after: bool) -> None:
    before = picture(draft)
    killed_at(mount, draft, part, call, after=after)
    assert versions(mount, "draft") == ["1"]
    assert state(mount, "draft")[0] == "held"
    assert picture(draft) == before
    assert len(list(mount.home.glob("store/draft/*"))) == 1
    assert list(mount.home.glob("mounts/*/scratch/*")) == []
    assert commit(draft) == "2"
    assert_version_is_out_of_reach(mount, draft, before)


@pytest.mark.parametrize(("part", "call", "after"), AFTER_THE_VERSION)
def test_killed_when_there_is_a_version(mount: Mount, draft: Path, part: str, call: int, after: bool) -> None:
    before = picture(draft)
    killed_at(mount, draft, part, call, after=after)
    assert versions(mount, "draft") == ["1", "2"]
    assert state(mount, "draft")[0] == "sealed"
    assert picture(draft) == before
    assert list(mount.home.glob("mounts/*/scratch/*")) == []
    assert_version_is_out_of_reach(mount, draft, before)


def test_killed_while_it_recovers(mount: Mount, draft: Path) -> None:
    before = picture(draft)
    control = Path(mount.environment[faulty_daemon.VARIABLE])
    Fault("stage committed", 1, kill=True).write(control)
    with pytest.raises(OSError):
        commit(draft)
    mount.wait()
    mount.kill()
    for call in (3, 6):
        Fault("Stub.put", call, kill=True).write(control)
        with pytest.raises(RuntimeError, match=r"ended with -9"):
            mount.remount()
    control.unlink()
    mount.remount()
    assert state(mount, "draft")[0] == "sealed"
    assert picture(draft) == before
    assert_version_is_out_of_reach(mount, draft, before)


def test_a_draft_that_was_being_written_is_held(mount: Mount) -> None:
    path = mount.incoming / "draft"
    path.mkdir()
    (path / "closed").write_bytes(b"closed")
    descriptor = os.open(path / "open", os.O_WRONLY | os.O_CREAT)
    os.write(descriptor, b"written")
    os.fsync(descriptor)
    mount.kill()
    with pytest.raises(OSError):
        os.close(descriptor)
    mount.remount()
    assert (path / "closed").read_bytes() == b"closed"
    assert (path / "open").read_bytes() == b"written"
    why = "it was being written when the daemon stopped, so its end may be missing; write it again or remove it"
    why = f"draft/open: {why}"
    assert state(mount, "draft") == ("held", why)
    done = mount.artfs("commit", path, check=False)
    assert done.returncode == 1
    assert why in done.stderr
    with open(path / "open", "ab") as file:
        file.write(b" to its end")
    assert commit(path) == "1"
    assert (mount.artifacts / "draft" / "1" / "open").read_bytes() == b"written to its end"


def test_a_stub_that_was_opened_for_writing_has_its_bytes(mount: Mount) -> None:
    content = os.urandom(100_000)
    path = mount.incoming / "draft"
    path.write_bytes(content)
    commit(path)
    descriptor = os.open(path, os.O_WRONLY)
    mount.kill()
    with pytest.raises(OSError):
        os.close(descriptor)
    mount.remount()
    assert path.read_bytes() == content
    assert (mount.artifacts / "draft" / "1" / "draft").read_bytes() == content


def test_a_clean_end_holds_nothing_back(mount: Mount) -> None:
    (mount.incoming / "draft").write_bytes(b"content")
    mount.unmount()
    mount.remount()
    assert state(mount, "draft")[0] == "settling"


def assert_version_is_out_of_reach(mount: Mount, draft: Path, content: dict[str, tuple[object, ...]]) -> None:
    """No file of the draft shares its inode with the store, and no change of it reaches the newest version."""
    version = mount.artifacts / "draft" / "latest"
    stored = {path.stat().st_ino for path in mount.home.glob("store/**/*") if path.is_file()}
    working = {path.stat().st_ino for path in mount.home.glob("mounts/*/work/**/*") if path.is_file()}
    assert stored & working == set()
    for name in content:
        (draft / name).chmod(0o640)
        os.utime(draft / name, ns=(1, 1))
        with open(draft / name, "r+b") as file:
            file.write(b"changed")
            file.flush()
            with mmap.mmap(file.fileno(), 0) as mapping:
                mapping[0:1] = b"C"
    seen = picture(version)
    assert {name: bytes_ for name, (_, _, bytes_) in seen.items()} == {
        name: bytes_ for name, (_, _, bytes_) in content.items()
    }
    assert all(path.stat().st_mtime_ns != 1 for path in version.rglob("*"))
    mount.artfs("verify", "--all")
