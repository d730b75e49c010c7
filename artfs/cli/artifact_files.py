"""`artfs artifact register`, `download`, `path` and `diff`: versions and files outside of artfs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from artfs.cli.printing import json_option, measuring, print_json, print_table, progress, say, size, text
from artfs.cli.selection import complete_artifact, complete_version, version_named
from artfs.cli.session import Session, pass_session

CHANGE_COLUMNS = [text("status"), text("kind"), text("path"), size("old bytes"), size("new bytes")]


def values(ctx: click.Context, param: click.Parameter, given: Iterable[str]) -> dict[str, Any]:
    """Return what `KEY=VALUE` arguments say: a value that is JSON, such as 0.5, is taken as that, else as text."""
    found: dict[str, Any] = {}
    for each in given:
        key, equals, value = each.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"'{each}' is not KEY=VALUE", ctx, param)
        try:
            found[key] = json.loads(value)
        except ValueError:
            found[key] = value
    return found


@click.command()
@click.argument("source", metavar="PATH")
@click.argument("name", shell_complete=complete_artifact)
@click.option("--version", "-v", "version_name", help="Name of the version.  [default: the next number]")
@click.option("--type", "artifact_type", help="What it is for, such as ModelArtifact.  [default: DataArtifact]")
@click.option("--tag", "-t", "tags", multiple=True, help="A tag for the version.")
@click.option("--metadata", "-m", multiple=True, metavar="KEY=VALUE", callback=values, help="A value to log for it.")
@json_option
@pass_session
def register(
    session: Session,
    source: str,
    name: str,
    version_name: str | None,
    artifact_type: str | None,
    tags: tuple[str, ...],
    metadata: dict[str, Any],
    as_json: bool,
) -> None:
    """Make a version of data that stays where it is.

    PATH is a file, a folder or a file:// URI. Every file is listed with its size and digest; nothing is copied, and
    nothing that artfs does removes the data. If it changes later, reading the version is an error that says so.
    """
    from artfs.artifacts.register import register as register_data
    from artfs.describe.versions import versions

    with session.workspace() as workspace:
        with measuring("measuring") as amounts:
            made = register_data(
                workspace,
                source,
                name,
                version=version_name,
                artifact_type=artifact_type,
                tags=tags,
                metadata=metadata,
                advance=amounts.advance,
                expect=amounts.expect,
            )
        facts = versions(workspace.catalog, [made])[0]
    if as_json:
        print_json(facts)
    else:
        say(f"{made.artifact}/{made.name}")


@click.command()
@click.argument("version", metavar="NAME[/VERSION]", shell_complete=complete_version)
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace a zip file, or files of the same names in a directory.")
@json_option
@pass_session
def download(session: Session, version: str, path: Path | None, overwrite: bool, as_json: bool) -> None:
    """Copy the files of a version into a directory or zip file.

    PATH is a directory, or ends in .zip; without it, a directory here that is named like the artifact. Every byte is
    compared with its digest on the way, and what PATH names appears when it is complete.
    """
    from artfs.artifacts.download import download as copy_out

    with session.workspace() as workspace:
        found = version_named(workspace.catalog, version, purged=False)
        with progress("downloading", found.bytes) as advance:
            target = copy_out(workspace, found, path or Path(found.artifact), overwrite=overwrite, advance=advance)
    if as_json:
        facts = {"artifact": found.artifact, "version": found.name, "files": found.files, "bytes": found.bytes}
        print_json({"path": str(target), **facts})
    else:
        say(str(target))


@click.command()
@click.argument("version", metavar="NAME[/VERSION]", shell_complete=complete_version)
@json_option
@pass_session
def path(session: Session, version: str, as_json: bool) -> None:
    """Print a local directory that holds the files of a version.

    It holds nothing else. Each file has been compared with its digest; they may be the store's or your own: read them,
    and never write to them. Only what is on another machine is copied. The directory stays for as long as the version.
    """
    from artfs.artifacts.native_path import native_path

    with session.workspace() as workspace:
        found = version_named(workspace.catalog, version, purged=False)
        directory = native_path(workspace, found)
    if as_json:
        facts = {"artifact": found.artifact, "version": found.name, "files": found.files, "bytes": found.bytes}
        print_json({"path": str(directory), **facts})
    else:
        say(str(directory))


@click.command()
@click.argument("old", metavar="NAME[/VERSION]", shell_complete=complete_version)
@click.argument("new", metavar="[NAME[/VERSION]]", required=False, shell_complete=complete_version)
@json_option
@pass_session
def diff(session: Session, old: str, new: str | None, as_json: bool) -> None:
    """List what was added, removed or changed between two versions.

    Without the second, the newest version of the same artifact is taken. Columns: status, kind, path, bytes before and
    after. What both versions share is not looked at, however large it is.
    """
    from artfs.artifacts.diff import diff as differences

    with session.workspace() as workspace:
        before = version_named(workspace.catalog, old, purged=False)
        after = version_named(workspace.catalog, new if new is not None else before.artifact, purged=False)
        found = list(differences(workspace, before, after))
    if as_json:
        keys = ("path", "status", "kind", "old_size", "new_size")
        print_json([{key: getattr(change, key) for key in keys} for change in found])
        return
    rows = [[each.status, each.kind, each.path, each.old_size, each.new_size] for each in found]
    print_table(CHANGE_COLUMNS, rows, empty="They do not differ.")
