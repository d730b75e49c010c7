"""The code of documents 002 (artifacts) and 004 (manage artifacts) that needs pipelines runs as it stands there, and
what 000 (artifact stores) and 003 (how data is stored) say of steps, caching and lineage holds.

`zenml` is replaced by `artfs` in the imports. What the documents leave out (`...`, "implement split logic") stands in a
prelude here, or is put where they leave it out.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from uuid import UUID

import numpy as np
import pandas as pd
import pytest

from artfs import load_artifact, save_artifact
from artfs.client import Client
from artfs.enums import ArtifactType
from support import document_002, document_004, programs

PRELUDE = """
import numpy as np
import pandas as pd
import sklearn.linear_model
from sklearn.linear_model import LinearRegression
from typing import Annotated, Tuple
from artfs import ArtifactConfig, pipeline, step
"""


Document = Callable[..., ModuleType]


@pytest.fixture
def document(tmp_path: Path) -> Document:
    """Makes a module of pieces of a document, in which they find what the document has said before."""
    numbers = itertools.count()

    def load(*pieces: str) -> ModuleType:
        return programs.module(
            tmp_path, f"document_{next(numbers)}", "".join((PRELUDE, *pieces)).replace("zenml", "artfs")
        )

    return load


SIMPLE = document_002.CREATE + document_002.CONSUME


# Document 002, "Artifacts".


def test_002_creating_and_consuming_artifacts(document: Document) -> None:
    run = document(SIMPLE).simple_pipeline()
    processed = run.steps["process_data"]
    assert processed.inputs["df"] == run.steps["create_data"].output
    assert list(processed.output.load()["feature_3"]) == [4, 10, 18]
    assert "feature_3" not in run.steps["create_data"].output.load()


def test_002_artifacts_and_parameters(document: Document) -> None:
    run = document(
        SIMPLE,
        """
class Model:
    def __init__(self, rate): self.rate = rate
    def fit(self, data): self.rows = len(data)
create_model = Model
""",
        document_002.PARAMETERS,
    ).training_pipeline()
    trained = run.steps["train_model"]
    assert trained.parameters == {"learning_rate": 0.01}
    assert list(trained.inputs) == ["data"]
    assert trained.output.load().rows == 3


def test_002_accessing_artifacts_after_pipeline_runs(document: Document, capsys: pytest.CaptureFixture[str]) -> None:
    run = document(
        document_002.NAMING,
        """
@step
def load() -> pd.DataFrame:
    return pd.DataFrame({"a": range(10)})
@pipeline
def splitting():
    split_dataset.with_options(name="split_data")(load())
""",
    ).splitting()
    names = document(document_002.AFTER_A_RUN.replace("<PIPELINE_RUN_ID>", str(run.id)))
    assert isinstance(names.train_data, pd.DataFrame)
    assert capsys.readouterr().out == "(8, 1)\n"


def test_002_type_annotations(document: Document) -> None:
    run = document(
        SIMPLE,
        document_002.ANNOTATIONS,
        """
@pipeline
def splitting():
    split_data(preprocess_data(create_data()))
""",
    ).splitting()
    assert isinstance(run.steps["preprocess_data"].output.load(), np.ndarray)
    outputs = run.steps["split_data"].outputs
    assert {slot: len(version.load()) for slot, version in outputs.items()} == {"output_0": 1, "output_1": 2}


def test_002_returning_multiple_outputs(document: Document) -> None:
    run = document(
        document_002.MULTIPLE_OUTPUTS,
        """
@step
def load() -> Tuple[np.ndarray, np.ndarray]:
    return np.zeros((100, 2)), np.ones(100)
@pipeline
def splitting():
    data, target = load()
    X_train, X_test, y_train, y_test = split_data(data, target)
""",
    ).splitting()
    lengths = {slot: len(version.load()) for slot, version in run.steps["split_data"].outputs.items()}
    assert lengths == {"X_train": 80, "X_test": 20, "y_train": 80, "y_test": 20}
    assert len(load_artifact("y_test")) == 20


def test_002_dynamic_names(document: Document) -> None:
    document(
        document_002.PLACEHOLDERS.replace("    # Implementation...", '    data = pd.DataFrame({"source": [source]})')
    ).data_pipeline()
    assert load_artifact("train_data")["source"][0] == "train_source"
    assert load_artifact("test_data")["source"][0] == "test_source"


def test_002_a_model_is_kept_by_its_own_materializer(document: Document) -> None:
    run = document(
        document_002.MATERIALIZERS,
        """
@step
def load() -> Tuple[np.ndarray, np.ndarray]:
    return np.arange(8).reshape(4, 2), np.arange(4)
@pipeline
def training():
    train_model(*load())
""",
    ).training()
    version = run.steps["train_model"].output
    assert "sklearn" in str(version.materializer)
    assert version.type is ArtifactType.MODEL
    assert version.load().predict([[0, 1]]).shape == (1,)


def test_002_caching(document: Document) -> None:
    names = document(SIMPLE, document_002.CACHED)
    first, second = names.cached_pipeline(), names.cached_pipeline()
    assert [str(each.status) for each in first.steps.values()] == ["completed", "completed"]
    assert [str(each.status) for each in second.steps.values()] == ["cached", "cached"]
    assert second.steps["process_data"].output == first.steps["process_data"].output


def test_002_accessing_artifacts_within_steps(document: Document) -> None:
    from sklearn.linear_model import LinearRegression

    x, y = np.arange(8).reshape(4, 2), np.arange(4)
    save_artifact(LinearRegression().fit(x, y), name="best_model")
    run = document(
        document_002.WITHIN_A_STEP,
        """
@step
def load() -> np.ndarray:
    return np.arange(8).reshape(4, 2)
@step
def train(x: np.ndarray) -> LinearRegression:
    return LinearRegression().fit(x, [0, 1, 2, 3])
@pipeline
def evaluation():
    x = load()
    evaluate_against_previous(train(x), x, y_test=[0, 1, 2, 3])
""",
    ).evaluation()
    evaluated = run.steps["evaluate_against_previous"]
    assert evaluated.output.load() == pytest.approx(0)
    assert sorted(evaluated.inputs) == ["X_test", "best_model@1", "model"]


def test_002_cross_pipeline_artifact_usage(document: Document) -> None:
    from sklearn.linear_model import LinearRegression

    save_artifact(LinearRegression().fit(pd.DataFrame({"a": [0, 1]}), [0, 1]), name="trained_model")
    run = document(
        """
@step
def load_data() -> pd.DataFrame:
    return pd.DataFrame({"a": [1, 2]})
""",
        document_002.CROSS_PIPELINE,
    ).inference_pipeline()
    used = run.steps["use_trained_model"]
    assert used.inputs["model"].name == "trained_model"
    assert list(used.output.load()) == pytest.approx([1, 2])


# Documents 000, "Artifact Stores", and 003, "How ZenML stores your data".


def test_000_inputs_and_outputs_of_any_step_are_artifacts(document: Document, home: Path) -> None:
    """ "The inputs and outputs which go through any step are treated as artifacts", loaded "from previous executions".

    Sections "Overview" and "How Artifacts Work".
    """
    names = document(SIMPLE)
    names.simple_pipeline()
    run = names.simple_pipeline()
    version = run.steps["process_data"].inputs["df"]
    assert Path(version.uri).is_relative_to(home / "store")
    assert version.load().equals(Client().get_artifact_version(version.id).load())
    assert [each.name for each in version.lineage.consumers] == ["process_data"] * 2


def test_000_and_003_lineage_leads_back_to_the_origin(document: Document) -> None:
    """ "Trace an artifact back to its origins and understand the exact sequence of executions that led to its creation"

    003, section "Artifact Creation and Caching"; 000, section "Artifact Lineage".
    """
    run = document(SIMPLE).simple_pipeline()
    created, processed = (run.steps[name].output for name in ("create_data", "process_data"))
    assert processed.lineage.ancestors() == [created]
    assert created.lineage.descendants() == [processed]
    steps = [version.lineage.producer for version in (created, processed)]
    assert [each.name for each in steps if each] == ["create_data", "process_data"]
    assert [version.lineage.run for version in (created, processed)] == [run, run]


@pytest.mark.parametrize(
    ("what", "old", "new"),
    [
        ("inputs", "[1, 2, 3]", "[1, 2, 4]"),
        ("outputs", "(df: pd.DataFrame) -> pd.DataFrame", '(df: pd.DataFrame) -> Annotated[pd.DataFrame, "named"]'),
        ("parameters", "process_data(data)", "process_data.with_options(parameters={'factor': 2})(data)"),
        ("configuration", "process_data(data)", "process_data.with_options(enable_cache=False)(data)"),
    ],
)
def test_003_a_change_of_inputs_outputs_parameters_or_configuration_is_found(
    tmp_path: Path, what: str, old: str, new: str
) -> None:
    """ "The system first checks if there have been any changes in the inputs, outputs, parameters, or configuration."

    Section "Artifact Creation and Caching".
    """
    code = PRELUDE + SIMPLE.replace("zenml", "artfs")
    if what == "parameters":
        code = code.replace("(df: pd.DataFrame)", "(df: pd.DataFrame, factor: int = 1)")

    def status(text: str) -> str:
        run = programs.module(tmp_path, "changing_document", text).simple_pipeline()
        return str(run.steps["process_data"].status)

    assert [status(code), status(code)] == ["completed", "cached"]
    assert code.count(old) == 1
    assert status(code.replace(old, new)) == "completed"


def test_003_each_new_output_has_a_directory_of_its_own(document: Document) -> None:
    """ "Creates a new directory structure in the Artifact Store with a unique ID".

    Section "Artifact Creation and Caching".
    """
    runs = [document(code).simple_pipeline() for code in (SIMPLE, SIMPLE.replace("[1, 2, 3]", "[1, 2, 4]"))]
    assert len({run.steps[name].output.uri for run in runs for name in run.steps}) == 4


# Document 004, "Manage artifacts".


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
