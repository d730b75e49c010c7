"""Artifacts and versions as the command line shows them: to people, to pipes, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result

from artfs.catalog.versions import Version
from artfs.content.digest import format_digest
from artfs.workspace.workspace import Workspace

Run = Callable[..., Result]
Seal = Callable[..., Version]


@pytest.fixture
def versions(workspace: Workspace, seal_files: Seal) -> list[Version]:
    """Two versions of `iris` and one of `a model`."""
    first = seal_files("iris", {"train.csv": b"1,2\n", "deep/test.csv": b"3\n"}, tags=["raw"], metadata={"rows": 2})
    second = seal_files("iris", {"train.csv": b"1,2\n"}, name="clean", tags=["best", "small"])
    model = seal_files("a model", {"weights": bytes(2048)}, type="ModelArtifact")
    workspace.catalog.tags.add_to_artifact(first.artifact_id, "public")
    return [first, second, model]


def test_artifacts_in_a_pipe(run: Run, versions: list[Version]) -> None:
    rows = [line.split("\t") for line in run("artifact", "list").stdout.splitlines()]
    assert [[*row[:4], row[5]] for row in rows] == [
        ["a model", "1", "1", "2048", ""],
        ["iris", "2", "clean", "4", "public"],
    ]
    assert all(datetime.fromisoformat(row[4]).tzinfo is not None for row in rows)


def test_artifacts_as_json(run: Run, versions: list[Version]) -> None:
    found = json.loads(run("artifact", "list", "--json").stdout)
    assert [each["name"] for each in found] == ["a model", "iris"]
    assert {**found[1], "created": None, "updated": None, "user": None} == {
        "name": "iris",
        "versions": 2,
        "latest": "clean",
        "bytes": 4,
        "created": None,
        "updated": None,
        "user": None,
        "tags": ["public"],
    }


def test_artifacts_on_a_terminal(on_terminal: Callable[..., str], versions: list[Version]) -> None:
    shown = on_terminal("artifact", "list")
    head, *rows = [line.strip() for line in shown.splitlines() if line.strip(" ─")]
    assert head.split() == ["NAME", "VERSIONS", "LATEST", "BYTES", "UPDATED", "TAGS"]
    assert "2.0 KiB" in rows[0]
    assert rows[1].startswith("iris")


def test_a_name_that_looks_like_markup_is_shown_as_it_is(on_terminal: Callable[..., str], seal_files: Seal) -> None:
    seal_files("[red]x", {"f": b""})
    assert "[red]x" in on_terminal("artifact", "list")


@pytest.mark.parametrize(
    ("command", "words"),
    [(["artifact", "list"], "No artifacts yet."), (["artifact", "version", "list"], "No versions yet.")],
)
def test_nothing_to_list(run: Run, on_terminal: Callable[..., str], command: list[str], words: str) -> None:
    run("init")
    assert run(*command).stdout == ""
    assert run(*command, "--json").stdout == "[]\n"
    assert on_terminal(*command).strip() == words


def test_one_artifact(run: Run, versions: list[Version]) -> None:
    shown = _properties(run("artifact", "show", "iris"))
    assert shown["name"] == "iris"
    assert shown["versions"] == "2"
    assert shown["tags"] == "public"
    assert shown["versions by tag"] == "@best -> clean,@raw -> 1,@small -> clean"
    found = json.loads(run("artifact", "show", "iris", "--json").stdout)
    assert found["versions_by_tag"] == {"best": "clean", "raw": "1", "small": "clean"}
    assert found["user"]


def test_an_artifact_that_is_not_there(run: Run, versions: list[Version]) -> None:
    result = run("artifact", "show", "irs")
    assert result.exit_code == 1
    assert (
        result.stderr == "artfs: no artifact is named 'irs' (did you mean 'iris'?); 'artfs artifact list' lists them\n"
    )


def test_versions(run: Run, versions: list[Version]) -> None:
    rows = [line.split("\t") for line in run("artifact", "version", "list").stdout.splitlines()]
    assert [row[:6] + row[7:] for row in rows] == [
        ["iris", "1", "live", "DataArtifact", "2", "6", "raw"],
        ["iris", "clean", "live", "DataArtifact", "1", "4", "best,small"],
        ["a model", "1", "live", "ModelArtifact", "1", "2048", ""],
    ]
    of_one = json.loads(run("artifact", "version", "list", "iris", "--json").stdout)
    assert [each["version"] for each in of_one] == ["1", "clean"]
    assert of_one[0]["digest"] == format_digest(versions[0].digest)
    assert of_one[0]["id"] == versions[0].uuid


def test_one_version(run: Run, versions: list[Version]) -> None:
    shown = _properties(run("artifact", "version", "describe", "iris/1"))
    assert shown["digest"] == format_digest(versions[0].digest)
    assert shown["tags"] == "raw"
    assert shown["save type"] == "manual"
    assert shown["store"] == "default"
    assert shown["trusted"] == "no"
    assert shown["metadata.rows"] == "2"
    assert shown["inputs"] == ""


def test_one_version_as_json(run: Run, workspace: Workspace, seal_files: Seal) -> None:
    values = {
        "text": "ü",
        "none": None,
        "nan": float("nan"),
        "when": datetime(2026, 1, 2, tzinfo=UTC),
        "pair": (1, 2.5),
        "where": Path("/x"),
    }
    seal_files("iris", {"f": b""}, metadata=values)
    found = json.loads(run("artifact", "version", "describe", "iris", "--json").stdout)
    assert found["metadata"] == {
        "text": "ü",
        "none": None,
        "nan": "nan",
        "when": "2026-01-02T00:00:00+00:00",
        "pair": [1, 2.5],
        "where": "/x",
    }


def test_a_purged_version_says_when_and_why(run: Run, workspace: Workspace, versions: list[Version]) -> None:
    workspace.catalog.versions.purge(versions[0].id, "too old")
    found = json.loads(run("artifact", "version", "describe", "iris/1", "--json").stdout)
    assert (found["state"], found["purge_reason"]) == ("purged", "too old")
    assert found["purged"] is not None
    assert "1\tpurged" not in run("artifact", "version", "list", "iris").stdout


def test_the_step_that_made_a_version_and_what_it_read(
    run: Run, workspace: Workspace, versions: list[Version], seal_files: Seal
) -> None:
    catalog = workspace.catalog
    started = catalog.runs.create("training", "first", kind="pipeline")
    step = catalog.steps.create(started.id, "fit")
    catalog.steps.add_input(step.id, "data", versions[0].id, how="declared")
    seal_files("result", {"f": b"r"}, producer_id=step.id)
    shown = _properties(run("artifact", "version", "describe", "result"))
    assert shown["producer"] == "training/first/steps/fit"
    assert shown["inputs"] == "iris/1"


def _properties(result: Result) -> dict[str, str]:
    assert result.exit_code == 0, result.output
    return dict(line.split("\t") for line in result.stdout.splitlines())


class TestLongLists:
    @pytest.fixture
    def many(self, seal_files: Seal) -> None:
        for number in range(103):
            seal_files("many", {"f": str(number).encode()})

    def test_a_terminal_is_shown_the_newest_page(self, run: Run, on_terminal: Callable[..., str], many: None) -> None:
        shown = on_terminal("artifact", "version", "list", "many").splitlines()
        numbers = [line.split()[1] for line in shown if line.startswith("many")]
        assert numbers == [str(number) for number in range(4, 104)]
        assert "the newest 100 of 103 versions; --all lists all of them" in shown[-1]
        everything = on_terminal("artifact", "version", "list", "--all")
        assert everything.count("many ") == 103
        assert "newest" not in everything

    def test_a_pipe_gets_all_of_it(self, run: Run, many: None) -> None:
        lines = run("artifact", "version", "list").stdout.splitlines()
        assert [line.split("\t")[1] for line in lines] == [str(number) for number in range(1, 104)]
        last = run("artifact", "version", "list", "many", "--limit", "2")
        assert last.stdout.splitlines() == lines[-2:]
        assert last.stderr == ""

    def test_json_is_a_list_however_long_it_is(self, run: Run, many: None) -> None:
        found = run("artifact", "version", "list", "--json", "--limit", "2").stdout
        assert [each["version"] for each in json.loads(found)] == ["102", "103"]
        assert [line[:3] for line in found.splitlines()] == ["[", "  {", "  {", "]"]
        assert len(json.loads(run("artifact", "version", "list", "--json").stdout)) == 103
        assert run("run", "list", "--json").stdout == "[]\n"

    def test_limit_and_all_exclude_each_other(self, run: Run, many: None) -> None:
        assert run("artifact", "version", "list", "--all", "--limit", "2").exit_code == 2
