"""`scripts/bench pipelines`: the same pipelines with artfs and with ZenML, in one run.

Each script is a process of its own, and the libraries take turns; both keep what they write below the run's directory.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console

from benchmarks import pipeline_probes as probes
from benchmarks import report
from benchmarks.mount import BENCH, QUICK_NOTE
from benchmarks.report import Measure, Results, Target
from benchmarks.sdk import Library, artfs, zenml

MEASURES = (
    Measure("warm_run", "3 trivial steps, warm process", "ms", better="lower"),
    Measure("warm_cached", "the same, all cached", "ms", better="lower"),
    Measure("script_run", "3 trivial steps, whole script", "ms", better="lower"),
    Measure("script_cached", "the same, all cached", "ms", better="lower"),
    Measure("chain", "1,000 steps in a chain: each", "ms", better="lower"),
    Measure("chain_cached", "the same, all cached", "ms", better="lower"),
    Measure("wide", "1,000 steps side by side: each", "ms", better="lower"),
    Measure("wide_cached", "the same, all cached", "ms", better="lower"),
    Measure("listing_cold", "list 100 steps x 100 inputs, fresh mount", "ms", better="lower"),
    Measure("listing", "the same again", "ms", better="lower"),
)

TARGETS = (
    Target("artfs", "warm_run", 50, reference="zenml"),
    Target("artfs", "warm_cached", 50, reference="zenml"),
    Target("artfs", "script_run", 15, reference="zenml"),
    Target("artfs", "script_cached", 15, reference="zenml"),
    Target("artfs", "chain", 5),
    Target("artfs", "wide", 5),
    Target("artfs", "listing_cold", 100),
    Target("artfs", "listing", 100),
)

WARM_TURNS = 5


@dataclass(frozen=True)
class Sizes:
    """How many steps run, and how many steps with as many inputs each are listed."""

    many: int = 1_000
    listed: int = 100


FULL = Sizes()
QUICK = Sizes(many=10, listed=5)


@click.command("pipelines")
@click.option("--runs", type=click.IntRange(1), default=3, show_default=True, help="Rounds to take the medians of.")
@click.option("--quick", is_flag=True, help="Small sizes: to see that everything works, not to compare.")
@click.option("--without-zenml", is_flag=True, help="artfs alone.")
@click.option("--without-mount", is_flag=True, help="Leave out what needs FUSE.")
@click.option("--json", "print_json", is_flag=True, help="Print all figures as JSON.")
@click.option("--markdown", is_flag=True, help="Print the tables as Markdown.")
def command(runs: int, quick: bool, without_zenml: bool, without_mount: bool, print_json: bool, markdown: bool) -> None:
    """Time runs of pipelines with artfs and ZenML, in one run."""
    subjects = {"zenml": "ZenML", "artfs": "artfs"}
    results = Results(MEASURES, subjects, reference="artfs" if without_zenml else "zenml")
    BENCH.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pipelines-", dir=BENCH) as scratch:
        libraries = [artfs(Path(scratch))]
        if not without_zenml:
            libraries.append(zenml(Path(scratch)))
        measure(results, libraries, runs, QUICK if quick else FULL, without_mount)
    machine = report.machine_line(BENCH)
    if print_json:
        click.echo(json.dumps(report.as_json(results, TARGETS, {"machine": machine, "runs": runs}), indent=2))
        return
    rounds = "One round" if runs == 1 else f"Medians of {runs} rounds"
    notes = [
        machine,
        f"{rounds}; each of {WARM_TURNS} turns in a warm process counts.",
        "A whole script is timed from its start to its end, the interpreter's included.",
        *([QUICK_NOTE] if quick else []),
    ]
    report.print_report(results, TARGETS, "artfs", notes, markdown)


def measure(results: Results, libraries: list[Library], runs: int, sizes: Sizes, without_mount: bool) -> None:
    """Take all measurements, the libraries turn by turn."""
    with Console(stderr=True).status("starting") as status:
        for library in libraries:
            status.update(f"{library.name}: the first start, which makes its database, is not timed")
            library.run("python", written(library, "script", probes.SCRIPT), "cached")
        for number in range(runs):
            for library in libraries:
                status.update(f"run {number + 1} of {runs}: {library.name}")
                keep_figures(results, library, written(library, "warm", probes.WARM, turns=WARM_TURNS))
                for kind, name in (("run", "script_run"), ("cached", "script_cached")):
                    start = time.perf_counter()
                    library.run("python", written(library, "script", probes.SCRIPT), kind)
                    results.add(library.name, name, (time.perf_counter() - start) * 1e3)
            status.update(f"run {number + 1} of {runs}: artfs, {sizes.many:,} steps")
            keep_figures(results, libraries[0], written(libraries[0], "many", probes.MANY, count=sizes.many))
        if not without_mount:
            status.update("artfs: a run listed through the mount")
            script = written(libraries[0], "listing", probes.LISTING, turns=runs, listed=sizes.listed)
            keep_figures(results, libraries[0], script, "mount-point")


def written(library: Library, name: str, text: str, **values: int) -> Path:
    """A script in the library's directory."""
    path = library.home / f"{name}.py"
    for key, value in {"library": library.name, **values}.items():
        text = text.replace(f"{{{key}}}", str(value))
    path.write_text(text)
    return path


def keep_figures(results: Results, library: Library, script: Path, *arguments: str) -> None:
    """Run a script and keep the figures that it prints; a failure is a line among the problems."""
    try:
        output = library.run("python", script, *arguments)
    except click.ClickException as error:
        results.problem(error.message)
        return
    for line in output.splitlines():
        if line.startswith("["):
            results.add(*json.loads(line))
