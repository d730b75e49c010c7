"""The code of document 002 (artifacts) that needs pipelines runs as it stands there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from artfs import load_artifact, save_artifact
from artfs.enums import ArtifactType
from support import document_002
from support.documents import SIMPLE, Document


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
