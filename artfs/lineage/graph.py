"""Graphs of versions and step runs: what a version was made from, what was made from it, and what a run did.

A version leads to the step runs that read it, and a step run to the versions that it made. A step run reads only what
is older than what it makes, so no walk comes back. A step taken over from the cache may give out something older than
what it read; that is shown in the graph of its run alone, and only where it closes no circle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from artfs.catalog.lineage import Use
from artfs.errors import VersionNotFound

if TYPE_CHECKING:
    from artfs.catalog.catalog import Catalog
    from artfs.catalog.lineage import StepFacts, VersionFacts


class Key(NamedTuple):
    """A node: a version or a step run, by its row id."""

    kind: Literal["version", "step"]
    id: int


@dataclass(frozen=True, slots=True)
class Arrow:
    """An arrow: from a version to what reads it, or from a step run to what it gave out; `use` says in which slot."""

    source: Key
    target: Key
    use: Use


@dataclass(frozen=True, slots=True)
class Graph:
    """Versions, step runs and the links between them; without circles.

    Args:
        focus: the node that was asked about; None for a run as a whole.
        hidden: how many nodes or links are known to be left out.
        is_cut: whether there may be more than `hidden` says.
    """

    versions: Mapping[int, VersionFacts]
    steps: Mapping[int, StepFacts]
    links: Sequence[Arrow]
    focus: Key | None = None
    hidden: int = 0
    is_cut: bool = False

    def __len__(self) -> int:
        return len(self.versions) + len(self.steps)

    def nodes(self) -> list[Key]:
        """All nodes: versions, then step runs, each oldest first."""
        return [*(Key("version", id_) for id_ in self.versions), *(Key("step", id_) for id_ in self.steps)]


def version_graph(
    catalog: Catalog,
    version_id: int,
    *,
    upstream: int | None = None,
    downstream: int | None = None,
    most: int | None = None,
) -> Graph:
    """Return what a version was made from and what was made from it.

    Args:
        catalog: where to look.
        version_id: row id of the version, which may be a tombstone.
        upstream, downstream: how many generations of versions to follow; None for all.
        most: stop when there are so many nodes, nearest first; None for all.

    Raises:
        VersionNotFound: there is no such version.
    """
    walk = _Walk(catalog, most)
    walk.add_versions([version_id])
    if version_id not in walk.versions:
        raise VersionNotFound(f"there is no version with id {version_id}", subject=str(version_id))
    return walk.both_ways([version_id], [version_id], upstream, downstream, Key("version", version_id))


def run_graph(catalog: Catalog, run_id: int) -> Graph:
    """Return the steps of a run with everything that they read and gave out, also what came from the cache."""
    steps = {step.id: step for step in catalog.lineage.steps_of_run(run_id)}
    read, given = catalog.lineage.read_by(steps), catalog.lineage.given_by(steps)
    versions = {
        version.id: version for version in catalog.lineage.versions({use.version_id for use in [*read, *given]})
    }
    links = [_reading(use) for use in read] + [_giving(use) for use in given if use.how == "made"]
    links = _without_circles(links, [_giving(use) for use in given if use.how == "cached"])
    return Graph(versions, steps, links)


def cut(graph: Graph, nodes: int, links: int) -> Graph:
    """Return the part of a graph nearest to its focus (or its steps, in order) with at most so many nodes and links."""
    if len(graph) <= nodes and len(graph.links) <= links:
        return graph
    near = defaultdict(list)
    for link in graph.links:
        near[link.source].append(link.target)
        near[link.target].append(link.source)
    start = [graph.focus] if graph.focus else [Key("step", id_) for id_ in graph.steps]
    kept = set(_nearest(start, near, nodes))
    inside = [link for link in graph.links if link.source in kept and link.target in kept][:links]
    return Graph(
        {id_: version for id_, version in graph.versions.items() if Key("version", id_) in kept},
        {id_: step for id_, step in graph.steps.items() if Key("step", id_) in kept},
        inside,
        graph.focus,
        graph.hidden + len(graph) - len(kept) + len(graph.links) - len(inside),
        graph.is_cut,
    )


class _Walk:
    """Collects a graph generation by generation, with a few queries for each."""

    def __init__(self, catalog: Catalog, most: int | None) -> None:
        self._lineage = catalog.lineage
        self._most = most
        self.versions: dict[int, VersionFacts] = {}
        self.steps: dict[int, StepFacts] = {}
        self._links: dict[Arrow, None] = {}
        self._is_cut = False

    def both_ways(
        self, sources: Iterable[int], results: Iterable[int], upstream: int | None, downstream: int | None, focus: Key
    ) -> Graph:
        """The graph, once what these versions came from and what came of them is in it too."""
        self._up(list(sources), upstream)
        self._down(list(results), downstream)
        self._name_slots()
        versions = dict(sorted(self.versions.items()))
        return Graph(versions, dict(sorted(self.steps.items())), list(self._links), focus, is_cut=self._is_cut)

    def add_versions(self, ids: Iterable[int]) -> None:
        new = set(ids) - self.versions.keys()
        self.versions.update((version.id, version) for version in self._lineage.versions(new))

    def add_steps(self, ids: Iterable[int]) -> list[int]:
        """Take in step runs and return those that are new."""
        new = set(ids) - self.steps.keys()
        self.steps.update((step.id, step) for step in self._lineage.steps(new))
        return sorted(new)

    def read_by(self, steps: Iterable[int]) -> list[int]:
        """Take in what step runs read, and return those versions."""
        uses = self._lineage.read_by(list(steps))
        self._links.update((_reading(use), None) for use in uses)
        self.add_versions(use.version_id for use in uses)
        return [use.version_id for use in uses]

    def made_by(self, steps: Iterable[int]) -> list[int]:
        """Take in what step runs made, and return those versions."""
        made = self._lineage.made_by(list(steps))
        self.add_versions(version for _, version in made)
        return [version for _, version in made]

    def _up(self, versions: list[int], depth: int | None) -> None:
        done: set[int] = set()
        while versions and depth != 0 and self._has_room():
            done.update(versions)
            producers = {self.versions[id_].producer_id for id_ in versions} - {None}
            self.add_steps(id_ for id_ in producers if id_ is not None)
            versions = sorted(set(self.read_by(id_ for id_ in producers if id_ is not None)) - done)
            depth = depth and depth - 1

    def _down(self, versions: list[int], depth: int | None) -> None:
        done: set[int] = set()
        while versions and depth != 0 and self._has_room():
            done.update(versions)
            # A step taken over from the cache read and made nothing, and there may be very many.
            uses = self._lineage.readers_of(versions, cached=False)
            self.add_steps(use.step_run_id for use in uses)
            self._links.update((_reading(use), None) for use in uses)
            versions = sorted(set(self.made_by(use.step_run_id for use in uses)) - done)
            depth = depth and depth - 1

    def _has_room(self) -> bool:
        if self._most is not None and len(self.versions) + len(self.steps) >= self._most:
            self._is_cut = True
        return not self._is_cut

    def _name_slots(self) -> None:
        """Link every version to its producer, by the slot that it was given out in if that is recorded."""
        given = {(use.step_run_id, use.version_id): use for use in self._lineage.given_by(self.steps)}
        for version in self.versions.values():
            if version.producer_id in self.steps and version.producer_id is not None:
                pair = version.producer_id, version.id
                self._links[_giving(given.get(pair) or Use(pair[0], "", 0, pair[1], "made"))] = None


def _reading(use: Use) -> Arrow:
    return Arrow(Key("version", use.version_id), Key("step", use.step_run_id), use)


def _giving(use: Use) -> Arrow:
    return Arrow(Key("step", use.step_run_id), Key("version", use.version_id), use)


def _without_circles(links: list[Arrow], doubtful: Iterable[Arrow]) -> list[Arrow]:
    """The links, and those of the doubtful ones that close no circle."""
    after: dict[Key, list[Key]] = defaultdict(list)
    for link in links:
        after[link.source].append(link.target)
    kept = list(links)
    for link in doubtful:
        if link.source not in _reachable(link.target, after):
            after[link.source].append(link.target)
            kept.append(link)
    return kept


def _reachable(start: Key, after: Mapping[Key, Sequence[Key]]) -> set[Key]:
    found, waiting = {start}, [start]
    while waiting:
        new = [key for key in after.get(waiting.pop(), ()) if key not in found]
        found.update(new)
        waiting += new
    return found


def _nearest(start: Sequence[Key], near: Mapping[Key, Sequence[Key]], most: int) -> list[Key]:
    """The nodes reached first from the start, nearest first."""
    found = dict.fromkeys(start[:most])
    waiting = list(found)
    for key in waiting:
        for other in near.get(key, ()):
            if len(found) >= most:
                return list(found)
            if other not in found:
                found[other] = None
                waiting.append(other)
    return list(found)
