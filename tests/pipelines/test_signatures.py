"""What a step takes and gives is read from its signature, and from its code where that is not enough."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
import pytest

from artfs import ArtifactConfig, pipeline, step
from artfs.errors import InvalidName, InvalidValue
from artfs.pipelines.define.signature import signature_of


def slots(function: Any) -> list[str]:
    return [output.slot for output in signature_of(function).outputs]


def one() -> int:
    return 1


def unannotated():  # type: ignore[no-untyped-def]
    return 1


def nothing() -> None: ...


def nothing_unannotated():  # type: ignore[no-untyped-def]
    def inner():  # type: ignore[no-untyped-def]
        return 1

    inner()


def tuple_literal() -> tuple[int, str]:
    return 1, "a"


def tuple_literal_in_brackets(flag: bool) -> tuple[int, str]:
    if flag:
        return (1, "a")
    return 2, "b"


def tuple_value() -> tuple[int, str]:
    both = (1, "a")
    return both  # noqa: RET504 - that it is no literal is the point


def tuple_of_any_length() -> tuple[int, ...]:
    return 1, 2


def all_named() -> tuple[Annotated[int, "a"], Annotated[str, "b"]]:
    both = (1, "a")
    return both  # noqa: RET504 - that it is no literal is the point


def some_named() -> tuple[Annotated[int, "a"], str]:
    return 1, "a"


def named_tuple_as_one() -> Annotated[tuple[np.ndarray, np.ndarray], ArtifactConfig(name="data", tags=["raw"])]:
    return np.zeros(1), np.zeros(1)


def name_beside_config() -> Annotated[int, "mine", ArtifactConfig(version="first")]:
    return 1


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (one, ["output"]),
        (unannotated, ["output"]),
        (nothing, []),
        (nothing_unannotated, []),
        (tuple_literal, ["output_0", "output_1"]),
        (tuple_literal_in_brackets, ["output_0", "output_1"]),
        (tuple_value, ["output"]),
        (tuple_of_any_length, ["output"]),
        (all_named, ["a", "b"]),
        (some_named, ["a", "output_1"]),
        (named_tuple_as_one, ["data"]),
        (name_beside_config, ["mine"]),
    ],
)
def test_outputs_are_named_by_annotation_or_position(function: Any, expected: list[str]) -> None:
    assert slots(function) == expected


def test_a_function_without_source_is_read_from_its_code() -> None:
    program = """
from artfs.pipelines.define.signature import signature_of
def literal() -> tuple[int, str]: return one, "a"
def constants() -> tuple[int, str]: return 1, "a"
def value() -> tuple[int, str]: return both
def unannotated(): return 1
def nothing(): print()
for each in (literal, constants, value, unannotated, nothing):
    print(each.__name__, [output.slot for output in signature_of(each).outputs])
"""
    done = subprocess.run([sys.executable, "-"], input=program, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "literal ['output_0', 'output_1']",
        "constants ['output_0', 'output_1']",
        "value ['output']",
        "unannotated ['output']",
        "nothing []",
    ]


def any_number(*data: int) -> None: ...


def any_names(**data: int) -> None: ...


def by_position(data: int, /) -> None: ...


def same_name_twice() -> tuple[Annotated[int, "a"], Annotated[int, "a"]]:
    return 1, 2


def unknown_annotation() -> NotThere:  # type: ignore[name-defined]  # noqa: F821
    return 1


def generator() -> Iterator[int]:
    yield 1


async def coroutine() -> int:
    return 1


class Holder:
    def method(self, data: int) -> None: ...


@pytest.mark.parametrize(
    "function",
    [
        any_number,
        any_names,
        by_position,
        same_name_twice,
        unknown_annotation,
        generator,
        coroutine,
        Holder.method,
    ],
)
def test_what_a_step_cannot_have_is_refused_where_it_is_written(function: Any) -> None:
    with pytest.raises(InvalidValue, match=function.__name__):
        step(function)


@pytest.mark.parametrize("settings", [{"enable_cache": "no"}, {"retries": -1}, {"retries": 1.5}])
def test_settings_that_make_no_sense_are_refused_where_they_are_written(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue, match=next(iter(settings))):
        step(**settings)(one)


def test_a_pipeline_needs_a_worker() -> None:
    with pytest.raises(InvalidValue, match="workers"):
        pipeline(workers=0)(nothing)
    with pytest.raises(InvalidValue, match="workers"):
        pipeline(nothing).with_options(workers=0)


def test_a_name_that_no_artifact_can_have_is_refused() -> None:
    with pytest.raises(InvalidName):
        step(name="a/b")(one)
    with pytest.raises(InvalidName):
        pipeline(name="")(nothing)


def test_a_step_outside_of_a_pipeline_is_the_plain_function() -> None:
    @step
    def double(x: int) -> int:
        """Doubles."""
        return 2 * x

    assert double(4) == 8
    assert double("ab") == "abab"  # nothing is checked or converted
    assert double.__doc__ == "Doubles."
    assert double.__name__ == "double"
