"""`artfs init`."""

from __future__ import annotations

import click

from artfs.cli.printing import say
from artfs.cli.session import Session, pass_session


@click.command()
@pass_session
def init(session: Session) -> None:
    """Make the home: the catalog and the default store.

    Where there is one already, nothing is changed. The other commands that need a home say so; `mount` makes it.
    """
    existed = session.home.exists
    session.home.create()
    with session.workspace() as workspace:
        artifacts = workspace.catalog.artifacts.count()
    if existed:
        say(f"{session.home.path} is an artfs home already, with {artifacts} artifacts")
    else:
        say(f"made an artfs home at {session.home.path}")
