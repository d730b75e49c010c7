"""What code written for ZenML imports is found under the names that it has there."""

from __future__ import annotations

from artfs import save_artifact, types
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
