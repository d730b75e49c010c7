"""Every error is one line that says what, why and what to do, and changes nothing."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from artfs.catalog import Catalog
from artfs.cli import reporting
from artfs.cli.reporting import explain
from artfs.errors import ArtifactNotFound
from artfs.home.home import Home
from artfs.text.printable import printable
from support.mount import ARTFS

Run = Callable[..., Result]
Process = Callable[..., "subprocess.CompletedProcess[str]"]


def assert_one_line(result: Result, *words: str, code: int = 1) -> None:
    assert result.exit_code == code
    assert result.stdout == ""
    line, rest = result.stderr.split("\n", 1)
    assert rest == ""
    assert line.startswith("artfs: ")
    assert [word for word in words if word not in line] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], ["No such command 'nonsense'", "artfs --help"]),
        (["mount"], ["Missing argument 'DIR'", "artfs mount --help"]),
        (["artifact", "list", "--nonsense"], ["No such option", "--nonsense", "artfs artifact list --help"]),
        (["sync", "--timeout", "soon", "."], ["'soon' is not a valid float", "artfs sync --help"]),
        (["verify"], ["--all", "artfs verify --help"]),
        (["verify", "iris", "--all"], ["--all", "artfs verify --help"]),
    ],
)
def test_wrong_usage(run: Run, arguments: list[str], words: list[str]) -> None:
    assert_one_line(run(*arguments), *words, code=2)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("..", "it means a directory"),
        ("../x", "it means a directory"),
        ("a\0b", "it contains a NUL byte"),
        ("a\nb", "it contains a control character"),
        ("a\x1b[2J", "it contains a control character"),
        ("x" * 256, "it has 256 bytes"),
        (".artfs", "are reserved"),
        (".artfs-x", "are reserved"),
        (" x", "white space"),
        ("a\udcff", "it is not valid UTF-8"),
        ("", "it is empty"),
    ],
)
@pytest.mark.parametrize("command", [["artifact", "version", "describe"], ["verify"]])
def test_bad_names(run: Run, home: Path, command: list[str], name: str, why: str) -> None:
    run("init")
    before = _content(home)
    result = run(*command, name)
    assert_one_line(result, "invalid artifact name", why)
    assert _content(home) == before


@pytest.mark.parametrize("name", ["a/b", "/a", "a/"])
def test_an_artifact_has_no_slash_in_its_name(run: Run, name: str) -> None:
    run("init")
    assert_one_line(run("artifact", "show", name), "invalid artifact name", "it contains '/'")


@pytest.mark.parametrize("version", ["..", "a/b", "a\0b", "x" * 256, ".artfs", "latest", "@best"])
def test_bad_version_names(run: Run, tmp_path: Path, version: str) -> None:
    assert_one_line(run("commit", tmp_path / "x", "--version", version), "invalid version name")


@pytest.mark.parametrize("tag", ["..", "a/b", "x" * 255, ".artfs"])
def test_bad_tag_names(run: Run, tmp_path: Path, tag: str) -> None:
    assert_one_line(run("commit", tmp_path / "x", "--tag", tag), "invalid tag name")


@pytest.mark.parametrize(
    "command",
    [["artifact", "list"], ["artifact", "show", "x"], ["artifact", "version", "list"], ["verify", "--all"]],
)
def test_without_a_home(run: Run, home: Path, command: list[str]) -> None:
    assert_one_line(run(*command), str(home), "run 'artfs init'")
    assert not home.exists()


def test_a_home_that_cannot_be_made(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert_one_line(run("--home", file / "home", "init"), "cannot make the artfs home", "Not a directory", "ARTFS_HOME")


def test_a_bad_setting(run: Run, home: Path) -> None:
    run("init")
    (home / "config.toml").write_text("quite_seconds = 3\n")
    result = run("doctor")
    assert result.exit_code == 1
    assert f"fail  home: unknown key 'quite_seconds' in {home}/config.toml" in result.stdout


@pytest.mark.parametrize("command", [["artifact", "list"], ["status"], ["verify", "--all"], ["init"]])
def test_a_catalog_of_a_newer_release(run: Run, home: Path, command: list[str]) -> None:
    run("init")
    with Catalog.open(home / "catalog.db") as catalog:
        catalog.engine.execute("INSERT INTO schema_version (version, applied_us) VALUES (999, 0)")
    before = _content(home)
    assert_one_line(run(*command), str(home / "catalog.db"), "999", "install a newer artfs")
    assert _content(home) == before


@pytest.mark.parametrize("command", [["artifact", "list"], ["status"], ["verify", "--all"], ["init"]])
def test_a_corrupt_catalog(run: Run, home: Path, command: list[str]) -> None:
    Home(home).create()
    (home / "catalog.db").write_bytes(b"this is no catalog" * 1000)
    before = _content(home)
    assert_one_line(run(*command), str(home / "catalog.db"), "restore it from a backup")
    assert _content(home) == before


def test_a_traceback_only_when_asked_for(artfs: Process) -> None:
    quiet = artfs("artifact", "list")
    full = artfs("--debug", "artifact", "list")
    assert "Traceback" not in quiet.stderr
    assert full.stderr.startswith("Traceback (most recent call last):")
    assert full.stderr.endswith(quiet.stderr)


def test_a_defect_is_told_in_one_line_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("artfs.home.home.Home.create", lambda self: 1 / 0)
    assert_one_line(run("init"), "unexpected ZeroDivisionError", "please report it")


def test_an_interrupt(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: Home) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("artfs.home.home.Home.create", interrupted)
    result = run("init")
    assert result.exit_code == reporting.INTERRUPTED
    assert "artfs: interrupted" in result.stderr


def test_a_reader_that_has_had_enough(artfs: Process, seal_files: Callable[..., object]) -> None:
    for number in range(20):
        seal_files(f"artifact-{number}", {"f": b"x"})
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([ARTFS, "artifact", "list"], stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert "Traceback" not in done.stderr
    assert "Broken pipe" not in done.stderr


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ArtifactNotFound("no artifact is named 'x'; make one"), "no artifact is named 'x'; make one"),
        (FileNotFoundError(2, "No such file or directory", "/x"), "/x: No such file or directory"),
        (PermissionError(13, "Permission denied", "/x"), "/x: Permission denied; run it as somebody who may"),
        (OSError("odd"), "odd"),
    ],
)
def test_explanations(error: Exception, line: str) -> None:
    assert explain(error) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("ünïcode ok", "ünïcode ok"),
        ("two\nlines\tand \x1b[31m", "two\\nlines\\tand \\x1b[31m"),
        (os.fsdecode(b"not \xff UTF-8"), "not \\xff UTF-8"),
    ],
)
def test_a_line_is_a_line_whatever_is_in_it(text: str, line: str) -> None:
    assert printable(text) == line


def test_no_arguments_shows_the_help(run: Run) -> None:
    result = run()
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: artfs [OPTIONS] COMMAND")


def test_the_help_names_the_completion(run: Run) -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert "_ARTFS_COMPLETE=bash_source" in result.stdout


def _content(home: Path) -> dict[str, bytes]:
    """Every file of the home but what SQLite keeps beside a catalog while it is open."""
    beside = ("-wal", "-shm", ".lock")
    files = [path for path in home.rglob("*") if path.is_file() and not path.name.endswith(beside)]
    return {str(path): path.read_bytes() for path in files}
