"""A draft that goes on from a version says so: as `previous`, and as upstream of that one version alone."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from support.mount import ARTFS, Mount

CHANGES = {
    "one file is changed, another kept": "echo new > $D/g",
    "a file is appended to": "echo new >> $D/f; echo new > $D/g",
    "a file is read and written anew": 'x=$(cat $D/f); echo "$x and new" > $D/f; echo new > $D/g',
    "a file is changed in place": "printf X | dd of=$D/f conv=notrunc status=none; echo new > $D/g",
    "a file is moved": "mv $D/f $D/other",
    "a file is added": "mkdir $D/d; echo new > $D/d/h",
}


@pytest.fixture
def draft(mounted: Mount) -> Path:
    """A working copy of version 1, with two files."""
    draft = mounted.incoming / "x"
    draft.mkdir()
    for name in "fg":
        (draft / name).write_text(f"content of {name}\n")
    mounted.commit("x")
    return draft


def change(draft: Path, script: str) -> None:
    """Changes a draft as one program does."""
    environment = {**os.environ, "D": str(draft)}
    subprocess.run(["bash", "-c", script], check=True, env=environment, start_new_session=True)


@pytest.mark.parametrize("script", CHANGES.values(), ids=CHANGES.keys())
def test_what_it_goes_on_from_is_upstream(mounted: Mount, draft: Path, script: str) -> None:
    change(draft, script)
    mounted.commit("x")
    node = mounted.path / "lineage/x/2"
    assert os.listdir(node / "upstream") == ["x@1"]
    assert (node / "upstream/x@1/artifact/g").read_text() == "content of g\n"
    assert os.listdir(node / "ancestors") == os.listdir(mounted.path / "lineage/x/1/descendants") == []
    info = json.loads((mounted.artifacts / "x/2/.artfs/info.json").read_text())
    assert info["previous"] == "x/1"
    shown = subprocess.run(
        [ARTFS, "lineage", "x"], capture_output=True, text=True, check=True, env=mounted.environment
    ).stdout
    assert "continued from: x/1" in shown


@pytest.mark.parametrize("script", ["rm $D/f; echo new > $D/f; echo new > $D/g", "echo new > $D/f; echo new > $D/g"])
def test_a_draft_that_is_written_anew_goes_on_from_nothing(mounted: Mount, draft: Path, script: str) -> None:
    change(draft, script)
    mounted.commit("x")
    assert os.listdir(mounted.path / "lineage/x/2/upstream") == []


def test_what_somebody_else_has_read_is_not_gone_on_from(mounted: Mount, draft: Path) -> None:
    change(draft, "cat $D/f $D/g > /dev/null")
    change(draft, "echo new > $D/f; echo new > $D/g")
    mounted.commit("x")
    assert os.listdir(mounted.path / "lineage/x/2/upstream") == []


def test_each_goes_on_from_the_one_before_it(mounted: Mount, draft: Path) -> None:
    for number in range(2):
        change(draft, f"echo {number} >> $D/f")
        mounted.commit("x")
    assert os.listdir(mounted.path / "lineage/x/3/upstream") == ["x@2"]
    assert os.listdir(mounted.path / "lineage/x/3/upstream/x@2/upstream") == ["x@1"]
