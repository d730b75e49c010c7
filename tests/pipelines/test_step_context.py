"""What a step can ask while it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest

from artfs import get_step_context, pipeline, save_artifact, step
from artfs.client import Client
from artfs.errors import InvalidValue


def run_alone(function: Any, *arguments: Any) -> Any:
    """Run a step as the only one of a pipeline `alone`, and return its run."""

    @pipeline
    def alone() -> None:
        step(function)(*arguments)

    return alone().steps[function.__name__]


def test_it_knows_its_place() -> None:
    def asks(number: int, rate: float = 0.5) -> list[Any]:
        context = get_step_context()
        run = context.pipeline_run
        return [context.pipeline.name, run.name == context.run_name, context.step_run.name, dict(context.parameters)]

    assert run_alone(asks, 3).output.load() == ["alone", True, "asks", {"number": 3, "rate": 0.5}]


def test_inputs_are_versions() -> None:
    save_artifact(1, "one", tags=["small"])

    def asks(number: int, numbers: list[int]) -> list[Any]:
        context = get_step_context()
        one = context.inputs["number"]
        return [one.name, one.tags, one.load(), [each.load() for each in context.all_inputs["numbers"]]]

    version = Client().get_artifact_version("one")
    assert run_alone(asks, version, [version, version]).output.load() == ["one", ["small"], 1, [1, 1]]


def test_files_that_a_step_writes_for_an_output_are_in_its_version(tmp_path: Path) -> None:
    def draws() -> Annotated[np.ndarray[Any, Any], "matrix"]:
        folder = Path(get_step_context().get_output_artifact_uri())
        (folder / "deep").mkdir()
        (folder / "deep" / "notes.txt").write_text("by hand")
        assert get_step_context().get_output_artifact_uri("matrix") == str(folder)
        return np.arange(3)

    version = run_alone(draws).outputs["matrix"]
    assert version.load().tolist() == [0, 1, 2]
    assert (version.local_path() / "deep" / "notes.txt").read_text() == "by hand"
    assert version.files == 2


def test_two_outputs_have_two_directories() -> None:
    def two() -> tuple[Annotated[int, "a"], Annotated[int, "b"]]:
        context = get_step_context()
        for name in ("a", "b"):
            Path(context.get_output_artifact_uri(name), f"of {name}").write_text(name)
        with pytest.raises(InvalidValue, match="no output 'None'; it has: a, b"):
            context.get_output_artifact_uri()
        with pytest.raises(InvalidValue, match="no output 'c'"):
            context.get_output_artifact_uri("c")
        return 1, 2

    for name, version in run_alone(two).outputs.items():
        assert [path.name for path in version.local_path().iterdir() if path.name.startswith("of")] == [f"of {name}"]


def test_what_a_failed_attempt_wrote_is_in_no_version(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr("artfs.pipelines.task.execution.RETRY_SECONDS", 0)

    @step(retries=1)
    def fragile() -> Annotated[int, "n"]:
        context = get_step_context()
        Path(context.get_output_artifact_uri(), f"attempt {context.attempt}").write_text("x" * 5000)
        if context.attempt == 1:
            raise OSError
        return 1

    @pipeline
    def trying() -> None:
        fragile()

    names = {path.name for path in trying().steps["fragile"].output.local_path().iterdir()}
    assert "attempt 2" in names and "attempt 1" not in names
    assert not list((home / "store").rglob("attempt 1"))


def test_a_context_that_outlives_its_step_changes_nothing() -> None:
    kept = []

    def keeps() -> int:
        kept.append(get_step_context())
        return 1

    run_alone(keeps)
    with pytest.raises(InvalidValue, match="decided already"):
        kept[0].get_output_artifact_uri()
    with pytest.raises(InvalidValue, match="decided already"):
        kept[0].add_output_tags(["late"])
