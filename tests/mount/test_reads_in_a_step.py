"""A step that reads versions through a mount has them as inputs, and runs again when a name gives another one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from artfs import pipeline, save_artifact, step
from artfs.client import Client
from support.mount import Mount

Read = Callable[[Path], str]


@pytest.fixture
def top(mounted: Mount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mount of the home that the library uses here."""
    monkeypatch.setenv("ARTFS_HOME", str(mounted.home))
    monkeypatch.chdir(tmp_path)
    return mounted.artifacts.parent


def outcome(read: Read, top: Path) -> tuple[str, str, list[str]]:
    """The status of a step that does nothing but to read, what it gives, and the versions it was made from."""

    @step
    def compute() -> str:
        return read(top)

    @pipeline
    def reading() -> None:
        compute()

    taken = reading().steps["compute"]
    upstream = [f"{each.name}@{each.version}" for each in taken.output.lineage.upstream()]
    return str(taken.status), taken.output.load(), upstream


def by_latest(top: Path) -> str:
    return (top / "artifacts/points/latest/data.json").read_text().strip()


def by_tag(top: Path) -> str:
    return (top / "artifacts/points/@best/data.json").read_text().strip()


def by_own_link(top: Path) -> str:
    if not os.path.lexists("points"):
        os.symlink(top / "artifacts/points/latest", "points")
    return Path("points/data.json").read_text().strip()


def from_within(top: Path) -> str:
    with open(os.path.relpath(top / "artifacts/points/latest/data.json")) as file:
        return file.read().strip()


def by_copy(top: Path) -> str:
    shutil.copytree(top / "artifacts/points/latest", "copied", dirs_exist_ok=True)
    return Path("copied/data.json").read_text().strip()


def by_listing(top: Path) -> str:
    newest = max(name for name in os.listdir(top / "artifacts/points") if name.isdigit())
    return (top / "artifacts/points" / newest / "data.json").read_text().strip()


@pytest.mark.parametrize("read", [by_latest, by_tag, by_own_link, from_within, by_copy, by_listing])
def test_another_version_under_the_name_runs_the_step_again(top: Path, read: Read) -> None:
    save_artifact([1], "points", tags=["best"])
    status, value, upstream = outcome(read, top)
    assert (status, upstream) == ("completed", ["points@1"])
    assert outcome(read, top) == ("cached", value, ["points@1"])
    save_artifact([20], "points", tags=["best"])
    status, other, upstream = outcome(read, top)
    assert (status, upstream) == ("completed", ["points@2"])
    assert other != value


def test_a_version_that_was_named_is_an_input_and_stays_what_it_is(top: Path) -> None:
    save_artifact([1], "points")

    def read(top: Path) -> str:
        return (top / "artifacts/points/1/data.json").read_text().strip()

    assert outcome(read, top)[2] == ["points@1"]
    save_artifact([2], "points")
    assert outcome(read, top)[0] == "cached"


def test_a_thread_of_a_step_reads_for_it(top: Path) -> None:
    """Which step a thread without its context reads for is not known: the file counts, and no edge is recorded."""
    from concurrent.futures import ThreadPoolExecutor

    save_artifact([1], "points")

    def read(top: Path) -> str:
        with ThreadPoolExecutor(1) as threads:
            return threads.submit(by_latest, top).result()

    outcome(read, top)
    run = next(iter(Client().list_pipeline_runs(sort_by="desc:started")))
    assert not run.steps["compute"].inputs
    save_artifact([2], "points")
    assert outcome(read, top)[0] == "completed"
