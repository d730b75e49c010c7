"""Programs of a user, run in processes of their own or imported as modules whose code can be changed."""

from __future__ import annotations

import importlib.util
import itertools
import linecache
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

_numbers = itertools.count()


def module(directory: Path, name: str, source: str) -> ModuleType:
    """Write a module of the user's own and import it afresh; it stays importable under its name."""
    path = directory / f"{name}_{next(_numbers)}.py"
    path.write_text(textwrap.dedent(source))
    linecache.checkcache()
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


@contextmanager
def all_ended(*processes: subprocess.Popen[Any]) -> Iterator[None]:
    """However the block ends, these processes have ended after it, and their pipes are closed.

    What a test that fails leaves running would fail the next one, or wait for ever.
    """
    try:
        yield
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            with process:
                pass


@contextmanager
def started(directory: Path, source: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A script that has no `if __name__ == "__main__"` and runs; after the block it has ended."""
    path = directory / f"script_{next(_numbers)}.py"
    # Who is started in the background by a shell ignores Ctrl-C, and so would what it starts.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    path.write_text(heard + textwrap.dedent(source))
    process = subprocess.Popen(
        [sys.executable, path, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=directory
    )
    with all_ended(process):
        yield process


def run(directory: Path, source: str, *arguments: str) -> str:
    """Run a script to its good end and return what it printed."""
    with started(directory, source, *arguments) as process:
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return output
