"""Steps run as their inputs are ready, beside each other, and however a run ends, it says so."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Annotated, Any

import pytest

from artfs import pipeline, save_artifact, step
from artfs.client import Client
from artfs.errors import AlreadyExists, InvalidValue, RunNotFound, StepFailed
from artfs.pipelines import execution
from artfs.pipelines.responses import PipelineRunResponse
from support import programs

PATIENCE = 60
"""Seconds after which something that never happens fails the test."""


def statuses(run: PipelineRunResponse) -> dict[str, str]:
    return {name: str(each.status) for name, each in run.steps.items()}


def latest(pipeline_name: str) -> PipelineRunResponse:
    return Client().get_pipeline_run(f"{pipeline_name}/latest")


@step
def one() -> int:
    return 1


@step
def fail(x: int = 0) -> int:
    raise LookupError("nothing there")


def test_independent_steps_run_at_once() -> None:
    barrier = threading.Barrier(3)

    @step
    def meet() -> int:
        return barrier.wait(PATIENCE)

    @pipeline(enable_cache=False)
    def simple() -> None:
        for _ in range(3):
            meet()

    run = simple()
    assert sorted(each.output.load() for each in run.steps.values()) == [0, 1, 2]


def test_no_more_steps_run_at_once_than_there_are_workers() -> None:
    running, most = [], []

    @step
    def work(x: int) -> None:
        running.append(x)
        most.append(len(running))
        running.remove(x)

    @pipeline
    def simple() -> None:
        for x in range(10):
            work(x)

    simple.with_options(workers=1)()
    assert most == [1] * 10


def test_a_step_alone_runs_in_the_callers_thread() -> None:
    threads = []

    @step
    def note(x: int) -> int:
        threads.append(threading.current_thread())
        return x

    @pipeline
    def simple() -> None:
        note(note(1))

    simple()
    assert threads == [threading.current_thread()] * 2


def test_a_failure_stops_only_what_depends_on_it() -> None:
    @step
    def after(x: int) -> int:
        return x

    @pipeline
    def simple() -> None:
        after(fail())
        after(after(after(one())))

    with pytest.raises(LookupError, match="nothing there") as raised:
        simple()
    assert "raise LookupError" in "".join(traceback.format_tb(raised.value.__traceback__))
    assert any("step 'fail' of run" in note for note in raised.value.__notes__)
    run = latest("simple")
    assert str(run.status) == "failed"
    assert run.error is not None and run.error.startswith("LookupError: nothing there")
    assert statuses(run) == {
        "fail": "failed",
        "one": "completed",
        "after": "skipped",
        "after_2": "completed",
        "after_3": "completed",
        "after_4": "completed",
    }
    assert "raise LookupError" in str(run.steps["fail"].error)
    assert run.steps["after_4"].output.load() == 1
    assert all(each.duration is not None for each in run.steps.values())


def test_a_step_that_exits_fails() -> None:
    @step
    def leave() -> None:
        sys.exit(3)

    @pipeline
    def alone() -> None:
        leave()

    @pipeline
    def beside() -> None:
        leave()
        one()

    for each in (alone, beside):
        with pytest.raises(SystemExit):
            each()
        assert statuses(latest(each.name))["leave"] == "failed"
        assert str(latest(each.name).status) == "failed"


def test_a_failing_step_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "RETRY_SECONDS", 0.0)
    seen: list[list[int]] = []

    @step
    def make() -> list[int]:
        return [1]

    @step(retries=2)
    def fragile(x: list[int]) -> int:
        seen.append(list(x))
        x.append(2)  # what an attempt does to its input, the next must not see
        save_artifact(len(seen), name="tried")
        if len(seen) < 3:
            raise OSError("no network")
        return len(seen)

    @pipeline
    def simple() -> None:
        fragile(make())

    run = simple()
    assert seen == [[1], [1], [1]]
    assert run.steps["fragile"].row.attempt == 3
    assert run.steps["fragile"].outputs["output"].load() == 3
    assert len(Client().get_artifact("tried").versions) == 3


def test_a_step_that_fails_too_often_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "RETRY_SECONDS", 0.0)

    @pipeline
    def simple() -> None:
        fail.with_options(retries=2)()

    with pytest.raises(LookupError):
        simple()
    failed = latest("simple").steps["fail"]
    assert (str(failed.status), failed.row.attempt) == ("failed", 3)


# Values in memory.


def test_no_step_sees_what_another_does_to_its_input() -> None:
    common = [0]

    @step
    def make() -> list[int]:
        return [1]

    @step
    def make_two() -> tuple[Annotated[list[int], "a"], Annotated[list[int], "b"]]:
        both = [1]
        return both, both

    @step
    def remembered() -> list[int]:
        return common

    @step
    def change(x: list[int]) -> int:
        x.append(2)
        return len(x)

    @pipeline(enable_cache=False)
    def simple() -> None:
        shared = make()
        a, b = make_two()
        for index, value in enumerate((shared, shared, a, b, remembered(), remembered())):
            change.with_options(name=f"change_{index}")(value, after=f"change_{index - 1}" if index else None)

    run = simple()
    assert [run.steps[f"change_{index}"].output.load() for index in range(6)] == [2] * 6
    assert common == [0]


def test_a_value_for_one_step_is_not_loaded_again() -> None:
    class Heavy:
        def __reduce__(self) -> Any:
            return (int, (1,))  # what is loaded is something else

    @step
    def make() -> Any:
        return Heavy()

    @step
    def use(x: Any) -> str:
        return type(x).__name__

    @pipeline
    def simple() -> None:
        use(make())

    assert simple().steps["use"].output.load() == "Heavy"


# What is kept of a run.


@pytest.mark.expected_warnings("logged by")
def test_each_step_has_a_log_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    barrier = threading.Barrier(2)

    @step
    def talk(name: str) -> None:
        barrier.wait(PATIENCE)
        print(f"I am {name}")
        print(f"error of {name}", file=sys.stderr)
        logging.getLogger("their").error("logged by %s", name)
        barrier.wait(PATIENCE)

    @pipeline(enable_cache=False)
    def simple() -> None:
        talk("a")
        talk("b")

    streams = sys.stdout, sys.stderr
    run = simple()
    assert (sys.stdout, sys.stderr) == streams
    for name, each in (("a", run.steps["talk"]), ("b", run.steps["talk_2"])):
        assert f"I am {name}" in each.logs and f"error of {name}" in each.logs
        assert each.logs.count(f"logged by {name}") == 1
        assert "I am " + {"a": "b", "b": "a"}[name] not in each.logs
    assert "I am a" in capsys.readouterr().out


def test_pipelines_at_once_log_each_line_once() -> None:
    barrier = threading.Barrier(2)

    @step
    def talk() -> None:
        barrier.wait(PATIENCE)
        print("once")
        barrier.wait(PATIENCE)

    @pipeline(enable_cache=False)
    def simple() -> None:
        talk()

    stdout = sys.stdout
    runs: list[PipelineRunResponse] = []
    threads = [threading.Thread(target=lambda: runs.append(simple())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert [run.steps["talk"].logs for run in runs] == ["once\n", "once\n"]
    assert sys.stdout is stdout


def test_the_environment_is_recorded_once(tmp_path: Path) -> None:
    @pipeline
    def simple() -> None:
        one()

    first, second = simple(), simple()
    assert first.row.environment_id == second.row.environment_id
    facts = first.environment
    assert facts is not None
    assert facts["python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")
    assert "blake3" in facts["packages"]


def test_no_child_process_is_started(tmp_path: Path) -> None:
    script = """
    import os, sys
    def refuse(event, arguments):
        if event in ("subprocess.Popen", "os.fork", "os.posix_spawn", "os.exec"):
            raise RuntimeError(event)
    sys.addaudithook(refuse)
    from artfs import step, pipeline
    @step
    def one() -> int:
        return 1
    @pipeline
    def simple():
        one()
        one()
    print(simple().environment["git"])
    """
    assert programs.run(tmp_path, script) == "None\n"


def test_the_commit_and_whether_files_differ_from_it_are_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dulwich import porcelain

    from artfs.pipelines.environment import environment

    (tmp_path / "train.py").write_text("1")
    porcelain.init(str(tmp_path))
    porcelain.add(str(tmp_path), [str(tmp_path / "train.py")])
    commit = porcelain.commit(str(tmp_path), b"first", author=b"me <me>", committer=b"me <me>")
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    assert environment()["git"] == {"commit": commit.decode(), "dirty": False}
    (tmp_path / "train.py").write_text("12")
    assert environment()["git"] == {"commit": commit.decode(), "dirty": True}


def test_a_name_of_a_run_is_used_once() -> None:
    @pipeline
    def simple() -> None:
        one()

    assert simple.with_options(run_name="release")().name == "release"
    with pytest.raises(AlreadyExists, match="release"):
        simple.with_options(run_name="release")()


def test_an_unknown_executor_is_told() -> None:
    @pipeline(executor="cloud")
    def simple() -> None:
        one()

    with pytest.raises(InvalidValue, match="threads, processes"):
        simple()


# Processes.

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
    print("waiting", flush=True)
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
    process = programs.start(tmp_path, WAITING, executor, chains)
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
    process = programs.start(tmp_path, WAITING, executor, "1")
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
