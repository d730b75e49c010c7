"""What a process that has imported a step's code afresh has to check before it runs the step."""

from __future__ import annotations

from artfs.lineage.explain import WHY
from artfs.pipelines.define.plan import StepTask
from artfs.pipelines.fingerprint.code import TYPES, code_of
from artfs.pipelines.fingerprint.types_used import types_used
from artfs.workspace.workspace import Workspace


def forget_key_of_other_code(workspace: Workspace, task: StepTask) -> None:
    """Sees to it that nobody is given these outputs, if the code here is not what the step's key was made of.

    A module of the user's own may have been edited since the program imported it, or changed by the program: a
    constant that it sets is again in a new process what the file says.
    """
    steps, versions = workspace.catalog.steps, workspace.catalog.versions
    row = steps.by_id(task.step_run_id)
    if row is None or row.cache_key is None:
        return
    inputs = versions.by_ids([number for numbers in task.inputs.values() for number in numbers])
    given = {(version.data_type, version.materializer) for version in inputs}
    here = code_of(task.step.function, types_used(task.step, task.outputs, given), task.main).parts
    told = {name.removeprefix("code:"): digest for name, digest in row.cache_parts.items() if name.startswith("code:")}
    both = told.keys() & {name for name in here if not name.endswith(TYPES)}
    other = sorted(name for name in both if told[name] != here[name].hex())
    if other:
        why = f"it ran in another process, where '{other[0]}' is not the same: its outputs are never used again"
        steps.set_cache_key(task.step_run_id, None, {**row.cache_parts, WHY: why})
