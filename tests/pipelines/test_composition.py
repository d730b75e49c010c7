"""A pipeline's function says which step is given what; mistakes are told before anything runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import pytest

from artfs import ArtifactConfig, ExternalArtifact, load_artifact, pipeline, save_artifact, step
from artfs.client import Client
from artfs.errors import InvalidName, InvalidValue, VersionExists


@step
def make(value: int = 1) -> int:
    return value


@step
def add(left: int, right: int = 10) -> int:
    return left + right


@step
def total(values: list[int]) -> int:
    return sum(values)


@step
def extract(source: str) -> Annotated[str, "{dataset_type}_data"]:
    return source


def test_unnamed_outputs_are_called_after_pipeline_and_step() -> None:
    @step
    def two() -> tuple[int, str]:
        return 1, "a"

    @pipeline
    def simple() -> None:
        make()
        make()
        two()

    run = simple()
    names = {slot: version.name for each in run.steps.values() for slot, version in each.outputs.items()}
    assert list(run.steps) == ["make", "make_2", "two"]
    assert names == {
        "output": "simple::make_2::output",
        "output_0": "simple::two::output_0",
        "output_1": "simple::two::output_1",
    }
    assert run.steps["make"].output.name == "simple::make::output"


def test_artifacts_are_linked_and_parameters_recorded() -> None:
    @pipeline
    def simple(right: int = 5) -> None:
        add(make(value=2), right=right)

    run = simple(right=7)
    made, added = run.steps["make"], run.steps["add"]
    assert added.inputs == {"left": made.output}
    assert added.parameters == {"right": 7}
    assert made.parameters == {"value": 2}
    assert added.output.load() == 9
    assert run.config["parameters"] == {"right": 7}
    assert run.config["command"] == sys.orig_argv


def test_several_artifacts_can_be_one_input() -> None:
    @pipeline
    def simple() -> None:
        total(values=[make(value=number) for number in range(4)])
        total(values=(make(value=5),))

    run = simple()
    assert run.steps["total"].output.load() == 6
    assert run.steps["total_2"].output.load() == 5


def test_a_parameter_is_json() -> None:
    @pipeline
    def simple(value: Any) -> None:
        add(value)

    with pytest.raises(InvalidValue, match="ExternalArtifact"):
        simple(object())


def test_inputs_must_be_there_once_and_be_known() -> None:
    def composed(**inputs: Any) -> Any:
        @pipeline
        def simple() -> None:
            add(**inputs)

        return simple

    with pytest.raises(InvalidValue, match="left"):
        composed()()
    with pytest.raises(InvalidValue, match="middle"):
        composed(left=1, middle=2)()

    @pipeline
    def twice() -> None:
        add(1, left=2)

    with pytest.raises(InvalidValue, match="twice"):
        twice()
    assert not Client().list_pipeline_runs()


def test_a_value_that_is_not_made_yet_cannot_be_worked_on() -> None:
    @pipeline
    def simple() -> None:
        if make():
            add(1)

    with pytest.raises(InvalidValue, match="not made yet"):
        simple()


def test_placeholders_are_filled_in_names() -> None:
    @step
    def dated() -> Annotated[int, ArtifactConfig(name="{date}_{time}", version="{who}")]:
        return 1

    @pipeline(substitutions={"who": "me", "dataset_type": "any"})
    def data_pipeline() -> None:
        extract.with_options(substitutions={"dataset_type": "train"})(source="train_source")
        extract.with_options(substitutions={"dataset_type": "test"})(source="test_source")
        extract(source="the pipeline's")
        dated()

    run = data_pipeline()
    assert load_artifact("train_data") == "train_source"
    assert load_artifact("test_data") == "test_source"
    assert load_artifact("any_data") == "the pipeline's"
    (version,) = run.steps["dated"].outputs.values()
    year, *rest = version.name.split("_")
    assert int(year) >= 2024 and len(rest) == 6
    assert version.version == "me"


def test_an_output_with_placeholders_can_be_given_on() -> None:
    @step
    def length(text: str) -> int:
        return len(text)

    @pipeline
    def simple() -> None:
        length(extract.with_options(substitutions={"dataset_type": "train"})(source="four"))

    assert simple().steps["length"].output.load() == 4
    assert simple().steps["length"].output.load() == 4  # taken from the first run


@pytest.mark.parametrize("template", ["{unknown}", "{unclosed", "{}"])
def test_a_placeholder_without_a_value_is_told_before_anything_runs(template: str) -> None:
    ran = []

    @step
    def first() -> int:
        ran.append(1)
        return 1

    def second(value: int) -> Any: ...

    second.__annotations__["return"] = Annotated[int, template]

    @pipeline
    def simple() -> None:
        step(second)(first())

    with pytest.raises(InvalidValue):
        simple()
    assert not ran
    assert not Client().list_pipeline_runs()


def test_two_outputs_cannot_be_filled_to_the_same_name() -> None:
    @step
    def both() -> tuple[Annotated[int, "{a}"], Annotated[int, "{b}"]]:
        return 1, 2

    @pipeline(substitutions={"a": "same", "b": "same"})
    def simple() -> None:
        both()

    with pytest.raises(InvalidValue, match="two outputs are named 'same'"):
        simple()


def test_a_name_that_cannot_be_is_told_before_anything_runs() -> None:
    @pipeline(substitutions={"dataset_type": "../x"})
    def simple() -> None:
        extract(source="")

    with pytest.raises(InvalidName):
        simple()


def test_options_make_a_copy() -> None:
    other = make.with_options(name="other", enable_cache=False, retries=3, parameters={"value": 8})

    @pipeline
    def simple() -> None:
        make()
        other()

    run = simple()
    assert run.steps["make"].output.load() == 1
    assert run.steps["other"].output.load() == 8
    assert make.options.retries is None


def test_artifact_config_names_tags_and_describes_a_version() -> None:
    @step
    def load() -> Annotated[
        int,
        ArtifactConfig(
            name="iris",
            version="raw_2023",
            tags=["raw"],
            run_metadata={"rows": 150},
            artifact_type="StatisticsArtifact",
        ),
    ]:
        return 1

    @pipeline(enable_cache=False)
    def simple() -> None:
        load()

    simple()
    version = Client().get_artifact_version("iris", "raw_2023")
    assert version.tags == ["raw"]
    assert version.metadata["rows"] == 150
    assert version.type.value == "StatisticsArtifact"
    assert version.save_type.value == "step_output"
    with pytest.raises(VersionExists, match="raw_2023"):
        simple()


def test_a_version_name_that_is_taken_is_told_before_the_step_runs() -> None:
    save_artifact(1, name="iris", version="taken")
    ran = []

    @step
    def load() -> Annotated[int, ArtifactConfig(name="iris", version="taken")]:
        ran.append(1)
        return 1

    @pipeline
    def simple() -> None:
        load()

    with pytest.raises(VersionExists):
        simple()
    assert not ran


def test_a_step_can_run_after_another_without_using_it(tmp_path: Path) -> None:
    @step
    def write(path: str) -> None:
        Path(path).write_text("there")

    @step
    def read(path: str) -> str:
        return Path(path).read_text()

    path = str(tmp_path / "file")

    @pipeline
    def simple() -> None:
        write(path)
        read(path, after="write")

    assert simple().steps["read"].output.load() == "there"


def test_steps_cannot_wait_for_each_other() -> None:
    @pipeline
    def later() -> None:
        make(after="add")
        add(1)

    with pytest.raises(InvalidValue, match="'add', which this pipeline has not called"):
        later()

    @pipeline
    def itself() -> None:
        make(after="make")

    with pytest.raises(InvalidValue, match="make"):
        itself()


def test_a_pipeline_in_a_pipeline_gives_it_its_steps() -> None:
    @pipeline
    def inner(value: int) -> Any:
        return make(value=value)

    @pipeline
    def outer() -> None:
        add(inner(3))

    run = outer()
    assert list(run.steps) == ["make", "add"]
    assert run.steps["add"].output.load() == 13
    assert run.steps["make"].output.name == "outer::make::output"


def test_a_thousand_calls_of_one_step_get_names_of_their_own() -> None:
    from artfs.pipelines.define.composition import Composition
    from artfs.pipelines.define.config import StepOptions
    from artfs.scopes import current_composition

    composition = Composition("many", StepOptions())
    token = current_composition.set(composition)
    try:
        for _ in range(1000):
            make()
        make.with_options(name="make_7")()
    finally:
        current_composition.reset(token)
    assert len(composition.invocations) == 1001
    assert "make_7_2" in composition.invocations


def test_external_artifacts_are_saved_once_and_linked() -> None:
    @step
    def show(data: list[int]) -> int:
        return len(data)

    @pipeline
    def simple() -> None:
        data = ExternalArtifact(value=[1, 2, 3])
        show(data=data)
        show(data=data)

    run = simple()
    first, second = run.steps["show"].inputs["data"], run.steps["show_2"].inputs["data"]
    assert first == second
    assert first.save_type.value == "external"
    assert first.load() == [1, 2, 3]
    again = simple()
    assert [str(each.status) for each in again.steps.values()] == ["completed", "completed"]


@pytest.mark.parametrize("mixed", [lambda: [make(), 2], lambda: {"a": make()}])
def test_outputs_among_other_values_are_refused(mixed: Any) -> None:
    @pipeline
    def simple() -> None:
        add(left=mixed(), right=1)

    with pytest.raises(InvalidValue, match="'left' mixes outputs of steps with other values"):
        simple()


def test_a_call_that_does_not_fit_names_the_pipeline() -> None:
    @pipeline
    def simple(x: int) -> None:
        add(x, 1)

    with pytest.raises(InvalidValue, match=r"pipeline 'simple\(x: 'int'\).*'y'"):
        simple(y=1)
    with pytest.raises(InvalidValue, match=r"pipeline 'simple.*'x'"):
        simple()


def test_a_materializer_for_an_output_that_there_is_not_is_refused() -> None:
    @pipeline
    def simple() -> None:
        make.with_options(output_materializers={"nope": "a.B"})()

    with pytest.raises(InvalidValue, match="'nope', which is no output of it"):
        simple()


def test_defaults_are_parameters_too() -> None:
    @step
    def scale(x: int, factor: float = 2.0) -> float:
        return x * factor

    @pipeline
    def short() -> None:
        scale(1)

    assert short().steps["scale"].parameters == {"x": 1, "factor": 2.0}


def test_a_shared_output_is_cached_whichever_pipeline_and_call_asks() -> None:
    @step
    def scale(x: int, factor: float = 2.0) -> Annotated[float, "scaled"]:
        return x * factor

    @pipeline
    def one() -> None:
        scale(1)

    @pipeline
    def other() -> None:
        scale(1, factor=2.0)

    assert str(one().steps["scale"].status) == "completed"
    assert str(other().steps["scale"].status) == "cached"
