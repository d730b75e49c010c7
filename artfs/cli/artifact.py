"""`artfs artifact`: artifacts, and below it their versions."""

from __future__ import annotations

import click

from artfs.cli.lazy import Lazy, LazyGroup
from artfs.cli.printing import (
    count,
    json_option,
    listed,
    moment,
    print_described,
    print_json,
    print_record,
    size,
    text,
)
from artfs.cli.selection import artifact_named, complete_artifact
from artfs.cli.session import Session, pass_session

COMMANDS = {
    "list": Lazy("artfs.cli.artifact:list_", "List all artifacts."),
    "show": Lazy("artfs.cli.artifact:show", "Show one artifact."),
    "register": Lazy("artfs.cli.artifact_files:register", "Make a version of data that stays where it is."),
    "download": Lazy("artfs.cli.artifact_files:download", "Copy the files of a version into a directory or zip file."),
    "path": Lazy("artfs.cli.artifact_files:path", "Print a local directory that holds the files of a version."),
    "diff": Lazy("artfs.cli.artifact_files:diff", "List what was added, removed or changed between two versions."),
    "update": Lazy(
        "artfs.cli.artifact_changes:update_artifact", "Rename an artifact, or change its own tags or settings."
    ),
    "tag": Lazy("artfs.cli.artifact_changes:tag", "Put tags on a version, take them off, or list them."),
    "metadata": Lazy("artfs.cli.artifact_changes:metadata", "Log values about a version, or show what was logged."),
    "verify": Lazy("artfs.cli.verify:verify", "Read all bytes of versions again, and compare them with their digests."),
    "prune": Lazy("artfs.cli.prune:prune", "Remove versions that no run, tag, model or pin needs."),
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
    "versions_by_tag": listed("versions by tag"),
}
LISTED = ("name", "versions", "latest", "bytes", "updated", "tags")


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
    from artfs.describe.versions import artifacts

    with session.workspace() as workspace:
        found = artifacts(workspace.catalog, workspace.catalog.artifacts.list(sort="asc:name"))
    if as_json:
        print_json(found)
        return
    print_described({key: COLUMNS[key] for key in LISTED}, found, empty="No artifacts yet.")


@click.command()
@click.argument("name", shell_complete=complete_artifact)
@json_option
@pass_session
def show(session: Session, name: str, as_json: bool) -> None:
    """Show one artifact."""
    from artfs.describe.versions import artifact as described

    with session.workspace() as workspace:
        facts = described(workspace.catalog, artifact_named(workspace.catalog, name))
    if as_json:
        print_json(facts)
        return
    facts["versions_by_tag"] = [f"@{tag} -> {version}" for tag, version in facts["versions_by_tag"].items()]
    print_record([(column, facts[key]) for key, column in COLUMNS.items()])
