"""Worker threads: nothing slow is asked on the event loop, and what stalls takes no place of anything else."""

from __future__ import annotations

import errno
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trio

from artfs_mount.loop import threads
from artfs_mount.loop.threads import READS_AT_ONCE, Questions, Reads, ThreadPlaces
from artfs_mount.tree.blocking import Blocking, Slow

MANY = 100
SOON = 0.05


@contextmanager
def stalled() -> Iterator[threading.Event]:
    """An event that nothing sets before the end."""
    event = threading.Event()
    try:
        yield event
    finally:
        event.set()


def test_a_quick_question_is_answered_on_the_loop_and_a_slow_one_elsewhere() -> None:
    async def main() -> None:
        loop = threading.get_ident()
        blocking, looks = Blocking(loop), []

        def slow() -> int:
            blocking.check()
            return threading.get_ident()

        questions = Questions(lambda: looks.append(threading.get_ident()))
        assert await questions.ask(threading.get_ident) == loop
        assert looks == []
        assert await questions.ask(slow) != loop
        assert looks == [loop], "what was committed before the question is seen by the answer"

    trio.run(main)


@pytest.mark.parametrize("stall", list(Slow))
def test_slow_questions_of_one_kind_hold_up_none_of_another(stall: Slow) -> None:
    (other,) = set(Slow) - {stall}

    async def main() -> None:
        blocking = Blocking(threading.get_ident())
        questions = Questions(lambda: None)
        with stalled() as event:

            def ask(slow: Slow) -> bool:
                blocking.check(slow)
                return slow is stall and event.wait()

            async with trio.open_nursery() as nursery:
                for _ in range(MANY):
                    nursery.start_soon(questions.ask, ask, stall)
                await trio.testing.wait_all_tasks_blocked()
                assert await questions.ask(ask, other) is False
                nursery.cancel_scope.cancel()

    trio.run(main)


def test_a_question_that_gets_no_answer_ends_in_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "METADATA_SECONDS", SOON)

    async def main() -> None:
        blocking = Blocking(threading.get_ident())
        with stalled() as event:

            def ask() -> bool:
                blocking.check()
                return event.wait()

            with pytest.raises(OSError) as caught:
                await Questions(lambda: None).ask(ask)
            assert caught.value.errno == errno.ETIMEDOUT

    trio.run(main)


def test_a_hundred_stalled_reads_of_a_store_change_nothing_for_another() -> None:
    async def main() -> None:
        reads, late = Reads(), []

        async def read(event: threading.Event) -> None:
            try:
                await reads.of(1).call(event.wait, seconds=SOON)
            except OSError as error:
                late.append(error.errno)

        with stalled() as event:
            async with trio.open_nursery() as nursery:
                for _ in range(MANY):
                    nursery.start_soon(read, event)
                await trio.testing.wait_all_tasks_blocked()
                for store in (2, None):
                    assert await reads.of(store).call(lambda: "bytes", seconds=None) == "bytes"
            assert late == [errno.ETIMEDOUT] * MANY, "each ends in its deadline"
            assert MANY > READS_AT_ONCE
            assert await reads.of(1).call(lambda: "bytes", seconds=None) == "bytes", "and costs those after it no place"

    trio.run(main)


def test_there_is_an_end_to_threads_that_do_not_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "MOST_LEFT", 2)

    async def main() -> None:
        places = ThreadPlaces(1)
        with stalled() as event:
            for _ in range(2):
                with pytest.raises(OSError, match="timed out"):
                    await places.call(event.wait, seconds=SOON)
            with pytest.raises(OSError, match="2 earlier calls have not come back"):
                await places.call(lambda: None, seconds=None)
        with trio.fail_after(60):
            while True:  # they have come back
                try:
                    return await places.call(lambda: None, seconds=None)
                except OSError:
                    await trio.lowlevel.checkpoint()

    trio.run(main)


def test_the_daemon_ends_though_calls_are_stuck() -> None:
    async def main() -> None:
        with stalled() as event:
            async with trio.open_nursery() as nursery:
                for _ in range(MANY):
                    nursery.start_soon(lambda: Reads().of(1).call(event.wait, seconds=None))
                await trio.testing.wait_all_tasks_blocked()
                nursery.cancel_scope.cancel()

    trio.run(main)


def test_a_thread_that_computes_hands_the_interpreter_on_more_often() -> None:
    usual = sys.getswitchinterval()

    async def main() -> float:
        blocking = Blocking(threading.get_ident())

        def ask() -> float:
            blocking.check()
            return sys.getswitchinterval()

        return await Questions(lambda: None).ask(ask)

    assert trio.run(main) < usual
    assert sys.getswitchinterval() == usual
