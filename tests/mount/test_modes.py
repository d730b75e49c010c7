"""Files and directories that their owner may not write, or not even read, are drafts and versions like any other.

The daemon of a plain user meets the same modes as the user does, and has to work all the same.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from support.mount import Mount

pytestmark = pytest.mark.each_user


@pytest.fixture
def draft(mounted: Mount) -> Path:
    """A draft of files and directories that forbid themselves most."""
    draft = mounted.incoming / "strict"
    mounted.run(["mkdir", "-p", draft / "inner" / "innermost"])
    shell(mounted, "umask 222; echo read-only > inner/readable", draft)
    shell(mounted, "echo secret > inner/innermost/hidden; chmod 000 inner/innermost/hidden", draft)
    shell(mounted, "chmod 555 inner/innermost inner .", draft)
    return draft


def test_they_become_a_version(mounted: Mount, draft: Path) -> None:
    mounted.commit("strict")
    version = mounted.artifacts / "strict" / "1"
    assert mounted.run(["cat", version / "inner" / "readable"]).stdout == "read-only\n"
    assert mounted.run(["cat", version / "inner" / "innermost" / "hidden"]).stdout == "secret\n"
    assert modes(mounted, draft) == [". 555", "hidden 0", "inner 555", "innermost 555", "readable 444"]


def test_what_is_done_to_them_afterwards_does_not_reach_the_version(mounted: Mount, draft: Path) -> None:
    mounted.commit("strict")
    version = mounted.artifacts / "strict" / "1"
    before = modes(mounted, version)
    shell(mounted, "chmod -R u+w . && echo more >> inner/readable", draft)
    assert modes(mounted, version) == before
    assert mounted.run(["cat", version / "inner" / "readable"]).stdout == "read-only\n"
    assert mounted.run(["cat", draft / "inner" / "readable"]).stdout == "read-only\nmore\n"


def test_they_are_found_again_by_another_daemon(mounted: Mount, draft: Path) -> None:
    before = modes(mounted, draft)
    mounted.unmount()
    mounted.remount()
    assert modes(mounted, draft) == before
    mounted.commit("strict")
    mounted.unmount()
    mounted.remount()
    assert modes(mounted, draft) == before


def test_they_can_be_moved_into_artifacts(mounted: Mount, draft: Path) -> None:
    mounted.run(["chmod", "755", draft])  # the user's own mv needs it, as on a local disk
    mounted.run(["mkdir", mounted.artifacts / "strict"])
    mounted.run(["mv", draft, mounted.artifacts / "strict" / "v1"])
    assert mounted.run(["cat", mounted.artifacts / "strict" / "v1" / "inner" / "readable"]).stdout == "read-only\n"
    assert mounted.run(["ls", mounted.incoming]).stdout == ""
    assert mounted.run(["find", mounted.home, "-path", "*/scratch/*"]).stdout == ""


def shell(mount: Mount, script: str, directory: Path) -> None:
    mount.run(["sh", "-ec", f'cd "$1"; {script}', "sh", directory])


def modes(mount: Mount, root: Path) -> list[str]:
    """Name and mode of everything in a directory."""
    found = mount.run(["find", root, "-mindepth", "1", "-printf", "%f %m\n"]).stdout.splitlines()
    top = mount.run(["stat", "-c", ". %a", root]).stdout.strip()
    return sorted([top, *found])
