"""How the tests of the command line run it: in this process, in one of its own, or on a terminal."""

from __future__ import annotations

import errno
import os
import pty
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from artfs.artifacts.scan import scan
from artfs.catalog.versions import Version
from artfs.cli import cli
from artfs.workspace.workspace import Workspace
from support.mount import ARTFS
from support.versions import seal

Run = Callable[..., Result]
Seal = Callable[..., Version]
Process = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run() -> Run:
    """Runs a command in this process: `run("artifact", "list")`."""

    def invoke(*arguments: str | Path) -> Result:
        return CliRunner().invoke(cli, [str(argument) for argument in arguments], prog_name="artfs")

    return invoke


@pytest.fixture
def artfs(home: Path) -> Process:
    """Runs a command in a process of its own."""

    def start(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ARTFS, *map(str, arguments)], capture_output=True, text=True, timeout=60, env={**os.environ, **environment}
        )

    return start


@pytest.fixture
def on_terminal(home: Path) -> Callable[..., str]:
    """Runs a command on a terminal of 150 columns and returns what a person would see, who types `answer`."""

    def start(*arguments: str | Path, answer: str = "") -> str:
        ours, theirs = pty.openpty()
        os.write(ours, answer.encode())
        environment = {**os.environ, "COLUMNS": "150", "TERM": "xterm", "TZ": "UTC"}
        with subprocess.Popen(
            [ARTFS, *map(str, arguments)], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
        ):
            os.close(theirs)
            shown = _read_all(ours)
        os.close(ours)
        return shown

    return start


@pytest.fixture
def seal_files(workspace: Workspace, tmp_path: Path) -> Seal:
    """Makes a version of a folder: `seal_files("iris", {"a.txt": b"..."}, tags=["best"])`."""
    count = iter(range(1000))

    def make(artifact: str, files: dict[str, bytes], **facts: Any) -> Version:
        folder = tmp_path / f"folder-{next(count)}"
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        return seal(scan(folder), workspace, artifact, adopt=False, **facts)

    return make


def _read_all(terminal: int) -> str:
    pieces = []
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError as error:
            if error.errno != errno.EIO:  # what Linux says when the other side is closed
                raise
            break
        pieces.append(piece)
    return click.unstyle(b"".join(pieces).decode())
