"""Showing a run to a person: its steps and versions as a graph, in the notebook or as a page in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from artfs.artifacts.visualize import display_in_notebook, page_path, write_page
from artfs.lineage.graph import run_graph
from artfs.lineage.svg import to_svg
from artfs.text.html import facts
from artfs.text.times import iso

if TYPE_CHECKING:
    from artfs.catalog.runs import Run
    from artfs.workspace.workspace import Workspace


def show_run(workspace: Workspace, run: Run, *, open_browser: bool = True) -> Path | None:
    """Show a run, and return the path of the page; None when it was displayed in a notebook.

    Args:
        open_browser: False writes the page and does not open it.
    """
    name, catalog = f"{run.pipeline}/{run.name}", workspace.catalog
    known = {"status": run.status, "started": iso(run.started_us), "error": run.error}
    logged = catalog.run_metadata.get(run.id)
    pieces = [to_svg(run_graph(catalog, run.id)), facts({**known, **logged}, name)]
    if open_browser and display_in_notebook(pieces):
        return None
    return write_page(workspace, _page_name(run), name, pieces, open_browser=open_browser)


def page_of_run(workspace: Workspace, run: Run) -> Path:
    """Return where the page that shows a run is written."""
    return page_path(workspace, _page_name(run))


def _page_name(run: Run) -> str:
    return f"run-{run.uuid}"
