"""The functions of `import artfs` that say something of what exists: metadata, tags and models of versions and runs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from artfs.artifacts.lookup import find_artifact, find_version
from artfs.artifacts.metadata import log, storable
from artfs.artifacts.update import update_artifact, update_run, update_version
from artfs.errors import InvalidValue, RunNotFound
from artfs.runs import find_run
from artfs.workspace.current import current_workspace

if TYPE_CHECKING:
    from artfs.artifacts.tagging import Tag
    from artfs.catalog.catalog import Catalog
    from artfs.catalog.steps import StepRun
    from artfs.objects.named_model import Model
    from artfs.objects.version import ArtifactVersionResponse
    from artfs.pipelines.task.context import StepContext


def log_metadata(
    metadata: Mapping[str, Any],
    *,
    artifact_name: str | None = None,
    artifact_version: str | int | None = None,
    artifact_version_id: str | UUID | None = None,
    infer_artifact: bool = False,
    step_name: str | None = None,
    step_id: str | UUID | None = None,
    run_id_name_or_prefix: str | UUID | None = None,
) -> None:
    """Log values about a version, a step of a run, or a run; about the step that runs when nothing else is named.

    A key that was logged before gets the new value.

    Args:
        metadata: values by key, as for `log_artifact_metadata`.
        artifact_name, artifact_version: of which artifact and version, as for `log_artifact_metadata`.
        artifact_version_id: of which version, by its id.
        infer_artifact: of the output of the step that runs; `artifact_name` says which where it has several.
        step_name: of which step of the run `run_id_name_or_prefix`.
        step_id: of which run of a step, by its id.
        run_id_name_or_prefix: of which run, as for `Client.get_pipeline_run`.

    Raises:
        ArtifactNotFound, VersionNotFound, RunNotFound: what is named is not there.
        InvalidValue: a value cannot be logged, several things are named, or none is and no step runs here.

    Example:
        >>> log_metadata({"accuracy": 0.97}, artifact_name="my_model", artifact_version="3")
        >>> log_metadata({"reviewed": True}, run_id_name_or_prefix="training/first")
    """
    of_artifact = artifact_name is not None or infer_artifact
    of_run = run_id_name_or_prefix is not None or step_name is not None
    _only_one(version=of_artifact, version_id=artifact_version_id is not None, run=of_run, step=step_id is not None)
    if artifact_version is not None and artifact_name is None:
        raise InvalidValue("artifact_version says which version of artifact_name: give that too")
    values = storable(metadata)
    if infer_artifact:
        _running("infer_artifact").add_output_metadata(values, artifact_name)
    elif artifact_name is not None:
        log_artifact_metadata(values, artifact_name, artifact_version)
    elif artifact_version_id is not None:
        workspace = current_workspace()
        log(workspace, find_version(workspace.catalog, artifact_version_id), values)
    elif run_id_name_or_prefix is not None:
        catalog = current_workspace().catalog
        run = find_run(catalog, str(run_id_name_or_prefix))
        step = _step_of(catalog, run.id, step_name) if step_name is not None else None
        catalog.run_metadata.set(run.id, values, step.id if step is not None else None)
    elif step_name is not None:
        raise InvalidValue("step_name says which step of a run: give run_id_name_or_prefix too", subject=step_name)
    else:
        catalog = current_workspace().catalog
        step = _by_id(catalog, step_id) if step_id is not None else _running_row(catalog)
        catalog.run_metadata.set(step.run_id, values, step.id)


def log_artifact_metadata(
    metadata: Mapping[str, Any],
    artifact_name: str | None = None,
    artifact_version: str | int | None = None,
    *,
    version: str | int | None = None,
) -> None:
    """Log values about a version. A key that was logged before gets the new value; the old one stays in its history.

    Args:
        metadata: values by key: None, bool, int, float, str, datetime, date, Path, the types of `artfs.types`, numpy
            scalars, and list, tuple, set, dict of these. Dictionaries group values.
        artifact_name: of which artifact. Can be left out in a step with one output.
        artifact_version: of which version (a number, a name, `latest`, `@tag`). When not given, what a step logs for
            one of its outputs is for the version that it is about to make; else it is for the newest.
        version: the same.

    Raises:
        ArtifactNotFound, VersionNotFound: there is none.
        InvalidValue: a value is of another type; nothing was logged then.

    Example:
        >>> log_artifact_metadata({"accuracy": 0.97, "split": {"train": 0.8}}, artifact_name="my_model")
    """
    if artifact_version is not None and version is not None and artifact_version != version:
        raise InvalidValue(f"artifact_version={artifact_version!r} and version={version!r} differ: give one of them")
    chosen = artifact_version if artifact_version is not None else version
    if chosen is None and _goes_to_output_of_step(artifact_name, metadata):
        return
    if artifact_name is None:
        raise InvalidValue("give artifact_name: it can be left out only in a step with one output")
    workspace = current_workspace()
    log(workspace, find_version(workspace.catalog, artifact_name, chosen), metadata)


def add_tags(
    tags: Sequence[str | Tag],
    *,
    artifact: str | None = None,
    artifact_name: str | None = None,
    artifact_version: str | int | None = None,
    artifact_version_id: str | UUID | None = None,
    infer_artifact: bool = False,
    run: str | UUID | None = None,
) -> None:
    """Put tags on a version, an artifact or a run; on the run of the step that runs when nothing else is named.

    Args:
        tags: names, or `Tag`s that say how they behave.
        artifact: name of an artifact that is to carry them itself.
        artifact_name, artifact_version: the version (a number, a name, `latest`, `@tag`; the newest when not given) of
            an artifact.
        artifact_version_id: a version, by its id.
        infer_artifact: the output of the step that runs; `artifact_name` says which where it has several.
        run: a run, as for `Client.get_pipeline_run`.

    Raises:
        ArtifactNotFound, VersionNotFound, RunNotFound: what is named is not there.
        InvalidName, InvalidValue: a tag cannot be used, several things are named, or none is and no step runs here.

    Example:
        >>> add_tags(["validated", Tag("best", exclusive=True)], artifact_name="model", artifact_version="3")
    """
    if infer_artifact:
        _only_one(
            artifact=artifact is not None, version_id=artifact_version_id is not None, run=run is not None, output=True
        )
        _running("infer_artifact").add_output_tags(tags, artifact_name)
        return
    _retag(artifact, artifact_name, artifact_version, artifact_version_id, run, add=tags)


def remove_tags(
    tags: Sequence[str | Tag],
    *,
    artifact: str | None = None,
    artifact_name: str | None = None,
    artifact_version: str | int | None = None,
    artifact_version_id: str | UUID | None = None,
    run: str | UUID | None = None,
) -> None:
    """Take tags off a version, an artifact or a run: all of them, or none.

    Args:
        tags: names.
        artifact, artifact_name, artifact_version, artifact_version_id, run: of what, as for `add_tags`.

    Raises:
        ArtifactNotFound, VersionNotFound, RunNotFound: what is named is not there.
        TagNotFound: it does not carry one of them; nothing was changed.
        InvalidValue: several things are named, or none is and no step runs here.

    Example:
        >>> remove_tags(["candidate"], artifact_name="model", artifact_version="3")
    """
    _retag(artifact, artifact_name, artifact_version, artifact_version_id, run, remove=tags)


def link_artifact_to_model(artifact_version: ArtifactVersionResponse, model: Model | None = None) -> None:
    """Put a version of an artifact into a version of a model; that of the step that runs when none is given.

    Raises:
        VersionNotFound: the version was removed.
        ModelNotFound: no version of the model is in the stage that is named.
        InvalidValue: no model is given, and no step runs here that has one.

    Example:
        >>> link_artifact_to_model(save_artifact(weights, "weights"), Model("classifier", "1"))
    """
    target = model if model is not None else _running("no model is given").model
    target.link(artifact_version)


def _retag(
    artifact: str | None,
    artifact_name: str | None,
    artifact_version: str | int | None,
    artifact_version_id: str | UUID | None,
    run: str | UUID | None,
    *,
    add: Sequence[str | Tag] | None = None,
    remove: Sequence[str | Tag] | None = None,
) -> None:
    _only_one(
        artifact=artifact is not None,
        version=artifact_name is not None,
        version_id=artifact_version_id is not None,
        run=run is not None,
    )
    if artifact_version is not None and artifact_name is None:
        raise InvalidValue("artifact_version says which version of artifact_name: give that too")
    workspace = current_workspace()
    catalog = workspace.catalog
    if artifact is not None:
        update_artifact(workspace, find_artifact(catalog, artifact), add_tags=add, remove_tags=remove)
    elif artifact_name is not None or artifact_version_id is not None:
        wanted = artifact_name if artifact_name is not None else artifact_version_id
        assert wanted is not None
        version = find_version(catalog, wanted, artifact_version)
        update_version(workspace, version, add_tags=add, remove_tags=remove)
    else:
        wanted_run = str(run) if run is not None else _running("nothing to tag is named").task.run_uuid
        update_run(workspace, find_run(catalog, wanted_run), add_tags=add, remove_tags=remove)


def _only_one(**named: bool) -> None:
    given = [what.replace("_", " ") for what, is_given in named.items() if is_given]
    if len(given) > 1:
        raise InvalidValue(f"name one thing, not {' and '.join(given)}")


def _step_of(catalog: Catalog, run_id: int, name: str) -> StepRun:
    found = catalog.steps.get(run_id, name)
    if found is None:
        known = ", ".join(each.name for each in catalog.steps.list(run_id)) or "none"
        raise RunNotFound(f"the run has no step '{name}'; it has: {known}", subject=name)
    return found


def _by_id(catalog: Catalog, step_id: str | UUID) -> StepRun:
    found = catalog.steps.by_uuid(str(step_id))
    if found is None:
        raise RunNotFound(f"no run of a step has the id '{step_id}'", subject=str(step_id))
    return found


def _running_row(catalog: Catalog) -> StepRun:
    found = catalog.steps.by_id(_running("nothing to log for is named").task.step_run_id)
    assert found is not None, "it runs"
    return found


def _running(why: str) -> StepContext:
    context = _current()
    if context is None:
        raise InvalidValue(f"{why}, and no step runs here: name a version, a step or a run")
    return context


def _current() -> StepContext | None:
    # Where no step has ever run, pipelines need not be imported to know that none does.
    contexts = sys.modules.get("artfs.pipelines.task.context")
    found: StepContext | None = contexts.current_context.get() if contexts is not None else None
    return found


def _goes_to_output_of_step(artifact_name: str | None, metadata: Mapping[str, Any]) -> bool:
    """Leave metadata to the step that runs, if it is for an output of it; answer whether it was."""
    context = _current()
    if context is None or context.is_over:
        return False
    outputs = {name for output in context.task.outputs for name in (output.slot, output.artifact)}
    if artifact_name is not None and artifact_name not in outputs:
        return False
    context.add_output_metadata(storable(metadata), artifact_name)
    return True
