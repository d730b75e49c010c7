"""What must be quick loads little; what is loaded is asked of Python, not of a clock."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from artfs.cli import cli
from artfs.cli.lazy import LazyGroup

HEAVY = {"rich", "pydantic", "sqlite3", "sqlite_utils", "humanize", "blake3", "fsspec", "importlib.metadata", "tomlkit"}


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["artifact", "--help"], ["nonsense"]])
def test_it_answers_without_loading_anything_heavy(arguments: list[str]) -> None:
    assert _modules_after(arguments) & HEAVY == set()


def test_version_and_help_load_no_command() -> None:
    loaded = {name for name in _modules_after(["--help"]) if name.startswith("artfs.cli.")}
    assert loaded == {"artfs.cli.lazy", "artfs.cli.reporting", "artfs.cli.root"}


@pytest.mark.parametrize("arguments", [["artifact", "list"], ["status"]])
def test_a_list_in_a_pipe_loads_nothing_for_terminals(arguments: list[str]) -> None:
    assert _modules_after(arguments) & {"rich", "humanize", "numpy", "pandas", "fsspec"} == set()


def test_the_list_of_commands_says_what_the_commands_say() -> None:
    for group in _groups(cli):
        for name, listed in group.lazy.items():
            assert (listed.load().help or "").partition("\n\n")[0].replace("\n", " ") == listed.help, name


def _groups(group: click.Command) -> Iterator[LazyGroup]:
    if isinstance(group, LazyGroup):
        yield group
        for listed in group.lazy.values():
            yield from _groups(listed.load())


def _modules_after(arguments: list[str]) -> set[str]:
    """The modules that a fresh Python has loaded when `artfs` ends."""
    code = f"""
import atexit, json, sys
atexit.register(lambda: print("MODULES" + json.dumps(sorted(sys.modules))))
sys.argv = ["artfs", *{arguments!r}]
from artfs.cli import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    return set(json.loads(done.stdout.partition("MODULES")[2]))
