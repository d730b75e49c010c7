"""What stalls ends in its deadline, and holds up nobody else: a text, a listing, a store."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from artfs_mount.loop.threads import QUERIES_AT_ONCE, READS_AT_ONCE
from support.drafts import NEVER_BY_ITSELF, commit
from support.faulty_mount import FaultyMount
from support.mount import MYSELF, Mount, new_base, remove_base
from support.programs import all_ended

MANY = 100
LARGE = 200_000
"""Bytes: more than is read on the event loop."""
FAR_FILES = READS_AT_ONCE + 4 if os.geteuid() == 0 else 1
"""Only root may let the kernel keep so many reads under way everywhere."""
TIMED_OUT = "timed out"


@pytest.fixture
def mount(fuse_for_everyone: None, tmp_path: Path) -> Iterator[FaultyMount]:
    """A mount with a version of many files in its store, and one of data in place."""
    mount = FaultyMount(new_base(MYSELF), NEVER_BY_ITSELF)
    mount.mount()
    (mount.incoming / "stored").mkdir()
    for number in range(MANY):
        (mount.incoming / "stored" / str(number)).write_bytes(os.urandom(LARGE))
    commit(mount.incoming / "stored")
    for name in ("in-place", "later"):
        (tmp_path / name).mkdir()
        for number in range(9):
            (tmp_path / name / str(number)).write_bytes(name.encode() * LARGE)
        (mount.incoming / name).symlink_to(tmp_path / name)
        mount.commit(name)
    yield mount
    mount.put_in_order()
    mount.unmount()
    remove_base(mount.base)


def test_a_text_that_stalls_holds_up_nobody(mount: FaultyMount) -> None:
    manifest = mount.artifacts / "stored/1/.artfs/manifest.json"
    mount.put_out_of_order("VersionText._made", hang=True)
    with ThreadPoolExecutor(1) as pool:
        stalled = pool.submit(manifest.stat)
        assert sorted(os.listdir(mount.artifacts)) == ["in-place", "later", "stored"]
        assert "manifest.json" in os.listdir(manifest.parent), "a listing makes no text"
        assert len(os.listdir(mount.artifacts / "stored/1")) == MANY
        assert (mount.artifacts / "in-place/1/1").read_bytes() == b"in-place" * LARGE
        (mount.incoming / "new").write_bytes(b"new")
        assert not stalled.done()
    assert stalled.exception().errno == errno.ETIMEDOUT  # type: ignore[union-attr]
    mount.put_in_order()
    assert manifest.stat().st_size == len(manifest.read_bytes())


def test_listings_that_stall_hold_up_nobody(mount: FaultyMount) -> None:
    mount.put_out_of_order("Listings.newest_tagged", hang=True)
    with ThreadPoolExecutor(MANY) as pool:
        stalled = [pool.submit(os.listdir, mount.artifacts / "stored") for _ in range(5)]
        assert sorted(os.listdir(mount.artifacts)) == ["in-place", "later", "stored"]
        assert len(os.listdir(mount.artifacts / "in-place/1")) == 9
        assert os.readlink(mount.artifacts / "in-place/latest") == "1"
        assert not any(each.done() for each in stalled)
    assert {each.exception().errno for each in stalled} == {errno.ETIMEDOUT}  # type: ignore[union-attr]


@pytest.mark.expected_warnings("read: Connection timed out|read: .*timed out")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may let the kernel keep so many reads under way everywhere")
def test_a_hundred_reads_of_a_store_that_stalls_change_nothing_for_others(mount: FaultyMount) -> None:
    mount.put_out_of_order("LocalStore.open_place", hang=True)
    # Processes of their own: one that waits for a page would keep this one from being ended.
    read = "import sys; open(sys.argv[1], 'rb').read()"
    stored = [mount.artifacts / "stored/1" / str(number) for number in range(MANY)]
    readers = [
        subprocess.Popen([sys.executable, "-c", read, path], stderr=subprocess.PIPE, text=True) for path in stored
    ]
    with all_ended(*readers):
        mount.wait_until(lambda: mount.status()["open_files"] >= MANY, "all files being open")
        for number in range(9):
            assert (mount.artifacts / "in-place/1" / str(number)).read_bytes() == b"in-place" * LARGE
        assert len(os.listdir(mount.artifacts / "stored/1")) == MANY
        killed = readers.pop()
        killed.kill()
        killed.communicate()
        assert all(TIMED_OUT in reader.communicate()[1] for reader in readers), "each in its deadline"
    assert (mount.artifacts / "later/1/1").read_bytes() == b"later" * LARGE


@pytest.mark.expected_warnings("read: .*timed out")
def test_a_disk_that_hangs_at_the_first_look_holds_up_nobody(mount: FaultyMount) -> None:
    mount.put_out_of_order("Nearness._is_near", hang=True)
    names = range(QUERIES_AT_ONCE + 4)
    read = "import sys; open(sys.argv[1], 'rb').read()"
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", read, mount.artifacts / "stored/1" / str(number)], stderr=subprocess.PIPE, text=True
        )
        for number in names
    ]
    with all_ended(*readers):
        mount.wait_until(lambda: mount.status()["open_files"] >= len(names), "all files being open")
        assert sorted(os.listdir(mount.artifacts / "stored")) == ["1", "latest"], "which a thread looks for, with tags"
        assert (mount.artifacts / "stored/1/.artfs/manifest.json").stat().st_size
        assert mount.status()["errors"]["count"] == 0, "all of them wait still, and for nothing that listings wait for"
        assert all(TIMED_OUT in reader.communicate()[1] for reader in readers)
    mount.put_in_order()
    assert len((mount.artifacts / "stored/1/0").read_bytes()) == LARGE


@pytest.mark.expected_warnings("read: .*timed out")
def test_data_in_place_on_a_file_system_that_hangs_holds_up_nobody(mount: FaultyMount) -> None:
    """The file system is another mount, whose daemon is stopped: whoever asks it for anything waits for ever."""
    with _stoppable() as other:
        (mount.incoming / "far").symlink_to(other.path)
        mount.commit("far")
        far = mount.artifacts / "far/1/0"
        stuck = [far.parent / str(number) for number in range(FAR_FILES)]
        os.kill(other.pid, signal.SIGSTOP)
        try:
            readers = [
                subprocess.Popen(["cat", path], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
                for path in stuck
            ]
            with all_ended(*readers):
                mount.wait_until(lambda: mount.status()["open_files"] >= FAR_FILES, "the files being open")
                assert sorted(os.listdir(mount.incoming)) == ["far", "in-place", "later", "stored"]
                assert sorted(os.listdir(far.parent)) == sorted(path.name for path in stuck)
                assert far.stat().st_size == LARGE
                assert os.getxattr(far, "user.artfs.digest").startswith(b"b3:")
                assert os.getxattr(mount.incoming / "stored", "user.artfs.state") == b"sealed"
                assert len((mount.artifacts / "stored/1/0").read_bytes()) == LARGE
                assert (mount.artifacts / "in-place/1/1").read_bytes() == b"in-place" * LARGE
                (mount.incoming / "new").write_bytes(b"new")
                assert mount.commit("new") == "1"
                assert mount.status()["errors"]["count"] == 0, "they wait still, alone"
                assert all(TIMED_OUT in reader.communicate()[1] for reader in readers), "each in its deadline"
        finally:
            os.kill(other.pid, signal.SIGCONT)
        assert far.read_bytes() == b"f" * LARGE


@contextmanager
def _stoppable() -> Iterator[_Stoppable]:
    """A mount of its own home with a draft that others may register; it is taken away whatever its daemon does."""
    base = new_base(MYSELF)
    mount = Mount(base, settings=NEVER_BY_ITSELF).mount()
    try:
        (mount.incoming / "data").mkdir()
        for number in range(FAR_FILES):
            (mount.incoming / "data" / str(number)).write_bytes(b"f" * LARGE)
        yield _Stoppable(mount.incoming / "data", mount.pid)
    finally:
        mount.end()
        remove_base(base)


@dataclass(frozen=True)
class _Stoppable:
    """path: of a folder in a mount. pid: of its daemon."""

    path: Path
    pid: int


def test_a_draft_that_is_moved_is_deleted_when_its_version_has_been_shown(mount: FaultyMount) -> None:
    """The kernel keeps others from `/incoming` until a move is answered."""
    (mount.artifacts / "moved").mkdir()
    (mount.incoming / "draft").write_bytes(b"content")
    mount.put_out_of_order("_delete", hang=True)
    (mount.incoming / "draft").rename(mount.artifacts / "moved" / "v1")
    assert (mount.artifacts / "moved/v1/draft").read_bytes() == b"content"
    assert "draft" not in os.listdir(mount.incoming)


@pytest.mark.expected_warnings("timed out")
def test_the_daemon_ends_in_order_though_reads_are_stuck(mount: FaultyMount) -> None:
    mount.put_out_of_order("LocalStore.open_place", hang=True)
    with pytest.raises(TimeoutError):
        (mount.artifacts / "stored/1/0").read_bytes()
    mount.unmount()
    mount.put_in_order()
    mount.remount()
    assert len((mount.artifacts / "stored/1/0").read_bytes()) == LARGE
