"""A graph as a picture: SVG that stands alone, readable for a few nodes and for some hundreds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from artfs.lineage.graph import Key, cut
from artfs.lineage.labels import duration, slot_label, step_label, version_label
from artfs.lineage.layout import MOST_LINKS, MOST_NODES, Point, layout

if TYPE_CHECKING:
    from artfs.catalog.lineage import StepFacts, VersionFacts
    from artfs.lineage.graph import Graph

_WIDTH: Final = 190
_HEIGHT: Final = 38
_GAP: Final = 60
"""Pixels of a node, and between columns."""
_ROW: Final = 52
_MARGIN: Final = 16
_LETTERS: Final = 25
"""How many letters of a name fit into a node."""

_STATUS_COLOURS: Final = {
    "completed": "#2e7d32",
    "cached": "#6a6a6a",
    "running": "#1565c0",
    "failed": "#c62828",
    "cancelled": "#ef6c00",
    "skipped": "#9e9e9e",
}

_SPACE: Final = 'xmlns="http://www.w3.org/2000/svg"'
_TIP: Final = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0L8 4L0 8z" fill="#9aa0a6"/></marker></defs>'
)
_STYLE: Final = (
    "text{font:12px system-ui,'DejaVu Sans',Arial,sans-serif;fill:#1b1b1b}"
    ".small{font-size:10px;fill:#5a5a5a}"
    ".version rect{fill:#e8f0fe;stroke:#7a9bd4}"
    ".step rect{fill:#fff;stroke:#8a8a8a}"
    ".purged rect{fill:#f4f4f4;stroke-dasharray:4 3}"
    ".focus rect{stroke-width:3;stroke:#d81b60}"
    ".link{fill:none;stroke:#9aa0a6;stroke-width:1.2}"
)


def to_svg(graph: Graph, *, nodes: int = MOST_NODES, links: int = MOST_LINKS) -> str:
    """Return a graph as SVG: versions blue, step runs white with their status as a bar.

    Args:
        graph: what to draw.
        nodes, links: draw at most so many, nearest to the node that was asked about; the picture says what is left out.
    """
    whole = graph
    graph = cut(graph, nodes, links)
    placed = layout(graph)
    words = _left_out(whole, graph)
    width = 2 * _MARGIN + max(placed.columns, 1) * (_WIDTH + _GAP) - _GAP
    height = 2 * _MARGIN + max(placed.rows, 1) * _ROW - (_ROW - _HEIGHT) + (18 if words else 0)
    lines = [
        f'<svg {_SPACE} width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}">',
        f"<style>{_STYLE}</style>",
        _TIP,
        '<rect width="100%" height="100%" fill="#fff"/>',
        *_links(graph, placed.routes),
        *(_version(version, placed.nodes[Key("version", id_)], graph.focus) for id_, version in graph.versions.items()),
        *(_step(step, placed.nodes[Key("step", id_)], graph.focus) for id_, step in graph.steps.items()),
    ]
    if words:
        lines.append(f'<text class="small" x="{_MARGIN}" y="{height - 8:.0f}">{escape(words)}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


def _links(graph: Graph, routes: Mapping[tuple[Key, Key], Sequence[Point]]) -> Iterator[str]:
    slots: dict[tuple[Key, Key], list[str]] = {}
    for link in graph.links:
        slots.setdefault((link.source, link.target), []).append(slot_label(link.use))
    for pair, points in routes.items():
        title = ", ".join(slot for slot in slots.get(pair, ()) if slot)
        yield f'<path class="link" d="{_path(points)}" marker-end="url(#tip)"><title>{_clean(title)}</title></path>'


def _path(points: Sequence[Point]) -> str:
    """A line from the right side of a node to the left side of another; level across the columns that it passes."""
    middles = [(_left(column), _top(row) + _HEIGHT / 2) for column, row in points]
    x, y = middles[0][0] + _WIDTH, middles[0][1]
    parts = [f"M{x:.0f} {y:.1f}"]
    for at, (left, middle) in enumerate(middles[1:], 1):
        bend = (left - x) / 2
        parts.append(f"C{x + bend:.0f} {y:.1f} {left - bend:.0f} {middle:.1f} {left:.0f} {middle:.1f}")
        x, y = left, middle
        if at < len(middles) - 1:
            x = left + _WIDTH
            parts.append(f"L{x:.0f} {y:.1f}")
    return "".join(parts)


def _version(version: VersionFacts, point: Point, focus: Key | None) -> str:
    kind = "version" + (" purged" if version.state == "purged" else "")
    details = f"{version.name}  ·  {version.type.removesuffix('Artifact').lower() or 'data'}"
    if version.state != "live":
        details = f"{version.name}  ·  {version.state}"
    chosen = " focus" if focus == Key("version", version.id) else ""
    words = _words(point, version.artifact, details, version_label(version))
    return f'<g class="{kind}{chosen}" id="version-{version.id}">{_box(point, 6)}{words}</g>'


def _step(step: StepFacts, point: Point, focus: Key | None) -> str:
    took = duration(step.started_us, step.ended_us)
    details = f"{step.status}  ·  {took}" if took else step.status
    colour = _STATUS_COLOURS.get(step.status, "#9e9e9e")
    x, y = _left(point[0]), _top(point[1])
    bar = f'<path d="M{x:.0f} {y:.1f}h5v{_HEIGHT}h-5z" fill="{colour}"/>'
    chosen = " focus" if focus == Key("step", step.id) else ""
    words = _words(point, step.name, details, step_label(step))
    return f'<g class="step{chosen}" id="step-{step.id}">{_box(point, 0)}{bar}{words}</g>'


def _box(point: Point, radius: int) -> str:
    x, y = _left(point[0]), _top(point[1])
    return f'<rect x="{x:.0f}" y="{y:.1f}" width="{_WIDTH}" height="{_HEIGHT}" rx="{radius}"/>'


def _words(point: Point, name: str, details: str, title: str) -> str:
    x, y = _left(point[0]) + 12, _top(point[1])
    return (
        f"<title>{_clean(title)}</title>"
        f'<text x="{x:.0f}" y="{y + 16:.1f}">{_clean(_shortened(name))}</text>'
        f'<text class="small" x="{x:.0f}" y="{y + 30:.1f}">{_clean(_shortened(details, 34))}</text>'
    )


def _left(column: float) -> float:
    return _MARGIN + column * (_WIDTH + _GAP)


def _top(row: float) -> float:
    return _MARGIN + row * _ROW


def _shortened(text: str, letters: int = _LETTERS) -> str:
    """The beginning and the end of a long text: default names differ in their ends."""
    if len(text) <= letters:
        return text
    tail = letters * 3 // 5
    return f"{text[: letters - tail - 1]}…{text[-tail:]}"


def _clean(text: str) -> str:
    """Text for XML, which has no words for control characters and halves of surrogate pairs."""
    readable = text.encode("utf-8", "backslashreplace").decode()
    return escape("".join(character if character.isprintable() else "\ufffd" for character in readable))


def _left_out(whole: Graph, drawn: Graph) -> str:
    if drawn.hidden == whole.hidden and not whole.is_cut:
        return ""
    known = f"{drawn.hidden:,} nodes and links are" if drawn.hidden else "More is"
    return f"{known} not drawn: this is what is nearest. The command 'artfs lineage' shows any part."
