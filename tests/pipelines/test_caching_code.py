"""A step is run again when its code, or what its code uses in the user's own modules, has changed."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from artfs.objects.run import PipelineRunResponse
from support import programs

LIBRARY = """
RATE = 0.5
TABLE = {"a": [1, 2]}

class Scale:
    factor = 2
    def by(self, x):
        return x * self.factor

class Settings:
    def __init__(self):
        self.depth = 3

SETTINGS = Settings()

def helper(x):
    return inner(x) + RATE

def inner(x):
    return x + 1
"""

USER = """
from __future__ import annotations
import functools
import user_library
from user_library import Scale, TABLE, helper
from artfs import step, pipeline

OFFSET = 1

def logged(function):
    @functools.wraps(function)
    def wrapper(*args, **named):
        result = function(*args, **named)
        return result
    return wrapper

@functools.lru_cache
def remembered(x):
    return x + 1

@step
@logged
def compute(x: int = 1) -> float:
    # a comment
    total = helper(x) + OFFSET + len(TABLE) + user_library.SETTINGS.depth + remembered(x)
    return Scale().by(total) + sum(map(lambda y: y + 1, [1]))

@pipeline
def simple() -> None:
    compute()
"""


class Program:
    """The modules of a user, whose code can be changed between two runs."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.library, self.user = LIBRARY, USER

    def change(self, old: str, new: str) -> None:
        assert self.library.count(old) + self.user.count(old) == 1, old
        self.library, self.user = self.library.replace(old, new), self.user.replace(old, new)

    def load(self) -> ModuleType:
        programs.module(self._directory, "user_library", self.library)
        return programs.module(self._directory, "user_code", self.user)

    def status(self) -> str:
        run: PipelineRunResponse = self.load().simple()
        return str(run.steps["compute"].status)


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("total = helper", "total = 1 + helper"),
        ("x: int = 1", "x: int = 2"),
        ("return inner(x) + RATE", "return inner(x) - RATE"),
        ("def inner(x):\n    return x + 1", "def inner(x):\n    return x + 2"),
        ("RATE = 0.5", "RATE = 0.6"),
        ('"a": [1, 2]', '"a": [1, 3]'),
        ("OFFSET = 1", "OFFSET = 1.0"),
        ("return x * self.factor", "return self.factor * x"),
        ("factor = 2", "factor = 3"),
        ("self.depth = 3", "self.depth = 4"),
        ("return result", "return result + 0"),
        ("lambda y: y + 1", "lambda y: y + 2"),
        ("def remembered(x):\n    return x + 1", "def remembered(x):\n    return x + 3"),
    ],
)
def test_a_change_of_what_the_step_uses_runs_it_again(program: Program, old: str, new: str) -> None:
    assert [program.status(), program.status()] == ["completed", "cached"]
    program.change(old, new)
    assert [program.status(), program.status()] == ["completed", "cached"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# a comment", "# another comment\n\n"),
        ("def logged", "\n\n\ndef logged"),
        ("class Settings:", "class Settings:  # of the library"),
        ("def inner(x):", "UNUSED = 4\n\ndef inner(x):"),
    ],
)
def test_a_change_that_does_not_matter_lets_it_be(program: Program, old: str, new: str) -> None:
    assert program.status() == "completed"
    program.change(old, new)
    assert program.status() == "cached"


def test_a_module_in_a_package_counts_by_what_is_used_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "ourpackage"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    source = """
    import ourpackage.constants
    from artfs import step, pipeline

    @step
    def compute() -> int:
        return ourpackage.constants.USED

    @pipeline
    def simple() -> None:
        compute()
    """

    def status(text: str) -> str:
        constants = programs.module(tmp_path, "ourpackage.constants", text)
        import ourpackage  # type: ignore[import-not-found]

        ourpackage.constants = constants
        return str(programs.module(tmp_path, "user_code", source).simple().steps["compute"].status)

    assert status("USED, OTHER = 1, 1") == "completed"
    assert status("USED, OTHER = 1, 2") == "cached"
    assert status("USED, OTHER = 2, 2") == "completed"


def test_the_key_is_the_same_in_every_process(tmp_path: Path) -> None:
    script = """
    from artfs import step, pipeline
    NAMES = {"alpha", "beta", "gamma", "delta"}
    class Settings:
        tags = frozenset(NAMES)
    SETTINGS = Settings()
    @step
    def compute() -> int:
        return len(NAMES) + len(SETTINGS.tags) + ("x" in {"p", "q", "r"})
    @pipeline
    def simple():
        compute()
    print(simple().steps["compute"].status)
    """
    assert programs.run(tmp_path, script) == "completed\n"
    assert programs.run(tmp_path, script) == "cached\n"


def test_code_can_be_left_out_of_the_key(program: Program) -> None:
    program.change("@step\n", "from artfs.pipelines import CachePolicy\n@step(cache_policy=CachePolicy(code=False))\n")
    assert program.status() == "completed"
    program.change("OFFSET = 1", "OFFSET = 2")
    assert program.status() == "cached"
