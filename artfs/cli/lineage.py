"""`artfs lineage`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from artfs.cli.printing import print_text, say
from artfs.cli.selection import complete_version, version_named
from artfs.cli.session import Session, pass_session

if TYPE_CHECKING:
    from artfs.catalog import Catalog
    from artfs.lineage.graph import Graph

FORMATS = ("tree", "dot", "svg", "json", "openlineage")


@click.command()
@click.argument("version", metavar="NAME[/VERSION]", shell_complete=complete_version)
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), default="tree", show_default=True, help="What to print."
)
@click.option(
    "--depth", type=click.IntRange(min=1), help="Follow so many generations of versions each way.  [default: all]"
)
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Write to a file instead.")
@click.option("--namespace", default="artfs", show_default=True, help="Of jobs and data sets in OpenLineage events.")
@pass_session
def lineage(
    session: Session, version: str, format_: str, depth: int | None, output: Path | None, namespace: str
) -> None:
    """Show what a version was made from, and what was made from it.

    \b
    tree         text, for a terminal
    dot          for Graphviz
    svg          a picture that any browser shows
    json         for scripts
    openlineage  events for tools that collect lineage, one a line
    """
    from artfs.lineage.graph import version_graph

    with session.workspace() as workspace:
        found = version_named(workspace.catalog, version)
        graph = version_graph(workspace.catalog, found.id, upstream=depth, downstream=depth)
        previous = workspace.catalog.versions.by_id(found.previous_id) if found.previous_id is not None else None
        if format_ == "tree" and output is None:
            _print_tree(graph)
            if previous is not None:
                say(f"continued from: {previous.artifact}/{previous.name}")
            return
        text = _text(workspace.catalog, graph, format_, namespace)
    if output is None:
        print_text(text)
    else:
        output.write_text(text, encoding="utf-8")


def _print_tree(graph: Graph) -> None:
    from artfs.lineage.tree_text import version_tree

    for line, status in version_tree(graph):
        say(line, fg=COLOURS.get(status))


def _text(catalog: Catalog, graph: Graph, format_: str, namespace: str) -> str:
    if format_ == "dot":
        from artfs.lineage.dot import to_dot

        return to_dot(graph)
    if format_ == "svg":
        from artfs.lineage.svg import to_svg

        return to_svg(graph)
    if format_ == "json":
        from artfs.describe.graph import graph as described

        return json.dumps(described(graph), indent=2) + "\n"
    if format_ == "openlineage":
        from artfs.lineage.openlineage import to_openlineage

        return to_openlineage(catalog, graph, namespace=namespace)
    from artfs.lineage.tree_text import version_tree

    return "".join(f"{line}\n" for line, _ in version_tree(graph))


COLOURS = {"failed": "red", "cancelled": "yellow", "running": "blue", "cached": "bright_black"}
