"""Numbers, names, tags and ids of versions."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from artfs import load_artifact, log_artifact_metadata, save_artifact
from artfs.artifacts.lookup import find_version
from artfs.client import Client
from artfs.errors import ArtifactNotFound, InvalidName, InvalidValue, TagNotFound, VersionExists, VersionNotFound
from artfs.workspace.workspace import Workspace
from support.programs import all_ended
from support.stores import stored_files
from support.versions import seal

PROCESSES, SAVES = 8, 200

SAVE_MANY = f"""
import sys
from artfs import save_artifact
sys.stdin.readline()
for number in range({SAVES}):
    print(save_artifact({{"process": sys.argv[1], "number": number}}, name="shared").version)
"""


@pytest.mark.timeout(240)
def test_eight_processes_that_save_at_once_get_every_number_once() -> None:
    Client().list_artifacts()  # makes the home
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SAVE_MANY, str(process)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for process in range(PROCESSES)
    ]
    with all_ended(*processes):
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * PROCESSES
    numbers = [int(line) for output in outputs for line in output.split()]
    assert sorted(numbers) == list(range(1, PROCESSES * SAVES + 1))
    versions = Client().get_artifact("shared").versions
    assert [version.version for version in versions] == [str(number) for number in range(1, PROCESSES * SAVES + 1)]
    seen = {(value["process"], value["number"]) for value in (version.load() for version in versions[::40])}
    assert len(seen) == PROCESSES * SAVES // 40


def test_the_number_of_a_removed_version_is_not_used_again() -> None:
    for number in range(3):
        save_artifact(number, name="n")
    Client().delete_artifact_version("n", "3")
    assert load_artifact("n") == 1
    assert save_artifact(3, name="n").version == "4"
    with pytest.raises(VersionNotFound, match="was removed: deleted"):
        load_artifact("n", "3")
    with pytest.raises(VersionExists):
        save_artifact(3, name="n", version="3")


def test_an_artifact_that_is_made_again_goes_on_counting() -> None:
    save_artifact(1, name="n")
    Client().delete_artifact("n")
    with pytest.raises(ArtifactNotFound):
        Client().get_artifact("n")
    assert save_artifact(2, name="n").version == "2"


def test_a_chosen_number_moves_the_count_and_a_chosen_name_does_not() -> None:
    assert save_artifact(1, name="n", version=7).version == "7"
    assert save_artifact(2, name="n", version="raw_2023").version == "raw_2023"
    assert save_artifact(3, name="n").version == "8"


def test_a_version_is_found_by_name_number_tag_latest_id_and_prefix() -> None:
    first = save_artifact(1, name="iris", tags=["prod"])
    second = save_artifact(2, name="iris", version="raw")
    client = Client()
    assert client.get_artifact_version("iris") == second
    assert client.get_artifact_version("iris", "latest") == second
    assert client.get_artifact_version("iris", 1) == first
    assert client.get_artifact_version("iris", "@prod") == first
    assert client.get_artifact_version(first.id) == first
    assert client.get_artifact_version(str(second.id)) == second
    assert client.get_artifact_version(second.id.hex) == second
    assert client.get_artifact_version(str(first.id)[:13]) == first
    assert client.get_artifact_version(first.id.hex[:12].upper()) == first
    assert load_artifact(first.id) == 1


def test_the_name_of_an_artifact_comes_before_the_beginning_of_an_id() -> None:
    other = save_artifact("other", name="n")
    named = save_artifact("named", name=str(other.id)[:8])
    assert Client().get_artifact_version(str(other.id)[:8]) == named


def test_the_beginning_of_several_ids_is_an_error_that_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from uuid import UUID

    ids = iter([UUID("aaaa0000-0000-4000-8000-000000000001"), UUID("aaaa0000-0000-4000-8000-000000000002")])
    with Workspace.open() as workspace:
        from artfs.artifacts.scan import scan

        path = workspace.home.path / "x"
        path.write_text("x")
        for _ in range(2):
            seal(scan(path), workspace, "n", uuid=str(next(ids)), adopt=False)
        with pytest.raises(InvalidValue, match=r"aaaa0000-.*1 \(n/1\), aaaa0000-.*2 \(n/2\); give more digits"):
            find_version(workspace.catalog, "aaaa")
        assert find_version(workspace.catalog, "aaaa0000-0000-4000-8000-000000000002").name == "2"


@pytest.mark.parametrize("text", ["nothing", "aaaaaaaa", "%", "____", "ab"])
def test_what_names_nothing_is_not_found(text: str) -> None:
    save_artifact(1, name="n")
    with pytest.raises(ArtifactNotFound):
        Client().get_artifact_version(text)


def test_tags_of_versions_and_artifacts_are_apart() -> None:
    save_artifact(1, name="n", tags=["raw"])
    client = Client()
    client.update_artifact("n", add_tags=["public"])
    assert client.get_artifact("n").tags == ["public"]
    assert client.get_artifact_version("n").tags == ["raw"]
    client.update_artifact_version("n", "1", add_tags=["good", "best"], remove_tags=["raw"])
    assert client.get_artifact_version("n").tags == ["best", "good"]
    with pytest.raises(TagNotFound):
        client.update_artifact_version("n", "1", add_tags=["new"], remove_tags=["never"])
    assert client.get_artifact_version("n").tags == ["best", "good"]


def test_an_exclusive_tag_moves_to_the_version_that_gets_it() -> None:
    client = Client()
    client.create_tag("prod", exclusive=True)
    first = save_artifact(1, name="n", tags=["prod"])
    other = save_artifact(1, name="other", tags=["prod"])
    second = save_artifact(2, name="n", tags=["prod"])
    assert (first.tags, second.tags, other.tags) == ([], ["prod"], ["prod"])
    assert client.get_artifact_version("n", "@prod") == second
    client.update_artifact_version("n", "1", add_tags=["prod"])
    assert client.get_artifact_version("n", "@prod") == first


def test_a_tag_that_is_deleted_is_taken_off_everything() -> None:
    client = Client()
    version = save_artifact(1, name="n", tags=["best", "raw"])
    assert [tag.name for tag in client.list_tags()] == ["best", "raw"]
    client.delete_tag("raw")
    assert ([tag.name for tag in client.list_tags()], version.tags) == (["best"], ["best"])
    with pytest.raises(TagNotFound):
        client.delete_tag("raw")


def test_metadata_that_is_logged_again_has_the_newest_value() -> None:
    version = save_artifact(1, name="n")
    save_artifact(2, name="n")
    log_artifact_metadata({"accuracy": 0.5}, artifact_name="n", artifact_version="1")
    log_artifact_metadata({"accuracy": 0.9, "metrics": {"f1": 0.8}}, artifact_name="n", version="1")
    log_artifact_metadata({"accuracy": 0.1}, "n")
    assert version.run_metadata["accuracy"].value == 0.9
    assert version.metadata["metrics"] == {"f1": 0.8}
    assert Client().get_artifact_version("n").metadata["accuracy"] == 0.1


def test_metadata_is_logged_all_or_nothing() -> None:
    version = save_artifact(1, name="n", extract_metadata=False)
    with pytest.raises(InvalidValue, match="'bad'"):
        log_artifact_metadata({"good": 1, "bad": object()}, artifact_name="n")
    assert version.metadata == {}
    with pytest.raises(InvalidValue, match="artifact_name"):
        log_artifact_metadata({"good": 1})
    with pytest.raises(InvalidValue, match="differ"):
        log_artifact_metadata({"good": 1}, "n", "1", version="2")


def test_a_version_that_is_pinned_is_not_removed() -> None:
    version = save_artifact(1, name="n")
    catalog = Client().workspace.catalog
    catalog.pins.add(version.row.id, "in the paper")
    with pytest.raises(InvalidValue, match="pinned"):
        Client().delete_artifact_version("n", "1")
    with pytest.raises(InvalidValue, match="pinned"):
        Client().delete_artifact("n")
    assert load_artifact("n") == 1


def test_a_version_that_a_run_used_is_removed_only_by_force_and_stays_whole_until_then() -> None:
    version = save_artifact({"a": 1}, name="n")
    catalog = Client().workspace.catalog
    step = catalog.steps.create(catalog.runs.create("training", "run-1").id, "train")
    catalog.steps.add_input(step.id, "data", version.row.id, how="declared")
    with pytest.raises(InvalidValue, match="used by a run"):
        Client().delete_artifact_version("n", "1")
    assert load_artifact("n") == {"a": 1}
    Client().delete_artifact_version("n", "1", force=True)
    with pytest.raises(VersionNotFound):
        load_artifact("n")


def test_removing_a_version_frees_its_bytes_and_keeps_what_others_share() -> None:
    save_artifact({"shared": 1}, name="a")
    save_artifact({"shared": 1}, name="b")
    save_artifact({"own": 1}, name="b")
    client = Client()
    root = Path(client.active_stack.artifact_store.path)

    def stored() -> int:
        return len(stored_files(root))

    before = stored()
    client.delete_artifact_version("a", "1")
    assert stored() == before
    assert load_artifact("b", "1") == {"shared": 1}
    client.delete_artifact_version("b", "2")
    client.delete_artifact_version("b", "1")
    assert stored() == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": 5}, "invalid artifact name '5': it must be a text, not int"),
        ({"name": None}, "it must be a text, not NoneType"),
        ({"name": "n", "version": True}, "invalid version 'True': it must be a text or a number, not bool"),
        ({"name": "n", "version": 1.5}, "invalid version '1.5': it must be a text or a number, not float"),
        ({"name": "n", "tags": [1]}, "invalid tag name '1': it must be a text, not int"),
        ({"name": "n", "metadata": [1]}, "metadata must be a dictionary, not list"),
    ],
)
def test_an_argument_of_another_type_is_one_clear_line(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises((InvalidValue, InvalidName), match=re.escape(words)):
        save_artifact(1, **arguments)
    assert Client().list_artifacts().total == 0
