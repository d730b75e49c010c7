"""The code of document 004 (manage artifacts) runs as it stands there, with `zenml` replaced by `artfs`.

Here is what needs no pipeline; where the document has `...`, the test has a value.
"""

from __future__ import annotations

import sys
import types
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from artfs import load_artifact, save_artifact
from artfs.client import Client
from artfs.enums import ArtifactType

# Section "Specify a type for your artifacts".

ASSIGN_A_TYPE = """
from zenml import save_artifact
from zenml.enums import ArtifactType

# Assign an artifact type when manually saving artifacts
save_artifact(model, name="model", artifact_type=ArtifactType.MODEL)
"""

# Section "Consuming artifacts produced by other pipelines": within `training_pipeline`.

FETCH = """
from uuid import UUID
from zenml.client import Client

client = Client()
# Fetch by ID
dataset_artifact = client.get_artifact_version(
    name_id_or_prefix=UUID("3a92ae32-a764-4420-98ba-07da8f742b76")
)
by_id = dataset_artifact

# Fetch by name alone - uses the latest version of this artifact
dataset_artifact = client.get_artifact_version(name_id_or_prefix="iris_dataset")
by_name = dataset_artifact

# Fetch by name and version
dataset_artifact = client.get_artifact_version(
    name_id_or_prefix="iris_dataset", version="raw_2023"
)
"""

DOWNLOAD = """
from zenml.client import Client

client = Client()
artifact = client.get_artifact_version(name_id_or_prefix="iris_dataset")
artifact.download_files("path/to/save.zip")
"""

# Section "Managing artifacts not produced by ZenML pipelines".

SAVE_A_PREDICTION = """
from zenml.client import Client
from zenml import save_artifact

# Let's make a prediction
prediction = model.predict([[1, 1, 1, 1]])

# We now store this prediction in ZenML as an artifact
# This will create a new artifact version
save_artifact(prediction, name="iris_predictions")
"""

LOAD = """
from zenml import load_artifact
# Loads the latest version
loaded = load_artifact("iris_predictions")
"""

LOAD_WITH_THE_CLIENT = """
from zenml.client import Client

client = Client()
loaded = client.get_artifact("iris_predictions").load()
"""

# Section "Linking existing data as a ZenML artifact".

LINK_CHECKPOINTS = """
import os
from zenml.client import Client
from zenml import register_artifact
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from uuid import uuid4

# Define where the model data should be saved
# use active ArtifactStore
prefix = Client().active_stack.artifact_store.path
# keep data separable for future runs with uuid4 folder
default_root_dir = os.path.join(prefix, uuid4().hex)

# Define the model and fit it
model = ...
trainer = Trainer(
    default_root_dir=default_root_dir,
    callbacks=[
        ModelCheckpoint(
            every_n_epochs=1, save_top_k=-1, filename="checkpoint-{epoch:02d}"
        )
    ],
)
try:
    trainer.fit(model)
finally:
    # We now link those checkpoints in ZenML as an artifact
    # This will create a new artifact version
    register_artifact(default_root_dir, name="all_my_model_checkpoints")
"""

# Section "Logging metadata for an artifact".

FETCH_METADATA = """
from zenml.client import Client

# Get an artifact version (e.g. pd.DataFrame)
artifact = Client().get_artifact_version('50ce903f-faa6-41f6-a95f-ff8c0ec66010')

# Fetch it's metadata
storage_size = artifact.run_metadata["storage_size"].value  # Size in bytes
shape = artifact.run_metadata["shape"].value  # Shape e.g. (500,20)
"""

LOG_METADATA = """
from zenml import log_artifact_metadata

log_artifact_metadata(
    # Artifact name can be omitted if step returns only one output
    artifact_name="my_model",
    # Passing None or omitting this will use the `latest` version
    version=None,
    # Metadata should be a dictionary of JSON-serializable values
    metadata={"accuracy": float(accuracy)}
    # A dictionary of dictionaries can also be passed to group metadata
    #  in the dashboard
    # metadata = {"metrics": {"accuracy": accuracy}}
)
"""

# Section "Code example": `main`, without its two calls of the pipeline.

CODE_EXAMPLE = """
from sklearn.svm import SVC
from zenml import save_artifact, load_artifact

# Save an untrained model as first version of "my_model"
untrained_model = SVC(gamma=0.001)
save_artifact(
    untrained_model, name="my_model", version="1", tags=["SVC", "untrained"]
)

train()

# Run inference with the latest model on an older version of the dataset
latest_trained_model = load_artifact("my_model")
old_dataset = load_artifact("my_dataset", version="1")
predicted = latest_trained_model.predict(old_dataset[0])
"""


def run(code: str, **names: Any) -> dict[str, Any]:
    exec(code.replace("zenml", "artfs"), names)
    return names


def with_id(uuid: str, value: object, name: str) -> None:
    """Save a value as a version that has the id of the document."""
    saved = save_artifact(value, name=name)
    Client().workspace.catalog.engine.execute(
        "UPDATE version SET uuid = :new WHERE uuid = :old", {"new": uuid, "old": str(saved.id)}
    )


def test_a_type_is_assigned() -> None:
    run(ASSIGN_A_TYPE, model={"weights": [1.0]})
    assert Client().get_artifact_version("model").type is ArtifactType.MODEL


def test_versions_are_fetched_by_id_name_and_version() -> None:
    with_id("3a92ae32-a764-4420-98ba-07da8f742b76", [1], "iris_dataset")
    save_artifact([2], name="iris_dataset", version="raw_2023")
    save_artifact([3], name="iris_dataset")
    names = run(FETCH)
    assert names["by_id"].load() == [1]
    assert names["by_name"].load() == [3]
    assert names["dataset_artifact"].load() == [2]


def test_files_are_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_artifact({"array": np.zeros(3)}, name="iris_dataset")
    run(DOWNLOAD)
    assert "data.json" in zipfile.ZipFile("path/to/save.zip").namelist()


def test_a_prediction_is_saved_and_loaded() -> None:
    run(SAVE_A_PREDICTION, model=types.SimpleNamespace(predict=lambda rows: np.array([len(rows)])))
    assert run(LOAD)["loaded"] == run(LOAD_WITH_THE_CLIENT)["loaded"] == np.array([1])


class Trainer:
    """As much of Lightning's Trainer as the document uses: it writes a checkpoint where Lightning would, and fails."""

    def __init__(self, default_root_dir: str, callbacks: list[Any]) -> None:
        self.directory = Path(default_root_dir) / "lightning_logs" / "version_0" / "checkpoints"

    def fit(self, model: object) -> None:
        self.directory.mkdir(parents=True)
        (self.directory / "checkpoint-epoch=00.ckpt").write_bytes(b"0")
        raise KeyboardInterrupt


def test_checkpoints_are_linked_also_when_training_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    lightning, callbacks = types.ModuleType("pytorch_lightning"), types.ModuleType("pytorch_lightning.callbacks")
    lightning.Trainer = Trainer  # type: ignore[attr-defined]
    callbacks.ModelCheckpoint = dict  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pytorch_lightning", lightning)
    monkeypatch.setitem(sys.modules, "pytorch_lightning.callbacks", callbacks)
    with pytest.raises(KeyboardInterrupt):
        run(LINK_CHECKPOINTS)
    loaded = load_artifact("all_my_model_checkpoints")
    assert isinstance(loaded, Path)
    assert [file.name for file in loaded.rglob("*.ckpt")] == ["checkpoint-epoch=00.ckpt"]


def test_metadata_of_a_table_is_fetched() -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    table = pandas.DataFrame(np.zeros((500, 20)), columns=[f"column {number}" for number in range(20)])
    with_id("50ce903f-faa6-41f6-a95f-ff8c0ec66010", table, "table")
    names = run(FETCH_METADATA)
    assert names["shape"] == (500, 20)
    assert names["storage_size"] == names["artifact"].size > 0


def test_metadata_is_logged() -> None:
    save_artifact([1], name="my_model")
    run(LOG_METADATA, accuracy=np.float64(0.5))
    assert Client().get_artifact_version("my_model").run_metadata["accuracy"].value == 0.5


@pytest.mark.timeout(120)
def test_the_code_example() -> None:
    pytest.importorskip("sklearn")
    from sklearn.datasets import load_digits

    def train() -> None:
        digits = load_digits()
        dataset = (digits.images.reshape((len(digits.images), -1))[:200], digits.target[:200])
        save_artifact(dataset, name="my_dataset", tags=["digits", "computer vision", "classification"])
        model = load_artifact("my_model")
        save_artifact(model.fit(*dataset), name="my_model", tags=["SVC", "trained"])

    predicted = run(CODE_EXAMPLE, train=train)["predicted"]
    assert len(predicted) == 200
    assert Client().get_artifact_version("my_model", "@trained").version == "2"
