"""`artfs artifact update`, `tag`, `metadata`, `delete`, and `artfs artifact version update` and `delete`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from artfs.cli.artifact_files import values
from artfs.cli.confirming import confirm, yes_option
from artfs.cli.printing import (
    json_option,
    json_value,
    print_json,
    print_record,
    progress,
    readable_count,
    readable_size,
    say,
    waiting,
)
from artfs.cli.selection import artifact_named, complete_artifact, complete_version, version_named
from artfs.cli.session import Session, pass_session
from artfs.enums import Granularity, Retention

if TYPE_CHECKING:
    from artfs.artifacts.sweep import Swept
    from artfs.catalog.versions import Version
    from artfs.workspace.workspace import Workspace

# Of members of an enum, click shows the Python names.
UNITS, RETENTIONS = [each.value for each in Granularity], [each.value for each in Retention]
add_tags_option = click.option("--tag", "-t", "add_tags", multiple=True, help="A tag to put on it.")
remove_tags_option = click.option("--remove-tag", "-r", "remove_tags", multiple=True, help="A tag to take off.")
force_option = click.option("--force", is_flag=True, help="Also what runs use: they then show that it was removed.")


@click.command("update")
@click.argument("name", shell_complete=complete_artifact)
@click.option("--name", "-n", "new_name", help="Its new name.")
@add_tags_option
@remove_tags_option
@click.option("--unit", type=click.Choice(UNITS), help="What of its draft is one version: all of it, or each child.")
@click.option(
    "--retention",
    type=click.Choice(RETENTIONS),
    help="Whether its oldest versions that the draft became by itself go when the disk is short of room, or stay.",
)
@json_option
@pass_session
def update_artifact(
    session: Session,
    name: str,
    new_name: str | None,
    add_tags: tuple[str, ...],
    remove_tags: tuple[str, ...],
    unit: str | None,
    retention: str | None,
    as_json: bool,
) -> None:
    """Rename an artifact, or change its own tags or settings.

    Tags of versions are changed with `artfs artifact tag`. What is tagged, pinned or read by a run never goes for room.
    """
    from artfs.artifacts.update import update_artifact as update

    with session.workspace() as workspace:
        found = artifact_named(workspace.catalog, name)
        changed = update(
            workspace,
            found,
            new_name=new_name,
            add_tags=add_tags,
            remove_tags=remove_tags,
            unit=unit,
            retention=retention,
        )
        tags = list(workspace.catalog.tags.of_artifact(changed.id))
        settings = workspace.catalog.settings.of([changed.id]).get(changed.id, {})
    if as_json:
        print_json({"name": changed.name, "tags": tags, "settings": settings})
    else:
        chosen = [f"{name} = {value}" for name, value in sorted(settings.items())]
        say("; ".join([f"{changed.name}: {', '.join(tags) or 'no tags'}", *chosen]))


@click.command("update")
@click.argument("version", metavar="NAME[/VERSION]", shell_complete=complete_version)
@add_tags_option
@remove_tags_option
@click.option("--type", "artifact_type", help="What it is for, such as ModelArtifact.")
@click.option("--pin", metavar="REASON", help="Keep it from being removed.")
@click.option("--unpin", is_flag=True, help="Let it be removed again.")
@json_option
@pass_session
def update_version(
    session: Session,
    version: str,
    add_tags: tuple[str, ...],
    remove_tags: tuple[str, ...],
    artifact_type: str | None,
    pin: str | None,
    unpin: bool,
    as_json: bool,
) -> None:
    """Change the tags, type or pin of a version."""
    from artfs.artifacts.update import update_version as update

    with session.workspace() as workspace:
        changed = update(
            workspace,
            version_named(workspace.catalog, version, purged=False),
            add_tags=add_tags,
            remove_tags=remove_tags,
            artifact_type=artifact_type,
            pin=pin,
            unpin=unpin,
        )
        _tell_version(workspace, changed, as_json=as_json)


@click.command()
@click.argument("version", metavar="NAME[/VERSION]", shell_complete=complete_version)
@click.argument("tags", nargs=-1)
@remove_tags_option
@click.option("--exclusive", is_flag=True, help="At most one version of an artifact carries these tags: they move.")
@json_option
@pass_session
def tag(
    session: Session, version: str, tags: tuple[str, ...], remove_tags: tuple[str, ...], exclusive: bool, as_json: bool
) -> None:
    """Put tags on a version, take them off, or list them.

    Without TAGS its tags are listed. NAME/@TAG then names the newest version of an artifact that carries a tag, and
    `prune` keeps what is tagged.
    """
    from artfs.artifacts.update import update_version as update

    with session.workspace() as workspace:
        found = version_named(workspace.catalog, version, purged=False)
        with workspace.catalog.transaction():
            for name in tags if exclusive else ():
                workspace.catalog.tags.set_exclusive(name, True)
            update(workspace, found, add_tags=tags, remove_tags=remove_tags)
        _tell_version(workspace, found, as_json=as_json)


@click.command()
@click.argument("version", metavar="NAME[/VERSION]", shell_complete=complete_version)
@click.argument("logged", metavar="[KEY=VALUE]...", nargs=-1, callback=values)
@json_option
@pass_session
def metadata(session: Session, version: str, logged: dict[str, Any], as_json: bool) -> None:
    """Log values about a version, or show what was logged.

    A VALUE that is JSON, such as 0.97 or true, is logged as that, all else as text. A key that was logged before gets
    the new value; the old one stays in its history.
    """
    from artfs.artifacts.metadata import log

    with session.workspace() as workspace:
        found = version_named(workspace.catalog, version, purged=not logged)
        if logged:
            log(workspace, found, logged)
        known = workspace.catalog.metadata.get(found.id)
    if as_json:
        print_json(known)
    elif known:
        print_record([(json_value(key), value) for key, value in known.items()])


@click.command("delete")
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=complete_artifact)
@force_option
@yes_option
@json_option
@pass_session
def delete_artifact(session: Session, names: tuple[str, ...], force: bool, yes: bool, as_json: bool) -> None:
    """Remove artifacts with all of their versions.

    Tombstones stay, so that lineage stays true and no number is used again. Data registered in place stays where it is.
    """
    from artfs.artifacts.delete import check_removable
    from artfs.artifacts.delete import delete_artifact as remove

    with session.workspace() as workspace:
        catalog = workspace.catalog
        found = [artifact_named(catalog, name) for name in dict.fromkeys(names)]
        for each in found:
            check_removable(workspace, catalog.versions.list(each.id), force=force)
        versions = sum(catalog.versions.count(each.id) for each in found)
        what = f"'{found[0].name}'" if len(found) == 1 else f"{len(found)} artifacts"
        confirm(f"Remove {what} with {readable_count(versions, 'version')}?", yes=yes)
        with waiting(f"removing {what}") as tell:
            removed = {}
            for each in found:
                tell(f"removing '{each.name}'")
                removed[each.name] = remove(workspace, each, force=force)
        _tell_removed(removed, as_json=as_json)


@click.command("delete")
@click.argument("names", metavar="NAME/VERSION...", nargs=-1, required=True, shell_complete=complete_version)
@force_option
@yes_option
@json_option
@pass_session
def delete_version(session: Session, names: tuple[str, ...], force: bool, yes: bool, as_json: bool) -> None:
    """Remove versions, and the bytes that only they need.

    Each leaves a tombstone, so that lineage stays true and its number is not used again. What a run uses is removed
    only by force, and what is pinned not at all. Data registered in place stays where it is.
    """
    from artfs.artifacts.delete import check_removable
    from artfs.artifacts.delete import delete_version as remove

    with session.workspace() as workspace:
        if bare := [name for name in names if "/" not in name and workspace.catalog.artifacts.get(name)]:
            raise click.UsageError(
                f"'{bare[0]}' is an artifact: name the version, as in {bare[0]}/1; 'artfs artifact delete' removes all"
            )
        found = {each.id: each for each in (version_named(workspace.catalog, name, purged=False) for name in names)}
        check_removable(workspace, list(found.values()), force=force)
        shown = [each.shown_name for each in found.values()]
        confirm(f"Remove {shown[0] if len(shown) == 1 else f'{len(shown)} versions'}?", yes=yes)
        removed = {}
        with progress("removing", len(found), "versions") as advance:
            for name, each in zip(shown, found.values(), strict=True):
                removed[name] = remove(workspace, each, force=force)
                advance(1)
        _tell_removed(removed, as_json=as_json)


def _tell_version(workspace: Workspace, version: Version, *, as_json: bool) -> None:
    from artfs.describe.versions import versions

    (facts,) = versions(workspace.catalog, [version])
    if as_json:
        print_json(facts)
    else:
        say(f"{version.shown_name}: {', '.join(facts['tags']) or 'no tags'}")


def _tell_removed(removed: Mapping[str, Swept], *, as_json: bool) -> None:
    if as_json:
        keys = ("files", "bytes", "kept_bytes")
        print_json([{"removed": name, **{key: getattr(each, key) for key in keys}} for name, each in removed.items()])
        return
    for name, swept in removed.items():
        kept = f"; a draft in a mount still needs {readable_size(swept.kept_bytes)}" if swept.kept_files else ""
        say(f"removed {name}, freed {readable_size(swept.bytes)}{kept}")
