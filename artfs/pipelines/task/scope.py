"""Links what a step saves, loads and looks up to the step: the library's verbs tell the scope that they run in."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from artfs.artifacts.metadata import REGISTERED_FROM
from artfs.catalog.step_uses import StepUse
from artfs.catalog.versions import Version
from artfs.enums import ArtifactSaveType
from artfs.lineage.explain import MOST_FILES
from artfs.pipelines.define.plan import StepTask
from artfs.pipelines.observe import files, names
from artfs.pipelines.observe.files import Places
from artfs.pipelines.observe.opens import may_lead_to_version, opens
from artfs.scopes import step_scope
from artfs.stores.local.store import local_path
from artfs.workspace.workspace import Workspace

_MOST_OPENED = 10 * MOST_FILES


class StepScope:
    """The step run in whose context verbs are called, and what it is seen to use.

    Args:
        workspace: where its links are recorded.
        task: the step.
    """

    def __init__(self, workspace: Workspace, task: StepTask) -> None:
        self.step_run_id = task.step_run_id
        self._declared = {output.slot for output in task.outputs}
        self._tags = task.tags
        self._model_version_id = task.model_version_id
        self._task = task
        self._workspace = workspace
        self._catalog = workspace.catalog
        self._lock = threading.RLock()
        self._linked: set[int] = set()
        self._given = {number for numbers in task.inputs.values() for number in numbers}
        self._made: Counter[str] = Counter()
        self._made_ids: set[int] = set()
        self._oldest_made: int | None = None
        self._names: dict[bytes, StepUse] = {}
        self._began_ns = time.time_ns()
        self._read: dict[str, bool] = {}
        self._written: set[str] = set()
        self._real: dict[str, tuple[str, bool]] = {}
        self._imported: set[str] = set()
        self._states: Mapping[str, Any] = {}

    @contextmanager
    def observed(self) -> Iterator[None]:
        """Watch what the step uses while the block runs, another time for another attempt."""
        self._began_ns, self._read, self._written, self._names = time.time_ns(), {}, set(), {}
        self._real = {}
        from artfs.pipelines.observe import generators

        self._states = generators.states() if self._task.records_uses and self._task.records_generators else {}
        with opens.told_to(self):
            yield

    def uses(self) -> list[StepUse]:
        """What the step has used, once it has ended; links the versions whose files it has opened by their paths."""
        found: list[StepUse] = []
        self._link_versions()
        in_place = self._in_place() if self._read else ()
        paths = {
            path: relative
            for path, relative in dict(self._read).items()
            if path not in self._written and not f"{path}/".startswith(in_place)
        }
        if self._task.records_uses:
            found += self._names.values()
            if paths:
                found += files.used(paths, self._began_ns)
            from artfs.pipelines.observe import generators, modules

            drawn = generators.drawn(self._states)
            found += (StepUse("random", name.encode(), digest) for name, digest in drawn.items())
            if self._task.records_modules:
                found += modules.loaded(self._imported)
        return found

    # What verbs tell.

    def loaded(self, version: Version) -> None:
        """A version was loaded. What the step itself has made is no input of it, nor is what is newer than that."""
        with self._lock:
            if version.id in self._linked or (self._oldest_made is not None and version.id >= self._oldest_made):
                return
            slot = f"{version.artifact}@{version.name}"
            self._catalog.steps.add_input(self.step_run_id, slot, version.id, how="client")
            self._linked.add(version.id)

    def saved(self, version: Version) -> None:
        """A version was saved."""
        with self._lock:
            self._oldest_made = self._oldest_made or version.id
            self._made_ids.add(version.id)
            position = self._made[version.artifact]
            slot = version.artifact if version.artifact not in self._declared else f"{version.artifact}@{version.name}"
            self._catalog.steps.add_output(self.step_run_id, slot, version.id, position=position)
            if self._tags:
                self._catalog.tags.add(version.id, *self._tags)
            if self._model_version_id is not None:
                self._catalog.models.link(self._model_version_id, version.id)
            self._made[version.artifact] += 1

    def looked_up(self, asked_for: str, version: Version | None) -> None:
        """A version was looked up. What the step itself has made it will make again."""
        if version is None or version.id not in self._made_ids:
            use = names.looked_up(asked_for, version)
            self._names.setdefault(use.name, use)

    def listed(self, question: Mapping[str, Any], versions: Sequence[Version]) -> None:
        """Versions were listed."""
        if not self._made_ids.intersection(version.id for version in versions):
            use = names.listed(question, versions)
            self._names.setdefault(use.name, use)

    def opened(self, path: str, relative: bool, reads: bool) -> None:
        """A file or folder was opened, in the step's context or in nobody's."""
        if not reads:
            self._written.add(path)
            return
        if step_scope.get() is self and path not in self._real:
            real = os.path.realpath(path)
            if may_lead_to_version(real):
                self._real[path] = real, relative
        if len(self._read) < _MOST_OPENED and self._places.counts(path, relative):
            self._read.setdefault(path, relative)

    def imported(self, path: str) -> None:
        """The import system has opened a module's file."""
        if self._task.records_modules:
            self._imported.add(path)

    @cached_property
    def _places(self) -> Places:
        return Places.of_process(self._workspace.home.path)

    def _in_place(self) -> tuple[str, ...]:
        """Where the data lies that the step was given, or has loaded, and that stays in its place."""
        found = []
        for version in self._catalog.versions.by_ids([*self._given, *self._linked]):
            if version.save_type == ArtifactSaveType.PREEXISTING:
                source = self._catalog.metadata.value(version.id, REGISTERED_FROM)
                path = local_path(str(source.value)) if source is not None else None
                found += [os.path.join(path, "")] if path is not None else []
        return tuple(found)

    def _link_versions(self) -> None:
        """Links the versions whose files were opened by their paths: those are no files of the step's own."""
        if not self._real:
            return
        from artfs.pipelines.observe.paths import PathsOfVersions

        paths = PathsOfVersions(self._workspace)
        for path, (real, relative) in self._real.items():
            read = paths.read(path, real)
            if read is None:
                if paths.is_in_mount(real):
                    self._read[path] = relative
                continue
            if read.version.id not in self._given:
                self.loaded(read.version)
            if not read.is_by_link:
                self._read.pop(path, None)
            if read.asked_for is not None:
                self.looked_up(read.asked_for, read.version)
