"""What commands print: tables for people, tab-separated lines for pipes, JSON for scripts, progress for the patient.

On a terminal a table has a head and readable sizes and times. In a pipe it has neither: one row a line, tabs between,
sizes in bytes, times in ISO 8601 UTC, so that `cut`, `sort` and `awk` need no options.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from artfs.describe.plain import plain
from artfs.text.printable import printable

if TYPE_CHECKING:
    from rich.progress import Progress

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of a table.

    Args:
        title: its head.
        shown: the text of a value for people.
        plain: the text of a value for programs.
        right: whether it is aligned to the right.
    """

    title: str
    shown: Callable[[Any], str] = str
    plain: Callable[[Any], str] = str
    right: bool = False


def text(title: str) -> TableColumn:
    """A column of texts; None is empty."""
    return TableColumn(title, _optional(str), _optional(str))


def json_value(title: str) -> TableColumn:
    """A column of values of metadata: texts as they are, all else as JSON, as it can be logged again."""
    return TableColumn(title, _as_logged, _as_logged)


def count(title: str) -> TableColumn:
    """A column of whole numbers."""
    return TableColumn(title, _optional(lambda value: f"{value:,}"), _optional(str), right=True)


def size(title: str) -> TableColumn:
    """A column of numbers of bytes."""
    return TableColumn(title, _optional(readable_size), _optional(str), right=True)


def moment(title: str) -> TableColumn:
    """A column of times, in ISO 8601."""
    return TableColumn(title, _optional(readable_time), _optional(str))


def took(title: str) -> TableColumn:
    """A column of durations in seconds."""
    shown = _optional(readable_duration)
    return TableColumn(title, shown, shown)


def listed(title: str) -> TableColumn:
    """A column of lists of texts."""
    return TableColumn(title, ", ".join, ",".join)


def yes_no(title: str) -> TableColumn:
    """A column of answers."""
    answer = _optional(lambda value: "yes" if value else "no")
    return TableColumn(title, answer, answer)


def say(line: str = "", *, err: bool = False, **style: Any) -> None:
    """Print a line, of printable characters alone, whatever is in it: no name or value is obeyed by a terminal.

    Args:
        line: what to say.
        err: on standard error.
        style: as for `click.style`.
    """
    click.secho(printable(line), err=err, **style)


def print_text(lines: str) -> None:
    """Print a text of lines as it is, but for what a terminal would obey."""
    click.echo(printable(lines, keep="\n"), nl=False)


def print_table(columns: Sequence[TableColumn], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """Print rows; in a pipe each as soon as it is there, however many there are.

    Args:
        columns: what the values of a row are.
        rows: one value a column each.
        empty: said on a terminal when there are no rows.
    """
    if not sys.stdout.isatty():
        for row in rows:
            values = (column.plain(value) for column, value in zip(columns, row, strict=True))
            sys.stdout.write("\t".join(map(printable, values)) + "\n")  # many: click.echo would flush each
        sys.stdout.flush()
    elif all_rows := list(rows):
        _print_rich(columns, all_rows)
    else:
        click.echo(empty)


def print_described(columns: Mapping[str, TableColumn], things: Iterable[Mapping[str, Any]], *, empty: str) -> None:
    """Print a table of things as `artfs.describe` describes them.

    Args:
        columns: by key, in order.
        things: a description each.
        empty: said on a terminal when there are none.
    """
    print_table(list(columns.values()), ([thing[key] for key in columns] for thing in things), empty=empty)


def print_record(properties: Sequence[tuple[TableColumn, Any]]) -> None:
    """Print one thing, a line a property; those without a value are left out on a terminal."""
    on_terminal = sys.stdout.isatty()
    # Titles too: they may be keys of metadata.
    titles = [printable(column.title) for column, _ in properties]
    width = max(map(len, titles))
    for title, (column, value) in zip(titles, properties, strict=True):
        shown = printable(column.shown(value) if on_terminal else column.plain(value))
        if not on_terminal:
            click.echo(f"{title}\t{shown}")
        elif shown:
            click.echo(f"{click.style(title.ljust(width), bold=True)}  {shown}")


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(plain(value), indent=2))


def print_json_list(values: Iterable[Any]) -> None:
    """Print a list as JSON, one value a line, each as soon as it is there."""
    before = "[\n  "
    for value in values:
        sys.stdout.write(before + json.dumps(plain(value)))
        before = ",\n  "
    click.echo("[]" if before.startswith("[") else "\n]")


def readable_size(bytes_: int) -> str:
    """Return a number of bytes for people, for example `1.5 GiB`."""
    import humanize

    return humanize.naturalsize(bytes_, binary=True)


def readable_count(number: int, noun: str) -> str:
    """Return how many, for people: `1 version`, `2,000 versions`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def readable_time(time: str) -> str:
    """Return a time in ISO 8601 for people, in the time zone at hand."""
    return datetime.fromisoformat(time).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def readable_duration(seconds: float) -> str:
    """Return how long something took, for people: `3 min 5 s`."""
    from artfs.lineage.labels import lasting

    return lasting(max(seconds, 0))


@dataclass(frozen=True, slots=True)
class Amounts:
    """How far some work is, of which nobody knows yet how much there is; functions for any thread to call.

    Args:
        expect: say that there is so much more to do.
        advance: say that so much was done.
    """

    expect: Callable[[int], None]
    advance: Callable[[int], None]


@contextmanager
def measuring(label: str) -> Iterator[Amounts]:
    """Show on a terminal how far some work on bytes is, from its first moment on; silent elsewhere."""
    if not sys.stderr.isatty():
        yield Amounts(lambda found: None, lambda done: None)
        return
    with _bar("bytes") as bar:
        task = bar.add_task(printable(label), total=None)
        lock, total = threading.Lock(), 0

        def expect(found: int) -> None:
            nonlocal total
            with lock:
                total += found
                bar.update(task, total=total)

        yield Amounts(expect, lambda done: bar.advance(task, done))


@contextmanager
def progress(label: str, total: int, unit: str = "bytes") -> Iterator[Callable[[int], None]]:
    """Show on a terminal how far some work is; silent elsewhere.

    Args:
        label: what is done.
        total: how much there is to do.
        unit: of what: `bytes`, or things that are counted.

    Yields:
        A function to call with how much was done since the last call.
    """
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    with _bar(unit) as bar:
        task = bar.add_task(printable(label), total=total)
        yield lambda done: bar.advance(task, done)


def _bar(unit: str) -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    in_bytes: tuple[ProgressColumn, ...] = (DownloadColumn(binary_units=True), TransferSpeedColumn())
    amount = in_bytes if unit == "bytes" else (MofNCompleteColumn(), TextColumn(unit))
    parts = (TextColumn("{task.description}", markup=False), BarColumn(), *amount, TimeRemainingColumn())
    return Progress(*parts, console=Console(stderr=True), transient=True)


@contextmanager
def waiting(label: str) -> Iterator[Callable[[str], None]]:
    """Show on a terminal what is waited for; silent elsewhere. Yields a function to call with a new text."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status(Text(printable(label))) as shown:
        yield lambda text: shown.update(Text(printable(text)))


def _print_rich(columns: Sequence[TableColumn], rows: Sequence[Sequence[Any]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column.title.upper(), justify="right" if column.right else "left", overflow="fold")
    for row in rows:
        # Text: a name may look like markup.
        table.add_row(*(Text(printable(column.shown(value))) for column, value in zip(columns, row, strict=True)))
    Console().print(table)


def _as_logged(value: object) -> str:
    found = plain(value)
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)


def _optional(function: Callable[[Any], str | None]) -> Callable[[Any], str]:
    return lambda value: "" if value is None else function(value) or ""
