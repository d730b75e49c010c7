"""Models: versions and runs that belong together, and the stages of their collections."""

from __future__ import annotations

import pytest

from artfs.catalog import Catalog
from artfs.catalog.models import ModelVersion
from artfs.enums import ModelStages
from artfs.errors import AlreadyExists, InvalidName, ModelNotFound, VersionNotFound
from support.catalogs import save


@pytest.fixture
def collections(catalog: Catalog) -> list[ModelVersion]:
    """Three versions of `classifier`."""
    model = catalog.models.ensure("classifier", description="tells irises apart")
    return [catalog.models.create_version(model.id) for _ in range(3)]


def test_numbers_are_given_once(catalog: Catalog) -> None:
    model = catalog.models.ensure("classifier")
    names = [catalog.models.create_version(model.id, name).name for name in (None, "7", "final", None)]
    assert names == ["1", "7", "final", "8"]
    catalog.models.delete_version(catalog.models.version(model.id, "8").id)  # type: ignore[union-attr]
    assert catalog.models.create_version(model.id).name == "9"
    with pytest.raises(AlreadyExists, match="a version 'final' already"):
        catalog.models.create_version(model.id, "final")
    assert catalog.models.ensure("classifier") == model
    assert [each.name for each in catalog.models.list()] == ["classifier"]


@pytest.mark.parametrize("name", ["production", "staging", "latest", "archived", "none", "a/b", ".."])
def test_names_that_cannot_be(catalog: Catalog, name: str) -> None:
    model = catalog.models.ensure("classifier")
    with pytest.raises(InvalidName):
        catalog.models.create_version(model.id, name)
    assert catalog.models.create_version(model.id).name == "1"
    if "/" in name or ".." in name:
        with pytest.raises(InvalidName):
            catalog.models.ensure(name)


def test_at_most_one_version_is_in_production(catalog: Catalog, collections: list[ModelVersion]) -> None:
    first, second, third = collections
    assert catalog.models.set_stage(first.id, ModelStages.PRODUCTION) is None
    assert catalog.models.set_stage(first.id, ModelStages.PRODUCTION) is None
    assert catalog.models.set_stage(second.id, ModelStages.STAGING) is None
    before = catalog.models.set_stage(third.id, ModelStages.PRODUCTION)
    assert before is not None and before.id == first.id
    stages = [each.stage for each in catalog.models.versions(first.model_id)]
    assert stages == ["archived", "staging", "production"]
    assert catalog.models.set_stage(second.id, ModelStages.ARCHIVED) is None, "several may be archived"
    catalog.models.set_stage(third.id, None)
    assert catalog.models.in_stage(first.model_id, ModelStages.PRODUCTION) is None


def test_a_version_is_in_a_collection_once(catalog: Catalog, collections: list[ModelVersion]) -> None:
    iris, older, wine = save(catalog, "iris"), save(catalog, "iris"), save(catalog, "wine")
    first = collections[0]
    assert [catalog.models.link(first.id, each.id) for each in (older, wine, older, iris)] == [True, True, False, True]
    assert list(catalog.models.version_ids(first.id)) == [iris.id, older.id, wine.id]
    assert catalog.models.newest_of(first.id, "iris") == older.id
    assert catalog.models.newest_of(first.id, "other") is None
    assert [each.name for each in catalog.models.of_version(iris.id)] == ["1"]
    assert (catalog.models.unlink(first.id, older.id), catalog.models.unlink(first.id, older.id)) == (True, False)
    assert catalog.models.newest_of(first.id, "iris") == iris.id


def test_purging_takes_a_version_out(catalog: Catalog, collections: list[ModelVersion]) -> None:
    version = save(catalog, "iris")
    catalog.models.link(collections[0].id, version.id)
    assert catalog.uses.models() == {version.id: "classifier/1"}
    catalog.versions.purge(version.id, "test")
    assert list(catalog.models.version_ids(collections[0].id)) == []
    with pytest.raises(VersionNotFound):
        catalog.models.link(collections[0].id, version.id)


def test_runs_are_in_it_until_they_are_deleted(catalog: Catalog, collections: list[ModelVersion]) -> None:
    run = catalog.runs.create("training", "first")
    assert [catalog.models.link_run(collections[0].id, run.id) for _ in range(2)] == [True, False]
    assert list(catalog.models.run_ids(collections[0].id)) == [run.id]
    catalog.runs.delete(run.id)
    assert list(catalog.models.run_ids(collections[0].id)) == []


def test_a_deleted_model_leaves_what_was_in_it(catalog: Catalog, collections: list[ModelVersion]) -> None:
    version = save(catalog, "iris")
    for each in collections:
        catalog.models.link(each.id, version.id)
    catalog.models.delete(collections[0].model_id)
    assert catalog.models.get("classifier") is None
    assert catalog.versions.by_id(version.id) == version
    for act in (catalog.models.delete, catalog.models.delete_version):
        with pytest.raises(ModelNotFound):
            act(collections[0].model_id)
