"""Drafts and versions that are deeper than a path can say: every part of the mount works on them, at any depth."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from support.deep import LEVELS, NAME, PATH_MAX, dig, inside, picture
from support.drafts import commit, drafts, state, versions
from support.faulty_mount import killed_at
from support.mount import Mount
from support.stores import stored_files


@pytest.fixture
def mount(mortal_mount: Mount) -> Mount:
    return mortal_mount


@pytest.fixture
def draft(mount: Mount) -> Path:
    path = mount.incoming / "deep"
    path.mkdir()
    dig(path)
    return path


def rm_rf(path: Path) -> None:
    subprocess.run(["rm", "-rf", "--", path], check=True)


def test_a_draft_deeper_than_a_path_becomes_a_version(mount: Mount, draft: Path) -> None:
    assert LEVELS * len(NAME) > 2 * PATH_MAX
    written = picture(draft)
    assert written[LEVELS, b"bottom"] == b"at the bottom" and len(written) == LEVELS + LEVELS // 100 + 4
    assert commit(draft) == "1"
    assert picture(mount.artifacts / "deep" / "1") == written == picture(draft)
    mount.artfs("verify", "--all")
    with inside(draft, LEVELS):
        assert os.stat("bottom").st_nlink == 2


def test_a_draft_deeper_than_a_path_is_removed(mount: Mount, draft: Path) -> None:
    rm_rf(draft)
    assert os.listdir(mount.incoming) == [] and drafts(mount) == {}
    assert list(mount.home.glob("mounts/*/work/*")) == []


def test_a_draft_that_became_so_deep_by_a_rename(mount: Mount) -> None:
    for name in ("upper", "lower"):
        (mount.incoming / name).mkdir()
        dig(mount.incoming / name, 60)
    with inside(mount.incoming / "upper", 60):
        bottom = os.open(".", os.O_RDONLY)
    os.rename(mount.incoming / "lower" / NAME, NAME, dst_dir_fd=bottom)
    os.close(bottom)
    written = picture(mount.incoming / "upper")
    assert written[120, b"bottom"] == b"at the bottom"
    assert commit(mount.incoming / "upper") == "1"
    assert picture(mount.artifacts / "upper" / "1") == written
    rm_rf(mount.incoming / "upper")
    assert os.listdir(mount.incoming) == ["lower"]


def test_every_operation_works_at_the_bottom(mount: Mount, draft: Path) -> None:
    with inside(draft, LEVELS):
        Path("new").write_bytes(b"12345")
        os.truncate("new", 3)
        os.chmod("new", 0o640)
        os.utime("new", ns=(1, 2))
        if os.geteuid() == 0:
            os.chown("new", 12, 34)
        os.setxattr("new", "user.mine", b"value")
        assert (os.getxattr("new", "user.mine"), os.listxattr("new")) == (b"value", ["user.mine"])
        os.removexattr("new", "user.mine")
        os.mkfifo("pipe")
        os.rename("new", "renamed")
        os.rename("renamed", "bottom")
        os.link("bottom", "linked")
        os.mkdir("directory")
        os.rmdir("directory")
        os.unlink("pipe")
        descriptor = os.open(".", os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
        status = os.stat("linked")
        assert (status.st_mode & 0o777, status.st_mtime_ns, status.st_nlink, status.st_size) == (0o640, 2, 2, 3)
        assert os.readlink("link") == "bottom"
        assert Path("also bottom").read_bytes() == b"at the bottom"
        with pytest.raises(FileExistsError):
            os.mkdir("bottom")
        with pytest.raises(FileNotFoundError):
            os.unlink("missing")


def test_a_sealed_draft_is_changed_at_the_bottom(mount: Mount, draft: Path) -> None:
    commit(draft)
    with inside(draft, LEVELS):
        with open("bottom", "ab") as file:
            file.write(b", changed")
        os.chmod("bottom", 0o600)
    assert commit(draft) == "2"
    for version, content in (("1", b"at the bottom"), ("2", b"at the bottom, changed")):
        assert picture(mount.artifacts / "deep" / version)[LEVELS, b"also bottom"] == content


def test_a_deep_draft_outlives_its_daemon(mount: Mount, draft: Path) -> None:
    written = picture(draft)
    mount.unmount()
    mount.remount()
    assert picture(draft) == written
    mount.kill()
    mount.remount()
    assert picture(draft) == written and state(mount, "deep")[0] == "held"
    assert commit(draft) == "1"
    mount.unmount()
    mount.remount()
    assert picture(draft) == written == picture(mount.artifacts / "deep" / "1")


@pytest.mark.parametrize(
    ("part", "call", "after", "made"),
    [
        pytest.param("LocalStore.place", 2, True, [], id="among the files being placed"),
        pytest.param("stage committed", 1, False, ["1"], id="after the commit"),
        pytest.param("Stub.put", 2, True, ["1"], id="among the stubs"),
    ],
)
def test_a_deep_draft_is_killed_while_it_is_sealed(
    mount: Mount, draft: Path, part: str, call: int, after: bool, made: list[str]
) -> None:
    written = picture(draft)
    killed_at(mount, draft, part, call, after=after)
    assert versions(mount, "deep") == made
    assert picture(draft) == written
    assert commit(draft) == "1"
    assert picture(mount.artifacts / "deep" / "1") == written
    mount.artfs("verify", "--all")
    stored = subprocess.run(["find", mount.home / "store", "-type", "f", "-printf", "%i\n"], capture_output=True)
    working = subprocess.run(["find", mount.home / "mounts", "-type", "f", "-printf", "%i\n"], capture_output=True)
    assert set(stored.stdout.split()) & set(working.stdout.split()) == set()


def test_a_deep_folder_is_registered_in_place(mount: Mount, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    dig(tmp_path / "folder")
    os.symlink(tmp_path / "folder", mount.incoming / "placed")
    mount.artfs("commit", mount.incoming / "placed")
    assert picture(mount.artifacts / "placed" / "1") == picture(tmp_path / "folder")
    mount.artfs("verify", "--all")


def test_a_deep_draft_is_moved_into_artifacts(mount: Mount, draft: Path) -> None:
    written = picture(draft)
    (mount.artifacts / "deep").mkdir()
    os.rename(draft, mount.artifacts / "deep" / "v1")
    assert picture(mount.artifacts / "deep" / "v1") == written
    assert os.listdir(mount.incoming) == []
    mount.wait_until(lambda: list(mount.home.glob("mounts/*/scratch/*")) == [], "the files of the draft being removed")


def test_the_bytes_of_a_deep_version_go_when_it_is_deleted(mount: Mount, draft: Path) -> None:
    commit(draft)
    mount.artfs("artifact", "version", "delete", "--yes", "deep/1")
    assert picture(draft)[LEVELS, b"bottom"] == b"at the bottom"  # the draft needs them
    rm_rf(draft)
    mount.artfs("gc")
    assert stored_files(mount.home / "store/deep") == []


def test_an_error_says_where_and_stays_readable(mount: Mount, draft: Path) -> None:
    with inside(draft, LEVELS):
        os.mkfifo("pipe")
    done = mount.artfs("commit", draft, check=False)
    assert done.returncode == 1
    assert "is a FIFO" in done.stderr and "pipe'" in done.stderr and len(done.stderr) < 1000
    assert "is a FIFO" in str(drafts(mount)["deep"]["error"])


def test_drafts_are_as_deep_as_python_cannot_recurse(mount: Mount) -> None:
    path = mount.incoming / "deepest"
    path.mkdir()
    dig(path, 1100, "d", every=500)
    written = picture(path)
    assert commit(path) == "1"
    assert picture(mount.artifacts / "deepest" / "1") == written
    info = mount.artifacts / "deepest" / "1" / ".artfs"
    assert (info / "manifest.json").read_bytes().count(b'"path"') == len(written)
    mount.artfs("verify", "--all")
    rm_rf(path)
    mount.artfs("artifact", "version", "delete", "--yes", "deepest/1")
    mount.artfs("gc")
    assert stored_files(mount.home / "store/deepest") == []
