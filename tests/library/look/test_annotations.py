"""Metadata and tags are put on what is named, and on nothing else."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import uuid4

import pytest

from artfs import Tag, add_tags, log_metadata, pipeline, register_artifact, remove_tags, save_artifact, step
from artfs.client import Client
from artfs.errors import ArtifactNotFound, InvalidName, InvalidValue, RunNotFound, TagNotFound, VersionNotFound


@pytest.fixture(autouse=True)
def versions() -> None:
    for number in range(2):
        save_artifact(number, "model")


def tags(version: int) -> list[str]:
    return Client().get_artifact_version("model", version).tags


def metadata(version: int) -> dict[str, Any]:
    found = Client().get_artifact_version("model", version).metadata
    return {key: found[key] for key in found if key in ("a", "b")}


def test_metadata_of_versions() -> None:
    log_metadata({"a": 1}, artifact_name="model")
    log_metadata({"a": 2, "b": {"x": [1]}}, artifact_name="model", artifact_version=1)
    log_metadata({"b": 3}, artifact_version_id=Client().get_artifact_version("model", 2).id)
    assert (metadata(1), metadata(2)) == ({"a": 2, "b": {"x": [1]}}, {"a": 1, "b": 3})


def test_tags_of_versions_and_artifacts() -> None:
    add_tags(["x", "y"], artifact_name="model")
    add_tags(["x"], artifact_name="model", artifact_version="1")
    add_tags(["z"], artifact_version_id=Client().get_artifact_version("model", 1).id)
    add_tags(["family"], artifact="model")
    assert (tags(1), tags(2)) == (["x", "z"], ["x", "y"])
    remove_tags(["x"], artifact_name="model", artifact_version="@z")
    remove_tags([Tag("y")], artifact_name="model")
    assert (tags(1), tags(2)) == (["z"], ["x"])
    assert Client().get_artifact("model").tags == ["family"]
    remove_tags(["family"], artifact="model")
    assert Client().get_artifact("model").tags == []


def test_an_exclusive_tag_moves(tmp_path: Any) -> None:
    (tmp_path / "f").write_text("x")
    best = Tag(name="best", exclusive=True)
    add_tags([best], artifact_name="model", artifact_version=1)
    save_artifact(1, "other", tags=[best])
    register_artifact(tmp_path / "f", "data", tags=[best])
    add_tags(["best"], artifact_name="model", artifact_version=2)
    assert (tags(1), tags(2)) == ([], ["best"])
    save_artifact(3, "model", tags=[best])
    assert (tags(2), tags(3)) == ([], ["best"])
    assert Client().get_artifact_version("other").tags == Client().get_artifact_version("data").tags == ["best"]


def test_a_known_tag_is_not_made_exclusive_by_the_way() -> None:
    for version in (1, 2):
        add_tags(["best"], artifact_name="model", artifact_version=version)
    with pytest.raises(InvalidValue, match=r"known and not exclusive; Client\(\).create_tag\('best', exclusive=True\)"):
        add_tags([Tag("best", exclusive=True)], artifact_name="model")
    assert tags(1) == tags(2) == ["best"]
    with pytest.raises(InvalidValue, match="cascades, which only those of a pipeline do"):
        add_tags([Tag("best", cascade=True)], artifact_name="model")


def test_in_a_step() -> None:
    @step
    def fit() -> tuple[Annotated[int, "fitted"], Annotated[int, "score"]]:
        log_metadata({"of": "step"})
        log_metadata({"of": "output"}, infer_artifact=True, artifact_name="fitted")
        log_metadata({"of": "named output"}, artifact_name="score")
        log_metadata({"a": 5}, artifact_name="model", artifact_version=1)
        add_tags(["of run"])
        add_tags(["of output", Tag("only", exclusive=True)], infer_artifact=True, artifact_name="fitted")
        return 1, 2

    @pipeline
    def fitting() -> None:
        fit()

    run = fitting()
    made = run.steps["fit"]
    assert (made.metadata, made.run_metadata["of"].value, run.metadata) == ({"of": "step"}, "step", {})
    assert made.outputs["fitted"].metadata["of"] == "output"
    assert made.outputs["score"].metadata["of"] == "named output"
    assert (run.tags, made.outputs["fitted"].tags, made.outputs["score"].tags) == (
        ["of run"],
        ["of output", "only"],
        [],
    )
    assert metadata(1) == {"a": 5}
    log_metadata({"later": True}, step_name="fit", run_id_name_or_prefix="fitting")
    log_metadata({"by": "id"}, step_id=made.id)
    log_metadata({"of": "run"}, run_id_name_or_prefix=run.id)
    assert made.metadata == {"of": "step", "later": True, "by": "id"}
    assert (run.metadata, run.run_metadata["of"].type) == ({"of": "run"}, "str")
    with pytest.raises(RunNotFound, match="the run has no step 'train'; it has: fit"):
        log_metadata({}, step_name="train", run_id_name_or_prefix=run.id)


@pytest.mark.parametrize(
    ("named", "error", "words"),
    [
        ({"artifact_name": "modle"}, ArtifactNotFound, "did you mean 'model'"),
        ({"artifact_name": "model", "artifact_version": 7}, VersionNotFound, "no version '7'"),
        ({"artifact_version_id": uuid4()}, VersionNotFound, "no version has the id"),
        ({"artifact_version": 1}, InvalidValue, "artifact_name: give that too"),
        ({}, InvalidValue, "no step runs here"),
        ({"infer_artifact": True}, InvalidValue, "no step runs here"),
        ({"artifact_name": "model", "artifact_version_id": uuid4()}, InvalidValue, "name one thing, not version and"),
    ],
)
def test_what_is_not_named_well_is_refused(named: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        log_metadata({"a": 1}, **named)
    with pytest.raises(error, match=words):
        add_tags(["x"], **named)
    if "infer_artifact" not in named:
        with pytest.raises(error, match=words):
            remove_tags(["x"], **named)
    assert (tags(1), tags(2), metadata(1), metadata(2)) == ([], [], {}, {})


def test_it_is_all_or_nothing() -> None:
    add_tags(["x"], artifact_name="model")
    for act, values, error in (
        (add_tags, ["good", "a/b"], InvalidName),
        (add_tags, "text", InvalidValue),
        (remove_tags, ["x", "y"], TagNotFound),
    ):
        with pytest.raises(error):
            act(values, artifact_name="model")  # type: ignore[operator]
    with pytest.raises(InvalidValue):
        log_metadata({"a": 1, "b": object()}, artifact_name="model")
    assert (tags(2), metadata(2)) == (["x"], {})


def test_lists_take_filters_of_metadata_as_texts() -> None:
    for number in range(3):
        save_artifact(number, "scored", metadata={"acc": number / 2, "note": f"a:{number}"})
    client = Client()

    def found(*filters: str) -> list[str]:
        return [each.version for each in client.list_artifact_versions(artifact="scored", run_metadata=filters)]

    assert found("acc:gt:0.4") == ["2", "3"]
    assert found("acc:gt:0.4", "acc:lt:0.9") == ["2"]
    assert found("note:equals:a:1") == ["2"]
    assert found("acc:0") == ["1"]
    with pytest.raises(InvalidValue, match="write 'key:value'"):
        found(":gt:1")
    with pytest.raises(InvalidValue, match=r"give \['acc:gt:0.4'\]"):
        client.list_artifact_versions(run_metadata="acc:gt:0.4")


def test_all_lists_take_tags_alike() -> None:
    save_artifact(1, "scored", tags=["a", "b"])
    save_artifact(2, "plain", tags=["a"])
    add_tags(["raw", "eu"], artifact="scored")
    add_tags(["raw"], artifact="plain")
    client = Client()
    assert [each.name for each in client.list_artifacts(tags=["raw", "eu"])] == ["scored"]
    assert [each.name for each in client.list_artifacts(tag="raw", tags=["eu"])] == ["scored"]
    assert [each.name for each in client.list_artifacts(tag="raw")] == ["scored", "plain"]
    assert [each.artifact.name for each in client.list_artifact_versions(tag="a", tags=["b"])] == ["scored"]
    for listed in (client.list_artifacts, client.list_artifact_versions, client.list_pipeline_runs):
        with pytest.raises(InvalidValue, match=r"give \['raw'\]"):
            listed(tags="raw")
