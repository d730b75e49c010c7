"""A store behind the deadline: whatever goes wrong below, each call ends in time, in words, and costs no other."""

from __future__ import annotations

import errno
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from artfs.blobs.places import Candidate
from artfs.blobs.reader import BlobReader
from artfs.content.digest import hash_file
from artfs.errors import DigestMismatch, InvalidValue, PlaceExists, StoreError, StoreTimeout
from artfs.stores.backend import Progress, Stored
from artfs.stores.base import Store
from artfs.stores.local.store import LocalStore
from artfs.stores.making import check_options, make_store
from artfs.stores.remote.deadline import ATTEMPTS, MOST_LEFT, DeadlineStore, Patience
from support.faulty_store import DRIP_BYTES, DRIP_SECONDS, SCHEME, FaultyStore, StoreFault

KEY = b"iris/0123/file"
CONTENT = b"0123456789" * 20_000
DEADLINE = 0.5
PATIENT = 30
"""The deadline where none is to be missed, however busy the machine is."""
RETRIED = pytest.mark.expected_warnings("stamina.retry_scheduled")
"""What stamina says at each retry."""


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Path]:
    """The file that says what goes wrong."""
    path = tmp_path / "control"
    yield path
    path.unlink(missing_ok=True)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(CONTENT)
    return path


def faulty(tmp_path: Path, control: Path, **options: object) -> Store:
    options = {"control": str(control), "deadline": DEADLINE, **options}
    return make_store(FaultyStore, f"{SCHEME}{tmp_path}/root", options, name="far")


@pytest.fixture
def store(tmp_path: Path, control: Path, source: Path) -> Store:
    """A store with one object, which goes wrong when it is told to."""
    made = faulty(tmp_path, control, deadline=PATIENT)
    made.create()
    made.put(source, KEY)
    return faulty(tmp_path, control)


def read(store: Store) -> bytes:
    with store.open_place(KEY) as reader:
        return reader.pread(0, reader.size)


OPERATIONS: dict[str, Callable[[Store, Path], object]] = {
    "put": lambda store, source: store.put(source, b"other"),
    "open_place": lambda store, source: store.open_place(KEY),
    "pread": lambda store, source: read(store),
    "stat": lambda store, source: store.stat(KEY),
    "delete": lambda store, source: store.delete(KEY),
    "list": lambda store, source: list(store.list()),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_stalls_ends_in_its_deadline(store: Store, source: Path, control: Path, operation: str) -> None:
    StoreFault(operation, "stall").write(control)
    begun = time.monotonic()
    with pytest.raises(StoreTimeout) as caught:
        OPERATIONS[operation](store, source)
    assert time.monotonic() - begun >= DEADLINE
    assert caught.value.errno == errno.ETIMEDOUT
    where = {"put": "/root/other", "list": "/root"}.get(operation, "/root/iris/0123/file")
    assert re.fullmatch(
        rf"the artifact store 'far' does not answer at 'faulty://\S+{where}': no answer within 0\.5 s; it has been so "
        r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC: see what its server and the network do, then try again",
        str(caught.value),
    )
    control.unlink()
    assert read(store) == CONTENT


@RETRIED
@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name not in ("put", "list")])
def test_what_may_pass_is_tried_again(
    tmp_path: Path, store: Store, source: Path, control: Path, operation: str
) -> None:
    StoreFault(operation, "transient", times=2).write(control)
    OPERATIONS[operation](faulty(tmp_path, control, deadline=PATIENT), source)


@RETRIED
@pytest.mark.parametrize("how", ["transient", "short"])
def test_what_does_not_pass_is_an_error_in_words(tmp_path: Path, store: Store, control: Path, how: str) -> None:
    patient = faulty(tmp_path, control, deadline=PATIENT)
    StoreFault("pread", how).write(control)
    with pytest.raises(
        StoreError, match=r"store 'far' failed at 'faulty://.*/iris/0123/file': .* since .* UTC"
    ) as caught:
        read(patient)
    assert caught.value.errno == errno.EIO
    assert isinstance(caught.value.__cause__, ConnectionError)
    backend = patient.backend  # type: ignore[attr-defined]
    assert backend._counts[control.read_text()] == ATTEMPTS


def test_what_stays_is_told_at_once_as_it_is(store: Store, source: Path, control: Path) -> None:
    for operation, act in OPERATIONS.items():
        StoreFault(operation, "error").write(control)
        with pytest.raises(PermissionError, match=operation):
            act(store, source)
    control.unlink()
    with pytest.raises(PlaceExists):
        store.put(source, KEY)
    with pytest.raises(FileNotFoundError):
        store.stat(b"none")


def test_an_error_of_a_client_becomes_the_stores(tmp_path: Path) -> None:
    class Raising(FaultyStore):
        def stat(self, key: bytes) -> Stored:
            raise KeyError("AccessDenied")

    store = make_store(Raising, f"{SCHEME}{tmp_path}/root", {}, name="mine")
    with pytest.raises(
        StoreError, match=r"store 'mine' failed at 'faulty://.*/iris/0123/file': KeyError: 'AccessDenied'"
    ):
        store.stat(KEY)


def test_a_put_is_never_tried_again(store: Store, source: Path, control: Path) -> None:
    StoreFault("put", "transient", times=1).write(control)
    with pytest.raises(StoreError, match="reset by peer"):
        store.put(source, b"other")
    store.put(source, b"other")


def test_wrong_bytes_are_for_the_digest(store: Store, source: Path, control: Path) -> None:
    digest = hash_file(source)
    StoreFault("pread", "wrong").write(control)
    with (
        BlobReader(digest, [Candidate(lambda: store.open_place(KEY), lambda: "far")]) as blob,
        pytest.raises(DigestMismatch),
    ):
        blob.read(0, 10)


def test_a_store_that_drips_has_until_the_deadline(tmp_path: Path, store: Store, control: Path) -> None:
    StoreFault("pread", "drip").write(control)
    assert len(CONTENT) / DRIP_BYTES * DRIP_SECONDS > DEADLINE
    with pytest.raises(StoreTimeout):
        read(store)
    assert read(faulty(tmp_path, control, deadline=60)) == CONTENT


def test_since_when_is_told_until_it_answers(store: Store, control: Path) -> None:
    def since() -> str:
        with pytest.raises(StoreTimeout) as caught:
            read(store)
        return re.findall(r"since (.*) UTC", str(caught.value))[0]

    StoreFault("open_place", "stall").write(control)
    first = since()
    while time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()) <= first:
        assert since() == first
    assert since() == first
    control.unlink()
    read(store)
    StoreFault("open_place", "stall").write(control)
    assert since() > first


def test_a_hundred_stalled_reads_end_in_time_and_cost_no_other_store(
    tmp_path: Path, store: Store, control: Path, source: Path
) -> None:
    other = DeadlineStore(LocalStore(str(tmp_path / "other"), name="near"))
    other.create()
    other.put(source, KEY)
    far = faulty(tmp_path, control, deadline=3)
    StoreFault("pread", "stall").write(control)
    before = threading.active_count()
    with ThreadPoolExecutor(100) as pool:
        begun = time.monotonic()
        stalled = [pool.submit(read, far) for _ in range(100)]
        for _ in range(20):
            assert read(other) == CONTENT
        assert not any(each.done() for each in stalled), "the reads of the other store waited for none of them"
        errors = [each.exception() for each in stalled]
    assert time.monotonic() - begun < 2 * 3 + 10
    assert all(isinstance(error, StoreTimeout) for error in errors)
    assert threading.active_count() <= before + MOST_LEFT + 2 * far.capabilities.connections
    control.unlink()
    assert read(far) == CONTENT


def test_a_large_file_has_its_time_as_long_as_it_moves(tmp_path: Path, source: Path) -> None:
    class Slow(FaultyStore):
        def put(self, source: Path, key: bytes, progress: Progress = lambda taken: None) -> Stored:
            for _ in range(6):
                threading.Event().wait(DEADLINE / 2)
                progress(1)
            return super().put(source, key, progress)

    store = make_store(Slow, f"{SCHEME}{tmp_path}/root", {"deadline": DEADLINE}, name="slow")
    store.create()
    assert store.put(source, KEY).size == len(CONTENT)


def test_closing_waits_for_nothing(store: Store, control: Path) -> None:
    reader = store.open_place(KEY)
    StoreFault("close", "stall").write(control)
    reader.close()
    store.close()
    assert read(store) == CONTENT


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"deadline": 0}, "'deadline' is a number of seconds above 0, not 0"),
        ({"deadline": "soon"}, "'deadline' is a number of seconds above 0, not 'soon'"),
        ({"deadline": True}, "not True"),
        ({"connections": 0}, "'connections' is a whole number from 1 to 1000, not 0"),
        ({"connections": 2.5}, "not 2.5"),
        ({"connections": True}, "not True"),
        ({"unknown": 1}, "no option 'unknown'"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidValue, match=re.escape(words)):
        check_options(FaultyStore, options)


def test_options(tmp_path: Path) -> None:
    check_options(FaultyStore, {"deadline": 2.5, "connections": 3, "control": "x"})
    with pytest.raises(InvalidValue, match="no option 'deadline'"):
        check_options(LocalStore, {"deadline": 2})
    assert Patience.of({"deadline": 2.5, "connections": 3}) == Patience(2.5, 3)
    assert Patience.of({}) == Patience(30.0, None)
    assert isinstance(make_store(LocalStore, os.fspath(tmp_path), {}), LocalStore), "a local disk needs no deadline"
