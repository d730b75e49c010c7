"""What was made from what: as a graph, a picture, text and events, and from Python."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from graphlib import TopologicalSorter
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest

from artfs.catalog import Catalog
from artfs.catalog.versions import Version
from artfs.client import Client
from artfs.describe.graph import graph as to_values
from artfs.errors import VersionNotFound
from artfs.lineage.dot import to_dot
from artfs.lineage.graph import Graph, Key, cut, run_graph, version_graph
from artfs.lineage.labels import duration
from artfs.lineage.layout import layout
from artfs.lineage.openlineage import run_events
from artfs.lineage.svg import to_svg
from artfs.lineage.tree_text import run_tree, version_tree
from artfs.workspace.workspace import Workspace
from support.catalogs import save
from support.lineage import Recorder, layered

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def catalog(workspace: Workspace) -> Catalog:
    return workspace.catalog


@pytest.fixture
def made(catalog: Catalog) -> dict[str, Version]:
    """raw -> train, test; train -> model; model, test -> report."""
    recorder = Recorder(catalog)
    raw = recorder.make("raw")
    train, test = recorder.make("train", [raw]), recorder.make("test", [raw])
    model = recorder.make("model", [train])
    report = recorder.make("report", [model, test])
    recorder.end()
    return {version.artifact: version for version in (raw, train, test, model, report)}


# Graphs.


def test_a_graph_goes_both_ways_at_any_depth(catalog: Catalog, made: dict[str, Version]) -> None:
    graph = version_graph(catalog, made["train"].id)
    assert _artifacts(graph) == {"raw", "train", "model", "report"}
    assert {step.name for step in graph.steps.values()} >= {"make raw", "make train", "make model", "make report"}
    assert graph.focus == Key("version", made["train"].id)
    assert _artifacts(version_graph(catalog, made["report"].id)) == set(made)


@pytest.mark.parametrize(
    ("up", "down", "expected"),
    [
        (1, 0, {"train", "raw"}),
        (0, 1, {"train", "model"}),
        (0, 2, {"train", "model", "report"}),
        (0, 0, {"train"}),
        (9, 9, {"raw", "train", "model", "report"}),
    ],
)
def test_depth_counts_generations_of_versions(
    catalog: Catalog, made: dict[str, Version], up: int, down: int, expected: set[str]
) -> None:
    assert _artifacts(version_graph(catalog, made["train"].id, upstream=up, downstream=down)) == expected


def test_what_is_not_there(catalog: Catalog) -> None:
    with pytest.raises(VersionNotFound):
        version_graph(catalog, 99)


def test_links_name_their_slots(catalog: Catalog, made: dict[str, Version]) -> None:
    links = {
        (link.source.kind, link.use.slot, link.use.how) for link in version_graph(catalog, made["report"].id).links
    }
    assert {("version", "model", "declared"), ("version", "test", "declared"), ("step", "output", "made")} <= links


def test_a_step_that_made_nothing_is_a_consumer(catalog: Catalog, made: dict[str, Version]) -> None:
    Recorder(catalog, run="second").step("look", [made["model"]], finish="failed")
    graph = version_graph(catalog, made["model"].id)
    assert "look" in {step.name for step in graph.steps.values()}


def test_a_tombstone_keeps_its_place(catalog: Catalog, made: dict[str, Version]) -> None:
    catalog.versions.purge(made["train"].id, "test")
    graph = version_graph(catalog, made["model"].id)
    assert {version.artifact: version.state for version in graph.versions.values()}["train"] == "purged"
    assert "stroke-dasharray" in to_svg(graph)


def test_a_run_shows_what_came_from_the_cache(catalog: Catalog, made: dict[str, Version]) -> None:
    """The second run made `raw` anew with equal bytes, and so took the rest from the cache: older than its input."""
    again = Recorder(catalog, run="second")
    raw = again.make("raw")
    step = again.step("make train", [raw], finish="cached")
    catalog.steps.add_output(step.id, "output", made["train"].id, produced=False)
    graph = run_graph(catalog, again.run.id)
    assert _artifacts(graph) == {"raw", "train"}
    assert [link.use.how for link in graph.links if link.source == Key("step", step.id)] == ["cached"]
    assert _artifacts(version_graph(catalog, made["train"].id, downstream=0)) == {"raw", "train"}, "of the first run"


def test_a_run_has_no_circle_whatever_came_from_the_cache(catalog: Catalog) -> None:
    recorder = Recorder(catalog)
    model = save(catalog, "model")
    newer = recorder.make("newer", [model])
    step = recorder.step("cached", [newer], finish="cached")
    catalog.steps.add_output(step.id, "output", model.id, produced=False)
    graph = run_graph(catalog, recorder.run.id)
    assert _sorted(graph)
    assert len(list(run_tree(graph))) == 2


def test_a_graph_has_no_circle(catalog: Catalog) -> None:
    versions = layered(catalog, 200, both=0.8)
    for version in versions[::20]:
        assert _sorted(version_graph(catalog, version.id))


def test_a_graph_takes_a_few_queries_a_generation(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = layered(catalog, 450, both=1.0)
    asked: list[str] = []
    query = catalog.engine.query
    monkeypatch.setattr(catalog.engine, "query", lambda sql, *rest: asked.append(sql) or query(sql, *rest))
    graph = version_graph(catalog, versions[-1].id)
    assert len(graph) > 100
    assert len(asked) < 40


def test_a_graph_can_stop_at_a_size(catalog: Catalog) -> None:
    versions = layered(catalog, 200, both=1.0)
    whole, part = version_graph(catalog, versions[-1].id), version_graph(catalog, versions[-1].id, most=10)
    assert len(part) < len(whole)
    assert part.is_cut
    assert not whole.is_cut
    assert to_values(part)["complete"] is False
    near = cut(whole, 5, 100)
    assert len(near) == 5
    assert Key("version", versions[-1].id) in near.nodes()
    assert near.hidden >= len(whole) - 5


def test_steps_that_were_taken_from_the_cache_do_not_fill_the_graph(catalog: Catalog, made: dict[str, Version]) -> None:
    before = len(version_graph(catalog, made["model"].id))
    for number in range(3):
        step = Recorder(catalog, run=f"again {number}").step("look", [made["model"]], finish="cached")
    assert len(version_graph(catalog, made["model"].id)) == before
    assert step.id in catalog.lineage.consumers(made["model"].id)


# Drawings.


def test_the_layout_puts_what_is_made_to_the_right_of_what_it_is_made_of(catalog: Catalog) -> None:
    layered(catalog, 150)
    graph = run_graph(catalog, 1)
    placed = layout(graph)
    for link in graph.links:
        assert placed.nodes[link.source][0] < placed.nodes[link.target][0]
        route = placed.routes[link.source, link.target]
        assert (route[0], route[-1]) == (placed.nodes[link.source], placed.nodes[link.target])
    points = sorted(placed.nodes.values())
    assert len(points) == len(graph)
    for (column, row), (next_column, next_row) in pairwise(points):
        assert column != next_column or next_row - row >= 0.999, "no two nodes cover each other"


@pytest.mark.parametrize("count", [1, 3, 150])
def test_every_node_and_link_is_drawn(catalog: Catalog, count: int) -> None:
    layered(catalog, count)
    graph = run_graph(catalog, 1)
    picture = ElementTree.fromstring(to_svg(graph))
    assert len(picture.findall(f"{SVG}g")) == len(graph)
    assert len(picture.findall(f"{SVG}path")) == len(graph.links)
    width, height = float(picture.attrib["width"]), float(picture.attrib["height"])
    for box in picture.findall(f"{SVG}g/{SVG}rect"):
        assert 0 <= float(box.attrib["x"]) <= width - float(box.attrib["width"])
        assert 0 <= float(box.attrib["y"]) <= height - float(box.attrib["height"])


def test_a_version_alone_is_drawn(catalog: Catalog) -> None:
    picture = ElementTree.fromstring(to_svg(version_graph(catalog, save(catalog, "alone").id)))
    assert [text.text for text in picture.iter(f"{SVG}text")] == ["alone", "1  ·  data"]


def test_too_large_a_picture_says_what_is_left_out(catalog: Catalog) -> None:
    layered(catalog, 100)
    graph = run_graph(catalog, 1)
    picture = to_svg(graph, nodes=20)
    assert len(ElementTree.fromstring(picture).findall(f"{SVG}g")) == 20
    assert "are not drawn" in picture
    assert "not drawn" not in to_svg(graph)


@pytest.mark.parametrize("name", ['<&">', "a\x01b", "\ud800x", "a\\", 'say "hi"\n'])
def test_any_name_can_be_drawn(catalog: Catalog, name: str) -> None:
    recorder = Recorder(catalog)
    made = recorder.make("model", step=name.encode("utf-8", "replace").decode())
    graph = version_graph(catalog, made.id)
    ElementTree.fromstring(to_svg(graph))
    assert to_dot(graph).count("{") == 1
    json.dumps(to_values(graph))


def test_dot(catalog: Catalog, made: dict[str, Version]) -> None:
    graph = version_graph(catalog, made["model"].id)
    text = to_dot(graph)
    assert text.startswith("digraph lineage {")
    assert text.count(" -> ") == len(graph.links)
    assert 'label="model/1"' in text


def test_json_names_nodes_by_their_ids(catalog: Catalog, made: dict[str, Version]) -> None:
    values = to_values(version_graph(catalog, made["model"].id))
    assert json.loads(json.dumps(values)) == values
    ids = {node["id"] for node in [*values["versions"], *values["steps"]]}
    assert values["focus"] == made["model"].uuid
    assert {link[end] for link in values["links"] for end in ("source", "target")} <= ids
    assert values["complete"] is True


def test_a_tree_of_a_version(catalog: Catalog, made: dict[str, Version]) -> None:
    lines = [_untimed(line) for line, _ in version_tree(version_graph(catalog, made["model"].id))]
    assert lines == [
        "model/1",
        "made from:",
        "└─ output: training/first/make model  (completed)",
        "   └─ train: train/1",
        "      └─ output: training/first/make train  (completed)",
        "         └─ raw: raw/1",
        "            └─ output: training/first/make raw  (completed)",
        "used by:",
        "└─ model: training/first/make report  (completed)",
        "   └─ output: report/1",
    ]


def test_a_tree_draws_each_part_once(catalog: Catalog) -> None:
    versions = layered(catalog, 300, both=1.0)
    graph = version_graph(catalog, versions[-1].id)
    lines = [line for line, _ in version_tree(graph)]
    assert any("(see above)" in line for line in lines)
    assert len(lines) <= len(graph.links) + 3


def test_a_chain_may_be_longer_than_the_stack(catalog: Catalog) -> None:
    recorder = Recorder(catalog)
    with catalog.transaction():
        version = recorder.make("v", step="0")
        for number in range(1, 1500):
            version = recorder.make("v", [version], step=str(number))
    assert len(list(version_tree(version_graph(catalog, version.id)))) > 2999


def test_a_tree_of_a_run(catalog: Catalog, made: dict[str, Version]) -> None:
    lines = [_untimed(line) for line, _ in run_tree(run_graph(catalog, 1))]
    assert lines == [
        "└─ ✓ make raw  completed → output=raw/1",
        "   ├─ ✓ make train  completed  raw=raw/1 → output=train/1",
        "   │  └─ ✓ make model  completed  train=train/1 → output=model/1",
        "   │     └─ ✓ make report  completed  model=model/1, test=test/1 → output=report/1",
        "   └─ ✓ make test  completed  raw=raw/1 → output=test/1",
    ]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.0004, "0 ms"), (0.25, "250 ms"), (3.21, "3.2 s"), (59, "59.0 s"), (185, "3 min 5 s"), (7260, "2 h 1 min")],
)
def test_durations_are_for_people(seconds: float, shown: str) -> None:
    assert duration(0, round(seconds * 1_000_000)) == shown
    assert duration(5, None) == ""


# OpenLineage.


def test_events_are_valid_openlineage(catalog: Catalog, made: dict[str, Version]) -> None:
    """They are taken apart into the client's own classes, which were generated from the schema, and come out equal."""
    recorder = Recorder(catalog, run="second")
    failed = catalog.steps.create(recorder.run.id, "broken", source="def broken(): ...")
    catalog.steps.add_input(failed.id, "model", made["model"].id)
    catalog.steps.finish(failed.id, "failed", error="Traceback ...\nValueError: no")
    recorder.step("under way", [made["model"]], finish=None)
    events = list(run_events(catalog, version_graph(catalog, made["model"].id)))
    assert len(events) == 2 * 5 + 1
    for event in events:
        assert _through_the_client(event) == event
    ends = {(event["job"]["name"], event["eventType"]) for event in events if event["eventType"] != "START"}
    assert ("training.broken", "FAIL") in ends
    assert ("training.make model", "COMPLETE") in ends
    assert not any(name == "training.under way" for name, _ in ends)


def test_events_say_what_a_step_read_and_made(catalog: Catalog, made: dict[str, Version]) -> None:
    events = run_events(catalog, version_graph(catalog, made["model"].id), namespace="lab")
    event = next(e for e in events if (e["job"]["name"], e["eventType"]) == ("training.make model", "COMPLETE"))
    assert [(each["namespace"], each["name"]) for each in event["inputs"]] == [("lab", "train")]
    (output,) = event["outputs"]
    assert output["facets"]["version"]["datasetVersion"] == "1"
    assert output["outputFacets"]["outputStatistics"]["fileCount"] == 1
    assert event["run"]["facets"]["parent"]["run"]["runId"] == catalog.runs.by_id(1).uuid  # type: ignore[union-attr]


def _through_the_client(event: dict[str, Any]) -> dict[str, Any]:
    from openlineage.client import event_v2, facet_v2
    from openlineage.client.serde import Serde

    made_of: dict[str, Callable[..., Any]] = {
        "parent": lambda run, job: facet_v2.parent_run.ParentRunFacet(
            facet_v2.parent_run.Run(**run, facets=None), facet_v2.parent_run.Job(**job, facets=None)
        ),
        "errorMessage": facet_v2.error_message_run.ErrorMessageRunFacet,
        "jobType": facet_v2.job_type_job.JobTypeJobFacet,
        "sourceCode": facet_v2.source_code_job.SourceCodeJobFacet,
        "version": facet_v2.dataset_version_dataset.DatasetVersionDatasetFacet,
        "storage": facet_v2.storage_dataset.StorageDatasetFacet,
        "tags": lambda tags: facet_v2.tags_dataset.TagsDatasetFacet(
            [facet_v2.tags_dataset.TagsDatasetFacetFields(**tag) for tag in tags]
        ),
        "outputStatistics": facet_v2.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet,
    }

    def facets(values: dict[str, Any]) -> dict[str, Any]:
        found = {}
        for name, fields in values.items():
            known = {key: value for key, value in fields.items() if not key.startswith("_")}
            facet = made_of[name](**known)
            assert facet._schemaURL == fields["_schemaURL"]
            facet._producer = fields["_producer"]
            found[name] = facet
        return found

    def dataset(kind: Any, values: dict[str, Any]) -> Any:
        more = {"outputFacets": facets(values["outputFacets"])} if "outputFacets" in values else {"inputFacets": None}
        return kind(values["namespace"], values["name"], facets=facets(values["facets"]), **more)

    run, job = event["run"], event["job"]
    rebuilt = event_v2.RunEvent(
        eventTime=event["eventTime"],
        producer=event["producer"],
        run=event_v2.Run(run["runId"], facets(run["facets"])),
        job=event_v2.Job(job["namespace"], job["name"], facets(job["facets"])),
        eventType=event_v2.RunState[event["eventType"]],
        inputs=[dataset(event_v2.InputDataset, values) for values in event["inputs"]],
        outputs=[dataset(event_v2.OutputDataset, values) for values in event["outputs"]],
    )
    return _filled(json.loads(Serde.to_json(rebuilt)))


def _filled(event: dict[str, Any]) -> dict[str, Any]:
    """The client leaves out lists that are empty."""
    return {"inputs": [], "outputs": [], **event}


# From Python.


def test_a_version_knows_its_lineage(workspace: Workspace, made: dict[str, Version]) -> None:
    lineage = Client().get_artifact_version("model").lineage
    assert lineage.producer is not None
    assert lineage.run is not None
    assert (lineage.run.pipeline, lineage.run.name, lineage.producer.name) == ("training", "first", "make model")
    assert lineage.run.status == "completed"
    assert [version.name for version in lineage.upstream()] == ["train"]
    assert [version.name for version in lineage.upstream(2)] == ["raw", "train"]
    assert [version.name for version in lineage.downstream()] == ["report"]
    assert [version.name for version in lineage.ancestors()] == ["raw", "train"]
    assert [version.name for version in lineage.descendants()] == ["report"]
    assert [step.name for step in lineage.consumers] == ["make report"]
    assert lineage.to_svg().startswith("<svg")
    assert lineage.to_dot().startswith("digraph")
    assert lineage.to_json()["complete"] is True
    assert repr(lineage) == "<lineage of model/1: made by training/first/make model, 1 upstream, 1 downstream>"


def test_a_version_that_no_step_made(workspace: Workspace, catalog: Catalog) -> None:
    save(catalog, "alone")
    lineage = Client().get_artifact_version("alone").lineage
    assert (lineage.producer, lineage.run, lineage.upstream(), lineage.consumers) == (None, None, [], [])
    assert "made by no step" in repr(lineage)


def _artifacts(graph: Graph) -> set[str]:
    return {version.artifact for version in graph.versions.values()}


def _sorted(graph: Graph) -> list[Key]:
    """The nodes in order; raises an error if there is a circle."""
    sorter: TopologicalSorter[Key] = TopologicalSorter()
    for key in graph.nodes():
        sorter.add(key)
    for link in graph.links:
        sorter.add(link.target, link.source)
    return list(sorter.static_order())


def _untimed(line: str) -> str:
    return re.sub(r",? [\d.]+ m?s\b", "", line)
