"""A mount whose daemon has died stays, and says so, until somebody mounts again or takes it away."""

from __future__ import annotations

import pytest

from support.mount import Mount, is_mounted

pytestmark = pytest.mark.each_user


def test_a_dead_mount_does_not_look_like_an_empty_directory(mounted: Mount) -> None:
    mounted.kill(leave_dead=True)
    assert is_mounted(mounted.path)
    for _ in range(2):
        assert mounted.run(["ls", mounted.path], check=False).returncode != 0


def test_mounting_again_replaces_a_dead_mount(mounted: Mount) -> None:
    mounted.run(["cp", "/etc/passwd", mounted.incoming / "names"])
    mounted.commit("names")
    mounted.kill(leave_dead=True)
    mounted.remount()
    mounted.run(["cmp", "/etc/passwd", mounted.artifacts / "names" / "1" / "names"])


def test_a_dead_mount_can_be_taken_away(mounted: Mount) -> None:
    mounted.kill(leave_dead=True)
    mounted.artfs("umount", mounted.path)
    assert not is_mounted(mounted.path)


def test_a_command_names_a_dead_mount(mounted: Mount) -> None:
    mounted.kill(leave_dead=True)
    done = mounted.artfs("sync", mounted.path, check=False)
    assert done.returncode == 1
    assert (
        done.stderr
        == f"artfs: {mounted.path}: the daemon of this mount has died; mount it again: artfs mount {mounted.path}\n"
    )


def test_a_daemon_tells_where_its_threads_are(mounted: Mount) -> None:
    mounted.run(["kill", "-USR1", str(mounted.pid)])
    (stacks,) = mounted.home.glob("mounts/*/stacks.txt")
    mounted.wait_until(lambda: "trio" in stacks.read_text(), "the stacks")
    mounted.unmount()
