"""Many processes run pipelines on one catalog at once."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from artfs.client import Client
from support import programs

PROCESSES, RUNS = 8, 5

SCRIPT = f"""
from artfs import step, pipeline

@step
def make(x: int) -> int:
    return x

@step
def total(values: list[int]) -> int:
    return sum(values)

@pipeline(enable_cache=False)
def shared():
    total([make(x) for x in range(4)])

for _ in range({RUNS}):
    print(shared().name)
"""


def test_no_run_is_lost_and_nothing_is_locked(tmp_path: Path) -> None:
    names: list[str] = []
    with ExitStack() as stack:
        for process in [stack.enter_context(programs.started(tmp_path, SCRIPT)) for _ in range(PROCESSES)]:
            output, errors = process.communicate(timeout=240)
            assert process.returncode == 0, errors
            names += output.split()
    assert len(set(names)) == PROCESSES * RUNS
    runs = list(Client().list_pipeline_runs(pipeline="shared", size=100))
    assert {run.name for run in runs} == set(names)
    for run in runs:
        assert str(run.status) == "completed"
        assert run.steps["total"].output.load() == 6
    versions = Client().list_artifact_versions(artifact="shared::total::output", size=100)
    assert sorted(int(each.version) for each in versions) == list(range(1, PROCESSES * RUNS + 1))
