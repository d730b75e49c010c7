"""Where tools of this kind are known to lose data or to mislead, artfs does the safe thing: each case by its name.

What is behind each is tested beside the module that does it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter, OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest

from artfs import load_artifact, log_artifact_metadata, pipeline, register_artifact, save_artifact, step
from artfs.client import Client
from artfs.errors import DigestMismatch, InvalidValue, MaterializerError, OutsideStore, PlaceChanged, SourceNotFound
from artfs.io import fileio
from support.round_trip import identical
from support.stores import stored_files

pytestmark = pytest.mark.usefixtures("home")


@step
def read(data: Any) -> Annotated[int, "length"]:
    return len(data)


@pipeline
def reading(version: str) -> None:
    read(Client().get_artifact_version("numbers", version))


def test_a_version_that_a_run_uses_is_not_deleted_and_keeps_its_bytes() -> None:
    save_artifact([1, 2], "numbers")
    save_artifact([1, 2, 3], "numbers")
    reading("1")
    with pytest.raises(InvalidValue, match="numbers/1 is used by a run"):
        Client().delete_artifact_version("numbers", "1")
    assert load_artifact("numbers", "1") == [1, 2]


def test_a_prune_keeps_what_was_saved_by_hand_last_and_the_folder_that_was_registered(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "precious").write_text("x")
    for _ in range(2):
        register_artifact(tmp_path / "data", "folder")
        save_artifact(_, "by hand")
    plan = Client().plan_prune()
    assert all(each.reason for each in plan.decisions)
    assert [each.version.artifact for each in plan.removed] == ["by hand", "folder"]
    Client().prune_artifacts(keep_last=0)
    assert Client().list_artifact_versions().total == 0
    assert (tmp_path / "data" / "precious").read_text() == "x"


def test_a_folder_beside_the_store_whose_name_begins_like_it_is_outside(home: Path) -> None:
    root = Client().active_stack.artifact_store.path
    beside = Path(f"{root}-evil")
    beside.mkdir()
    (beside / "secret").write_text("secret")
    os.symlink(beside, Path(root, "link"))
    for path in (f"{root}/../{beside.name}/secret", f"{root}/link/secret"):
        with pytest.raises(OutsideStore):
            fileio.open(path)


def test_sub_folders_and_single_files_are_downloaded(tmp_path: Path) -> None:
    (tmp_path / "data" / "deep" / "er").mkdir(parents=True)
    (tmp_path / "data" / "deep" / "er" / "file").write_text("x")
    save_artifact(tmp_path / "data", "folder")
    save_artifact(tmp_path / "data" / "deep" / "er" / "file", "single")
    for name, inside in (("folder", "data/deep/er/file"), ("single", "file")):
        version = Client().get_artifact_version(name)
        assert (version.download_files(tmp_path / name) / inside).read_text() == "x"
        assert version.download_files(tmp_path / f"{name}.zip").is_file()


def test_a_table_keeps_texts_that_look_like_numbers_and_its_times() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"id": ["007", "1e5"], "when": [datetime(2024, 1, 1, tzinfo=UTC)] * 2})
    save_artifact(frame, "table")
    pandas.testing.assert_frame_equal(load_artifact("table"), frame, check_exact=True)


@pytest.mark.parametrize(
    ("module", "value"),
    [
        ("numpy", "numpy.arange(3)"),
        ("pandas", "pandas.DataFrame({'a': [1]})"),
        ("polars", "polars.DataFrame({'a': [1]})"),
        ("scipy.sparse", "scipy.sparse.eye_array(3)"),
    ],
)
def test_a_type_of_a_library_is_not_pickled_in_a_process_that_did_nothing_before(module: str, value: str) -> None:
    pytest.importorskip(module)
    code = f"import {module}; from artfs import save_artifact; save_artifact({value}, 'value')"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert (
        Client()
        .get_artifact_version("value")
        .row.materializer.startswith(f"artfs.materializers.{module.split('.')[0]}")
    )


def test_all_versions_of_an_artifact_are_listed_and_not_a_first_page() -> None:
    for number in range(50):
        save_artifact(number, "many")
    artifact = Client().get_artifact("many")
    assert sorted(int(each.version) for each in artifact.versions) == list(range(1, 51))


def test_a_filter_with_or_returns_no_rows_of_other_artifacts() -> None:
    save_artifact(1, "mine", tags=["a"])
    save_artifact(2, "mine")
    save_artifact(3, "other", tags=["a"])
    found = Client().list_artifact_versions(artifact="mine", tag="a", version="2", logical_operator="or")
    assert sorted(f"{each.name}/{each.version}" for each in found) == ["mine/1", "mine/2"]


def test_a_failed_save_leaves_no_bytes_and_equal_data_is_stored_once() -> None:
    def stored() -> list[str]:
        root = Path(Client().active_stack.artifact_store.path)
        return list(map(str, stored_files(root)))

    with pytest.raises(MaterializerError):
        save_artifact([np.zeros(1000), (number for number in [1])], "half")
    assert stored() == []
    save_artifact(np.zeros(1000), "one")
    once = stored()
    save_artifact(np.zeros(1000), "two")
    assert [path for path in stored() if path.endswith(".npy")] == [path for path in once if path.endswith(".npy")]


def test_what_is_registered_has_to_be_there_is_measured_and_an_edit_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match="nothing is there"):
        register_artifact(tmp_path / "none", "set")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "file").write_bytes(b"before")
    version = register_artifact(tmp_path / "set", "set")
    assert (version.row.files, version.row.bytes) == (1, 6)
    (tmp_path / "set" / "file").write_bytes(b"edited")
    with pytest.raises(PlaceChanged, match="file' was changed"):
        version.download_files(tmp_path / "out")


@pytest.mark.parametrize("value", [{"a": 1}, np.arange(3), b"bytes", "text"])
def test_a_changed_byte_is_noticed_whatever_the_type(value: Any) -> None:
    saved = save_artifact(value, "value")
    (file,) = (each for each in Path(saved.uri).iterdir() if each.is_file())
    file.chmod(0o600)
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DigestMismatch, match=file.name):
        load_artifact("value")


def test_a_step_whose_output_is_gone_runs_again_instead_of_coming_from_the_cache() -> None:
    save_artifact([1, 2], "numbers")
    assert [reading("1").steps["read"].status.value for _ in range(2)] == ["completed", "cached"]
    Client().delete_artifact_version("length", force=True)
    assert reading("1").steps["read"].status.value == "completed"
    assert load_artifact("length") == 2


def test_a_number_is_not_used_again_after_the_newest_version_was_deleted() -> None:
    save_artifact(1, "counted")
    save_artifact(2, "counted")
    Client().delete_artifact_version("counted", "2")
    assert save_artifact(3, "counted").version == "3"


def test_metadata_of_any_usual_type_and_length_is_kept(tmp_path: Path) -> None:
    given = {
        "none": None,
        "when": datetime(2024, 1, 1, tzinfo=UTC),
        "where": tmp_path,
        "score": np.float32(0.5),
        "long": "x" * 1_000_000,
        "deep": {"a": [{"b": (1, None)}]},
    }
    save_artifact(1, "described", metadata=given)
    log_artifact_metadata({"later": given}, "described")
    metadata = Client().get_artifact_version("described").metadata
    assert {key: metadata[key] for key in given} == given == metadata["later"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: np.array(5.0),
        lambda: OrderedDict([("b", 1), ("a", 2)]),
        lambda: Counter("aab"),
        lambda: {"pair": (1, (2, [3]))},
        lambda: np.float64(0.1),
    ],
    ids=["array without dimensions", "OrderedDict", "Counter", "inner tuple", "float64"],
)
def test_a_value_comes_back_as_the_type_it_was(make: Callable[[], Any]) -> None:
    save_artifact(make(), "value")
    assert identical(load_artifact("value"), make())


def test_a_listing_says_what_there_is(tmp_path: Path) -> None:
    """What scripts see is what people see: nothing is left out of `--json`."""
    for number in range(30):
        save_artifact(number, f"artifact {number}")
    done = subprocess.run(
        [Path(sys.executable).parent / "artfs", "artifact", "list", "--json"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert len(json.loads(done.stdout)) == 30
