"""What can be changed about artifacts, versions and runs: names, tags, types, pins. Each change is in the audit log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from artfs.artifacts.save import checked_type
from artfs.artifacts.settings import change_settings
from artfs.artifacts.tagging import Tag, checked_tags, named_tags
from artfs.enums import ArtifactType, Granularity, Retention
from artfs.errors import InvalidValue, TagNotFound

if TYPE_CHECKING:
    from artfs.catalog.artifacts import Artifact
    from artfs.catalog.runs import Run
    from artfs.catalog.versions import Version
    from artfs.workspace.workspace import Workspace


def update_artifact(
    workspace: Workspace,
    artifact: Artifact,
    *,
    new_name: str | None = None,
    add_tags: Sequence[str | Tag] | None = None,
    remove_tags: Sequence[str | Tag] | None = None,
    unit: Granularity | str | None = None,
    retention: Retention | str | None = None,
) -> Artifact:
    """Rename an artifact, or change its own tags or settings, and return it; all of it or nothing.

    Raises:
        InvalidName, InvalidValue, TagNotFound: an argument cannot be used, or names nothing.
        AlreadyExists: the new name is taken.
    """
    catalog = workspace.catalog
    with catalog.transaction():
        if new_name is not None and new_name != artifact.name:
            before, artifact = artifact.name, catalog.artifacts.rename(artifact.id, new_name)
            _audit(workspace, "artifact.rename", before, {"name": new_name})
        tags = list(catalog.tags.of_artifact(artifact.id))
        catalog.tags.add_to_artifact(artifact.id, *named_tags(catalog, add_tags))
        for tag in _carried(remove_tags, catalog.tags.of_artifact(artifact.id), f"artifact '{artifact.name}'"):
            catalog.tags.remove_from_artifact(artifact.id, tag)
        _audit_tags(workspace, "artifact.tag", artifact.name, tags, catalog.tags.of_artifact(artifact.id))
        change_settings(workspace, artifact, unit=unit, retention=retention)
    return artifact


def update_version(
    workspace: Workspace,
    version: Version,
    *,
    add_tags: Sequence[str | Tag] | None = None,
    remove_tags: Sequence[str | Tag] | None = None,
    artifact_type: ArtifactType | str | None = None,
    pin: str | None = None,
    unpin: bool = False,
) -> Version:
    """Change tags, type or pin of a version and return it; all of it or nothing.

    Args:
        workspace: where it is.
        version: what to change.
        add_tags, remove_tags: names of tags.
        artifact_type: what it is for, from now on.
        pin: keep it from being removed, for this reason.
        unpin: let it be removed again.

    Raises:
        InvalidName, InvalidValue, TagNotFound: an argument cannot be used, or names nothing.
        VersionNotFound: it was removed.
    """
    catalog, subject = workspace.catalog, f"{version.artifact}@{version.name}"
    if pin is not None and (unpin or not isinstance(pin, str) or not pin.strip()):
        raise InvalidValue("a pin needs a reason, as text, and is either set or removed")
    with catalog.transaction():
        tags = list(catalog.tags.of_version(version.id))
        catalog.tags.add(version.id, *named_tags(catalog, add_tags))
        for tag in _carried(remove_tags, catalog.tags.of_version(version.id), f"version {version.shown_name}"):
            catalog.tags.remove(version.id, tag)
        _audit_tags(workspace, "version.tag", subject, tags, catalog.tags.of_version(version.id))
        if artifact_type is not None:
            before = version.type
            version = catalog.versions.update(version.id, type=checked_type(artifact_type, ArtifactType.DATA))
            _audit(workspace, "version.type", subject, {"type": version.type, "before": before})
        if pin is not None:
            catalog.pins.add(version.id, pin)
            _audit(workspace, "version.pin", subject, {"reason": pin})
        if unpin and catalog.pins.remove(version.id):
            _audit(workspace, "version.unpin", subject, {})
    return version


def update_run(
    workspace: Workspace,
    run: Run,
    *,
    add_tags: Sequence[str | Tag] | None = None,
    remove_tags: Sequence[str | Tag] | None = None,
) -> None:
    """Change the tags of a run; all of it or nothing.

    Raises:
        InvalidName, InvalidValue, TagNotFound: an argument cannot be used, or names nothing.
    """
    catalog, subject = workspace.catalog, f"{run.pipeline}/{run.name}"
    with catalog.transaction():
        tags = list(catalog.tags.of_run(run.id))
        catalog.tags.add_to_run(run.id, *named_tags(catalog, add_tags))
        for tag in _carried(remove_tags, catalog.tags.of_run(run.id), f"run '{subject}'"):
            catalog.tags.remove_from_run(run.id, tag)
        _audit_tags(workspace, "run.tag", subject, tags, catalog.tags.of_run(run.id))


def _carried(tags: Sequence[str | Tag] | None, carried: Sequence[str], carrier: str) -> Sequence[str]:
    """Return tags that are to be taken off, all of which are there."""
    for tag in (names := checked_tags(tags)):
        if tag not in carried:
            known = f"its tags: {', '.join(carried)}" if carried else "it has no tags"
            raise TagNotFound(f"{carrier} does not carry tag '{tag}' ({known})", subject=tag)
    return names


def _audit_tags(workspace: Workspace, action: str, subject: str, before: Sequence[str], after: Sequence[str]) -> None:
    if list(after) != list(before):
        _audit(workspace, action, subject, {"tags": list(after), "before": list(before)})


def _audit(workspace: Workspace, action: str, subject: str, detail: Mapping[str, Any]) -> None:
    user = workspace.catalog.users.ensure(workspace.user)
    workspace.catalog.audit.append(action, subject, detail, user.id)
