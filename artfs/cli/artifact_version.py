"""`artfs artifact version`."""

from __future__ import annotations

from typing import Any

import click

from artfs.cli.lazy import Lazy, LazyGroup
from artfs.cli.paging import paged, wanted
from artfs.cli.printing import (
    TableColumn,
    count,
    json_option,
    json_value,
    listed,
    moment,
    print_described,
    print_json,
    print_json_list,
    print_record,
    size,
    text,
    yes_no,
)
from artfs.cli.selection import artifact_named, complete_artifact, complete_version, version_named
from artfs.cli.session import Session, pass_session

COMMANDS = {
    "list": Lazy("artfs.cli.artifact_version:list_", "List versions, of one artifact or of all, oldest first."),
    "describe": Lazy("artfs.cli.artifact_version:describe", "Show all that is known of one version."),
    "update": Lazy("artfs.cli.artifact_changes:update_version", "Change the tags, type or pin of a version."),
    "delete": Lazy("artfs.cli.artifact_changes:delete_version", "Remove versions, and the bytes that only they need."),
}

COLUMNS: dict[str, TableColumn] = {
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
    "save_type": text("save type"),
    "sealed_by": text("sealed by"),
    "data_type": text("data type"),
    "materializer": text("materializer"),
    "trusted": yes_no("trusted"),
    "self_contained": yes_no("self-contained"),
    "producer": text("producer"),
    "inputs": listed("inputs"),
    "store": text("store"),
    "purged": moment("purged"),
    "purge_reason": text("purge reason"),
}
LISTED = ("artifact", "version", "state", "type", "files", "bytes", "created", "tags")


@click.group(cls=LazyGroup, lazy=COMMANDS)
def version() -> None:
    """Look at versions, and change them."""


@click.command("list")
@click.argument("name", required=False, shell_complete=complete_artifact)
@paged
@json_option
@pass_session
def list_(session: Session, name: str | None, limit: int | None, everything: bool, as_json: bool) -> None:
    """List versions, of one artifact or of all, oldest first.

    Columns: artifact, version, state, type, files, bytes, when it was made, tags.
    """
    from artfs.describe.versions import versions

    part = wanted(limit, everything, as_json)
    with session.workspace() as workspace:
        catalog = workspace.catalog
        scope = artifact_named(catalog, name).id if name is not None else None
        rows = catalog.versions
        batches = rows.batches(scope) if part.newest is None else [rows.newest(scope, part.newest)]
        described = (each for batch in batches for each in versions(catalog, batch))
        if as_json:
            print_json_list(described)
            return
        print_described({key: COLUMNS[key] for key in LISTED}, described, empty="No versions yet.")
        part.tell_rest(lambda: rows.count(scope), "versions")


@click.command()
@click.argument("version", metavar="NAME[/VERSION]", shell_complete=complete_version)
@json_option
@pass_session
def describe(session: Session, version: str, as_json: bool) -> None:
    """Show all that is known of one version.

    VERSION is a number, a chosen name, latest, or @TAG; without it the newest is meant. NAME:VERSION is the same.
    """
    from artfs.describe.versions import version as described

    with session.workspace() as workspace:
        facts = described(workspace.catalog, version_named(workspace.catalog, version))
    if as_json:
        print_json(facts)
        return
    record: list[tuple[TableColumn, Any]] = [(column, facts[key]) for key, column in COLUMNS.items()]
    print_record([*record, *((json_value(f"metadata.{key}"), value) for key, value in facts["metadata"].items())])
