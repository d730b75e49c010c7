"""Verbs on models: which version of one is meant, and what is put into it. Each change is in the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from artfs.enums import ModelStages
from artfs.errors import AlreadyExists, InvalidName, InvalidValue, ModelNotFound
from artfs.text.nearest import did_you_mean

if TYPE_CHECKING:
    from artfs.catalog.catalog import Catalog
    from artfs.catalog.models import Model, ModelVersion
    from artfs.catalog.runs import Run
    from artfs.catalog.versions import Version
    from artfs.workspace.workspace import Workspace


def find_model(catalog: Catalog, name: str) -> Model:
    """Return the model of that name, or raise ModelNotFound."""
    found = catalog.models.get(name)
    if found is None:
        meant = did_you_mean(name, (model.name for model in catalog.models.list()))
        raise ModelNotFound(f"no model is named '{name}'{meant}; 'artfs model list' lists them", subject=name)
    return found


def find_model_version(catalog: Catalog, name: str, version: str | int | None = None) -> ModelVersion:
    """Return a version of a model.

    Args:
        name: of the model.
        version: a number, a name, a stage, or `latest`; the newest when not given.

    Raises:
        ModelNotFound: there is none.
    """
    model = find_model(catalog, name)
    wanted = ModelStages.LATEST.value if version is None else _name_of(version)
    if wanted == ModelStages.LATEST:
        found, problem = catalog.models.latest(model.id), "has no versions yet"
    elif wanted in set(ModelStages):
        found, problem = catalog.models.in_stage(model.id, ModelStages(wanted)), f"has no version in stage '{wanted}'"
    else:
        known = (each.name for each in catalog.models.versions(model.id) if each.number is None)
        found, problem = (
            catalog.models.version(model.id, wanted),
            f"has no version '{wanted}'{did_you_mean(wanted, known)}",
        )
    if found is None:
        raise ModelNotFound(
            f"model '{model.name}' {problem}; 'artfs model show {model.name}' lists them", subject=wanted
        )
    return found


def create_model(workspace: Workspace, name: str, *, description: str | None = None) -> Model:
    """Make a model. Raises InvalidName, or AlreadyExists if there is one of that name."""
    with workspace.catalog.transaction():
        if workspace.catalog.models.get(name) is not None:
            raise AlreadyExists(f"there is a model named '{name}': choose another name", subject=name)
        return _ensured(workspace, name, description)


def create_model_version(
    workspace: Workspace, name: str, version: str | int | None = None, *, description: str | None = None
) -> ModelVersion:
    """Make a version of a model, which is made too if there is none; named by the next number when no name is given.

    Raises:
        InvalidName: one of the names cannot be used.
        AlreadyExists: the model has a version of that name.
    """
    catalog = workspace.catalog
    with catalog.transaction():
        model = _ensured(workspace, name, None)
        user_id = catalog.users.ensure(workspace.user).id
        chosen = None if version is None else _name_of(version)
        made = catalog.models.create_version(model.id, chosen, description=description, user_id=user_id)
        _audit(workspace, "model.create", made.shown_name, {})
    return made


def ensured_model_version(
    workspace: Workspace, name: str, version: str | int | None = None, *, description: str | None = None
) -> ModelVersion:
    """Return a version of a model; one that there is not yet is made, unless a stage was asked for.

    Without a version the newest is meant, and the first is made where there is none.

    Raises:
        InvalidName: one of the names cannot be used.
        ModelNotFound: no version is in that stage.
    """
    catalog = workspace.catalog
    wanted = None if version is None else _name_of(version)
    with catalog.transaction():
        model = catalog.models.get(name)
        if wanted in set(ModelStages):
            return find_model_version(catalog, name, wanted)
        found = None
        if model is not None:
            found = catalog.models.latest(model.id) if wanted is None else catalog.models.version(model.id, wanted)
        return found or create_model_version(workspace, name, wanted, description=description)


def link_version(workspace: Workspace, collection: ModelVersion, version: Version) -> None:
    """Put a version into a version of a model. Raises VersionNotFound if it was removed."""
    catalog = workspace.catalog
    with catalog.transaction():
        if catalog.models.link(collection.id, version.id, catalog.users.ensure(workspace.user).id):
            _audit(workspace, "model.link", collection.shown_name, {"version": version.shown_name})


def unlink_version(workspace: Workspace, collection: ModelVersion, version: Version) -> None:
    """Take a version out of a version of a model. Raises InvalidValue if it is not in it."""
    with workspace.catalog.transaction():
        if not workspace.catalog.models.unlink(collection.id, version.id):
            raise InvalidValue(
                f"version {version.shown_name} is not in model {collection.shown_name}", subject=version.shown_name
            )
        _audit(workspace, "model.unlink", collection.shown_name, {"version": version.shown_name})


def link_run(workspace: Workspace, collection: ModelVersion, run: Run) -> None:
    """Put a run into a version of a model."""
    workspace.catalog.models.link_run(collection.id, run.id, workspace.catalog.users.ensure(workspace.user).id)


def set_stage(
    workspace: Workspace, collection: ModelVersion, stage: ModelStages | str, *, force: bool = False
) -> ModelVersion:
    """Put a version of a model into a stage, and return it.

    Args:
        stage: staging, production, archived or none.
        force: archive the version that is in the stage, where only one may be.

    Raises:
        InvalidValue: there is no such stage, or another version is in it and `force` is not set; nothing was changed.
    """
    chosen = _checked_stage(stage)
    catalog = workspace.catalog
    with catalog.transaction():
        before = catalog.models.set_stage(collection.id, None if chosen is ModelStages.NONE else chosen)
        if before is not None and not force:
            raise InvalidValue(
                f"version {before.shown_name} is in stage '{chosen}': force it to archive that one", subject=before.name
            )
        _audit(workspace, "model.stage", collection.shown_name, {"stage": chosen.value, "before": collection.stage})
        changed = catalog.models.version_by_id(collection.id)
    assert changed is not None, "it was just changed"
    return changed


def delete_model(workspace: Workspace, model: Model) -> None:
    """Forget a model with all its versions; the artifacts' versions that are in them stay."""
    with workspace.catalog.transaction():
        workspace.catalog.models.delete(model.id)
        _audit(workspace, "model.delete", model.name, {})


def delete_model_version(workspace: Workspace, collection: ModelVersion) -> None:
    """Forget a version of a model; the artifacts' versions that are in it stay."""
    with workspace.catalog.transaction():
        workspace.catalog.models.delete_version(collection.id)
        _audit(workspace, "model.delete", collection.shown_name, {})


def _name_of(version: str | int) -> str:
    if isinstance(version, bool) or not isinstance(version, str | int):
        raise InvalidName(f"the version of a model is a text or a number, not {version!r}", subject=str(version))
    return str(version)


def _ensured(workspace: Workspace, name: str, description: str | None) -> Model:
    user_id = workspace.catalog.users.ensure(workspace.user).id
    return workspace.catalog.models.ensure(name, description=description, user_id=user_id)


def _checked_stage(stage: ModelStages | str) -> ModelStages:
    stages = [each for each in ModelStages if each is not ModelStages.LATEST]
    if stage not in stages:
        raise InvalidValue(f"unknown stage '{stage}' (known: {', '.join(stages)})", subject=str(stage))
    return ModelStages(stage)


def _audit(workspace: Workspace, action: str, subject: str, detail: Mapping[str, Any]) -> None:
    user = workspace.catalog.users.ensure(workspace.user)
    workspace.catalog.audit.append(action, subject, detail, user.id)
