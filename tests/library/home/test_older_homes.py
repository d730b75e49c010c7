"""The home of an older release goes on in this one: nothing is lost, and it is written to as any other."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from artfs import load_artifact, save_artifact
from artfs.artifacts.verify import verify
from artfs.client import Client
from artfs.errors import CatalogReplaced
from artfs.workspace.workspace import Workspace
from support.older import SCHEMAS, older_home


@pytest.fixture(params=SCHEMAS)
def used(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with the store `default`, whose files are there, and another, whose disk is not."""
    path = older_home(request.param, tmp_path)
    monkeypatch.setenv("ARTFS_HOME", str(path))
    return path


def test_every_version_in_it_verifies(used: Path) -> None:
    with Workspace.open(used) as workspace:
        versions = [version for version in workspace.catalog.versions.list() if version.save_type != "preexisting"]
        assert len(versions) == 5
        assert list(verify(workspace, versions)) == []
        assert workspace.catalog.check() == []


def test_values_load_and_numbers_go_on(used: Path) -> None:
    assert load_artifact("numbers", "1") == {"n": 0}
    assert load_artifact("numbers") == {"n": 2}
    assert load_artifact("array").tolist() == [0, 1, 2, 3, 4, 5]
    assert save_artifact({"n": 3}, "numbers").version == "4"
    assert load_artifact("numbers") == {"n": 3}


def test_runs_and_metadata_are_as_they_were(used: Path) -> None:
    with Workspace.open(used) as workspace:
        runs = workspace.catalog.runs.list()
        assert [(run.pipeline, run.status, run.machine_id) for run in runs] == [
            ("line", "completed", None),
            ("line", "cached", None),
        ]
    made = Client().get_artifact_version("line::make::output")
    assert made.run_metadata["accuracy"].value == 0.9
    assert made.run_metadata["big"].value == 2**70


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_one_that_cannot_be_written_is_read(used: Path, tmp_path: Path) -> None:
    before = (used / "catalog.db").read_bytes()
    there = tmp_path / "read-only"
    there.mkdir()
    subprocess.run(["mount", "--bind", "-o", "ro", used, there], check=True)
    try:
        with Workspace.open(there) as workspace:
            numbers = workspace.catalog.artifacts.get("numbers")
            assert numbers is not None
            assert [name for name, _ in workspace.catalog.versions.names(numbers.id)] == ["1", "3"]
            with pytest.raises(OSError, match="Read-only"):
                workspace.catalog.artifacts.ensure("new")
            (used / "catalog.db").touch()
            with pytest.raises(CatalogReplaced, match="written by an older release"):
                workspace.catalog.artifacts.names()
        assert (used / "catalog.db").read_bytes() == before
        assert not list(used.glob("catalog-before*"))
    finally:
        subprocess.run(["umount", there], check=True)
