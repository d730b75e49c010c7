"""Links what a step saves and loads by hand to the step: the library's verbs tell the scope that they run in."""

from __future__ import annotations

import threading
from collections import Counter

from artfs.catalog.catalog import Catalog
from artfs.catalog.versions import Version
from artfs.pipelines.define.plan import StepTask


class StepScope:
    """The step run in whose context verbs are called.

    Args:
        catalog: where its links are recorded.
        task: what it is.
    """

    def __init__(self, catalog: Catalog, task: StepTask) -> None:
        self.step_run_id = task.step_run_id
        self._declared = {output.slot for output in task.outputs}
        self._tags = task.tags
        self._model_version_id = task.model_version_id
        self._catalog = catalog
        self._lock = threading.Lock()
        self._made: Counter[str] = Counter()
        self._oldest_made: int | None = None

    def loaded(self, version: Version) -> None:
        """A version was loaded. What the step itself has made is no input of it, nor is what is newer than that."""
        with self._lock:
            if self._oldest_made is not None and version.id >= self._oldest_made:
                return
            slot = f"{version.artifact}@{version.name}"
            self._catalog.steps.add_input(self.step_run_id, slot, version.id, how="client")

    def saved(self, version: Version) -> None:
        """A version was saved."""
        with self._lock:
            self._oldest_made = self._oldest_made or version.id
            position = self._made[version.artifact]
            slot = version.artifact if version.artifact not in self._declared else f"{version.artifact}@{version.name}"
            self._catalog.steps.add_output(self.step_run_id, slot, version.id, position=position)
            if self._tags:
                self._catalog.tags.add(version.id, *self._tags)
            if self._model_version_id is not None:
                self._catalog.models.link(self._model_version_id, version.id)
            self._made[version.artifact] += 1
