"""Where the daemon refuses to mount it says why in one line and changes nothing; several daemons share one home."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from artfs.artifacts.scan import scan
from artfs.catalog import Catalog
from artfs.home.home import Home
from artfs.linux.mounts import is_dead
from artfs.workspace.workspace import Workspace
from support.drafts import NEVER_BY_ITSELF, commit, drafts, versions
from support.mount import MYSELF, Done, Mount, is_mounted, new_base, plain_user
from support.mount_fixtures import StartMount
from support.programs import all_ended
from support.versions import seal

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this")


def refused(mount: Mount, *words: str) -> str:
    """Tries to mount, in the background and in the foreground; returns the line that says why not."""
    lines = set()
    for options in ([], ["--foreground"]):
        done = mount.artfs("mount", *options, mount.path, check=False)
        assert_one_line(done, *words)
        lines.add(done.stderr)
    assert not is_mounted(mount.path)
    assert len(lines) == 1
    return lines.pop()


def assert_one_line(done: Done, *words: str) -> None:
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("artfs: ")
    assert done.stderr.count("\n") == 1
    assert [word for word in words if word not in done.stderr] == []


@pytest.fixture
def unmounted(fuse_for_everyone: None) -> Iterator[Mount]:
    """A place to mount at."""
    mount = Mount(new_base(MYSELF))
    mount.path.mkdir()
    yield mount
    shutil.rmtree(mount.base)


@needs_root
def test_a_mount_point_of_somebody_else(unmounted: Mount) -> None:
    mount = Mount(unmounted.base, plain_user())
    refused(mount, f"{mount.path}: it belongs to somebody else")
    mount.path.chmod(0o700)
    refused(mount, str(mount.path), "choose")
    assert not mount.home.exists()


def test_a_catalog_of_a_newer_release(unmounted: Mount) -> None:
    Workspace.open(unmounted.home).catalog.close()
    with Catalog.open(unmounted.home / "catalog.db") as catalog:
        catalog.engine.execute("INSERT INTO schema_version (version, applied_us) VALUES (999, 0)")
    before = (unmounted.home / "catalog.db").read_bytes()
    refused(unmounted, str(unmounted.home / "catalog.db"), "999", "install a newer artfs")
    assert (unmounted.home / "catalog.db").read_bytes() == before


def test_a_corrupt_catalog(unmounted: Mount) -> None:
    Home(unmounted.home).create()
    (unmounted.home / "catalog.db").write_bytes(b"this is no catalog" * 1000)
    refused(unmounted, str(unmounted.home / "catalog.db"), "restore it from a backup")
    assert (unmounted.home / "catalog.db").read_bytes() == b"this is no catalog" * 1000


def test_a_setting_that_makes_no_sense(unmounted: Mount) -> None:
    Home(unmounted.home).create()
    (unmounted.home / "config.toml").write_text("quiet_file_seconds = -1\n")
    refused(unmounted, "quiet_file_seconds", str(unmounted.home / "config.toml"))


def test_a_home_that_cannot_be_made(unmounted: Mount) -> None:
    unmounted.home.write_text("a file")
    refused(unmounted, f"cannot make the artfs home at {unmounted.home}")


@needs_root
def test_a_home_and_a_cache_on_a_disk_that_is_read_only(unmounted: Mount, monkeypatch: pytest.MonkeyPatch) -> None:
    Workspace.open(unmounted.home).catalog.close()
    subprocess.run(["mount", "--bind", unmounted.home, unmounted.home], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", unmounted.home], check=True)
        monkeypatch.setenv("XDG_CACHE_HOME", str(unmounted.home / "no/cache"))
        refused(unmounted, "Read-only file system; the home (where that can only be read: XDG_CACHE_HOME) needs a disk")
    finally:
        subprocess.run(["umount", unmounted.home], check=True)


@needs_root
def test_a_home_on_a_file_system_without_attributes(unmounted: Mount) -> None:
    unmounted.home.mkdir()
    subprocess.run(["mount", "-t", "ramfs", "artfs-test", unmounted.home], check=True)
    try:
        refused(unmounted, "keeps no extended attributes", "put the home on ext4")
    finally:
        subprocess.run(["umount", unmounted.home], check=True)


class TestTwoDaemons:
    @pytest.fixture
    def one(self, start_mount: StartMount) -> Mount:
        return start_mount(settings=NEVER_BY_ITSELF)

    @pytest.fixture
    def other(self, start_mount: StartMount, one: Mount) -> Mount:
        return start_mount(beside=one)

    def test_a_version_is_seen_through_both_at_once(self, one: Mount, other: Mount) -> None:
        for number, (writer, reader) in enumerate([(one, other), (other, one)] * 3, 1):
            assert versions(reader, "shared") == [str(seen) for seen in range(1, number)]
            (writer.incoming / "shared").write_bytes(b"%d" % number)
            commit(writer.incoming / "shared", b'{"tags": ["newest"]}')
            for mount in (writer, reader):
                assert (mount.artifacts / "shared" / str(number) / "shared").read_bytes() == b"%d" % number
                assert os.readlink(mount.artifacts / "shared" / "latest") == str(number)
                assert (mount.artifacts / "shared" / "@newest" / "shared").read_bytes() == b"%d" % number

    def test_what_the_library_makes_is_seen_at_once(self, one: Mount, other: Mount, tmp_path: Path) -> None:
        with Workspace.open(one.home) as workspace:
            for number in range(1, 4):
                (tmp_path / "file").write_bytes(b"%d" % number)
                seal(scan(tmp_path / "file"), workspace, "made elsewhere", adopt=False)
                for mount in (one, other):
                    assert (mount.artifacts / "made elsewhere" / "latest" / "file").read_bytes() == b"%d" % number

    def test_each_has_drafts_of_its_own(self, one: Mount, other: Mount) -> None:
        (one.incoming / "of one").write_bytes(b"one")
        (other.incoming / "of the other").write_bytes(b"other")
        assert (list(drafts(one)), list(drafts(other))) == (["of one"], ["of the other"])
        for mount in (one, other):
            mount.unmount()
        other.remount()
        assert list(drafts(other)) == ["of the other"]

    def test_drafts_of_a_mount_point_that_is_used_no_more_are_found_again(
        self, start_mount: StartMount, one: Mount
    ) -> None:
        (one.incoming / "draft").write_bytes(b"content")
        one.unmount()
        elsewhere = start_mount(beside=one)
        assert (elsewhere.incoming / "draft").read_bytes() == b"content"

    def test_both_may_make_versions_of_one_artifact_at_the_same_time(self, one: Mount, other: Mount) -> None:
        script = (
            'for i in $(seq 10); do echo "$1 $i" > "$1/incoming/raced"; artfs commit "$1/incoming/raced" || exit; done'
        )
        commands = [["sh", "-c", script, "sh", mount.path] for mount in (one, other)]
        writers = [subprocess.Popen(command, env=one.environment, stdout=subprocess.DEVNULL) for command in commands]
        with all_ended(*writers):
            assert [writer.wait(120) for writer in writers] == [0, 0]
        assert sorted(map(int, versions(one, "raced"))) == list(range(1, 21))
        lines = {(one.artifacts / "raced" / version / "raced").read_text() for version in versions(one, "raced")}
        assert lines == {f"{mount.path} {number}\n" for mount in (one, other) for number in range(1, 11)}


def test_a_mount_that_hangs_is_not_dead_and_hangs_nobody(start_mount: StartMount) -> None:
    mount = start_mount()
    pid = mount.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        assert not is_dead(mount.path)
        assert mount.artfs("doctor", check=False).returncode in (0, 1)
        assert mount.artfs("exec", "--", "true").returncode == 0
    finally:
        os.kill(pid, signal.SIGCONT)
