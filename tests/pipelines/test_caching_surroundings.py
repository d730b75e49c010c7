"""What a step takes from its surroundings counts: variables that it names, context variables, seeded generators."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from support import programs

PROGRAM = """
import os
from artfs import step, pipeline
{before}

@step
def compute() -> {kind}:
    {body}

@pipeline
def simple():
    compute()

{after}
print(simple().steps["compute"].status)
"""


def status(directory: Path, source: str, surroundings: Mapping[str, str] | None = None) -> str:
    """What a program says that runs in a process of its own, in a file whose name stays the same."""
    script = directory / "program.py"
    script.write_text(source)
    ran = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        cwd=directory,
        env={**os.environ, **(surroundings or {})},
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def program(body: str, before: str = "", after: str = "", kind: str = "str") -> str:
    return PROGRAM.format(body=body, before=before, after=after, kind=kind)


READS = {
    "a key": ("", "return os.environ['MODE']"),
    "get": ("", "return os.environ.get('MODE', 'none')"),
    "getenv": ("", "return os.getenv('MODE') or ''"),
    "a name of its own": ("from os import environ as env", "return env['MODE']"),
    "a function's own name": ("from os import getenv as g", "return g('MODE') or ''"),
    "in": ("", "return str('MODE' in os.environ and len(os.environ['MODE']))"),
    "a constant": ("NAME = 'MODE'", "return os.environ[NAME]"),
    "bytes": ("", "return os.environb[b'MODE'].decode()"),
    "a helper": ("def mode():\n    return os.environ['MODE']", "return mode()"),
    "a method": ("class A:\n    def go(self):\n        return os.environ['MODE']", "return A().go()"),
    "an import in the step": ("", "import os as o\n    return o.environ['MODE']"),
    "a helper that is given the name": ("def f(name):\n    return os.environ[name]", "return f('MODE')"),
    "one name of many": ("", "return [os.environ.get(name, '') for name in ('OTHER_1', 'MODE')][1]"),
    "one name of a list": ("NAMES = ['MODE']", "return [os.environ.get(name, '') for name in NAMES][0]"),
    "when it was loaded": ("MODE = os.environ['MODE']", "return MODE"),
}


@pytest.mark.parametrize(("before", "body"), READS.values(), ids=READS.keys())
def test_a_variable_that_the_code_names_counts(tmp_path: Path, before: str, body: str) -> None:
    source = program(body, before)
    assert status(tmp_path, source, {"MODE": "a"}) == "completed"
    assert status(tmp_path, source, {"MODE": "a", "OTHER": "b"}) == "cached"
    assert status(tmp_path, source, {"MODE": "bcd"}) == "completed"
    assert status(tmp_path, source, {"MODE": "a"}) == "cached"


@pytest.mark.parametrize("name", ["RANK", "SLURM_JOB_ID", "MASTER_PORT", "LOCAL_RANK", "HOSTNAME", "TMPDIR", "USER"])
def test_where_a_step_runs_does_not_count(tmp_path: Path, name: str) -> None:
    source = program(f"return 'x' if os.environ.get('{name}') else 'y'")
    assert status(tmp_path, source, {name: str(tmp_path)}) == "completed"
    assert status(tmp_path, source, {name: str(tmp_path.parent)}) == "cached"


def test_a_variable_that_is_only_set_does_not_count(tmp_path: Path) -> None:
    source = program("os.environ['MODE'] = '1'\n    return 'x'")
    assert status(tmp_path, source, {"MODE": "a"}) == "completed"
    assert status(tmp_path, source, {"MODE": "b"}) == "cached"


def test_the_variables_as_a_whole_are_nothing_that_a_step_depends_on(tmp_path: Path) -> None:
    source = program("return str(len(dict(environ)) > 0)", "from os import environ")
    assert status(tmp_path, source, {"RANK": "1"}) == "completed"
    assert status(tmp_path, source, {"RANK": "2"}) == "cached"


def test_no_value_of_a_variable_is_kept_nor_a_digest_that_could_be_guessed(tmp_path: Path, home: Path) -> None:
    assert status(tmp_path, program("return str(len(os.environ['PIN']))"), {"PIN": "2468"}) == "completed"
    (parts,) = sqlite3.connect(home / "catalog.db").execute("SELECT cache_parts FROM step_run").fetchone()
    assert "environment:PIN" in parts
    assert "2468" not in parts
    other = tmp_path / "other"
    assert status(tmp_path, program("return str(len(os.environ['PIN']))"), {"PIN": "2468", "ARTFS_HOME": str(other)})
    (others,) = sqlite3.connect(other / "catalog.db").execute("SELECT cache_parts FROM step_run").fetchone()
    key = '"environment:PIN": "'
    assert parts.partition(key)[2][:64] != others.partition(key)[2][:64]


CONTEXTS = {
    "of the module": ("from contextvars import ContextVar\nV = ContextVar('v', default=1)", "return str(V.get())"),
    "in a helper": (
        "from contextvars import ContextVar\nV = ContextVar('v', default=1)\ndef f():\n    return V.get()",
        "return str(f())",
    ),
    "in a table": (
        "from contextvars import ContextVar\nV = ContextVar('v', default=1)\nT = {'v': V}",
        "return str(T['v'].get())",
    ),
    "without a default": ("from contextvars import ContextVar\nV = ContextVar('v')", "return str(V.get('none'))"),
}


def test_the_context_of_decimal_numbers_counts(tmp_path: Path) -> None:
    before = "import decimal\nfrom decimal import Decimal\n"
    body = "return str(Decimal(1) / 3)"
    assert status(tmp_path, program(body, before)) == "completed"
    assert status(tmp_path, program(body, before)) == "cached"
    assert status(tmp_path, program(body, before, "decimal.getcontext().prec = 3")) == "completed"


@pytest.mark.parametrize(("before", "body"), CONTEXTS.values(), ids=CONTEXTS.keys())
def test_the_value_of_a_context_variable_counts(tmp_path: Path, before: str, body: str) -> None:
    assert status(tmp_path, program(body, before)) == "completed"
    assert status(tmp_path, program(body, before)) == "cached"
    assert status(tmp_path, program(body, before, "V.set(2)")) == "completed"
    assert status(tmp_path, program(body, before, "V.set(2)")) == "cached"
    assert status(tmp_path, program(body, before, "V.set(3)")) == "completed"


DRAWS = {
    "random": ("import random", "random.seed({})", "return random.random()"),
    "random by a name": ("import random\nfrom random import seed", "seed({})", "return random.gauss(0, 1)"),
    "random by its state": (
        "import random",
        "random.setstate(random.Random({}).getstate())",
        "return random.random()",
    ),
    "numpy": ("import numpy as np", "np.random.seed({})", "return float(np.random.rand())"),
    "numpy in a helper": (
        "import numpy as np\ndef f():\n    return np.random.permutation(9)",
        "np.random.seed([{}, 3])",
        "return float(f()[0])",
    ),
    "torch": ("import torch", "torch.manual_seed({})", "return float(torch.rand(1)[0])"),
}


@pytest.mark.parametrize(("before", "seed", "body"), DRAWS.values(), ids=DRAWS.keys())
def test_the_seed_of_what_is_drawn_counts(tmp_path: Path, before: str, seed: str, body: str) -> None:
    pytest.importorskip("torch" if "torch" in before else "numpy")
    assert status(tmp_path, program(body, before, seed.format(1), "float")) == "completed"
    assert status(tmp_path, program(body, before, seed.format(1), "float")) == "cached"
    assert status(tmp_path, program(body, before, seed.format(2), "float")) == "completed"
    assert status(tmp_path, program(body, before, seed.format(2), "float")) == "cached"


@pytest.mark.parametrize(("before", "seed", "body"), DRAWS.values(), ids=DRAWS.keys())
def test_a_draw_that_nobody_seeded_is_no_reason_to_run_again(tmp_path: Path, before: str, seed: str, body: str) -> None:
    pytest.importorskip("torch" if "torch" in before else "numpy")
    assert status(tmp_path, program(body, before, "", "float")) == "completed"
    assert status(tmp_path, program(body, before, "", "float")) == "cached"


def test_a_seed_is_no_reason_to_run_a_step_again_that_draws_nothing(tmp_path: Path) -> None:
    assert status(tmp_path, program("return 'x'", "import random", "random.seed(1)")) == "completed"
    assert status(tmp_path, program("return 'x'", "import random", "random.seed(2)")) == "cached"


def test_the_seed_of_another_process_is_none_of_the_program(tmp_path: Path) -> None:
    text = program("return random.random()", "import random", "random.seed(1)", "float")
    source = text.replace("@pipeline", "@pipeline(executor='processes', workers=1)")
    assert status(tmp_path, source) == "completed"
    assert status(tmp_path, source) == "cached"


def test_a_pipeline_hits_in_another_process_of_a_cluster(tmp_path: Path) -> None:
    source = """
    import os, random
    from artfs import step, pipeline
    @step
    def make(rows: int = 3) -> list[int]:
        return list(range(rows))
    @step
    def train(data: list[int]) -> float:
        return sum(data) + 0.0 * random.random()
    @pipeline
    def simple():
        train(make())
    print(simple().status)
    """
    assert programs.run(tmp_path, source) == "completed\n"
    for number in range(2):
        path = tmp_path / "again.py"
        path.write_text("\n".join(line[4:] for line in source.splitlines()))
        assert status(tmp_path, path.read_text(), {"RANK": str(number), "SLURM_JOB_ID": str(number)}) == "cached"
