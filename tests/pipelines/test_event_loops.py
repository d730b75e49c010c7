"""A pipeline that is called where an event loop runs, as in a notebook, works whatever its shape."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
import trio

from artfs import pipeline, step


async def five() -> int:
    return 5


@step(enable_cache=False)
def with_asyncio() -> int:
    return asyncio.run(five())


@step(enable_cache=False)
def with_trio() -> int:
    return trio.run(five)


@step(enable_cache=False)
def after(number: int) -> int:
    return number + asyncio.run(five())


@step(enable_cache=False)
def which_thread() -> str:
    return threading.current_thread().name


@pipeline
def alone() -> None:
    with_asyncio()


@pipeline
def alone_with_trio() -> None:
    with_trio()


@pipeline
def one_after_another() -> None:
    after(after(with_asyncio()))


@pipeline
def side_by_side() -> None:
    with_asyncio()
    with_trio()


SHAPES = [alone, alone_with_trio, one_after_another, side_by_side]


def in_asyncio(call: Callable[[], Any]) -> Any:
    async def cell() -> Any:
        return call()

    return asyncio.run(cell())


def in_trio(call: Callable[[], Any]) -> Any:
    async def cell() -> Any:
        return call()

    return trio.run(cell)


@pytest.mark.parametrize("loop", [in_asyncio, in_trio])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_steps_may_run_loops_of_their_own(home: object, loop: Callable[..., Any], shape: Any) -> None:
    run = loop(shape)
    assert str(run.status) == "completed"
    first = next(iter(run.steps.values()))
    assert first.output.load() == 5


def test_without_a_loop_a_step_runs_where_ctrl_c_reaches_it(home: object) -> None:
    @pipeline
    def one() -> None:
        which_thread()

    assert one().steps["which_thread"].output.load() == threading.main_thread().name
