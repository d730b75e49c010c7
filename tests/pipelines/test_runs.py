"""Runs and their steps are found again."""

from __future__ import annotations

from typing import Annotated

import pytest

from artfs import pipeline, save_artifact, step
from artfs.client import Client
from artfs.errors import InvalidValue, RunNotFound


@step
def make() -> int:
    print("made")
    return 1


@step
def refuse() -> None:
    raise LookupError


@pipeline
def good() -> None:
    make()


@pipeline
def bad() -> None:
    refuse()


def test_a_run_is_found_by_id_prefix_name_and_pipeline() -> None:
    run = good.with_options(run_name="first")()
    client = Client()
    for name in (run.id, str(run.id), str(run.id)[:8], "first", "good/first", "good/latest"):
        assert client.get_pipeline_run(name).id == run.id
    for name in ("second", "good/second", "other/latest", "ffffffff"):
        with pytest.raises(RunNotFound, match=name.rpartition("/")[2]):
            client.get_pipeline_run(name)


def test_a_name_that_two_pipelines_use_needs_the_pipeline() -> None:
    good.with_options(run_name="same")()
    good.with_options(run_name="other")()

    @pipeline
    def second() -> None:
        make()

    second.with_options(run_name="same")()
    with pytest.raises(InvalidValue, match="pipeline/run"):
        Client().get_pipeline_run("same")
    assert Client().get_pipeline_run("second/same").pipeline == "second"


def test_runs_are_listed_with_filters_order_and_pages() -> None:
    names = [good.with_options(run_name=f"run{number}")().name for number in range(5)]
    with pytest.raises(LookupError):
        bad.with_options(run_name="broken")()
    client = Client()
    assert [run.name for run in client.list_pipeline_runs()] == [*names, "broken"]
    assert [run.name for run in client.list_pipeline_runs(status="failed")] == ["broken"]
    assert [run.name for run in client.list_pipeline_runs(status="cached", size=2)] == names[1:]
    assert [run.name for run in client.list_pipeline_runs(sort_by="desc:started", pipeline="good")] == names[::-1]
    assert [run.name for run in client.list_pipeline_runs(name="contains:run", status="completed")] == ["run0"]
    assert len(client.list_pipeline_runs(logical_operator="or", name="run1", pipeline="bad")) == 2
    with pytest.raises(InvalidValue, match="colour"):
        client.list_pipeline_runs(colour="red")


def test_a_run_tells_what_happened() -> None:
    run = good()
    made = run.steps["make"]
    assert made.source is not None and "return 1" in made.source
    assert made.logs == "made\n"
    assert made.duration is not None and run.duration is not None and run.duration >= made.duration
    assert str(run.id) != str(made.id)
    assert "1 step>" in repr(run) and "make" in repr(made)
    assert "make" in run._repr_html_()
    with pytest.raises(LookupError):
        bad()
    failed = Client().get_pipeline_run("bad/latest")
    assert "raise LookupError" in str(failed.steps["refuse"].error)
    with pytest.raises(InvalidValue, match="0 outputs"):
        _ = failed.steps["refuse"].output


def test_runs_steps_and_versions_lead_to_each_other() -> None:
    @step
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    @pipeline
    def several() -> None:
        total([make(), make()])

    run = several()
    made = run.steps["total"]
    version = made.output
    assert (made.run, version.run, version.step) == (run, run, made)
    assert [each.load() for each in made.all_inputs["numbers"]] == [1, 1]
    assert made.inputs["numbers"] == made.all_inputs["numbers"][0]
    assert run.ended is not None and made.ended is not None and run.started <= made.started <= made.ended <= run.ended
    assert made.attempt == 1
    assert made.explain().reasons == ["it is the first run of this step in pipeline 'several'"]
    saved = save_artifact(1, name="by hand")
    assert (saved.run, saved.step) == (None, None)


def test_an_output_is_listed_by_its_name_alone() -> None:
    @step
    def split() -> tuple[Annotated[int, "train"], Annotated[int, "test"]]:
        return 1, 2

    @pipeline
    def splitting() -> None:
        split()

    for run in (splitting(), splitting()):
        row = run.steps["split"].row
        found = Client().workspace.catalog.steps.outputs(row.id)
        assert [(output.slot, output.position) for output in found] == [("test", 0), ("train", 0)]
