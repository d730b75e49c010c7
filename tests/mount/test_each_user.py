"""What is written becomes a version in the same way for root and for a plain user, who mounts through fusermount3."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from support.mount import Mount, plain_user
from support.mount_fixtures import StartMount

pytestmark = pytest.mark.each_user


def test_what_is_copied_in_is_read_back(mounted: Mount) -> None:
    tree = mounted.base / "tree"
    mounted.run(["mkdir", "-p", tree / "deep" / "er"])
    mounted.run(["cp", "/etc/passwd", "/etc/group", tree / "deep" / "er"])
    mounted.run(["chmod", "750", tree / "deep" / "er" / "passwd"])
    mounted.run(["cp", "-a", tree, mounted.incoming / "tree"])
    mounted.sync()
    mounted.run(["diff", "-r", tree, mounted.artifacts / "tree" / "latest"])
    listed = mounted.run(["find", mounted.artifacts / "tree" / "1", "-type", "f", "-printf", "%m %u %f\n"]).stdout
    owner = mounted.run(["id", "-un"]).stdout.strip()
    assert sorted(listed.splitlines()) == [f"444 {owner} group", f"500 {owner} passwd"]


def test_what_a_command_wrote_is_sealed_when_it_ends_well_and_held_when_not(mounted: Mount) -> None:
    mounted.artfs("exec", "--", "sh", "-c", f"cat {mounted.path}/README.txt > {mounted.incoming}/page")
    mounted.run(["cmp", mounted.path / "README.txt", mounted.artifacts / "page" / "1" / "page"])
    done = mounted.artfs("exec", "--", "sh", "-c", f"echo > {mounted.incoming}/half; exit 3", check=False)
    assert done.returncode == 3
    (half,) = (draft for draft in mounted.status()["drafts"] if draft["name"] == "half")
    assert half["state"] == "held"


def test_a_version_cannot_be_changed(mounted: Mount) -> None:
    mounted.run(["cp", "/etc/passwd", mounted.incoming / "names"])
    assert mounted.commit("names") == "1"
    done = mounted.run(["touch", mounted.artifacts / "names" / "1" / "new"], check=False)
    assert done.returncode != 0
    # The directory's mode keeps a plain user out before the daemon is asked.
    assert "Read-only file system" in done.stderr or "Permission denied" in done.stderr


def test_versions_and_drafts_outlive_a_killed_daemon(mounted: Mount) -> None:
    mounted.run(["cp", "/etc/passwd", mounted.incoming / "names"])
    mounted.commit("names", tags=["good"])
    mounted.run(["cp", "/etc/group", mounted.incoming / "unsealed"])
    mounted.kill()
    mounted.remount()
    mounted.run(["cmp", "/etc/passwd", mounted.artifacts / "names" / "@good" / "names"])
    mounted.run(["cmp", "/etc/group", mounted.incoming / "unsealed"])


def test_versions_and_drafts_go_on_at_the_next_mount(mounted: Mount) -> None:
    mounted.run(["cp", "/etc/services", mounted.incoming / "names"])
    mounted.commit("names")
    mounted.run(["cp", "/etc/protocols", mounted.incoming / "unsealed"])
    mounted.unmount()
    mounted.remount()
    mounted.run(["cmp", "/etc/services", mounted.artifacts / "names" / "1" / "names"])
    mounted.run(["cmp", "/etc/services", mounted.incoming / "names"])
    mounted.run(["cp", "/etc/protocols", mounted.incoming / "names"])
    mounted.sync()
    mounted.run(["cmp", "/etc/protocols", mounted.artifacts / "names" / "2" / "names"])
    mounted.run(["cmp", "/etc/protocols", mounted.artifacts / "unsealed" / "1" / "unsealed"])
    mounted.run(["cmp", "/etc/services", mounted.artifacts / "names" / "1" / "names"])


def test_a_mount_that_the_system_refuses_fails_in_one_line(start_mount: StartMount) -> None:
    if os.geteuid() != 0 or re.search(r"^user_allow_other", Path("/etc/fuse.conf").read_text("utf-8"), re.MULTILINE):
        pytest.skip("needs a user whom the system does not let open a mount to others")
    mount = start_mount(plain_user())
    mount.unmount()
    done = mount.artfs("mount", "--allow-other", mount.path, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"artfs: {mount.path}: ") and done.stderr.count("\n") == 1
