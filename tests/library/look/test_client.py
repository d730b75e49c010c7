"""The client lists, filters, sorts, changes and shows what there is."""

from __future__ import annotations

import subprocess
import sys
import types
import webbrowser
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from artfs import load_artifact, register_artifact, save_artifact
from artfs.client import Client
from artfs.enums import ArtifactType
from artfs.errors import AlreadyExists, ArtfsError, ArtifactNotFound, HomeError, InvalidValue, VersionNotFound
from artfs.home.home import Home
from support.versions import seal as sealed


@pytest.fixture
def client() -> Client:
    """Five versions of `model` with falling accuracy and two of `data`."""
    for number in range(5):
        tags = ["even"] if number % 2 == 0 else ["odd"]
        save_artifact(
            number, name="model", tags=tags, metadata={"accuracy": 0.9 - number / 10, "note": f"run {number}"}
        )
    save_artifact([1, 2], name="data", tags=["even"], artifact_type=ArtifactType.STATISTICS)
    save_artifact("text", name="data", version="raw")
    return Client()


def names(versions: Any) -> list[str]:
    return [f"{version.name}/{version.version}" for version in versions]


def test_artifacts_are_listed_with_their_versions(client: Client) -> None:
    assert [artifact.name for artifact in client.list_artifacts()] == ["model", "data"]
    assert [artifact.name for artifact in client.list_artifacts(sort_by="asc:name")] == ["data", "model"]
    assert names(client.get_artifact("data").versions) == ["data/1", "data/raw"]
    assert client.get_artifact("model").latest_version_name == "5"


def test_iterating_a_page_goes_through_all_pages(client: Client) -> None:
    page = client.list_artifact_versions(artifact="model", size=2)
    assert (page.total, page.total_pages, page.index, page.size, len(page)) == (5, 3, 1, 2, 5)
    assert names(page) == ["model/1", "model/2", "model/3", "model/4", "model/5"]
    assert names(page.items) == ["model/1", "model/2"]
    assert page[4].version == page[-1].version == "5"
    assert names(page[1:3]) == ["model/2", "model/3"]
    with pytest.raises(IndexError):
        page[5]
    assert names(client.list_artifact_versions(artifact="model", size=2, page=2)) == ["model/3", "model/4", "model/5"]
    assert names(client.list_artifact_versions(artifact="model", size=5)) == names(page)
    assert list(client.list_artifact_versions(artifact="model", size=2, page=9)) == []


def test_all_of_a_thousand_versions_are_there() -> None:
    from artfs.artifacts import seal

    workspace = Client().workspace
    path = workspace.home.path / "x"
    path.write_text("x")
    scanned = seal.scan(path)
    with workspace.catalog.transaction():
        for _ in range(1000):
            sealed(scanned, workspace, "n", adopt=False)
    versions = Client().get_artifact("n").versions
    assert len(versions) == 1000
    assert [int(version.version) for version in versions] == list(range(1, 1001))


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"artifact": "data"}, ["data/1", "data/raw"]),
        ({"name": "data"}, ["data/1", "data/raw"]),
        ({"name": "startswith:da"}, ["data/1", "data/raw"]),
        ({"name": "nothing"}, []),
        ({"tag": "odd"}, ["model/2", "model/4"]),
        ({"tag": "even", "artifact": "data"}, ["data/1"]),
        ({"tags": ["odd", "even"]}, []),
        ({"tag": 'oneof:["odd", "even"]', "artifact": "data"}, ["data/1"]),
        ({"version": "raw"}, ["data/raw"]),
        ({"version": 'oneof:["1", "raw"]', "artifact": "data"}, ["data/1", "data/raw"]),
        ({"number": "gt:3"}, ["model/4", "model/5"]),
        ({"number": "gte:2", "artifact": "model", "tag": "even"}, ["model/3", "model/5"]),
        ({"type": ArtifactType.STATISTICS}, ["data/1"]),
        ({"artifact_type": "StatisticsArtifact"}, ["data/1"]),
        ({"metadata": {"accuracy": "gt:0.75"}}, ["model/1", "model/2"]),
        ({"run_metadata": {"note": "contains:3"}}, ["model/4"]),
        ({"metadata": {"accuracy": "isnotnull"}, "tag": "odd"}, ["model/2", "model/4"]),
        ({"data_type": "endswith:str"}, ["data/raw"]),
        ({"save_type": "manual", "version": "raw"}, ["data/raw"]),
    ],
)
def test_versions_are_filtered(client: Client, filters: dict[str, Any], expected: list[str]) -> None:
    assert names(client.list_artifact_versions(**filters)) == expected


def test_or_stays_within_the_artifact(client: Client) -> None:
    either = {"tag": "even", "version": "raw", "logical_operator": "or"}
    assert names(client.list_artifact_versions(artifact="data", **either)) == ["data/1", "data/raw"]
    assert names(client.list_artifact_versions(name="data", **either)) == ["data/1", "data/raw"]
    assert names(client.list_artifact_versions(**either)) == ["model/1", "model/3", "model/5", "data/1", "data/raw"]


def test_versions_are_sorted_also_by_metadata(client: Client) -> None:
    by_accuracy = client.list_artifact_versions(artifact="model", sort_by="asc:metadata.accuracy", size=2)
    assert names(by_accuracy) == ["model/5", "model/4", "model/3", "model/2", "model/1"]
    assert names(client.list_artifact_versions(sort_by="desc:created", size=1))[0] == "data/raw"


def test_versions_are_filtered_by_time(client: Client) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert client.list_artifact_versions(created=f"lt:{soon}").total == 7
    assert client.list_artifact_versions(created=f"gt:{soon}").total == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"colour": "red"},
        {"version": "almost:1"},
        {"sort_by": "sideways:created"},
        {"sort_by": "asc:colour"},
        {"logical_operator": "xor"},
        {"page": 0},
        {"size": 0},
    ],
)
def test_what_a_list_does_not_know_is_an_error(client: Client, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        client.list_artifact_versions(**wrong)
    with pytest.raises(InvalidValue):
        client.list_artifacts(**wrong)


def test_artifacts_are_filtered(client: Client) -> None:
    client.update_artifact("data", add_tags=["public"])
    assert [artifact.name for artifact in client.list_artifacts(tag="public")] == ["data"]
    assert [artifact.name for artifact in client.list_artifacts(versions="gt:2")] == ["model"]
    assert [artifact.name for artifact in client.list_artifacts(name="contains:od")] == ["model"]


def test_an_artifact_is_renamed_with_all_its_versions(client: Client) -> None:
    client.update_artifact("model", new_name="classifier")
    assert load_artifact("classifier") == 4
    assert client.get_artifact_version("classifier", "1").load() == 0
    with pytest.raises(ArtifactNotFound):
        client.get_artifact("model")
    with pytest.raises(AlreadyExists):
        client.update_artifact("classifier", new_name="data", add_tags=["x"])
    assert client.get_artifact("classifier").tags == []


def test_the_type_of_a_version_is_changed(client: Client) -> None:
    assert client.update_artifact_version("data", "raw", artifact_type="SchemaArtifact").type is ArtifactType.SCHEMA
    with pytest.raises(InvalidValue):
        client.update_artifact_version("data", "raw", artifact_type="Nonsense")


def test_data_is_loaded_once(client: Client) -> None:
    version = client.get_artifact_version("data", "1")
    assert version.data == [1, 2]
    assert version.data is version.data


def test_an_artifact_loads_the_version_that_is_asked_for(client: Client) -> None:
    assert client.get_artifact("model").load() == 4
    assert client.get_artifact("model").load(version="2") == 1
    with pytest.raises(VersionNotFound):
        client.get_artifact("model").load(version="@nothing")


def test_the_active_store_is_that_of_the_home(client: Client, home: Path) -> None:
    assert client.active_stack.name == "default"
    assert client.active_stack.artifact_store.path == str(home / "store")
    assert [stack.active for stack in client.list_stacks()] == [True]


def test_a_client_of_another_home_sees_only_that(client: Client, tmp_path: Path) -> None:
    assert Client(Home(tmp_path / "other").create().path).list_artifacts().total == 0


def test_a_client_of_a_home_that_is_not_there_makes_none(tmp_path: Path) -> None:
    for typo in (tmp_path / "typo", str(tmp_path / "typo")):
        with pytest.raises(HomeError, match=r"no artfs home at .*/typo: run 'artfs init'"):
            Client(typo)
    assert not (tmp_path / "typo").exists()


def test_responses_show_what_they_are(client: Client) -> None:
    version = client.get_artifact_version("data", "1")
    assert "data/1" in repr(version)
    assert "StatisticsArtifact" in repr(version)
    assert str(version.id) in version._repr_html_()
    assert "5 versions" in repr(client.get_artifact("model"))
    page = client.list_artifact_versions(size=3)
    assert "Page 1 of 3, 7 in all" in repr(page)
    assert page._repr_html_().count("<tr>") == 4


def test_what_a_version_says_in_html_is_escaped() -> None:
    version = save_artifact(1, name="<b>", metadata={"<i>": "<script>alert(1)</script>"})
    assert "<script>" not in version._repr_html_()
    page = version.visualize(open_browser=False)
    assert page is not None
    assert "<script>alert" not in page.read_text()


def test_a_version_is_shown_in_the_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    page = save_artifact({"a": "ä"}, name="n").visualize()
    assert page is not None
    assert opened == [page.as_uri()]
    assert "ä" in page.read_text()
    assert "length" in page.read_text()


def test_a_version_is_displayed_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    displayed: list[str] = []
    notebook = types.ModuleType("IPython")
    notebook.get_ipython = lambda: types.SimpleNamespace(kernel=object())  # type: ignore[attr-defined]
    display = types.ModuleType("IPython.display")
    display.HTML, display.display = str, displayed.append  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    assert save_artifact({"a": 1}, name="n").visualize() is None
    assert "&quot;a&quot;" in displayed[0]


def test_an_array_is_shown_as_a_picture() -> None:
    pytest.importorskip("PIL")
    page = save_artifact(np.eye(8), name="n").visualize(open_browser=False)
    assert page is not None
    assert "data:image/png;base64," in page.read_text()


def test_data_without_visualizations_shows_its_metadata(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    page = register_artifact(tmp_path / "x", name="n").visualize(open_browser=False)
    assert page is not None
    assert "storage_size" in page.read_text()


def test_two_versions_are_compared(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "same").mkdir(parents=True)
    (folder / "same" / "x").write_text("x")
    (folder / "old").write_text("old")
    (folder / "changed").write_text("1")
    first = register_artifact(folder, name="n")
    copy = tmp_path / "copy"
    first.download_files(copy)
    (copy / "old").unlink()
    (copy / "new").write_text("newer")
    (copy / "changed").write_text("22")
    second = register_artifact(copy, name="n")
    changes = [(change.path, change.status, change.old_size, change.new_size) for change in first.diff(second)]
    assert changes == [("changed", "changed", 1, 2), ("new", "added", 0, 5), ("old", "removed", 3, 0)]
    assert first.diff(first) == []


def test_a_catalog_is_used_on_both_sides_of_a_fork() -> None:
    code = (
        "import os, artfs\n"
        "artfs.save_artifact(0, 'n')\n"
        "child = os.fork()\n"
        "artfs.save_artifact(os.getpid(), 'n')\n"
        "if child == 0: os._exit(0)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert {version.version for version in Client().get_artifact("n").versions} == {"1", "2", "3"}


@pytest.mark.parametrize(
    "wrong",
    [
        lambda client: client.get_artifact("\udc80"),
        lambda client: client.get_artifact(10**30),
        lambda client: client.get_artifact({"name": "n"}),
        lambda client: client.create_tag("\udc80"),
        lambda client: client.list_artifacts(name="\udc80"),
        lambda client: client.list_artifact_versions(page="1"),
        lambda client: client.list_artifact_versions(page=10**30),
        lambda client: client.list_artifact_versions(size=None),
        lambda client: client.list_artifact_versions(size=1.5),
        lambda client: client.list_artifact_versions(sort_by=5),
        lambda client: client.plan_prune(artifacts=5),
        lambda client: client.plan_prune(keep_last="1"),
        lambda client: client.update_artifact_version("n", pin=5),
        lambda client: save_artifact(0, "n", tags=5),
    ],
)
def test_an_argument_that_no_catalog_can_hold_is_one_clear_line(wrong: Callable[[Any], Any]) -> None:
    save_artifact(0, "n")
    with pytest.raises(ArtfsError) as error:
        wrong(Client())
    assert "\n" not in str(error.value)
    assert Client().get_artifact("n").versions.total == 1
