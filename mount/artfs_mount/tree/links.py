"""Links to versions, step runs and lineage nodes. They are relative, so that they work wherever the tree is mounted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from artfs_mount.tree import inode
from artfs_mount.tree.file_names import catalog_name, file_name, step_name, version_name
from artfs_mount.tree.node import Link, stale

if TYPE_CHECKING:
    from artfs.catalog.lineage import StepFacts, VersionFacts
    from artfs_mount.tree.context import Context

RUN_RESERVED: Final = ("latest",)
"""What no run can be shown as: it is a link beside the runs."""
LINEAGE_UPS: Final = 3
"""From `/lineage/<name>/<version>/upstream` to `/lineage`."""


def version_link(context: Context, ups: int, version: VersionFacts) -> Link:
    """A link to a version, from so many directories below the top."""
    target = f"{'../' * ups}artifacts/{version.artifact}/{version.name}".encode()
    ino = inode.link(inode.InodeKind.VERSION_LINK, ups, version.id)
    return Link(ino, target, version.created_us * 1000, context.fresh_seconds)


def step_link(context: Context, ups: int, step: StepFacts) -> Link:
    """A link to a step run, from so many directories below the top."""
    parts = file_name(step.pipeline), file_name(step.run, taken=RUN_RESERVED), b"steps", file_name(step.name)
    target = b"../" * ups + b"runs/" + b"/".join(parts)
    ino = inode.link(inode.InodeKind.STEP_LINK, ups, step.id)
    return Link(ino, target, step.started_us * 1000, context.fresh_seconds)


def lineage_link(context: Context, version: VersionFacts) -> Link:
    """A link from `upstream` of one lineage node to another."""
    target = f"{'../' * LINEAGE_UPS}{version.artifact}/{version.name}".encode()
    ino = inode.pack(inode.InodeKind.LINEAGE_LINK, version.id)
    return Link(ino, target, version.created_us * 1000, context.fresh_seconds)


def version_link_of(context: Context, payload: int) -> Link:
    """The link of an inode number."""
    ups, version_id = inode.unpack_pair(payload, inode.LINK_BITS)
    return version_link(context, ups, version_facts(context, version_id))


def step_link_of(context: Context, payload: int) -> Link:
    """The link of an inode number."""
    ups, step_run_id = inode.unpack_pair(payload, inode.LINK_BITS)
    return step_link(context, ups, step_facts(context, step_run_id))


def lineage_link_of(context: Context, payload: int) -> Link:
    """The link of an inode number."""
    return lineage_link(context, version_facts(context, payload))


def version_facts(context: Context, version_id: int) -> VersionFacts:
    """The names of a version, also of a purged one.

    Raises:
        Stale: There is none.
    """
    found = many_version_facts(context, [version_id])
    if not found:
        raise stale(version_id)
    return found[0]


def version_called(context: Context, name: bytes) -> VersionFacts | None:
    """The version that a link `<artifact>@<version>` is called after, also a purged one; None if there is none."""
    artifact, _, version = (catalog_name(part) for part in name.rpartition(b"@"))
    facts = context.catalog.lineage.version_named(artifact, version) if artifact and version else None
    return facts if facts is not None and version_name(facts.artifact, facts.name) == name else None


def step_called(context: Context, name: bytes) -> StepFacts | None:
    """The step run that a link `<pipeline>@<run>@<step>` is called after; None if there is none."""
    parts = [catalog_name(part) for part in name.split(b"@")]
    if len(parts) != 3 or None in parts:
        return None
    pipeline, run, step = parts
    assert pipeline is not None and run is not None and step is not None
    facts = context.catalog.lineage.step_of(pipeline, run, step)
    return facts if facts is not None and step_name(facts.pipeline, facts.run, facts.name) == name else None


def many_version_facts(context: Context, version_ids: list[int]) -> list[VersionFacts]:
    """The names of versions; read together, and kept for the questions about each link that follow a listing."""
    found = context.facts.many("version", version_ids, lambda missing: _versions(context, missing))
    return [found[version_id] for version_id in version_ids if version_id in found]


def many_step_facts(context: Context, step_run_ids: list[int]) -> list[StepFacts]:
    """The names of step runs, in the order of their ids."""
    found = context.facts.many("step", step_run_ids, lambda missing: _steps(context, missing))
    return [found[step_run_id] for step_run_id in step_run_ids if step_run_id in found]


def step_facts(context: Context, step_run_id: int) -> StepFacts:
    """The names of a step run, its run and its pipeline.

    Raises:
        Stale: There is none.
    """
    found = many_step_facts(context, [step_run_id])
    if not found:
        raise stale(step_run_id)
    return found[0]


def _versions(context: Context, version_ids: list[int]) -> list[tuple[int, VersionFacts]]:
    return [(facts.id, facts) for facts in context.catalog.lineage.versions(version_ids)]


def _steps(context: Context, step_run_ids: list[int]) -> list[tuple[int, StepFacts]]:
    return [(facts.id, facts) for facts in context.catalog.lineage.steps(step_run_ids)]
