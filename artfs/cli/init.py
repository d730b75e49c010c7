"""`artfs init`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from artfs.cli.printing import say
from artfs.cli.session import Session, pass_session
from artfs.workspace.modes import stores_of, wrong_modes

if TYPE_CHECKING:
    from artfs.workspace.workspace import Workspace

FORGOTTEN = "forget all versions"
"""What one has to type to begin anew where a home is."""


@click.command()
@click.option("--group", metavar="NAME", help="Share the home with all members of this group.")
@click.option(
    "--begin-anew",
    metavar="WORDS",
    is_flag=False,
    flag_value="",
    help=f"Where there is a home: move everything in it aside, and begin without versions. WORDS: '{FORGOTTEN}'.",
)
@click.pass_context
@pass_session
def init(session: Session, context: click.Context, group: str | None, begin_anew: str | None) -> None:
    """Make the home: the catalog and the default store.

    Where there is one already, nothing is changed, but with --group. The other commands that need a home say so;
    `mount` makes it. A home is for its owner alone unless it is shared.
    """
    if begin_anew is not None:
        _begin_anew(session, context, begin_anew)
        return
    existed = session.home.exists
    if group is None:
        session.home.create()
    else:
        session.home.share_with(group)
    with session.workspace() as workspace:
        artifacts = workspace.catalog.artifacts.count()
        if group is not None:
            _share_all(workspace)
    if existed and group is not None:
        say(f"{session.home.path} is shared with the group {group} now, with {artifacts} artifacts")
    elif existed:
        say(f"{session.home.path} is an artfs home already, with {artifacts} artifacts")
    else:
        say(f"made an artfs home at {session.home.path}")


def _begin_anew(session: Session, context: click.Context, words: str) -> None:
    session.home.existing()
    if words != FORGOTTEN:
        raise click.UsageError(
            f"All versions of {session.home.path} are moved aside then. If so, type: "
            f"artfs init --begin-anew '{FORGOTTEN}'",
            context,
        )
    from artfs.workspace.catalog_files import begin_anew

    aside = begin_anew(session.home)
    say(f"made a new artfs home at {session.home.path}; what was there before is in {aside}")


def _share_all(workspace: Workspace) -> None:
    """Give a home that was there all its files and folders the modes of one that is shared."""
    for wrong in wrong_modes(workspace.home, stores_of(workspace)):
        wrong.mend()
