"""Which earlier run of a step may stand in for a new one, and if none may, why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from artfs.artifacts.verify import bytes_are_there
from artfs.catalog.engine import now_us
from artfs.catalog.steps import Output, StepRun
from artfs.catalog.versions import Version
from artfs.content.digest import Digest
from artfs.pipelines.define.config import CachePolicy
from artfs.pipelines.define.plan import OutputPlan
from artfs.text.times import iso
from artfs.workspace.workspace import Workspace


@dataclass(frozen=True)
class Reusable:
    """An earlier run with its outputs; or None, and why, where the key alone does not say it."""

    earlier: StepRun | None
    outputs: Sequence[Output] = ()
    why: str | None = None


def find_earlier(workspace: Workspace, key: Digest, policy: CachePolicy, outputs: Sequence[OutputPlan]) -> Reusable:
    """The newest completed run of a step with this key, if it is young enough, what it read by hand is still what it
    would read, and every output is live with its bytes really there."""
    steps = workspace.catalog.steps
    since = None if policy.expires_us is None else now_us() - policy.expires_us
    earlier = steps.find_cached(key, since_us=since)
    if earlier is None:
        expired = since is not None and steps.find_cached(key) is not None
        return Reusable(None, why="the earlier run is older than the cache policy allows" if expired else None)
    made = steps.outputs(earlier.id)
    if not {output.slot for output in outputs} <= {output.slot for output in made}:
        return Reusable(None, why="an output of the earlier run is missing")
    for output in made:
        version = workspace.catalog.versions.by_id(output.version_id)
        if version is None or not bytes_are_there(workspace, version):
            return Reusable(None, why=f"the bytes of the earlier output '{output.slot}' are gone")
    for read in steps.inputs(earlier.id):
        version = workspace.catalog.versions.by_id(read.version_id) if read.how == "client" else None
        if version is not None and (what := _other_now(workspace, version, earlier)) is not None:
            return Reusable(None, why=f"the step read {version.shown_name} by hand, and {what}")
    return Reusable(earlier, made)


def _other_now(workspace: Workspace, read: Version, earlier: StepRun) -> str | None:
    """Why code that has loaded a version might load another one now; None if it would not.

    What the code asked for is not known. A version that was the newest may have been asked for as that; any other one
    by its name, or by a tag.
    """
    versions = workspace.catalog.versions
    newest = versions.latest(read.artifact_id)
    if newest is None or newest.digest == read.digest:
        return None
    before = f"lt:{iso(earlier.started_us)}"
    then = versions.list(read.artifact_id, {"created": before}, sort="desc:created", size=1)
    if not then or then[0].id <= read.id:
        return "there is a newer version"
    tagged_us = workspace.catalog.tags.last_given_us(read.artifact_id)
    if tagged_us is not None and tagged_us >= earlier.started_us:
        return f"versions of '{read.artifact}' were given tags since"
    return None
