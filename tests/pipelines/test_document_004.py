"""The code of document 004 (manage artifacts) that needs pipelines runs as it stands there."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pandas as pd
import pytest

from artfs import save_artifact
from artfs.client import Client
from artfs.enums import ArtifactType
from support import document_004, programs
from support.documents import Document


def test_004_names_and_automatic_versions(tmp_path: Path) -> None:
    script = document_004.GIVE_NAMES.replace("zenml", "artfs")
    programs.run(tmp_path, script)
    assert Client().get_artifact_version("iris_dataset", "1").load().shape == (150, 5)
    programs.run(tmp_path, script.replace("@step", "@step(enable_cache=False)"))
    assert Client().get_artifact("iris_dataset").latest_version_name == "2"


def test_004_a_chosen_version(document: Document) -> None:
    document(
        document_004.CHOOSE_VERSION.replace("    ...", '    return pd.DataFrame({"a": [1]})'),
        """
@pipeline
def release():
    training_data_loader()
""",
    ).release()
    assert Client().get_artifact_version("iris_dataset", "raw_2023").load()["a"][0] == 1


@pytest.mark.parametrize(
    ("approach", "metadata", "tags"),
    [
        (0, {"metadata_key"}, ["tag_name"]),
        (1, {"metadata_key"}, ["tag_name"]),
        (2, {"metadata_key", "metadata_key2"}, ["tag_name", "tag_name2"]),
    ],
)
def test_004_metadata_and_tags(document: Document, approach: int, metadata: set[str], tags: list[str]) -> None:
    imports, *approaches = document_004.METADATA_AND_TAGS.split("@step\n")
    document(
        imports,
        "@step\n" + approaches[approach],
        """
@pipeline
def annotating():
    annotation_approach()
""",
    ).annotating()
    version = Client().get_artifact_version("artifact_name")
    assert metadata <= version.run_metadata.keys()
    assert version.run_metadata["metadata_key"].value == "metadata_value"
    assert version.tags == tags


def test_004_a_type_for_an_output(document: Document) -> None:
    run = document(
        "class MyCustomModel:\n    def __init__(self, *_): ...\nmodel = MyCustomModel()\n",
        document_004.TYPE.replace("model = ...", ""),
        """
@pipeline
def training():
    trainer()
""",
    ).training()
    assert run.steps["trainer"].output.type is ArtifactType.MODEL
    assert Client().get_artifact_version("model").type is ArtifactType.MODEL


def test_004_external_artifacts(tmp_path: Path) -> None:
    script = document_004.EXTERNAL.replace("zenml", "artfs")
    assert programs.run(tmp_path, script) == "[0]\n"
    assert programs.run(tmp_path, script) == "[0]\n"  # never cached
    run = Client().get_pipeline_run("printing_pipeline/latest")
    assert run.steps["print_data"].inputs["data"].save_type.value == "external"


def test_004_artifacts_of_other_pipelines(document: Document) -> None:
    older = save_artifact(pd.DataFrame({"a": [1]}), name="iris_dataset")
    save_artifact(pd.DataFrame({"a": [3]}), name="iris_dataset")
    chosen = save_artifact(pd.DataFrame({"a": [2]}), name="iris_dataset", version="raw_2023")
    names = document(document_004.FROM_OTHERS.replace("3a92ae32-a764-4420-98ba-07da8f742b76", str(older.id)))
    run = names.training_pipeline()
    assert run.steps["trainer"].inputs["dataset"] == chosen
    assert isinstance(older.id, UUID)


def test_004_metadata_logged_within_a_step(document: Document) -> None:
    from sklearn.svm import SVC

    save_artifact(SVC(), name="my_model")
    document(
        "from sklearn.base import ClassifierMixin\nfrom artfs.client import Client\n",
        document_004.LOG_METADATA,
        """
@step
def load() -> Annotated[Tuple[np.ndarray, np.ndarray], "data"]:
    return np.array([[0.0], [1.0]]), np.array([0, 1])
@pipeline
def finetuning():
    model_finetuner_step(Client().get_artifact_version("my_model"), load())
""",
    ).finetuning()
    assert Client().get_artifact_version("my_model", "2").run_metadata["accuracy"].value == 1.0
    assert "accuracy" not in Client().get_artifact_version("my_model", "1").run_metadata


def test_004_the_complete_script(tmp_path: Path) -> None:
    programs.run(tmp_path, document_004.CODE_EXAMPLE.replace("zenml", "artfs"))
    client = Client()
    models = {version.version: version for version in client.get_artifact("my_model").versions}
    assert list(models) == ["1", "2", "3"]
    assert [version.version for version in client.get_artifact("my_dataset").versions] == ["1"]
    dataset = client.get_artifact_version("my_dataset")
    assert dataset.tags == ["classification", "computer vision", "digits"]
    assert models["1"].tags == ["SVC", "untrained"]
    for number in ("2", "3"):
        assert models[number].tags == ["SVC", "trained"]
        assert models[number].run_metadata["accuracy"].value > 0.9

    first, second = client.list_pipeline_runs(pipeline="model_finetuning_pipeline")
    links = [
        {
            name: (
                {slot: f"{v.name}/{v.version}" for slot, v in each.inputs.items()},
                [f"{v.name}/{v.version}" for v in each.outputs.values()],
            )
            for name, each in run.steps.items()
        }
        for run in (first, second)
    ]
    assert links == [
        {
            "versioned_data_loader_step": ({}, ["my_dataset/1"]),
            "model_finetuner_step": ({"dataset": "my_dataset/1", "model": "my_model/1"}, ["my_model/2"]),
        },
        {"model_finetuner_step": ({"dataset": "my_dataset/1", "model": "my_model/2"}, ["my_model/3"])},
    ]
    assert first.steps["versioned_data_loader_step"].status == "completed"

    catalog = client.workspace.catalog
    ancestors = [catalog.versions.by_id(number) for number in catalog.lineage.ancestors(models["3"].row.id)]
    assert {f"{each.artifact}/{each.name}" for each in ancestors if each} == {
        "my_dataset/1",
        "my_model/1",
        "my_model/2",
    }


def test_004_linked_data_is_a_path_also_as_an_input(document: Document) -> None:
    """ "The artifact produced from the preexisting data will have a `pathlib.Path` type"

    Section "Linking existing data as a ZenML artifact".
    """
    run = document("""
import os
from pathlib import Path
from artfs import register_artifact
from artfs.client import Client

folder = os.path.join(Client().active_stack.artifact_store.path, "checkpoints")
os.makedirs(folder)
with open(os.path.join(folder, "last.ckpt"), "w") as file:
    file.write("weights")
register_artifact(folder, name="all_my_model_checkpoints")

@step
def look(checkpoints: Path) -> str:
    return (checkpoints / "last.ckpt").read_text()

@pipeline
def looking():
    look(Client().get_artifact_version("all_my_model_checkpoints"))
""").looking()
    assert run.steps["look"].output.load() == "weights"


def test_004_versions_saved_and_loaded_within_steps(document: Document) -> None:
    """ "It is also possible to use these functions inside your ZenML steps."

    Section "Managing artifacts not produced by ZenML pipelines".
    """
    save_artifact([1, 2], name="iris_predictions")
    run = document("""
from artfs import load_artifact, save_artifact

@step
def predict() -> None:
    save_artifact(sum(load_artifact("iris_predictions")), name="total")

@pipeline
def predicting():
    predict()
""").predicting()
    predicted = run.steps["predict"]
    assert [str(each.name) for each in predicted.inputs.values()] == ["iris_predictions"]
    assert predicted.outputs["total"].load() == 3
    assert predicted.outputs["total"].run == run
