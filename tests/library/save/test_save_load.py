"""What is saved comes back as it was, or not at all."""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
from collections import OrderedDict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from artfs import load_artifact, save_artifact
from artfs.client import Client
from artfs.enums import ArtifactSaveType, ArtifactType, VisualizationType
from artfs.errors import (
    ArtifactNotFound,
    InvalidName,
    InvalidValue,
    MaterializerError,
    UntrustedPickle,
    VersionExists,
    VersionNotFound,
)
from artfs.materializers import BaseMaterializer, CloudpickleMaterializer
from artfs.workspace.workspace import Workspace
from support.stores import files_in_store


class Opaque:
    """Something that only a pickle can keep."""

    def __init__(self, value: int) -> None:
        self.value = value


def test_a_value_comes_back_as_it_was() -> None:
    value = {
        "lr": 0.1,
        "layers": (64, 32),
        "names": OrderedDict(b=1, a=2),
        3: None,
        "at": datetime(2024, 5, 1, tzinfo=UTC),
    }
    save_artifact(value, name="settings")
    loaded = load_artifact("settings")
    assert loaded == value
    assert type(loaded["names"]) is OrderedDict
    assert type(loaded["layers"]) is tuple


@pytest.mark.parametrize("value", [None, True, 7, 0.1, "text", b"bytes", [1, (2, 3)], {"a": {1, 2}}])
def test_plain_values_keep_their_type(value: object) -> None:
    save_artifact(value, name="plain")
    loaded = load_artifact("plain")
    assert loaded == value
    assert type(loaded) is type(value)


def test_the_newest_version_is_loaded_unless_another_is_named() -> None:
    for number in range(3):
        save_artifact(number, name="n")
    assert load_artifact("n") == 2
    assert load_artifact("n", version="1") == 0
    assert load_artifact("n", 2) == 1
    assert load_artifact("n", "latest") == 2


def test_a_version_says_how_it_came_to_be() -> None:
    version = save_artifact(
        [1], name="n", tags=["raw", "raw"], metadata={"accuracy": 0.5}, artifact_type=ArtifactType.MODEL
    )
    assert (version.name, version.version, version.type) == ("n", "1", ArtifactType.MODEL)
    assert version.save_type is ArtifactSaveType.MANUAL
    assert version.tags == ["raw"]
    assert version.run_metadata["accuracy"].value == 0.5
    assert version.data_type == "builtins.list"
    assert version.materializer == "artfs.materializers.containers.ContainerMaterializer"
    assert version.digest.startswith("b3:")


def test_a_large_array_is_mapped_and_the_map_cannot_change_the_version() -> None:
    array = np.arange(1_000_000, dtype=np.float64)
    save_artifact(array, name="array")
    loaded = load_artifact("array")
    assert isinstance(loaded, np.memmap)
    loaded[0] = -1
    np.testing.assert_array_equal(load_artifact("array"), array)


def test_equal_values_are_stored_once(home: Path) -> None:
    first = save_artifact({"a": 1}, name="one")
    before = files_in_store(home)
    second = save_artifact({"a": 1}, name="two")
    assert files_in_store(home) == before
    assert second.digest == first.digest
    assert load_artifact("two") == {"a": 1}
    assert load_artifact("one") == {"a": 1}


def test_nothing_but_the_files_of_versions_is_left_in_the_store(home: Path) -> None:
    save_artifact({"a": 1, "b": np.zeros(3)}, name="mixed")
    assert [path.name for path in files_in_store(home)].count("data.json") == 1
    with Workspace.open(home) as workspace:
        from artfs.artifacts.orphans import orphans

        assert list(orphans(workspace.stores.active, workspace.catalog)) == []


class Failing(BaseMaterializer):
    SKIP_REGISTRATION = True
    ASSOCIATED_TYPES: ClassVar[tuple[type | str, ...]] = (int,)

    def save(self, data: Any) -> None:
        Path(self.uri, "half").write_text("half")
        raise RuntimeError("the disk of the test is full")

    def load(self, data_type: type[Any]) -> Any:
        raise AssertionError


def test_a_failed_save_leaves_nothing(home: Path) -> None:
    with pytest.raises(RuntimeError, match="the disk of the test is full"):
        save_artifact(1, name="n", materializer=Failing)
    assert files_in_store(home) == []
    assert files_in_store(home) == []
    assert Client().list_artifacts().total == 0


def test_what_cannot_be_pickled_is_an_error_that_names_its_type(home: Path) -> None:
    with pytest.raises(MaterializerError, match="generator"):
        save_artifact((each for each in range(3)), name="n")
    assert files_in_store(home) == []


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"name": "a/b"}, InvalidName),
        ({"name": "n", "version": "latest"}, InvalidName),
        ({"name": "n", "tags": ["a/b"]}, InvalidName),
        ({"name": "n", "tags": "raw"}, InvalidValue),
        ({"name": "n", "artifact_type": "Nonsense"}, InvalidValue),
        ({"name": "n", "metadata": {"x": object()}}, InvalidValue),
        ({"name": "n", "metadata": {"": 1}}, InvalidValue),
        ({"name": "n", "materializer": int}, InvalidValue),
    ],
)
def test_wrong_arguments_are_told_before_anything_is_written(
    home: Path, arguments: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        save_artifact(1, **arguments)
    assert set(os.listdir(home / "store")) <= {".artfs"}


def test_a_name_of_a_version_is_used_once() -> None:
    save_artifact(1, name="n", version="raw")
    with pytest.raises(VersionExists, match="raw"):
        save_artifact(2, name="n", version="raw")
    assert load_artifact("n", "raw") == 1


class Strange:
    """Its materializer below fails at everything but saving."""


class StrangeMaterializer(BaseMaterializer):
    ASSOCIATED_TYPES: ClassVar[tuple[type | str, ...]] = (Strange,)

    def save(self, data: Strange) -> None:
        Path(self.uri, "strange.txt").write_text("strange")

    def load(self, data_type: type[Strange]) -> Strange:
        return data_type()

    def extract_metadata(self, data: Strange) -> dict[str, Any]:
        raise ZeroDivisionError("no metadata")

    def save_visualizations(self, data: Strange) -> dict[str, VisualizationType]:
        raise ZeroDivisionError("no picture")


@pytest.mark.expected_warnings("no metadata", "no picture")
def test_a_failed_extraction_warns_and_the_save_stands(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        version = save_artifact(Strange(), name="strange")
    assert "no metadata" in caplog.text
    assert "no picture" in caplog.text
    assert isinstance(version.load(), Strange)


class Described(Strange):
    pass


class DescribedMaterializer(StrangeMaterializer):
    ASSOCIATED_TYPES: ClassVar[tuple[type | str, ...]] = (Described,)

    def extract_metadata(self, data: Strange) -> dict[str, Any]:
        return {"good": 1, "bad": object()}

    def save_visualizations(self, data: Strange) -> dict[str, VisualizationType]:
        page = self.visualization_path("page.html")
        page.write_text("<p>strange</p>")
        return {str(page): VisualizationType.HTML}


@pytest.mark.expected_warnings("metadata 'bad'")
def test_metadata_that_cannot_be_stored_is_left_out_with_a_warning() -> None:
    metadata = save_artifact(Described(), name="d").metadata
    assert metadata["good"] == 1
    assert metadata["storage_size"] == len("strange")
    assert "bad" not in metadata


@pytest.mark.expected_warnings("metadata 'bad'")
def test_visualizations_lie_beside_the_version_and_not_in_it(tmp_path: Path) -> None:
    version = save_artifact(Described(), name="d")
    assert [(row.name, row.kind) for row in version.visualizations] == [("page.html", "html")]
    assert os.listdir(version.download_files(tmp_path / "out")) == ["strange.txt"]
    assert sorted(os.listdir(version.uri)) == [".artfs", "strange.txt"]
    assert os.listdir(Path(version.uri, ".artfs", "visualizations")) == ["page.html"]


def test_extraction_can_be_left_out() -> None:
    version = save_artifact({"a": 1}, name="n", extract_metadata=False, include_visualizations=False)
    assert version.metadata == {}
    assert list(version.visualizations) == []


def test_a_pickle_of_this_catalog_loads() -> None:
    save_artifact(Opaque(5), name="opaque")
    assert load_artifact("opaque").value == 5


def test_a_pickle_of_this_catalog_loads_in_another_process(home: Path, tmp_path: Path) -> None:
    (tmp_path / "own_types.py").write_text("class Own:\n    def __init__(self, value):\n        self.value = value\n")
    run = [sys.executable, "-c"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    save = "from artfs import save_artifact; from own_types import Own; save_artifact(Own(3), 'own')"
    load = "from artfs import load_artifact; assert load_artifact('own').value == 3"
    subprocess.run([*run, save], env=environment, check=True)
    subprocess.run([*run, load], env=environment, check=True)


def test_a_pickle_that_this_catalog_did_not_save_needs_trust(home: Path) -> None:
    version = save_artifact(Opaque(5), name="opaque")
    workspace = Client().workspace
    workspace.catalog.versions.update(version.row.id, trusted=False)
    with pytest.raises(UntrustedPickle):
        load_artifact("opaque")
    assert load_artifact("opaque", trust=True).value == 5


def test_a_registered_pickle_is_a_path_and_is_not_unpickled(tmp_path: Path) -> None:
    from artfs import register_artifact
    from artfs.artifacts.load import load

    source = tmp_path / "artifact.pkl"
    source.write_bytes(pickle.dumps({"a": 1}))
    (tmp_path / "python.json").write_text('{"python": "3.11"}')
    version = register_artifact(source, name="model")
    assert load_artifact("model").read_bytes() == source.read_bytes()
    with pytest.raises(UntrustedPickle):
        load(Client().workspace, version.row, materializer=CloudpickleMaterializer)


def test_a_path_is_kept_as_the_file_or_folder_that_it_names(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a.txt").write_text("a")
    save_artifact(folder, name="folder")
    loaded = load_artifact("folder")
    assert loaded.name == "folder"
    assert (loaded / "sub" / "a.txt").read_text() == "a"


def test_a_read_only_folder_can_be_saved(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    folder.chmod(0o555)
    save_artifact(folder, name="folder")
    assert (load_artifact("folder") / "a.txt").read_text() == "a"
    folder.chmod(0o755)


class Linking(StrangeMaterializer):
    SKIP_REGISTRATION = True
    source: ClassVar[Path]

    def save(self, data: Any) -> None:
        os.link(self.source, Path(self.uri, "strange.txt"))


@pytest.mark.parametrize("odd", ["an empty folder", "a link", "the same bytes twice", "an unreadable file", "nothing"])
def test_a_folder_of_any_shape_leaves_nothing_else_in_the_store(home: Path, tmp_path: Path, odd: str) -> None:
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "file").write_bytes(b"bytes")
    if odd == "an empty folder":
        (folder / "empty").mkdir()
    elif odd == "a link":
        (folder / "link").symlink_to("inner/file")
    elif odd == "the same bytes twice":
        (folder / "again").write_bytes(b"bytes")
    elif odd == "an unreadable file":
        if os.geteuid() != 0:
            pytest.skip("only root can save a file that may not be read")
        (folder / "closed").write_bytes(b"closed")
        (folder / "closed").chmod(0)
    for _ in range(2):
        save_artifact(folder, name="folder")
    client = Client()
    store = client.workspace.stores.active
    assert store.id is not None
    places = set(store.places())
    assert places == client.workspace.catalog.blobs.owned_paths(store.id, places)
    assert len(places) == (2 if odd == "an unreadable file" else 1)
    assert sorted(path.name for path in load_artifact("folder").rglob("*")) == sorted(
        path.name for path in folder.rglob("*")
    )


@pytest.mark.expected_warnings("no metadata", "no picture")
def test_a_file_that_has_another_name_is_copied(tmp_path: Path) -> None:
    Linking.source = tmp_path / "own.txt"
    Linking.source.write_text("before")
    save_artifact(Strange(), name="n", materializer=Linking)
    Linking.source.write_text("after!")
    assert isinstance(load_artifact("n"), Strange)
    assert Path(Client().get_artifact_version("n").uri, "strange.txt").read_text() == "before"


def test_what_does_not_exist_is_named() -> None:
    with pytest.raises(ArtifactNotFound, match="'nothing'"):
        load_artifact("nothing")
    with pytest.raises(ArtifactNotFound, match="'nothing'"):
        load_artifact("nothing", "1")
    save_artifact(1, name="n")
    with pytest.raises(VersionNotFound, match="has no version '7'"):
        load_artifact("n", 7)


def test_metadata_types_come_back(tmp_path: Path) -> None:
    metadata = {
        "none": None,
        "when": datetime(2024, 5, 1, 12, tzinfo=UTC),
        "path": tmp_path,
        "float32": np.float32(0.5),
        "int64": np.int64(2**40),
        "bool": np.bool_(True),
        "nested": {"metrics": {"accuracy": np.float64(0.5), "confusion": [[1, 2], [3, 4]]}},
        "shape": (3, 4),
        "day": np.datetime64("2024-05-01T12:00:00.000000000"),
        "long": "x" * 100_000,
    }
    found = save_artifact(1, name="n", metadata=metadata, extract_metadata=False).metadata
    expected = {
        **metadata,
        "float32": 0.5,
        "int64": 2**40,
        "bool": True,
        "day": datetime.fromisoformat("2024-05-01T12"),
    }
    expected["nested"] = {"metrics": {"accuracy": 0.5, "confusion": [[1, 2], [3, 4]]}}
    assert found == expected
    assert type(found["path"]) is type(tmp_path)
    assert type(found["bool"]) is bool


def test_importing_artfs_loads_nothing_heavy() -> None:
    code = (
        "import sys, artfs; heavy = {'numpy', 'pandas', 'torch', 'sqlite_utils', 'fsspec', 'pydantic', 'cloudpickle'}; "
        "found = heavy & set(sys.modules); assert not found, found; "
        "artfs.save_artifact({'a': 1}, 'n'); assert artfs.load_artifact('n') == {'a': 1}; "
        "found = {'numpy', 'pandas', 'torch', 'fsspec', 's3fs'} & set(sys.modules); assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
