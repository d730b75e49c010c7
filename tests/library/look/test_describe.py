"""One dictionary a thing, and one question for many of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from artfs import pipeline, register_artifact, save_artifact, step
from artfs.catalog.catalog import Catalog
from artfs.catalog.engines.sqlite import SQLiteEngine
from artfs.client import Client
from artfs.describe.graph import graph
from artfs.describe.runs import run, runs, slots, step_node
from artfs.describe.runs import step as described_step
from artfs.describe.stores import stacks, stores
from artfs.describe.versions import artifact, artifacts, node, version, versions
from artfs.lineage.graph import version_graph
from artfs.workspace.stacks import list_stacks


@step
def make() -> int:
    return 1


@step
def use(number: int) -> int:
    return number + 1


@pipeline(enable_cache=False)
def training() -> None:
    use(make())


@pytest.fixture
def catalog(home: object) -> Catalog:
    """With a version that was saved, and two that a run made."""
    save_artifact({"a": 1}, "settings", tags=["best", "raw"], metadata={"rows": 3})
    training()
    return Client().workspace.catalog


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Counts what is asked of the catalog meanwhile."""
    asked: list[str] = []
    with monkeypatch.context() as patch:
        for name in ("query", "one"):
            original = getattr(SQLiteEngine, name)

            def ask(
                engine: SQLiteEngine, sql: str, *rest: object, original: Callable[..., object] = original
            ) -> object:
                asked.append(sql)
                return original(engine, sql, *rest)

            patch.setattr(SQLiteEngine, name, ask)
        yield asked


def test_a_version_is_the_same_everywhere(catalog: Catalog) -> None:
    found = Client().get_artifact_version("settings")
    (listed,) = versions(catalog, [found.row])
    assert found.summary() == listed
    assert listed["tags"] == ["best", "raw"]
    assert listed["store"] == "default" and listed["user"] == found.user
    assert listed["created"] == found.created.isoformat(timespec="microseconds")
    assert listed.items() >= node(found.row).items()
    whole = version(catalog, found.row)
    assert whole.items() >= listed.items()
    assert whole["metadata"]["rows"] == 3
    (facts,) = catalog.lineage.versions([found.row.id])
    assert node(facts) == node(found.row)


def test_a_step_is_the_same_in_a_graph_and_by_itself(catalog: Catalog) -> None:
    (row,) = catalog.runs.list()
    last = catalog.steps.list(row.id)[-1]
    (facts,) = catalog.lineage.steps([last.id])
    made = Client().get_artifact_version("training::use::output").row
    drawn = graph(version_graph(catalog, made.id))
    assert step_node(facts) in drawn["steps"]
    assert described_step(last, facts, None).items() >= step_node(facts).items()
    assert node(made) in drawn["versions"]
    assert drawn["focus"] == made.uuid
    read = catalog.lineage.read_by([last.id])
    (used,) = catalog.lineage.versions([use.version_id for use in read])
    assert slots([(read[0], used)]) == [
        {
            "slot": "number",
            "position": 0,
            "artifact": "training::make::output",
            "version": "1",
            "how": "declared",
        }
    ]


def test_a_run_is_the_same_in_a_list_and_by_itself(catalog: Catalog) -> None:
    (row,) = catalog.runs.list()
    (listed,) = runs(catalog, [row])
    assert row.ended_us is not None
    assert listed["seconds"] == (row.ended_us - row.started_us) / 1_000_000
    whole = run(catalog, row)
    assert whole.items() >= listed.items()
    assert whole["steps"] == {"make": "completed", "use": "completed"}
    assert Client().get_pipeline_run("training/latest").summary() == whole


def test_an_artifact_a_store_and_a_stack(catalog: Catalog) -> None:
    row = catalog.artifacts.get("settings")
    assert row is not None
    assert artifact(catalog, row) == {**artifacts(catalog, [row])[0], "versions_by_tag": {"best": "1", "raw": "1"}}
    workspace = Client().workspace
    (store,) = stores(workspace, workspace.stores.rows())
    assert (store["name"], store["stacks"]) == ("default", ["default"])
    (stack,) = stacks(workspace, list_stacks(workspace))
    assert (stack["name"], stack["active"], stack["path"]) == ("default", True, store["path"])


def test_all_of_it_is_json(catalog: Catalog) -> None:
    found = versions(catalog, catalog.versions.list())
    assert json.loads(json.dumps(found)) == found


def test_many_cost_as_many_questions_as_one(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        save_artifact(number, f"number{number}", tags=["best"])
    training()
    kinds: list[tuple[Callable[..., object], list[object]]] = [
        (versions, list(catalog.versions.list())),
        (artifacts, list(catalog.artifacts.list())),
        (runs, list(catalog.runs.list())),
    ]
    for describe, rows in kinds:
        with counted(monkeypatch) as for_one:
            describe(catalog, rows[:1])
        with counted(monkeypatch) as for_all:
            describe(catalog, rows)
        assert len(rows) > 1
        assert len(for_all) == len(for_one) > 0


def test_a_version_with_links_that_lead_out_says_so(home: object, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "link").symlink_to("link")
    register_artifact(tmp_path / "data", "whole")
    (tmp_path / "data" / "out").symlink_to(tmp_path)
    register_artifact(tmp_path / "data", "out")
    workspace = Client().workspace
    workspace.syncing.try_to_sync()
    [whole, out] = workspace.catalog.versions.list()
    described = [version(workspace.catalog, each)["self_contained"] for each in (whole, out)]
    manifests = [workspace.manifests.read(each) for each in (whole, out)]
    assert described == [each and each.head.self_contained for each in manifests] == [True, False]
