"""`artfs verify`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from artfs.cli.printing import json_option, print_json, progress, readable_count, readable_size, say
from artfs.cli.reporting import FAILED, UNLISTED, complain
from artfs.cli.selection import complete_version, versions_named
from artfs.cli.session import Session, pass_session
from artfs.errors import StoreError

if TYPE_CHECKING:
    from artfs.catalog.versions import Version
    from artfs.workspace.workspace import Workspace


@click.command()
@click.argument("names", metavar="[NAME[/VERSION]]...", nargs=-1, shell_complete=complete_version)
@click.option("--all", "everything", is_flag=True, help="Verify all versions of all artifacts.")
@json_option
@click.pass_context
@pass_session
def verify(session: Session, context: click.Context, names: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """Read all bytes of versions again, and compare them with their digests.

    NAME alone means all versions of that artifact. Every damaged file is told on a line, and makes the exit code 1.
    """
    if bool(names) == everything:
        raise click.UsageError("Give artifacts or versions, or --all", context)
    from artfs.artifacts.verify import verify as find_damages

    with session.workspace() as workspace:
        catalog = workspace.catalog
        versions = catalog.versions.list() if everything else versions_named(catalog, names)
        folders = _folders(workspace, versions)
        unknown = list(_unlisted(workspace)) if everything else []
        total = sum(version.bytes for version in versions)
        damages = []
        with progress("verifying", total) as advance:
            for damage in find_damages(workspace, versions, advance):
                damages.append(damage)
                where = f"{damage.version}/{os.fsdecode(damage.path)}" if damage.path else damage.version
                what = "cannot be verified" if damage.unreachable else "damaged"
                complain(f"{where}: {what}: {f'{damage.place}: ' if damage.place else ''}{damage.reason}")
    notes = [note for version in versions for note in _notes(version)]
    for path in unknown:
        complain(f"{path}: {UNLISTED}")
    files = sum(version.files for version in versions)
    if as_json:
        print_json(
            {
                "versions": len(versions),
                "files": files,
                "bytes": total,
                "stores": folders,
                "unlisted": unknown,
                "not_self_contained": [each.shown_name for each in versions if not each.self_contained],
                "without_bytes": [each.shown_name for each in versions if _has_no_bytes(each)],
                "damages": [
                    {
                        "version": damage.version,
                        "path": os.fsdecode(damage.path),
                        "place": damage.place,
                        "reason": damage.reason,
                        "unreachable": damage.unreachable,
                    }
                    for damage in damages
                ],
            }
        )
    elif not damages:
        where = f", read in {', '.join(folders)}" if folders else ""
        what = f"{readable_count(len(versions), 'version')} with {readable_count(files, 'file')}"
        say(f"{what} and {readable_size(total)} {'is' if len(versions) == 1 else 'are'} intact{where}")
        for note in notes:
            say(note)
    if damages:
        context.exit(FAILED)


def _notes(version: Version) -> Iterator[str]:
    """What is no damage, and should be known all the same."""
    if _has_no_bytes(version):
        yield f"{version.shown_name}: there is not one byte in it: it has only links, empty files or folders"
    if not version.self_contained:
        yield f"{version.shown_name}: not self-contained: a link leads out of it, and what is there is not verified"


def _has_no_bytes(version: Version) -> bool:
    return version.tree_id is not None and version.bytes == 0


def _unlisted(workspace: Workspace) -> Iterator[str]:
    """The folders of versions that have a manifest, and that the catalog does not know."""
    from artfs.artifacts.orphans import unlisted

    for store in workspace.stores.local():
        try:
            yield from [store.place_path(folder) for _, folder in unlisted(store, workspace.catalog)]
        except StoreError:
            continue  # it cannot be used, and each of its versions says so


def _folders(workspace: Workspace, versions: Sequence[Version]) -> list[str]:
    """The roots of the stores that versions are in."""
    used = {version.store_id for version in versions}
    return [row.root for row in workspace.stores.rows() if row.id in used]
