"""One budget and one flight for all readers of a process, and nobody waits for what another thread gave up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from artfs.blobs.memory import Memory
from artfs.content.digest import Digest, hash_bytes
from artfs.errors import ReaderClosed
from support.forks import forked, was_killed

BLOB, OTHER = hash_bytes(b"blob"), hash_bytes(b"other")


def unit(number: int) -> Digest:
    return hash_bytes(b"%d" % number)


def put(memory: Memory, number: int, data: bytes) -> None:
    memory.obtain(BLOB, [unit(number)], lambda wanted: [data])


class Slow:
    """A load that begins, waits until it may go on, and counts how often it was asked."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.begun = threading.Event()
        self.may_end = threading.Event()
        self.asked: list[list[Digest]] = []
        self.error = error

    def __call__(self, wanted: list[Digest]) -> list[bytes]:
        self.asked.append(wanted)
        self.begun.set()
        self.may_end.wait()
        if self.error is not None:
            raise self.error
        return [bytes(each) for each in wanted]


def test_the_budget_holds_and_what_was_not_used_for_longest_goes_first() -> None:
    memory = Memory(3000)
    for number in range(4):
        put(memory, number, bytes(1000))
    assert [memory.get(unit(number)) is not None for number in range(4)] == [False, True, True, True]
    put(memory, 5, bytes(1000))
    assert [memory.get(unit(number)) is not None for number in (1, 2, 3, 5)] == [False, True, True, True]
    memory.get(unit(2))
    put(memory, 6, bytes(1000))
    assert memory.get(unit(2)) is not None and memory.get(unit(3)) is None


def test_many_small_units_are_bounded_too() -> None:
    memory = Memory(10_000)
    for number in range(1000):
        put(memory, number, b"")
    assert 0 < sum(memory.get(unit(number)) is not None for number in range(1000)) < 60


def test_what_is_larger_than_the_budget_is_given_and_not_kept() -> None:
    memory = Memory(100)
    assert memory.obtain(BLOB, [unit(1)], lambda wanted: [bytes(1000)]) == {unit(1): bytes(1000)}
    assert memory.get(unit(1)) is None


def test_whoever_wants_a_unit_that_is_in_flight_waits_for_it() -> None:
    memory, load = Memory(10_000), Slow()
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(memory.obtain, BLOB, [unit(1), unit(2)], load)
        load.begun.wait()
        others = [threads.submit(memory.obtain, BLOB, [unit(2)], load) for _ in range(6)]
        more = threads.submit(memory.obtain, BLOB, [unit(2), unit(3)], load)
        _until(lambda: len(load.asked) == 2)  # the last one loads what nobody else does
        _until(lambda: _waiting(memory, unit(2)) == 6)
        load.may_end.set()
        assert first.result() == {unit(1): unit(1), unit(2): unit(2)}
        assert [other.result() for other in others] == [{unit(2): unit(2)}] * 6
        assert more.result() == {unit(2): unit(2), unit(3): unit(3)}
    assert load.asked == [[unit(1), unit(2)], [unit(3)]]


def test_an_error_is_that_of_all_who_waited_and_of_nobody_later() -> None:
    memory, load = Memory(10_000), Slow(TimeoutError("no answer"))
    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(memory.obtain, BLOB, [unit(1)], load)
        load.begun.wait()
        others = [threads.submit(memory.obtain, BLOB, [unit(1)], load) for _ in range(3)]
        _until(lambda: _waiting(memory, unit(1)) == 3)
        load.may_end.set()
        for each in (first, *others):
            with pytest.raises(TimeoutError, match="no answer"):
                each.result()
    assert len(load.asked) == 1
    load.error = None
    assert memory.obtain(BLOB, [unit(1)], load) == {unit(1): unit(1)}


@pytest.mark.parametrize("error", [ReaderClosed("closed"), KeyboardInterrupt()])
def test_what_ends_one_reader_ends_no_other(error: BaseException) -> None:
    memory, load = Memory(10_000), Slow(error)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(memory.obtain, BLOB, [unit(1)], load)
        load.begun.wait()
        second = threads.submit(memory.obtain, BLOB, [unit(1)], lambda wanted: [b"right"])
        _until(lambda: _waiting(memory, unit(1)) == 1)
        load.may_end.set()
        with pytest.raises(type(error)):
            first.result()
        assert second.result() == {unit(1): b"right"}


def test_an_equal_block_of_another_blob_is_not_held_up() -> None:
    memory, load = Memory(10_000), Slow()
    with ThreadPoolExecutor(1) as threads:
        stuck = threads.submit(memory.obtain, BLOB, [unit(1)], load)
        load.begun.wait()
        assert memory.obtain(OTHER, [unit(1)], lambda wanted: [unit(1)]) == {unit(1): unit(1)}
        load.may_end.set()
        stuck.result()


def test_two_who_want_the_same_in_another_order_wait_for_each_other_without_end_never() -> None:
    memory = Memory(0)
    wanted = [unit(number) for number in range(50)]

    def want(order: list[Digest]) -> None:
        for _ in range(200):
            assert memory.obtain(BLOB, order, lambda some: [bytes(each) for each in some]).keys() == set(wanted)

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(want, order) for order in (wanted, wanted[::-1], wanted[25:] + wanted[:25])]:
            done.result()


def test_a_forked_process_begins_anew() -> None:
    memory, load = Memory(10_000), Slow()

    def begin_anew() -> None:
        assert memory.obtain(BLOB, [unit(1)], lambda wanted: [b"own"]) == {unit(1): b"own"}

    with ThreadPoolExecutor(1) as threads:
        stuck = threads.submit(memory.obtain, BLOB, [unit(1)], load)
        load.begun.wait()
        with memory._lock:  # as another thread might hold it at that moment
            child = forked(begin_anew)
        try:
            assert not was_killed(child)
        finally:
            load.may_end.set()
        stuck.result()


def _waiting(memory: Memory, unit: Digest) -> int:
    """How many threads wait for a flight."""
    return len(memory._flights[BLOB, unit]._condition._waiters)  # type: ignore[attr-defined]


def _until(happened: Callable[[], bool]) -> None:
    while not happened():
        pass
