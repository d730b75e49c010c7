"""Which artifact or version is meant by a name, an id, the beginning of an id, or a tag."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

from artfs.errors import ArtifactNotFound, InvalidValue, VersionNotFound
from artfs.scopes import step_scope
from artfs.text.nearest import did_you_mean

if TYPE_CHECKING:
    from artfs.catalog.artifacts import Artifact
    from artfs.catalog.catalog import Catalog
    from artfs.catalog.versions import Version

LATEST = "latest"
_NEWEST_COMPARED = 1000
"""Versions whose names an unknown one is compared with: who waits for a version asks again and again."""

_ID_PREFIX = re.compile(r"[0-9a-f]{4,8}(-[0-9a-f-]{0,27})?|[0-9a-f]{9,32}", re.IGNORECASE)
"""At least four digits: shorter ones are rather names that do not exist."""


def find_artifact(catalog: Catalog, name: str) -> Artifact:
    """Return the artifact of that name.

    Raises:
        ArtifactNotFound: there is none.
    """
    found = catalog.artifacts.get(name)
    if found is None:
        raise ArtifactNotFound(
            f"no artifact is named '{name}'{_nearest_artifact(catalog, name)}; 'artfs artifact list' lists them",
            subject=name,
        )
    return found


def split_name(catalog: Catalog, text: str) -> tuple[str, str | None]:
    """Take apart how people write a version, and return its two parts for `find_version`.

    NAME/VERSION and NAME:VERSION are the same; but an artifact may have a colon in its name, and then that one is
    meant. Where VERSION is missing, None stands for it.
    """
    name, slash, version = text.partition("/")
    if not slash and ":" in text and catalog.artifacts.get(text) is None:
        name, _, version = text.rpartition(":")
    return name, version or None


def find_version(
    catalog: Catalog, name_or_id: str | UUID, version: str | int | None = None, *, purged: bool = False
) -> Version:
    """Return the version that is meant.

    Args:
        name_or_id: the name of an artifact, or the id of a version or its beginning (at least 4 digits). What is the
            name of an artifact means that.
        version: which version of the artifact: its number or name, `latest`, or `@tag` for the newest that carries the
            tag. The newest when not given.
        purged: whether it may be a tombstone.

    Raises:
        ArtifactNotFound, VersionNotFound: there is none (any more).
        InvalidValue: several ids begin so.
    """
    text = str(name_or_id)
    artifact = catalog.artifacts.get(text) if not isinstance(name_or_id, UUID) else None
    if artifact is not None:
        return version_of(catalog, artifact, LATEST if version is None else str(version), purged=purged)
    if version is not None:
        if catalog.artifacts.get(text) is None:
            _tell(f"{text}/{version}", None)
        return version_of(catalog, find_artifact(catalog, text), str(version), purged=purged)
    found = _by_id(catalog, text)
    if found is None:
        if not isinstance(name_or_id, UUID):
            _tell(f"{text}/{LATEST}", None)
        if _is_id(text):
            raise VersionNotFound(f"no version has the id '{text}'", subject=text)
        raise ArtifactNotFound(
            f"'{text}' is neither an artifact's name nor the id of a version{_nearest_artifact(catalog, text)}; "
            "'artfs artifact list' lists the names",
            subject=text,
        )
    return found if purged else _still_there(found)


def version_of(catalog: Catalog, artifact: Artifact, version: str, *, purged: bool = False) -> Version:
    """Return the version of an artifact that a number, a name, `latest` or `@tag` means.

    Raises:
        VersionNotFound: there is none (any more; `purged`: a tombstone will do).
    """
    if version == LATEST:
        found, problem = catalog.versions.latest(artifact.id), "has no versions yet"
    elif version.startswith("@"):
        found = catalog.versions.by_tag(artifact.id, version[1:])
        problem = f"has no version with the tag '{version[1:]}'"
    else:
        found, problem = catalog.versions.get(artifact.id, version), f"has no version '{version}'"
    if found is None or version == LATEST or version.startswith("@"):
        _tell(f"{artifact.name}/{version}", found)
    if found is None:
        meant = "" if version == LATEST else did_you_mean(version, _ways_to_say(catalog, artifact))
        raise VersionNotFound(
            f"artifact '{artifact.name}' {problem}{meant}; 'artfs artifact version list {artifact.name}' lists them",
            subject=version,
        )
    return found if purged else _still_there(found)


def is_removed(catalog: Catalog, version: Version) -> bool:
    """Return whether a version is a tombstone by now."""
    now = catalog.versions.by_id(version.id)
    return now is None or now.tree_id is None


@contextmanager
def told_if_removed(catalog: Catalog, version: Version, doing: str) -> Iterator[None]:
    """Let an error be VersionNotFound if somebody removed the version meanwhile: whatever is missing, this is why.

    Args:
        doing: what is done with it here: `loaded`.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, VersionNotFound) or not is_removed(catalog, version):
            raise
        name = version.shown_name
        raise VersionNotFound(f"version {name} was removed while it was {doing}", subject=name) from error


def _tell(asked_for: str, found: Version | None) -> None:
    """Tell the step in which a version is looked up what it asked for: later it may be another one."""
    if (scope := step_scope.get()) is not None:
        scope.looked_up(asked_for, found)


def _nearest_artifact(catalog: Catalog, name: str) -> str:
    return did_you_mean(name, catalog.artifacts.names())


def _ways_to_say(catalog: Catalog, artifact: Artifact) -> Iterator[str]:
    """What the newest versions of an artifact can be called, which are meant more often than others."""
    yield from (f"@{tag}" for tag in catalog.tags.newest(artifact.id))
    # A number is no nearer to another number.
    newest = catalog.versions.newest(artifact.id, _NEWEST_COMPARED)
    yield from (version.name for version in reversed(newest) if version.number is None)


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _by_id(catalog: Catalog, text: str) -> Version | None:
    if _is_id(text):
        return catalog.versions.by_uuid(str(UUID(text)))
    if not _ID_PREFIX.fullmatch(text):
        return None
    found = catalog.versions.by_uuid_prefix(_with_dashes(text))
    if len(found) > 1:
        candidates = ", ".join(f"{each.uuid} ({each.shown_name})" for each in found)
        raise InvalidValue(f"the ids of several versions begin with '{text}': {candidates}; give more digits")
    return found[0] if found else None


def _with_dashes(digits: str) -> str:
    """The beginning of an id as ids are written, whether or not its dashes were."""
    plain = digits.replace("-", "")
    parts = (plain[:8], plain[8:12], plain[12:16], plain[16:20], plain[20:])
    return "-".join(part for part in parts if part)


def _still_there(version: Version) -> Version:
    if version.tree_id is None:
        why = f": {version.purge_reason}" if version.purge_reason else ""
        raise VersionNotFound(f"version {version.shown_name} was removed{why}", subject=version.shown_name)
    return version
