"""The commands that start, ask and end a daemon."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from artfs.cli import daemons
from support.mount import ARTFS, MYSELF, Mount, is_mounted, new_base, plain_user
from support.mount_fixtures import StartMount


@pytest.fixture
def unmounted(fuse_for_everyone: None) -> Iterator[Mount]:
    """A place to mount at, with a home of its own."""
    place = Mount(new_base(MYSELF))
    place.run(["mkdir", place.path])
    yield place
    if is_mounted(place.path):
        place.artfs("umount", place.path)
    shutil.rmtree(place.base)


def test_mount_returns_when_the_mount_answers(unmounted: Mount) -> None:
    done = unmounted.artfs("mount", unmounted.path)
    assert done.stdout.startswith(f"mounted at {unmounted.path}: write into {unmounted.incoming}")
    assert sorted(os.listdir(unmounted.path)) == [
        "README.txt",
        "artifacts",
        "incoming",
        "lineage",
        "models",
        "runs",
        "tags",
    ]
    assert os.getsid(unmounted.pid) == unmounted.pid


def test_umount_returns_when_the_daemon_has_ended(unmounted: Mount) -> None:
    unmounted.artfs("mount", unmounted.path)
    pid = unmounted.pid
    done = unmounted.artfs("umount", unmounted.path)
    assert done.stdout == f"unmounted {unmounted.path}\n"
    assert not is_mounted(unmounted.path)
    assert not daemons.is_daemon(pid)


def test_a_relative_mount_point_with_links(unmounted: Mount) -> None:
    (unmounted.base / "link").symlink_to("mnt")
    unmounted.artfs("mount", "link")
    assert is_mounted(unmounted.path)
    unmounted.artfs("umount", "./link/")
    assert not is_mounted(unmounted.path)


def test_two_mounts_at_one_place(mounted: Mount) -> None:
    for options in ([], ["--foreground"]):
        done = mounted.artfs("mount", *options, mounted.path, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith(f"artfs: {mounted.path}: artfs is mounted there already")
        assert done.stderr.count("\n") == 1


@pytest.mark.each_user
def test_status_tells_of_drafts(mounted: Mount) -> None:
    mounted.run(["cp", "/etc/passwd", mounted.incoming / "done"])
    mounted.sync()
    mounted.run(["mkfifo", mounted.incoming / "pipe"])
    mounted.run(["ln", "-s", "nowhere", mounted.incoming / "link"])
    mounted.artfs("sync", mounted.path, check=False)
    lines = mounted.artfs("status", mounted.incoming).stdout.splitlines()
    assert f"mount point\t{mounted.path}" in lines
    assert "done\tsealed\t1\t\t" in lines
    assert any(line.startswith("pipe\theld\t\t") for line in lines)
    assert any(line.startswith("link\taside\t\t") for line in lines)
    found = json.loads(mounted.artfs("status", mounted.path, "--json").stdout)
    assert found["pid"] == mounted.pid
    assert [draft["name"] for draft in found["drafts"]] == ["done", "link", "pipe"]


@pytest.mark.each_user
def test_status_of_everything(mounted: Mount) -> None:
    mounted.run(["cp", "/etc/passwd", mounted.incoming / "done"])
    mounted.sync()
    found = json.loads(mounted.artfs("status", "--json").stdout)
    assert found["home"]["path"] == str(mounted.home)
    assert (found["home"]["artifacts"], found["home"]["versions"]) == (1, 1)
    assert found["home"]["bytes"] == Path("/etc/passwd").stat().st_size
    assert str(mounted.path) in [mount["mount_point"] for mount in found["mounts"]]
    assert f"{mounted.path}\t{mounted.home}\t{mounted.pid}\t0\t0\t0\t" in mounted.artfs("status").stdout


@pytest.mark.each_user
def test_sync_waits_for_everything(mounted: Mount) -> None:
    for number in range(3):
        mounted.run(["cp", "/etc/passwd", mounted.incoming / f"file-{number}"])
    done = mounted.artfs("sync", mounted.path)
    assert (done.stdout, done.stderr) == ("", "")
    for number in range(3):
        mounted.run(["cmp", "/etc/passwd", mounted.artifacts / f"file-{number}" / "1" / f"file-{number}"])


def test_sync_tells_what_is_held_and_why(mounted: Mount) -> None:
    (mounted.incoming / "good").write_text("good")
    os.mkfifo(mounted.incoming / "bad")
    done = mounted.artfs("sync", mounted.path, "--json", check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"artfs: bad: it is held: '{mounted.incoming}/bad' is a FIFO")
    assert json.loads(done.stdout)["held_count"] == 1
    assert (mounted.artifacts / "good" / "latest" / "good").read_text() == "good"


def test_sync_gives_up_when_told_to(mounted: Mount) -> None:
    with (mounted.incoming / "writing").open("w") as writing:
        writing.write("x")
        writing.flush()
        done = mounted.artfs("sync", mounted.incoming, "--timeout", "0", check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"artfs: {mounted.incoming}: not done after 0 s: writing (")


def test_sync_does_not_wait_for_a_file_that_its_own_caller_has_open(mounted: Mount) -> None:
    with (mounted.incoming / "writing").open("w") as writing:
        writing.write("x")
        writing.flush()
        done = mounted.artfs("sync", mounted.path, check=False)
    assert done.returncode == 1
    why = "1 file is open for writing, by the program that waits for it; close it first"
    assert done.stderr == f"artfs: writing: it is held: {why}\n"


@pytest.mark.each_user
def test_commit_prints_the_version(mounted: Mount) -> None:
    draft = mounted.incoming / "x"
    mounted.run(["cp", "/etc/passwd", draft])
    assert mounted.artfs("commit", draft).stdout == "x/1\n"
    mounted.run(["cp", "/etc/group", draft])
    assert mounted.artfs("commit", draft, "--version", "v1.0", "--tag", "best", "--tag", "prod").stdout == "x/v1.0\n"
    assert mounted.run(["readlink", mounted.artifacts / "x" / "@prod"]).stdout == "v1.0\n"
    assert mounted.artfs("commit", "x", cwd=None if mounted.user.uid else mounted.incoming, check=False).returncode in (
        0,
        1,
    )


def test_commit_from_within_the_draft(mounted: Mount) -> None:
    draft = mounted.incoming / "model"
    draft.mkdir()
    (draft / "weights").write_bytes(b"w")
    assert mounted.artfs("commit", ".", cwd=draft).stdout == "model/1\n"
    assert mounted.artfs("commit", "../model/", cwd=draft).stdout == "model/1\n"


def test_commit_of_a_link_registers_in_place(mounted: Mount) -> None:
    data = mounted.base / "data"
    data.mkdir()
    (data / "x").write_text("where it is")
    (mounted.incoming / "set").symlink_to(data)
    assert mounted.artfs("commit", mounted.incoming / "set", "--tag", "raw").stdout == "set/1\n"
    assert (mounted.artifacts / "set" / "@raw" / "x").read_text() == "where it is"
    assert os.listxattr(data) == []


@pytest.mark.parametrize(
    ("draft", "options", "words"),
    [
        ("incoming/nothing", [], "no such draft"),
        ("incoming", [], "it is not a draft"),
        ("artifacts", [], "it is not a draft"),
        ("incoming/x/file", [], "it is not a draft"),
        ("incoming/link", [], "a relative link registers nothing"),
        ("incoming/x", ["--version", "1"], "already has a version 1"),
        ("incoming/x", ["--version", ".."], "invalid version name"),
        ("incoming/x", ["--tag", "a/b"], "invalid tag name"),
    ],
)
def test_what_cannot_be_committed(module_mount: Mount, draft: str, options: list[str], words: str) -> None:
    if not (module_mount.incoming / "x").exists():
        (module_mount.incoming / "x").mkdir()
        (module_mount.incoming / "link").symlink_to("nowhere")
        (module_mount.incoming / "x" / "file").write_text("1")
        module_mount.commit("x")
    (module_mount.incoming / "x" / "file").write_text(f"changed for {draft} {options}")
    done = module_mount.artfs("commit", module_mount.path / draft, *options, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert words in done.stderr
    assert os.listdir(module_mount.artifacts) == ["x"]
    assert sorted(os.listdir(module_mount.artifacts / "x")) == ["1", "latest"]


def test_a_draft_that_is_being_written_cannot_be_committed(mounted: Mount) -> None:
    with (mounted.incoming / "x").open("w"):
        done = mounted.artfs("commit", mounted.incoming / "x", check=False)
    assert done.returncode == 1
    assert "open for writing" in done.stderr


def test_umount_names_who_uses_the_mount(mounted: Mount) -> None:
    with (mounted.path / "README.txt").open():
        done = mounted.artfs("umount", mounted.path, check=False)
    assert done.returncode == 1
    assert f"artfs: {mounted.path}: it is in use by " in done.stderr
    assert f"(process {os.getpid()}); end that first, or use 'artfs umount --lazy'" in done.stderr
    assert is_mounted(mounted.path)


def test_root_ends_the_mount_of_another_user(start_mount: StartMount) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may")
    theirs = start_mount(plain_user())
    done = subprocess.run([ARTFS, "umount", theirs.path], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    # Not waited for here: that was the command's part.
    assert not daemons.daemon_of(theirs.path)
    theirs.wait_until(lambda: not theirs.is_alive)


def test_the_mount_of_another_user_is_left_alone(mounted: Mount) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can also test as another user")
    for options in ([], ["--lazy"]):
        command = plain_user().python_command([ARTFS, "umount", *options, mounted.path])
        done = subprocess.run(command, capture_output=True, text=True, env=mounted.environment)
        assert done.returncode == 1
        assert done.stderr.startswith(f"artfs: {mounted.path}: cannot be unmounted: ")
        assert done.stderr.count("\n") == 1
    assert is_mounted(mounted.path)


def test_a_lazy_umount_leaves_users_what_they_have_open(mounted: Mount) -> None:
    (mounted.incoming / "x").write_text("content")
    mounted.commit("x")
    with (mounted.artifacts / "x" / "1" / "x").open() as kept:
        done = mounted.artfs("umount", "--lazy", mounted.path)
        assert not is_mounted(mounted.path)
        assert kept.read() == "content"
    assert "the daemon ends when nobody uses it any more" in done.stdout
    mounted.wait_until(lambda: not mounted.is_alive, "the daemon's end")


def test_umount_tells_which_drafts_are_no_versions(unmounted: Mount) -> None:
    unmounted.artfs("mount", unmounted.path)
    os.mkfifo(unmounted.incoming / "bad")
    (unmounted.incoming / "good").write_text("good")
    unmounted.artfs("sync", unmounted.path, check=False)
    first, *rest = unmounted.artfs("umount", unmounted.path).stdout.splitlines()
    assert first == f"unmounted {unmounted.path}"
    assert [line.startswith("not a version yet, goes on at the next mount: bad (held: ") for line in rest] == [True]
    unmounted.artfs("mount", unmounted.path)
    assert "bad\theld" in unmounted.artfs("status", unmounted.path).stdout


@pytest.mark.each_user
def test_a_dead_mount_is_found_and_taken_away(mounted: Mount) -> None:
    mounted.kill(leave_dead=True)
    for command in ("status", "sync"):
        done = mounted.artfs(command, mounted.path, check=False)
        assert done.returncode == 1
        assert f"the daemon of this mount has died; mount it again: artfs mount {mounted.path}" in done.stderr
    checked = mounted.artfs("doctor", check=False)
    assert checked.returncode == 1
    assert f"fail  mounts: the daemon of {mounted.path} has died" in checked.stdout
    assert "its daemon has died" in mounted.artfs("status").stdout
    mounted.artfs("umount", mounted.path)
    assert not is_mounted(mounted.path)


@pytest.mark.each_user
def test_mount_takes_the_place_of_a_dead_mount(mounted: Mount) -> None:
    mounted.run(["cp", "/etc/passwd", mounted.incoming / "x"])
    mounted.sync()
    mounted.kill(leave_dead=True)
    mounted.remount()
    mounted.run(["cmp", "/etc/passwd", mounted.artifacts / "x" / "1" / "x"])


def test_two_mounts_of_one_home(start_mount: StartMount) -> None:
    first = start_mount()
    second = start_mount(beside=first)
    (first.incoming / "x").write_text("content")
    first.commit("x")
    assert (second.artifacts / "x" / "1" / "x").read_text() == "content"
    points = [mount["mount_point"] for mount in json.loads(first.artfs("status", "--json").stdout)["mounts"]]
    assert {str(first.path), str(second.path)} <= set(points)


def test_a_pipe_gets_no_progress(mounted: Mount) -> None:
    (mounted.incoming / "x").write_bytes(bytes(10**6))
    mounted.commit("x")
    done: subprocess.CompletedProcess[str] = mounted.artfs("verify", "x")
    assert done.stdout == f"1 version with 1 file and 976.6 KiB is intact, read in {mounted.home}/store\n"
    assert done.stderr == ""
