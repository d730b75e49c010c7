"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted([*ROOT.glob("artfs/**/*.py"), *ROOT.glob("mount/**/*.py")])
BESIDE = sorted([*ROOT.glob("tests/**/*.py"), *(path for path in ROOT.glob("scripts/**/*") if path.is_file())])
MOST_LINES = 450

_SQL = re.compile(
    r"\b(SELECT\s.+\sFROM\s|INSERT\s+(OR\s+\w+\s+)?INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|(CREATE|ALTER|DROP)\s+(TABLE|INDEX)\s|PRAGMA\s)",
    re.DOTALL,
)


def test_a_module_tells_one_story() -> None:
    sources = [path for path in (*MODULES, *BESIDE) if path.suffix in ("", ".py")]
    lines = {path: len(path.read_text("utf-8").splitlines()) for path in sources}
    assert len(BESIDE) > 100
    assert [f"{_name(path)}: {count} lines" for path, count in lines.items() if count > MOST_LINES] == []


def test_sql_stays_in_the_catalog() -> None:
    catalog = ROOT / "artfs" / "catalog"
    elsewhere = [path for path in MODULES if not path.is_relative_to(catalog)]
    assert [f"{_name(path)}:{line}" for path in elsewhere for line in _sql_lines(path.read_text("utf-8"))] == []


@pytest.mark.parametrize(
    "source",
    [
        'run("SELECT name FROM artifact")',
        'run(f"UPDATE version SET state = {state}")',
        'run("""\n  INSERT INTO tag(name)\n  VALUES (:name)""")',
    ],
)
def test_sql_is_recognised(source: str) -> None:
    assert list(_sql_lines(source))


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_the_pages_on_the_house_name_what_is_there(page: str) -> None:
    """Each file and folder they name is there, whatever folder the text is about."""
    named = set(re.findall(r"`((?:\w+/)*\w+(?:\.py|/))`", (ROOT / page).read_text("utf-8")))
    there = {f"/{path.relative_to(ROOT)}{'/' if path.is_dir() else ''}" for path in _of_the_project()}
    assert len(named) > 20
    assert {name for name in named if not any(path.endswith(f"/{name}") for path in there)} == set()


def _of_the_project() -> Iterator[Path]:
    yield from (
        path
        for top in ("artfs", "mount", "tests", "scripts", "docs")
        for path in (ROOT / top, *(ROOT / top).rglob("*"))
    )


def test_importing_artfs_loads_nothing_heavy() -> None:
    heavy = {"fsspec", "numpy", "pandas", "pydantic", "pyfuse3", "rich", "sqlite3", "sqlite_utils", "torch", "trio"}
    assert heavy & _modules_after("import artfs") == set()


def test_whatever_the_scripts_install_has_an_exact_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["mount"], *_without_own_extras(extras["dev"], extras)]
    pinned = {_package(line) for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if "==" in line}
    assert {_package(requirement) for requirement in wanted} - pinned == set()


def _without_own_extras(requirements: list[str], extras: dict[str, list[str]]) -> Iterator[str]:
    """Requirements with `artfs[a,b]` replaced by what these extras require."""
    for requirement in requirements:
        own = re.fullmatch(r"artfs\[(.+)\]", requirement)
        if own:
            yield from (inner for extra in own[1].split(",") for inner in extras[extra])
        else:
            yield requirement


def _package(requirement: str) -> str:
    """The name that a requirement begins with, in the one form that package indexes compare."""
    name = re.match(r"[\w.-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def _modules_after(statement: str) -> set[str]:
    """The top-level modules that a fresh Python has loaded after a statement."""
    code = f"{statement}; import json, sys; print(json.dumps([name.partition('.')[0] for name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def _sql_lines(source: str) -> Iterator[int]:
    """The lines of string literals that are SQL; f-strings count with their holes filled by a word."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        if _SQL.search(text):
            yield node.lineno


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_whoever_opens_a_catalog_says_whether_it_may_be_begun() -> None:
    """A reader that made an empty catalog where one was lost would hide the loss."""
    calls = [line for path in MODULES for line in path.read_text().splitlines() if "Catalog.open(" in line]
    assert [line for line in calls if "begin=" not in line and ">>>" not in line] == []
    assert len(calls) >= 4
