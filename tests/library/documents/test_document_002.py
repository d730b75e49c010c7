"""The code of document 002 (artifacts) runs as it stands there, with `zenml` replaced by `artfs`.

Here is what needs no pipeline: "Accessing Artifacts from Previous Runs", "Visualizing Artifacts" and "Registering
Existing Data as Artifacts".
"""

from __future__ import annotations

import sys
import types
import webbrowser
from pathlib import Path
from typing import Any

import pytest

from artfs import save_artifact
from artfs.client import Client

# Section "Accessing Artifacts from Previous Runs".

LOAD_BY_NAME_AND_VERSION = """
from zenml.client import Client

# Get a specific artifact version
artifact = Client().get_artifact_version("my_model", "1.0")

# Get the latest version of an artifact
latest_artifact = Client().get_artifact_version("my_model")

# Load it into memory
model = latest_artifact.load()
"""

# Section "Visualizing Artifacts".

VISUALIZE = """
# You can also view visualizations in notebooks
from zenml.client import Client

artifact = Client().get_artifact_version("<ARTIFACT_NAME>")
artifact.visualize()
"""

# Section "Register an Existing Folder".

REGISTER_A_FOLDER = """
from zenml.client import Client
from zenml import register_artifact
import os
from pathlib import Path

# Path to an existing folder in your artifact store
prefix = Client().active_stack.artifact_store.path
existing_folder = os.path.join(prefix, "my_folder")

# Register it as a ZenML artifact
register_artifact(
    folder_or_file_uri=existing_folder,
    name="my_folder_artifact"
)

# Later, load the artifact
folder_path = Client().get_artifact_version("my_folder_artifact").load()
assert isinstance(folder_path, Path)
assert os.path.isdir(folder_path)
"""

# Section "Register an Existing File".

REGISTER_A_FILE = """
from zenml.client import Client
from zenml import register_artifact
import os
from pathlib import Path

# Path to an existing file in your artifact store
prefix = Client().active_stack.artifact_store.path
existing_file = os.path.join(prefix, "my_folder/model.pkl")

# Register it as a ZenML artifact
register_artifact(
    folder_or_file_uri=existing_file,
    name="my_model_artifact"
)

# Later, load the artifact
file_path = Client().get_artifact_version("my_model_artifact").load()
assert isinstance(file_path, Path)
assert not os.path.isdir(file_path)
"""

# Section "Register Framework Checkpoints".

REGISTER_CHECKPOINTS = """
import os
from uuid import uuid4
from zenml.client import Client
from zenml import register_artifact
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ModelCheckpoint

# Define checkpoint location in your artifact store
prefix = Client().active_stack.artifact_store.path
checkpoint_dir = os.path.join(prefix, uuid4().hex)

# Configure PyTorch Lightning trainer with checkpointing
model = YourLightningModel()
trainer = Trainer(
    default_root_dir=checkpoint_dir,
    callbacks=[
        ModelCheckpoint(
            every_n_epochs=1,
            save_top_k=-1,  # Keep all checkpoints
            filename="checkpoint-{epoch:02d}"
        )
    ],
)

# Train the model
trainer.fit(model)

# Register all checkpoints as a ZenML artifact
register_artifact(
    folder_or_file_uri=checkpoint_dir,
    name="lightning_checkpoints"
)

# Later, you can load the checkpoint folder
checkpoint_path = Client().get_artifact_version("lightning_checkpoints").load()
"""


def run(code: str, **names: Any) -> dict[str, Any]:
    exec(code.replace("zenml", "artfs"), names)
    return names


@pytest.fixture
def existing_folder() -> Path:
    """A folder with a model in the active artifact store."""
    folder = Path(Client().active_stack.artifact_store.path) / "my_folder"
    folder.mkdir()
    (folder / "model.pkl").write_bytes(b"a model")
    return folder


def test_a_version_is_fetched_by_name_and_version() -> None:
    save_artifact([1], name="my_model", version="1.0")
    save_artifact([2], name="my_model")
    names = run(LOAD_BY_NAME_AND_VERSION)
    assert names["artifact"].version == "1.0"
    assert names["model"] == [2]


def test_an_artifact_is_visualized(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    save_artifact({"a": 1}, name="<ARTIFACT_NAME>")
    run(VISUALIZE)
    assert len(opened) == 1


def test_a_folder_is_registered(existing_folder: Path) -> None:
    folder_path = run(REGISTER_A_FOLDER)["folder_path"]
    assert (folder_path / "model.pkl").read_bytes() == b"a model"


def test_a_file_is_registered(existing_folder: Path) -> None:
    assert run(REGISTER_A_FILE)["file_path"].read_bytes() == b"a model"


class Trainer:
    """As much of Lightning's Trainer as the document uses: it writes two checkpoints where Lightning would."""

    def __init__(self, default_root_dir: str, callbacks: list[Any]) -> None:
        self.directory = Path(default_root_dir) / "lightning_logs" / "version_0" / "checkpoints"

    def fit(self, model: object) -> None:
        self.directory.mkdir(parents=True)
        for epoch in range(2):
            (self.directory / f"checkpoint-epoch={epoch:02d}.ckpt").write_bytes(bytes([epoch]))


def test_checkpoints_are_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    lightning, callbacks = types.ModuleType("pytorch_lightning"), types.ModuleType("pytorch_lightning.callbacks")
    lightning.Trainer = Trainer  # type: ignore[attr-defined]
    callbacks.ModelCheckpoint = dict  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pytorch_lightning", lightning)
    monkeypatch.setitem(sys.modules, "pytorch_lightning.callbacks", callbacks)
    path = run(REGISTER_CHECKPOINTS, YourLightningModel=object)["checkpoint_path"]
    assert sorted(file.name for file in path.rglob("*.ckpt")) == [
        "checkpoint-epoch=00.ckpt",
        "checkpoint-epoch=01.ckpt",
    ]
