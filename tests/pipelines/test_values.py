"""What a step is given and what becomes of what it gives: checked, converted, kept, linked, described."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

import numpy as np
import pandas as pd
import pytest

from artfs import (
    ArtifactConfig,
    ExternalArtifact,
    get_step_context,
    load_artifact,
    log_artifact_metadata,
    pipeline,
    register_artifact,
    save_artifact,
    step,
)
from artfs.client import Client
from artfs.enums import ArtifactType
from artfs.errors import InvalidValue, VersionNotFound
from artfs.materializers import BaseMaterializer, CloudpickleMaterializer
from artfs.objects.run import PipelineRunResponse


def run_one(function: Any, **inputs: Any) -> PipelineRunResponse:
    """Run a pipeline of one step."""
    each = step(function)

    @pipeline
    def single() -> None:
        each(**inputs)

    return single()


@dataclasses.dataclass
class Settings:
    rate: float
    layers: list[int]


class Opaque:
    pass


def takes_int(x: int) -> int:
    return x


def takes_float(x: float) -> float:
    return x


def takes_list(x: list[int]) -> int:
    return sum(x)


def takes_optional(x: int | None = None) -> int:
    return -1 if x is None else x


def takes_settings(x: Settings) -> float:
    return x.rate


def takes_anything(x) -> str:  # type: ignore[no-untyped-def]
    return type(x).__name__


@pytest.mark.parametrize(
    ("function", "given", "got"),
    [
        (takes_int, "5", 5),
        (takes_float, 1, 1.0),
        (takes_list, ["1", 2], 3),
        (takes_optional, None, -1),
        (takes_settings, {"rate": "0.5", "layers": [1]}, 0.5),
        (takes_anything, "5", "str"),
    ],
)
def test_inputs_are_converted_to_what_is_wanted(function: Any, given: Any, got: Any) -> None:
    value = run_one(function, x=given).steps[function.__name__].output.load()
    assert value == got
    assert type(value) is type(got)


@pytest.mark.parametrize(
    ("function", "given"), [(takes_int, "five"), (takes_list, 3), (takes_int, ExternalArtifact(Opaque()))]
)
def test_inputs_that_do_not_fit_are_refused(function: Any, given: Any) -> None:
    with pytest.raises(InvalidValue, match=f"step '{function.__name__}': input 'x'"):
        run_one(function, x=given)


def gives_text_of_number() -> int:
    return "7"  # type: ignore[return-value]


def gives_numpy_scalar() -> int:
    return np.int64(7)  # type: ignore[return-value]


def gives_numpy_float() -> float:
    return np.float32(0.5)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("function", "got"), [(gives_text_of_number, 7), (gives_numpy_scalar, 7), (gives_numpy_float, 0.5)]
)
def test_outputs_are_converted_to_what_is_declared(function: Any, got: Any) -> None:
    value = run_one(function).steps[function.__name__].output.load()
    assert value == got
    assert type(value) is type(got)


def gives_list() -> pd.DataFrame:
    return [1]  # type: ignore[return-value]


def gives_one_of_two() -> tuple[Annotated[int, "a"], Annotated[int, "b"]]:
    return (1,)  # type: ignore[return-value]


@pytest.mark.parametrize(("function", "what"), [(gives_list, "DataFrame"), (gives_one_of_two, "2 outputs: a, b")])
def test_outputs_that_do_not_fit_are_refused_and_not_kept(function: Any, what: str) -> None:
    with pytest.raises(InvalidValue, match=what):
        run_one(function)
    assert not Client().list_artifact_versions()


def test_a_step_with_an_output_that_cannot_be_saved_keeps_none() -> None:
    class Broken(BaseMaterializer):
        SKIP_REGISTRATION = True

        def save(self, data: Any) -> None:
            raise RuntimeError("no room")

        def load(self, data_type: type[Any]) -> Any: ...

    @step(output_materializers={"b": Broken})
    def both() -> tuple[Annotated[int, "a"], Annotated[int, "b"]]:
        return 1, 2

    @pipeline
    def simple() -> None:
        both()

    with pytest.raises(RuntimeError, match="no room"):
        simple()
    assert not Client().list_artifact_versions()


def test_materializers_can_be_chosen_for_all_outputs_or_for_one() -> None:
    @step(output_materializers=CloudpickleMaterializer)
    def everything() -> Annotated[int, "all"]:
        return 1

    @step(output_materializers={"a": "artfs.materializers.CloudpickleMaterializer"})
    def one() -> tuple[Annotated[int, "a"], Annotated[int, "b"]]:
        return 1, 2

    @pipeline
    def simple() -> None:
        everything()
        one()

    simple()
    chosen = {name: str(Client().get_artifact_version(name).materializer) for name in ("all", "a", "b")}
    assert ["Cloudpickle" in chosen[name] for name in ("all", "a", "b")] == [True, True, False]
    assert load_artifact("all") == load_artifact("a") == 1


def test_external_artifacts_choose_how_they_are_kept() -> None:
    @step
    def show(data: np.ndarray) -> int:
        return int(data.sum())

    @pipeline
    def simple() -> None:
        show(ExternalArtifact(value=np.array([4]), materializer=CloudpickleMaterializer, store_artifact_metadata=False))

    version = simple().steps["show"].inputs["data"]
    assert "Cloudpickle" in str(version.materializer)
    assert "shape" not in version.metadata


# What the client finds in a pipeline's function.


@step
def name_of(value: str) -> str:
    return value


def test_versions_are_looked_up_when_the_step_begins() -> None:
    save_artifact("old", name="model")

    @step
    def train() -> Annotated[str, "model"]:
        return "new"

    @pipeline
    def simple() -> None:
        before = Client().get_artifact_version("model", "1")
        latest = Client().get_artifact_version("model")
        train()
        name_of(before)
        name_of(latest)
        name_of(Client().get_artifact("model"))

    run = simple()
    assert [run.steps[name].output.load() for name in ("name_of", "name_of_2", "name_of_3")] == ["old", "new", "new"]
    assert run.steps["name_of_2"].inputs["value"] == run.steps["train"].output


def test_a_version_that_nobody_has_made_yet_can_be_asked_for() -> None:
    @step
    def train() -> Annotated[str, "model"]:
        return "first"

    @pipeline
    def simple(version: str | None = None) -> None:
        train()
        name_of(Client().get_artifact_version("model", version))

    assert simple().steps["name_of"].output.load() == "first"
    with pytest.raises(VersionNotFound, match="no version 'seven'"):
        simple(version="seven")
    assert Client().get_pipeline_run("simple/latest").steps["name_of"].status == "failed"


def test_a_version_that_was_looked_at_stays_that_one() -> None:
    save_artifact("old", name="model")

    @step
    def train() -> Annotated[str, "model"]:
        return "new"

    @pipeline
    def simple() -> None:
        model = Client().get_artifact_version("model")
        assert model.version == "1"
        train()
        name_of(model)

    assert simple().steps["name_of"].output.load() == "old"


# What is said and done within a step.


def test_the_context_tells_and_describes() -> None:
    @step
    def both() -> tuple[Annotated[int, "a"], Annotated[int, "b"]]:
        context = get_step_context()
        context.add_output_metadata({"rows": 1}, output_name="a")
        context.add_output_metadata({"columns": 2}, output_name="a")
        context.add_output_tags(["raw"], output_name="b")
        log_artifact_metadata({"rows": 3}, artifact_name="b")
        with pytest.raises(InvalidValue, match="a, b"):
            context.add_output_tags(["x"])
        assert context.step_name == "both_of_it"
        assert context.pipeline_name == "simple"
        assert context.pipeline_run.name == context.run_name
        assert context.step_run.status == "running"
        return 1, 2

    @pipeline
    def simple() -> None:
        both.with_options(name="both_of_it")()

    outputs = simple().steps["both_of_it"].outputs
    assert outputs["a"].metadata.items() >= {"rows": 1, "columns": 2}.items()
    assert outputs["b"].metadata["rows"] == 3
    assert (outputs["a"].tags, outputs["b"].tags) == ([], ["raw"])


def test_there_is_no_context_outside_of_a_step() -> None:
    with pytest.raises(InvalidValue, match="step"):
        get_step_context()


def test_what_a_step_saves_and_loads_by_hand_is_linked(tmp_path: Any) -> None:
    save_artifact("best", name="best_model")
    (tmp_path / "data.csv").write_text("a,b")

    @step
    def work() -> Annotated[str, "result"]:
        best = Client().get_artifact_version("best_model")
        save_artifact("side", name="side_product")
        save_artifact("by hand", name="result")
        register_artifact(str(tmp_path / "data.csv"), name="table")
        return str(best.data) + str(load_artifact("side_product"))

    @pipeline
    def simple() -> None:
        work()

    done = simple().steps["work"]
    assert {slot: each.name for slot, each in done.inputs.items()} == {"best_model@1": "best_model"}
    assert {slot: f"{each.name}/{each.version}" for slot, each in done.outputs.items()} == {
        "result": "result/2",
        "result@1": "result/1",
        "side_product": "side_product/1",
        "table": "table/1",
    }
    assert done.outputs["result"].load() == "bestside"


def test_a_step_that_loads_what_it_made_makes_no_circle() -> None:
    @step
    def work() -> Annotated[int, "a"]:
        save_artifact(1, name="a")
        load_artifact("a")
        save_artifact(2, name="a")
        return int(load_artifact("a"))

    @pipeline(enable_cache=False)
    def simple() -> None:
        work()

    simple()
    run = simple()
    assert run.steps["work"].inputs == {}
    catalog = Client().workspace.catalog
    for version in Client().list_artifact_versions():
        assert version.row.id not in catalog.lineage.ancestors(version.row.id)


def test_a_pipeline_in_a_step_is_a_run_of_its_own() -> None:
    @pipeline
    def inner() -> None:
        name_of("inside")

    @step
    def outer_step() -> int:
        inner()
        return 1

    @pipeline
    def outer() -> None:
        outer_step()

    run = outer()
    assert list(run.steps["outer_step"].outputs) == ["output"]
    assert Client().get_pipeline_run("inner/latest").steps["name_of"].output.load() == "inside"


def test_the_type_of_an_output_can_be_said() -> None:
    @step
    def train() -> Annotated[int, ArtifactConfig(artifact_type=ArtifactType.MODEL)]:
        return 1

    @pipeline
    def simple() -> None:
        train()

    assert simple().steps["train"].output.type is ArtifactType.MODEL
