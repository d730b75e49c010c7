"""`artfs artifact`: artifacts, and below it their versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from artfs.cli.lazy import Lazy, LazyGroup
from artfs.cli.printing import (
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
)
from artfs.cli.selection import artifact_named, complete_artifact
from artfs.cli.session import Session, pass_session

if TYPE_CHECKING:
    from artfs.catalog import Catalog
    from artfs.catalog.artifacts import Artifact

COMMANDS = {
    "list": Lazy("artfs.cli.artifact:list_", "List all artifacts."),
    "show": Lazy("artfs.cli.artifact:show", "Show one artifact."),
    "register": Lazy("artfs.cli.artifact_files:register", "Make a version of data that stays where it is."),
    "download": Lazy("artfs.cli.artifact_files:download", "Copy the files of a version into a directory or zip file."),
    "diff": Lazy("artfs.cli.artifact_files:diff", "List what was added, removed or changed between two versions."),
    "update": Lazy("artfs.cli.artifact_changes:update_artifact", "Rename an artifact, or change its own tags."),
    "tag": Lazy("artfs.cli.artifact_changes:tag", "Put tags on a version, take them off, or list them."),
    "metadata": Lazy("artfs.cli.artifact_changes:metadata", "Log values about a version, or show what was logged."),
    "verify": Lazy("artfs.cli.verify:verify", "Read all bytes of versions again, and compare them with their digests."),
    "prune": Lazy("artfs.cli.prune:prune", "Remove versions that no run, tag or pin needs."),
    "delete": Lazy("artfs.cli.artifact_changes:delete_artifact", "Remove artifacts with all of their versions."),
    "version": Lazy("artfs.cli.artifact_version:version", "Look at versions, and change them."),
}

COLUMNS = {
    "name": text("name"),
    "versions": count("versions"),
    "latest": text("latest"),
    "bytes": size("bytes"),
    "updated": moment("updated"),
    "created": moment("created"),
    "user": text("user"),
    "tags": listed("tags"),
    "versions by tag": listed("versions by tag"),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def artifact() -> None:
    """Look at artifacts and their versions, and change them."""


@click.command("list")
@json_option
@pass_session
def list_(session: Session, as_json: bool) -> None:
    """List all artifacts.

    Columns: name, number of versions, the newest version, its bytes, when it was made, the artifact's tags.
    """
    with session.workspace() as workspace:
        catalog = workspace.catalog
        counts = catalog.artifacts.counts()
        found = [_facts(catalog, each, counts.get(each.id, 0)) for each in catalog.artifacts.list(sort="asc:name")]
    if as_json:
        print_json([_for_json(facts) for facts in found])
        return
    shown = ("name", "versions", "latest", "bytes", "updated", "tags")
    rows = [[facts[key] for key in shown] for facts in found]
    print_table([COLUMNS[key] for key in shown], rows, empty="No artifacts yet.")


@click.command()
@click.argument("name", shell_complete=complete_artifact)
@json_option
@pass_session
def show(session: Session, name: str, as_json: bool) -> None:
    """Show one artifact."""
    with session.workspace() as workspace:
        catalog = workspace.catalog
        found = artifact_named(catalog, name)
        user = catalog.users.by_id(found.user_id) if found.user_id is not None else None
        tagged = {tag: catalog.versions.by_id(id_) for tag, id_ in catalog.tags.newest(found.id).items()}
        facts = {
            **_facts(catalog, found, catalog.versions.count(found.id)),
            "user": user.name if user else None,
            "versions by tag": {tag: version.name for tag, version in tagged.items() if version is not None},
        }
    if as_json:
        print_json({**_for_json(facts), "versions_by_tag": facts.pop("versions by tag")})
        return
    facts["versions by tag"] = [f"@{tag} -> {version}" for tag, version in facts["versions by tag"].items()]
    print_record([(column, facts[key]) for key, column in COLUMNS.items()])


def _facts(catalog: Catalog, artifact: Artifact, versions: int) -> dict[str, Any]:
    latest = catalog.versions.latest(artifact.id)
    return {
        "name": artifact.name,
        "versions": versions,
        "latest": latest.name if latest else None,
        "bytes": latest.bytes if latest else None,
        "updated": latest.created_us if latest else None,
        "created": artifact.created_us,
        "tags": list(catalog.tags.of_artifact(artifact.id)),
    }


def _for_json(facts: dict[str, Any]) -> dict[str, Any]:
    times = {key: iso_time(facts[key]) for key in ("updated", "created")}
    return {**facts, **times}
