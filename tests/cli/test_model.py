"""`artfs model`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from artfs import save_artifact

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def saved() -> None:
    for number in range(2):
        save_artifact(number, "weights")
    save_artifact("a label", "labels")


def shown(run: Run, *arguments: str) -> Any:
    return json.loads(run("model", "show", *arguments, "--json").stdout)


def test_versions_are_put_in_and_taken_out(run: Run) -> None:
    assert run("model", "link", "classifier", "weights/1", "labels").stdout == "classifier/1\n"
    assert run("model", "link", "classifier/tuned", "weights").stdout == "classifier/tuned\n"
    assert shown(run, "classifier/1")["artifacts"] == ["weights/1", "labels/1"]
    assert [each["version"] for each in shown(run, "classifier")["versions"]] == ["1", "tuned"]
    assert run("model", "unlink", "classifier/1", "labels").exit_code == 0
    assert shown(run, "classifier/1")["artifacts"] == ["weights/1"]
    assert run("model", "unlink", "classifier/1", "weights/1", "labels").exit_code == 1
    assert shown(run, "classifier/1")["artifacts"] == ["weights/1"], "all or nothing"
    assert run("model", "link", "new", "weights", "nothing").exit_code == 1
    assert run("model", "show", "new").exit_code == 1, "nothing was made"


def test_stages(run: Run) -> None:
    run("model", "link", "classifier/1", "weights")
    run("model", "link", "classifier/2", "weights")
    assert run("model", "stage", "classifier/1", "production").stdout == "classifier/1 production\n"
    refused = run("model", "stage", "classifier/2", "production")
    assert refused.stderr == ("artfs: version classifier/1 is in stage 'production': force it to archive that one\n")
    assert run("model", "stage", "classifier/2", "production", "--force").exit_code == 0
    assert shown(run, "classifier/production")["version"] == "2"
    rows = [line.split("\t") for line in run("model", "show", "classifier").stdout.splitlines()]
    assert [row[:3] for row in rows] == [["1", "archived", "weights/2"], ["2", "production", "weights/2"]]
    assert run("model", "list").stdout.split("\t")[:5] == ["classifier", "2", "2", "2", ""]
    assert "weights/2" in run("model", "show", "classifier/2").stdout


def test_deleting(run: Run) -> None:
    run("model", "link", "classifier/1", "weights")
    assert run("model", "delete", "classifier/1").exit_code == 2, "there is nobody to ask"
    assert run("model", "delete", "classifier/1", "--yes").stdout == "deleted classifier/1\n"
    assert run("model", "delete", "classifier", "-y").stdout == "deleted classifier\n"
    assert run("model", "delete", "classifier", "-y").stderr == (
        "artfs: no model is named 'classifier'; 'artfs model list' lists them\n"
    )
    assert run("artifact", "version", "list", "weights").stdout.count("\n") == 2
