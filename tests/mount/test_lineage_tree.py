"""`/runs`, `/lineage` and `/tags` through the kernel, as `find`, `ls` and a bind mount see them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from artfs.catalog import Catalog
from artfs.catalog.versions import Version
from support.catalogs import save
from support.lineage import Recorder, grown
from support.mount import Mount

COUNT = 1000


@pytest.fixture
def catalog(mounted: Mount) -> Iterator[Catalog]:
    """The catalog of a mount, opened beside its daemon."""
    with Catalog.open(mounted.home / "catalog.db") as opened:
        yield opened


def test_find_walks_the_lineage_of_a_thousand_versions(mounted: Mount, catalog: Catalog) -> None:
    versions = grown(catalog, COUNT)
    # The links to versions and steps are left out of the walk, and not of the tree: their content is listed elsewhere.
    pruned = [
        "(",
        *_either("ancestors", "descendants", "downstream", "consumers", "artifact", "producer"),
        ")",
        "-prune",
    ]
    done = mounted.run(
        ["find", "-L", mounted.path / "lineage", *pruned, "-o", "-type", "d", "-name", "upstream", "-print"]
    )
    assert done.stderr == "", "no loop, and no link that leads nowhere"
    visited = set()
    for line in done.stdout.splitlines():
        *_, artifact, version, _ = _followed(line[len(str(mounted.path)) :])
        visited.add((artifact, version))
    assert visited == {(version.artifact, version.name) for version in versions}


def test_find_follows_all_links_of_a_thousand_versions_and_ends(mounted: Mount, catalog: Catalog) -> None:
    # Few inputs: every node is met once for each way that leads up to it, with all that it links to.
    versions = grown(catalog, COUNT, inputs=(0, 0, 0, 0, 0, 0, 0, 1, 2))
    done = mounted.run(["find", "-L", mounted.path / "lineage"])
    assert done.stderr == "", "no loop, and no link that leads nowhere"
    lines = done.stdout.splitlines()
    nodes = {line.removeprefix(f"{mounted.path}/lineage/").removesuffix("/upstream") for line in lines}
    assert {f"{version.artifact}/{version.name}" for version in versions} <= nodes
    deepest = max(line.count("/upstream/") for line in lines)
    assert deepest == 8


def test_no_link_leads_nowhere(mounted: Mount, catalog: Catalog) -> None:
    grown(catalog, 16, depth=3)
    broken = mounted.run(["find", "-L", mounted.path, "-type", "l"])
    assert (broken.stdout, broken.stderr) == ("", "")


def test_inputs_of_steps_resolve_also_through_a_bind_mount(mounted: Mount, catalog: Catalog) -> None:
    _diamond(catalog)
    elsewhere = mounted.base / "some" / "where" / "else"
    elsewhere.mkdir(parents=True)
    if subprocess.run(["mount", "--bind", mounted.path, elsewhere], capture_output=True).returncode != 0:
        pytest.skip("this user may not make bind mounts")
    try:
        for top in (mounted.path, elsewhere):
            links = sorted(top.glob("runs/*/*/steps/*/inputs/*"))
            assert len(links) == 2 * 4, "once below the run, once below `latest`"
            for link in links:
                assert link.is_symlink()
                assert not os.readlink(link).startswith("/")
                assert link.resolve(strict=True).is_relative_to(top / "artifacts")
                assert os.listdir(link) == ["file"]
            assert (top / "lineage/report/1/upstream/left@1/upstream/raw@1/artifact/file").exists()
            assert os.listdir(top / "artifacts/report/1/.artfs/producer/inputs") == ["left", "right"]
            assert os.listdir(top / "tags/best/raw@1") == ["file"]
        listed = subprocess.run(
            f"ls -lL {elsewhere}/runs/*/*/steps/*/inputs", shell=True, capture_output=True, text=True
        )
        assert (listed.returncode, listed.stderr) == (0, "")
    finally:
        subprocess.run(["umount", elsewhere], check=True)


def test_what_changes_is_read_as_it_is_now(mounted: Mount, catalog: Catalog) -> None:
    recorder = Recorder(catalog)
    raw = recorder.make("raw")
    graph, status = mounted.path / "lineage/raw/1/graph.dot", mounted.path / "runs/training/first/status"
    before = graph.read_text()
    assert status.read_text() == "running\n"
    recorder.make("model", [raw])
    recorder.end()
    assert status.read_text() == "completed\n"
    after = graph.read_text()
    assert len(after) > len(before)
    assert "model/1" in after
    assert graph.stat().st_size == len(after)


def test_a_growing_log_is_read_to_its_end(mounted: Mount, catalog: Catalog) -> None:
    log = mounted.home / "logs" / "fit.log"
    log.parent.mkdir()
    run = catalog.runs.create("training", "first")
    catalog.steps.create(run.id, "fit", log_path=str(log))
    shown = mounted.path / "runs/training/first/steps/fit/log.txt"
    assert shown.read_text() == ""
    for number in range(3):
        with log.open("a") as file:
            file.write(f"line {number}\n")
        assert shown.read_text().splitlines()[-1] == f"line {number}"


def test_nothing_there_can_be_changed(mounted: Mount, catalog: Catalog) -> None:
    _diamond(catalog)
    for command in (
        ["touch", "runs/new"],
        ["rm", "-r", "runs/training/first"],
        ["rm", "tags/best/raw@1"],
        ["ln", "-s", "x", "lineage/raw/1/x"],
        ["sh", "-c", "echo > runs/training/first/status"],
    ):
        done = mounted.run(command, cwd=mounted.path, check=False)
        assert done.returncode != 0
        # The modes of directories keep a plain user out before the daemon is asked.
        assert "Read-only file system" in done.stderr or (os.geteuid() and "Permission denied" in done.stderr), command


def _diamond(catalog: Catalog) -> Version:
    recorder = Recorder(catalog)
    raw = save(catalog, "raw", tags=["best"])
    left, right = recorder.make("left", [raw]), recorder.make("right", [raw])
    report = recorder.make("report", [left, right])
    recorder.end()
    return report


def _either(*names: str) -> list[str]:
    words: list[str] = []
    for name in names:
        words += ["-name", name, "-o"]
    return words[:-1]


def _followed(path: str) -> list[str]:
    """The last components of a path below /lineage, with `<name>@<version>` of its last step up as two of them."""
    parts: list[str] = []
    for part in Path(path).parts:
        parts += part.rsplit("@", 1) if "@" in part else [part]
    return parts
