"""`artfs run`."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from artfs.cli.confirming import confirm
from artfs.cli.lazy import Lazy, LazyGroup
from artfs.cli.lineage import COLOURS
from artfs.cli.paging import paged, wanted
from artfs.cli.printing import (
    TableColumn,
    json_option,
    moment,
    print_described,
    print_json,
    print_json_list,
    say,
    text,
    took,
)
from artfs.cli.selection import catalog_to_complete
from artfs.cli.session import Session, pass_session
from artfs.errors import InvalidValue, RunNotFound
from artfs.runs import find_run

if TYPE_CHECKING:
    from artfs.catalog import Catalog
    from artfs.catalog.lineage import StepFacts
    from artfs.workspace.workspace import Workspace

COMMANDS = {
    "list": Lazy("artfs.cli.run:list_", "List runs, of one pipeline or of all, oldest first."),
    "show": Lazy(
        "artfs.cli.run:show", "Draw a run as a tree of its steps, with their status, duration, inputs and outputs."
    ),
    "explain": Lazy("artfs.cli.run_explain:explain", "Say why steps ran or were cached: what changed."),
    "delete": Lazy("artfs.cli.run:delete", "Forget runs, with their steps, logs and what was logged for them."),
}

COLUMNS: dict[str, TableColumn] = {
    "pipeline": text("pipeline"),
    "run": text("run"),
    "status": text("status"),
    "kind": text("kind"),
    "started": moment("started"),
    "seconds": took("took"),
    "id": text("id"),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def run() -> None:
    """Look at runs of pipelines and programs."""


def complete_run(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete PIPELINE/RUN: first the pipeline, then its runs."""
    with catalog_to_complete(context) as catalog:
        names = _names(catalog, incomplete) if catalog else []
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


@click.command("list")
@click.argument("pipeline", required=False)
@paged
@json_option
@pass_session
def list_(session: Session, pipeline: str | None, limit: int | None, everything: bool, as_json: bool) -> None:
    """List runs, of one pipeline or of all, oldest first.

    Columns: pipeline, run, status, kind, when it began, how long it took, id.
    """
    from artfs.describe.runs import runs

    part = wanted(limit, everything, as_json)
    with session.workspace() as workspace:
        _close_dead(workspace)
        catalog = workspace.catalog
        found = catalog.runs.pipeline(pipeline) if pipeline is not None else None
        if pipeline is not None and found is None:
            raise RunNotFound(f"no pipeline is named '{pipeline}'; 'artfs run list' lists all runs", subject=pipeline)
        scope, rows = found.id if found else None, catalog.runs
        batches = rows.batches(scope) if part.newest is None else [rows.newest(scope, part.newest)]
        described = (each for batch in batches for each in runs(catalog, batch))
        if as_json:
            print_json_list(described)
            return
        print_described(COLUMNS, described, empty="No runs yet.")
        part.tell_rest(lambda: rows.count(scope), "runs")


@click.command()
@click.argument("run", metavar="[PIPELINE/]RUN", shell_complete=complete_run)
@json_option
@pass_session
def show(session: Session, run: str, as_json: bool) -> None:
    """Draw a run as a tree of its steps, with their status, duration, inputs and outputs.

    RUN is a run's name, its id, or the beginning of that. The name of a pipeline means its newest run.
    """
    from artfs.describe.graph import graph as described_graph
    from artfs.describe.runs import run as described
    from artfs.lineage.graph import run_graph
    from artfs.lineage.labels import duration
    from artfs.lineage.tree_text import run_tree

    with session.workspace() as workspace:
        _close_dead(workspace)
        found = find_run(workspace.catalog, run)
        graph = run_graph(workspace.catalog, found.id)
        facts = described(workspace.catalog, found)
        errors = [
            (step.name, _error(workspace.catalog, step)) for step in graph.steps.values() if step.status == "failed"
        ]
    if as_json:
        print_json({**facts, **described_graph(graph)})
        return
    lasted = duration(found.started_us, found.ended_us)
    say(
        f"{found.pipeline}/{found.name}  {found.status}{f' {lasted}' if lasted else ''}",
        fg=COLOURS.get(found.status),
        bold=True,
    )
    for line, status in run_tree(graph):
        say(line, fg=COLOURS.get(status))
    for name, error in errors:
        say(f"{name}: {error}", fg="red")


@click.command()
@click.argument("runs", metavar="[PIPELINE/]RUN...", nargs=-1, required=True, shell_complete=complete_run)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Also runs that have not ended.")
@pass_session
def delete(session: Session, runs: tuple[str, ...], yes: bool, force: bool) -> None:
    """Forget runs, with their steps, logs and what was logged for them.

    The versions that they made stay, and no longer say where they came from.
    """
    from artfs.lineage.show import page_of_run

    with session.workspace() as workspace:
        catalog = workspace.catalog
        found = list({each.id: each for each in (find_run(catalog, name) for name in runs)}.values())
        under_way = [each for each in found if each.ended_us is None]
        if under_way and not force:
            name = f"{under_way[0].pipeline}/{under_way[0].name}"
            raise InvalidValue(f"run '{name}' has not ended: wait for it, or delete it with --force", subject=name)
        shown = f"{found[0].pipeline}/{found[0].name}" if len(found) == 1 else f"{len(found)} runs"
        confirm(f"Delete {shown}? Lineage through it is lost.", yes=yes)
        user = catalog.users.ensure(workspace.user)
        for each in found:
            with catalog.transaction():
                catalog.runs.delete(each.id)
                catalog.audit.append("run.delete", f"{each.pipeline}/{each.name}", {"id": each.uuid}, user.id)
            logs = workspace.home.path / "logs" / each.uuid
            if logs.is_dir():
                shutil.rmtree(logs)
            page_of_run(workspace, each).unlink(missing_ok=True)
            say(f"deleted {each.pipeline}/{each.name}")


def _close_dead(workspace: Workspace) -> None:
    """Marks runs whose process was killed as failed, as nobody else does it before the next run."""
    from artfs.pipelines.run.alive import fail_dead_runs

    if workspace.home.is_writable:
        fail_dead_runs(workspace)


def _names(catalog: Catalog, incomplete: str) -> list[str]:
    if "/" not in incomplete:
        return [pipeline.name for pipeline in catalog.runs.pipelines()]
    pipeline = catalog.runs.pipeline(incomplete.rpartition("/")[0])
    return [f"{pipeline.name}/{name}" for name, _ in catalog.runs.names(pipeline.id)] if pipeline else []


def _error(catalog: Catalog, step: StepFacts) -> str:
    """What a failed step's traceback ends with."""
    row = catalog.steps.by_id(step.id)
    return row.error.strip().splitlines()[-1] if row is not None and row.error and row.error.strip() else "failed"
