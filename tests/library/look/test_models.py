"""Models: versions of artifacts that belong together, found by their model's version or stage."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import pytest

from artfs import Model, get_step_context, link_artifact_to_model, load_artifact, pipeline, save_artifact, step
from artfs.client import Client
from artfs.enums import ModelStages
from artfs.errors import (
    AlreadyExists,
    ArtifactNotFound,
    InvalidName,
    InvalidValue,
    ModelNotFound,
    VersionNotFound,
)


@pytest.fixture
def model() -> Model:
    """`classifier/1`, which has two versions of `weights` and one of `labels`."""
    made = Model("classifier", "1")
    for number in range(2):
        made.link(save_artifact(number, "weights"))
    save_artifact("a label", "labels", tags=["small"])
    made.link("labels", "@small")
    save_artifact(5, "weights")
    return made


def test_the_newest_of_what_is_in_it_is_found(model: Model) -> None:
    assert (model.load_artifact("weights"), model.get_artifact("weights").version) == (1, "2")
    assert model.get_artifact("weights", 1).load() == 0
    assert [f"{each.name}/{each.version}" for each in model.get().artifacts] == ["weights/1", "weights/2", "labels/1"]
    for name, version in (("weights", 3), ("weights", "@small"), ("nothing", None)):
        with pytest.raises((VersionNotFound, ArtifactNotFound)):
            model.get_artifact(name, version)
    save_artifact(1, "other")
    with pytest.raises(VersionNotFound, match="model classifier/1 has no version of artifact 'other'"):
        model.get_artifact("other")


def test_a_stage_names_the_version_that_is_in_it(model: Model) -> None:
    Model("classifier", "2").link("weights")
    model.set_stage("production")
    Model("classifier", 2).set_stage(ModelStages.STAGING)
    assert Model("classifier", "production").load_artifact("weights") == 1
    assert Model("classifier", ModelStages.STAGING).load_artifact("weights") == 5
    assert Model("classifier").get() == Model("classifier", "latest").get() == Model("classifier", "2").get()
    with pytest.raises(InvalidValue, match=r"version classifier/1 is in stage 'production': force it to archive"):
        Model("classifier", "2").set_stage("production")
    assert (model.stage, Model("classifier", "2").stage) == ("production", "staging")
    Model("classifier", "2").set_stage("production", force=True)
    assert (model.stage, Model("classifier", "2").stage) == ("archived", "production")
    Model("classifier", "2").set_stage("none")
    with pytest.raises(ModelNotFound, match="has no version in stage 'production'"):
        Model("classifier", "production").get()
    with pytest.raises(InvalidValue, match="unknown stage 'prod'"):
        model.set_stage("prod")


def test_what_is_not_there_is_told_and_nothing_is_made(model: Model) -> None:
    for wanted, words in (
        (Model("clasifier"), "did you mean 'classifier'"),
        (Model("classifier", 7), "has no version '7'"),
        (Model("classifier", "production"), "has no version in stage"),
    ):
        with pytest.raises(ModelNotFound, match=words):
            wanted.get()
    for unlinked in (Model("new", "first"), Model("classifier", "9")):
        with pytest.raises(ArtifactNotFound):
            unlinked.link("nothing")
    with pytest.raises(ModelNotFound):
        Model("classifier", "production").link("weights")
    for unnameable in (Model("a/b"), Model("classifier", True), Model("classifier", 0.5), Model("classifier", "a/b")):  # type: ignore[arg-type]
        with pytest.raises(InvalidName):
            unnameable.link("weights")
    with pytest.raises(InvalidValue, match="a version or its name belongs to a model, not 5"):
        model.link(5)  # type: ignore[arg-type]
    assert [(each.name, len(each.versions)) for each in Client().list_models()] == [("classifier", 1)]


def test_what_a_model_has_is_neither_pruned_nor_deleted_by_the_way(model: Model) -> None:
    client = Client()
    planned = client.plan_prune(older_than=timedelta())
    assert [
        (each.version.shown_name, each.reason) for each in planned.decisions if each.version.artifact == "weights"
    ] == [
        ("weights/1", "in model classifier/1"),
        ("weights/2", "in model classifier/1"),
        ("weights/3", "the newest version"),
    ]
    for act in (lambda: client.delete_artifact_version("weights", 1), lambda: client.delete_artifact("weights")):
        with pytest.raises(InvalidValue, match=r"is in a model \(classifier/1\): take it out of it first, or force it"):
            act()
    model.get().unlink("weights", 1)
    client.delete_artifact_version("weights", 1)
    client.delete_artifact_version("weights", 2, force=True)
    assert [each.name for each in model.get().artifacts] == ["labels"]
    with pytest.raises(InvalidValue, match="weights/3 is not in model classifier/1"):
        model.get().unlink("weights")


def test_deleting_a_model_leaves_what_was_in_it(model: Model) -> None:
    client = Client()
    client.delete_model_version("classifier", "1")
    assert client.get_model("classifier").versions == []
    Model("classifier").link("weights")
    assert client.get_model_version("classifier").version == "2", "numbers are not used again"
    client.delete_model("classifier")
    assert load_artifact("weights") == 5
    with pytest.raises(ModelNotFound):
        client.get_model("classifier")
    actions = {row.action for row in client.workspace.catalog.audit.list("classifier/1")}
    assert actions == {"model.create", "model.link", "model.delete"}


def test_a_version_is_linked_by_a_function_too() -> None:
    link_artifact_to_model(save_artifact(1, "weights"), Model("classifier", "1"))
    assert Model("classifier", "1").load_artifact("weights") == 1
    with pytest.raises(InvalidValue, match="no model is given, and no step runs here"):
        link_artifact_to_model(save_artifact(1, "weights"))


def test_the_client_makes_and_lists_models() -> None:
    client = Client()
    client.create_model("classifier", description="tells irises apart")
    with pytest.raises(AlreadyExists):
        client.create_model("classifier")
    assert client.create_model_version("classifier", description="baseline").version == "1"
    assert client.create_model_version("classifier", "tuned").number is None
    found = client.update_model_version("classifier", "tuned", stage="staging")
    assert (found.stage, found.name, found.description) == ("staging", "classifier", None)
    assert [each.version for each in client.list_model_versions("classifier")] == ["1", "tuned"]
    described = client.get_model("classifier").summary()
    assert (described["latest"], described["stages"]) == ("tuned", {"staging": "tuned"})
    assert client.get_model("classifier").description == "tells irises apart"


def test_a_pipeline_fills_the_model_that_it_has() -> None:
    @step
    def train() -> Annotated[int, "weights"]:
        save_artifact("notes", "notes")
        assert get_step_context().model.name == "classifier"
        link_artifact_to_model(Client().get_artifact_version("labels"))
        return 3

    @step(model=Model("other", "fixed"))
    def report(weights: int) -> Annotated[str, "report"]:
        return "good"

    @pipeline(model=Model("classifier"))
    def training() -> None:
        report(train())

    save_artifact("a label", "labels")
    first, second = training(), training()
    assert second.status == "cached"
    for version, run in (("1", first), ("2", second)):
        held = Model("classifier", version).get()
        assert {each.name for each in held.artifacts} >= {"weights", "notes"}
        assert held.runs == [run]
    assert [each.name for each in Model("classifier", 1).get().artifacts] == ["labels", "notes", "weights"]
    assert [each.name for each in Model("other", "fixed").get().artifacts] == ["report"]
    assert Model("other", "fixed").get().runs == [first, second]

    @pipeline(model=Model("classifier", "production"))
    def again() -> None:
        train()

    with pytest.raises(ModelNotFound, match="has no version in stage 'production'"):
        again()
    with pytest.raises(InvalidValue, match="model is a Model"):
        training.with_options(model="classifier")  # type: ignore[arg-type]
