"""`artfs lineage` and `artfs run`: what came from what, for people, pipes and other tools."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import Result

from artfs.catalog.versions import Version
from artfs.workspace.workspace import Workspace
from support.catalogs import save
from support.lineage import Recorder

Run = Callable[..., Result]


@pytest.fixture
def model(workspace: Workspace) -> Version:
    """`model`, made of `iris` by a run that has ended."""
    recorder = Recorder(workspace.catalog)
    made = recorder.make("model", [save(workspace.catalog, "iris")], step="fit")
    recorder.make("report", [made], step="evaluate")
    recorder.end()
    return made


def test_lineage_is_a_tree(run: Run, model: Version) -> None:
    result = run("lineage", "model")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[:2] == ["model/1", "made from:"]
    assert lines[2].startswith("└─ output: training/first/fit  (completed")
    assert lines[3:5] == ["   └─ iris: iris/1", "used by:"]
    assert lines[6] == "   └─ output: report/1"


@pytest.mark.parametrize("name", ["model/1", "model:1", "model/latest", "model"])
def test_a_version_is_named_as_everywhere(run: Run, model: Version, name: str) -> None:
    assert json.loads(run("lineage", name, "--format", "json").stdout)["focus"] == model.uuid


def test_depth(run: Run, model: Version) -> None:
    found = json.loads(run("lineage", "report", "--depth", "1", "--format", "json").stdout)
    assert {version["artifact"] for version in found["versions"]} == {"report", "model"}
    assert run("lineage", "report", "--depth", "0").exit_code == 2


def test_other_formats(run: Run, model: Version) -> None:
    assert run("lineage", "model", "--format", "dot").stdout.startswith("digraph")
    assert ElementTree.fromstring(run("lineage", "model", "--format", "svg").stdout).tag.endswith("svg")
    events = [json.loads(line) for line in run("lineage", "model", "--format", "openlineage").stdout.splitlines()]
    assert [event["eventType"] for event in events] == ["START", "COMPLETE"] * 2
    named = run("lineage", "model", "--format", "openlineage", "--namespace", "lab").stdout
    assert json.loads(named.splitlines()[0])["job"]["namespace"] == "lab"


@pytest.mark.parametrize("format_", ["tree", "svg", "json", "dot", "openlineage"])
def test_output_goes_to_a_file(run: Run, model: Version, tmp_path: Path, format_: str) -> None:
    path = tmp_path / "lineage.out"
    result = run("lineage", "model", "--format", format_, "--output", path)
    assert (result.exit_code, result.stdout) == (0, "")
    assert path.read_text() == run("lineage", "model", "--format", format_).stdout


def test_a_version_that_is_not_there(run: Run, model: Version) -> None:
    result = run("lineage", "model/9")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "has no version '9'" in result.stderr


def test_runs_in_a_pipe(run: Run, workspace: Workspace, model: Version) -> None:
    workspace.catalog.runs.create("other", "x", kind="exec")
    rows = [line.split("\t") for line in run("run", "list").stdout.splitlines()]
    assert [row[:4] for row in rows] == [
        ["training", "first", "completed", "pipeline"],
        ["other", "x", "running", "exec"],
    ]
    assert [row["run"] for row in json.loads(run("run", "list", "training", "--json").stdout)] == ["first"]


def test_no_runs(run: Run, on_terminal: Callable[..., str]) -> None:
    run("init")
    assert run("run", "list").stdout == ""
    assert on_terminal("run", "list").strip() == "No runs yet."


@pytest.mark.parametrize("name", ["training", "training/first", "training/latest"])
def test_a_run_is_drawn_as_a_tree(run: Run, model: Version, name: str) -> None:
    lines = run("run", "show", name).stdout.splitlines()
    assert lines[0].startswith("training/first  completed ")
    assert lines[1].startswith("└─ ✓ fit  completed ")
    assert lines[1].endswith("  iris=iris/1 → output=model/1")
    assert lines[2].startswith("   └─ ✓ evaluate  completed ")


def test_a_run_is_found_by_the_beginning_of_its_id(run: Run, workspace: Workspace, model: Version) -> None:
    uuid = workspace.catalog.runs.by_id(1).uuid  # type: ignore[union-attr]
    assert run("run", "show", uuid[:8]).stdout.startswith("training/first")
    assert json.loads(run("run", "show", uuid, "--json").stdout)["steps"][0]["name"] == "fit"


def test_a_failed_run_says_why(run: Run, workspace: Workspace) -> None:
    recorder = Recorder(workspace.catalog, "a/b", "c/d")
    step = recorder.step("fit", finish=None)
    workspace.catalog.steps.finish(step.id, "failed", error="Traceback\n  ...\nValueError: no such column")
    recorder.end("failed")
    lines = run("run", "show", "a/b/c/d").stdout.splitlines()
    assert lines[1].startswith("└─ ✗ fit  failed ")
    assert lines[2] == "fit: ValueError: no such column"


def test_a_run_is_deleted_and_its_versions_stay(run: Run, workspace: Workspace, model: Version) -> None:
    logs = workspace.home.path / "logs" / workspace.catalog.runs.by_id(1).uuid  # type: ignore[union-attr]
    logs.mkdir(parents=True)
    result = run("run", "delete", "training/first", "--yes")
    assert (result.exit_code, result.stdout) == (0, "deleted training/first\n")
    assert not logs.exists()
    assert run("lineage", "model").stdout == "model/1\n"
    assert workspace.catalog.audit.list()[-1].action == "run.delete"


def test_without_a_terminal_to_ask_on_no_run_is_deleted(run: Run, workspace: Workspace, model: Version) -> None:
    result = run("run", "delete", "training/first")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "give --yes" in result.stderr
    assert workspace.catalog.runs.get("training", "first") is not None


def test_a_run_under_way_is_not_deleted_by_mistake(run: Run, workspace: Workspace) -> None:
    workspace.catalog.runs.create("training", "first")
    result = run("run", "delete", "training/first", "--yes")
    assert result.exit_code == 1
    assert "has not ended" in result.stderr
    assert run("run", "delete", "training/first", "--yes", "--force").exit_code == 0


@pytest.mark.parametrize("command", [["run", "show", "none"], ["run", "delete", "none", "-y"], ["run", "list", "none"]])
def test_a_run_that_is_not_there(run: Run, model: Version, command: list[str]) -> None:
    result = run(*command)
    assert result.exit_code == 1
    assert result.stderr.startswith("artfs: no ")
    assert result.stderr.count("\n") == 1
