"""`artfs run explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from artfs.cli.lineage import COLOURS
from artfs.cli.printing import json_option, print_json, say
from artfs.cli.run import complete_run
from artfs.cli.session import Session, pass_session
from artfs.errors import RunNotFound
from artfs.runs import find_run

if TYPE_CHECKING:
    from artfs.catalog import Catalog
    from artfs.catalog.runs import Run


@click.command()
@click.argument("step", metavar="PIPELINE[/RUN][/STEP]", shell_complete=complete_run)
@json_option
@pass_session
def explain(session: Session, step: str, as_json: bool) -> None:
    """Say why steps ran or were cached: what changed.

    Compared is the key of a step (its code, parameters, inputs, ...) with that of the newest earlier run of the step.
    Without STEP all steps of the run are explained, and without RUN those of the newest run. An id of a run, or its
    beginning, is understood too.
    """
    from artfs.lineage.explain import explain_step

    with session.workspace() as workspace:
        catalog = workspace.catalog
        found, name = _named(catalog, step)
        steps = [each for each in catalog.steps.list(found.id) if name is None or each.name == name]
        explanations = [explain_step(catalog, found, each) for each in steps]
    if as_json:
        print_json([vars(each) for each in explanations])
        return
    for each in explanations:
        beside = f"  (beside {each.compared_with})" if each.compared_with else ""
        say(f"{found.pipeline}/{found.name}/{each.step}  {each.status}{beside}", fg=COLOURS.get(each.status))
        for reason in each.reasons:
            say(f"  {reason}")


def _named(catalog: Catalog, text: str) -> tuple[Run, str | None]:
    """The run that a text means, and the step of it if it names one; raises RunNotFound."""
    run_text, _, name = text.rpartition("/")
    try:
        return find_run(catalog, text), None
    except RunNotFound:
        if not run_text:
            raise
    found = find_run(catalog, run_text)
    if catalog.steps.get(found.id, name) is None:
        known = ", ".join(each.name for each in catalog.steps.list(found.id)) or "none"
        raise RunNotFound(f"run '{found.pipeline}/{found.name}' has no step '{name}' (it has: {known})", subject=text)
    return found, name
