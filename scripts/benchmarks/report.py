"""Figures of several runs, and the tables made of them: medians, ratios to a reference, targets met or not.

Every benchmark fills a `Results` and prints it with `print_report` or `as_json`.
"""

from __future__ import annotations

import datetime
import getpass
import os
import platform
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import psutil
from rich import box
from rich.console import Console
from rich.table import Table

PLAIN_WIDTH = 150  # columns when the output is not a terminal, so that no table is folded


@dataclass(frozen=True)
class Measure:
    """What is measured, in which unit, and which way is better."""

    key: str
    title: str
    unit: str
    better: Literal["higher", "lower"] = "higher"

    def ratio(self, value: float, reference: float) -> float:
        """How many times as good `value` is as `reference`: above 1 is better, whichever way the unit goes."""
        above, below = (value, reference) if self.better == "higher" else (reference, value)
        return above / below if below else float("inf")


@dataclass(frozen=True)
class Target:
    """A bound on a subject's median: `limit` itself, or `limit` times as good as the median of `reference`."""

    subject: str
    measure: str
    limit: float
    reference: str | None = None
    not_judged: str | None = None  # why this run cannot say, if it cannot


@dataclass(frozen=True)
class Verdict:
    """A target beside what was measured; `met` is None when nothing was measured or the run cannot say."""

    measure: Measure
    wanted: str
    measured: str
    met: bool | None
    remark: str = ""


@dataclass
class Results:
    """The figures of all runs, by subject and measure, and what went wrong.

    The subjects map keys to titles, in the order of the columns; `reference` is the one that ratios refer to.
    """

    measures: Sequence[Measure]
    subjects: dict[str, str]
    reference: str
    figures: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add(self, subject: str, measure: str, figure: float) -> None:
        """Note the figure of one run."""
        self.figures.setdefault((subject, measure), []).append(figure)

    def problem(self, line: str) -> None:
        """Note what could not be measured and why; the same line is kept once."""
        if line not in self.problems:
            self.problems.append(line)

    def median(self, subject: str, measure: str) -> float | None:
        """The median over the runs, None when no run has a figure."""
        figures = self.figures.get((subject, measure))
        return statistics.median(figures) if figures else None

    def ratio(self, measure: Measure, subject: str, reference: str) -> float | None:
        """How many times as good the subject's median is as the reference's, None when either is missing."""
        value, other = self.median(subject, measure.key), self.median(reference, measure.key)
        return None if value is None or other is None else measure.ratio(value, other)

    def measured_subjects(self) -> list[str]:
        """The subjects with at least one figure, in order."""
        return [subject for subject in self.subjects if any(subject == have for have, _ in self.figures)]

    def judge(self, target: Target) -> Verdict:
        """Compare a target with the medians."""
        measure = next(measure for measure in self.measures if measure.key == target.measure)
        bound = "at least" if measure.better == "higher" else "at most"
        median = self.median(target.subject, target.measure)
        if target.reference is None:
            wanted = f"{bound} {number(target.limit)} {measure.unit}"
            measured = "-" if median is None else f"{number(median)} {measure.unit}"
            met = None if median is None else measure.ratio(median, target.limit) >= 1
        else:
            ratio = self.ratio(measure, target.subject, target.reference)
            wanted = f"at least {number(target.limit)} of {target.reference}"
            measured = "-" if ratio is None else f"{number(ratio)} of {target.reference}"
            met = None if ratio is None else ratio >= target.limit
        if target.not_judged:
            return Verdict(measure, wanted, measured, None, target.not_judged)
        return Verdict(measure, wanted, measured, met)


def number(value: float) -> str:
    """Three significant digits or all before the point: 12,345 and 61.2 and 0.0123."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 1e-3 else f"{value:.1g}"


def machine_line(directory: Path) -> str:
    """The class of this machine in one line, with the file system that holds `directory`."""
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{os.cpu_count()} x {_processor()}, {memory:.0f} GiB RAM, Linux {platform.release()}, "
        f"{file_system(directory)}, Python {platform.python_version()}, "
        f"user {getpass.getuser()}, {datetime.datetime.now(datetime.UTC).date().isoformat()}"
    )


def file_system(directory: Path) -> str:
    """The type of the file system that holds a directory, such as ext4."""
    resolved = directory.resolve()
    holders = [part for part in psutil.disk_partitions(all=True) if resolved.is_relative_to(part.mountpoint)]
    return str(max(holders, key=lambda part: len(part.mountpoint)).fstype) if holders else "unknown file system"


def as_json(results: Results, targets: Sequence[Target], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that the tables show and the figure of every run, for `--json`."""
    return {
        **facts,
        "reference": results.reference,
        "measures": [vars(measure) for measure in results.measures],
        "results": [
            {
                "subject": subject,
                "title": results.subjects[subject],
                "measure": measure.key,
                "unit": measure.unit,
                "median": results.median(subject, measure.key),
                "ratio": results.ratio(measure, subject, results.reference),
                "runs": results.figures[subject, measure.key],
            }
            for subject in results.measured_subjects()
            for measure in results.measures
            if (subject, measure.key) in results.figures
        ],
        "targets": [
            {"measure": v.measure.key, "wanted": v.wanted, "measured": v.measured, "met": v.met, "remark": v.remark}
            for v in map(results.judge, targets)
        ],
        "problems": results.problems,
    }


def print_report(
    results: Results, targets: Sequence[Target], subject: str, notes: Sequence[str], markdown: bool = False
) -> None:
    """Print the medians with their ratios to the reference, `subject` against every other, the targets, the notes."""
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH, highlight=False)
    style = box.MARKDOWN if markdown else box.SIMPLE_HEAD
    tables = [_medians_table(results)]
    if subject in results.measured_subjects():
        tables.append(_comparison_table(results, subject))
        tables.append(_targets_table(results, targets))
    for table in tables:
        console.print(f"\n{table.title}\n", style="bold")
        table.title, table.box = None, style
        console.print(table)
    for line in (*notes, *results.problems):
        console.print(f"- {line}", markup=False)


def _medians_table(results: Results) -> Table:
    table = Table(title=f"Medians, and in brackets how many times as good as {results.reference}")
    table.add_column("")
    for subject in results.measured_subjects():
        table.add_column(results.subjects[subject], justify="right")
    for measure in results.measures:
        row = []
        for subject in results.measured_subjects():
            ratio = None if subject == results.reference else results.ratio(measure, subject, results.reference)
            row.append(_cell(results.median(subject, measure.key), ratio))
        if any(row):
            table.add_row(f"{measure.title}, {measure.unit}", *row)
    return table


def _comparison_table(results: Results, subject: str) -> Table:
    others = [other for other in results.measured_subjects() if other != subject]
    table = Table(title=f"{subject} is how many times as good as")
    table.add_column("")
    for other in others:
        table.add_column(results.subjects[other], justify="right")
    for measure in results.measures:
        row = [_cell(results.ratio(measure, subject, other)) for other in others]
        if any(row):
            table.add_row(measure.title, *row)
    return table


def _targets_table(results: Results, targets: Sequence[Target]) -> Table:
    table = Table(title="Targets")
    table.add_column("")
    table.add_column("wanted")
    table.add_column("measured", justify="right")
    table.add_column("")
    for verdict in map(results.judge, targets):
        word = {True: "[green]met[/]", False: "[red]not met[/]", None: "not judged"}[verdict.met]
        remark = f": {verdict.remark}" if verdict.remark else ""
        table.add_row(verdict.measure.title, verdict.wanted, verdict.measured, word + remark)
    return table


def _cell(value: float | None, ratio: float | None = None) -> str:
    if value is None:
        return ""
    return number(value) if ratio is None else f"{number(value)} ({number(ratio)})"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
