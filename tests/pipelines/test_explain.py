"""`artfs run explain` says why a step ran or was cached."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from artfs import ExternalArtifact, pipeline, step
from artfs.cli import cli
from artfs.client import Client
from support import programs


def explained(step_name: str) -> dict[str, Any]:
    done = CliRunner().invoke(cli, ["run", "explain", "--json", step_name], prog_name="artfs")
    assert done.exit_code == 0, done.stderr
    (found,) = json.loads(done.stdout)
    return dict(found)


@step
def make(x: int = 1) -> int:
    return x


@step
def use(x: int, rate: float = 0.5) -> float:
    return x * rate


@pipeline
def training(x: int = 1, rate: float = 0.5) -> None:
    use(make(x=x), rate=rate)


def test_the_first_run_and_one_that_changed_nothing() -> None:
    first = training()
    assert explained("training/make")["reasons"] == ["it is the first run of this step in pipeline 'training'"]
    training()
    found = explained("training/latest/make")
    assert found["status"] == "cached"
    assert found["compared_with"] == f"training/{first.name}/make"
    assert found["reasons"] == ["nothing that its outputs depend on has changed"]


def test_what_changed_is_named() -> None:
    training()
    run = training(x=2, rate=0.7)
    assert explained(f"training/{run.name}/make")["reasons"] == ["parameter 'x' changed"]
    assert explained(f"{run.id}/use")["reasons"] == ["input 'x' changed", "parameter 'rate' changed"]


def test_changed_code_is_named_by_its_function(tmp_path: Path) -> None:
    source = """
    from artfs import step, pipeline
    def helper():
        return {}
    @step
    def compute() -> int:
        return helper()
    @pipeline
    def simple() -> None:
        compute()
    """
    programs.module(tmp_path, "user_code", source.format(1)).simple()
    programs.module(tmp_path, "user_code", source.format(2)).simple()
    assert explained("simple/compute")["reasons"] == ["code 'user_code.helper' changed"]


def test_what_else_makes_a_step_run_is_said(home: Path) -> None:
    @pipeline
    def simple(cached: bool) -> None:
        make.with_options(enable_cache=cached)()
        use(ExternalArtifact(value=1))

    simple(True)
    simple(False)
    assert explained("simple/make")["reasons"] == ["caching is off for it"]
    assert "ExternalArtifact" in explained("simple/use")["reasons"][0]
    for path in (home / "store").rglob("*"):
        if path.is_file() and ".artfs" not in path.parts:  # without its mark it would not be the store
            path.unlink()
    simple(True)
    assert explained("simple/make")["reasons"] == ["the bytes of the earlier output 'output' are gone"]


def test_all_steps_of_a_run_are_explained_for_people() -> None:
    training()
    training(rate=0.7)
    done = CliRunner().invoke(cli, ["run", "explain", "training"], prog_name="artfs")
    lines = done.stdout.splitlines()
    assert ["cached" in line for line in lines[::2]] == [True, False]
    assert lines[1::2] == ["  nothing that its outputs depend on has changed", "  parameter 'rate' changed"]


@pytest.mark.parametrize("name", ["nothing", "training/nothing", "nothing/latest/make"])
def test_what_is_not_there_is_told_in_a_line(name: str) -> None:
    training()
    done = CliRunner().invoke(cli, ["run", "explain", name], prog_name="artfs")
    assert done.exit_code == 1
    assert len(done.stderr.splitlines()) == 1
    assert "nothing" in done.stderr


def test_a_failed_step_is_explained_too() -> None:
    @step
    def fail(x: int) -> int:
        raise LookupError

    @pipeline
    def failing(x: int) -> None:
        fail(x=x)

    for x in (1, 2):
        with pytest.raises(LookupError):
            failing(x)
    assert explained("failing/fail")["reasons"] == ["it is the first run of this step in pipeline 'failing'"]
    assert Client().get_pipeline_run("failing/latest").status == "failed"
