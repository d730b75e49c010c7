"""A graph in the language of Graphviz."""

from __future__ import annotations

from typing import TYPE_CHECKING

from artfs.lineage.labels import duration, slot_label, step_label, version_label
from artfs.text.printable import printable

if TYPE_CHECKING:
    from artfs.lineage.graph import Graph, Key


def to_dot(graph: Graph) -> str:
    """Return a graph as DOT: versions are boxes, step runs ellipses, links carry the slots.

    Example: `artfs lineage iris --format dot | dot -Tpdf -o iris.pdf`
    """
    lines = ["digraph lineage {", "  rankdir=LR;", '  node [fontname="sans-serif", fontsize=11];']
    for version in graph.versions.values():
        style = "dashed" if version.state == "purged" else "filled"
        label, node = _quoted(version_label(version)), _name("version", version.id)
        lines.append(f'  {node} [shape=box, style="rounded,{style}", fillcolor="#e8f0fe", label={label}];')
    for step in graph.steps.values():
        parts = [step.name, step.status, duration(step.started_us, step.ended_us)]
        label = _quoted("\n".join(part for part in parts if part))
        lines.append(f"  {_name('step', step.id)} [shape=ellipse, label={label}, tooltip={_quoted(step_label(step))}];")
    lines += [
        f"  {_key(link.source)} -> {_key(link.target)} [label={_quoted(slot_label(link.use))}];" for link in graph.links
    ]
    return "\n".join([*lines, "}"]) + "\n"


def _key(key: Key) -> str:
    return _name(key.kind, key.id)


def _name(kind: str, id_: int) -> str:
    return f"{kind}{id_}"


def _quoted(text: str) -> str:
    escaped = printable(text, keep="\n").replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
