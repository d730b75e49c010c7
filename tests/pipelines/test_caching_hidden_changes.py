"""However a step's code is reached, a change of it runs the step again: a stale result is never given out."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import programs

PROGRAM = """
from artfs import step, pipeline
{before}

@step
def compute() -> int:
    {body}

@pipeline
def simple():
    compute()
"""

F = "def f(a=3):\n    return a + 1\n"
FG = "def f():\n    return 1\ndef g():\n    return 2\n"

CASES = {
    "a table of functions": (F + "TABLE = {'f': f}", "return TABLE['f'](1)", "a + 1", "a + 2"),
    "a list of lambdas": ("ALL = [lambda: 1]", "return ALL[0]()", "lambda: 1", "lambda: 2"),
    "lambdas change places": ("A, B = lambda: 1, lambda: 2", "return A() - B()", "1, lambda: 2", "2, lambda: 1"),
    "a registry that a decorator fills": (
        "TABLE = {}\ndef add(h):\n    TABLE[h.__name__] = h\n    return h\n@add\ndef h():\n    return 1",
        "return TABLE['h']()",
        "return 1",
        "return 2",
    ),
    "a class in a table": (
        "class K:\n    def go(self):\n        return 1\nTABLE = [K]",
        "return TABLE[0]().go()",
        "return 1",
        "return 2",
    ),
    "an object in a table": (
        "class K:\n    def __init__(self):\n        self.z = 1\nTABLE = {'k': K()}",
        "return TABLE['k'].z",
        "self.z = 1",
        "self.z = 2",
    ),
    "a function as a default": (F + "def run(h=f):\n    return h(1)", "return run()", "a + 1", "a + 2"),
    "a function as a keyword's default": (F + "def run(*, h=f):\n    return h(1)", "return run()", "a + 1", "a + 2"),
    "the function of a partial": (
        "import functools\n" + F + "P = functools.partial(f, 1)",
        "return P()",
        "a + 1",
        "a + 2",
    ),
    "the argument of a partial": (
        "import functools\n" + F + "P = functools.partial(f, 1)",
        "return P()",
        "(f, 1)",
        "(f, 2)",
    ),
    "a function given to a partial": (
        "import functools\n" + F + "P = functools.partial(map, f)",
        "return sum(P([1]))",
        "a + 1",
        "a + 2",
    ),
    "an attribute of a function": (F + "f.factor = 1", "return f.factor", "factor = 1", "factor = 2"),
    "an attribute that is a function": (
        F + "class S:\n    def __init__(self):\n        self.h = f\ns = S()",
        "return s.h(1)",
        "a + 1",
        "a + 2",
    ),
    "the object of a bound method": (
        "class S:\n    def __init__(self):\n        self.n = 1\n    def go(self):\n        return self.n\ngo = S().go",
        "return go()",
        "self.n = 1",
        "self.n = 2",
    ),
    "another function under the same name": (FG + "h = f", "return h()", "h = f", "h = g"),
    "functions change places": (FG + "a, b = f, g", "return a() - b()", "a, b = f, g", "a, b = g, f"),
    "another class under the same name": (
        "class A:\n    v = 1\nclass B:\n    v = 2\nC = A",
        "return C.v",
        "C = A",
        "C = B",
    ),
    "another function of a library": ("from math import floor as f", "return f(1.5)", "floor as f", "ceil as f"),
    "another ufunc": ("from numpy import floor as f", "return int(f(1.5))", "floor as f", "ceil as f"),
    "a base class": (
        "class A:\n    def base(self):\n        return 1\nclass B(A):\n    pass",
        "return B().base()",
        "return 1",
        "return 2",
    ),
    "a metaclass": (
        "class M(type):\n    def __getattr__(cls, name):\n        return 1\nclass A(metaclass=M):\n    pass",
        "return A.any",
        "return 1",
        "return 2",
    ),
    "a property": (
        "class A:\n    @property\n    def p(self):\n        return 1",
        "return A().p",
        "return 1",
        "return 2",
    ),
    "a static method": (
        (
            "class A:\n    @staticmethod\n    def s():\n        return 1\n"
            "    @classmethod\n    def c(cls):\n        return cls.s()"
        ),
        "return A.c()",
        "return 1",
        "return 2",
    ),
    "a descriptor": (
        "class D:\n    def __get__(self, one, kind):\n        return 1\nclass A:\n    d = D()",
        "return A().d",
        "return 1",
        "return 2",
    ),
    "a class within a class": ("class A:\n    class B:\n        k = 1", "return A.B.k", "k = 1", "k = 2"),
    "a functions' list of a class": (F + "class A:\n    all = [f]", "return A.all[0](1)", "a + 1", "a + 2"),
    "a dataclass's default": (
        "from dataclasses import dataclass\n@dataclass\nclass C:\n    rate: int = 1",
        "return C().rate",
        "rate: int = 1",
        "rate: int = 2",
    ),
    "a dataclass's factory": (
        (
            "import dataclasses\n@dataclasses.dataclass\nclass C:\n"
            "    r: list = dataclasses.field(default_factory=lambda: [1])"
        ),
        "return C().r[0]",
        "[1]",
        "[2]",
    ),
    "a model's default": (
        "from pydantic import BaseModel\nclass C(BaseModel):\n    rate: int = 1",
        "return C().rate",
        "rate: int = 1",
        "rate: int = 2",
    ),
    "a named tuple's default": (
        "from typing import NamedTuple\nclass C(NamedTuple):\n    rate: int = 1",
        "return C().rate",
        "rate: int = 1",
        "rate: int = 2",
    ),
    "a member of an enum": (
        "from enum import Enum\nclass C(Enum):\n    A = 1",
        "return C.A.value",
        "A = 1",
        "A = 2",
    ),
    "what a decorator adds": (
        (
            "def times(n):\n    def deco(f):\n        return lambda: f() * n\n    return deco\n"
            "@times(2)\ndef h():\n    return 1"
        ),
        "return h()",
        "times(2)",
        "times(3)",
    ),
    "what a decorating class adds": (
        (
            "import functools\nclass Deco:\n    def __init__(self, f):\n        functools.update_wrapper(self, f)\n"
            "    def __call__(self):\n        return self.__wrapped__() + 1\n@Deco\ndef h():\n    return 1"
        ),
        "return h()",
        "+ 1",
        "+ 2",
    ),
    "one of single dispatch": (
        (
            "from functools import singledispatch\n@singledispatch\ndef go(x):\n    return 0\n"
            "@go.register\ndef _(x: int):\n    return 1"
        ),
        "return go(3)",
        "return 1",
        "return 2",
    ),
    "a context manager": (
        "from contextlib import contextmanager\n@contextmanager\ndef opened():\n    yield 1",
        "with opened() as x: return x",
        "yield 1",
        "yield 2",
    ),
    "a container that cannot be pickled": (
        "from collections import defaultdict\nD = defaultdict(lambda: 1)",
        "return D.default_factory()",
        "lambda: 1",
        "lambda: 2",
    ),
    "a read-only mapping": (
        "from types import MappingProxyType\nD = MappingProxyType({'a': 1})",
        "return D['a']",
        "'a': 1",
        "'a': 2",
    ),
    "an array": ("import numpy\nW = numpy.ones(10_000)\nW[5_000] = 1", "return int(W.sum())", "= 1", "= 2"),
    "a table of pandas": ("import pandas\nW = pandas.DataFrame({'a': [1]})", "return int(W.a.sum())", "[1]", "[2]"),
    "an object that leaves something out of its pickle": (
        (
            "class S:\n    def __init__(self):\n        self.n = 1\n"
            "    def __getstate__(self):\n        return {}\ns = S()"
        ),
        "return s.n",
        "self.n = 1",
        "self.n = 2",
    ),
    "an object with slots and a lock": (
        (
            "import threading\nclass S:\n    __slots__ = ('n', 'lock')\n    def __init__(self):\n        self.n = 1\n"
            "        self.lock = threading.Lock()\ns = S()"
        ),
        "return s.n",
        "self.n = 1",
        "self.n = 2",
    ),
    "an object that holds itself": (
        "class N:\n    def __init__(self):\n        self.me, self.v = self, 1\nn = N()",
        "return n.me.v",
        "self, 1",
        "self, 2",
    ),
    "the order of a mapping": ("D = {'a': 1, 'b': 2}", "return D[next(iter(D))]", "'a': 1, 'b': 2", "'b': 2, 'a': 1"),
    "a nested function's helper": (
        "def h():\n    return 1",
        "def inner():\n        return h()\n    return inner()",
        "return 1",
        "return 2",
    ),
    "a comprehension's global": ("K = 1", "return sum(K for _ in range(3))", "K = 1", "K = 2"),
    "a global changed after it was made": ("C = {'a': 1}\nC['a'] = 5", "return C['a']", "= 5", "= 6"),
    "a global asked for by its name": ("K = 1", "return globals()['K']", "K = 1", "K = 2"),
    "another step": ("@step\ndef other() -> int:\n    return 1", "return other()", "return 1", "return 2"),
    "code that was executed": (
        "n = {}\nexec('def f(): return 1', n)\nf = n['f']",
        "return f()",
        "return 1",
        "return 2",
    ),
}

IN_ANOTHER_MODULE = {
    "a name for it": ("from helpers import f as g", "return g()"),
    "the module": ("import helpers", "return helpers.f()"),
    "a name for the module": ("import helpers as h", "return h.f()"),
    "all names": ("from helpers import *", "return f()"),
    "an import in the step": ("", "from helpers import f\n    return f()"),
    "an import of the module in the step": ("", "import helpers as h\n    return h.f()"),
    "an import in a helper": ("def g():\n    import helpers\n    return helpers.f()", "return g()"),
    "the name as a text": ("import helpers", "return getattr(helpers, 'f')()"),
    "the module in a list": ("import helpers\nALL = [helpers]", "return ALL[0].f()"),
    "a class of it": ("from helpers import C", "return C().go()"),
}


def statuses_of_two_runs(directory: Path, program: str) -> list[str]:
    simple = programs.module(directory, "user_code", program).simple
    return [str(simple().steps["compute"].status) for _ in range(2)]


@pytest.mark.parametrize(("before", "body", "old", "new"), CASES.values(), ids=CASES.keys())
def test_a_change_is_found(tmp_path: Path, before: str, body: str, old: str, new: str) -> None:
    program = PROGRAM.format(before=before, body=body)
    assert program.count(old) == 1
    assert statuses_of_two_runs(tmp_path, program) == ["completed", "cached"]
    assert statuses_of_two_runs(tmp_path, program) == ["cached", "cached"]
    assert statuses_of_two_runs(tmp_path, program.replace(old, new)) == ["completed", "cached"]


@pytest.mark.parametrize(("before", "body"), IN_ANOTHER_MODULE.values(), ids=IN_ANOTHER_MODULE.keys())
def test_a_change_in_another_module_is_found(tmp_path: Path, before: str, body: str) -> None:
    program = PROGRAM.format(before=before, body=body)
    helpers = "from deeper import g\ndef f():\n    return g()\nclass C:\n    def go(self):\n        return f()\n"
    programs.module(tmp_path, "deeper", "def g():\n    return 1\n")
    programs.module(tmp_path, "helpers", helpers)
    assert statuses_of_two_runs(tmp_path, program) == ["completed", "cached"]
    programs.module(tmp_path, "deeper", "def g():\n    return 2\n")
    programs.module(tmp_path, "helpers", helpers)
    assert statuses_of_two_runs(tmp_path, program) == ["completed", "cached"]


def test_a_module_that_only_the_step_imports_counts_before_it_is_imported(tmp_path: Path) -> None:
    script = PROGRAM.format(before="", body="from only_here import f\n    return f()")
    script += "print(simple().steps['compute'].status)"
    (tmp_path / "only_here.py").write_text("def f():\n    return 1\n")
    assert programs.run(tmp_path, script) == "completed\n"
    assert programs.run(tmp_path, script) == "cached\n"
    (tmp_path / "only_here.py").write_text("def f():\n    return 20\n")
    assert programs.run(tmp_path, script) == "completed\n"


VALUE = """
import os
from typing import Any
from artfs import step, pipeline
from artfs.materializers import BaseMaterializer

class Point:
    def __init__(self, x):
        self.x = x
    def twice(self):
        return self.x * 2

class PointMaterializer(BaseMaterializer):
    ASSOCIATED_TYPES = (Point,)
    def save(self, point):
        with open(os.path.join(self.uri, "x"), "w") as file:
            file.write(str(point.x + 0))
    def load(self, kind):
        with open(os.path.join(self.uri, "x")) as file:
            return Point(int(file.read()) - 0)

@step
def make() -> {made}:
    return Point(3)

@step
def compute(point: {taken}) -> int:
    return point.twice()

@pipeline
def simple():
    compute(make())
"""


@pytest.mark.parametrize("made", ["Point", "Any", "Point | None"])
@pytest.mark.parametrize("taken", ["Point", "Any", "object"])
def test_the_class_of_a_value_and_what_keeps_it_count(tmp_path: Path, made: str, taken: str) -> None:
    def statuses(old: str = "", new: str = "") -> list[str]:
        program = VALUE.format(made=made, taken=taken).replace(old or "\0", new)
        return [str(each.status) for each in programs.module(tmp_path, "values", program).simple().steps.values()]

    assert statuses() == ["completed", "completed"]
    assert statuses() == ["cached", "cached"]
    assert statuses("self.x * 2", "self.x * 4")[1] == "completed"
    assert statuses("point.x + 0", "point.x + 1")[0] == "completed"
    assert statuses("- 0", "- 1")[1] == "completed"


def test_the_type_that_an_input_is_turned_into_counts(tmp_path: Path) -> None:
    program = """
    from typing import Any
    from artfs import step, pipeline

    @step
    def compute(x: int) -> Any:
        return x

    @pipeline
    def simple():
        compute(x=1)
    """
    assert statuses_of_two_runs(tmp_path, program) == ["completed", "cached"]
    assert statuses_of_two_runs(tmp_path, program.replace("x: int", "x: float")) == ["completed", "cached"]


def test_one_version_and_a_list_of_it_are_different_inputs(tmp_path: Path) -> None:
    program = """
    from typing import Any
    from artfs import step, pipeline

    @step
    def make() -> int:
        return 1

    @step
    def compute(x: Any) -> str:
        return str(x)

    @pipeline
    def simple():
        compute(make())
    """
    assert statuses_of_two_runs(tmp_path, program) == ["completed", "cached"]
    assert statuses_of_two_runs(tmp_path, program.replace("(make())", "([make()])")) == ["completed", "cached"]


def test_the_order_of_a_parameters_keys_counts(tmp_path: Path) -> None:
    program = """
    from artfs import step, pipeline

    @step
    def compute(x: dict) -> list:
        return list(x)

    @pipeline
    def simple():
        compute({"a": 1, "b": 2})
    """
    assert statuses_of_two_runs(tmp_path, program) == ["completed", "cached"]
    other = program.replace('"a": 1, "b": 2', '"b": 2, "a": 1')
    assert statuses_of_two_runs(tmp_path, other) == ["completed", "cached"]


def test_equal_bytes_that_are_read_in_another_way_are_another_input() -> None:
    from artfs import pipeline, save_artifact, step
    from artfs.client import Client

    @step
    def kind(x) -> str:  # type: ignore[no-untyped-def]
        return type(x).__name__

    @pipeline
    def simple(name: str) -> None:
        kind(Client().get_artifact_version(name))

    number, flag = save_artifact([1], name="list"), save_artifact((1,), name="tuple")
    first, second = simple("list"), simple("tuple")
    assert number.load() == [1] and flag.load() == (1,)
    assert [run.steps["kind"].output.load() for run in (first, second)] == ["list", "tuple"]


def test_what_is_nested_too_deeply_to_compare_is_never_taken_for_the_same(tmp_path: Path) -> None:
    before = "D = 1\nfor _ in range(400):\n    D = [D]"
    program = PROGRAM.format(before=before, body="return len(D)")
    assert statuses_of_two_runs(tmp_path, program) == ["completed", "completed"]


def test_a_tensor_counts_by_what_it_holds(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    script = PROGRAM.format(
        before="import torch\nT = torch.nn.Linear(2, 1)\nT.weight.data.fill_(1.0)\nT.bias.data.fill_(1.0)",
        body="return int(T(torch.ones(2)).item())",
    )
    script += "print(simple().steps['compute'].status)"
    assert programs.run(tmp_path, script) == "completed\n"
    assert programs.run(tmp_path, script) == "cached\n"
    assert programs.run(tmp_path, script.replace("weight.data.fill_(1.0)", "weight.data.fill_(2.0)")) == "completed\n"
