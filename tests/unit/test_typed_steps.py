"""Type checkers tell the user of a step that is called wrongly, and leave what works alone."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

HEAD = """
from typing import Annotated
from artfs import ExternalArtifact, pipeline, step
from artfs.client import Client

@step
def load(rows: int = 4) -> list[float]:
    return [1.0] * rows

@step(name="sum", enable_cache=False)
def total(data: list[float], rate: float = 1.0) -> Annotated[float, "total"]:
    return sum(data) * rate

@step
def split(data: list[float]) -> tuple[Annotated[int, "a"], Annotated[str, "b"]]:
    return 1, "x"

@pipeline
def training(rows: int = 4) -> None:
    data = load(rows)
    {line}
"""

GOOD = [
    "total(data)",
    "total(data, rate=2)",
    "total(data=load(), rate=total(data))",
    "total(data, after='load')",
    "total(ExternalArtifact(value=[1.0]), rate=2.0)",
    "total.with_options(retries=2)(data)",
    "total(Client().get_artifact_version('x'))",
    "a, b = split(data); load(a)",
    "training(rows=5)",
    "load(rows=total.with_options(name='x')(data).__hash__())",
]
WRONG = {
    "total(data, typo=1)": "No overload",
    "total('text')": "str",
    "total(data, rate='fast')": "str",
    "total(data, 1.0, 2.0)": "No overload|positional",
    "total(load)": "Step",
    "total(ExternalArtifact(value='text'))": "str",
    "total.with_options(retries=2)(data, typo=1)": "typo|No overload",
    "a, b = split(data); load(b)": "str",
    "training(typo=5)": "typo",
    "total.with_options(typo=1)": "typo",
    "step(5)": "int",
}


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What mypy says of each line, all of them checked at once."""
    folder = tmp_path_factory.mktemp("typed")
    lines = [*GOOD, *WRONG]
    for number, line in enumerate(lines):
        (folder / f"line_{number}.py").write_text(HEAD.replace("{line}", line.replace("; ", "\n    ")))
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir=.mypy", "--no-error-summary", "."],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return {
        line: "\n".join(each for each in done.stdout.splitlines() if each.startswith(f"line_{number}.py:"))
        for number, line in enumerate(lines)
    }


@pytest.mark.parametrize("line", GOOD)
def test_what_works_is_no_error(complaints: dict[str, str], line: str) -> None:
    assert complaints[line] == ""


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_call_is_an_error(complaints: dict[str, str], line: str) -> None:
    assert re.search(WRONG[line], complaints[line])


def test_artfs_says_that_it_is_typed() -> None:
    import artfs

    assert (Path(artfs.__file__).parent / "py.typed").exists()
