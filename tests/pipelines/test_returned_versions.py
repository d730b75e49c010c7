"""A step can return a version that exists: it is the output, and no other is made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest

from artfs import ArtifactConfig, get_step_context, pipeline, register_artifact, save_artifact, step
from artfs.client import Client
from artfs.errors import InvalidValue, VersionNotFound
from artfs.objects.version import ArtifactVersionResponse
from artfs.pipelines import Pipeline, Step


@step
def double(numbers: list[int]) -> list[int]:
    return [2 * number for number in numbers]


def chain(first: Step) -> Pipeline:
    @pipeline
    def chained() -> None:
        double(first())

    return chained


def test_a_version_that_was_there_is_given_out_and_not_made_again() -> None:
    save_artifact([1, 2], "numbers")

    @step
    def choose() -> list[int]:
        return Client().get_artifact_version("numbers", 1)  # type: ignore[return-value]

    run = chain(choose)()
    given = run.steps["choose"].output
    assert (given.name, given.version, given.step) == ("numbers", "1", None)
    assert run.steps["double"].inputs["numbers"] == given
    assert run.steps["double"].output.load() == [2, 4]
    assert len(Client().get_artifact("numbers").versions) == 1
    again = chain(choose)()
    assert again.status == "cached"
    assert again.steps["choose"].output == given


def test_a_version_that_the_step_has_made_is_made_by_it() -> None:
    @step
    def make() -> Annotated[ArtifactVersionResponse, "numbers"]:
        return save_artifact([5], "numbers", tags=["own"])

    run = chain(make)()
    made = run.steps["make"].outputs["numbers"]
    assert made.step == run.steps["make"]
    assert run.steps["double"].output.load() == [10]
    assert [version.version for version in Client().get_artifact("numbers").versions] == ["1"]


def test_data_in_place_is_given_out_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("hello")

    @step
    def register() -> Annotated[Path, "data"]:
        return register_artifact(tmp_path / "data", "data")  # type: ignore[return-value]

    @step
    def read(folder: Path) -> str:
        return (folder / "a.txt").read_text()

    @pipeline
    def reading() -> None:
        read(register())

    assert reading().steps["read"].output.load() == "hello"


def test_one_of_several_outputs_may_be_one() -> None:
    save_artifact([1], "numbers")

    @step
    def two() -> tuple[Annotated[list[int], "old"], Annotated[list[int], "new"]]:
        return Client().get_artifact_version("numbers"), [7]  # type: ignore[return-value]

    @pipeline
    def several() -> None:
        old, new = two()
        double(old)
        double(new)

    run = several()
    assert [run.steps[name].output.load() for name in ("double", "double_2")] == [[2], [14]]
    assert run.steps["two"].outputs["new"].name == "new"


def test_what_the_step_says_of_its_output_is_said_of_the_version() -> None:
    save_artifact([1], "numbers", tags=["raw"])

    @step
    def choose() -> Annotated[list[int], ArtifactConfig(tags=["chosen"], run_metadata={"why": "newest"})]:
        get_step_context().add_output_metadata({"score": 3})
        get_step_context().add_output_tags(["best"])
        return Client().get_artifact_version("numbers")  # type: ignore[return-value]

    chain(choose)()
    version = Client().get_artifact_version("numbers")
    assert version.tags == ["best", "chosen", "raw"]
    assert (version.metadata["why"], version.metadata["score"]) == ("newest", 3)


def test_what_cannot_be_given_out_is_refused_and_nothing_is_made() -> None:
    gone = save_artifact([1], "numbers")
    kept = save_artifact([2], "numbers")
    Client().delete_artifact_version("numbers", 1)

    @step
    def removed() -> list[int]:
        return gone  # type: ignore[return-value]

    @step
    def renamed() -> Annotated[list[int], ArtifactConfig(name="numbers", version="first")]:
        return kept  # type: ignore[return-value]

    @step
    def written() -> list[int]:
        Path(get_step_context().get_output_artifact_uri(), "more").write_text("x")
        return kept  # type: ignore[return-value]

    for first, error, words in (
        (removed, VersionNotFound, "which was removed"),
        (renamed, InvalidValue, "cannot get the version name 'first'"),
        (written, InvalidValue, "versions never change"),
    ):
        with pytest.raises(error, match=words):
            chain(first)()
    assert [version.version for version in Client().get_artifact("numbers").versions] == ["2"]
