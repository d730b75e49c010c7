"""What can be set for an artifact: what of a draft is one version, and what becomes of its versions for room."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from artfs.enums import Granularity, Retention
from artfs.errors import InvalidValue

if TYPE_CHECKING:
    from artfs.catalog.artifacts import Artifact
    from artfs.catalog.catalog import Catalog
    from artfs.workspace.workspace import Workspace

UNIT = "unit"
RETENTION = "retention"
"""The names of the settings in the catalog."""

W = TypeVar("W", bound=StrEnum)


def granularity_of(catalog: Catalog, artifact: str) -> Granularity:
    """Return what of a draft of this name is one version. The artifact need not be there."""
    found = catalog.artifacts.get(artifact)
    value = catalog.settings.get(found.id, UNIT) if found is not None else None
    return _known(Granularity, value, Granularity.DRAFT)


def kept_for_ever(workspace: Workspace, artifact_ids: Collection[int]) -> set[int]:
    """Return those of the artifacts whose versions never go for room, by their own setting or the home's."""
    usual, settings = workspace.home.config.retention, workspace.catalog.settings.of(artifact_ids)
    said = {each: _known(Retention, settings.get(each, {}).get(RETENTION), usual) for each in artifact_ids}
    return {each for each, retention in said.items() if retention is Retention.KEEP}


def change_settings(
    workspace: Workspace,
    artifact: Artifact,
    *,
    unit: Granularity | str | None = None,
    retention: Retention | str | None = None,
) -> None:
    """Change what is given, with a row in the audit log for each change.

    Raises InvalidValue for a word that has no meaning.
    """
    wanted = {UNIT: _checked(Granularity, UNIT, unit), RETENTION: _checked(Retention, RETENTION, retention)}
    catalog = workspace.catalog
    with catalog.transaction():
        for name, value in wanted.items():
            before = catalog.settings.get(artifact.id, name)
            if value is not None and value != before:
                user = catalog.users.ensure(workspace.user)
                catalog.settings.set(artifact.id, name, value, user.id)
                catalog.audit.append(f"artifact.{name}", artifact.name, {"value": value, "before": before}, user.id)


def _checked(words: type[W], name: str, value: W | str | None) -> W | None:
    if value is None or value in list(words):
        return None if value is None else words(value)
    raise InvalidValue(f"{name} must be one of {', '.join(words)}, not {value!r}")


def _known(words: type[W], value: object, usual: W) -> W:
    """A later release may have words that this one does not know."""
    return words(value) if isinstance(value, str) and value in list(words) else usual
