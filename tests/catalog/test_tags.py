"""Labels of artifacts and versions."""

from __future__ import annotations

import pytest

from artfs.catalog import Catalog
from artfs.errors import AlreadyExists, InvalidName, TagNotFound, VersionNotFound
from support.catalogs import save


def test_a_tag_leads_to_the_newest_version_that_carries_it(catalog: Catalog) -> None:
    first, second, third = (save(catalog, "iris") for _ in range(3))
    other = save(catalog, "other", tags=["prod"])
    catalog.tags.add(first.id, "prod", "old")
    catalog.tags.add(second.id, "prod")
    assert catalog.versions.by_tag(first.artifact_id, "prod") == second
    assert catalog.versions.by_tag(first.artifact_id, "old") == first
    assert catalog.versions.by_tag(first.artifact_id, "unknown") is None
    assert catalog.tags.newest(first.artifact_id) == {"old": first.id, "prod": second.id}
    assert catalog.tags.version_ids("prod") == [first.id, second.id, other.id]
    catalog.versions.purge(second.id, "test")
    assert catalog.versions.by_tag(first.artifact_id, "prod") == first
    assert catalog.tags.of_version(third.id) == []


def test_an_exclusive_tag_moves_within_its_artifact(catalog: Catalog) -> None:
    first, second = save(catalog, "iris"), save(catalog, "iris")
    other = save(catalog, "other")
    catalog.tags.set_exclusive("prod", True)
    for version in (second, other, first):
        catalog.tags.add(version.id, "prod")
    assert catalog.tags.version_ids("prod") == [first.id, other.id]
    assert catalog.versions.by_tag(first.artifact_id, "prod") == first


def test_a_tag_that_becomes_exclusive_stays_on_the_newest(catalog: Catalog) -> None:
    first, second = save(catalog, "iris", tags=["prod"]), save(catalog, "iris", tags=["prod"])
    other = save(catalog, "other", tags=["prod"])
    assert catalog.tags.set_exclusive("prod", True).exclusive
    assert catalog.tags.version_ids("prod") == [second.id, other.id]
    catalog.tags.set_exclusive("prod", False)
    catalog.tags.add(first.id, "prod")
    assert len(catalog.tags.version_ids("prod")) == 3


def test_tags_can_be_set_as_a_whole(catalog: Catalog) -> None:
    version = save(catalog, "iris", tags=["a", "b"])
    catalog.tags.set(version.id, ["b", "c"])
    assert catalog.tags.of_version(version.id) == ["b", "c"]
    catalog.tags.remove(version.id, "b")
    with pytest.raises(TagNotFound):
        catalog.tags.remove(version.id, "b")
    catalog.tags.set(version.id, [])
    assert catalog.tags.of_version(version.id) == []


def test_artifacts_carry_tags_too(catalog: Catalog) -> None:
    artifact = catalog.artifacts.ensure("iris")
    catalog.tags.add_to_artifact(artifact.id, "flowers", "small", "small")
    assert catalog.tags.of_artifact(artifact.id) == ["flowers", "small"]
    catalog.tags.remove_from_artifact(artifact.id, "small")
    with pytest.raises(TagNotFound):
        catalog.tags.remove_from_artifact(artifact.id, "small")
    assert catalog.tags.of_artifact(artifact.id) == ["flowers"]
    catalog.artifacts.delete(artifact.id)
    assert catalog.tags.get("flowers") is not None


def test_a_renamed_tag_is_where_it_was(catalog: Catalog) -> None:
    version = save(catalog, "iris", tags=["old"])
    tag = catalog.tags.rename("old", "new")
    assert catalog.tags.by_id(tag.id) == catalog.tags.get("new") == tag
    assert catalog.tags.of_version(version.id) == ["new"]
    catalog.tags.ensure("taken")
    with pytest.raises(AlreadyExists):
        catalog.tags.rename("new", "taken")
    with pytest.raises(InvalidName):
        catalog.tags.rename("new", "a/b")
    with pytest.raises(TagNotFound):
        catalog.tags.rename("old", "other")


def test_a_deleted_tag_is_on_nothing(catalog: Catalog) -> None:
    version = save(catalog, "iris", tags=["gone", "kept"])
    catalog.tags.add_to_artifact(version.artifact_id, "gone")
    catalog.tags.delete("gone")
    assert [tag.name for tag in catalog.tags.list()] == ["kept"]
    assert catalog.tags.of_artifact(version.artifact_id) == []
    assert catalog.tags.of_version(version.id) == ["kept"]
    with pytest.raises(TagNotFound):
        catalog.tags.delete("gone")


def test_nothing_is_tagged_when_one_name_is_bad(catalog: Catalog) -> None:
    version = save(catalog, "iris")
    with pytest.raises(InvalidName):
        catalog.tags.add(version.id, "good", "a/b")
    assert catalog.tags.of_version(version.id) == []
    assert catalog.tags.list() == []
    with pytest.raises(VersionNotFound):
        catalog.tags.add(10**9, "good")
