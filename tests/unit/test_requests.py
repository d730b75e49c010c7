"""Requests on threads of their own: whoever waits is never held longer than his deadline, nor by anybody else."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from artfs.stores.remote.requests import Deadline, Requests, Stalled

SOON = 0.1
AMPLE = 60.0


@pytest.fixture
def never() -> Iterator[threading.Event]:
    """What hanging requests wait for, until the test is over."""
    event = threading.Event()
    yield event
    event.set()


def a_moment() -> None:
    """Lets other threads go on."""
    threading.Event().wait(0.001)


def wait_until_none_is_left(requests: Requests) -> None:
    while requests.left:
        a_moment()


class TestDeadline:
    def test_it_comes(self) -> None:
        clock = [100.0]
        deadline = Deadline(30, lambda: clock[0])
        assert deadline.left() == 30
        clock[0] = 129
        assert deadline.left() == 1
        clock[0] = 1000
        assert deadline.left() == 0

    def test_progress_puts_it_off_and_none_does_not(self) -> None:
        clock = [0.0]
        deadline = Deadline(30, lambda: clock[0])
        clock[0] = 20
        deadline.moved(0)
        assert deadline.left() == 10
        deadline.moved(1)
        assert deadline.left() == 30


def test_answers_and_errors_come_through() -> None:
    requests = Requests(2, 2)
    assert requests.call(lambda: 7, Deadline(AMPLE)) == 7
    for error in (FileNotFoundError("x"), KeyError("y")):
        with pytest.raises(type(error)):
            requests.call(lambda error=error: (_ for _ in ()).throw(error), Deadline(AMPLE))  # type: ignore[misc]
    assert requests.left == 0


def test_threads_are_used_again() -> None:
    requests = Requests(4, 4)
    threads = {requests.call(threading.get_ident, Deadline(AMPLE)) for _ in range(50)}
    assert len(threads) <= 2, "one, or two where the first was not back yet"


def test_no_more_run_at_once_than_may() -> None:
    requests, running, most = Requests(3, 3), [0], [0]
    lock = threading.Lock()

    def count() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        a_moment()
        with lock:
            running[0] -= 1

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda _: requests.call(count, Deadline(AMPLE)), range(200)))
    assert 1 <= most[0] <= 3


def test_one_that_hangs_is_left_and_its_slot_is_free(never: threading.Event) -> None:
    requests = Requests(1, 5)
    for left in (1, 2, 3):
        with pytest.raises(Stalled, match=r"no answer within 0\.1 s"):
            requests.call(never.wait, Deadline(SOON))
        assert requests.left == left
        assert requests.call(lambda: "served", Deadline(AMPLE)) == "served"
    never.set()
    wait_until_none_is_left(requests)


def test_whoever_waits_for_a_slot_waits_no_longer_than_his_deadline(never: threading.Event) -> None:
    requests, has_begun = Requests(1, 5), threading.Event()

    def hang() -> None:
        has_begun.set()
        never.wait()

    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(requests.call, hang, Deadline(AMPLE))
        has_begun.wait()
        with pytest.raises(Stalled, match=r"1 other requests were under way for 0\.1 s"):
            requests.call(lambda: None, Deadline(SOON))
        never.set()
        hanging.result()


def test_beyond_the_bound_requests_are_refused_at_once_until_some_come_back(never: threading.Event) -> None:
    requests = Requests(2, 3)
    for _ in range(3):
        with pytest.raises(Stalled):
            requests.call(never.wait, Deadline(SOON))
    for _ in range(100):
        with pytest.raises(Stalled, match="3 requests to it have not come back"):
            requests.call(lambda: None, Deadline(AMPLE))
    never.set()
    wait_until_none_is_left(requests)
    assert requests.call(lambda: "served", Deadline(AMPLE)) == "served"


def test_an_answer_that_comes_too_late_is_dropped(never: threading.Event) -> None:
    requests, dropped = Requests(1, 1), threading.Event()

    def late() -> str:
        never.wait()
        return "late"

    with pytest.raises(Stalled):
        requests.call(late, Deadline(SOON), lambda answer: dropped.set() if answer == "late" else None)
    assert not dropped.is_set()
    never.set()
    assert dropped.wait(AMPLE)


def test_every_answer_is_returned_or_dropped() -> None:
    """However close to its deadline it comes."""
    requests, seconds = Requests(8, 1000), 0.001
    made, kept, dropped = [0], [0], [0]
    lock = threading.Lock()

    def make() -> int:
        threading.Event().wait(seconds)
        with lock:
            made[0] += 1
        return 1

    def drop(answer: int) -> None:
        with lock:
            dropped[0] += answer

    def ask(_: int) -> None:
        try:
            answer = requests.call(make, Deadline(seconds * 1.1), drop)
        except Stalled:
            return
        with lock:
            kept[0] += answer

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(500)))
    wait_until_none_is_left(requests)
    assert requests.call(lambda: "served", Deadline(AMPLE)) == "served"
    assert made[0] == kept[0] + dropped[0] > 0


def test_what_fails_while_nobody_waits_harms_nobody(never: threading.Event) -> None:
    requests = Requests(1, 5)

    def fail() -> None:
        never.wait()
        raise RuntimeError("too late")

    with pytest.raises(Stalled):
        requests.call(fail, Deadline(SOON))
    requests.later(fail)
    never.set()
    wait_until_none_is_left(requests)
    assert requests.call(lambda: "served", Deadline(AMPLE)) == "served"


def test_what_is_done_later_takes_no_slot(never: threading.Event) -> None:
    requests = Requests(1, 5)
    requests.later(lambda: never.wait() and None)  # type: ignore[func-returns-value]
    assert requests.call(lambda: "served", Deadline(AMPLE)) == "served"
    assert requests.left == 1


def test_an_interrupted_caller_leaves_his_slot(never: threading.Event) -> None:
    class Interrupted(Exception):
        pass

    def interrupt(*_: object) -> None:
        raise Interrupted

    requests, before = Requests(1, 5), signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, SOON)
        with pytest.raises(Interrupted):
            requests.call(never.wait, Deadline(AMPLE))
    finally:
        signal.signal(signal.SIGALRM, before)
    assert requests.call(lambda: "served", Deadline(AMPLE)) == "served"


PROGRAM = """
import os, sys, threading
from artfs.stores.remote.requests import Deadline, Requests, Stalled

requests, never = Requests(2, 8), threading.Event()
for _ in range(4):
    try:
        requests.call(never.wait, Deadline(0.05))
    except Stalled:
        print("stalled")
if sys.argv[1] == "fork":
    child = os.fork()
    if child == 0:
        print(requests.left, requests.call(lambda: "served in the child", Deadline(60)), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
print("ends", flush=True)
"""


@pytest.mark.parametrize(("how", "last"), [("end", ["ends"]), ("fork", ["0 served in the child", "ends"])])
def test_a_process_with_hanging_requests_forks_and_ends(how: str, last: list[str]) -> None:
    done = subprocess.run([sys.executable, "-u", "-c", PROGRAM, how], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["stalled"] * 4 + last
