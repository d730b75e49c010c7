"""Lineage of programs that never heard of artfs: what they read from the mount is what their versions come from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from artfs.workspace.workspace import Workspace
from support.mount import Mount
from support.programs import all_ended

TRAIN = """
import sys, joblib, numpy
from sklearn.linear_model import LogisticRegression
root = sys.argv[1]
table = numpy.loadtxt(f"{root}/artifacts/iris/latest/data.csv", delimiter=",", skiprows=1)
model = LogisticRegression(max_iter=1000).fit(table[:, :-1], table[:, -1])
joblib.dump(model, f"{root}/incoming/model.joblib")
"""

WITH_WORKERS = """
import sys
from multiprocessing import get_context
def read(path):
    return open(path, "rb").read()
if __name__ == "__main__":
    root = sys.argv[1]
    with get_context("spawn").Pool(2) as pool:
        parts = pool.map(read, [f"{root}/artifacts/iris/1/data.csv", f"{root}/artifacts/other/1/other"])
    open(f"{root}/incoming/joined", "wb").write(b"".join(parts))
"""

WITH_DATA_LOADER = """
import sys
import numpy, torch
from torch.utils.data import DataLoader, Dataset

class Iris(Dataset):
    # Opened where it is used: by the workers, never by the program itself.
    def __init__(self, path):
        self.path, self.table = path, None
    def __len__(self):
        return 150
    def __getitem__(self, at):
        if self.table is None:
            self.table = numpy.loadtxt(self.path, delimiter=",", skiprows=1, dtype=numpy.float32)
        return torch.from_numpy(self.table[at])

if __name__ == "__main__":
    root = sys.argv[1]
    loader = DataLoader(Iris(f"{root}/artifacts/iris/latest/data.csv"), batch_size=50, num_workers=2)
    total = sum(batch.sum(dim=0) for batch in loader)
    torch.save(total, f"{root}/incoming/model.pt")
"""


@pytest.fixture
def data(mounted: Mount) -> Mount:
    """A mount with the artifacts `iris` and `other`."""
    from sklearn.datasets import load_iris

    rows = load_iris(as_frame=True).frame.to_csv(index=False)
    (mounted.incoming / "iris").mkdir()
    (mounted.incoming / "iris" / "data.csv").write_text(rows)
    (mounted.incoming / "other").write_text("something else")
    mounted.commit("iris")
    mounted.commit("other")
    return mounted


def test_what_a_program_reads_is_what_its_model_was_made_from(data: Mount, tmp_path: Path) -> None:
    start(data, tmp_path, TRAIN).wait()
    data.sync()
    assert upstream(data, "model.joblib") == {"iris/1"}
    assert os.listdir(data.path / "lineage/model.joblib/1/upstream") == ["iris@1"]
    run = producer_run(data, "model.joblib")
    assert (run.kind, run.pipeline, run.status) == ("observed", "program.py", "completed")


@pytest.mark.parametrize("shell", ["a script", "a command"])
def test_a_run_is_named_after_the_script_or_after_the_program_that_wrote(
    data: Mount, tmp_path: Path, shell: str
) -> None:
    program, script = tmp_path / "train.py", tmp_path / "all.sh"
    program.write_text(TRAIN)
    commands = f"cat {data.artifacts}/iris/1/data.csv >/dev/null; {sys.executable} {program} {data.path}; true"
    script.write_text(commands)
    subprocess.run(
        ["bash", script] if shell == "a script" else ["bash", "-c", commands], check=True, start_new_session=True
    )
    data.sync()
    run = producer_run(data, "model.joblib")
    assert run.pipeline == ("all.sh" if shell == "a script" else "train.py")
    assert run.ended_us is not None and run.ended_us - run.started_us > 1_000, "it began with the first read"


def test_what_worker_processes_read_counts_too(data: Mount, tmp_path: Path) -> None:
    start(data, tmp_path, WITH_WORKERS).wait()
    data.sync()
    assert upstream(data, "joined") == {"iris/1", "other/1"}


def test_what_workers_of_a_data_loader_read_counts_too(data: Mount, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    start(data, tmp_path, WITH_DATA_LOADER).wait()
    data.sync()
    assert upstream(data, "model.pt") == {"iris/1"}
    assert (data.path / "lineage/model.pt/1/upstream/iris@1/artifact/data.csv").exists()


def test_another_program_at_the_same_time_gives_no_edge(data: Mount, tmp_path: Path) -> None:
    reader = subprocess.Popen(
        [sys.executable, "-c", f"open('{data.artifacts}/other/1/other').read(); print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with all_ended(reader):
        assert reader.stdout is not None and reader.stdout.readline() == b"\n"
        start(data, tmp_path, TRAIN).wait()
        assert reader.poll() is None
    data.sync()
    assert upstream(data, "model.joblib") == {"iris/1"}


def test_the_version_that_was_opened_counts_where_equal_files_are_in_several(data: Mount, tmp_path: Path) -> None:
    (data.incoming / "backup").mkdir()
    (data.incoming / "backup" / "data.csv").write_bytes((data.artifacts / "iris/1/data.csv").read_bytes())
    data.commit("backup")
    (data.incoming / "iris" / "notes").write_text("a second version with the same data.csv")
    data.commit("iris")
    program = """
import sys
data = open(sys.argv[1] + "/artifacts/iris/1/data.csv").read()
open(sys.argv[1] + "/incoming/copy", "w").write(data)
"""
    with open(data.artifacts / "iris/1/data.csv") as kept:  # the kernel knows name and content already
        kept.read()
        start(data, tmp_path, program).wait()
    data.sync()
    assert upstream(data, "copy") == {"iris/1"}


def test_a_program_that_reads_nothing_makes_no_run(data: Mount, tmp_path: Path) -> None:
    start(data, tmp_path, "import sys; open(sys.argv[1] + '/incoming/new', 'w').write('x')").wait()
    data.sync()
    assert upstream(data, "new") == set()
    with Workspace.open(data.home) as workspace:
        assert workspace.catalog.runs.count() == 0


def test_exec_is_one_run_with_its_inputs_outputs_log_and_status(data: Mount, tmp_path: Path) -> None:
    program = tmp_path / "train.py"
    program.write_text(TRAIN + "print('trained')")
    done = data.artfs("exec", "--name", "training", "--", sys.executable, program, data.path)
    assert "trained" in done.stdout
    assert upstream(data, "model.joblib") == {"iris/1"}
    run = producer_run(data, "model.joblib")
    assert (run.kind, run.pipeline, run.status) == ("exec", "training", "completed")
    with Workspace.open(data.home) as workspace:
        facts = workspace.catalog.run_metadata.get(run.id)
        assert workspace.catalog.environments.get(run.environment_id or 0) is not None
    assert facts["exit_status"] == 0
    assert "trained" in Path(facts["log"]).read_text()
    assert "trained" in (data.path / "runs/training/latest/steps/model.joblib/log.txt").read_text()


def test_exec_does_not_wait_for_what_others_are_writing(data: Mount) -> None:
    other = data.incoming / "log"
    writing = f"exec 3> {other}; echo begun >&3; echo ready; read until_told; echo end >&3"
    with subprocess.Popen(
        ["sh", "-c", writing], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as program:
        assert program.stdout is not None and program.stdout.readline() == b"ready\n"
        done = data.artfs("exec", "--", "sh", "-c", f"sort {data.artifacts}/iris/1/data.csv > {data.incoming}/own")
        assert program.poll() is None
        assert "log" not in done.stderr
        assert upstream(data, "own") == {"iris/1"}
        assert not (data.artifacts / "log").exists()
        program.communicate(b"\n")
    data.sync()
    assert (data.artifacts / "log/1/log").read_text() == "begun\nend\n"


def test_what_a_failed_command_wrote_is_held(data: Mount) -> None:
    script = f"cat {data.artifacts}/iris/latest/data.csv > {data.incoming}/half; exit 3"
    done = data.artfs("exec", "--", "sh", "-c", script, check=False)
    assert done.returncode == 3
    status = {draft["name"]: draft for draft in data.status()["drafts"]}["half"]
    assert status["state"] == "held"
    assert "ended with 3" in status["reason"]
    assert not (data.artifacts / "half").exists()
    run = data.path / "runs/sh/latest"
    assert [(run / part).read_text() for part in ("status", "steps/sh/status")] == ["failed\n"] * 2
    assert os.readlink(run / "steps/sh/inputs/iris@1").endswith("/artifacts/iris/1")


def test_a_pipeline_that_writes_to_the_mount_is_one_run(data: Mount, tmp_path: Path) -> None:
    program = """
import sys
from artfs import pipeline, step
root = sys.argv[1]
@step(enable_cache=False)
def work() -> int:
    text = open(f"{root}/artifacts/iris/latest/data.csv").read()
    open(f"{root}/incoming/written", "w").write(text)
    import os
    os.setxattr(f"{root}/incoming/written", "user.artfs.commit", b"")
    return len(text)
@pipeline
def both():
    work()
both()
"""
    start(data, tmp_path, program).wait()
    with Workspace.open(data.home) as workspace:
        assert [(run.kind, run.status) for run in workspace.catalog.runs.list()] == [("pipeline", "completed")]
    assert upstream(data, "written") == {"iris/1"}


LATER = """
import sys
from artfs import pipeline, step
root = sys.argv[1]
@step(enable_cache=False)
def work() -> int:
    text = open(f"{root}/artifacts/iris/latest/data.csv").read()
    open(f"{root}/incoming/written", "w").write(text + " and more")
    return len(text)
@pipeline
def both():
    work()
both()
"""


@pytest.mark.parametrize("by_exec", [False, True])
def test_a_pipeline_whose_draft_becomes_a_version_later_is_one_run(data: Mount, tmp_path: Path, by_exec: bool) -> None:
    if by_exec:
        (tmp_path / "program.py").write_text(LATER + "print('all done')")
        done = data.artfs("exec", "--", sys.executable, tmp_path / "program.py", data.path)
        assert "run both/both-" in done.stderr
    else:
        start(data, tmp_path, LATER).wait()
        data.sync()
    assert upstream(data, "written") == {"iris/1"}
    with Workspace.open(data.home) as workspace:
        (run,) = workspace.catalog.runs.list()
        assert (run.kind, run.pipeline, run.status) == ("pipeline", "both", "completed")
        assert [step.name for step in workspace.catalog.steps.list(run.id)] == ["work", "written"]
        if by_exec:
            facts = workspace.catalog.run_metadata.get(run.id)
            assert facts["exit_status"] == 0
            assert "all done" in Path(facts["log"]).read_text()


def start(mount: Mount, folder: Path, program: str) -> subprocess.Popen[bytes]:
    """Starts a program in a process group of its own, as a shell does."""
    path = folder / "program.py"
    path.write_text(program)
    environment = {**mount.environment, "PYTHONPATH": ""}
    return subprocess.Popen([sys.executable, path, mount.path], start_new_session=True, env=environment)


def upstream(mount: Mount, artifact: str) -> set[str]:
    """The versions that the newest version of an artifact was made from."""
    with Workspace.open(mount.home) as workspace:
        version = newest(workspace, artifact)
        sources = workspace.catalog.versions.by_ids(workspace.catalog.lineage.upstream(version.id))
        return {f"{source.artifact}/{source.name}" for source in sources}


def producer_run(mount: Mount, artifact: str):  # type: ignore[no-untyped-def]
    """The run that made the newest version of an artifact."""
    with Workspace.open(mount.home) as workspace:
        step = workspace.catalog.steps.by_id(newest(workspace, artifact).producer_id or 0)
        assert step is not None
        return workspace.catalog.runs.by_id(step.run_id)


def newest(workspace: Workspace, artifact: str):  # type: ignore[no-untyped-def]
    row = workspace.catalog.artifacts.get(artifact)
    assert row is not None, json.dumps(workspace.catalog.artifacts.names())
    version = workspace.catalog.versions.latest(row.id)
    assert version is not None
    return version
