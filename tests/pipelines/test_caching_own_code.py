"""Own code counts by what it does, wherever it lies, however it is called, and in whatever way it is reached."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import importlib, sys
from artfs import step, pipeline
{before}

@step
def compute() -> int:
    {body}

@pipeline
def simple():
    compute()

if __name__ == "__main__":
    taken = simple().steps["compute"]
    print(taken.output.load(), taken.status)
"""

LIBRARY = "site-packages/bought"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with a module and a package of its own, and a library beside them."""
    for path in ("pkg", LIBRARY, "site-packages/bought-1.0.dist-info"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "pkg/__init__.py").touch()
    for path in ("helpers.py", "profile.py", "pkg/deep.py", f"{LIBRARY}/__init__.py"):
        (tmp_path / path).write_text("def g():\n    return 1\n")
    (tmp_path / "site-packages/bought-1.0.dist-info/RECORD").write_text("bought/__init__.py,,\n")
    return tmp_path


def run(folder: Path, *command: str) -> str:
    ran = subprocess.run(
        [sys.executable, *(command or ["program.py"])],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "site-packages")},
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def write(folder: Path, body: str, before: str = "") -> None:
    (folder / "program.py").write_text(PROGRAM.format(body=body, before=before))


def change(path: Path) -> None:
    """Let the functions in a file, and what patches others, give 2 instead of 1."""
    path.write_text(path.read_text().replace("return 1", "return 2").replace("= 1", "= 2"))


REACHED = {
    "import_module": ("helpers.py", "", "return importlib.import_module('helpers').g()"),
    "a name that is computed": ("helpers.py", "", "return importlib.import_module('help' + 'ers').g()"),
    "another name of import_module": (
        "helpers.py",
        "from importlib import import_module as load",
        "return load('helpers').g()",
    ),
    "__import__": ("helpers.py", "", "return __import__('helpers').g()"),
    "exec": ("helpers.py", "", "names = {}\n    exec('from helpers import g', names)\n    return names['g']()"),
    "eval": ("helpers.py", "import helpers", "return eval('helpers.g()')"),
    "sys.modules": ("pkg/deep.py", "import pkg.deep", "return sys.modules['pkg.deep'].g()"),
    "sys.modules under another name": (
        "pkg/deep.py",
        "import pkg.deep\nfrom sys import modules as m",
        "return m['pkg.deep'].g()",
    ),
    "getattr of a package": ("pkg/deep.py", "import pkg.deep", "return getattr(pkg, 'de' + 'ep').g()"),
    "runpy": ("helpers.py", "import runpy", "return runpy.run_path('helpers.py')['g']()"),
    "runpy of a module": ("helpers.py", "import runpy", "return runpy.run_module('helpers')['g']()"),
    "subclasses": (
        "helpers.py",
        "class Base:\n    pass\nsys.path.insert(0, '.')\nimport kinds",
        "return Base.__subclasses__()[0].g() if Base.__subclasses__() else kinds.Other.__subclasses__()[0]().g()",
    ),
    "a name of the standard library": ("profile.py", "import profile as own", "return own.g()"),
    "such a name within the step": ("profile.py", "", "import profile\n    return profile.g()"),
    "an import within the step": ("pkg/deep.py", "", "from pkg import deep\n    return deep.g()"),
}


@pytest.mark.parametrize(("changed", "before", "body"), REACHED.values(), ids=REACHED.keys())
def test_code_that_is_reached_in_any_way_counts(folder: Path, changed: str, before: str, body: str) -> None:
    kinds = "import helpers\nclass Other:\n    pass\nclass Kind(Other):\n    def g(self):\n        return helpers.g()\n"
    (folder / "kinds.py").write_text(kinds)
    write(folder, body, before)
    assert run(folder) == "1 completed"
    assert run(folder) == "1 cached"
    change(folder / changed)
    assert run(folder) == "2 completed"
    assert run(folder) == "2 cached"


def test_comments_in_code_that_cannot_be_followed_do_not_count(folder: Path) -> None:
    write(folder, "return importlib.import_module('helpers').g()")
    run(folder)
    (folder / "helpers.py").write_text("# what this is\n\n" + (folder / "helpers.py").read_text())
    assert run(folder) == "1 cached"


def test_a_module_that_was_edited_since_it_was_loaded_is_not_what_ran(folder: Path) -> None:
    edit = "from pathlib import Path\n    p = Path('helpers.py')\n    p.write_text(p.read_text().replace('1', '22'))"
    write(folder, f"g = importlib.import_module('helpers').g\n    {edit}\n    return g()")
    assert run(folder) == "1 completed"
    assert run(folder) == "22 completed"


def test_methods_that_are_called_like_functions_that_reach_code_do_not_count(folder: Path) -> None:
    before = "import helpers\nclass Model:\n    def eval(self):\n        return 1"
    write(folder, "m = Model()\n    return m.eval() + getattr(m, 'no' + 'ne', 0)", before)
    run(folder)
    change(folder / "helpers.py")
    assert run(folder) == "1 cached"


SOURCES = {
    "a local folder": ({"url": "file:///src/bought", "dir_info": {}}, "pip", "2 completed"),
    "a repository": ({"url": "https://x/y.git", "vcs_info": {"vcs": "git", "commit_id": "a"}}, "pip", "2 completed"),
    "an archive": ({"url": "https://x/bought-1.0.whl", "archive_info": {}}, "pip", "1 cached"),
    "conda": ({"url": "file:///croot/bought", "dir_info": {}}, "conda", "1 cached"),
    "an index": (None, "pip", "1 cached"),
}


@pytest.mark.parametrize(("source", "installer", "then"), SOURCES.values(), ids=SOURCES.keys())
def test_an_installed_package_is_own_by_where_it_came_from(
    folder: Path, source: dict[str, object] | None, installer: str, then: str
) -> None:
    about = folder / "site-packages/bought-1.0.dist-info"
    (about / "INSTALLER").write_text(f"{installer}\n")
    if source is not None:
        (about / "direct_url.json").write_text(json.dumps(source))
    write(folder, "return bought.g()", "import bought")
    assert run(folder) == "1 completed"
    assert run(folder) == "1 cached"
    change(folder / LIBRARY / "__init__.py")
    assert run(folder) == then


def test_another_version_of_a_library_counts(folder: Path) -> None:
    write(folder, "return bought.g()", "import bought")
    run(folder)
    (folder / "site-packages/bought-1.0.dist-info").rename(folder / "site-packages/bought-1.1.dist-info")
    assert run(folder) == "1 completed"


PATCHES = {
    "a function of a module": ("import bought\ndef mine():\n    return 1\nbought.g = mine", "return bought.g()"),
    "a function that was not there": (
        "import bought\ndef mine():\n    return 1\nbought.more = mine",
        "return bought.more()",
    ),
    "an object": (
        "import bought\nclass Mine:\n    value = 1\nbought.settings = Mine()",
        "return bought.settings.value",
    ),
    "a class": ("import bought\nclass Mine:\n    value = 1\nbought.Kind = Mine", "return bought.Kind().value"),
    "a method": (
        "import textwrap\ndef mine(self, text):\n    return 1\ntextwrap.TextWrapper.fill = mine",
        "return textwrap.TextWrapper().fill('3')",
    ),
    "a method of a class that is imported": (
        "from textwrap import TextWrapper\ndef mine(self, text):\n    return 1\nTextWrapper.fill = mine",
        "return TextWrapper().fill('3')",
    ),
    "a function under the name of the library's": (
        "import functools, json\n@functools.wraps(json.loads)\ndef mine(text):\n    return 1",
        "return mine('3')",
    ),
    "a function in a library's submodule": (
        "import os\ndef mine(path):\n    return 1\nos.path.mine = mine",
        "return os.path.mine('a')",
    ),
}


@pytest.mark.parametrize(("before", "body"), PATCHES.values(), ids=PATCHES.keys())
def test_own_code_that_is_reached_through_a_library_counts(folder: Path, before: str, body: str) -> None:
    write(folder, body, before)
    assert run(folder) == "1 completed"
    assert run(folder) == "1 cached"
    change(folder / "program.py")
    assert run(folder) == "2 completed"


IMPORTED = "import program; taken = program.simple().steps['compute']; print(taken.output.load(), taken.status)"


@pytest.mark.parametrize(
    ("before", "body"),
    [
        ("def f():\n    return 1", "return f()"),
        ("import logging\nlog = logging.getLogger(__name__)", "log.info('here')\n    return 1"),
        ("class Rate:\n    value = 1\nTABLE = {'rate': Rate()}", "return TABLE['rate'].value"),
        ("from dataclasses import dataclass\n@dataclass\nclass Rate:\n    value: int = 1", "return Rate().value"),
        ("import pkg.deep", "return pkg.deep.g() + 0 * len(__name__)"),
    ],
)
def test_a_script_and_the_same_file_imported_share_one_cache(folder: Path, before: str, body: str) -> None:
    write(folder, body, before)
    assert run(folder) == "1 completed"
    assert run(folder, "-c", IMPORTED) == "1 cached"
    assert run(folder, "-m", "program") == "1 cached"
    change(folder / "program.py")
    change(folder / "pkg/deep.py")
    assert run(folder, "-c", IMPORTED).endswith("completed")
    assert run(folder).endswith("cached")


def test_a_script_in_a_package_is_the_module_that_it_is(folder: Path) -> None:
    (folder / "pkg/program.py").write_text(PROGRAM.format(body="return g()", before="from pkg.deep import g"))
    assert run(folder, "-m", "pkg.program") == "1 completed"
    assert run(folder, "-c", IMPORTED.replace("program", "pkg.program", 1).replace("program.s", "pkg.program.s"))
    assert run(folder, "-m", "pkg.program") == "1 cached"


def test_values_of_a_scripts_own_class_are_the_same_input_when_it_is_imported(folder: Path) -> None:
    write(folder, "return 1", "class Point:\n    x = 1\n@step\ndef make() -> Point:\n    return Point()")
    path = folder / "program.py"
    path.write_text(
        path.read_text()
        .replace("def compute()", "def compute(point: Point)")
        .replace("    compute()", "    compute(make())")
    )
    assert run(folder) == "1 completed"
    assert run(folder, "-c", IMPORTED) == "1 cached"
    assert run(folder) == "1 cached"
