"""Contents of files, where they lie, and when nobody needs them any more."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artfs.catalog import Catalog, Place
from artfs.catalog.blobs import Blob
from artfs.catalog.versions import Version
from artfs.content.digest import Digest, hash_bytes
from artfs.content.tree import Tree
from artfs.errors import PlaceExists
from support.catalogs import places_for, save, tree_with
from support.trees import trees


def _blob(catalog: Catalog, content: bytes) -> Blob:
    blob = catalog.blobs.get(hash_bytes(content))
    assert blob is not None
    return blob


def test_a_blob_is_found_by_digest_and_by_id(catalog: Catalog) -> None:
    save(catalog, "iris", b"content")
    blob = _blob(catalog, b"content")
    assert (blob.digest, blob.kind, blob.size, blob.blocks) == (hash_bytes(b"content"), "content", 7, None)
    assert blob.file == tree_with({b"f": b"content"}).entries[0].file
    assert catalog.blobs.by_id(blob.id) == blob
    assert catalog.blobs.get(hash_bytes(b"other")) is None
    assert catalog.blobs.total_bytes() == 7


def test_data_whose_content_is_not_known_says_so(catalog: Catalog) -> None:
    tree = tree_with({b"remote": b"identity of s3://bucket/key"})
    place = Place(b"s3://bucket/key", owned=False, etag="abc", identity=True)
    save(catalog, "remote", tree, places={tree.entries[0].digest: place}, save_type="preexisting")
    blob = _blob(catalog, b"identity of s3://bucket/key")
    assert blob.kind == "identity"
    (found,) = catalog.blobs.places(blob.id)
    assert (found.path, found.owned, found.etag, found.store_id) == (b"s3://bucket/key", False, "abc", None)


def test_places_come_in_the_order_to_try_them(catalog: Catalog) -> None:
    places = {hash_bytes(b"content"): Place(b"/mine", owned=False)}
    save(catalog, "iris", b"content", places=places, save_type="preexisting")
    blob = _blob(catalog, b"content")
    catalog.blobs.add_place(blob.id, Place(b"staged", state="staged"))
    catalog.blobs.add_place(blob.id, Place(b"stored"))
    assert [place.path for place in catalog.blobs.places(blob.id)] == [b"stored", b"/mine", b"staged"]


def test_a_place_is_not_given_to_two_contents(catalog: Catalog) -> None:
    store = catalog.stores.register("local", "local", "/store")
    save(catalog, "iris", {b"a": b"1", b"b": b"2"})
    one, two = _blob(catalog, b"1"), _blob(catalog, b"2")
    catalog.blobs.add_place(one.id, Place(b"here", store.id))
    catalog.blobs.add_place(one.id, Place(b"here", store.id))
    with pytest.raises(PlaceExists):
        catalog.blobs.add_place(two.id, Place(b"here", store.id))
    assert len(catalog.blobs.places(one.id)) == 2
    assert catalog.blobs.owned_paths(store.id, [b"here", b"stray"]) == {b"here"}


def test_what_is_known_is_told_for_any_number_of_digests(catalog: Catalog) -> None:
    contents = {b"%d" % n: b"content %d" % n for n in range(1200)}
    tree = tree_with(contents)
    save(catalog, "iris", tree)
    digests = [entry.digest for entry in tree.entries]
    known = catalog.blobs.known([*digests, hash_bytes(b"unknown")])
    assert known.keys() == set(digests)
    assert all(at.owned and not at.in_place for at in known.values())
    assert catalog.blobs.known([]) == {}


def test_bytes_are_given_up_only_when_no_tree_needs_them(catalog: Catalog) -> None:
    kept = save(catalog, "iris", {b"a": b"shared"})
    gone = save(catalog, "iris", {b"b": b"shared", b"c": b"own"})
    catalog.versions.purge(gone.id, "test")
    assert catalog.blobs.orphans() == []
    assert catalog.trees.collect() == 1
    assert [blob.digest for blob in catalog.blobs.orphans()] == [hash_bytes(b"own")]

    shared, own = _blob(catalog, b"shared"), _blob(catalog, b"own")
    dropped = catalog.blobs.drop_places([shared.id, own.id])
    assert [place.blob_id for place in dropped] == [own.id]
    assert catalog.blobs.places(own.id) == []
    assert catalog.blobs.places(shared.id) != []
    assert catalog.blobs.gone_places() == dropped, "found again after a kill"

    catalog.blobs.forget_places([place.id for place in dropped])
    assert catalog.blobs.gone_places() == []
    assert catalog.blobs.get(hash_bytes(b"own")) is None
    assert kept.tree_id is not None
    assert catalog.trees.load(kept.tree_id) == tree_with({b"a": b"shared"})


def test_bytes_of_the_user_are_forgotten_and_never_named_for_removal(catalog: Catalog) -> None:
    tree = tree_with({b"a": b"the user's"})
    places = {tree.entries[0].digest: Place(b"/data/a", owned=False, mtime_ns=1)}
    version = save(catalog, "set", tree, places=places, save_type="preexisting")
    catalog.versions.purge(version.id, "test")
    catalog.trees.collect()
    blob = _blob(catalog, b"the user's")
    assert catalog.blobs.drop_places([blob.id]) == []
    assert catalog.blobs.places(blob.id) == []
    assert catalog.blobs.gone_places() == []
    catalog.blobs.forget([blob.id])
    assert catalog.blobs.by_id(blob.id) is None


def test_a_content_that_comes_back_while_its_bytes_go_gets_a_new_place(catalog: Catalog) -> None:
    first = save(catalog, "iris", b"content")
    catalog.versions.purge(first.id, "test")
    catalog.trees.collect()
    gone = catalog.blobs.drop_places([_blob(catalog, b"content").id])
    save(catalog, "iris", b"content")
    catalog.blobs.forget_places([place.id for place in gone])
    (place,) = catalog.blobs.places(_blob(catalog, b"content").id)
    assert place.path != gone[0].path


def test_only_gone_places_are_forgotten(catalog: Catalog) -> None:
    save(catalog, "iris", b"content")
    (place,) = catalog.blobs.places(_blob(catalog, b"content").id)
    catalog.blobs.forget_places([place.id])
    assert catalog.blobs.places(place.blob_id) == [place]


@settings(max_examples=25)
@given(contents=st.lists(trees, min_size=1, max_size=5), choice=st.sets(st.integers(0, 4)))
def test_the_plan_of_a_prune_is_what_it_frees(
    contents: list[Tree], choice: set[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    with Catalog.open(tmp_path_factory.mktemp("prune") / "catalog.db") as catalog:
        versions = [save(catalog, "iris", tree, places=_shared_places(tree)) for tree in contents]
        purged = [version.id for number, version in enumerate(versions) if number in choice]
        planned = catalog.blobs.freed_by(purged)
        for version_id in purged:
            catalog.versions.purge(version_id, "test")
        catalog.trees.collect()
        assert planned == catalog.blobs.orphans()
        remaining = [version for version in versions if version.id not in purged]
        assert _needed(catalog, remaining).isdisjoint(blob.digest for blob in planned)
        catalog.blobs.forget_places([place.id for place in catalog.blobs.drop_places([blob.id for blob in planned])])
        assert catalog.blobs.orphans() == []
        assert catalog.check() == []


def _shared_places(tree: Tree) -> dict[Digest, Place]:
    return places_for(tree, "shared")


def _needed(catalog: Catalog, versions: list[Version]) -> set[Digest]:
    found: set[Digest] = set()
    for version in versions:
        assert version.tree_id is not None
        found |= {row.digest for _, row in catalog.trees.walk(version.tree_id) if row.digest and row.blob_id}
    return found
