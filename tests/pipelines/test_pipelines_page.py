"""The examples of docs/pipelines.md run, and print what the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from artfs.client import Client

PAGE = Path(__file__).resolve().parents[2] / "docs" / "pipelines.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the page's files, in which its commands are run."""
    (tmp_path / "train.py").write_text(blocks("python")[0])
    (tmp_path / "release.yaml").write_text(blocks("yaml")[0])
    (tmp_path / "words.txt").write_text("three more words")
    (tmp_path / "raw.txt").write_text("b\na\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    return tmp_path


def test_commands_print_what_the_page_shows(folder: Path) -> None:
    for block in blocks("console"):
        for command, shown in re.findall(r"^\$ (.*)\n((?:[^$].*\n)*)", block, re.MULTILINE):
            done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
            assert (done.returncode, done.stdout) == (0, shown), done.stderr
    assert (folder / "sorted.txt").read_text() == "a\nb\n"
    assert [run.name for run in Client().list_pipeline_runs(pipeline="training")] == ["first", "again", "faster"]
    assert str(Client().get_pipeline_run("cleaning/latest").status) == "completed"


def test_the_python_of_the_page_runs(folder: Path) -> None:
    script = "\n".join(blocks("python"))
    script += """
assert (str(run.status), run.steps["scale"].outputs["total"].load()) == ("cached", 3.0)
assert version.name == "numbers" and version.tags == ["raw"] and version.run.name == "first"

@pipeline
def counting():
    count_words()

assert counting().steps["count_words"].output.load() == 3
"""
    (folder / "all.py").write_text(script)
    done = subprocess.run([sys.executable, "all.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    release = Client().get_pipeline_run("releasing/latest")
    assert release.name.startswith("release-2")
    assert release.steps["load"].parameters == {"rows": 6}
    assert release.steps["scale"].parameters == {"rate": 2.0}
    assert Client().get_artifact_version("total", "release-1").load() == 30.0
