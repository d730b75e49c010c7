"""Runs a composed pipeline: each step as soon as its inputs are there, and as many at once as there are workers.

A step that has nothing beside it runs in the caller's thread, where Ctrl-C reaches it; not so where that thread runs an
event loop, as a notebook's does: a step may run one of its own.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import sys
import traceback
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextvars import copy_context
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from artfs.artifacts.save import save
from artfs.artifacts.tagging import Tag, cascading, checked_tags, make_exclusive
from artfs.catalog.runs import Run
from artfs.catalog.steps import StepRun
from artfs.catalog.versions import Version
from artfs.enums import ArtifactSaveType, ExecutionStatus
from artfs.errors import AlreadyExists, InvalidValue, VersionExists
from artfs.lineage.explain import WHY
from artfs.linux.processes import start_time
from artfs.names import check_run_name
from artfs.objects.references import LateReference, OutputReference, StepInput, VersionReference
from artfs.pipelines.define.composition import Composition, Invocation
from artfs.pipelines.define.config import CachePolicy, ExternalArtifact
from artfs.pipelines.define.plan import Names, OutputPlan, StepTask, plan_outputs
from artfs.pipelines.executors import EXECUTORS, Executor
from artfs.pipelines.fingerprint.cache_key import CacheKey, cache_key
from artfs.pipelines.fingerprint.code import Code, code_of
from artfs.pipelines.fingerprint.environment import environment
from artfs.pipelines.fingerprint.own import MAIN, title_of
from artfs.pipelines.fingerprint.types_used import types_used
from artfs.pipelines.observe import files
from artfs.pipelines.run.alive import alive, fail_dead_runs
from artfs.pipelines.run.memory import Key, PassedValues
from artfs.pipelines.run.models import RunModels
from artfs.pipelines.run.reuse import Reusable, find_earlier
from artfs.pipelines.task.execution import StepOutcome, run_task
from artfs.pipelines.task.logs import captured_output
from artfs.scopes import unobserved
from artfs.workspace.workspace import Workspace

SKIPPED = "skipped"
"""The status of a step that did not run because one before it failed, or the run was cancelled."""


@dataclass(frozen=True)
class RunOptions:
    """How a pipeline runs. workers: steps at once. executor: `threads` or `processes`. tags: of the run."""

    run_name: str | None = None
    executor: str = "threads"
    workers: int = 4
    config: Mapping[str, Any] | None = None
    tags: Sequence[str | Tag] = ()

    def __post_init__(self) -> None:
        if type(self.workers) is not int or self.workers < 1:
            raise InvalidValue(f"workers is a number from 1, not {self.workers!r}")
        checked_tags(self.tags)


class Runner:
    """One run of a pipeline."""

    def __init__(self, workspace: Workspace, composition: Composition, options: RunOptions) -> None:
        self._workspace = workspace
        self._catalog = workspace.catalog
        self._composition = composition
        self._options = options
        self._names = Names.at(datetime.now(UTC))
        self._memory = PassedValues(composition)
        self._versions: dict[Key, Version] = {}
        self._externals: dict[int, Version] = {}
        self._code: dict[object, Code] = {}
        self._cached = 0
        self._failure: BaseException | None = None

    def run(self) -> Run:
        """Runs all steps. What a step raises is raised, after everything that does not depend on it has ended.

        Raises InvalidValue before anything runs for names that cannot be.
        """
        if self._options.executor not in EXECUTORS:
            raise InvalidValue(f"unknown executor '{self._options.executor}' (known: {', '.join(EXECUTORS)})")
        self._plans = {
            name: plan_outputs(invocation, self._composition.pipeline, self._names)
            for name, invocation in self._composition.invocations.items()
        }
        fail_dead_runs(self._workspace)
        uuid = str(uuid4())
        with alive(self._workspace, uuid):
            self._run = self._begin(uuid)
            self._models = RunModels(self._workspace, self._run)
            return self._to_the_end()

    # The run.

    def _to_the_end(self) -> Run:
        executor = EXECUTORS[self._options.executor](self._workspace, self._options.workers)
        try:
            with captured_output():
                self._run_all(executor)
        except BaseException as error:
            executor.cancel()
            interrupted = isinstance(error, KeyboardInterrupt)
            self._end(ExecutionStatus.CANCELLED if interrupted else ExecutionStatus.FAILED, error)
            raise
        executor.close()
        if self._failure is not None:
            self._end(ExecutionStatus.FAILED, self._failure)
            raise self._failure
        all_cached = self._composition.invocations and self._cached == len(self._composition.invocations)
        return self._end(ExecutionStatus.CACHED if all_cached else ExecutionStatus.COMPLETED)

    def _begin(self, uuid: str) -> Run:
        facts, process = environment(), os.getpid()
        template = self._options.run_name or f"{self._composition.pipeline}-{{date}}-{{time}}"
        for attempt in itertools.count(1):
            name = template if attempt == 1 or self._options.run_name is None else f"{template}-{attempt}"
            try:
                with self._catalog.transaction():
                    run = self._catalog.runs.create(
                        self._composition.pipeline,
                        check_run_name(self._names.fill(name, self._composition.options.substitutions)),
                        uuid=uuid,
                        user_id=self._catalog.users.ensure(self._workspace.user).id,
                        environment_id=self._catalog.environments.ensure(facts),
                        config=self._options.config,
                        host=socket.gethostname(),
                        pid=process,
                        process_started=str(start_time(process)),
                    )
                    make_exclusive(self._catalog, self._options.tags)
                    self._catalog.tags.add_to_run(run.id, *checked_tags(self._options.tags))
                    return run
            except AlreadyExists:
                if self._options.run_name is None:
                    self._names = Names.at(datetime.now(UTC))  # another process began one in the same microsecond
                elif "{date}" not in template and "{time}" not in template:
                    raise  # who names one run does not mean another one
        raise AssertionError("some number is free")

    def _run_all(self, executor: Executor) -> None:
        """Starts what is ready and waits for what runs, until nothing is left that can run."""
        waiting = {name: set(self._needs(each)) for name, each in self._composition.invocations.items()}
        dependents: dict[str, list[str]] = {name: [] for name in waiting}
        for name, needs in waiting.items():
            for need in needs:
                dependents[need].append(name)
        ready = deque(name for name, needs in waiting.items() if not needs)
        running: dict[Future[StepOutcome], str] = {}
        is_free = not _in_event_loop()

        def done(name: str) -> None:
            for dependent in dependents[name]:
                waiting[dependent].discard(name)
                if not waiting[dependent]:
                    ready.append(dependent)

        while ready or running:
            while ready:
                name = ready.popleft()
                try:
                    task = self._start(self._composition.invocations[name], executor)
                    if task is not None and (running or ready or not is_free or not executor.in_this_process):
                        running[executor.submit(task)] = name
                        continue
                    if task is not None:
                        self._keep(name, copy_context().run(run_task, self._workspace, task))
                except Exception as error:  # noqa: BLE001 - raised when all that does not depend on it has ended
                    self._fail(name, error)
                else:
                    done(name)
            for future in wait(running, return_when=FIRST_COMPLETED).done if running else ():
                name = running.pop(future)
                failure = future.exception()
                if failure is not None:
                    self._fail(name, failure)
                else:
                    self._keep(name, future.result())
                    done(name)

    def _needs(self, invocation: Invocation) -> frozenset[str]:
        """The steps that must have run before: also those called before that make what is looked up late."""
        late = {value.name for _, value in invocation.values() if isinstance(value, LateReference)}
        makers: set[str] = set()
        for name in self._composition.invocations if late else ():
            if name == invocation.name:
                break
            makers.update(name for plan in self._plans[name] if plan.artifact in late)
        return invocation.needs | makers

    def _fail(self, name: str, error: BaseException) -> None:
        self._failure = self._failure or error
        row = self._catalog.steps.get(self._run.id, name)
        if row is None or row.ended_us is None:  # it failed before it ran, or in a process that has died
            trace = "".join(traceback.format_exception(error))
            with self._catalog.transaction():
                row = row or self._catalog.steps.create(
                    self._run.id, name, source=self._composition.invocations[name].step.source
                )
                self._catalog.steps.finish(row.id, ExecutionStatus.FAILED.value, error=trace)

    def _end(self, status: ExecutionStatus, error: BaseException | None = None) -> Run:
        steps = self._catalog.steps
        with self._catalog.transaction():
            if error is not None:
                rows = {row.name: row for row in steps.list(self._run.id)}
                for row in rows.values():
                    if row.ended_us is None:
                        steps.finish(row.id, status.value)
                for name, invocation in self._composition.invocations.items():
                    if name not in rows:
                        row = steps.create(self._run.id, name, status=SKIPPED, source=invocation.step.source)
                        steps.finish(row.id, SKIPPED)
            message = None if error is None else "".join(traceback.format_exception_only(error)).strip()
            return self._catalog.runs.finish(self._run.id, status.value, error=message)

    # One step.

    def _start(self, invocation: Invocation, executor: Executor) -> StepTask | None:
        """Records a step; returns what is to be run, or None when an earlier run has given its outputs."""
        outputs = self._plans[invocation.name]
        model_version_id = self._models.of(invocation.options.model)
        inputs = {slot: self._resolved(invocation, slot) for slot in invocation.sources}
        with unobserved():
            declared = files.declared(invocation.options.depends_on)
            key, found = self._look_up(invocation, inputs, outputs, declared)
            uses = files.used(declared, None, "declared") if key is not None and found.earlier is None else []
        if found.earlier is None:
            self._check_free(outputs)
        with self._catalog.transaction():
            step_run = self._record(invocation, inputs, key, found)
            self._catalog.step_uses.add(step_run.id, uses)
            if found.earlier is not None:
                self._take_over(step_run, found, outputs, invocation.name)
                if model_version_id is not None:
                    for output in found.outputs:
                        self._catalog.models.link(model_version_id, output.version_id)
                return None
        return StepTask(
            home=self._workspace.home.path,
            run_uuid=self._run.uuid,
            pipeline=self._composition.pipeline,
            run_name=self._run.name,
            step_run_id=step_run.id,
            name=invocation.name,
            step=invocation.step,
            inputs={slot: [version.id for version in versions] for slot, versions in inputs.items()},
            lists=frozenset(slot for slot, source in invocation.sources.items() if isinstance(source, tuple)),
            parameters=invocation.parameters,
            outputs=outputs,
            log_path=self._log_path(invocation),
            retries=invocation.options.retries or 0,
            main=title_of(MAIN),
            records_uses=key is not None and invocation.options.observe is not False,
            records_generators=executor.in_this_process,
            records_modules=key is not None and not key.is_followed,
            values=self._memory.take(invocation) if executor.in_this_process else {},
            tags=cascading(self._options.tags),
            on_failure=invocation.options.on_failure,
            on_success=invocation.options.on_success,
            model_version_id=model_version_id,
        )

    def _resolved(self, invocation: Invocation, slot: str) -> list[Version]:
        source = invocation.sources[slot]
        values = source if isinstance(source, tuple) else (source,)
        return [self._version(value, invocation, slot) for value in values]

    def _version(self, value: StepInput, invocation: Invocation, slot: str) -> Version:
        if isinstance(value, VersionReference):
            return value.version
        if isinstance(value, LateReference):
            return value.find()
        if isinstance(value, OutputReference):
            return self._versions[value.invocation, value.slot]
        assert isinstance(value, ExternalArtifact), "nothing else stands for a version"
        if id(value) not in self._externals:
            self._externals[id(value)] = save(
                self._workspace,
                value.value,
                f"{self._composition.pipeline}::{invocation.name}::{slot}",
                materializer=value.materializer,
                extract_metadata=value.store_artifact_metadata,
                include_visualizations=value.store_artifact_visualizations,
                save_type=ArtifactSaveType.EXTERNAL,
            )
        return self._externals[id(value)]

    def _look_up(
        self,
        invocation: Invocation,
        inputs: Mapping[str, Sequence[Version]],
        outputs: Sequence[OutputPlan],
        declared: Mapping[str, bool],
    ) -> tuple[CacheKey | None, Reusable]:
        if invocation.options.enable_cache is False:
            return None, Reusable(None, why="caching is off for it")
        if any(isinstance(value, ExternalArtifact) for _, value in invocation.values()):
            return None, Reusable(None, why="an input is an ExternalArtifact, which is never cached")
        policy = invocation.options.cache_policy or CachePolicy()
        secret = self._workspace.home.manifest_key
        key = cache_key(invocation, self._code_of(invocation, inputs, outputs), inputs, outputs, policy, secret)
        observe = invocation.options.observe is not False
        return key, find_earlier(self._workspace, key.digest, policy, outputs, declared, observe)

    def _code_of(
        self, invocation: Invocation, inputs: Mapping[str, Sequence[Version]], outputs: Sequence[OutputPlan]
    ) -> Code:
        given = {(version.data_type, version.materializer) for versions in inputs.values() for version in versions}
        which = id(invocation.step), frozenset(given)
        if which not in self._code:
            self._code[which] = code_of(invocation.step.function, types_used(invocation.step, outputs, given))
        return self._code[which]

    def _check_free(self, outputs: Sequence[OutputPlan]) -> None:
        """Says before a step runs what would be said when its outputs are saved."""
        for output in outputs:
            artifact = self._catalog.artifacts.get(output.artifact) if output.version is not None else None
            if artifact is not None and self._catalog.versions.get(artifact.id, output.version or "") is not None:
                raise VersionExists(
                    f"artifact '{output.artifact}' already has, or had, a version '{output.version}'; "
                    "choose another name for it",
                    subject=output.version,
                )

    def _record(
        self, invocation: Invocation, inputs: Mapping[str, Sequence[Version]], key: CacheKey | None, found: Reusable
    ) -> StepRun:
        why = {WHY: found.why} if found.why else {}
        cached = found.earlier is not None
        step_run = self._catalog.steps.create(
            self._run.id,
            invocation.name,
            status=(ExecutionStatus.CACHED if cached else ExecutionStatus.RUNNING).value,
            cache_key=key.digest if key else None,
            cache_parts={**(key.parts if key else {}), **why},
            source=invocation.step.source,
            parameters=invocation.recorded,
            log_path=None if cached else str(self._log_path(invocation)),
            cached_from_id=found.earlier.id if found.earlier else None,
        )
        for slot, versions in inputs.items():
            values = invocation.sources[slot]
            for position, version in enumerate(versions):
                value = values[position] if isinstance(values, tuple) else values
                how = "external" if isinstance(value, ExternalArtifact) else "declared"
                self._catalog.steps.add_input(step_run.id, slot, version.id, how=how, position=position)
        return step_run

    def _take_over(self, step_run: StepRun, found: Reusable, outputs: Sequence[OutputPlan], name: str) -> None:
        for output in found.outputs:
            self._catalog.steps.add_output(
                step_run.id, output.slot, output.version_id, position=output.position, produced=False
            )
        self._catalog.steps.finish(step_run.id, ExecutionStatus.CACHED.value)
        made = {output.slot: output.version_id for output in found.outputs}
        self._remember(name, {plan.slot: made[plan.slot] for plan in outputs})
        self._cached += 1

    def _keep(self, name: str, outcome: StepOutcome) -> None:
        self._remember(name, outcome.versions)
        self._memory.keep(name, outcome.values)

    def _remember(self, name: str, version_ids: Mapping[str, int]) -> None:
        for plan in self._plans[name]:
            version = self._catalog.versions.by_id(version_ids[plan.slot])
            assert version is not None, "it is an output of a step run"
            self._versions[name, plan.template] = version

    def _log_path(self, invocation: Invocation) -> Path:
        return self._workspace.home.path / "logs" / self._run.uuid / f"{invocation.name}.log"


def _in_event_loop() -> bool:
    """Whether this thread runs an event loop, of asyncio or of trio, so that nobody else can run one in it."""
    trio = sys.modules.get("trio.lowlevel")
    if trio is not None and trio.in_trio_run():
        return True
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
