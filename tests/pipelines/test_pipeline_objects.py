"""Pipelines lead to their runs; tags and metadata of runs are kept, found and shown."""

from __future__ import annotations

import json
import webbrowser

import pytest
from click.testing import CliRunner

from artfs import Tag, add_tags, log_metadata, pipeline, remove_tags, save_artifact, step
from artfs.cli import cli
from artfs.client import Client
from artfs.errors import InvalidName, InvalidValue, PipelineNotFound, RunNotFound, TagNotFound


@step
def make(fail: bool = False) -> int:
    if fail:
        raise LookupError
    save_artifact("beside", "beside")
    return 1


@pipeline
def training(fail: bool = False) -> None:
    make(fail=fail)


def test_a_pipeline_leads_to_its_runs_newest_first() -> None:
    names = [training.with_options(run_name=f"run{number}")().name for number in range(25)]
    with pytest.raises(LookupError):
        training.with_options(run_name="broken")(fail=True)
    found = Client().get_pipeline("training")
    assert [run.name for run in found.runs] == ["broken", *reversed(names)]
    assert (found.last_run.name, found.last_successful_run.name, found.num_runs) == ("broken", "run24", 26)
    assert found.runs[0] == found.last_run
    assert "26 runs" in repr(found)
    assert [each.name for each in Client().list_pipelines()] == ["training"]


def test_what_is_not_there() -> None:
    with pytest.raises(LookupError):
        training(fail=True)
    with pytest.raises(RunNotFound, match="'training' has no successful run yet"):
        _ = Client().get_pipeline("training").last_successful_run
    with pytest.raises(PipelineNotFound, match="did you mean 'training'"):
        Client().get_pipeline("trainin")


def test_tags_of_a_pipeline_are_on_its_runs_and_those_that_cascade_on_their_versions() -> None:
    tagged = training.with_options(tags=["nightly", Tag("best", exclusive=True), Tag("v2", cascade=True)])
    first = tagged.with_options(enable_cache=False)()
    second = tagged.with_options(enable_cache=False)()
    assert (first.tags, second.tags) == (["nightly", "v2"], ["best", "nightly", "v2"])
    assert second.steps["make"].outputs["output"].tags == ["v2"]
    assert Client().get_artifact_version("beside").tags == ["v2"]
    untagged = training()
    again = tagged()
    assert (untagged.tags, again.status, again.tags) == ([], "cached", ["best", "nightly", "v2"])
    assert again.steps["make"].outputs["output"].tags == [], "it was not made in this run"


def test_runs_are_found_by_tags_and_by_what_was_logged() -> None:
    for number in range(4):
        run = training.with_options(run_name=f"run{number}", tags=["even"] if number % 2 == 0 else [])()
        log_metadata({"accuracy": number / 4, "note": f"number {number}"}, run_id_name_or_prefix=run.id)
    client = Client()

    def names(**filters: object) -> list[str]:
        return [run.name for run in client.list_pipeline_runs(**filters)]  # type: ignore[arg-type]

    assert names(tag="even") == names(tags=["even"]) == ["run0", "run2"]
    assert names(run_metadata=["accuracy:gt:0.4"]) == ["run2", "run3"]
    assert names(run_metadata={"accuracy": "gt:0.4"}, tag="even") == ["run2"]
    assert names(run_metadata=["accuracy:gte:0.25", "accuracy:lt:0.7"]) == ["run1", "run2"]
    assert names(run_metadata=["note:number 3"]) == ["run3"]
    assert names(run_metadata=["note:startswith:number"], sort_by="desc:metadata.accuracy") == [
        "run3", "run2", "run1", "run0",
    ]  # fmt: skip
    with pytest.raises(InvalidValue, match="write 'key:value'"):
        names(run_metadata=["accuracy"])


def test_tags_of_runs_are_changed_and_shown_everywhere() -> None:
    run = training.with_options(run_name="first")()
    add_tags(["good", "checked"], run="training/first")
    remove_tags(["checked"], run=run.id)
    assert run.tags == ["good"]
    with pytest.raises(TagNotFound, match=r"run 'training/first' does not carry tag 'bad' \(its tags: good\)"):
        remove_tags(["good", "bad"], run="first")
    assert run.tags == ["good"]
    log_metadata({"loss": 0.5}, run_id_name_or_prefix="first")
    shown = json.loads(CliRunner().invoke(cli, ["run", "show", "first", "--json"]).stdout)
    assert (shown["tags"], shown["metadata"]) == (["good"], {"loss": 0.5})
    assert [row.action for row in Client().workspace.catalog.audit.list("training/first")] == ["run.tag", "run.tag"]
    Client().delete_tag("good")
    assert run.tags == []


def test_tags_that_cannot_be_are_refused_before_anything_runs() -> None:
    with pytest.raises(InvalidName):
        training.with_options(tags=["a/b"])
    save_artifact(1, "n", tags=["known"])
    with pytest.raises(InvalidValue, match="known and not exclusive"):
        training.with_options(tags=[Tag("known", exclusive=True)])()
    assert len(Client().list_pipeline_runs()) == 0


def test_a_run_is_shown_as_a_page_with_its_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    run = training.with_options(run_name="<first>")()
    log_metadata({"note": "<script>"}, run_id_name_or_prefix=run.id)
    page = run.visualize()
    assert page is not None
    assert opened == [page.as_uri()]
    shown = page.read_text()
    assert "<svg" in shown and ">make" in shown
    assert "&lt;script&gt;" in shown and "<script>" not in shown
    assert run.visualize(open_browser=False) == page
    assert CliRunner().invoke(cli, ["run", "delete", "<first>", "--yes"]).exit_code == 0
    assert not page.exists()
