"""How artifacts and versions are named on the command line, and the completion of those names.

NAME                      the artifact; where a version is wanted, its newest
NAME/VERSION              that version: a number, a chosen name, `latest`, or `@TAG` for the newest that carries it
NAME:VERSION              the same; but an artifact may have a colon in its name, and then that one is meant
ID                        that version: its id, or the beginning of it, at least 4 digits
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from artfs.artifacts.lookup import LATEST, find_artifact, find_version, split_name
from artfs.errors import ArtfsError
from artfs.names import check_artifact_name, check_tag_name, check_version_name

if TYPE_CHECKING:
    from artfs.catalog import Catalog
    from artfs.catalog.artifacts import Artifact
    from artfs.catalog.versions import Version


def artifact_named(catalog: Catalog, name: str) -> Artifact:
    """Return the artifact of that name. Raises InvalidName, ArtifactNotFound."""
    return find_artifact(catalog, check_artifact_name(name))


def version_named(catalog: Catalog, text: str, *, purged: bool = True) -> Version:
    """Return the version that a text means.

    Raises InvalidName, ArtifactNotFound; VersionNotFound (also for a tombstone, unless `purged`); InvalidValue if
    several ids begin so.
    """
    name, version = _parts(catalog, text)
    return find_version(catalog, name, version, purged=purged)


def versions_named(catalog: Catalog, texts: Iterable[str]) -> Sequence[Version]:
    """Return the versions that texts mean, each once; an artifact alone means all of its versions.

    Raises ArtifactNotFound, VersionNotFound, or InvalidValue if several ids begin so.
    """
    found: dict[int, Version] = {}
    for text in texts:
        name, version = _parts(catalog, text)
        artifact = catalog.artifacts.get(name) if version is None else None
        versions = catalog.versions.list(artifact.id) if artifact else [version_named(catalog, text)]
        found.update((each.id, each) for each in versions)
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


def _parts(catalog: Catalog, text: str) -> tuple[str, str | None]:
    name, version = split_name(catalog, text)
    check_artifact_name(name)
    if version is not None and version.startswith("@"):
        check_tag_name(version[1:])
    elif version not in (None, LATEST):
        check_version_name(version)
    return name, version


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
    from artfs.home.home import Home

    given: Path | None = context.find_root().params.get("home")
    home = Home.find(given)
    try:
        catalog = Catalog.open(home.catalog_url, begin=False) if home.exists else None
    except (ArtfsError, OSError):
        catalog = None
    try:
        yield catalog
    finally:
        if catalog is not None:
            catalog.close()
