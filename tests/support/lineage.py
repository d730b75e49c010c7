"""Runs, steps and versions written straight into a catalog, for tests of lineage."""

from __future__ import annotations

import random
from collections.abc import Sequence

from artfs.catalog import Catalog
from artfs.catalog.runs import Run
from artfs.catalog.steps import StepRun
from artfs.catalog.versions import Version
from support.catalogs import save

LAYERS = 9


class Recorder:
    """Makes runs of steps that read and make versions."""

    def __init__(self, catalog: Catalog, pipeline: str = "training", run: str = "first") -> None:
        self.catalog = catalog
        self.run: Run = catalog.runs.create(pipeline, run)

    def step(self, name: str, inputs: Sequence[Version] = (), *, finish: str | None = "completed") -> StepRun:
        """Record a step run; each input in a slot named after its artifact."""
        step = self.catalog.steps.create(self.run.id, name)
        positions: dict[str, int] = {}
        for version in inputs:
            position = positions[version.artifact] = positions.get(version.artifact, -1) + 1
            self.catalog.steps.add_input(step.id, version.artifact, version.id, position=position)
        return self.catalog.steps.finish(step.id, finish) if finish else step

    def make(self, artifact: str, inputs: Sequence[Version] = (), *, step: str | None = None) -> Version:
        """Record a step run that makes a version, in the slot `output`."""
        made_by = self.step(step or f"make {artifact}", inputs, finish=None)
        version = save(self.catalog, artifact, producer_id=made_by.id)
        self.catalog.steps.add_output(made_by.id, "output", version.id)
        self.catalog.steps.finish(made_by.id, "completed")
        return version

    def end(self, status: str = "completed") -> Run:
        """End the run."""
        self.run = self.catalog.runs.finish(self.run.id, status)
        return self.run


def layered(catalog: Catalog, count: int, *, seed: int = 1, both: float = 0.35) -> list[Version]:
    """Make versions in nine layers: each but those of the first is made of one or two of the layer before.

    Args:
        catalog: where.
        count: how many versions.
        seed: of the choice of inputs.
        both: how often there are two inputs.
    """
    chance = random.Random(seed)
    layers: list[list[Version]] = [[]]
    with catalog.transaction():
        recorder = Recorder(catalog, "layered", "run")
        for number in range(count):
            if len(layers[-1]) * LAYERS >= count:
                layers.append([])
            before = layers[-2] if len(layers) > 1 else []
            inputs = chance.sample(before, min(len(before), 2 if chance.random() < both else 1))
            layers[-1].append(recorder.make(f"a{number % 50}", inputs, step=f"step {number}"))
        recorder.end()
    return [version for layer in layers for version in layer]


def grown(
    catalog: Catalog, count: int, *, depth: int = 8, seed: int = 1, inputs: Sequence[int] = (0, 0, 0, 1, 1, 2)
) -> list[Version]:
    """Make versions of none, one or two of those before, no line of which is longer than `depth`; one is as long.

    inputs: how many a version may have, each as often as it stands here.
    """
    chance = random.Random(seed)
    versions: list[Version] = []
    depths: list[int] = []
    with catalog.transaction():
        recorder = Recorder(catalog, "grown", "run")
        for number in range(count):
            older = [number - 1] if 0 < number <= depth else []
            if number > depth:
                among = [at for at in range(number) if depths[at] < depth]
                older = chance.sample(among, chance.choice(inputs))
            sources = [versions[at] for at in older]
            versions.append(recorder.make(f"a{number % 50}", sources, step=f"step {number}"))
            depths.append(1 + max((depths[at] for at in older), default=-1))
        recorder.end()
    return versions
