"""Artifacts, users, stores, stacks, environments, pins, visualizations, the audit log."""

from __future__ import annotations

import pytest

from artfs.catalog import Catalog, Place
from artfs.content.digest import hash_bytes
from artfs.errors import AlreadyExists, ArtifactNotFound, InvalidName, InvalidValue, StackNotFound, StoreNotFound
from support.catalogs import save


def test_an_artifact_is_made_once(catalog: Catalog) -> None:
    artifact = catalog.artifacts.ensure("iris")
    assert catalog.artifacts.ensure("iris") == artifact == catalog.artifacts.get("iris")
    assert catalog.artifacts.by_id(artifact.id) == artifact
    catalog.artifacts.ensure("Iris")
    assert catalog.artifacts.names() == ["Iris", "iris"]
    with pytest.raises(InvalidName):
        catalog.artifacts.ensure("a/b")
    assert catalog.artifacts.counts([artifact.id]) == {}
    save(catalog, "iris")
    catalog.versions.purge(save(catalog, "iris").id, "test")
    assert catalog.artifacts.counts([artifact.id]) == {artifact.id: 1}


def test_a_renamed_artifact_keeps_its_versions(catalog: Catalog) -> None:
    version = save(catalog, "old")
    artifact = catalog.artifacts.rename(version.artifact_id, "new")
    assert catalog.artifacts.get("old") is None
    assert catalog.artifacts.get("new") == artifact
    latest = catalog.versions.latest(artifact.id)
    assert latest is not None
    assert latest.artifact == "new"
    save(catalog, "taken")
    with pytest.raises(AlreadyExists, match="there is an artifact named 'taken'"):
        catalog.artifacts.rename(artifact.id, "taken")
    with pytest.raises(InvalidName):
        catalog.artifacts.rename(artifact.id, "a/b")
    with pytest.raises(ArtifactNotFound):
        catalog.artifacts.rename(10**9, "other")
    assert catalog.artifacts.rename(artifact.id, "new") == artifact


def test_an_artifact_is_deleted_when_its_versions_are_gone(catalog: Catalog) -> None:
    empty = catalog.artifacts.ensure("empty")
    catalog.artifacts.delete(empty.id)
    assert catalog.artifacts.ensure("empty").id != empty.id

    version = save(catalog, "iris")
    with pytest.raises(InvalidValue, match="has versions"):
        catalog.artifacts.delete(version.artifact_id)
    catalog.versions.purge(version.id, "test")
    catalog.artifacts.delete(version.artifact_id)
    assert catalog.artifacts.names() == ["empty"]
    assert catalog.artifacts.by_id(version.artifact_id) is None
    assert catalog.versions.by_id(version.id) is not None, "the tombstone stays"
    with pytest.raises(ArtifactNotFound):
        catalog.artifacts.delete(version.artifact_id)
    with pytest.raises(AlreadyExists, match="there was an artifact"):
        catalog.artifacts.rename(catalog.artifacts.ensure("other").id, "iris")


def test_users_are_made_once(catalog: Catalog) -> None:
    ada = catalog.users.ensure("ada")
    assert catalog.users.ensure("ada") == ada == catalog.users.by_id(ada.id) == catalog.users.get("ada")
    assert catalog.users.get("bob") is None
    assert catalog.users.list() == [ada]


def test_stores_and_stacks_are_registered_once(catalog: Catalog) -> None:
    store = catalog.stores.register("bucket", "s3", "s3://bucket/artfs", {"endpoint": "http://localhost"})
    assert store.options == {"endpoint": "http://localhost"}
    assert catalog.stores.get("bucket") == catalog.stores.by_id(store.id) == store
    with pytest.raises(AlreadyExists):
        catalog.stores.register("bucket", "local", "/store")
    stack = catalog.stacks.register("default", store.id)
    with pytest.raises(AlreadyExists):
        catalog.stacks.register("default", store.id)
    other = catalog.stores.register("local", "local", "/store")
    assert catalog.stacks.update("default", other.id).store_id == other.id
    assert [each.name for each in catalog.stores.list()] == ["bucket", "local"]
    assert [each.id for each in catalog.stacks.list()] == [stack.id]
    for action in (lambda: catalog.stacks.update("unknown", store.id), lambda: catalog.stacks.delete("unknown")):
        with pytest.raises(StackNotFound):
            action()


def test_a_store_that_is_used_is_not_deleted(catalog: Catalog) -> None:
    store = catalog.stores.register("local", "local", "/store")
    catalog.stacks.register("default", store.id)
    with pytest.raises(InvalidValue, match="a stack uses it"):
        catalog.stores.delete("local")
    catalog.stacks.delete("default")
    save(catalog, "iris", b"1", places={hash_bytes(b"1"): Place(b"place", store.id)})
    with pytest.raises(InvalidValue, match="bytes are in it"):
        catalog.stores.delete("local")
    with pytest.raises(StoreNotFound):
        catalog.stores.delete("unknown")
    catalog.stores.register("unused", "local", "/unused")
    catalog.stores.delete("unused")
    assert catalog.stores.get("unused") is None


def test_equal_environments_are_stored_once(catalog: Catalog) -> None:
    facts = {"python": "3.11", "packages": ["a", "b"]}
    first = catalog.environments.ensure(facts)
    assert catalog.environments.ensure(dict(reversed(facts.items()))) == first
    assert catalog.environments.ensure({"python": "3.12"}) != first
    assert catalog.environments.get(first) == facts
    assert catalog.environments.get(10**9) is None


def test_pins(catalog: Catalog) -> None:
    version = save(catalog, "iris")
    catalog.pins.add(version.id, "paper")
    catalog.pins.add(version.id, "thesis")
    pin = catalog.pins.get(version.id)
    assert pin is not None
    assert pin.reason == "thesis"
    assert catalog.pins.list() == [pin]
    assert catalog.pins.remove(version.id)
    assert not catalog.pins.remove(version.id)
    assert catalog.pins.get(version.id) is None


def test_visualizations_belong_to_a_version(catalog: Catalog) -> None:
    version = save(catalog, "iris")
    blob = catalog.blobs.get(hash_bytes(b""))
    assert blob is not None
    catalog.visualizations.add(version.id, "b.html", "markdown", blob.id)
    catalog.visualizations.add(version.id, "b.html", "html", blob.id)
    catalog.visualizations.add(version.id, "a.png", "image", blob.id)
    found = catalog.visualizations.list(version.id)
    assert [(each.name, each.kind, each.digest, each.size) for each in found] == [
        ("a.png", "image", blob.digest, 0),
        ("b.html", "html", blob.digest, 0),
    ]
    assert catalog.visualizations.of_versions([version.id, version.id + 1]) == {version.id: found}
    assert catalog.visualizations.remove(version.id) == {blob.id}
    assert catalog.visualizations.list(version.id) == []


def test_a_content_that_shows_a_version_is_needed(catalog: Catalog) -> None:
    kept, gone = save(catalog, "kept", b"kept"), save(catalog, "gone", b"<html>")
    blob = catalog.blobs.get(hash_bytes(b"<html>"))
    assert blob is not None
    assert [each.id for each in catalog.blobs.freed_by([gone.id])] == [blob.id]
    catalog.visualizations.add(kept.id, "page.html", "html", blob.id)
    assert catalog.blobs.freed_by([gone.id]) == []
    assert blob.id in {each.id for each in catalog.blobs.freed_by([gone.id, kept.id])}
    catalog.versions.purge(gone.id, "test")
    catalog.trees.collect()
    assert catalog.blobs.orphans() == []
    assert catalog.blobs.unneeded_places([blob.id]) == []
    catalog.visualizations.remove(kept.id)
    assert [each.id for each in catalog.blobs.orphans()] == [blob.id]


def test_the_audit_log_tells_what_was_done(catalog: Catalog) -> None:
    ada = catalog.users.ensure("ada")
    rows = [catalog.audit.append("tag.add", f"iris@{number % 2}", {"tag": "prod"}, ada.id) for number in range(5)]
    assert catalog.audit.verify() is None
    assert catalog.audit.list(limit=2) == rows[:-3:-1]
    assert catalog.audit.list(before=rows[1].id) == [rows[0]]
    assert catalog.audit.list("iris@1") == [rows[3], rows[1]]
    assert (rows[0].action, rows[0].detail, rows[0].user_id) == ("tag.add", {"tag": "prod"}, ada.id)


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ("UPDATE audit SET detail = '{}' WHERE id = 2", 2),
        ("UPDATE audit SET at_us = at_us + 1 WHERE id = 3", 3),
        ("UPDATE audit SET user_id = NULL WHERE id = 1", 1),
        ("DELETE FROM audit WHERE id = 2", 3),
        ("DELETE FROM audit WHERE id = 1", 2),
        ("UPDATE audit SET action = subject, subject = action WHERE id = 2", 2),
    ],
)
def test_a_changed_audit_log_shows_where(catalog: Catalog, change: str, shown: int) -> None:
    ada = catalog.users.ensure("ada")
    for number in range(4):
        catalog.audit.append("version.purge", f"iris@{number}", {"reason": "old"}, ada.id)
    catalog.engine.execute(change)
    assert catalog.audit.verify() == shown
    catalog.engine.execute("DELETE FROM audit")


def test_what_failed_is_not_in_the_audit_log(catalog: Catalog) -> None:
    with pytest.raises(RuntimeError, match="on purpose"), catalog.transaction():
        catalog.audit.append("version.purge", "iris@1")
        raise RuntimeError("on purpose")
    assert catalog.audit.list() == []
    catalog.audit.append("version.purge", "iris@2")
    assert catalog.audit.verify() is None
