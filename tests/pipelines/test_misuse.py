"""What cannot be meant in a pipeline is one line that explains itself; what can be, works."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from artfs import pipeline, step
from artfs.client import Client
from artfs.errors import AlreadyExists, InvalidValue, NotMadeYet

pytestmark = pytest.mark.usefixtures("home")


@step
def make(n: int = 1) -> int:
    return n


USES: dict[str, Callable[[Any], Any]] = {
    "==": lambda made: made == 1,
    "!=": lambda made: made != 1,
    ">": lambda made: made > 1,
    "<=": lambda made: made <= 1,
    "1 < made": lambda made: made > 1,
    "+": lambda made: made + 1,
    "1 -": lambda made: 1 - made,
    "*": lambda made: made * 2,
    "/": lambda made: made / 2,
    "@": lambda made: made @ made,
    "-made": operator.neg,
    "if": bool,
    "not": operator.not_,
    "for": list,
    "in": lambda made: 1 in made,
    "len": len,
    "[0]": lambda made: made[0],
    "call": lambda made: made(),
    "attribute": lambda made: made.shape,
    "method": lambda made: made.load(),
    "float": float,
    "int": int,
    "range": range,
    "round": round,
}


@pytest.mark.parametrize("use", USES)
def test_an_output_is_no_value_while_a_pipeline_is_composed(use: str) -> None:
    @pipeline
    def using() -> None:
        USES[use](make())

    with pytest.raises(
        NotMadeYet, match=r"output 'output' of step 'make', not made yet.*work on values in steps"
    ) as told:
        using()
    assert "\n" not in str(told.value)
    assert len(Client().list_pipeline_runs()) == 0


class _Callable:
    def __call__(self, n: int) -> int:
        return n


@pytest.mark.parametrize("thing", [5, "name", _Callable, _Callable(), functools.partial(_Callable)])
@pytest.mark.parametrize(("kind", "decorate"), [("step", step), ("pipeline", pipeline)])
def test_only_a_function_can_be_a_step_or_pipeline(kind: str, decorate: Any, thing: Any) -> None:
    with pytest.raises(InvalidValue, match=f"a {kind} is made of a function, not of .*write '@{kind}'") as told:
        decorate(thing)
    assert "\n" not in str(told.value)


def scaled(n: int, k: int = 2) -> int:
    return n * k


def test_a_partial_is_a_step() -> None:
    by_name = step(functools.partial(scaled, k=3), name="by_name")
    first = step(functools.partial(functools.partial(scaled, 5), k=4))

    @pipeline
    def both() -> None:
        first()
        by_name(by_name(2), k=1)

    run = both()
    assert [each.output.load() for each in run.steps.values()] == [20, 6, 6]
    assert [each.name for each in run.steps.values()] == ["scaled", "by_name", "by_name_2"]
    assert run.steps["by_name"].parameters == {"n": 2, "k": 3}
    assert "return n * k" in (run.steps["scaled"].source or "")
    assert [each.status.value for each in both().steps.values()] == ["cached"] * 3


@pytest.mark.parametrize("template", ["release-{date}", "{date}"])
def test_runs_of_one_name_in_a_day_are_numbered(template: str) -> None:
    @pipeline
    def release() -> None:
        make()

    names = [release.with_options(run_name=template)().name for _ in range(3)]
    assert names == [names[0], f"{names[0]}-2", f"{names[0]}-3"]


def test_a_name_from_a_file_is_numbered_too(tmp_path: Path) -> None:
    @pipeline
    def release() -> None:
        make()

    (tmp_path / "c.yaml").write_text("run_name: release-{date}-{kind}\nsubstitutions: {kind: x}\n")
    first, second = (release.with_options(config_path=tmp_path / "c.yaml")().name for _ in range(2))
    assert second == f"{first}-2"


def test_a_name_without_a_date_is_that_of_one_run() -> None:
    @pipeline
    def release() -> None:
        make()

    release.with_options(run_name="one")()
    with pytest.raises(AlreadyExists):
        release.with_options(run_name="one")()
