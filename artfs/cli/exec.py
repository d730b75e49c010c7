"""`artfs exec`: any command as an observed run."""

from __future__ import annotations

import click

from artfs.cli.printing import say
from artfs.cli.reporting import complain
from artfs.cli.session import Session

REFUSED, NOT_THERE = 126, 127
"""What a shell ends with when it cannot run a program."""


@click.command("exec", context_settings={"ignore_unknown_options": True})
@click.option("--name", help="The pipeline that the run belongs to.  [default: the script's or program's name]")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def exec_command(context: click.Context, name: str | None, command: tuple[str, ...]) -> None:
    """Run COMMAND, and record what it read from a mount and what it wrote there.

    Versions that it read become the inputs of a run, drafts that it wrote its outputs: they are versions when this
    returns, if the command ended well. Signals are passed on to the command. Ends with the command's own exit code,
    as a shell tells it: 128 + N for signal N, 127 if there is no such program, 126 if it cannot be run.
    """
    from artfs.errors import ProgramRefused, SourceNotFound
    from artfs.pipelines.run.command import run_command

    session = context.find_object(Session)
    assert session is not None
    session.home.create()
    with session.workspace() as workspace:
        try:
            result = run_command(workspace, command, name)
        except (SourceNotFound, ProgramRefused) as error:
            complain(str(error))
            context.exit(NOT_THERE if isinstance(error, SourceNotFound) else REFUSED)
    for line in result.held:
        complain(line)
    say(f"run {result.run.pipeline}/{result.run.name}: {result.run.status}", err=True)
    context.exit(result.status)
