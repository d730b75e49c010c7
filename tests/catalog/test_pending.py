"""What machines owe to stores."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from artfs.catalog import Catalog, Place
from artfs.catalog.machines import Machine
from artfs.catalog.pending import COPY, UPLOAD
from artfs.content.digest import hash_bytes
from artfs.errors import InvalidValue, PlaceExists
from support.catalogs import save


@pytest.fixture
def here(catalog: Catalog) -> Iterator[Catalog]:
    """The catalog as a machine uses it."""
    yield Catalog(catalog.engine, Machine("here", "host", "/home/artfs"))
    catalog.engine.execute("DELETE FROM pending")


@pytest.fixture
def store(catalog: Catalog) -> int:
    return catalog.stores.register("bucket", "s3", "s3://bucket/artfs").id


def test_a_version_is_owed_once(here: Catalog, store: int) -> None:
    version = save(here, "iris", b"1")
    row = here.pending.add(UPLOAD, store, bytes=10, version_id=version.id)
    assert (row.kind, row.version_id, row.bytes, row.done, row.attempts) == (UPLOAD, version.id, 10, 0, 0)
    assert row.machine_id == here.machines.own_id()
    assert here.pending.add(COPY, store, bytes=99, version_id=version.id, source_id=store) == row
    assert here.pending.get(row.id) == row
    assert here.pending.list() == here.pending.of_version(version.id) == [row]
    blob = here.pending.add(COPY, store, bytes=1, blob_id=1)
    assert here.pending.add(COPY, store, bytes=1, blob_id=1) == blob
    assert here.pending.list() == [row, blob]
    assert here.pending.count() == 2


def test_what_nobody_can_owe(catalog: Catalog, here: Catalog, store: int) -> None:
    version = save(here, "iris")
    for wrong in ({}, {"version_id": version.id, "blob_id": 1}):
        with pytest.raises(InvalidValue, match="nothing that can be owed"):
            here.pending.add(UPLOAD, store, bytes=1, **wrong)
    with pytest.raises(InvalidValue, match="nothing that can be owed"):
        here.pending.add("wish", store, bytes=1, version_id=version.id)
    with pytest.raises(InvalidValue, match="for no machine"):
        catalog.pending.add(UPLOAD, store, bytes=1, version_id=version.id)


def test_each_machine_sees_what_it_owes_itself(catalog: Catalog, here: Catalog, store: int) -> None:
    there = Catalog(catalog.engine, Machine("there", "other", "/home/artfs"))
    mine = here.pending.add(UPLOAD, store, bytes=1, version_id=save(here, "iris").id)
    assert there.pending.list() == [] == there.pending.due(10**18, store)
    assert (there.pending.next_us(), there.pending.due_stores(10**18)) == (None, [])
    theirs = there.pending.add(UPLOAD, store, bytes=1, version_id=save(there, "iris", b"2").id)
    assert here.pending.list() == [mine]
    assert there.pending.list() == [theirs]
    assert there.pending.pause() == 1
    assert there.pending.retry([mine.id]) == 0
    row = here.pending.get(mine.id)
    assert row is not None
    assert not row.paused
    assert catalog.pending.list() == []


def test_the_oldest_is_due_first_and_what_failed_when_its_time_comes(here: Catalog, store: int) -> None:
    other = here.stores.register("other", "s3", "s3://other/artfs").id
    first, second = (here.pending.add(UPLOAD, store, bytes=1, version_id=save(here, "iris").id) for _ in range(2))
    third = here.pending.add(UPLOAD, other, bytes=1, version_id=second.version_id)
    assert here.pending.due(100, store) == [first, second]
    assert here.pending.due_stores(100) == [store, other]
    here.pending.failed(first.id, "no route", now_us=100, next_us=200)
    assert here.pending.due(199, store) == [second]
    assert [row.id for row in here.pending.due(200, store)] == [first.id, second.id]
    assert here.pending.next_us() == 0
    assert here.pending.remove(second.id)
    assert not here.pending.remove(second.id)
    assert here.pending.remove(third.id)
    assert here.pending.next_us() == 200
    here.pending.failed(first.id, "still none", now_us=150, next_us=400)
    failed = here.pending.get(first.id)
    assert failed is not None
    assert (failed.attempts, failed.error, failed.since_us, failed.next_us) == (2, "still none", 100, 400)
    assert here.pending.went_on(first.id, 1, {"parts": [1]})
    went_on = here.pending.get(first.id)
    assert went_on is not None
    assert (went_on.attempts, went_on.error, went_on.since_us, went_on.done) == (0, None, None, 1)
    assert went_on.state == {"parts": [1]}


def test_what_is_paused_waits_for_resume(here: Catalog, store: int) -> None:
    first, second = (here.pending.add(UPLOAD, store, bytes=1, version_id=save(here, "iris").id) for _ in range(2))
    assert here.pending.pause([first.id]) == 1
    assert here.pending.due(1, store) == [second]
    assert here.pending.count() == 1
    assert not here.pending.went_on(first.id, 1, {})
    assert here.pending.pause() == 2
    assert (here.pending.next_us(), here.pending.due_stores(1)) == (None, [])
    here.pending.failed(first.id, "no", now_us=10, next_us=1000)
    assert here.pending.resume([first.id]) == 1
    assert [row.id for row in here.pending.due(1, store)] == [first.id]
    here.pending.failed(first.id, "no", now_us=10, next_us=1000)
    assert here.pending.retry() == 2
    [row] = here.pending.due(1, store)
    assert (row.attempts, row.error, row.since_us) == (0, "no", 10)
    assert not here.pending.went_on(10**9, 1, {}), "what is owed no more does not go on"


def test_a_purged_version_is_owed_no_more(here: Catalog, store: int) -> None:
    version = save(here, "iris")
    row = here.pending.add(UPLOAD, store, bytes=1, version_id=version.id)
    here.versions.purge(version.id, "test")
    assert here.pending.get(row.id) is None


def test_what_a_store_has_of_contents(here: Catalog, store: int) -> None:
    machine = here.machines.own_id()
    live, staged, elsewhere, unknown = map(hash_bytes, (b"live", b"staged", b"elsewhere", b"unknown"))
    save(
        here,
        "iris",
        {b"a": b"live", b"b": b"staged", b"c": b"elsewhere"},
        places={
            live: Place(b"v/a", store),
            staged: Place(b"v/b", store, state="staged", machine_id=machine),
            elsewhere: Place(b"/data/c", owned=False, mtime_ns=1),
        },
        save_type="preexisting",
    )
    found = here.copies.of([live, staged, elsewhere, unknown], store)
    assert found.keys() == {live, staged, elsewhere}
    assert [[(copy.path, copy.machine_id) for copy in found[live].live], found[live].staged] == [[(b"v/a", None)], []]
    assert [(copy.path, copy.machine_id) for copy in found[staged].staged] == [(b"v/b", machine)]
    assert (found[elsewhere].live, found[elsewhere].staged) == ([], [])

    here.copies.arrived(store, found[staged].blob_id, b"v/b")
    here.copies.arrived(store, found[elsewhere].blob_id, b"v/c")
    with pytest.raises(PlaceExists):
        here.copies.arrived(store, found[elsewhere].blob_id, b"v/a")
    with pytest.raises(InvalidValue, match="no blob with id"):
        here.copies.arrived(store, 10**9, b"v/d")
    now = here.copies.of([staged, elsewhere], store)
    assert [(copy.path, copy.machine_id) for copy in now[staged].live + now[elsewhere].live] == [
        (b"v/b", None),
        (b"v/c", None),
    ]
    assert now[staged].staged == []
