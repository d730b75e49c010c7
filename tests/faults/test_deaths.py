"""However a daemon dies, its mount stays and says so, and the next one takes over. Only an unannounced mount goes."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import resource
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from artfs.linux import mounts
from support.drafts import NEVER_BY_ITSELF, commit, raises
from support.faulty_mount import FaultyMount
from support.mount import MYSELF, Mount, is_mounted, new_base, remove_base
from support.warning_guard import ExpectedWarnings

CRASHED = r"CRITICAL artfs_mount\.leaving: the daemon failed: it ends, and leaves the dead mount"
CUT = r"CRITICAL artfs_mount\.leaving: the connection to the kernel was cut, though nobody unmounted"

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root may do this")


@pytest.fixture
def mount(fuse_for_everyone: None, expected_warnings: ExpectedWarnings) -> Iterator[FaultyMount]:
    """A mount with a version and a draft, whose daemon can be put out of order."""
    mount = FaultyMount(new_base(MYSELF), NEVER_BY_ITSELF)
    mount.mount()
    (mount.incoming / "file").write_bytes(b"sealed")
    commit(mount.incoming / "file")
    (mount.incoming / "draft").write_bytes(b"draft")
    yield mount
    mount.put_in_order()
    mount.end()
    unexpected = expected_warnings.unexpected_in_log(mount.log())
    remove_base(mount.base)
    assert unexpected == []


def assert_dead(mount: Mount) -> None:
    """It says so to everybody."""
    assert is_mounted(mount.path)
    with pytest.raises(OSError) as refused:
        os.listdir(mount.path)
    assert refused.value.errno in (errno.ENOTCONN, errno.ECONNABORTED)
    assert mounts.is_dead(mount.path)


def assert_taken_over(mount: FaultyMount) -> None:
    """The next `artfs mount` goes on where the dead daemon stopped."""
    mount.put_in_order()
    mount.remount()
    assert (mount.artfs("mount", mount.path, check=False)).returncode == 1
    assert (mount.artifacts / "file" / "1" / "file").read_bytes() == b"sealed"
    assert (mount.incoming / "draft").read_bytes() == b"draft"
    mount.unmount()
    assert not is_mounted(mount.path)


def _answer_nonsense(mount: FaultyMount) -> None:
    """pyfuse3 meets a text in place of attributes, outside of any handler."""
    mount.put_out_of_order("Inodes.lookup", nonsense=True)
    with pytest.raises(OSError):
        os.lstat(mount.incoming / "never seen")


class TestTheCore:
    @pytest.mark.expected_warnings(CRASHED)
    def test_an_exception_in_it_leaves_the_dead_mount(self, mount: FaultyMount) -> None:
        _answer_nonsense(mount)
        assert mount.wait() == 1
        assert_dead(mount)
        assert re.search(rf"{CRASHED}.*\n(.*\n)*.*Traceback", mount.log())
        assert_taken_over(mount)

    @pytest.mark.expected_warnings(CRASHED)
    @pytest.mark.parametrize("part", ["Contents.sync", "DraftCommit.commit"])
    def test_a_thread_that_is_stuck_does_not_keep_it(self, mount: FaultyMount, part: str) -> None:
        mount.put_out_of_order(part, hang=True)
        asking = threading.Thread(target=_sync if part == "Contents.sync" else _commit, args=[mount.incoming / "draft"])
        asking.start()
        mount.wait_until(lambda: _is_stuck(mount), "the thread being stuck")
        # One control file, one fault: what hangs asks whether the file is there, and goes on hanging.
        _answer_nonsense(mount)
        assert mount.wait() == 1
        asking.join(30)
        assert_dead(mount)
        assert_taken_over(mount)

    @root_only
    @pytest.mark.expected_warnings(CUT)
    def test_a_connection_that_was_cut_leaves_the_dead_mount(self, mount: FaultyMount) -> None:
        found = mounts.mounted_at(mount.path)
        assert found is not None
        connections = "/sys/fs/fuse/connections"
        abort = f"mount -t fusectl fusectl {connections}; echo 1 > {connections}/{found.device.partition(':')[2]}/abort"
        subprocess.run(["unshare", "--mount", "sh", "-ec", abort], check=True)
        assert mount.wait() == 1
        assert_dead(mount)
        assert_taken_over(mount)

    @root_only
    @pytest.mark.expected_warnings(CUT)
    def test_a_forced_unmount_that_meets_users_leaves_the_dead_mount(self, mount: FaultyMount) -> None:
        user = os.open(mount.artifacts / "file" / "1" / "file", os.O_RDONLY)
        done = subprocess.run(["umount", "-f", mount.path], capture_output=True, text=True)
        assert "busy" in done.stderr
        assert mount.wait() == 1
        with pytest.raises(OSError):
            os.close(user)
        assert_dead(mount)
        assert_taken_over(mount)

    @root_only
    def test_a_forced_unmount_that_meets_nobody_is_an_unmount(self, mount: FaultyMount) -> None:
        subprocess.run(["umount", "-f", mount.path], check=True)
        assert mount.wait() == 0
        assert not is_mounted(mount.path)

    def test_a_lazy_unmount_ends_it_when_the_last_user_goes(self, mount: FaultyMount) -> None:
        with (mount.artifacts / "file" / "1" / "file").open("rb") as file:
            mount.artfs("umount", "--lazy", mount.path)
            assert file.read() == b"sealed"
            assert mount.is_alive
        assert mount.wait() == 0
        assert not is_mounted(mount.path)


class TestBeforeItIsAnnounced:
    @pytest.mark.expected_warnings("the daemon ends")
    @pytest.mark.parametrize("error", ["Injected", "PanicException", "MemoryError"])
    def test_a_failure_takes_the_mount_away(self, mount: FaultyMount, error: str) -> None:
        mount.unmount()
        mount.put_out_of_order("_Ready.succeeded", error=error)
        with contextlib.suppress(RuntimeError):  # which it need not be: what answers may be the directory beneath
            mount.remount()
        assert mount.wait() == 1
        assert f"the daemon failed: {error}: injected into _Ready.succeeded" in mount.log()
        assert not is_mounted(mount.path)
        assert os.listdir(mount.path) == []


class TestMemory:
    @pytest.mark.expected_warnings("")
    def test_a_limit_on_addresses_fails_requests_and_unmounts_nothing(self, mount: FaultyMount) -> None:
        """The daemon may live through it or not: either the mount answers afterwards or it is dead."""
        content = os.urandom(40 * 2**20)
        (mount.incoming / "large").write_bytes(content)
        commit(mount.incoming / "large")
        large = mount.artifacts / "large" / "1" / "large"
        pid = mount.pid
        used = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
        resource.prlimit(pid, resource.RLIMIT_AS, (used + 2**20, resource.RLIM_INFINITY))
        with contextlib.suppress(OSError):
            assert large.read_bytes() == content
        with contextlib.suppress(OSError):
            (mount.incoming / "more").write_bytes(content)
        assert is_mounted(mount.path)
        try:
            resource.prlimit(pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            assert large.read_bytes() == content
        except OSError:
            assert mount.wait() != 0
            assert_dead(mount)
        else:
            mount.unmount()
        mount.remount()
        assert large.read_bytes() == content

    @pytest.mark.expected_warnings("statfs: ", "background work 'room' failed")
    def test_a_handler_that_gets_no_memory_says_so_and_the_mount_lives(self, mount: FaultyMount) -> None:
        pid = mount.pid
        used = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
        mount.put_out_of_order("os.statvfs", eat=True)
        resource.prlimit(pid, resource.RLIMIT_AS, (used + 200 * 2**20, resource.RLIM_INFINITY))
        with raises(errno.ENOMEM):
            os.statvfs(mount.path)
        mount.put_in_order()
        os.statvfs(mount.path)
        assert mount.pid == pid

    @root_only
    def test_the_kernel_that_kills_for_memory_leaves_the_dead_mount(self, mount: FaultyMount) -> None:
        with _memory_group(512 * 2**20) as procs:
            procs.write_text(str(mount.pid))
            mount.put_out_of_order("os.statvfs", eat=True)
            with pytest.raises(OSError):
                os.statvfs(mount.path)
            assert mount.wait() == -9
        assert_dead(mount)
        assert_taken_over(mount)


def _sync(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("ab") as file:
        os.fsync(file.fileno())


def _commit(path: Path) -> None:
    with contextlib.suppress(OSError):
        commit(path)


def _is_stuck(mount: FaultyMount) -> bool:
    """Whether some thread of the daemon waits in the part that hangs."""
    os.kill(mount.pid, 10)
    (stacks,) = mount.home.glob("mounts/*/stacks.txt")
    return "in fail" in stacks.read_text()


@contextlib.contextmanager
def _memory_group(limit: int) -> Iterator[Path]:
    """A group of processes that may use so much memory together; the file that takes their ids."""
    own = f"artfs-test-{os.getpid()}"
    for parent, settings in (
        (Path("/sys/fs/cgroup"), {"memory.max": limit, "memory.swap.max": 0}),
        (Path("/sys/fs/cgroup/memory"), {"memory.limit_in_bytes": limit, "memory.memsw.limit_in_bytes": limit}),
    ):
        group = parent / own
        if not (parent / "cgroup.procs").exists():
            continue
        group.mkdir()
        try:
            there = [name for name in settings if (group / name).exists()]
            for name in there:
                (group / name).write_text(str(settings[name]))
            if there:
                yield group / "cgroup.procs"
                return
        finally:
            group.rmdir()
    pytest.skip("this machine lets nobody limit the memory of a group of processes")
