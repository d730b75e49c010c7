"""`artfs artifact version`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from artfs.cli.lazy import Lazy, LazyGroup
from artfs.cli.printing import (
    Column,
    count,
    iso_time,
    json_option,
    listed,
    moment,
    print_json,
    print_record,
    print_table,
    size,
    text,
    yes_no,
)
from artfs.cli.selection import artifact_named, complete_artifact, complete_version, version_named
from artfs.cli.session import Session, pass_session

if TYPE_CHECKING:
    from artfs.catalog import Catalog
    from artfs.catalog.versions import Version

COMMANDS = {
    "list": Lazy("artfs.cli.artifact_version:list_", "List versions, of one artifact or of all, oldest first."),
    "describe": Lazy("artfs.cli.artifact_version:describe", "Show all that is known of one version."),
    "update": Lazy("artfs.cli.artifact_changes:update_version", "Change the tags, type or pin of a version."),
    "delete": Lazy("artfs.cli.artifact_changes:delete_version", "Remove versions, and the bytes that only they need."),
}

COLUMNS: dict[str, Column] = {
    "artifact": text("artifact"),
    "version": text("version"),
    "id": text("id"),
    "state": text("state"),
    "type": text("type"),
    "files": count("files"),
    "bytes": size("bytes"),
    "digest": text("digest"),
    "created": moment("created"),
    "user": text("user"),
    "tags": listed("tags"),
    "pinned": text("pinned"),
    "save type": text("save type"),
    "data type": text("data type"),
    "materializer": text("materializer"),
    "trusted": yes_no("trusted"),
    "producer": text("producer"),
    "inputs": listed("inputs"),
    "store": text("store"),
    "purged": moment("purged"),
    "purge reason": text("purge reason"),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def version() -> None:
    """Look at versions, and change them."""


@click.command("list")
@click.argument("name", required=False, shell_complete=complete_artifact)
@json_option
@pass_session
def list_(session: Session, name: str | None, as_json: bool) -> None:
    """List versions, of one artifact or of all, oldest first.

    Columns: artifact, version, state, type, files, bytes, when it was made, tags.
    """
    with session.workspace() as workspace:
        catalog = workspace.catalog
        artifact = artifact_named(catalog, name) if name is not None else None
        versions = catalog.versions.list(artifact.id if artifact else None)
        found = [version_facts(each, catalog.tags.of_version(each.id)) for each in versions]
    if as_json:
        print_json([version_json(facts) for facts in found])
        return
    shown = ("artifact", "version", "state", "type", "files", "bytes", "created", "tags")
    rows = [[facts[key] for key in shown] for facts in found]
    print_table([COLUMNS[key] for key in shown], rows, empty="No versions yet.")


@click.command()
@click.argument("version", metavar="NAME[/VERSION]", shell_complete=complete_version)
@json_option
@pass_session
def describe(session: Session, version: str, as_json: bool) -> None:
    """Show all that is known of one version.

    VERSION is a number, a chosen name, latest, or @TAG; without it the newest is meant. NAME:VERSION is the same.
    """
    with session.workspace() as workspace:
        catalog = workspace.catalog
        found = version_named(catalog, version)
        facts = {**version_facts(found, catalog.tags.of_version(found.id)), **_more_facts(catalog, found)}
        metadata = catalog.metadata.get(found.id)
    if as_json:
        print_json({**version_json(facts), "metadata": metadata})
        return
    record: list[tuple[Column, Any]] = [(column, facts[key]) for key, column in COLUMNS.items()]
    print_record([*record, *((text(f"metadata.{key}"), value) for key, value in metadata.items())])


def version_facts(version: Version, tags: Any) -> dict[str, Any]:
    """Return what lists show of a version."""
    from artfs.content.digest import format_digest

    return {
        "artifact": version.artifact,
        "version": version.name,
        "id": version.uuid,
        "state": version.state,
        "type": version.type,
        "files": version.files,
        "bytes": version.bytes,
        "digest": format_digest(version.digest),
        "created": version.created_us,
        "tags": list(tags),
    }


def _more_facts(catalog: Catalog, version: Version) -> dict[str, Any]:
    user = catalog.users.by_id(version.user_id) if version.user_id is not None else None
    store = catalog.stores.by_id(version.store_id) if version.store_id is not None else None
    pin = catalog.pins.get(version.id)
    inputs = [catalog.versions.by_id(id_) for id_ in catalog.lineage.upstream(version.id)]
    return {
        "user": user.name if user else None,
        "pinned": pin.reason if pin else None,
        "save type": version.save_type,
        "data type": version.data_type,
        "materializer": version.materializer,
        "trusted": version.trusted,
        "producer": _producer(catalog, version),
        "inputs": [f"{each.artifact}/{each.name}" for each in inputs if each is not None],
        "store": store.name if store else None,
        "purged": version.purged_us,
        "purge reason": version.purge_reason,
    }


def _producer(catalog: Catalog, version: Version) -> str | None:
    """The step run that made a version, as its path below /runs."""
    step = catalog.steps.by_id(version.producer_id) if version.producer_id is not None else None
    run = catalog.runs.by_id(step.run_id) if step is not None else None
    pipeline = catalog.runs.pipeline_by_id(run.pipeline_id) if run is not None else None
    if step is None or run is None or pipeline is None:
        return None
    return f"{pipeline.name}/{run.name}/steps/{step.name}"


def version_json(facts: dict[str, Any]) -> dict[str, Any]:
    """Return facts of a version as JSON has them."""
    times: dict[str, Any] = {key: iso_time(facts[key]) for key in ("created", "purged") if key in facts}
    return {key.replace(" ", "_"): value for key, value in (facts | times).items()}
