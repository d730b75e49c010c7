"""`artfs catalog`: the file that says what exists."""

from __future__ import annotations

from pathlib import Path

import click

from artfs.cli.lazy import Lazy, LazyGroup
from artfs.cli.printing import json_option, print_json, say
from artfs.cli.reporting import FAILED
from artfs.cli.session import Session, pass_session

ACCEPTED = "forget what is not listed"
"""What one has to type to give up versions that a restored catalog does not know."""

COMMANDS = {
    "backup": Lazy("artfs.cli.catalog:backup", "Copy the catalog into the new file FILE, while others go on working."),
    "restore": Lazy("artfs.cli.catalog:restore", "Put the backup FILE in the place of the catalog."),
    "check": Lazy(
        "artfs.cli.catalog:check", "Read the whole catalog, and say what is damaged or cannot be, one line each."
    ),
    "accept": Lazy("artfs.cli.catalog:accept", "Go on with an older catalog, without the versions it does not know."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def catalog() -> None:
    """Back up, check and restore the catalog, which says what exists."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@pass_session
def backup(session: Session, file: Path) -> None:
    """Copy the catalog into the new file FILE, while others go on working.

    The copy is the catalog as it is at one moment. Back up the stores after it: then all that it names is in them.
    """
    with session.workspace() as workspace:
        workspace.catalog.back_up(file)
    say(f"backed up {session.home.catalog_path} to {file}")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@pass_session
def restore(session: Session, file: Path) -> None:
    """Put the backup FILE in the place of the catalog.

    Unmount first. The catalog that was there is kept beside it. Where the stores hold newer versions than FILE knows,
    numbers go on after those, and nothing is removed until the newer catalog is back or `artfs catalog accept` gives
    them up.
    """
    from artfs.workspace.catalog_files import restore as put_back

    session.home.existing()
    before = put_back(session.home, file)
    with session.workspace() as workspace:
        artifacts = workspace.catalog.artifacts.count()
    kept = f"; the one before is {before}" if before is not None else ""
    say(f"restored {session.home.catalog_path} with {artifacts} artifacts{kept}")


@click.command()
@json_option
@click.pass_context
@pass_session
def check(session: Session, context: click.Context, as_json: bool) -> None:
    """Read the whole catalog, and say what is damaged or cannot be, one line each.

    It takes about a minute for a million versions; others go on working. The exit code is 1 if anything was found:
    restore a backup then (artfs catalog restore). Whether files are as the catalog says is looked at by artfs verify.
    """
    with session.workspace() as workspace:
        found = workspace.catalog.check()
    if as_json:
        print_json(found)
    else:
        for line in found:
            say(line)
        if not found:
            say(f"{session.home.catalog_path} is sound")
    if found:
        context.exit(FAILED)


@click.command()
@click.argument("words", required=False)
@click.pass_context
@pass_session
def accept(session: Session, context: click.Context, words: str | None) -> None:
    """Go on with an older catalog, without the versions it does not know.

    `artfs gc` and prune work again. Those versions stay in their stores, unlisted, where they have a manifest; the
    files of the others are garbage then.
    """
    if words != ACCEPTED:
        raise click.UsageError(
            "The versions that this catalog does not know are lost then. If so, type: "
            f"artfs catalog accept '{ACCEPTED}'",
            context,
        )
    from artfs.home.older_catalog import catch_up, give_up

    with session.workspace() as workspace:
        catch_up(workspace.catalog, workspace.stores)
        stores = give_up(workspace.catalog, workspace.stores, workspace.user)
    say(f"{stores} stores knew of versions that are given up" if stores else "the catalog is not an older one")
