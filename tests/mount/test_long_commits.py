"""A commit that takes long holds up nobody but who changes its draft."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.drafts import NEVER_BY_ITSELF, QUIET, commit, state, versions
from support.mount import ARTFS, Mount, User
from support.mount_fixtures import StartMount

LONG = 8 * 2**40
"""A hole of so many bytes takes half an hour to hash: nothing here waits for it."""


@pytest.fixture
def mount(start_mount: StartMount) -> Mount:
    return start_mount(settings=NEVER_BY_ITSELF)


@pytest.fixture
def under_way(mount: Mount) -> Iterator[subprocess.Popen[bytes]]:
    """A commit that is at work."""
    path = mount.incoming / "long"
    path.touch()
    os.truncate(path, LONG)
    with subprocess.Popen([ARTFS, "commit", path], env=mount.environment, stderr=subprocess.DEVNULL) as process:
        mount.wait_until(lambda: is_waiting(process.pid), "the order's being given")
        yield process
        path.unlink()  # ends it
        process.wait()


def is_waiting(pid: int) -> bool:
    """Whether a process waits for an answer of the mount."""
    return "fuse" in Path(f"/proc/{pid}/wchan").read_text() or "request_wait" in Path(f"/proc/{pid}/wchan").read_text()


def test_the_directory_can_be_listed_and_others_written(mount: Mount, under_way: subprocess.Popen[bytes]) -> None:
    assert os.listdir(mount.incoming) == ["long"]
    (mount.incoming / "other").write_bytes(b"content")
    assert commit(mount.incoming / "other") == "1"
    assert mount.artfs("commit", mount.incoming / "other").stdout == "other/1\n"
    assert under_way.poll() is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_one_user_s_huge_drafts_keep_nobody_else_s_from_becoming_versions(start_mount: StartMount) -> None:
    mount = start_mount(options=["--allow-other"], settings=QUIET)
    mount.base.chmod(0o755)
    mount.incoming.chmod(0o1777)
    other = User("other", 1234, 1234)
    huge = [mount.incoming / name for name in ("h1", "h2", "h3")]
    for path in huge:
        subprocess.run(other.command(["truncate", "-s", str(LONG), path]), check=True)
    mount.wait_until(lambda: all(state(mount, path.name)[0] == "settling" for path in huge), "their being complete")
    (mount.incoming / "mine").write_bytes(b"content")
    mount.wait_until(lambda: versions(mount, "mine") == ["1"], "the version of somebody else")
    (mount.incoming / "more").write_bytes(b"content")
    assert commit(mount.incoming / "more") == "1"
    for path in huge:
        subprocess.run(other.command(["rm", path]), check=True)
