"""What is kept of a run: the log of each step, and what it ran in."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from artfs import pipeline, step
from artfs.objects.run import PipelineRunResponse
from support import programs
from support.runs import PATIENCE


@step
def one() -> int:
    return 1


@pytest.mark.expected_warnings("logged by")
def test_each_step_has_a_log_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    barrier = threading.Barrier(2)

    @step
    def talk(name: str) -> None:
        barrier.wait(PATIENCE)
        print(f"I am {name}")
        print(f"error of {name}", file=sys.stderr)
        logging.getLogger("their").error("logged by %s", name)
        barrier.wait(PATIENCE)

    @pipeline(enable_cache=False)
    def simple() -> None:
        talk("a")
        talk("b")

    streams = sys.stdout, sys.stderr
    run = simple()
    assert (sys.stdout, sys.stderr) == streams
    for name, each in (("a", run.steps["talk"]), ("b", run.steps["talk_2"])):
        assert f"I am {name}" in each.logs and f"error of {name}" in each.logs
        assert each.logs.count(f"logged by {name}") == 1
        assert "I am " + {"a": "b", "b": "a"}[name] not in each.logs
    assert "I am a" in capsys.readouterr().out


def test_pipelines_at_once_log_each_line_once() -> None:
    barrier = threading.Barrier(2)

    @step
    def talk() -> None:
        barrier.wait(PATIENCE)
        print("once")
        barrier.wait(PATIENCE)

    @pipeline(enable_cache=False)
    def simple() -> None:
        talk()

    stdout = sys.stdout
    runs: list[PipelineRunResponse] = []
    threads = [threading.Thread(target=lambda: runs.append(simple())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert [run.steps["talk"].logs for run in runs] == ["once\n", "once\n"]
    assert sys.stdout is stdout


def test_the_environment_is_recorded_once(tmp_path: Path) -> None:
    @pipeline
    def simple() -> None:
        one()

    first, second = simple(), simple()
    assert first.row.environment_id == second.row.environment_id
    facts = first.environment
    assert facts is not None
    assert facts["python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")
    assert "blake3" in facts["packages"]


def test_no_child_process_is_started(tmp_path: Path) -> None:
    script = """
    import os, sys
    def refuse(event, arguments):
        if event in ("subprocess.Popen", "os.fork", "os.posix_spawn", "os.exec"):
            raise RuntimeError(event)
    sys.addaudithook(refuse)
    from artfs import step, pipeline
    @step
    def one() -> int:
        return 1
    @pipeline
    def simple():
        one()
        one()
    print(simple().environment["git"])
    """
    assert programs.run(tmp_path, script) == "None\n"


def test_the_commit_and_whether_files_differ_from_it_are_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dulwich import porcelain

    from artfs.pipelines.fingerprint.environment import environment

    (tmp_path / "train.py").write_text("1")
    porcelain.init(str(tmp_path))
    porcelain.add(str(tmp_path), [str(tmp_path / "train.py")])
    commit = porcelain.commit(str(tmp_path), b"first", author=b"me <me>", committer=b"me <me>")
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    assert environment()["git"] == {"commit": commit.decode(), "dirty": False}
    (tmp_path / "train.py").write_text("12")
    assert environment()["git"] == {"commit": commit.decode(), "dirty": True}


def test_a_repository_with_a_merge_in_conflict_differs_from_its_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from artfs.pipelines.fingerprint.environment import environment

    def git(*words: str, status: int = 0) -> None:
        named = ["-c", "user.name=a", "-c", "user.email=a@b"]
        done = subprocess.run(["git", *named, *words], cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == status, done.stderr

    file = tmp_path / "file"
    git("init", "--initial-branch=main")
    for branch, text in (("main", "1"), ("other", "2"), ("main", "3")):
        if branch == "other" or text == "3":
            git("checkout", *(["-b"] if branch == "other" else []), branch)
        file.write_text(text)
        git("add", "file")
        git("commit", "-m", text)
    git("merge", "other", status=1)
    monkeypatch.chdir(tmp_path)
    found = environment()["git"]
    assert found is not None and found["dirty"] is True
