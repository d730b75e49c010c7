"""A step is not run again when nothing that its outputs depend on has changed, and always when something has."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest

from artfs import ArtifactConfig, load_artifact, pipeline, save_artifact, step
from artfs.client import Client
from artfs.materializers import CloudpickleMaterializer
from artfs.objects.run import PipelineRunResponse
from artfs.pipelines import CachePolicy


@step
def double(x: int) -> int:
    return 2 * x


@step
def parity(x: int) -> str:
    return "even" if x % 2 == 0 else "odd"


@step
def shout(text: str) -> str:
    return text.upper()


def statuses(run: PipelineRunResponse) -> list[str]:
    return [str(each.status) for each in run.steps.values()]


@pipeline
def chain(x: int = 1) -> None:
    shout(parity(double(x)))


def test_all_steps_of_an_unchanged_pipeline_are_taken_over() -> None:
    first, second = chain(), chain()
    assert statuses(second) == ["cached"] * 3
    assert str(second.status) == "cached"
    for name, each in second.steps.items():
        assert each.outputs == first.steps[name].outputs
        assert each.inputs == first.steps[name].inputs
    assert second.steps["shout"].output.row.producer_id == first.steps["shout"].row.id


def test_a_changed_parameter_runs_its_step_again() -> None:
    chain()
    assert statuses(chain(x=1)) == ["cached"] * 3
    assert statuses(chain(x=2))[0] == "completed"


def test_equal_bytes_made_anew_let_the_next_step_be() -> None:
    chain(x=1)
    assert statuses(chain(x=2)) == ["completed", "completed", "cached"]  # 4 is even, as 2 was


def test_equal_content_from_elsewhere_is_the_same_input() -> None:
    save_artifact("even", name="word")

    @pipeline
    def other() -> None:
        shout(Client().get_artifact_version("word"))

    other()
    save_artifact("odd", name="word")
    assert statuses(other()) == ["completed"]
    save_artifact("even", name="word")
    assert statuses(other()) == ["cached"]


def test_deleted_bytes_are_made_again(home: Path) -> None:
    run = chain()
    for path in (home / "store").rglob("*"):
        if path.is_file() and "parity" in str(path):
            path.unlink()
    again = chain()
    assert statuses(again) == ["cached", "completed", "cached"]
    assert again.steps["parity"].output.load() == "even"
    assert run.steps["parity"].output.load() == "even"  # the bytes are back for all who refer to them
    assert statuses(chain()) == ["cached"] * 3


def test_a_removed_version_is_made_again() -> None:
    run = chain()
    version = run.steps["double"].output
    Client().delete_artifact_version(version.id, force=True)
    assert statuses(chain()) == ["completed", "cached", "cached"]


def test_other_names_of_outputs_are_another_step() -> None:
    @step
    def extract() -> Annotated[str, "{kind}_data"]:
        return "data"

    @pipeline
    def simple(kind: str) -> None:
        extract.with_options(substitutions={"kind": kind})()

    assert statuses(simple("train")) == ["completed"]
    assert statuses(simple("test")) == ["completed"]
    assert statuses(simple("train")) == ["cached"]
    assert load_artifact("test_data") == "data"


@pytest.mark.parametrize(
    "change", [{"tags": ["b"]}, {"run_metadata": {"a": 2}}, {"version": "chosen"}, {"artifact_type": "ModelArtifact"}]
)
def test_what_a_version_is_to_carry_counts(change: dict[str, Any]) -> None:
    def run(config: ArtifactConfig) -> PipelineRunResponse:
        def load() -> Any:
            return 1

        load.__annotations__["return"] = Annotated[int, config]

        @pipeline
        def simple() -> None:
            step(load)()

        return simple()

    first: dict[str, Any] = {"name": "iris", "tags": ["a"], "run_metadata": {"a": 1}}
    assert statuses(run(ArtifactConfig(**first))) == ["completed"]
    assert statuses(run(ArtifactConfig(**first))) == ["cached"]
    assert statuses(run(ArtifactConfig(**{**first, **change}))) == ["completed"]


def test_another_materializer_is_another_output() -> None:
    @pipeline
    def simple(pickled: bool) -> None:
        double.with_options(output_materializers=CloudpickleMaterializer if pickled else None)(x=1)

    assert statuses(simple(False)) == ["completed"]
    assert statuses(simple(True)) == ["completed"]
    assert statuses(simple(True)) == ["cached"]


def test_files_and_variables_can_be_made_part_of_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, folder = tmp_path / "data.csv", tmp_path / "folder"
    file.write_text("1")
    folder.mkdir()
    policy = CachePolicy(files=[str(file), str(folder)], environment=["MODE"])

    @pipeline
    def simple() -> None:
        double.with_options(cache_policy=policy)(x=1)

    monkeypatch.delenv("MODE", raising=False)
    assert statuses(simple()) == ["completed"]
    assert statuses(simple()) == ["cached"]
    file.write_text("2")
    assert statuses(simple()) == ["completed"]
    (folder / "new").write_text("")
    assert statuses(simple()) == ["completed"]
    monkeypatch.setenv("MODE", "fast")
    assert statuses(simple()) == ["completed"]
    os.utime(file, (1, 1))
    assert statuses(simple()) == ["cached"]


def test_what_is_too_old_is_made_again() -> None:
    @pipeline
    def simple(expires: float | None) -> None:
        policy = CachePolicy(expires=None if expires is None else timedelta(seconds=expires))
        double.with_options(cache_policy=policy)(x=1)

    assert statuses(simple(0)) == ["completed"]
    assert statuses(simple(3600)) == ["cached"]
    assert statuses(simple(None)) == ["cached"]
    again = simple(0)
    assert statuses(again) == ["completed"]
    assert "older" in again.steps["double"].row.cache_parts["why"]


def test_caching_can_be_switched_off() -> None:
    @step(enable_cache=True)
    def always() -> int:
        return 1

    @step
    def sometimes() -> int:
        return 1

    @pipeline(enable_cache=False)
    def simple() -> None:
        always()
        sometimes()
        sometimes.with_options(enable_cache=True)()

    simple()
    assert statuses(simple()) == ["cached", "completed", "cached"]


def test_a_newer_version_of_what_the_step_loads_itself_runs_it_again() -> None:
    save_artifact("first", name="best")

    @step
    def compare() -> str:
        return str(load_artifact("best"))

    @step
    def compare_first() -> str:
        return str(load_artifact("best", version="1"))

    @pipeline
    def simple() -> None:
        compare()
        compare_first(after="compare")

    assert statuses(simple()) == ["completed", "completed"]
    assert statuses(simple()) == ["cached", "cached"]
    save_artifact("second", name="best")
    run = simple()
    assert run.steps["compare"].output.load() == "second"
    assert statuses(simple()) == ["cached", "cached"]


def test_a_tag_that_goes_to_another_version_runs_what_loaded_by_it_again() -> None:
    first = save_artifact("first", name="best", tags=["production"])
    second = save_artifact("second", name="best")

    @step
    def use() -> str:
        return str(load_artifact("best", version="@production"))

    @pipeline
    def simple() -> None:
        use()

    assert [statuses(simple()), statuses(simple())] == [["completed"], ["cached"]]
    Client().update_artifact_version(second.id, add_tags=["production"])
    run = simple()
    assert run.steps["use"].output.load() == "second"
    assert run.steps["use"].inputs["best@2"] == second != first
    assert statuses(simple()) == ["cached"]


def test_a_failed_step_is_tried_again_and_what_was_done_is_not() -> None:
    fails = [True]

    @step
    def fragile(x: int) -> int:
        if fails:
            fails.pop()
            raise OSError("no network")
        return x

    @pipeline
    def simple() -> None:
        fragile(double(1))

    with pytest.raises(OSError, match="no network"):
        simple()
    assert statuses(simple()) == ["cached", "completed"]
