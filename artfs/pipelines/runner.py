"""Runs a composed pipeline: each step as soon as its inputs are there, and as many at once as there are workers."""

from __future__ import annotations

import os
import socket
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from artfs.artifacts.presence import bytes_are_there
from artfs.artifacts.save import save
from artfs.catalog.runs import Run
from artfs.catalog.steps import StepRun
from artfs.catalog.versions import Version
from artfs.enums import ArtifactSaveType, ExecutionStatus
from artfs.errors import InvalidValue
from artfs.pipelines.cache_key import CacheKey, cache_key
from artfs.pipelines.config import CachePolicy, ExternalArtifact
from artfs.pipelines.environment import environment
from artfs.pipelines.execution import StepOutcome
from artfs.pipelines.executors import EXECUTORS, Executor
from artfs.pipelines.graph import Composition, Invocation, OutputReference, VersionReference
from artfs.pipelines.logs import LogCapture
from artfs.pipelines.plan import Names, OutputPlan, StepTask, plan_outputs
from artfs.processes import start_time
from artfs.workspace import Workspace

_SMALL_AND_FIXED = (str, bytes, int, float, bool, complex, type(None))


@dataclass(frozen=True)
class RunOptions:
    """How a pipeline runs. workers: steps at once. executor: `threads` or `processes`."""

    run_name: str | None = None
    executor: str = "threads"
    workers: int = 4
    config: Mapping[str, Any] | None = None


class Runner:
    """One run of a pipeline."""

    def __init__(self, workspace: Workspace, composition: Composition, options: RunOptions) -> None:
        self._workspace = workspace
        self._catalog = workspace.catalog
        self._composition = composition
        self._options = options
        self._started = datetime.now(UTC)
        self._names = Names.at(self._started)
        self._versions: dict[tuple[str, str], int] = {}
        self._values: dict[tuple[str, str], Any] = {}
        self._uses = Counter(
            (value.invocation, value.slot)
            for invocation in composition.invocations.values()
            for _, value in invocation.values()
            if isinstance(value, OutputReference)
        )
        self._cached = 0

    def run(self) -> Run:
        """Runs all steps. What a step raises is raised, after everything that does not depend on it has ended."""
        if self._options.executor not in EXECUTORS:
            raise InvalidValue(f"unknown executor '{self._options.executor}' (known: {', '.join(EXECUTORS)})")
        fail_dead_runs(self._workspace)
        self._run = self._begin()
        executor = EXECUTORS[self._options.executor](self._workspace, self._options.workers)
        try:
            with LogCapture():
                failure = self._run_all(executor)
        except BaseException as error:
            executor.close(wait=False)
            cancelled = isinstance(error, KeyboardInterrupt)
            self._end_open_steps("cancelled" if cancelled else "failed")
            status = ExecutionStatus.CANCELLED if cancelled else ExecutionStatus.FAILED
            self._catalog.runs.finish(self._run.id, status.value, error=traceback.format_exc(limit=1))
            raise
        executor.close(wait=True)
        if failure is not None:
            self._catalog.runs.finish(self._run.id, ExecutionStatus.FAILED.value, error=str(failure))
            raise failure
        all_cached = self._composition.invocations and self._cached == len(self._composition.invocations)
        status = ExecutionStatus.CACHED if all_cached else ExecutionStatus.COMPLETED
        return self._catalog.runs.finish(self._run.id, status.value)

    def _begin(self) -> Run:
        name = self._options.run_name or f"{self._composition.pipeline}-{{date}}-{{time}}"
        with self._catalog.transaction():
            return self._catalog.runs.create(
                self._composition.pipeline,
                self._names.fill(name, self._composition.options.substitutions),
                user_id=self._catalog.users.ensure(self._workspace.user).id,
                environment_id=self._catalog.environments.ensure(environment()),
                config=self._options.config,
                host=socket.gethostname(),
                pid=os.getpid(),
                process_started=str(start_time(os.getpid())),
            )

    def _run_all(self, executor: Executor) -> BaseException | None:
        """Starts what is ready and waits for what runs, until nothing is left; returns the first failure."""
        waiting = dict(self._composition.invocations)
        done: set[str] = set()
        running: dict[Future[StepOutcome], Invocation] = {}
        failure: BaseException | None = None
        while waiting or running:
            ready = [invocation for invocation in waiting.values() if invocation.needs <= done]
            for invocation in ready:
                del waiting[invocation.name]
                future = self._start(invocation, executor)
                if future is None:
                    done.add(invocation.name)
                else:
                    running[future] = invocation
            if any(invocation.needs <= done for invocation in waiting.values()):
                continue
            if not running:
                break  # what is left depends on what has failed
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                invocation = running.pop(future)
                error = future.exception()
                if error is not None:
                    failure = failure or error
                else:
                    self._keep(invocation, future.result(), executor)
                    done.add(invocation.name)
        for invocation in waiting.values():
            self._catalog.steps.create(self._run.id, invocation.name, status="skipped", source=invocation.step.source)
        return failure

    def _start(self, invocation: Invocation, executor: Executor) -> Future[StepOutcome] | None:
        """Starts a step, or takes its outputs from an earlier run: then there is nothing to wait for."""
        outputs = plan_outputs(invocation, self._composition.pipeline, self._names)
        external = any(isinstance(value, ExternalArtifact) for _, value in invocation.values())
        inputs = {slot: self._resolved(invocation, slot) for slot in invocation.sources}
        policy = invocation.options.cache_policy or CachePolicy()
        enabled = invocation.options.enable_cache is not False and not external
        key = cache_key(invocation, inputs, outputs, policy) if enabled else None
        earlier = self._find_cached(key, policy, outputs) if key is not None else None
        with self._catalog.transaction():
            step_run = self._record(invocation, inputs, key, earlier)
            if earlier is not None:
                self._take_over(step_run, earlier, invocation)
                return None
        return executor.submit(self._task(invocation, step_run, inputs, outputs, executor))

    def _resolved(self, invocation: Invocation, slot: str) -> list[Version]:
        source = invocation.sources[slot]
        return [
            self._version(value, invocation, slot) for value in (source if isinstance(source, tuple) else (source,))
        ]

    def _version(self, value: Any, invocation: Invocation, slot: str) -> Version:
        if isinstance(value, VersionReference):
            return value.version
        if isinstance(value, OutputReference):
            found = self._catalog.versions.by_id(self._versions[value.invocation, value.slot])
            assert found is not None, "the run has just made it"
            return found
        return save(
            self._workspace,
            value.value,
            f"{self._composition.pipeline}::{invocation.name}::{slot}",
            materializer=value.materializer,
            extract_metadata=value.store_artifact_metadata,
            include_visualizations=value.store_artifact_visualizations,
            save_type=ArtifactSaveType.EXTERNAL,
        )

    def _find_cached(self, key: CacheKey, policy: CachePolicy, outputs: Sequence[OutputPlan]) -> StepRun | None:
        """The newest earlier run with this key whose outputs are live and whose bytes are really there."""
        now_us = int(self._started.timestamp() * 1_000_000)
        since = None if policy.expires_us is None else now_us - policy.expires_us
        found = self._catalog.steps.find_cached(key.digest, since_us=since)
        if found is None:
            return None
        made = {output.slot: output.version_id for output in self._catalog.steps.outputs(found.id)}
        for output in outputs:
            version = self._catalog.versions.by_id(made[output.slot]) if output.slot in made else None
            if version is None or not bytes_are_there(self._workspace, version):
                return None
        return found

    def _record(
        self,
        invocation: Invocation,
        inputs: Mapping[str, Sequence[Version]],
        key: CacheKey | None,
        earlier: StepRun | None,
    ) -> StepRun:
        step_run = self._catalog.steps.create(
            self._run.id,
            invocation.name,
            status=ExecutionStatus.CACHED.value if earlier else ExecutionStatus.RUNNING.value,
            cache_key=key.digest if key else None,
            cache_parts=dict(key.parts) if key else None,
            source=invocation.step.source,
            parameters=invocation.parameters,
            log_path=None if earlier else str(self._log_path(invocation)),
            cached_from_id=earlier.id if earlier else None,
        )
        for slot, versions in inputs.items():
            values = invocation.sources[slot]
            for position, version in enumerate(versions):
                value = values[position] if isinstance(values, tuple) else values
                how = "external" if isinstance(value, ExternalArtifact) else "declared"
                self._catalog.steps.add_input(step_run.id, slot, version.id, how=how, position=position)
        return step_run

    def _take_over(self, step_run: StepRun, earlier: StepRun, invocation: Invocation) -> None:
        for output in self._catalog.steps.outputs(earlier.id):
            self._catalog.steps.add_output(
                step_run.id, output.slot, output.version_id, position=output.position, produced=False
            )
            self._versions[invocation.name, output.slot] = output.version_id
        self._rename_placeholders(invocation)
        self._catalog.steps.finish(step_run.id, ExecutionStatus.CACHED.value)
        self._cached += 1

    def _rename_placeholders(self, invocation: Invocation) -> None:
        """References know an output by its name with placeholders; versions by the name without."""
        planned = plan_outputs(invocation, self._composition.pipeline, self._names)
        for spec, plan in zip(invocation.step.signature.outputs, planned, strict=True):
            if spec.slot != plan.slot and (invocation.name, plan.slot) in self._versions:
                self._versions[invocation.name, spec.slot] = self._versions[invocation.name, plan.slot]
                if (invocation.name, plan.slot) in self._values:
                    self._values[invocation.name, spec.slot] = self._values.pop((invocation.name, plan.slot))

    def _task(
        self,
        invocation: Invocation,
        step_run: StepRun,
        inputs: Mapping[str, Sequence[Version]],
        outputs: Sequence[OutputPlan],
        executor: Executor,
    ) -> StepTask:
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
            values=self._in_memory(invocation) if executor.keeps_values else {},
        )

    def _in_memory(self, invocation: Invocation) -> dict[str, Any]:
        """Values that may be handed over as they are: a step that changes its input must not change another's."""
        values = {}
        for slot, source in invocation.sources.items():
            if isinstance(source, OutputReference) and (source.invocation, source.slot) in self._values:
                key = source.invocation, source.slot
                value = self._values[key]
                if self._uses[key] == 1:
                    values[slot] = self._values.pop(key)
                elif type(value) in _SMALL_AND_FIXED:
                    values[slot] = value
        return values

    def _keep(self, invocation: Invocation, outcome: StepOutcome, executor: Executor) -> None:
        for slot, version_id in outcome.versions.items():
            self._versions[invocation.name, slot] = version_id
        if executor.keeps_values:
            for slot, value in outcome.values.items():
                self._values[invocation.name, slot] = value
        self._rename_placeholders(invocation)
        for slot in outcome.values:
            key = invocation.name, slot
            if key in self._values and not (self._uses[key] == 1 or type(self._values[key]) in _SMALL_AND_FIXED):
                del self._values[key]  # nobody will take it from memory

    def _end_open_steps(self, status: str) -> None:
        for step_run in self._catalog.steps.list(self._run.id):
            if step_run.ended_us is None:
                self._catalog.steps.finish(step_run.id, status)

    def _log_path(self, invocation: Invocation) -> Any:
        return self._workspace.home.path / "logs" / self._run.uuid / f"{invocation.name}.log"


def fail_dead_runs(workspace: Workspace) -> None:
    """Marks runs of this machine as failed whose process is gone: it was killed, and cannot say so itself."""
    for run in workspace.catalog.runs.unfinished(socket.gethostname()):
        if run.pid is not None and str(start_time(run.pid)) != run.process_started:
            with workspace.catalog.transaction():
                for step_run in workspace.catalog.steps.list(run.id):
                    if step_run.ended_us is None:
                        workspace.catalog.steps.finish(step_run.id, "failed", error="its process was killed")
                workspace.catalog.runs.finish(run.id, ExecutionStatus.FAILED.value, error="its process was killed")
