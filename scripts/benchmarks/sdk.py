"""`scripts/bench sdk`: the same uses of artfs and of ZenML from Python and the command line, in one run.

Each probe is a process of its own, and the libraries take turns. ZenML lives in a virtual environment below the ignored
`.bench/`, with configuration and data below the run's directory; its analytics are off, and its proxy settings lead
nowhere, so that nothing leaves the machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import click
from rich.console import Console

from benchmarks import report, sdk_probes
from benchmarks.mount import BENCH, QUICK_NOTE
from benchmarks.report import Measure, Results, Target

ZENML = "zenml[local]"
SETUP_SECONDS = 900.0
PROBE_SECONDS = 1_800.0

MEASURES = (
    Measure("import", "import", "ms", better="lower"),
    Measure("import_verbs", "import with save and load", "ms", better="lower"),
    Measure("heavy_imports", "heavy libraries it imports", "", better="lower"),
    Measure("client", "import, client, active stack", "ms", better="lower"),
    Measure("small_save", "small dict: save, warm process", "ms", better="lower"),
    Measure("small_load", "small dict: load, warm process", "ms", better="lower"),
    Measure("fsync", "one fsync of a small file", "ms", better="lower"),
    Measure("array_save", "array of 100 MB: save", "ms", better="lower"),
    Measure("array_load", "array of 100 MB: first load", "ms", better="lower"),
    Measure("array_load_again", "array of 100 MB: load again", "ms", better="lower"),
    Measure("array_load_sum", "array of 100 MB: load again and sum", "ms", better="lower"),
    Measure("zip", "array of 100 MB: download as zip", "ms", better="lower"),
    Measure("register", "register 1,000 files, 100 MB", "ms", better="lower"),
    Measure("versions", "make the versions", "s", better="lower"),
    Measure("list", "list the versions", "ms", better="lower"),
    Measure("newest", "newest of the versions", "ms", better="lower"),
    Measure("cli_list", "artifact list", "ms", better="lower"),
    Measure("large_newest", "large catalog: newest version", "ms", better="lower"),
    Measure("large_page_metadata", "large catalog: page by artifact and metadata", "ms", better="lower"),
    Measure("large_page_type", "large catalog: page by type, newest first", "ms", better="lower"),
    Measure("large_page_tag", "large catalog: page by tag, newest first", "ms", better="lower"),
    Measure("large_plan", "large catalog: plan of prune", "s", better="lower"),
)

TARGETS = (
    Target("artfs", "import", 120),
    Target("artfs", "import_verbs", 120),
    Target("artfs", "heavy_imports", 0),
    Target("artfs", "small_save", 15, reference="zenml"),
    Target("artfs", "small_load", 15, reference="zenml"),
    Target("artfs", "array_save", 1 / 1.2, reference="numpy"),
    Target("artfs", "array_save", 1 / 1.2, reference="numpy_fsync"),
    Target("artfs", "array_load", 1 / 1.1, reference="numpy"),
    Target("artfs", "array_load_again", 1 / 1.1, reference="numpy"),
    Target("artfs", "zip", 5, reference="zenml"),
    Target("artfs", "register", 250),
    Target("artfs", "versions", 20, reference="zenml"),
    Target("artfs", "list", 50, reference="zenml"),
    Target("artfs", "cli_list", 15, reference="zenml"),
    Target("artfs", "large_newest", 1),
    Target("artfs", "large_page_metadata", 20),
    Target("artfs", "large_page_type", 20),
    Target("artfs", "large_page_tag", 20),
    Target("artfs", "large_plan", 10),
)


@dataclass(frozen=True)
class Library:
    """What is compared, and how its programs are started; `home` keeps all that it writes."""

    name: str
    programs: Path
    home: Path
    settings: dict[str, str] = field(default_factory=dict)

    def run(self, *argv: str | Path) -> str:
        """Run one of its programs and return what it prints; a failure is a ClickException of one line."""
        environment = {**os.environ, **self.settings}
        done = subprocess.run(
            [self.programs / argv[0], *argv[1:]],
            env=environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
        if done.returncode:
            said = (done.stderr.strip() or f"ended with {done.returncode}").splitlines()[-1]
            raise click.ClickException(f"{self.name}, {' '.join(map(str, argv[1:]))}: {said}")
        return done.stdout

    def probe(self, results: Results, probe: str, sizes: str, number: int = 0) -> None:
        """Run a probe in a process of its own and keep its figures."""
        try:
            output = self.run("python", sdk_probes.__file__, probe, self.name, self.home, sizes, str(number))
        except click.ClickException as error:
            results.problem(error.message)
            return
        for line in output.splitlines():
            if line.startswith("["):
                results.add(*json.loads(line))

    def time_command(self, results: Results, measure: str, *argv: str) -> None:
        """Time a whole command, from its start to its end."""
        start = time.perf_counter()
        self.run(*argv)
        results.add(self.name, measure, (time.perf_counter() - start) * 1e3)


@click.command("sdk")
@click.option("--runs", type=click.IntRange(1), default=3, show_default=True, help="Rounds to take the medians of.")
@click.option("--quick", is_flag=True, help="Small sizes: to see that everything works, not to compare.")
@click.option("--without-zenml", is_flag=True, help="artfs and numpy alone.")
@click.option("--json", "print_json", is_flag=True, help="Print all figures as JSON.")
@click.option("--markdown", is_flag=True, help="Print the tables as Markdown.")
def command(runs: int, quick: bool, without_zenml: bool, print_json: bool, markdown: bool) -> None:
    """Time saving, loading, registering and listing with artfs, ZenML and numpy, in one run."""
    sizes = "quick" if quick else "full"
    versions, large = sdk_probes.SIZES[sizes].versions, sdk_probes.SIZES[sizes].large_versions
    subjects = {"zenml": "ZenML", "artfs": "artfs", "numpy": "np.save / np.load", "numpy_fsync": "np.save + fsync"}
    results = Results(MEASURES, subjects, reference="numpy" if without_zenml else "zenml")
    BENCH.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="sdk-", dir=BENCH) as scratch:
        libraries = [artfs(Path(scratch))]
        if not without_zenml:
            libraries.append(zenml(Path(scratch)))
            subjects["zenml"] = "ZenML " + libraries[-1].run("python", "-c", _VERSION).strip()
        measure(results, libraries, runs, sizes)
    machine = report.machine_line(BENCH)
    if print_json:
        facts = {"machine": machine, "runs": runs, "versions": versions, "large": large}
        click.echo(json.dumps(report.as_json(results, TARGETS, facts), indent=2))
        return
    notes = [
        machine,
        f"{'One run' if runs == 1 else f'Medians of {runs} runs'}, each the median of several turns.",
        f"Once: {versions:,} versions, and a large catalog of {large:,} versions of {large // 100:,} artifacts.",
        "artfs's saves include digests and fsync; the first load of a file in a process compares every byte with its",
        "digest, later ones find that it was not written to. np.save does neither, np.save + fsync no digest; ZenML",
        "writes an array as a pickle by default.",
        "An array that artfs loads is a memory map: to load and sum it shows what reading it costs after that.",
        *([QUICK_NOTE] if quick else []),
    ]
    report.print_report(results, TARGETS, "artfs", notes, markdown)


def measure(results: Results, libraries: list[Library], runs: int, sizes: str) -> None:
    """Take all measurements, the libraries turn by turn."""
    with Console(stderr=True).status("starting") as status:
        for library in libraries:
            status.update(f"{library.name}: the first start, which makes its database, is not timed")
            library.probe(Results(MEASURES, {}, ""), "importing_client", sizes)
        for number in range(runs):
            for probe in ("importing", "importing_client", "small", "array", "folder"):
                for library in libraries:
                    status.update(f"run {number + 1} of {runs}: {library.name}, {probe}")
                    library.probe(results, probe, sizes, number)
        for library in libraries:
            status.update(f"{library.name}: many versions")
            library.probe(results, "versions", sizes)
        for _ in range(max(runs, 3)):
            for library in libraries:
                library.time_command(results, "cli_list", library.name, "artifact", "list")
        status.update("artfs: a large catalog")
        libraries[0].probe(results, "large_catalog", sizes)


def artfs(scratch: Path) -> Library:
    """This project, with a home of its own."""
    home = scratch / "artfs"
    home.mkdir()
    return Library("artfs", Path(sys.prefix) / "bin", home, {"ARTFS_HOME": str(home / "home")})


def zenml(scratch: Path) -> Library:
    """ZenML in its own virtual environment, which is made the first time."""
    home, environment = scratch / "zenml", BENCH / "zenml"
    home.mkdir()
    settings = {
        "ZENML_CONFIG_PATH": str(home / "config"),
        "ZENML_LOCAL_STORES_PATH": str(home / "stores"),
        "ZENML_ANALYTICS_OPT_IN": "false",
        "ZENML_LOGGING_VERBOSITY": "ERROR",
        "AUTO_OPEN_DASHBOARD": "false",
        "PYTHONWARNINGS": "ignore",
    }
    settings |= dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    library = Library("zenml", environment / "bin", home, settings)
    if not (environment / "installed").exists():
        with Console(stderr=True).status("installing ZenML"):
            subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True, timeout=SETUP_SECONDS)
            pip = environment / "bin" / "pip"
            subprocess.run([pip, "install", "--quiet", ZENML, "numpy"], check=True, timeout=SETUP_SECONDS)
        (environment / "installed").touch()
    return library


_VERSION = "from importlib.metadata import version; print(version('zenml'))"
