"""Steps run as their inputs are ready, beside each other, and however a run ends, it says so."""

from __future__ import annotations

import sys
import threading
import traceback
from typing import Annotated, Any

import pytest

from artfs import pipeline, save_artifact, step
from artfs.client import Client
from artfs.errors import AlreadyExists, InvalidValue
from artfs.pipelines.task import execution
from support.runs import PATIENCE, latest, statuses


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
