"""A name that nothing has is told as that, with the nearest one that there is."""

from __future__ import annotations

from uuid import uuid4

import pytest

from artfs import load_artifact, pipeline, save_artifact, step
from artfs.client import Client
from artfs.errors import ArtifactNotFound, RunNotFound, VersionNotFound


@pytest.fixture(autouse=True)
def saved() -> None:
    save_artifact(1, name="iris_model", tags=["production"])
    save_artifact(2, name="iris_model", version="candidate")
    save_artifact(3, name="wine")


@pytest.mark.parametrize("name", ["iris_modle", "iris-model", "Iris_Model"])
def test_an_unknown_artifact_is_told_with_the_nearest(name: str) -> None:
    for act in (load_artifact, Client().get_artifact, Client().get_artifact_version):
        with pytest.raises(ArtifactNotFound, match=rf"'{name}'.*did you mean 'iris_model'\?"):
            act(name)
    with pytest.raises(ArtifactNotFound, match="iris_model"):
        load_artifact(name, version=1)


def test_what_is_like_nothing_is_told_without_a_guess() -> None:
    with pytest.raises(ArtifactNotFound) as raised:
        load_artifact("zzz")
    assert "did you mean" not in str(raised.value)


@pytest.mark.parametrize(
    ("version", "meant"), [("candidat", "candidate"), ("Candidate", "candidate"), ("@prodution", "@production")]
)
def test_an_unknown_version_is_told_with_the_nearest(version: str, meant: str) -> None:
    with pytest.raises(VersionNotFound, match=f"'iris_model' has no version .*did you mean '{meant}'"):
        load_artifact("iris_model", version=version)


@pytest.mark.parametrize("version", [7, "11", "latests"])
def test_no_number_is_near_to_another(version: str | int) -> None:
    with pytest.raises(VersionNotFound) as raised:
        load_artifact("iris_model", version=version)
    assert "did you mean" not in str(raised.value)


def test_an_unknown_id_is_no_unknown_name() -> None:
    unknown = uuid4()
    for wanted in (unknown, str(unknown), unknown.hex):
        with pytest.raises(VersionNotFound, match="no version has the id"):
            load_artifact(wanted)


def test_an_unknown_run_is_told_with_the_nearest() -> None:
    @step
    def make() -> int:
        return 1

    @pipeline
    def training() -> None:
        make()

    training.with_options(run_name="release one")()
    for wanted, meant in (("trainin", "training"), ("training/release on", "training/release one")):
        with pytest.raises(RunNotFound, match=f"did you mean '{meant}'"):
            Client().get_pipeline_run(wanted)
