"""What `run list` shows is what `run show`, `explain` and `delete` understand."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import Result

from artfs.workspace.workspace import Workspace
from support.lineage import Recorder

Run = Callable[..., Result]

RUNS = [
    ("training", "first"),
    ("training", "release: 2 of a/b"),
    ("a/b", "c/d"),
    ("train.py", "train.py-2026_01_02"),
    ("evaluation", "training"),
    ("evaluation", "abcd"),
]


@pytest.fixture(autouse=True)
def runs(workspace: Workspace) -> None:
    for pipeline, name in RUNS:
        recorder = Recorder(workspace.catalog, pipeline, name)
        recorder.make(f"of {name}".replace("/", "-"), [], step="fit")
        recorder.end()


def test_each_column_of_a_list_names_its_run(run: Run) -> None:
    listed = json.loads(run("run", "list", "--json").stdout)
    assert [(each["pipeline"], each["run"]) for each in listed] == RUNS
    for each in listed:
        for name in (each["run"], each["id"], each["id"][:8], f"{each['pipeline']}/{each['run']}"):
            shown = run("run", "show", name, "--json")
            assert (name, json.loads(shown.stdout)["id"]) == (name, each["id"])


def test_a_pipeline_means_its_newest_run_unless_a_run_is_called_so(run: Run) -> None:
    for name, meant in [("a/b", "c/d"), ("train.py", RUNS[3][1]), ("training", "training"), ("training/", RUNS[1][1])]:
        assert json.loads(run("run", "show", name, "--json").stdout)["run"] == meant


def test_explain_and_delete_understand_the_same(run: Run) -> None:
    assert run("run", "explain", "first").stdout.startswith("training/first/fit")
    assert run("run", "explain", "first/fit").stdout.startswith("training/first/fit")
    assert run("run", "delete", "first", "--yes").stdout == "deleted training/first\n"


def test_a_name_that_several_pipelines_have_run_is_refused_in_one_line(run: Run, workspace: Workspace) -> None:
    Recorder(workspace.catalog, "evaluation", "first").end()
    result = run("run", "show", "first")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "artfs: several pipelines have a run 'first'; give it as pipeline/run\n"
