"""Runs one step: loads its inputs, calls it, saves its outputs. The same here, in another process or elsewhere."""

from __future__ import annotations

import contextlib
import logging
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from artfs.artifacts.load import load
from artfs.artifacts.save import prepared
from artfs.artifacts.seal import Ready, commit
from artfs.catalog.step_uses import StepUse
from artfs.catalog.versions import Version
from artfs.enums import ArtifactSaveType, ExecutionStatus
from artfs.errors import Cancelled, InvalidValue
from artfs.objects.version import ArtifactVersionResponse
from artfs.pipelines.define.plan import OutputPlan, StepTask
from artfs.pipelines.task.context import StepContext, current_context
from artfs.pipelines.task.existing import existing_version, give_out
from artfs.pipelines.task.folders import OutputFolders
from artfs.pipelines.task.hooks import call_hook
from artfs.pipelines.task.logs import step_log
from artfs.pipelines.task.scope import StepScope
from artfs.pipelines.task.validation import checked
from artfs.scopes import current_composition, step_scope, unobserved
from artfs.workspace.workspace import Workspace

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""The wait before the first retry; it doubles each time."""


@dataclass(frozen=True)
class StepOutcome:
    """What a step has made. versions: ids by output. values: the same in memory, by name with placeholders."""

    versions: Mapping[str, int]
    values: Mapping[str, Any]


def run_task(workspace: Workspace, task: StepTask, cancelled: Callable[[], bool] = lambda: False) -> StepOutcome:
    """Runs a step to its end and records how it ended. What the step raises is raised.

    cancelled: asked before anything is recorded: whether the run has been given up, so that nobody wants to know.
    """
    scope = StepScope(workspace, task)
    with step_log(task.log_path, workspace.home):
        attempt = 1
        while True:
            try:
                outcome = _attempt(workspace, task, scope, attempt, cancelled)
            except BaseException as error:
                if cancelled():
                    raise
                if not isinstance(error, Exception) or attempt > task.retries:
                    _record_failure(workspace, task, error, attempt)
                    if task.on_failure is not None and not isinstance(error, KeyboardInterrupt):
                        call_hook(task.on_failure, _context(workspace, task, attempt), scope, error)
                    raise
                logger.info("attempt %d of step '%s' failed: %s; trying again", attempt, task.name, error)
                time.sleep(RETRY_SECONDS * 2 ** (attempt - 1))
                attempt += 1
            else:
                if task.on_success is not None:
                    call_hook(task.on_success, _context(workspace, task, attempt), scope)
                return outcome


def _record_failure(workspace: Workspace, task: StepTask, error: BaseException, attempt: int) -> None:
    interrupted = isinstance(error, KeyboardInterrupt)
    status = ExecutionStatus.CANCELLED if interrupted else ExecutionStatus.FAILED
    trace = "".join(traceback.format_exception(error))
    workspace.catalog.steps.finish(task.step_run_id, status.value, error=trace, attempt=attempt)
    error.add_note(f"in step '{task.name}' of run '{task.run_name}'; its log is {task.log_path}")


def _attempt(
    workspace: Workspace, task: StepTask, scope: StepScope, attempt: int, cancelled: Callable[[], bool]
) -> StepOutcome:
    context = _context(workspace, task, attempt)
    with contextlib.ExitStack() as stack:
        folders = OutputFolders(workspace, stack)
        context.make_folder = folders.path
        # A step of a pipeline that is run within a step of another is no business of that one.
        _enter(stack, step_scope, None)
        with unobserved():
            arguments = {**_loaded(workspace, task, context.versions, attempt), **task.parameters}
        try:
            with scope.observed():
                result = _call(task, scope, context, arguments)
        finally:
            context.is_over = True
        values = _by_slot(task, result)
        with unobserved():
            made = _save(workspace, task, values, context, folders, scope.uses(), attempt, cancelled)
    # An existing version that the step has returned stands for its value, which whoever needs it loads.
    fresh = [plan for plan in task.outputs if not isinstance(values[plan.slot], ArtifactVersionResponse)]
    return StepOutcome(made, {plan.template: values.pop(plan.slot) for plan in fresh})


def _context(workspace: Workspace, task: StepTask, attempt: int) -> StepContext:
    versions = {slot: [_version(workspace, number) for number in ids] for slot, ids in task.inputs.items()}
    return StepContext(task, versions, attempt)


def _call(task: StepTask, scope: StepScope, context: StepContext, arguments: Mapping[str, Any]) -> Any:
    """Calls the step's function with what it takes."""
    inputs = task.step.signature.inputs
    fitting = {
        name: checked(value, inputs[name].annotation, f"step '{task.name}': input '{name}'")
        for name, value in arguments.items()
    }
    with contextlib.ExitStack() as stack:
        _enter(stack, current_context, context)
        _enter(stack, step_scope, scope)
        _enter(stack, current_composition, None)  # a step called within a step is a plain function
        return task.step.function(**fitting)


def _save(
    workspace: Workspace,
    task: StepTask,
    values: Mapping[str, Any],
    context: StepContext,
    folders: OutputFolders,
    uses: Sequence[StepUse],
    attempt: int,
    cancelled: Callable[[], bool],
) -> dict[str, int]:
    """Makes a version of every output, and records that the step is complete: all of it at once, or nothing."""
    steps = workspace.catalog.steps
    existing = {
        plan.slot: existing_version(workspace, task, plan, value, folders)
        for plan in task.outputs
        if isinstance(value := values[plan.slot], ArtifactVersionResponse)
    }
    fresh = [plan for plan in task.outputs if plan.slot not in existing]
    with contextlib.ExitStack() as stack:
        readies = [
            stack.enter_context(_prepared(workspace, task, plan, values[plan.slot], context, folders)) for plan in fresh
        ]
        if cancelled():
            raise Cancelled(f"the run of step '{task.name}' was cancelled")
        with workspace.catalog.transaction():
            made = dict(zip((plan.slot for plan in fresh), commit(workspace, readies), strict=True))
            for plan in task.outputs:
                version = made.get(plan.slot) or give_out(workspace, plan, existing[plan.slot], context)
                produced = plan.slot in made or version.producer_id == task.step_run_id
                steps.add_output(task.step_run_id, plan.slot, version.id, produced=produced)
                if task.model_version_id is not None:
                    workspace.catalog.models.link(task.model_version_id, version.id)
            workspace.catalog.step_uses.add(task.step_run_id, uses)
            steps.finish(task.step_run_id, ExecutionStatus.COMPLETED.value, attempt=attempt)
    return {plan.slot: (made.get(plan.slot) or existing[plan.slot]).id for plan in task.outputs}


def _enter(stack: contextlib.ExitStack, variable: Any, value: Any) -> None:
    stack.callback(variable.reset, variable.set(value))


def _version(workspace: Workspace, number: int) -> Version:
    version = workspace.catalog.versions.by_id(number)
    assert version is not None, "ids are never given out twice, and tombstones stay"
    return version


def _loaded(
    workspace: Workspace, task: StepTask, versions: Mapping[str, Sequence[Version]], attempt: int
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for slot, wanted in versions.items():
        # What an attempt before this one may have changed in place is loaded again.
        if slot in task.values and attempt == 1:
            found[slot] = task.values[slot]
        else:
            values = [load(workspace, version) for version in wanted]
            found[slot] = values if slot in task.lists else values[0]
    return found


def _by_slot(task: StepTask, result: Any) -> dict[str, Any]:
    slots = [plan.slot for plan in task.outputs]
    if not slots:
        return {}
    if not task.step.signature.as_tuple:
        values = [result]
    elif isinstance(result, tuple | list) and len(result) == len(slots):
        values = list(result)
    else:
        got = f"{len(result)} values" if isinstance(result, tuple | list) else type(result).__name__
        raise InvalidValue(f"step '{task.name}' returned {got}, but has {len(slots)} outputs: {', '.join(slots)}")
    return {
        plan.slot: value
        if isinstance(value, ArtifactVersionResponse)
        else checked(value, plan.annotation, f"step '{task.name}': output '{plan.slot}'")
        for plan, value in zip(task.outputs, values, strict=True)
    }


def _prepared(
    workspace: Workspace,
    task: StepTask,
    plan: OutputPlan,
    value: Any,
    context: StepContext,
    folders: OutputFolders,
) -> contextlib.AbstractContextManager[Ready]:
    return prepared(
        workspace,
        value,
        plan.artifact,
        version=plan.version,
        artifact_type=plan.artifact_type,
        tags=[*plan.tags, *task.tags, *context.tags.get(plan.slot, ())],
        metadata={**plan.metadata, **context.metadata.get(plan.slot, {})},
        materializer=plan.materializer,
        save_type=ArtifactSaveType.STEP_OUTPUT,
        producer_id=task.step_run_id,
        staging=folders.opened(plan),
    )
