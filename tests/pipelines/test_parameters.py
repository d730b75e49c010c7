"""A parameter reaches its step, and is recorded, as the value that it was; or it is refused before anything runs."""

from __future__ import annotations

import datetime as dt
import enum
import json
import math
from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest

from artfs import load_artifact, pipeline, step
from artfs.client import Client
from artfs.errors import InvalidValue
from support import programs
from support.sample_types import Colour, Fixed, Level, Output, Pair, Plain, Rights, Text, Typed, Word


@step(enable_cache=False)
def seen(x: Any) -> str:
    return f"{type(x).__name__} {x!r}"


@pipeline
def show(x: Any) -> None:
    seen(x)


KEPT = [
    {1: "a", "1": "b"},
    {None: 0, True: 1},
    {(1, 2): [3]},
    {1.5: "x", Level.LOW: "y"},
    {"$match": {"$tuple": 1}},
    (1, 2),
    [(1,), [2]],
    (),
    {3, 1, 2},
    frozenset("ab"),
    Level.LOW,
    Word.YES,
    Colour.RED,
    Rights.READ | Rights.WRITE,
    Typed(1),
    Pair(1, (2,)),
    OrderedDict(b=1, a=2),
    {"b": 1, "a": 2},
    defaultdict(list, {"a": [1]}),
    Counter("aab"),
    deque([1], maxlen=3),
    Fixed(1, (2,)),
    Output(Path("a")),
    b"bytes",
    1 + 2j,
    range(3),
    slice(1, 2),
    2**200,
    -0.0,
    math.inf,
    "\ud800",
    Decimal("1.10"),
    dt.date(2024, 2, 29),
    dt.datetime(2024, 2, 29, 12, tzinfo=dt.UTC),
    dt.timedelta(days=1),
    UUID(int=1),
    Path("data/set.csv"),
    PurePosixPath("a"),
    np.float64(0.1),
    np.int32(7),
    pd.Timestamp("2024-01-01", tz="UTC"),
]


@pytest.mark.parametrize("value", KEPT, ids=repr)
def test_a_parameter_is_kept_with_its_type(home: Path, value: Any) -> None:
    run = show(value)
    assert run.steps["seen"].output.load() == f"{type(value).__name__} {value!r}"
    for recorded in (run.steps["seen"].parameters["x"], run.config["parameters"]["x"]):
        assert type(recorded) is type(value)
        assert repr(recorded) == repr(value)


def test_a_nan_is_kept(home: Path) -> None:
    run = show([math.nan])
    assert run.steps["seen"].output.load() == "list [nan]"
    assert math.isnan(run.steps["seen"].parameters["x"][0])


class Own(dict[str, int]):
    pass


class Stretched(int):
    pass


def test_what_cannot_be_kept_as_it_is_is_refused_in_one_line(home: Path, tmp_path: Path) -> None:
    class Local(enum.Enum):
        A = 1

    itself: list[Any] = []
    itself.append(itself)
    with (tmp_path / "f").open("w") as file:
        for value in (
            object(),
            Own(a=1),
            Text("a"),
            Plain(1),
            Stretched(1),
            Local.A,
            itself,
            file,
            np.zeros(3),
            {"a": [Own()]},
        ):
            with pytest.raises(
                InvalidValue, match=r"parameter 'x' cannot be kept as it is .*ExternalArtifact"
            ) as raised:
                show(value)
            assert "\n" not in str(raised.value)
    assert len(Client().list_pipeline_runs()) == 0


def test_outputs_of_steps_among_other_values_are_refused(home: Path) -> None:
    @pipeline
    def mixed() -> None:
        seen({"a": [1, seen(1)]})

    with pytest.raises(InvalidValue, match="mixes outputs"):
        mixed()


def test_a_value_that_the_pipeline_changes_afterwards_is_what_it_was(home: Path) -> None:
    @pipeline
    def changing() -> None:
        value = {"a": (1,)}
        seen(value)
        value["a"] = (2,)

    assert changing().steps["seen"].output.load() == "dict {'a': (1,)}"


def test_equal_values_of_other_types_are_not_the_same_parameter(home: Path) -> None:
    cached = seen.with_options(enable_cache=True)

    @pipeline
    def once(x: Any) -> None:
        cached(x)

    for value in ((1, 2), [1, 2], {1: 0}, {"1": 0}, {True: 0}, Level.LOW, 1, True, 1.0, OrderedDict({"1": 0})):
        assert once(value).steps["seen"].status.value == "completed"
        assert once(value).steps["seen"].status.value == "cached"


def test_defaults_are_recorded_with_their_types(home: Path) -> None:
    @step
    def scale(sizes: Any = (1, 2), kind: Any = Level.LOW, other: Any = print) -> str:
        return repr(sizes)

    @pipeline
    def short() -> None:
        scale()

    assert short().steps["scale"].parameters == {"sizes": (1, 2), "kind": Level.LOW}


def test_processes_get_the_same_values(home: Path, tmp_path: Path) -> None:
    program = """
import enum
from artfs import pipeline, step

class Mode(enum.Enum):
    FAST = 1

@step
def seen(x) -> str:
    return repr(x)

@pipeline(executor="processes")
def show(x):
    seen(x)
    seen(x)

run = show({1: (Mode.FAST, frozenset({1}))})
print(run.steps["seen"].output.load())
print(run.steps["seen_2"].parameters)
"""
    value = "{1: (<Mode.FAST: 1>, frozenset({1}))}"
    assert programs.run(tmp_path, program).splitlines()[-2:] == [value, f"{{'x': {value}}}"]


def test_another_process_reads_them_with_their_classes(home: Path, tmp_path: Path) -> None:
    program = """
import enum, sys
sys.path.insert(0, ".")
"""
    (tmp_path / "settings.py").write_text("import enum\nclass Mode(enum.Enum):\n    FAST = 1\n")
    made = programs.run(
        tmp_path,
        program
        + "from settings import Mode\nfrom artfs import pipeline, step\n"
        + "@step\ndef use(mode: Mode) -> str:\n    return mode.name\n"
        + "@pipeline\ndef p(mode):\n    use(mode)\n"
        + "print(p(Mode.FAST).name)\n",
    )
    read = programs.run(
        tmp_path,
        program
        + "from artfs.client import Client\n"
        + f"print(Client().get_pipeline_run({made.strip()!r}).steps['use'].parameters['mode'])\n",
    )
    assert read.strip() == "Mode.FAST"
    (tmp_path / "settings.py").unlink()
    for listed in (tmp_path / "__pycache__").glob("settings*"):
        listed.unlink()
    refused = programs.run(
        tmp_path,
        program
        + "from artfs.client import Client\n"
        + f"run = Client().get_pipeline_run({made.strip()!r})\n"
        + "try:\n    run.steps['use'].parameters\nexcept Exception as error:\n    print(type(error).__name__, error)\n",
    )
    assert refused.startswith("ClassNotFound parameter 'mode': settings.Mode is needed")


def test_secrets_are_hidden_in_values_of_every_type(home: Path) -> None:
    secret = "hunter2Z9qSecret"
    values = {
        1: 2,
        "api_key": secret,
        "all": OrderedDict(password=secret),
        "passwords": {"password": (secret, secret.encode())},
    }
    run = show(values)
    assert secret not in json.dumps([run.steps["seen"].row.parameters, run.row.config])
    assert run.steps["seen"].parameters["x"][1] == 2


def test_a_file_says_versions_and_substitutions_as_they_are_written(home: Path, tmp_path: Path) -> None:
    @step
    def made(sizes: Any) -> str:
        return repr(sizes)

    @pipeline
    def one() -> None:
        made()

    config = tmp_path / "config.yaml"
    config.write_text("""
run_name: "{release}-{day}"
substitutions: {release: 1.10, day: 2024-01-02}
steps:
  made:
    parameters: {sizes: {1: a, 2024-01-02: b}}
    outputs: {output: {version: 1.10}}
""")
    run = one.with_options(config_path=config)()
    assert run.name == "1.10-2024-01-02"
    assert load_artifact("one::made::output", "1.10") == "{1: 'a', datetime.date(2024, 1, 2): 'b'}"


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (dict[str, int], OrderedDict(a=1)),
        (tuple[int, int], Pair(1, 2)),
        (int | str, True),
        (int | None, Level.LOW),
        (float | None, np.float64(0.5)),
    ],
)
def test_a_value_that_is_more_than_its_annotation_asks_for_stays_so(home: Path, annotation: Any, value: Any) -> None:
    def check(x: Any) -> str:
        return f"{type(x).__name__} {x!r}"

    check.__annotations__["x"] = annotation
    checking = step(check)

    @pipeline
    def one() -> None:
        checking(value)

    assert one().steps["check"].output.load() == f"{type(value).__name__} {value!r}"
