"""Models and their versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from artfs.lineage.labels import version_label
from artfs.text.times import iso

if TYPE_CHECKING:
    from artfs.catalog.catalog import Catalog
    from artfs.catalog.models import Model, ModelVersion


def models(catalog: Catalog, rows: Sequence[Model]) -> list[dict[str, Any]]:
    """Describe models: how many versions each has, the newest, and which are in a stage."""
    described = []
    for row in rows:
        versions = catalog.models.versions(row.id)
        described.append(
            {
                "model": row.name,
                "versions": len(versions),
                "latest": versions[-1].name if versions else None,
                "stages": {each.stage: each.name for each in versions if each.stage in ("staging", "production")},
                "description": row.description,
                "created": iso(row.created_us),
            }
        )
    return described


def model_version(catalog: Catalog, row: ModelVersion) -> dict[str, Any]:
    """Describe a version of a model with what is in it."""
    versions = catalog.lineage.versions(list(catalog.models.version_ids(row.id)))
    runs = catalog.runs.by_ids(catalog.models.run_ids(row.id))
    return {
        "model": row.model,
        "version": row.name,
        "id": row.uuid,
        "stage": row.stage,
        "description": row.description,
        "created": iso(row.created_us),
        "artifacts": [version_label(each) for each in versions],
        "runs": [f"{run.pipeline}/{run.name}" for run in runs],
    }
