"""How artifacts and versions are named on the command line, and the completion of those names.

NAME                      the artifact; where a version is wanted, its newest
NAME/VERSION              that version: a number, a chosen name, `latest`, or `@TAG` for the newest that carries it
NAME:VERSION              the same; but an artifact may have a colon in its name, and then that one is meant
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from artfs.errors import ArtfsError, ArtifactNotFound, VersionNotFound
from artfs.names import check_artifact_name, check_tag_name, check_version_name

if TYPE_CHECKING:
    from artfs.catalog import Catalog
    from artfs.catalog.artifacts import Artifact
    from artfs.catalog.versions import Version

LATEST = "latest"


def artifact_named(catalog: Catalog, name: str) -> Artifact:
    """Return the artifact of that name. Raises InvalidName, ArtifactNotFound."""
    found = catalog.artifacts.get(check_artifact_name(name))
    if found is None:
        raise ArtifactNotFound(f"no artifact is named '{name}'; 'artfs artifact list' lists them", subject=name)
    return found


def version_named(catalog: Catalog, text: str) -> Version:
    """Return the version that a text means; it may be a tombstone.

    Raises InvalidName, ArtifactNotFound, VersionNotFound.
    """
    artifact, version = _split(catalog, text)
    return _version(catalog, artifact, version or LATEST)


def versions_named(catalog: Catalog, texts: Iterable[str]) -> Sequence[Version]:
    """Return the versions that texts mean, each once; an artifact alone means all of its versions.

    Raises InvalidName, ArtifactNotFound, VersionNotFound.
    """
    found: dict[int, Version] = {}
    for text in texts:
        artifact, name = _split(catalog, text)
        versions = catalog.versions.list(artifact.id) if name is None else [_version(catalog, artifact, name)]
        found.update((version.id, version) for version in versions)
    return list(found.values())


def complete_artifact(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of an artifact."""
    return [CompletionItem(name) for name in _artifact_names(context) if name.startswith(incomplete)]


def complete_version(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete NAME/VERSION: first the artifact, then what it has."""
    name, slash, version = incomplete.partition("/")
    if not slash:
        return complete_artifact(context, parameter, incomplete)
    return [CompletionItem(f"{name}/{each}") for each in _version_names(context, name) if each.startswith(version)]


def _split(catalog: Catalog, text: str) -> tuple[Artifact, str | None]:
    name, slash, version = text.partition("/")
    if slash:
        return artifact_named(catalog, name), version
    if ":" in text and catalog.artifacts.get(text) is None:
        name, _, version = text.rpartition(":")
        return artifact_named(catalog, name), version
    return artifact_named(catalog, text), None


def _version(catalog: Catalog, artifact: Artifact, name: str) -> Version:
    if name == LATEST:
        found = catalog.versions.latest(artifact.id)
        problem = "has no versions yet"
    elif name.startswith("@"):
        found = catalog.versions.by_tag(artifact.id, check_tag_name(name[1:]))
        problem = f"has no version with the tag '{name[1:]}'"
    else:
        found = catalog.versions.get(artifact.id, check_version_name(name))
        problem = f"has no version '{name}'"
    if found is None:
        raise VersionNotFound(
            f"artifact '{artifact.name}' {problem}; 'artfs artifact version list {artifact.name}' lists them",
            subject=name,
        )
    return found


def _artifact_names(context: click.Context) -> Sequence[str]:
    with catalog_to_complete(context) as catalog:
        return catalog.artifacts.names() if catalog else []


def _version_names(context: click.Context, artifact: str) -> Sequence[str]:
    with catalog_to_complete(context) as catalog:
        found = catalog.artifacts.get(artifact) if catalog else None
        if catalog is None or found is None:
            return []
        tags = [f"@{tag}" for tag in catalog.tags.newest(found.id)]
        return [*(name for name, _ in catalog.versions.names(found.id)), LATEST, *tags]


@contextmanager
def catalog_to_complete(context: click.Context) -> Iterator[Catalog | None]:
    """The catalog, if there is a usable one: an error would only spoil the user's prompt."""
    from artfs.catalog import Catalog
    from artfs.home import Home

    given: Path | None = context.find_root().params.get("home")
    path = Home.find(given).catalog_path
    try:
        catalog = Catalog.open(path) if path.exists() else None
    except (ArtfsError, OSError):
        catalog = None
    try:
        yield catalog
    finally:
        if catalog is not None:
            catalog.close()
