"""Runs one step: loads its inputs, calls it, saves its outputs. The same here, in another process or elsewhere."""

from __future__ import annotations

import contextlib
import logging
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from artfs.artifacts.load import load
from artfs.artifacts.save import save
from artfs.catalog.versions import Version
from artfs.current import step_scope
from artfs.enums import ArtifactSaveType, ExecutionStatus
from artfs.errors import InvalidValue
from artfs.pipelines.context import StepContext, current_context
from artfs.pipelines.graph import current_composition
from artfs.pipelines.logs import step_log
from artfs.pipelines.plan import OutputPlan, StepTask
from artfs.pipelines.scope import StepScope
from artfs.pipelines.validation import checked
from artfs.workspace import Workspace

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""The wait before the first retry; it doubles each time."""


@dataclass(frozen=True)
class StepOutcome:
    """What a step has made. versions: ids by output; values: the same in memory, where the executor keeps them."""

    versions: Mapping[str, int]
    values: Mapping[str, Any]


def run_task(workspace: Workspace, task: StepTask) -> StepOutcome:
    """Runs a step to its end and records how it ended. What the step raises is raised."""
    steps = workspace.catalog.steps
    attempt = 1
    with step_log(task.log_path):
        while True:
            try:
                outcome = _attempt(workspace, task, attempt)
            except Exception as error:
                trace = traceback.format_exc()
                if attempt <= task.retries:
                    logger.info("attempt %d of step '%s' failed: %s; trying again", attempt, task.name, error)
                    time.sleep(RETRY_SECONDS * 2 ** (attempt - 1))
                    attempt += 1
                    continue
                steps.finish(task.step_run_id, ExecutionStatus.FAILED.value, error=trace, attempt=attempt)
                error.add_note(f"in step '{task.name}' of run '{task.run_name}'; its log is {task.log_path}")
                raise
            steps.finish(task.step_run_id, ExecutionStatus.COMPLETED.value, attempt=attempt)
            return outcome


def _attempt(workspace: Workspace, task: StepTask, attempt: int) -> StepOutcome:
    versions = {slot: [_version(workspace, number) for number in ids] for slot, ids in task.inputs.items()}
    context = StepContext(task, versions, attempt)
    arguments = {**_loaded(workspace, task, versions), **task.parameters}
    inputs = task.step.signature.inputs
    arguments = {
        name: checked(value, inputs[name].annotation, f"step '{task.name}': input '{name}'")
        for name, value in arguments.items()
    }
    with contextlib.ExitStack() as stack:
        _enter(stack, current_context, context)
        _enter(stack, step_scope, StepScope(workspace.catalog, task.step_run_id))
        _enter(stack, current_composition, None)  # a step called within a step is a plain function
        result = task.step.function(**arguments)
    values = _by_slot(task, result)
    made = {}
    for plan in task.outputs:
        made[plan.slot] = _saved(workspace, task, plan, values[plan.slot], context).id
    with workspace.catalog.transaction():
        for position, (slot, version_id) in enumerate(made.items()):
            workspace.catalog.steps.add_output(task.step_run_id, slot, version_id, position=position)
    return StepOutcome(made, values)


def _enter(stack: contextlib.ExitStack, variable: Any, value: Any) -> None:
    stack.callback(variable.reset, variable.set(value))


def _version(workspace: Workspace, number: int) -> Version:
    version = workspace.catalog.versions.by_id(number)
    assert version is not None, "ids are never given out twice, and tombstones stay"
    return version


def _loaded(workspace: Workspace, task: StepTask, versions: Mapping[str, Sequence[Version]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for slot, wanted in versions.items():
        if slot in task.values:
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
        plan.slot: checked(value, plan.annotation, f"step '{task.name}': output '{plan.slot}'")
        for plan, value in zip(task.outputs, values, strict=True)
    }


def _saved(workspace: Workspace, task: StepTask, plan: OutputPlan, value: Any, context: StepContext) -> Version:
    return save(
        workspace,
        value,
        plan.artifact,
        version=plan.version,
        artifact_type=plan.artifact_type,
        tags=[*plan.tags, *context.tags.get(plan.slot, ())],
        metadata={**plan.metadata, **context.metadata.get(plan.slot, {})},
        materializer=plan.materializer,
        save_type=ArtifactSaveType.STEP_OUTPUT,
        producer_id=task.step_run_id,
    )
