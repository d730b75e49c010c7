"""`mount -t artfs`, by hand and from fstab, through the helper that mount(8) runs."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.mount import ARTFS, MYSELF, PATIENCE_SECONDS, Mount, is_mounted, new_base, plain_user

HELPER = Path(__file__).parents[2] / "mount" / "mount.artfs"
INSTALLED = Path("/sbin/mount.artfs")

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may use mount(8)")


@pytest.fixture
def installed_helper() -> Iterator[None]:
    """The helper where mount(8) looks for it; one that is there already comes back."""
    aside = INSTALLED.with_name("mount.artfs.aside")
    if INSTALLED.exists():
        INSTALLED.rename(aside)
    shutil.copy(HELPER, INSTALLED)
    yield
    INSTALLED.unlink()
    if aside.exists():
        aside.rename(INSTALLED)


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A directory with an empty directory `mnt` in it, where whatever is mounted is unmounted at the end."""
    base = new_base(getattr(request, "param", MYSELF))
    mount_point = base / "mnt"
    mount_point.mkdir()
    shutil.chown(mount_point, base.stat().st_uid, base.stat().st_gid)
    yield base
    if is_mounted(mount_point):
        _unmount(base)
    shutil.rmtree(base)


@only_root
@pytest.mark.usefixtures("installed_helper")
def test_mount_makes_a_mount_and_umount_ends_its_daemon(place: Path) -> None:
    options = f"command={ARTFS},nofail,_netdev,noatime,x-systemd.automount"
    subprocess.run(["mount", "-t", "artfs", "-o", options, place / "home", place / "mnt"], check=True)
    assert (place / "mnt" / "README.txt").is_file()
    assert (place / "home" / "catalog.db").is_file()

    _unmount(place)
    assert not is_mounted(place / "mnt")


@only_root
@pytest.mark.usefixtures("installed_helper", "fuse_for_everyone")
@pytest.mark.parametrize("place", [plain_user()], indirect=True, ids=["plain user"])
def test_a_user_owns_the_mount_made_for_them(place: Path) -> None:
    user = plain_user()
    if not user.can_run_python:
        pytest.skip("a plain user cannot read this Python's directory")
    options = f"command={ARTFS},user={user.name},nofail"
    subprocess.run(["mount", "-t", "artfs", "-o", options, place / "home", place / "mnt"], check=True)
    theirs = Mount(place, user)
    assert theirs.run(["stat", "--format=%u", place / "mnt" / "incoming"]).stdout.strip() == str(user.uid)
    theirs.run(["cp", HELPER, place / "mnt" / "incoming" / "helper"])
    assert theirs.commit("helper") == "1"
    theirs.artfs("umount", place / "mnt")


@only_root
@pytest.mark.usefixtures("installed_helper")
def test_a_line_of_fstab_is_enough(place: Path) -> None:
    home, mount_point = place / "home with space", place / "mnt"
    table = place / "fstab"
    escaped = str(home).replace(" ", "\\040")
    table.write_text(f"{escaped} {mount_point} artfs command={ARTFS},noauto,nofail 0 0\n")
    subprocess.run(["mount", "-T", table, mount_point], check=True)
    assert (mount_point / "README.txt").is_file()
    assert (home / "catalog.db").is_file()


@only_root
@pytest.mark.usefixtures("installed_helper")
def test_a_mount_that_cannot_be_made_fails_with_its_reason(place: Path) -> None:
    (place / "mnt" / "something").touch()
    command = ["mount", "-t", "artfs", "-o", f"command={ARTFS}", place / "home", place / "mnt"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 32
    assert "not empty" in done.stderr
    assert not is_mounted(place / "mnt")


@pytest.mark.parametrize(
    ("source", "options", "complaint"),
    [
        ("/home-of-artfs", "ro", "read-only anyway"),
        ("/home-of-artfs", "remount,rw", "cannot change a mount"),
        ("/home-of-artfs", "noexec", "leave it out"),
        ("/home-of-artfs", "bogus=1", "bogus=1: unknown option"),
        ("/home-of-artfs", "uid=3999999", "no such user"),
        ("relative/home", "rw", "absolute path"),
    ],
)
def test_what_cannot_be_had_is_refused_in_one_line(place: Path, source: str, options: str, complaint: str) -> None:
    done = subprocess.run([HELPER, source, place / "mnt", "-o", options], capture_output=True, text=True)
    assert done.returncode == 1
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1
    assert not is_mounted(place / "mnt")


def test_a_fake_mount_mounts_nothing(place: Path) -> None:
    command = [HELPER, "/home-of-artfs", place / "mnt", "-f", "-v", "-s", "-o", "bogus,allow_other"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"mount.artfs: artfs --home /home-of-artfs mount --allow-other -- {place}/mnt\n"
    assert not is_mounted(place / "mnt")


def _unmount(place: Path) -> None:
    """Unmounts as root does, and waits for the end of the daemon, which goes on writing until then."""
    status = json.loads((place / "mnt" / ".artfs" / "status.json").read_bytes())
    daemon = os.pidfd_open(status["pid"])
    try:
        subprocess.run(["umount", place / "mnt"], check=True)
        assert select.select([daemon], [], [], PATIENCE_SECONDS)[0], "the daemon did not end"
    finally:
        os.close(daemon)
