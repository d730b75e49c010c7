"""A graph as text, for a terminal: a tree with each node's parts drawn once, and named wherever else they belong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from artfs.lineage.graph import Key
from artfs.lineage.labels import duration, slot_label, step_label, version_label

if TYPE_CHECKING:
    from artfs.catalog.lineage import StepFacts
    from artfs.lineage.graph import Arrow, Graph

SIGNS: Final = {
    "completed": "✓",
    "cached": "=",
    "running": "…",
    "failed": "✗",
    "cancelled": "✗",
    "skipped": "-",
}

Line = tuple[str, str]
"""What to draw, and the status it is about ("" if none), for a colour."""


def version_tree(graph: Graph) -> Iterator[Line]:
    """Draw what the node in focus came from, and below it what was made of it.

    Yields:
        lines, with the status of the step that they show.
    """
    assert graph.focus is not None, "a tree grows from a node"
    before, after = defaultdict(list), defaultdict(list)
    for link in graph.links:
        before[link.target].append(link)
        after[link.source].append(link)
    yield _label(graph, graph.focus), _status(graph, graph.focus)
    seen: set[Key] = set()
    if before[graph.focus]:
        yield "made from:", ""
        yield from _branches(graph, graph.focus, lambda key: [(link, link.source) for link in before[key]], seen)
    if after[graph.focus]:
        yield "used by:", ""
        yield from _branches(graph, graph.focus, lambda key: [(link, link.target) for link in after[key]], seen)
    if graph.is_cut or graph.hidden:
        yield "(there is more than is shown)", ""


def run_tree(graph: Graph) -> Iterator[Line]:
    """Draw the steps of a run, each below the step that it waited for longest, with status, duration and versions."""
    parents = _step_parents(graph)
    deepest: dict[int, int] = {}
    for id_ in _in_order(parents):
        deepest[id_] = 1 + max((deepest[parent] for parent in parents[id_]), default=0)
    children = defaultdict(list)
    for id_ in graph.steps:
        chosen = max(parents[id_], key=lambda parent: (deepest[parent], parent), default=None)
        children[chosen].append(id_)
    reads: dict[int, list[Arrow]] = defaultdict(list)
    gives: dict[int, list[Arrow]] = defaultdict(list)
    for link in graph.links:
        (reads if link.target.kind == "step" else gives)[link.use.step_run_id].append(link)

    def draw(parent: int | None, indent: str) -> Iterator[Line]:
        for at, id_ in enumerate(children[parent]):
            is_last = at == len(children[parent]) - 1
            step = graph.steps[id_]
            read, given = _slots(graph, reads[id_]), _slots(graph, gives[id_])
            slots = (f"  {read}" if read else "") + (f" → {given}" if given else "")
            yield f"{indent}{'└─ ' if is_last else '├─ '}{_state(step)}{slots}", step.status
            yield from draw(id_, indent + ("   " if is_last else "│  "))

    yield from draw(None, "")


def _branches(
    graph: Graph, root: Key, near: Callable[[Key], list[tuple[Arrow, Key]]], seen: set[Key]
) -> Iterator[Line]:
    # A stack and no recursion: a chain of versions may be longer than Python's.
    waiting: list[tuple[str, bool, Arrow, Key]] = []

    def push(key: Key, indent: str) -> None:
        found = near(key)
        waiting.extend((indent, at == len(found) - 1, *pair) for at, pair in reversed(list(enumerate(found))))

    push(root, "")
    while waiting:
        indent, is_last, link, key = waiting.pop()
        slot = slot_label(link.use)
        again = key in seen and bool(near(key))
        text = f"{slot}: " if slot else ""
        text += _label(graph, key) + ("  (see above)" if again else "")
        yield f"{indent}{'└─ ' if is_last else '├─ '}{text}", _status(graph, key)
        if not again:
            seen.add(key)
            push(key, indent + ("   " if is_last else "│  "))


def _label(graph: Graph, key: Key) -> str:
    if key.kind == "step":
        step = graph.steps[key.id]
        took = duration(step.started_us, step.ended_us)
        return f"{step_label(step)}  ({', '.join(filter(None, (step.status, took)))})"
    version = graph.versions[key.id]
    return version_label(version) + (f"  ({version.state})" if version.state != "live" else "")


def _status(graph: Graph, key: Key) -> str:
    return graph.steps[key.id].status if key.kind == "step" else ""


def _state(step: StepFacts) -> str:
    took = duration(step.started_us, step.ended_us)
    return f"{SIGNS.get(step.status, '?')} {step.name}  {step.status}{f' {took}' if took else ''}"


def _slots(graph: Graph, links: Sequence[Arrow]) -> str:
    """`data=iris/3, test=iris/4`."""
    return ", ".join(f"{slot_label(link.use)}={version_label(graph.versions[link.use.version_id])}" for link in links)


def _step_parents(graph: Graph) -> dict[int, set[int]]:
    """For every step the steps of the graph that gave out what it read."""
    givers = defaultdict(set)
    for link in graph.links:
        if link.source.kind == "step":
            givers[link.target.id].add(link.source.id)
    parents: dict[int, set[int]] = {id_: set() for id_ in graph.steps}
    for link in graph.links:
        if link.source.kind == "version":
            parents[link.target.id] |= givers[link.source.id]
    return parents


def _in_order(parents: dict[int, set[int]]) -> list[int]:
    """The steps, each after its parents."""
    from graphlib import TopologicalSorter

    return list(TopologicalSorter(parents).static_order())
