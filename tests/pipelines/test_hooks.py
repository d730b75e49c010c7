"""Hooks are called when a step has failed or is complete, and change nothing of what became of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import pytest

from artfs import get_step_context, log_artifact_metadata, log_metadata, pipeline, save_artifact, step
from artfs.client import Client
from artfs.errors import InvalidValue

PROGRAM = """
import os
from artfs import pipeline, step

@step(on_success="named_hooks.note")
def process() -> int:
    return os.getpid()

@pipeline(executor="processes")
def elsewhere():
    process()

elsewhere()
"""

CALLED: list[Any] = []


@pytest.fixture(autouse=True)
def forget() -> None:
    CALLED.clear()


def failed(error: BaseException) -> None:
    CALLED.append(("failed", get_step_context().step_name, str(error), get_step_context().step_run.status))


def failed_without_asking_why() -> None:
    CALLED.append("failed")


def succeeded() -> None:
    CALLED.append(("succeeded", get_step_context().step_name, get_step_context().step_run.status))


@step
def works() -> Annotated[int, "number"]:
    return 1


@step
def fails() -> int:
    raise LookupError("nothing there")


def test_each_is_told_once_when_all_is_recorded() -> None:
    @pipeline(on_failure=failed, on_success=succeeded)
    def both() -> None:
        works()
        fails()

    with pytest.raises(LookupError, match="nothing there"):
        both()
    assert sorted(CALLED) == [("failed", "fails", "nothing there", "failed"), ("succeeded", "works", "completed")]


def test_a_step_has_its_own_hooks_before_those_of_the_pipeline() -> None:
    @pipeline(on_success=failed_without_asking_why)
    def one() -> None:
        works.with_options(on_success=succeeded)()

    one()
    assert CALLED == [("succeeded", "works", "completed")]
    one.with_options(enable_cache=True)()
    assert len(CALLED) == 1, "what comes from the cache has not run"


def test_a_failure_is_told_after_the_last_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("artfs.pipelines.task.execution.RETRY_SECONDS", 0)

    @step(retries=2, on_failure=failed_without_asking_why)
    def never() -> None:
        CALLED.append("tried")
        raise OSError

    @pipeline
    def trying() -> None:
        never()

    with pytest.raises(OSError):
        trying()
    assert CALLED == ["tried", "tried", "tried", "failed"]


@pytest.mark.expected_warnings("the hook that step 'works' calls on success failed itself")
def test_a_hook_that_fails_is_logged_and_that_is_all() -> None:
    def broken() -> None:
        raise ZeroDivisionError

    @pipeline(on_success=broken)
    def one() -> None:
        works()

    run = one()
    assert (run.status, run.steps["works"].output.load()) == ("completed", 1)
    assert "ZeroDivisionError" in run.steps["works"].logs


def test_what_a_hook_says_and_saves_is_of_its_step() -> None:
    def report() -> None:
        log_metadata({"told": True})
        log_artifact_metadata({"checked": True}, artifact_name="number")
        save_artifact("all well", "report")
        with pytest.raises(InvalidValue, match="decided already"):
            get_step_context().add_output_metadata({"late": True})

    @pipeline(on_success=report)
    def one() -> None:
        works()

    made = one().steps["works"]
    assert made.metadata == {"told": True}
    assert made.outputs["number"].metadata["checked"] is True
    report_version = Client().get_artifact_version("report")
    assert report_version.step == made


def test_a_hook_can_be_named_and_runs_where_its_step_does(tmp_path: Path) -> None:
    (tmp_path / "named_hooks.py").write_text(
        "import os\n\n\ndef note():\n    open('note', 'w').write(str(os.getpid()))\n"
    )
    (tmp_path / "program.py").write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    subprocess.run([sys.executable, "program.py"], cwd=tmp_path, env=environment, check=True)
    made = Client().get_pipeline("elsewhere").last_run.steps["process"].output.load()
    assert int((tmp_path / "note").read_text()) == made


@pytest.mark.parametrize(
    ("hooks", "words"),
    [
        ({"on_success": failed}, "on_success is called with nothing"),
        ({"on_failure": lambda a, b: None}, "on_failure is called with the exception or nothing"),
        ({"on_failure": 5}, "on_failure is a function or its 'module.name', not 5"),
        ({"on_success": "nameless"}, "on_success is a function"),
    ],
)
def test_what_cannot_be_a_hook_is_refused_when_it_is_given(hooks: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidValue, match=words):
        works.with_options(**hooks)
    with pytest.raises(InvalidValue, match=words):
        pipeline(**hooks)(lambda: None)
