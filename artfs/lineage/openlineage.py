"""A graph as OpenLineage events: a START for every step run, and what became of it when it has ended.

Steps are jobs named `<pipeline>.<step>`, below a run of the job `<pipeline>`; artifacts are datasets, versions their
`version` facet. The names of facets and of their schemas are those of the OpenLineage specification 2-0-2.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from artfs import __version__
from artfs.content.digest import format_digest
from artfs.text.times import iso

if TYPE_CHECKING:
    from artfs.catalog.catalog import Catalog
    from artfs.catalog.lineage import StepFacts, VersionFacts
    from artfs.catalog.steps import StepRun
    from artfs.lineage.graph import Graph

NAMESPACE: Final = "artfs"
PRODUCER: Final = f"urn:artfs:{__version__}"
_SPEC: Final = "https://openlineage.io/spec"
_EVENT: Final = f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"

_ENDS: Final = {
    "completed": "COMPLETE",
    "cached": "COMPLETE",
    "failed": "FAIL",
    "cancelled": "ABORT",
    "skipped": "ABORT",
}


def run_events(catalog: Catalog, graph: Graph, *, namespace: str = NAMESPACE) -> Iterator[dict[str, Any]]:
    """Return the events of all step runs of a graph, in the order in which the steps began.

    Args:
        catalog: where the graph is from.
        graph: what to tell.
        namespace: of the jobs and datasets; name the installation when several report to one place.
    """
    reads: dict[int, list[int]] = defaultdict(list)
    gives: dict[int, list[int]] = defaultdict(list)
    for link in graph.links:
        (reads if link.target.kind == "step" else gives)[link.use.step_run_id].append(link.use.version_id)
    for id_, step in graph.steps.items():
        row = catalog.steps.by_id(id_)
        inputs = [_dataset(graph.versions[version], namespace) for version in dict.fromkeys(reads[id_])]
        outputs = [_output(graph.versions[version], namespace) for version in dict.fromkeys(gives[id_])]
        yield _event("START", step.started_us, step, row, namespace, inputs, [])
        if step.ended_us is not None:
            yield _event(_ENDS.get(step.status, "OTHER"), step.ended_us, step, row, namespace, inputs, outputs)


def to_openlineage(catalog: Catalog, graph: Graph, *, namespace: str = NAMESPACE) -> str:
    """Return the events as JSON, one a line: what OpenLineage's file transport writes."""
    return "".join(json.dumps(event) + "\n" for event in run_events(catalog, graph, namespace=namespace))


def _event(
    kind: str,
    at_us: int,
    step: StepFacts,
    row: StepRun | None,
    namespace: str,
    inputs: list[dict[str, Any]],
    outputs: list[dict[str, Any]],
) -> dict[str, Any]:
    parent = {"run": {"runId": step.run_uuid}, "job": {"namespace": namespace, "name": step.pipeline}}
    run_facets = {"parent": _facet("1-2-0/ParentRunFacet", parent)}
    if row is not None and row.error and kind == "FAIL":
        error = {
            "message": row.error.strip().splitlines()[-1],
            "programmingLanguage": "PYTHON",
            "stackTrace": row.error,
        }
        run_facets["errorMessage"] = _facet("1-0-1/ErrorMessageRunFacet", error)
    kinds = {"processingType": "BATCH", "integration": "ARTFS", "jobType": "STEP"}
    job_facets = {"jobType": _facet("2-0-4/JobTypeJobFacet", kinds)}
    if row is not None and row.source:
        source = {"language": "PYTHON", "sourceCode": row.source}
        job_facets["sourceCode"] = _facet("1-0-1/SourceCodeJobFacet", source)
    return {
        "eventType": kind,
        "eventTime": iso(at_us),
        "producer": PRODUCER,
        "schemaURL": _EVENT,
        "run": {"runId": step.uuid, "facets": run_facets},
        "job": {"namespace": namespace, "name": f"{step.pipeline}.{step.name}", "facets": job_facets},
        "inputs": inputs,
        "outputs": outputs,
    }


def _dataset(version: VersionFacts, namespace: str) -> dict[str, Any]:
    # The digest is what makes equal content equal; it is a property of the version, and so has its place beside it.
    facets = {
        "version": _facet("1-0-1/DatasetVersionDatasetFacet", {"datasetVersion": version.name}),
        "storage": _facet("1-0-1/StorageDatasetFacet", {"storageLayer": "artfs"}),
        "tags": _facet(
            "1-0-0/TagsDatasetFacet", {"tags": [_tag("id", version.uuid), _tag("digest", _digest(version))]}
        ),
    }
    return {"namespace": namespace, "name": version.artifact, "facets": facets}


def _output(version: VersionFacts, namespace: str) -> dict[str, Any]:
    statistics = {"size": version.bytes, "fileCount": version.files}
    facets = {"outputStatistics": _facet("1-0-2/OutputStatisticsOutputDatasetFacet", statistics)}
    return {**_dataset(version, namespace), "outputFacets": facets}


def _facet(schema: str, values: Mapping[str, Any]) -> dict[str, Any]:
    name = schema.rpartition("/")[2]
    return {"_producer": PRODUCER, "_schemaURL": f"{_SPEC}/facets/{schema}.json#/$defs/{name}", **values}


def _tag(key: str, value: str) -> dict[str, str]:
    return {"key": key, "value": value, "source": "ARTFS"}


def _digest(version: VersionFacts) -> str:
    return format_digest(version.digest)
