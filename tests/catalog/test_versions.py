"""How versions come to be, are found, and go."""

from __future__ import annotations

from uuid import uuid4

import pytest

from artfs.catalog import Catalog, Place
from artfs.catalog.new_version import NewContents, NewVersion
from artfs.content.tree import Tree
from artfs.errors import (
    CatalogError,
    InvalidName,
    InvalidValue,
    MissingPlace,
    PlaceExists,
    VersionExists,
    VersionNotFound,
)
from support.catalogs import places_for, save, tree_with


def test_versions_of_an_artifact_are_counted(catalog: Catalog) -> None:
    assert [save(catalog, "iris").name for _ in range(3)] == ["1", "2", "3"]
    assert save(catalog, "other").number == 1


def test_a_version_says_what_was_said_of_it(catalog: Catalog) -> None:
    tree = tree_with({b"a": b"12", b"d/b": b"345"})
    version = save(
        catalog,
        "iris",
        tree,
        uuid="u-1",
        mode=0o700,
        mtime_ns=12,
        type="ModelArtifact",
        save_type="incoming",
        materializer="m.M",
        data_type="builtins.dict",
        trusted=True,
        user="ada",
        tags=["prod", "best"],
        metadata={"accuracy": 0.5},
    )
    assert catalog.versions.by_id(version.id) == version == catalog.versions.by_uuid("u-1")
    assert (version.artifact, version.state, version.digest) == ("iris", "live", tree.digest)
    assert (version.files, version.bytes, version.mode, version.mtime_ns) == (2, 5, 0o700, 12)
    assert (version.type, version.save_type, version.materializer) == ("ModelArtifact", "incoming", "m.M")
    assert (version.data_type, version.trusted) == ("builtins.dict", True)
    assert version.user_id == catalog.users.ensure("ada").id
    assert catalog.tags.of_version(version.id) == ["best", "prod"]
    assert catalog.metadata.get(version.id) == {"accuracy": 0.5}
    assert version.tree_id is not None
    assert catalog.trees.load(version.tree_id) == tree


def test_a_number_is_never_used_again(catalog: Catalog) -> None:
    save(catalog, "iris")
    newest = save(catalog, "iris")
    catalog.versions.purge(newest.id, "test")
    assert save(catalog, "iris").number == 3


def test_numbers_go_on_when_a_deleted_artifact_comes_back(catalog: Catalog) -> None:
    first = save(catalog, "iris")
    catalog.versions.purge(first.id, "test")
    catalog.artifacts.delete(first.artifact_id)
    assert catalog.artifacts.get("iris") is None
    assert save(catalog, "iris").number == 2


def test_a_chosen_number_moves_the_count_past_it(catalog: Catalog) -> None:
    assert save(catalog, "iris", name="7").number == 7
    assert save(catalog, "iris").name == "8"
    assert save(catalog, "iris", name="3").number == 3
    assert save(catalog, "iris").name == "9"


@pytest.mark.parametrize("name", ["007", "1.0", "-1", "٣", "9" * 30, "release"])
def test_a_chosen_name_that_is_no_number_does_not_count(catalog: Catalog, name: str) -> None:
    assert save(catalog, "iris", name=name).number is None
    assert save(catalog, "iris").name == "1"


def test_a_name_is_used_once(catalog: Catalog) -> None:
    first = save(catalog, "iris", name="best")
    with pytest.raises(VersionExists, match="'best' of 'iris' exists already"):
        save(catalog, "iris", name="best")
    catalog.versions.purge(first.id, "test")
    with pytest.raises(VersionExists, match="was purged"):
        save(catalog, "iris", name="best")
    save(catalog, "other", name="best")


@pytest.mark.parametrize("name", ["latest", "@prod", "a/b", ""])
def test_bad_names_are_refused_and_leave_nothing(catalog: Catalog, name: str) -> None:
    with pytest.raises(InvalidName):
        save(catalog, "iris", name=name)
    with pytest.raises(InvalidName):
        save(catalog, "iris", tags=["good", "a/b"])
    with pytest.raises(InvalidName):
        save(catalog, "../iris")
    assert catalog.artifacts.names() == []
    assert catalog.tags.list() == []


def test_bytes_that_are_nowhere_are_named_and_nothing_is_changed(catalog: Catalog) -> None:
    known = save(catalog, "iris", {b"a": b"known"})
    tree = tree_with({b"a": b"known", b"b": b"new", b"c": b"newer"})
    before = _everything(catalog)
    with pytest.raises(MissingPlace) as missing:
        catalog.versions.create(NewVersion("other", tree, str(uuid4())), NewContents({}))
    assert missing.value.digests == {tree.entries[1].digest, tree.entries[2].digest}
    assert _everything(catalog) == before

    new = {digest: Place(digest) for digest in missing.value.digests}
    version = catalog.versions.create(NewVersion("other", tree, str(uuid4())), NewContents(new))
    assert version.id > known.id


def test_bytes_that_are_going_do_not_count(catalog: Catalog) -> None:
    version = save(catalog, "iris", b"content")
    catalog.versions.purge(version.id, "test")
    catalog.trees.collect()
    catalog.blobs.drop_places([blob.id for blob in catalog.blobs.orphans()])
    with pytest.raises(MissingPlace):
        save(catalog, "iris", b"content", places={})


def test_what_artfs_writes_does_not_rest_on_bytes_of_the_user(catalog: Catalog) -> None:
    tree = tree_with({b"a": b"the user's"})
    in_place = {tree.entries[0].digest: Place(b"/data/a", owned=False, mtime_ns=5)}
    save(catalog, "registered", tree, places=in_place, save_type="preexisting")
    save(catalog, "registered again", tree, places={}, save_type="preexisting")
    with pytest.raises(MissingPlace):
        save(catalog, "saved", tree, places={})
    save(catalog, "saved", tree)
    blob = catalog.blobs.get(tree.entries[0].digest)
    assert blob is not None
    assert [place.owned for place in catalog.blobs.places(blob.id)] == [True, False]


def test_two_contents_never_share_a_place(catalog: Catalog) -> None:
    store = catalog.stores.register("local", "local", "/store")
    one, two = tree_with({b"a": b"1"}), tree_with({b"a": b"2"})
    save(catalog, "iris", one, places={one.entries[0].digest: Place(b"same", store.id)})
    before = _everything(catalog)
    with pytest.raises(PlaceExists):
        save(catalog, "iris", two, places={two.entries[0].digest: Place(b"same", store.id)})
    assert _everything(catalog) == before


def test_a_path_registered_again_keeps_both_contents(catalog: Catalog) -> None:
    one, two = tree_with({b"a": b"1"}), tree_with({b"a": b"2"})
    for tree in (one, two, one):
        place = Place(b"/data/a", owned=False, mtime_ns=7)
        save(catalog, "iris", tree, places={tree.entries[0].digest: place}, save_type="preexisting")
    for tree in (one, two):
        blob = catalog.blobs.get(tree.entries[0].digest)
        assert blob is not None
        assert [place.path for place in catalog.blobs.places(blob.id)] == [b"/data/a"]


def test_equal_trees_are_one_row(catalog: Catalog) -> None:
    contents = {b"a": b"1", b"d/b": b"2"}
    first, second = save(catalog, "iris", contents), save(catalog, "other", contents)
    assert first.tree_id == second.tree_id


def test_latest_is_the_newest_that_is_not_purged(catalog: Catalog) -> None:
    first, second, third = (save(catalog, "iris", bytes([n]), name=name) for n, name in enumerate("zax"))
    artifact = first.artifact_id
    assert catalog.versions.latest(artifact) == third
    catalog.versions.purge(third.id, "test")
    catalog.versions.purge(first.id, "test")
    assert catalog.versions.latest(artifact) == second
    assert catalog.versions.names(artifact) == [("a", second.id)]
    catalog.versions.purge(second.id, "test")
    assert catalog.versions.latest(artifact) is None


def test_versions_are_found_by_the_beginning_of_their_id(catalog: Catalog) -> None:
    one = save(catalog, "iris", uuid="0a1b0000-0000-4000-8000-000000000000")
    two = save(catalog, "iris", uuid="0a1c0000-0000-4000-8000-000000000000")
    save(catalog, "iris", uuid="0b000000-0000-4000-8000-000000000000")
    assert catalog.versions.by_uuid_prefix("0A1B") == [one]
    assert catalog.versions.by_uuid_prefix("0a1") == [one, two]
    assert len(catalog.versions.by_uuid_prefix("0")) == 2, "two are enough to say that it is ambiguous"
    assert catalog.versions.by_uuid_prefix("%") == []


def test_an_id_is_used_once(catalog: Catalog) -> None:
    save(catalog, "iris", uuid="same")
    with pytest.raises(InvalidValue):
        save(catalog, "iris", uuid="same")
    assert catalog.versions.count() == 1


def test_a_purged_version_leaves_a_tombstone(catalog: Catalog) -> None:
    version = save(catalog, "iris", b"content", tags=["prod"], metadata={"note": "kept"})
    tombstone = catalog.versions.purge(version.id, "too old")
    assert (tombstone.state, tombstone.tree_id, tombstone.purge_reason) == ("purged", None, "too old")
    assert (tombstone.digest, tombstone.bytes, tombstone.name) == (version.digest, version.bytes, version.name)
    assert tombstone.purged_us is not None
    assert catalog.versions.get(version.artifact_id, "1") == tombstone
    assert catalog.versions.list() == []
    assert catalog.versions.list(purged=True) == [tombstone]
    assert catalog.versions.by_tag(version.artifact_id, "prod") is None
    assert catalog.metadata.get(version.id) == {"note": "kept"}
    with pytest.raises(VersionNotFound):
        catalog.versions.purge(version.id, "again")
    with pytest.raises(VersionNotFound):
        catalog.versions.set_state(version.id, "live")
    with pytest.raises(VersionNotFound):
        catalog.versions.update(version.id, type="ModelArtifact")
    with pytest.raises(VersionNotFound):
        catalog.tags.add(version.id, "prod")


def test_a_pinned_version_is_not_purged(catalog: Catalog) -> None:
    version = save(catalog, "iris")
    catalog.pins.add(version.id, "paper")
    with pytest.raises(InvalidValue, match="pinned"):
        catalog.versions.purge(version.id, "test")
    assert catalog.versions.by_id(version.id) == version
    catalog.pins.remove(version.id)
    catalog.versions.purge(version.id, "test")


def test_a_staged_version_becomes_live(catalog: Catalog) -> None:
    tree = tree_with({b"a": b"1"})
    version = save(catalog, "iris", tree, state="staged", places=places_for(tree, "u", state="staged"))
    assert catalog.versions.staged() == [version]
    staged = catalog.blobs.staged_places()
    catalog.blobs.set_place_state([place.id for place in staged], "live")
    catalog.versions.set_state(version.id, "live")
    assert catalog.versions.staged() == []
    assert catalog.blobs.staged_places() == []
    for state in ("purged", "nonsense"):
        with pytest.raises(InvalidValue):
            catalog.versions.set_state(version.id, state)
        with pytest.raises(InvalidValue):
            save(catalog, "iris", state=state)


def test_type_and_trust_can_change(catalog: Catalog) -> None:
    version = save(catalog, "iris")
    assert catalog.versions.update(version.id, type="ModelArtifact").type == "ModelArtifact"
    updated = catalog.versions.update(version.id, trusted=True)
    assert (updated.type, updated.trusted) == ("ModelArtifact", True)


def test_an_empty_tree_can_be_a_version(catalog: Catalog) -> None:
    version = save(catalog, "nothing", Tree(()))
    assert version.tree_id is not None
    assert catalog.trees.entries(version.tree_id) == []


def test_an_inner_failure_undoes_only_itself(catalog: Catalog) -> None:
    with catalog.transaction():
        kept = save(catalog, "iris", name="a")
        with pytest.raises(VersionExists), catalog.transaction():
            save(catalog, "iris", {b"unknown": b"bytes"}, name="a")
        later = save(catalog, "iris", name="b")
    assert catalog.versions.list() == [kept, later]


def test_a_failure_undoes_the_transaction_that_it_is_part_of(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match="a part of this transaction failed"), catalog.transaction():
        save(catalog, "iris", name="a")
        with pytest.raises(VersionExists):
            save(catalog, "iris", name="a")
    assert catalog.versions.list() == []


def test_an_outer_failure_undoes_all(catalog: Catalog) -> None:
    with pytest.raises(RuntimeError, match="on purpose"), catalog.transaction():
        save(catalog, "iris")
        raise RuntimeError("on purpose")
    assert catalog.artifacts.names() == []
    assert save(catalog, "iris").number == 1


def _everything(catalog: Catalog) -> dict[str, list[tuple[object, ...]]]:
    return {table: catalog.engine.query(f'SELECT * FROM "{table}"') for table in sorted(catalog.engine.tables())}


def test_all_versions_come_in_batches_oldest_first(catalog: Catalog) -> None:
    made = [save(catalog, name) for name in ("a", "b", "a", "a", "b")]
    catalog.versions.purge(made[2].id, "test")
    there = [version.id for version in made if version.id != made[2].id]
    batches = [[version.id for version in batch] for batch in catalog.versions.batches(None, 3)]
    assert batches == [there[:3], there[3:]]
    assert [version.id for version in catalog.versions.newest(None, 3)] == there[-3:]
    of_a = [made[0].id, made[3].id]
    assert [[version.id for version in batch] for batch in catalog.versions.batches(made[0].artifact_id, 2)] == [
        of_a,
        [],
    ]
    assert [version.id for version in catalog.versions.newest(made[0].artifact_id, 9)] == of_a
    newest = catalog.versions.newest_of([made[0].artifact_id, made[1].artifact_id, 99])
    assert [version.id for version in newest] == [made[3].id, made[4].id]
