"""`artfs artifact register`, `download` and `diff`: versions and files outside of artfs, on the command line."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from artfs.catalog.versions import Version
from artfs.client import Client

Run = Callable[..., Result]
Seal = Callable[..., Version]
OnTerminal = Callable[..., str]


@pytest.fixture(autouse=True)
def initialized(run: Run) -> None:
    run("init")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of two files."""
    folder = tmp_path / "data"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text("hello\n")
    (folder / "deep" / "b.txt").write_text("x\n")
    return folder


@pytest.fixture
def versions(seal_files: Seal) -> list[Version]:
    """Two versions of `iris`, of which one file is the same in both."""
    first = seal_files("iris", {"same": b"=", "changed": b"one", "gone": b"-"})
    return [first, seal_files("iris", {"same": b"=", "changed": b"three", "deep/new": b"++"}, name="clean")]


def complaint(result: Result, code: int = 1) -> str:
    """The one line that an error is."""
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith("artfs: ") and result.stderr.count("\n") == 1
    return result.stderr.removeprefix("artfs: ").rstrip("\n")


class TestRegister:
    def test_a_folder_becomes_a_version_and_stays_where_it_is(self, run: Run, data: Path) -> None:
        options = ["-t", "raw", "-t", "small", "-m", "acc=0.5", "-m", "who=me", "--type", "ModelArtifact"]
        assert run("artifact", "register", data, "iris", *options).stdout == "iris/1\n"
        made = Client().get_artifact_version("iris")
        assert (made.load(), list(made.tags), made.type.value) == (data, ["raw", "small"], "ModelArtifact")
        assert (made.run_metadata["acc"].value, made.run_metadata["who"].value) == (0.5, "me")
        assert (data / "a.txt").read_text() == "hello\n"

    def test_a_file_and_a_uri(self, run: Run, data: Path) -> None:
        assert run("artifact", "register", data / "a.txt", "text", "-v", "first").stdout == "text/first\n"
        assert run("artifact", "register", f"file://{data}", "iris").stdout == "iris/1\n"
        assert Client().get_artifact_version("text").load().read_text() == "hello\n"

    def test_as_json(self, run: Run, data: Path) -> None:
        made = json.loads(run("artifact", "register", data, "iris", "-t", "raw", "--json").stdout)
        assert (made["artifact"], made["version"], made["files"], made["bytes"]) == ("iris", "1", 2, 8)
        assert (made["tags"], made["state"], made["digest"][:3]) == (["raw"], "live", "b3:")

    def test_progress_is_shown_to_people_and_not_to_pipes(self, run: Run, on_terminal: OnTerminal, data: Path) -> None:
        assert "measuring" in on_terminal("artifact", "register", data, "iris")
        assert run("artifact", "register", data, "iris").stderr == ""

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["{data}/none", "iris"], ["cannot register", "/none': nothing is there"]),
            (["{data}", "a/b"], ["invalid artifact name 'a/b'"]),
            (["{data}", "iris", "-v", "latest"], ["invalid version name 'latest'"]),
            (["{data}", "iris", "-v", "taken"], ["'iris' already has, or had, a version 'taken'", "another name"]),
            (["{data}", "iris", "-t", "a/b"], ["invalid tag name 'a/b'"]),
            (["{data}", "iris", "--type", "Nope"], ["unknown artifact type 'Nope'", "ModelArtifact"]),
            (["gopher://host/x", "iris"], ["no artifact store for gopher:// is installed", "file://"]),
        ],
    )
    def test_what_cannot_be(self, run: Run, data: Path, arguments: list[str], words: list[str]) -> None:
        run("artifact", "register", data, "iris", "-v", "taken")
        said = complaint(run("artifact", "register", *(each.format(data=data) for each in arguments)))
        assert [word for word in words if word not in said] == []
        assert [each.version for each in Client().list_artifact_versions()] == ["taken"]

    def test_wrong_usage(self, run: Run, data: Path) -> None:
        assert "'acc' is not KEY=VALUE" in complaint(run("artifact", "register", data, "iris", "-m", "acc"), code=2)
        assert "Missing argument 'NAME'" in complaint(run("artifact", "register", data), code=2)


class TestDownload:
    def test_into_a_directory(self, run: Run, versions: list[Version], tmp_path: Path) -> None:
        done = run("artifact", "download", "iris/clean", tmp_path / "out")
        assert done.stdout == f"{tmp_path}/out\n"
        assert (tmp_path / "out" / "deep" / "new").read_bytes() == b"++"

    def test_into_a_directory_here_named_like_the_artifact(
        self, run: Run, versions: list[Version], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert run("artifact", "download", "iris/1").stdout == f"{tmp_path}/iris\n"
        assert (tmp_path / "iris" / "gone").read_bytes() == b"-"

    def test_into_a_zip_file_as_json(self, run: Run, versions: list[Version], tmp_path: Path) -> None:
        found = json.loads(run("artifact", "download", "iris", tmp_path / "out.zip", "--json").stdout)
        assert found == {
            "path": f"{tmp_path}/out.zip",
            "artifact": "iris",
            "version": "clean",
            "files": 3,
            "bytes": 8,
        }
        with zipfile.ZipFile(tmp_path / "out.zip") as archive:
            assert archive.read("deep/new") == b"++"

    def test_progress_is_shown_to_people(
        self, on_terminal: OnTerminal, versions: list[Version], tmp_path: Path
    ) -> None:
        assert "downloading" in on_terminal("artifact", "download", "iris", tmp_path / "out")

    @pytest.mark.parametrize("name", ["out", "out.zip"])
    def test_what_is_there_is_replaced_only_when_asked(
        self, run: Run, versions: list[Version], tmp_path: Path, name: str
    ) -> None:
        run("artifact", "download", "iris/1", tmp_path / name)
        said = complaint(run("artifact", "download", "iris", tmp_path / name))
        assert f"'{tmp_path}/{name}'" in said and "overwrite" in said
        assert run("artifact", "download", "iris", tmp_path / name, "--overwrite").exit_code == 0

    def test_what_is_not_there(self, run: Run, versions: list[Version], tmp_path: Path) -> None:
        said = complaint(run("artifact", "download", "iris/7", tmp_path / "out"))
        assert said == "artifact 'iris' has no version '7'; 'artfs artifact version list iris' lists them"
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize("name", ["iris", "iris.zip"])
    def test_a_place_that_cannot_be_written_is_named(self, run: Run, versions: list[Version], name: str) -> None:
        said = complaint(run("artifact", "download", "iris", f"/proc/{name}"))
        assert said.startswith(f"/proc/{name}: ")

    def test_data_that_was_changed_where_it_is_registered(self, run: Run, data: Path, tmp_path: Path) -> None:
        run("artifact", "register", data, "iris")
        (data / "a.txt").write_text("other\n")
        said = complaint(run("artifact", "download", "iris", tmp_path / "out"))
        assert "'a.txt' of iris/1" in said and "was changed" in said and "register it again" in said
        assert not (tmp_path / "out").exists()


class TestDiff:
    def test_in_a_pipe(self, run: Run, versions: list[Version]) -> None:
        rows = [line.split("\t") for line in run("artifact", "diff", "iris/1", "iris/clean").stdout.splitlines()]
        assert sorted(rows) == [
            ["added", "directory", "deep", "0", "2"],
            ["added", "file", "deep/new", "0", "2"],
            ["changed", "file", "changed", "3", "5"],
            ["removed", "file", "gone", "1", "0"],
        ]

    def test_with_the_newest_as_json(self, run: Run, versions: list[Version]) -> None:
        found = json.loads(run("artifact", "diff", "iris/1", "--json").stdout)
        changed = next(each for each in found if each["path"] == "changed")
        assert changed == {"path": "changed", "status": "changed", "kind": "file", "old_size": 3, "new_size": 5}

    def test_for_people(self, on_terminal: OnTerminal, versions: list[Version]) -> None:
        shown = on_terminal("artifact", "diff", "iris/1", "iris/clean")
        assert shown.split()[:7] == ["STATUS", "KIND", "PATH", "OLD", "BYTES", "NEW", "BYTES"]
        assert on_terminal("artifact", "diff", "iris", "iris").strip() == "They do not differ."

    @pytest.mark.parametrize(
        ("old", "new", "words"),
        [
            ("iris/9", "iris/1", "artifact 'iris' has no version '9'"),
            ("iris/1", "none", "'none' is neither an artifact's name nor the id of a version"),
            ("../x", "iris", "invalid artifact name"),
        ],
    )
    def test_what_is_not_there(self, run: Run, versions: list[Version], old: str, new: str, words: str) -> None:
        assert words in complaint(run("artifact", "diff", old, new))
