"""A mount whose daemon has died stays, and says so, until somebody mounts again or takes it away."""

from __future__ import annotations

import re
import signal

import pytest

from artfs_mount import mountpoint
from support.mount import Mount, is_mounted
from support.mount_fixtures import StartMount

DEAD = re.compile("Transport endpoint is not connected|Software caused connection abort")

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


def test_a_terminal_that_closes_leaves_the_mount_as_it_is(mounted: Mount) -> None:
    mounted.run(["kill", "-HUP", str(mounted.pid)])
    mounted.wait_until(lambda: "SIGHUP: ignored" in mounted.log(), "the signal in the log")
    mounted.run(["cat", mounted.path / "README.txt"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_asks_for_the_end_gets_an_ordinary_directory(mounted: Mount, number: signal.Signals) -> None:
    assert mounted.stop(number) == 0
    assert not is_mounted(mounted.path)
    assert mounted.run(["ls", "-A", mounted.path]).stdout == ""


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGQUIT, signal.SIGALRM]
)
def test_a_signal_that_kills_leaves_the_dead_mount(mounted: Mount, number: signal.Signals) -> None:
    assert mounted.stop(number) == -number
    assert_dead(mounted)
    mounted.remount()
    mounted.run(["cat", mounted.path / "README.txt"])


def assert_dead(mount: Mount) -> None:
    """It is there, and says so to everybody who asks."""
    assert is_mounted(mount.path)
    for question in (["ls", mount.path], ["stat", mount.path / "anything"], ["mkdir", mount.path / "new"]):
        done = mount.run(question, check=False)
        assert done.returncode != 0
        assert DEAD.search(done.stderr)


def test_a_dead_mount_stays_until_the_new_one_is_about_to_take_its_place(start_mount: StartMount) -> None:
    """An empty directory in between would be copied by a mirror."""
    mount = start_mount()
    mount.kill(leave_dead=True)
    assert mountpoint.prepare(mount.path) == mount.path
    assert is_mounted(mount.path)
    (mount.home / "catalog.db").rename(mount.home / "away.db")  # so that the start fails
    assert mount.artfs("mount", mount.path, check=False).returncode == 1
    assert is_mounted(mount.path)
    (mount.home / "away.db").rename(mount.home / "catalog.db")
    mount.remount()
