"""Long lists: a page on a terminal, everything in a pipe, row by row."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from artfs.cli.printing import say

TERMINAL_PAGE = 100
"""Rows that a terminal is shown when nobody says how many."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How much of a list is wanted.

    Args:
        newest: how many of the newest; None for all.
    """

    newest: int | None

    def tell_rest(self, count: Callable[[], int], noun: str) -> None:
        """Say on a terminal what was left out, if something was. `count` counts the whole list."""
        if self.newest is None or not sys.stdout.isatty():
            return
        total = count()
        if total > self.newest:
            say(f"the newest {self.newest:,} of {total:,} {noun}; --all lists all of them", err=True)


def paged(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options `--limit` and `--all`, of which `wanted` makes what is wanted."""
    limit = click.option(
        "--limit",
        type=click.IntRange(min=1),
        help=f"Only so many, the newest.  [default: {TERMINAL_PAGE} on a terminal, all in a pipe and with --json]",
    )
    everything = click.option("--all", "everything", is_flag=True, help="All of them, also on a terminal.")
    return limit(everything(command))


def wanted(limit: int | None, everything: bool, as_json: bool) -> Wanted:
    """Return what `--limit` and `--all` ask for.

    Raises:
        click.UsageError: both are given.
    """
    if limit is not None and everything:
        raise click.UsageError("give --limit or --all, not both")
    if limit is None and not everything and not as_json and sys.stdout.isatty():
        return Wanted(TERMINAL_PAGE)
    return Wanted(limit)
