"""Lineage is written down when the draft is free again: nobody who writes waits for it, and no kill makes it false."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from artfs.workspace.workspace import Workspace
from support.drafts import NEVER_BY_ITSELF, commit, drafts, state, versions
from support.faulty_mount import FaultyMount, killed_at
from support.mount import MYSELF, Mount, new_base, remove_base

PROGRAM = "import sys; data = open(sys.argv[1]).read(); open(sys.argv[2], 'w').write(data + sys.argv[3])"


@pytest.fixture(scope="module")
def mount(fuse_for_everyone: None) -> Iterator[FaultyMount]:
    mount = FaultyMount(new_base(MYSELF), NEVER_BY_ITSELF)
    mount.mount()
    yield mount
    mount.unmount()
    wrong = [line for line in mount.log().splitlines() if " WARNING " in line or " ERROR " in line]
    remove_base(mount.base)
    assert wrong == []


def make(mount: Mount, name: str) -> Path:
    """Has a program read a version and write a draft."""
    if not versions(mount, "data"):
        (mount.incoming / "data").write_text("data")
        commit(mount.incoming / "data")
    source, target = mount.artifacts / "data" / "1" / "data", mount.incoming / name
    subprocess.run([sys.executable, "-c", PROGRAM, source, target, name], check=True, start_new_session=True)
    return target


def upstream(mount: Mount, artifact: str, version: str = "1") -> list[str]:
    with Workspace.open(mount.home) as workspace:
        catalog = workspace.catalog
        row = catalog.artifacts.get(artifact)
        made = catalog.versions.get(row.id, version) if row is not None else None
        assert made is not None
        sources = catalog.versions.by_ids(catalog.lineage.upstream(made.id))
    return [f"{source.artifact}/{source.name}" for source in sources]


def test_drafts_are_free_and_others_become_versions_while_lineage_is_stuck(mount: FaultyMount) -> None:
    paths = [make(mount, f"model {number}") for number in range(4)]
    with ThreadPoolExecutor(len(paths)) as programs:
        mount.put_out_of_order("record", hang=True)
        try:
            # By the command: an attribute that is set on a draft itself keeps its file locked in the kernel meanwhile.
            asked = [programs.submit(mount.artfs, "commit", path) for path in paths]
            mount.wait_until(lambda: all(versions(mount, path.name) == ["1"] for path in paths), "all versions")
            mount.wait_until(lambda: all(state(mount, path.name)[0] == "sealed" for path in paths), "free drafts")
            for path in paths:
                path.chmod(0o600)
                path.write_bytes(b"the next epoch")
            assert {drafts(mount)[path.name]["state"] for path in paths} == {"settling"}
            assert not any(answer.done() for answer in asked)
            assert upstream(mount, "model 0") == []
        finally:
            mount.put_in_order()
        assert [answer.result().stdout for answer in asked] == [f"{path.name}/1\n" for path in paths]
    assert [upstream(mount, path.name) for path in paths] == [["data/1"]] * len(paths)


def test_sync_returns_when_the_lineage_is_there(mount: FaultyMount) -> None:
    path = make(mount, "synced")
    mount.put_out_of_order("record", hang=True)
    try:
        told = mount.artfs("sync", "--timeout", "1.5", mount.path, check=False)
        assert versions(mount, "synced") == ["1"]
        assert told.returncode == 1
        assert "it is a version; where it comes from is being written down" in told.stderr
    finally:
        mount.put_in_order()
    mount.sync()
    assert upstream(mount, path.name) == ["data/1"]


@pytest.mark.parametrize("after", [False, True])
def test_a_kill_between_the_version_and_its_lineage_makes_no_edge_false(mortal_mount: Mount, after: bool) -> None:
    draft = make(mortal_mount, "model")
    content = draft.read_bytes()
    killed_at(mortal_mount, draft, "record", after=after)
    assert versions(mortal_mount, "model") == ["1"]
    assert state(mortal_mount, "model")[0] == "sealed"
    assert upstream(mortal_mount, "model") == (["data/1"] if after else [])
    (mortal_mount.incoming / "model").write_bytes(b"more")
    assert commit(mortal_mount.incoming / "model") == "2"
    assert upstream(mortal_mount, "model", "2") == []
    assert (mortal_mount.artifacts / "model" / "1" / "model").read_bytes() == content


def test_what_is_read_after_the_writing_is_no_input(mount: FaultyMount) -> None:
    """Nor is it while the draft lies still and becomes a version by and by."""
    make(mount, "first")
    program = """
import os, sys
root = sys.argv[1]
open(root + "/incoming/early", "w").write("made of nothing")
open(root + "/artifacts/data/1/data").read()
open(root + "/incoming/late", "w").write("made of data")
for name in ("early", "late"):
    os.setxattr(f"{root}/incoming/{name}", "user.artfs.commit", b"")
"""
    subprocess.run([sys.executable, "-c", program, mount.path], check=True, start_new_session=True)
    assert (upstream(mount, "early"), upstream(mount, "late")) == ([], ["data/1"])
