"""`artfs doctor`."""

from __future__ import annotations

import click

from artfs.cli.checks import Level, all_checks, wrong_in
from artfs.cli.printing import json_option, print_json, say
from artfs.cli.reporting import FAILED
from artfs.cli.session import Session, pass_session

COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red"}


@click.command()
@json_option
@click.option("--fix", is_flag=True, help="First give the home's files the modes that they must have.")
@click.pass_context
@pass_session
def doctor(session: Session, context: click.Context, as_json: bool, fix: bool) -> None:
    """Look for whatever keeps artfs from working on this machine.

    Each line is ok, warn or fail, with what to do. The exit code is 1 if one is fail. Nothing is changed without --fix.
    """
    if fix and session.home.exists:
        for wrong in list(wrong_in(session.home)):
            wrong.mend()
    found = []
    for check in all_checks(session.home):
        found.append(check)
        if not as_json:
            advice = f"; {check.advice}" if check.advice else ""
            click.secho(check.level.ljust(4), nl=False, fg=COLOURS[check.level], bold=check.level is not Level.OK)
            say(f"  {check.name}: {check.message}{advice}")
    if as_json:
        keys = ("name", "level", "message", "advice")
        print_json([{key: getattr(check, key) for key in keys} for check in found])
    if any(check.level is Level.FAIL for check in found):
        context.exit(FAILED)
