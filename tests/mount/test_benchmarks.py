"""Each benchmark runs in small sizes, without what artfs is compared with, and has a figure for each measure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from benchmarks import mount, pipelines, sdk
from benchmarks.report import Measure

BENCH = Path(__file__).parents[2] / "scripts" / "bench"

# What only another file system or numpy has a figure for.
NOT_OF_ARTFS = {"fsync"}


def _bench(tmp_path: Path, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(BENCH), *arguments, "--json"],
        capture_output=True,
        text=True,
        env={**os.environ, "ARTFS_BENCH": str(tmp_path / "bench")},
    )
    assert done.returncode == 0, done.stderr
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed


@pytest.mark.parametrize(
    ("arguments", "measures"),
    [
        (("mount", "--only", "artfs"), mount.MEASURES),
        (("sdk", "--without-zenml"), sdk.MEASURES),
        (("pipelines", "--without-zenml"), pipelines.MEASURES),
    ],
    ids=["mount", "sdk", "pipelines"],
)
def test_a_benchmark_measures_all_that_it_names(
    fuse_for_everyone: None, tmp_path: Path, arguments: tuple[str, ...], measures: tuple[Measure, ...]
) -> None:
    found = _bench(tmp_path, *arguments, "--quick", "--runs", "1")
    assert found["problems"] == []
    of_artfs = {result["measure"] for result in found["results"] if result["subject"] == "artfs"}
    assert {measure.key for measure in measures} - NOT_OF_ARTFS == of_artfs
    assert [path.name for path in (tmp_path / "bench").iterdir() if path.name != "lock"] == []


def test_stalls_are_counted_while_a_version_is_listed(fuse_for_everyone: None, tmp_path: Path) -> None:
    found = _bench(tmp_path, "stalls", "--files", "300")
    assert all(found[kind]["calls"] > 0 and found[kind]["longest ms"] > 0 for kind in ("one folder", "many folders"))
    assert list((tmp_path / "bench").iterdir()) == []
