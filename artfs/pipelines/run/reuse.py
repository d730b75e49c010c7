"""Which earlier run of a step may stand in for a new one, and if none may, why."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from artfs.artifacts.verify import bytes_are_there
from artfs.catalog.engine import now_us
from artfs.catalog.step_uses import StepUse
from artfs.catalog.steps import Output, StepRun
from artfs.content.digest import Digest
from artfs.pipelines.define.config import CachePolicy
from artfs.pipelines.define.plan import OutputPlan
from artfs.pipelines.observe import files, names
from artfs.workspace.workspace import Workspace

_MOST_CANDIDATES = 20
"""So many earlier runs with the same key are looked at: they differ in what they used."""


@dataclass(frozen=True)
class Reusable:
    """An earlier run with its outputs; or None, and why, a line each, where the key alone does not say it."""

    earlier: StepRun | None
    outputs: Sequence[Output] = ()
    why: str | None = None


def find_earlier(
    workspace: Workspace,
    key: Digest,
    policy: CachePolicy,
    outputs: Sequence[OutputPlan],
    declared: Mapping[str, bool],
    observe: bool,
) -> Reusable:
    """The newest completed run of a step with this key that is young enough, all that it used is unchanged, and every
    output is live with its bytes really there.

    Args:
        declared: the files that the step says now that it depends on; see `files.declared`.
        observe: whether what an earlier run was seen to use counts.
    """
    steps = workspace.catalog.steps
    since = None if policy.expires_us is None else now_us() - policy.expires_us
    candidates = steps.all_cached(key, since_us=since, limit=_MOST_CANDIDATES)
    if not candidates:
        expired = since is not None and steps.find_cached(key) is not None
        return Reusable(None, why="the earlier run is older than the cache policy allows" if expired else None)
    why: str | None = None
    for earlier in candidates:
        made = steps.outputs(earlier.id)
        changes = _lost(workspace, made, outputs) or _changes(workspace, earlier, declared, observe)
        if not changes:
            return Reusable(earlier, made)
        why = why or "\n".join(changes)
    return Reusable(None, why=why)


def _lost(workspace: Workspace, made: Sequence[Output], outputs: Sequence[OutputPlan]) -> list[str]:
    if not {output.slot for output in outputs} <= {output.slot for output in made}:
        return ["an output of the earlier run is missing"]
    for output in made:
        version = workspace.catalog.versions.by_id(output.version_id)
        if version is None or not bytes_are_there(workspace, version):
            return [f"the bytes of the earlier output '{output.slot}' are gone"]
    return []


def _changes(workspace: Workspace, earlier: StepRun, declared: Mapping[str, bool], observe: bool) -> list[str]:
    """What is no longer as the earlier run used it, a line each."""
    uses = workspace.catalog.step_uses.of(earlier.id)
    names_now = files.names(declared)
    names_then = {use.name for use in uses if use.kind == "declared"}
    found = [f"file {os.fsdecode(name)} is new" for name in sorted(names_now - names_then)]
    found += [f"file {os.fsdecode(name)} is no longer there" for name in sorted(names_then - names_now)]
    for use in uses:
        if (use.kind == "declared" and use.name in names_now) or (use.kind != "declared" and observe):
            change = _change(workspace, earlier.id, use)
            if change is not None:
                found.append(change)
    return found


def _change(workspace: Workspace, step_run_id: int, use: StepUse) -> str | None:
    from artfs.pipelines.observe import generators, modules  # a run whose steps used nothing needs neither

    shown = os.fsdecode(use.name)
    if use.kind == names.NAME:
        return names.change(workspace.catalog, use)
    if use.kind == "random":
        assert use.digest is not None
        same = generators.is_at(shown, use.digest)
        return None if same else f"the random generator of {shown} was seeded, and stands elsewhere now"
    if use.kind == "module":
        what = modules.change(use)
        return None if what is None else f"module {shown} {what}"
    compared = files.compared(use)
    if compared.now is not None:
        workspace.catalog.step_uses.add(step_run_id, [compared.now])
    return None if compared.change is None else f"file {shown} {compared.change}"
