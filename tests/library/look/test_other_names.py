"""What code written for ZenML imports is found under the names that it has there."""

from __future__ import annotations

from artfs import pipeline, save_artifact, step, types
from artfs.client import Client
from artfs.materializers import BaseMaterializer, base_materializer
from artfs.metadata import metadata_types


def test_the_base_of_materializers() -> None:
    assert base_materializer.BaseMaterializer is BaseMaterializer


def test_the_types_of_metadata() -> None:
    for name in ("DType", "Path", "StorageSize", "Uri"):
        assert getattr(metadata_types, name) is getattr(types, name)
    logged: dict[str, metadata_types.MetadataType] = {
        "where": metadata_types.Uri("s3://bucket"),
        "size": metadata_types.StorageSize(5),
        "kind": {"a": (1, 2)},
    }
    kept = save_artifact(1, "n", metadata=logged).metadata
    assert {key: kept[key] for key in logged} == logged
    assert type(kept["size"]) is metadata_types.StorageSize


@step
def one() -> int:
    return 1


@pipeline
def counting() -> None:
    one()


def test_the_times_of_runs() -> None:
    runs = [counting.with_options(run_name=name)() for name in ("a", "b")]
    client = Client()
    for field in ("created", "start_time", "end_time"):
        assert [run.name for run in client.list_pipeline_runs(sort_by=f"desc:{field}")] == ["b", "a"]
        assert len(client.list_pipeline_runs(**{field: "gt:2020-01-01"})) == 2
    assert [run.name for run in client.list_pipeline_runs(start_time=("gte", runs[1].started))] == ["b"]
    assert [run.name for run in client.list_pipeline_runs(end_time=("lte", runs[0].ended))] == ["a"]
