"""Versions and artifacts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from artfs.content.digest import format_digest
from artfs.lineage.labels import step_path, version_label
from artfs.text.times import iso, iso_or_none

if TYPE_CHECKING:
    from artfs.catalog.artifacts import Artifact
    from artfs.catalog.catalog import Catalog
    from artfs.catalog.lineage import VersionFacts
    from artfs.catalog.versions import Version


def node(version: Version | VersionFacts) -> dict[str, Any]:
    """Describe a version by what its row alone says, as graphs do."""
    return {
        "id": version.uuid,
        "label": version_label(version),
        "artifact": version.artifact,
        "version": version.name,
        "state": version.state,
        "type": version.type,
        "files": version.files,
        "bytes": version.bytes,
        "digest": format_digest(version.digest),
        "created": iso(version.created_us),
    }


def versions(catalog: Catalog, rows: Sequence[Version]) -> list[dict[str, Any]]:
    """Describe versions as lists and `info.json` do."""
    tags = catalog.tags.of_versions([row.id for row in rows])
    before = {row.previous_id for row in rows if row.previous_id is not None}
    previous = {each.id: version_label(each) for each in catalog.lineage.versions(before)} if before else {}
    users = {user.id: user.name for user in catalog.users.list()}
    stores = {store.id: store.name for store in catalog.stores.list()}
    return [
        {
            **node(row),
            "save_type": row.save_type,
            "sealed_by": row.sealed_by,
            "materializer": row.materializer,
            "data_type": row.data_type,
            "tags": list(tags.get(row.id, ())),
            "store": stores.get(row.store_id) if row.store_id is not None else None,
            "user": users.get(row.user_id) if row.user_id is not None else None,
            "previous": previous.get(row.previous_id) if row.previous_id is not None else None,
        }
        for row in rows
    ]


def version(catalog: Catalog, row: Version) -> dict[str, Any]:
    """Describe one version with all that is known of it, also what was logged."""
    pin = catalog.pins.get(row.id)
    producer = catalog.lineage.steps([row.producer_id]) if row.producer_id is not None else []
    inputs = catalog.lineage.versions(catalog.lineage.inputs(row.id))
    return {
        **versions(catalog, [row])[0],
        "trusted": row.trusted,
        "self_contained": row.self_contained,
        "pinned": pin.reason if pin else None,
        "producer": step_path(producer[0]) if producer else None,
        "inputs": [version_label(each) for each in inputs],
        "purged": iso_or_none(row.purged_us),
        "purge_reason": row.purge_reason,
        "metadata": catalog.metadata.get(row.id),
    }


def artifacts(catalog: Catalog, rows: Sequence[Artifact]) -> list[dict[str, Any]]:
    """Describe artifacts: `latest`, `bytes` and `updated` are of the newest version."""
    ids = [row.id for row in rows]
    counts, tags = catalog.artifacts.counts(ids), catalog.tags.of_artifacts(ids)
    newest = {each.artifact_id: each for each in catalog.versions.newest_of(ids)}
    users = {user.id: user.name for user in catalog.users.list()}
    return [
        {
            "name": row.name,
            "versions": counts.get(row.id, 0),
            **_newest(newest.get(row.id)),
            "created": iso(row.created_us),
            "user": users.get(row.user_id) if row.user_id is not None else None,
            "tags": list(tags.get(row.id, ())),
        }
        for row in rows
    ]


def artifact(catalog: Catalog, row: Artifact) -> dict[str, Any]:
    """Describe one artifact, also which version each tag of its versions means."""
    tagged = catalog.tags.newest(row.id)
    names = {each.id: each.name for each in catalog.versions.by_ids(tagged.values())}
    return {**artifacts(catalog, [row])[0], "versions_by_tag": {tag: names[id_] for tag, id_ in tagged.items()}}


def _newest(version: Version | None) -> dict[str, Any]:
    return {
        "latest": version.name if version else None,
        "bytes": version.bytes if version else None,
        "updated": iso(version.created_us) if version else None,
    }
