"""Steps run in processes of their own, and runs whose process is told to end, or killed, say so."""

from __future__ import annotations

import contextlib
import signal
import time
from pathlib import Path

import pytest

from artfs import pipeline, step
from artfs.errors import RunNotFound, StepFailed
from support import programs
from support.runs import PATIENCE, latest, statuses


@step
def one() -> int:
    return 1


PROCESSES = """
import os
from artfs import step, pipeline

HERE = os.getpid()
FACTOR = 3

def helper(x):
    return x * FACTOR

@step
def make() -> list[int]:
    print("made by", os.getpid())
    assert os.getpid() != HERE
    return [helper(1)]

@step
def use(x: list[int], y: int = 2) -> int:
    return x[0] + y

@pipeline(executor="processes", workers=2)
def simple():
    use(make())
    use(make())

run = simple()
print([each.output.load() for each in run.steps.values()])
print([str(each.status) for each in run.steps.values()])
print(run.steps["make"].logs.startswith("made by"))
print([str(each.status) for each in simple().steps.values()])
"""


def test_steps_of_a_script_run_in_processes_of_their_own(tmp_path: Path) -> None:
    assert programs.run(tmp_path, PROCESSES).splitlines()[-4:] == [
        "[[3], [3], 5, 5]",
        str(["completed"] * 4),
        "True",
        str(["cached"] * 4),
    ]


OTHER_CODE = """
import sys
import own_settings
from artfs import step, pipeline

@step
def rate() -> float:
    return own_settings.RATE

@pipeline(executor=sys.argv[1])
def simple():
    rate()

own_settings.RATE = float(sys.argv[2])
run = simple()
print(run.steps["rate"].status, run.steps["rate"].output.load())
"""


def test_what_was_made_with_other_code_than_the_key_says_is_never_given_out(tmp_path: Path) -> None:
    (tmp_path / "own_settings.py").write_text("RATE = 0.5")
    # The program sets the constant; a new process reads the file.
    assert programs.run(tmp_path, OTHER_CODE, "processes", "0.9") == "completed 0.5\n"
    assert programs.run(tmp_path, OTHER_CODE, "threads", "0.9") == "completed 0.9\n"
    assert programs.run(tmp_path, OTHER_CODE, "processes", "0.5") == "completed 0.5\n"
    assert programs.run(tmp_path, OTHER_CODE, "processes", "0.5") == "cached 0.5\n"


OWN_MATERIALIZER = """
import os
from artfs import step, pipeline
from artfs.materializers import BaseMaterializer

class Point:
    def __init__(self, x):
        self.x = x

class PointMaterializer(BaseMaterializer):
    ASSOCIATED_TYPES = (Point,)
    def save(self, point):
        with open(os.path.join(self.uri, "x"), "w") as file:
            file.write(str(point.x))
    def load(self, kind):
        with open(os.path.join(self.uri, "x")) as file:
            return Point(int(file.read()) * 10)

@step
def make() -> Point:
    return Point(3)

@step
def use(point: Point) -> int:
    return point.x

@pipeline(executor="processes")
def simple():
    use(make())

run = simple()
print(run.steps["make"].output.materializer, run.steps["use"].output.load())
print([str(each.status) for each in simple().steps.values()])
"""


def test_materializers_of_the_script_are_known_in_other_processes(tmp_path: Path) -> None:
    assert programs.run(tmp_path, OWN_MATERIALIZER).splitlines() == [
        "__main__.PointMaterializer 30",
        "['cached', 'cached']",
    ]


FAILING_PROCESSES = """
import os, sys
from artfs import step, pipeline

class Strange(Exception):
    def __init__(self, a, b):
        super().__init__(f"{a} and {b}")

class Known(Exception):
    pass

@step
def known() -> int:
    raise Known("of the script")

@step
def strange() -> int:
    raise Strange("one", "two")

@step
def die() -> int:
    os._exit(9)

def run(each):
    @pipeline(executor="processes", name=each.name)
    def simple():
        each()
    simple()

try:
    run(known)
except Known as error:
    print("known:", error)
try:
    run(strange)
except Exception as error:
    print(type(error).__name__, "raise Strange" in str(error))
try:
    run(die)
except Exception as error:
    print("died")
"""


def test_failures_in_other_processes_arrive_here(tmp_path: Path) -> None:
    output = programs.run(tmp_path, FAILING_PROCESSES).splitlines()
    assert output == ["known: of the script", f"{StepFailed.__name__} True", "died"]
    for name in ("known", "strange", "die"):
        assert statuses(latest(name)) == {name: "failed"}
        assert str(latest(name).status) == "failed"


# The end of the process.

WAITING = """
import sys, time
from artfs import step, pipeline

@step
def done() -> int:
    return 1

@step
def wait(x: int) -> int:
    sys.stdout.write("waiting\\n")  # at once: what `print` writes in two pieces mixes with that of another thread
    sys.stdout.flush()
    while True:
        time.sleep(0.05)

@step
def after(x: int) -> int:
    return x

@pipeline(executor=sys.argv[1])
def simple():
    for _ in range(int(sys.argv[2])):
        after(wait(done()))

simple()
"""


@pytest.mark.parametrize(("executor", "chains"), [("threads", "1"), ("threads", "2"), ("processes", "1")])
def test_ctrl_c_marks_the_run_cancelled(tmp_path: Path, executor: str, chains: str) -> None:
    with programs.started(tmp_path, WAITING, executor, chains) as process:
        assert process.stdout is not None
        if executor == "threads":
            assert [process.stdout.readline() for _ in range(int(chains))] == ["waiting\n"] * int(chains)
        else:
            _wait_until_it_waits()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode in (-signal.SIGINT, 1, 130), errors
    assert "KeyboardInterrupt" in errors
    run = latest("simple")
    assert str(run.status) == "cancelled"
    found = statuses(run)
    assert (found["done"], found["wait"], found["after"]) == ("completed", "cancelled", "skipped")


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_a_killed_run_is_marked_failed_by_the_next(tmp_path: Path, executor: str) -> None:
    with programs.started(tmp_path, WAITING, executor, "1") as process:
        _wait_until_it_waits()
        process.kill()
        process.communicate()  # only when the step's own process has ended too, which holds the other ends of the pipes
    assert str(latest("simple").status) == "running"

    @pipeline
    def other() -> None:
        one()

    other()
    run = latest("simple")
    assert str(run.status) == "failed"
    assert run.error == "its process was killed"
    assert (statuses(run)["done"], statuses(run)["wait"]) == ("completed", "failed")


def _wait_until_it_waits() -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(RunNotFound):
            if statuses(latest("simple")).get("wait") == "running":
                return
        assert time.monotonic() < deadline
        time.sleep(0.02)
