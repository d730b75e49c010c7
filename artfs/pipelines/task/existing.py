"""Steps that return a version which exists already: it is their output, and nothing is saved again."""

from __future__ import annotations

import os

from artfs.artifacts.metadata import storable
from artfs.artifacts.tagging import named_tags
from artfs.catalog.versions import Version
from artfs.errors import InvalidValue, VersionNotFound
from artfs.objects.version import ArtifactVersionResponse
from artfs.pipelines.define.plan import OutputPlan, StepTask
from artfs.pipelines.task.context import StepContext
from artfs.pipelines.task.folders import OutputFolders
from artfs.workspace.workspace import Workspace


def existing_version(
    workspace: Workspace, task: StepTask, plan: OutputPlan, returned: ArtifactVersionResponse, folders: OutputFolders
) -> Version:
    """Returns the row of a version that a step has returned.

    Raises:
        VersionNotFound: it was removed.
        InvalidValue: it is one of another home, cannot be called as the output is to be, or files were written for it.
    """
    what = f"step '{task.name}' returned version {returned.name}/{returned.version} as output '{plan.slot}'"
    found = workspace.catalog.versions.by_uuid(str(returned.id))
    if found is None:
        raise InvalidValue(f"{what}, which is not a version of this home", subject=plan.slot)
    if found.tree_id is None:
        raise VersionNotFound(f"{what}, which was removed", subject=found.shown_name)
    if plan.version is not None and plan.version != found.name:
        raise InvalidValue(f"{what}, which cannot get the version name '{plan.version}'", subject=plan.slot)
    if (staging := folders.opened(plan)) is not None and os.listdir(staging.path):
        raise InvalidValue(f"{what}, and wrote files for a new one: versions never change", subject=plan.slot)
    return found


def give_out(workspace: Workspace, plan: OutputPlan, version: Version, context: StepContext) -> Version:
    """Says of an existing version what the step says of its output, and returns it."""
    catalog = workspace.catalog
    tags = named_tags(catalog, [*plan.tags, *context.tags.get(plan.slot, ())])
    metadata = storable({**plan.metadata, **context.metadata.get(plan.slot, {})})
    if tags:
        catalog.tags.add(version.id, *tags)
    if metadata:
        catalog.metadata.set(version.id, metadata)
    return version
