"""The code of document 001 (artifact stores) runs as it stands there.

Only `zenml` is replaced by `artfs`, and `Repository`, which is outdated, by `Client`.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from artfs.client import Client
from artfs.workspace.registration import register_store
from artfs.workspace.stacks import activate_stack, register_stack

# Section "The Artifact Store API".

ROOT_PATH_AS_A_BASE = """
import os
from zenml.repository import Repository
from zenml.io import fileio

root_path = Repository().active_stack.artifact_store.path

artifact_contents = "example artifact"
artifact_path = os.path.join(root_path, "artifacts", "examples")
artifact_uri = os.path.join(artifact_path, "test.txt")
fileio.makedirs(artifact_path)
with fileio.open(artifact_uri, "w") as f:
    f.write(artifact_contents)
"""

# "creating folders, writing and reading data directly to/from an artifact store object"

WRITE_DIRECTLY = """
import os
from zenml.utils import io_utils
from zenml.io import fileio

from zenml.repository import Repository

root_path = Repository().active_stack.artifact_store.path

artifact_contents = "example artifact"
artifact_path = os.path.join(root_path, "artifacts", "examples")
artifact_uri = os.path.join(artifact_path, "test.txt")
fileio.makedirs(artifact_path)
io_utils.write_file_contents_as_string(artifact_uri, artifact_contents)
"""

READ_DIRECTLY = """
import os
from zenml.utils import io_utils

from zenml.repository import Repository

root_path = Repository().active_stack.artifact_store.path

artifact_path = os.path.join(root_path, "artifacts", "examples")
artifact_uri = os.path.join(artifact_path, "test.txt")
artifact_contents = io_utils.read_file_contents_as_string(artifact_uri)
"""

# "using a temporary local file/folder to serialize and copy in-memory objects to/from the artifact store"

SERIALIZE_THROUGH_A_TEMPORARY_FILE = """
import os
import tempfile
import external_lib

root_path = Repository().active_stack.artifact_store.path

artifact_path = os.path.join(root_path, "artifacts", "examples")
artifact_uri = os.path.join(artifact_path, "test.json")
fileio.makedirs(artifact_path)

with tempfile.NamedTemporaryFile(
    mode="w", suffix=".json", delete=True
) as f:
    external_lib.external_object.save_to_file(f.name)
    # Copy it into artifact store
    fileio.copy(f.name, artifact_uri)
"""

LOAD_THROUGH_A_TEMPORARY_FILE = """
import os
import tempfile
import external_lib

root_path = Repository().active_stack.artifact_store.path

artifact_path = os.path.join(root_path, "artifacts", "examples")
artifact_uri = os.path.join(artifact_path, "test.json")

with tempfile.NamedTemporaryFile(
    mode="w", suffix=".json", delete=True
) as f:
    # Copy the serialized object from the artifact store
    fileio.copy(artifact_uri, f.name)
    external_lib.external_object.load_from_file(f.name)
"""

Run = Callable[..., dict[str, object]]


class ExternalObject:
    """What the document calls `external_lib.external_object`: it can only write to and read from local files."""

    def __init__(self) -> None:
        self.content: object = {"a": 1}

    def save_to_file(self, path: str) -> None:
        Path(path).write_text(json.dumps(self.content))

    def load_from_file(self, path: str) -> None:
        self.content = json.loads(Path(path).read_text())


@pytest.fixture
def external_object(monkeypatch: pytest.MonkeyPatch) -> ExternalObject:
    library = ModuleType("external_lib")
    made = library.__dict__["external_object"] = ExternalObject()
    monkeypatch.setitem(sys.modules, "external_lib", library)
    return made


@pytest.fixture(params=["the default store", "another store"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """Runs pieces of code one after the other, as in one file."""
    if request.param == "another store":
        workspace = Client().workspace
        register_store(workspace, "disk", "local", str(tmp_path / "disk"))
        register_stack(workspace, "on disk", "disk")
        activate_stack(workspace, "on disk")

    def execute(*codes: str) -> dict[str, object]:
        names: dict[str, object] = {}
        for code in codes:
            here = code.replace("zenml.repository", "artfs.client").replace("zenml", "artfs")
            exec(textwrap.dedent(here).replace("Repository", "Client"), names)
        return names

    return execute


def stored(path: str) -> Path:
    return Path(Client().active_stack.artifact_store.path) / "artifacts" / "examples" / path


def test_the_root_path_as_a_base_for_uris(run: Run) -> None:
    run(ROOT_PATH_AS_A_BASE)
    assert stored("test.txt").read_text() == "example artifact"


def test_writing_and_reading_directly(run: Run) -> None:
    run(WRITE_DIRECTLY)
    assert run(READ_DIRECTLY)["artifact_contents"] == "example artifact"


def test_temporary_files(run: Run, external_object: ExternalObject) -> None:
    names = run(WRITE_DIRECTLY, SERIALIZE_THROUGH_A_TEMPORARY_FILE)
    assert json.loads(stored("test.json").read_text()) == {"a": 1}
    external_object.content = None
    run(WRITE_DIRECTLY, LOAD_THROUGH_A_TEMPORARY_FILE)
    assert external_object.content == {"a": 1}
    assert not Path(names["f"].name).exists()  # type: ignore[attr-defined]
