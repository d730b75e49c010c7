"""Whatever door a step reads a version through: it becomes an input, and what its name gives now decides on reuse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest

from artfs import load_artifact, pipeline, save_artifact, step
from artfs.artifacts.lookup import find_version
from artfs.client import Client
from artfs.errors import NotFound
from artfs.io import fileio

Read = Callable[[], str]


def outcome(read: Read) -> tuple[str, str, list[str]]:
    """The status of a step that does nothing but to read, what it gives, and the versions it was made from."""

    @step
    def compute() -> str:
        return read()

    @pipeline
    def reading() -> None:
        compute()

    taken = reading().steps["compute"]
    output = taken.outputs["output"]
    upstream = [f"{each.name}@{each.version}" for each in output.lineage.upstream()]
    return str(taken.status), output.load(), upstream


def last_reasons() -> list[str]:
    run = next(iter(Client().list_pipeline_runs(sort_by="desc:started")))
    return list(run.steps["compute"].explain().reasons)


def by_load() -> str:
    return str(load_artifact("points"))


def by_client() -> str:
    return str(Client().get_artifact_version("points", "latest").load())


def by_url() -> str:
    with fsspec.open("artfs://points/latest/data.json", "rt") as file:
        return str(file.read()).strip()


def by_cat() -> str:
    return str(fsspec.filesystem("artfs").cat_file("points/latest/data.json").decode()).strip()


def by_pattern() -> str:
    (file,) = fsspec.open_files("artfs://points/latest/*.json", "rt")
    with file as opened:
        return str(opened.read()).strip()


def by_fileio() -> str:
    with fileio.open(f"{Client().get_artifact_version('points').uri}/data.json") as file:
        return str(file.read()).strip()


def by_copy() -> str:
    fileio.copy(f"{Client().get_artifact_version('points').uri}/data.json", "copy.json", overwrite=True)
    return Path("copy.json").read_text().strip()


def by_path_in_the_store() -> str:
    return Path(Client().get_artifact_version("points").uri, "data.json").read_text().strip()


def by_download(folder: str = "downloaded") -> str:
    found = Client().get_artifact_version("points").download_files(folder, overwrite=True)
    return (found / "data.json").read_text().strip()


def by_list() -> str:
    return str(Client().list_artifact_versions(name="points", sort_by="desc:created", size=1)[0].load())


def by_filter() -> str:
    newest = Client().list_artifact_versions(artifact="points", metadata={"good": True}, sort_by="desc:created")[0]
    return str(newest.load())


def by_listing_of_versions() -> str:
    names = sorted(fsspec.filesystem("artfs").ls("points", detail=False))
    return by_url_of(names[-1])


def by_url_of(path: str) -> str:
    with fsspec.open(f"artfs://{path}/data.json", "rt") as file:
        return str(file.read()).strip()


DOORS = [
    *(by_load, by_client, by_url, by_cat, by_pattern, by_fileio, by_copy, by_path_in_the_store, by_download, by_list),
    *(by_filter, by_listing_of_versions),
]


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


@pytest.mark.parametrize("read", DOORS)
def test_a_newer_version_runs_the_step_again_through_every_door(read: Read) -> None:
    save_artifact([1], "points", metadata={"good": True})
    value = outcome(read)[1]
    assert outcome(read) == ("cached", value, ["points@1"])
    save_artifact([20], "points", metadata={"good": True})
    status, value, upstream = outcome(read)
    assert (status, value.replace("\n", "").replace(" ", ""), upstream) == ("completed", "[20]", ["points@2"])
    assert outcome(read)[0] == "cached"


def test_explain_names_the_newer_version() -> None:
    save_artifact([1], "points")
    outcome(by_url)
    save_artifact([20], "points")
    outcome(by_url)
    assert last_reasons() == ["version points@2 is newer than points@1"]


@pytest.mark.parametrize("tagged", ["points", "artfs"])
def test_a_tag_that_was_given_to_another_version_runs_the_step_again(tagged: str) -> None:
    def read() -> str:
        return by_url_of("points/@best") if tagged == "artfs" else str(load_artifact("points", "@best"))

    save_artifact([1], "points", tags=["best"])
    second = save_artifact([2], "points")
    assert outcome(read)[0] == "completed"
    assert outcome(read)[0] == "cached"
    Client().update_artifact_version(second.id, add_tags=["best"])
    assert outcome(read)[0] == "completed"
    assert last_reasons() == ["points/@best is version points@2, no longer points@1"]


def test_a_version_that_was_named_is_as_it_was_whatever_else_there_is() -> None:
    save_artifact([1], "points")

    def read() -> str:
        return str(load_artifact("points", "1")) + by_url_of("points/1")

    outcome(read)
    save_artifact([2], "points")
    assert outcome(read)[0] == "cached"


def test_a_newer_version_of_the_same_content_changes_nothing() -> None:
    save_artifact([1], "points")
    outcome(by_load)
    save_artifact([2], "points")
    save_artifact([1], "points")
    assert outcome(by_load)[0] == "cached"


@pytest.mark.parametrize("missing", ["points", "@best"])
def test_what_was_not_there_and_is_now_runs_the_step_again(missing: str) -> None:
    if missing == "@best":
        save_artifact([1], "points")

    def read() -> str:
        try:
            return str(load_artifact("points", None if missing == "points" else missing))
        except NotFound:
            return "none"

    assert outcome(read)[:2] == ("completed", "none")
    assert outcome(read)[:2] == ("cached", "none")
    save_artifact([2], "points", tags=["best"])
    assert outcome(read)[:2] == ("completed", "[2]")


def test_what_a_step_has_saved_itself_is_no_input_and_no_reason() -> None:
    def read() -> str:
        save_artifact([3], "points")
        return by_url()

    assert outcome(read)[2] == []
    assert outcome(read)[0] == "cached"


def test_a_version_that_was_found_before_the_step_is_an_input_whatever_is_newer() -> None:
    version: Any = save_artifact([1], "points")

    def read() -> str:
        return str(version.load())

    assert outcome(read)[2] == ["points@1"]
    save_artifact([2], "points")
    assert outcome(read)[0] == "cached"
    version = Client().get_artifact_version("points")
    assert outcome(read)[::2] == ("completed", ["points@2"])


def test_what_artfs_itself_looks_up_for_a_step_is_nothing_that_the_step_asked_for() -> None:
    save_artifact([1], "points")

    @step
    def compute(points: list[int]) -> int:
        return points[0]

    @pipeline
    def given() -> None:
        compute(Client().get_artifact_version("points", "1"))

    run = given()
    catalog = Client().workspace.catalog
    assert not catalog.step_uses.of(run.steps["compute"].row.id)
    assert find_version(catalog, "points").name == "1"
