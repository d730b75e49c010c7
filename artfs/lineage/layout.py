"""Where the nodes of a graph stand when it is drawn: in columns, what was made from it to the right of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from artfs.lineage.graph import Key

if TYPE_CHECKING:
    from artfs.lineage.graph import Graph

MOST_NODES = 1000
MOST_LINKS = 2000
"""Beyond these a layout takes many seconds, and nobody could read it."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is: columns from 0, rows in units of a node's height from 0.

    Args:
        nodes: (column, row) by node.
        routes: for every pair of linked nodes the points that its line goes through, ends included.
        columns, rows: the extent.
    """

    nodes: Mapping[Key, Point]
    routes: Mapping[tuple[Key, Key], Sequence[Point]]
    columns: int
    rows: float


def layout(graph: Graph) -> Layout:
    """Return where to draw the nodes and links of a graph, of at most MOST_NODES and MOST_LINKS.

    The method is Sugiyama's: nodes in layers, links over several layers by way of dummies, crossings made few.
    """
    linked = {key for link in graph.links for key in (link.source, link.target)}
    # Linked nodes first: the library numbers its dummies from their count on.
    keys = sorted(graph.nodes(), key=lambda key: key not in linked)
    numbers = {key: number for number, key in enumerate(keys)}
    pairs = sorted({(numbers[link.source], numbers[link.target]) for link in graph.links})
    placed: dict[Key, Point] = {}
    routes: dict[tuple[Key, Key], Sequence[Point]] = {}
    top = 0.0
    for nodes, edges in _components(pairs):
        points = _moved(nodes, top)
        top = max(row for _, row in points.values()) + 1
        placed.update((keys[number], point) for number, point in points.items() if number < len(linked))
        routes.update(_routes(edges, points, keys[: len(linked)]))
    for number, key in enumerate(keys[len(linked) :]):
        placed[key] = (0.0, top + number)
    columns = 1 + int(max((column for column, _ in placed.values()), default=-1))
    return Layout(placed, routes, columns, top + len(keys) - len(linked))


_Component = tuple[Sequence[tuple[int, Point]], Sequence[tuple[int, int]]]


def _components(pairs: list[tuple[int, int]]) -> list[_Component]:
    """Positions and links, dummies included, of each part of the graph that hangs together, in order."""
    if not pairs:
        return []
    from fast_sugiyama import from_edges

    parts = from_edges(pairs, minimum_length=1, vertex_spacing=1, dummy_vertices=True, dummy_size=0.5)
    found: list[_Component] = [
        (
            [(int(node), (x, y)) for node, (x, y) in nodes],
            [(int(source), int(target)) for source, target in edges or ()],
        )
        for nodes, _, _, edges in parts
    ]
    return sorted(found, key=lambda part: min(number for number, _ in part[0]))


def _moved(nodes: Sequence[tuple[int, Point]], top: float) -> dict[int, Point]:
    """The points of a part, layers as columns from 0, rows from `top`; the library's layers count down."""
    lowest = min(row for _, (row, _) in nodes)
    first = max(layer for _, (_, layer) in nodes)
    return {number: (first - layer, row - lowest + top) for number, (row, layer) in nodes}


def _routes(
    edges: Sequence[tuple[int, int]], placed: Mapping[int, Point], keys: Sequence[Key]
) -> dict[tuple[Key, Key], list[Point]]:
    """The points of every line: links are followed through dummies, each of which has one way in and one out."""
    after = {source: target for source, target in edges if source >= len(keys)}
    routes = {}
    for source, target in edges:
        if source >= len(keys):
            continue
        points = [placed[source], placed[target]]
        while target >= len(keys):
            target = after[target]
            points.append(placed[target])
        routes[keys[source], keys[target]] = points
    return routes
