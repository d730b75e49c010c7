"""Asking before something is removed."""

from __future__ import annotations

import sys

import click

from artfs.text.printable import printable

yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask.")


def confirm(question: str, *, yes: bool) -> None:
    """Go on only if the user agrees, or has agreed beforehand.

    Raises click.UsageError where there is nobody to ask.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask on: give --yes", click.get_current_context(silent=True))
    click.confirm(printable(question), abort=True, err=True)
