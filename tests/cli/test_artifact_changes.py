"""What the command line changes about artifacts and versions: names, tags, metadata, types, pins; and removing them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from artfs import save_artifact
from artfs.catalog.versions import Version
from artfs.workspace.workspace import Workspace

Run = Callable[..., Result]
Seal = Callable[..., Version]


@pytest.fixture(autouse=True)
def versions(seal_files: Seal) -> list[Version]:
    """Two versions of `iris` and one of `model`."""
    first = seal_files("iris", {"f": b"one"}, tags=["raw"], metadata={"rows": 2})
    return [first, seal_files("iris", {"f": b"two"}, name="clean"), seal_files("model", {"w": bytes(2048)})]


def complaint(result: Result, code: int = 1) -> str:
    """The one line that an error is."""
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith("artfs: ") and result.stderr.count("\n") == 1
    return result.stderr.removeprefix("artfs: ").rstrip("\n")


def names(run: Run) -> list[str]:
    """All versions, as `artifact/version`."""
    found = json.loads(run("artifact", "version", "list", "--json").stdout)
    return sorted(f"{each['artifact']}/{each['version']}" for each in found)


class TestArtifactUpdate:
    def test_an_artifact_gets_another_name_and_tags_of_its_own(self, run: Run) -> None:
        done = run("artifact", "update", "iris", "--name", "flowers", "-t", "public", "-t", "old")
        assert done.stdout == "flowers: old, public\n"
        assert run("artifact", "update", "flowers", "-r", "old").stdout == "flowers: public\n"
        assert names(run) == ["flowers/1", "flowers/clean", "model/1"]

    def test_as_json(self, run: Run) -> None:
        done = run("artifact", "update", "iris", "-t", "public", "--json")
        assert json.loads(done.stdout) == {"name": "iris", "tags": ["public"], "settings": {}}

    def test_settings(self, run: Run, workspace: Workspace) -> None:
        done = run("artifact", "update", "iris", "--unit", "child", "--retention", "keep")
        assert done.stdout == "iris: no tags; retention = keep; unit = child\n"
        done = run("artifact", "update", "iris", "--unit", "draft", "--json")
        assert json.loads(done.stdout)["settings"] == {"retention": "keep", "unit": "draft"}
        told = [(row.action, row.detail) for row in workspace.catalog.audit.list("iris")]
        assert told == [
            ("artifact.unit", {"before": "child", "value": "draft"}),
            ("artifact.retention", {"before": None, "value": "keep"}),
            ("artifact.unit", {"before": None, "value": "child"}),
        ]
        assert run("artifact", "update", "iris", "--unit", "file").exit_code == 2

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["none", "-n", "x"], "no artifact is named 'none'; 'artfs artifact list' lists them"),
            (["iris", "-n", "a/b"], "invalid artifact name 'a/b'"),
            (["iris", "-n", "model"], "'model'"),
            (["iris", "-t", "a/b"], "invalid tag name 'a/b'"),
            (["iris", "-n", "x", "-r", "none"], "artifact 'x' does not carry tag 'none' (it has no tags)"),
        ],
    )
    def test_what_cannot_be_changes_nothing(self, run: Run, arguments: list[str], words: str) -> None:
        assert words in complaint(run("artifact", "update", *arguments))
        assert names(run) == ["iris/1", "iris/clean", "model/1"]


class TestTag:
    def test_tags_are_put_on_taken_off_and_listed(self, run: Run) -> None:
        assert run("artifact", "tag", "iris/1", "best", "small").stdout == "iris/1: best, raw, small\n"
        assert run("artifact", "tag", "iris/1", "-r", "small", "-r", "raw").stdout == "iris/1: best\n"
        assert run("artifact", "tag", "iris").stdout == "iris/clean: no tags\n"
        assert json.loads(run("artifact", "tag", "iris/@best", "--json").stdout)["version"] == "1"

    def test_an_exclusive_tag_moves(self, run: Run) -> None:
        run("artifact", "tag", "iris/1", "best", "--exclusive")
        assert run("artifact", "tag", "iris/clean", "best").stdout == "iris/clean: best\n"
        assert run("artifact", "tag", "iris/1").stdout == "iris/1: raw\n"

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["iris/7", "x"], "artifact 'iris' has no version '7'"),
            (["iris/1", ""], "invalid tag name '': it is empty"),
            (["iris/1", "x", "-r", "none"], "version iris/1 does not carry tag 'none' (its tags: raw, x)"),
        ],
    )
    def test_what_cannot_be_changes_nothing(self, run: Run, arguments: list[str], words: str) -> None:
        assert words in complaint(run("artifact", "tag", *arguments))
        assert run("artifact", "tag", "iris/1").stdout == "iris/1: raw\n"


class TestMetadata:
    def test_values_are_logged_and_shown(self, run: Run) -> None:
        run("artifact", "metadata", "iris/1", "accuracy=0.97", "done=true", 'scores={"a": [1, 2]}', "who=me = you")
        found = json.loads(run("artifact", "metadata", "iris/1", "--json").stdout)
        wanted = {"rows": 2, "accuracy": 0.97, "done": True, "scores": {"a": [1, 2]}, "who": "me = you"}
        assert {key: found.get(key) for key in wanted} == wanted
        lines = run("artifact", "metadata", "iris/1").stdout.splitlines()
        assert "accuracy\t0.97" in lines and "who\tme = you" in lines
        assert "done\ttrue" in lines and 'scores\t{"a": [1, 2]}' in lines  # as they can be logged again
        assert 'metadata.scores\t{"a": [1, 2]}' in run("artifact", "version", "describe", "iris/1").stdout.splitlines()

    def test_a_new_value_is_shown_instead_of_the_old(self, run: Run) -> None:
        run("artifact", "metadata", "iris/1", "rows=3")
        assert json.loads(run("artifact", "metadata", "iris/1", "--json").stdout)["rows"] == 3

    def test_wrong_input(self, run: Run) -> None:
        assert "'rows' is not KEY=VALUE" in complaint(run("artifact", "metadata", "iris/1", "rows"), code=2)
        assert "artifact 'iris' has no version '7'" in complaint(run("artifact", "metadata", "iris/7", "rows=1"))


class TestVersionUpdate:
    def test_type_tags_and_pin(self, run: Run) -> None:
        options = ["--type", "ModelArtifact", "-t", "best", "-r", "raw", "--pin", "in the paper"]
        assert run("artifact", "version", "update", "iris/1", *options).stdout == "iris/1: best\n"
        shown = json.loads(run("artifact", "version", "describe", "iris/1", "--json").stdout)
        assert (shown["type"], shown["tags"], shown["pinned"]) == ("ModelArtifact", ["best"], "in the paper")
        done = run("artifact", "version", "update", "iris/1", "--unpin", "--json")
        assert json.loads(done.stdout)["type"] == "ModelArtifact"
        assert json.loads(run("artifact", "version", "describe", "iris/1", "--json").stdout)["pinned"] is None

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["iris/7", "-t", "x"], "artifact 'iris' has no version '7'"),
            (["iris/1", "-t", "x", "--type", "Nope"], "unknown artifact type 'Nope'"),
            (["iris/1", "--pin", "a", "--unpin"], "a pin needs a reason"),
            (["iris/1", "--pin", " "], "a pin needs a reason"),
            (["iris/1", "-t", "x", "-r", "none"], "version iris/1 does not carry tag 'none'"),
        ],
    )
    def test_what_cannot_be_changes_nothing(self, run: Run, arguments: list[str], words: str) -> None:
        assert words in complaint(run("artifact", "version", "update", *arguments))
        shown = json.loads(run("artifact", "version", "describe", "iris/1", "--json").stdout)
        assert (shown["type"], shown["tags"], shown["pinned"]) == ("DataArtifact", ["raw"], None)


class TestDelete:
    def test_a_version(self, run: Run) -> None:
        done = run("artifact", "version", "delete", "iris/clean", "model/1", "--yes")
        assert done.stdout == "removed iris/clean, freed 3 Bytes\nremoved model/1, freed 2.0 KiB\n"
        assert names(run) == ["iris/1"]
        assert json.loads(run("artifact", "version", "describe", "iris/clean", "--json").stdout)["state"] == "purged"

    def test_an_artifact_as_json(self, run: Run) -> None:
        done = json.loads(run("artifact", "delete", "iris", "-y", "--json").stdout)
        assert done == [{"removed": "iris", "files": 2, "bytes": 6, "kept_bytes": 0}]
        assert names(run) == ["model/1"]

    def test_data_registered_in_place_stays(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "set.csv").write_text("1,2\n")
        run("artifact", "register", tmp_path / "set.csv", "set")
        assert run("artifact", "delete", "set", "-y").stdout == "removed set, freed 0 Bytes\n"
        assert (tmp_path / "set.csv").read_text() == "1,2\n"

    @pytest.mark.parametrize("command", [["artifact", "delete", "iris"], ["artifact", "version", "delete", "iris/1"]])
    def test_people_see_that_it_goes_on(self, on_terminal: Callable[..., str], command: list[str]) -> None:
        shown = on_terminal(*command, "-y")
        assert "removing" in shown and f"removed {command[-1]}, freed" in shown

    def test_people_are_asked_and_may_say_no(self, run: Run, on_terminal: Callable[..., str]) -> None:
        shown = on_terminal("artifact", "delete", "iris", answer="n\n")
        assert "Remove 'iris' with 2 versions? [y/N]:" in shown and "removed" not in shown
        assert names(run) == ["iris/1", "iris/clean", "model/1"]
        assert "removed iris/1, freed" in on_terminal("artifact", "version", "delete", "iris/1", answer="y\n")
        assert names(run) == ["iris/clean", "model/1"]

    @pytest.mark.parametrize("command", [["artifact", "delete", "iris"], ["artifact", "version", "delete", "iris/1"]])
    def test_without_a_terminal_to_ask_on_nothing_is_removed(self, run: Run, command: list[str]) -> None:
        assert "give --yes" in complaint(run(*command), code=2)
        assert names(run) == ["iris/1", "iris/clean", "model/1"]

    @pytest.mark.parametrize("command", [["artifact", "delete", "iris"], ["artifact", "version", "delete", "iris/1"]])
    def test_what_is_pinned_or_used_by_a_run(
        self, run: Run, workspace: Workspace, versions: list[Version], command: list[str]
    ) -> None:
        step = workspace.catalog.steps.create(
            workspace.catalog.runs.create("training", "first", kind="pipeline").id, "fit"
        )
        workspace.catalog.steps.add_input(step.id, "data", versions[0].id, how="declared")
        assert "version iris/1 is used by a run (training/first)" in complaint(run(*command, "-y"))
        run("artifact", "version", "update", "iris/1", "--pin", "in the paper")
        assert "version iris/1 is pinned (in the paper): unpin it first" in complaint(run(*command, "-y", "--force"))
        run("artifact", "version", "update", "iris/1", "--unpin")
        assert run(*command, "-y", "--force").exit_code == 0

    @pytest.mark.parametrize(
        ("command", "words"),
        [
            (["artifact", "delete", "model", "none", "-y"], "no artifact is named 'none'"),
            (["artifact", "version", "delete", "model/1", "iris/7", "-y"], "artifact 'iris' has no version '7'"),
        ],
    )
    def test_one_that_is_not_there_keeps_all_of_them(self, run: Run, command: list[str], words: str) -> None:
        assert words in complaint(run(*command))
        assert names(run) == ["iris/1", "iris/clean", "model/1"]

    @pytest.mark.parametrize(
        "command", [["artifact", "delete", "model", "iris"], ["artifact", "version", "delete", "model/1", "iris/1"]]
    )
    def test_one_that_is_pinned_keeps_all_of_them(self, run: Run, command: list[str]) -> None:
        run("artifact", "version", "update", "iris/1", "--pin", "in the paper")
        assert "version iris/1 is pinned" in complaint(run(*command, "-y"))
        assert names(run) == ["iris/1", "iris/clean", "model/1"]

    def test_a_tombstone_is_found_by_its_id_after_its_artifact_was_removed(
        self, run: Run, versions: list[Version]
    ) -> None:
        run("artifact", "delete", "model", "-y")
        found = json.loads(run("artifact", "version", "describe", versions[2].uuid, "--json").stdout)
        assert (found["artifact"], found["purge_reason"]) == ("model", "deleted with its artifact")


def test_an_artifact_without_a_version_removes_no_version(run: Run, home: Path) -> None:
    save_artifact(1, "demo")
    result = run("artifact", "version", "delete", "demo", "--yes")
    assert result.exit_code == 2
    assert "name the version, as in demo/1" in result.stderr
    assert run("artifact", "version", "list", "demo").stdout.startswith("demo\t1\t")
