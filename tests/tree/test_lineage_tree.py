"""`/runs`, `/lineage` and `/tags`, and what `.artfs` of a version says of them."""

from __future__ import annotations

import json
import posixpath
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from artfs.catalog.versions import Version
from artfs.workspace.workspace import Workspace
from artfs_mount.tree.node import FOREVER, Directory, Generated, Link, Stale, TreeNode
from artfs_mount.tree.tree import MountTree
from support.catalogs import save
from support.entries import names
from support.lineage import Recorder, layered

At = Callable[[str], Any]

NODE = [b"artifact", b"producer", b"consumers", b"upstream", b"downstream", b"ancestors", b"descendants"]
GRAPHS = [b"graph.dot", b"graph.svg", b"graph.json"]


@pytest.fixture
def recorder(workspace: Workspace) -> Recorder:
    return Recorder(workspace.catalog)


@pytest.fixture
def chain(recorder: Recorder) -> list[Version]:
    """raw -> clean -> model, all made by one run that has ended."""
    raw = recorder.make("raw", step="load")
    clean = recorder.make("clean", [raw], step="clean")
    model = recorder.make("model", [clean], step="fit")
    recorder.end()
    return [raw, clean, model]


def walk(node: Directory, path: str = "") -> Iterator[tuple[str, TreeNode]]:
    """Everything below a directory, links not followed."""
    for name, child in node.entries():
        here = f"{path}/{name.decode()}"
        yield here, child
        if isinstance(child, Directory):
            yield from walk(child, here)


def resolved(tree: MountTree, path: str) -> TreeNode:
    """What a path leads to, all links followed; as the kernel does it, with relative links alone."""
    node: TreeNode = tree.root
    done = ""
    waiting = [part for part in path.split("/") if part]
    while waiting:
        part = waiting.pop(0)
        if part == "..":
            done = posixpath.dirname(done)
            node = resolved(tree, done)
            continue
        assert isinstance(node, Directory), path
        child = node.lookup(part.encode())
        if isinstance(child, Link):
            target = child.target().decode()
            assert not target.startswith("/")
            waiting = [*target.split("/"), *waiting]
        else:
            node, done = child, f"{done}/{part}"
    return node


def test_a_run_is_a_directory(chain: list[Version], at: At) -> None:
    assert names(at("runs")) == [b"training"]
    assert names(at("runs/training")) == [b"first", b"latest"]
    assert at("runs/training/latest").target() == b"first"
    run = at("runs/training/first")
    assert names(run) == [b"run.json", b"status", b"dag.svg", b"dag.dot", b"environment.txt", b"steps"]
    assert run.lookup(b"status").content() == b"completed\n"
    assert names(run.lookup(b"steps")) == [b"load", b"clean", b"fit"]
    described = json.loads(run.lookup(b"run.json").content())
    assert (described["status"], described["steps"]) == (
        "completed",
        dict.fromkeys(("load", "clean", "fit"), "completed"),
    )


def test_a_step_is_a_directory(workspace: Workspace, at: At) -> None:
    recorder = Recorder(workspace.catalog)
    read = save(workspace.catalog, "raw")
    step = workspace.catalog.steps.create(
        recorder.run.id, "fit", source="def fit(data): ...\n", parameters={"c": 1.5}, log_path="logs/x/fit.log"
    )
    workspace.catalog.steps.add_input(step.id, "data", read.id)
    workspace.catalog.steps.add_input(step.id, "data", read.id, position=1)
    made = save(workspace.catalog, "model", producer_id=step.id)
    workspace.catalog.steps.add_output(step.id, "output", made.id)
    workspace.catalog.steps.finish(step.id, "failed", error="boom")
    node = at("runs/training/first/steps/fit")
    listed = [b"status", b"step.json", b"source.py", b"parameters.json", b"log.txt", b"inputs", b"outputs"]
    assert names(node) == listed
    assert node.lookup(b"source.py").content() == b"def fit(data): ...\n"
    assert json.loads(node.lookup(b"parameters.json").content()) == {"c": 1.5}
    described = json.loads(node.lookup(b"step.json").content())
    assert (described["status"], described["error"]) == ("failed", "boom")
    assert described["inputs"][1] == {
        "slot": "data",
        "position": 1,
        "artifact": "raw",
        "version": "1",
        "how": "declared",
    }
    links = {name: link.target() for name, link in node.lookup(b"inputs").entries()}
    assert links == dict.fromkeys([b"data", b"data.1"], b"../../../../../../artifacts/raw/1")
    assert node.lookup(b"outputs").lookup(b"output").target() == b"../../../../../../artifacts/model/1"


def test_a_lineage_node_leads_everywhere(chain: list[Version], at: At) -> None:
    assert sorted(names(at("lineage"))) == [b"clean", b"model", b"raw"]
    node = at("lineage/clean/1")
    assert names(node) == NODE + GRAPHS
    assert node.lookup(b"artifact").target() == b"../../../artifacts/clean/1"
    assert node.lookup(b"producer").target() == b"../../../runs/training/first/steps/clean"
    links = {
        part.decode(): {name.decode(): link.target().decode() for name, link in node.lookup(part).entries()}
        for part in NODE[2:]
    }
    assert links == {
        "consumers": {"training@first@fit": "../../../../runs/training/first/steps/fit"},
        "upstream": {"raw@1": "../../../raw/1"},
        "downstream": {"model@1": "../../../../artifacts/model/1"},
        "ancestors": {"raw@1": "../../../../artifacts/raw/1"},
        "descendants": {"model@1": "../../../../artifacts/model/1"},
    }


def test_upstream_is_the_only_link_between_nodes(tree: MountTree, workspace: Workspace) -> None:
    layered(workspace.catalog, 40)
    for path, node in walk(tree.root.lookup(b"lineage"), "/lineage"):  # type: ignore[arg-type]
        if isinstance(node, Link):
            joined = posixpath.normpath(posixpath.join(posixpath.dirname(path), node.target().decode()))
            assert joined.startswith("/lineage/") == ("/upstream/" in path), path
            assert resolved(tree, path).attributes().is_directory


def test_every_link_leads_to_a_directory(tree: MountTree, workspace: Workspace, chain: list[Version]) -> None:
    workspace.catalog.tags.add(chain[2].id, "best", "größte")
    links = [path for path, node in walk(tree.root) if isinstance(node, Link)]
    assert len(links) > 30
    for path in links:
        assert stat.S_ISDIR(resolved(tree, path).attributes().mode), path


def test_everything_is_found_from_its_number_alone(
    tree: MountTree, workspace: Workspace, chain: list[Version], recorder: Recorder
) -> None:
    workspace.catalog.tags.add(chain[2].id, "best")
    new_daemon = MountTree(workspace, status=lambda: b"")
    for path, node in walk(tree.root):
        if path.count("/") == 1:
            continue  # these show when the daemon began
        found: Any = new_daemon.node(node.ino)
        assert type(found) is type(node), path
        assert found.attributes() == node.attributes(), path
        if isinstance(node, Generated):
            assert found.content() == node.content(), path
            assert found.attributes().size == len(node.content()), path


def test_a_version_leads_to_its_step_and_shows_its_lineage(chain: list[Version], at: At, workspace: Workspace) -> None:
    assert at("artifacts/model/1/.artfs/producer").target() == b"../../../../runs/training/first/steps/fit"
    picture = ElementTree.fromstring(at("artifacts/model/1/.artfs/lineage.svg").content())
    assert picture.tag.endswith("svg")
    save(workspace.catalog, "alone")
    assert b"producer" not in names(at("artifacts/alone/1/.artfs"))
    with pytest.raises(FileNotFoundError):
        at("artifacts/alone/1/.artfs/producer")


def test_tags_list_versions_of_all_artifacts(workspace: Workspace, at: At) -> None:
    for artifact, version in (("b", "a@1"), ("a@b", None), ("b", None)):
        save(workspace.catalog, artifact, name=version, tags=["best"])
    assert names(at("tags")) == [b"best"]
    links = {name: link.target() for name, link in at("tags/best").entries()}
    assert links == {
        b"b@a%401": b"../../artifacts/b/a@1",
        b"a@b@1": b"../../artifacts/a@b/1",
        b"b@1": b"../../artifacts/b/1",
    }


def test_a_tag_that_no_version_carries_any_more_is_gone(workspace: Workspace, at: At) -> None:
    version = save(workspace.catalog, "b", tags=["best", "newest"])
    workspace.catalog.tags.remove(version.id, "best")
    assert names(at("tags")) == [b"newest"]
    with pytest.raises(FileNotFoundError):
        at("tags/best")
    workspace.catalog.versions.purge(version.id, "test")
    assert names(at("tags")) == []


def test_what_is_committed_is_seen_by_the_very_next_look(workspace: Workspace, recorder: Recorder, at: At) -> None:
    raw = recorder.make("raw")
    downstream, tags = at("lineage/raw/1/downstream"), at("tags")
    picture = at("lineage/raw/1/graph.svg").ino
    assert (names(downstream), names(tags)) == ([], [])
    recorder.make("model", [raw])
    workspace.catalog.tags.add(raw.id, "best")
    assert (names(downstream), names(tags), names(at("tags/best"))) == ([b"model@1"], [b"best"], [b"raw@1"])
    assert at("lineage/raw/1/graph.svg").ino != picture, "the kernel never updates the size of a file that it knows"
    assert at("lineage/raw/1/graph.svg").attributes().name_seconds == 0
    workspace.catalog.artifacts.rename(raw.artifact_id, "rohdaten")
    assert at("lineage/model/1/upstream/rohdaten@1").target() == b"../../../rohdaten/1"


def test_the_old_number_of_a_changed_file_makes_the_kernel_ask_again(
    tree: MountTree, recorder: Recorder, at: At
) -> None:
    raw = recorder.make("raw")
    picture = at("lineage/raw/1/graph.svg").ino
    recorder.make("model", [raw])
    with pytest.raises(Stale):
        tree.node(picture).attributes()


def test_a_run_under_way_is_read_afresh_and_one_that_ended_is_kept(
    workspace: Workspace, recorder: Recorder, at: At
) -> None:
    step = recorder.step("fit", finish=None)
    assert at("runs/training/first/steps/fit/status").content() == b"running\n"
    assert at("runs/training/first/steps/fit").attributes().seconds == 0
    workspace.catalog.steps.finish(step.id, "completed")
    assert at("runs/training/first/status").content() == b"running\n"
    recorder.end()
    assert at("runs/training/first/steps/fit/status").content() == b"completed\n"
    assert at("runs/training/first").attributes().seconds == FOREVER


def test_a_log_grows(workspace: Workspace, recorder: Recorder, at: At, tree: MountTree) -> None:
    path = workspace.home.path / "logs" / "fit.log"
    step = workspace.catalog.steps.create(recorder.run.id, "fit", log_path=str(path))
    where = "runs/training/first/steps/fit/log.txt"
    assert (at(where).content(), at(where).attributes().size) == (b"", 0)
    path.parent.mkdir()
    path.write_text("one\n")
    first = at(where)
    assert first.content() == b"one\n"
    with path.open("a") as log:
        log.write("two\n")
    second = at(where)
    assert second.content() == b"one\ntwo\n"
    assert second.ino != first.ino
    assert tree.node(second.ino).attributes() == second.attributes()
    assert second.attributes().seconds == 0
    assert step.log_path == str(path)


def test_a_catalog_cannot_make_the_daemon_read_other_files(
    workspace: Workspace, recorder: Recorder, at: At, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret")
    inside = workspace.home.path / "link"
    inside.symlink_to(tmp_path / "secret")
    for name, path in (("a", str(tmp_path / "secret")), ("b", "../secret"), ("c", "link")):
        workspace.catalog.steps.create(recorder.run.id, name, log_path=path)
        assert at(f"runs/training/first/steps/{name}/log.txt").content() == b""


def test_names_that_a_path_cannot_hold(tree: MountTree, workspace: Workspace) -> None:
    recorder = Recorder(workspace.catalog, "a/b", "latest")
    long = "x" * 300
    raw = recorder.make("raw", step="c/d")
    recorder.make("model", [raw], step=long)
    assert names(tree.root.lookup(b"runs")) == [b"a%2Fb"]
    assert resolved(tree, "runs/a%2Fb/%6Catest/steps/c%2Fd").attributes().is_directory
    assert resolved(tree, "runs/a%2Fb/latest").ino == resolved(tree, "runs/a%2Fb/%6Catest").ino
    assert resolved(tree, "lineage/model/1/producer").attributes().is_directory
    with pytest.raises(FileNotFoundError):
        resolved(tree, "runs/a")


def test_a_purged_version_keeps_its_node(workspace: Workspace, chain: list[Version], at: At) -> None:
    workspace.catalog.versions.purge(chain[1].id, "too old")
    assert names(at("lineage/clean")) == [b"1"]
    assert names(at("lineage/model/1/upstream")) == [b"clean@1"]
    assert names(at("lineage/model/1/ancestors")) == [b"raw@1", b"clean@1"]
    states = {
        node["label"]: node["state"] for node in json.loads(at("lineage/model/1/graph.json").content())["versions"]
    }
    assert states == {"raw/1": "live", "clean/1": "purged", "model/1": "live"}


def test_a_deleted_run_is_gone_and_its_versions_stay(workspace: Workspace, chain: list[Version], at: At) -> None:
    run = at("runs/training/first")
    number = run.ino
    workspace.catalog.runs.delete(1)
    assert names(at("runs/training")) == []
    assert b"producer" not in names(at("lineage/model/1"))
    with pytest.raises(Stale):
        MountTree(workspace, status=lambda: b"").node(number)


def test_the_environment_is_readable(workspace: Workspace, at: At) -> None:
    facts = {"python": "3.12.1", "packages": {"numpy": "2.0"}, "git": {"commit": "abc", "dirty": False}, "none": None}
    environment = workspace.catalog.environments.ensure(facts)
    workspace.catalog.runs.create("training", "first", environment_id=environment)
    text = at("runs/training/first/environment.txt").content().decode()
    assert "python: 3.12.1\n" in text
    assert "packages:\n  numpy==2.0\n" in text
    assert "git:\n  commit: abc\n  dirty: False\n" in text


@pytest.mark.parametrize("name", [b"missing", b"\xff", b"", b"..", b"latest"])
def test_what_is_not_there_is_not_found(tree: MountTree, workspace: Workspace, name: bytes) -> None:
    workspace.catalog.runs.create("training", "first")
    workspace.catalog.runs.delete(workspace.catalog.runs.create("empty", "first").id)
    for path in ("runs", "runs/empty", "runs/training/first", "runs/training/first/steps", "lineage", "tags"):
        directory: Any = resolved(tree, path)
        with pytest.raises(FileNotFoundError):
            directory.lookup(name)


def test_a_large_run_is_listed_with_few_queries(workspace: Workspace, tree: MountTree) -> None:
    recorder = Recorder(workspace.catalog, "large", "run")
    with workspace.catalog.transaction():
        read = [save(workspace.catalog, f"in{number}") for number in range(40)]
        for number in range(40):
            recorder.step(f"step {number}", read)
        recorder.end()
    queries = _Counted(workspace)
    steps: Any = resolved(tree, "runs/large/run/steps")
    links = [link for _, step in steps.entries() for _, link in step.lookup(b"inputs").entries()]
    assert [tree.node(link.ino).target() for link in links] == [link.target() for link in links]  # type: ignore[attr-defined]
    assert len(links) == 1600
    assert queries.count < 2 * 40 + 20, "one for each step's slots, and the versions' names once"


class _Counted:
    """Counts the questions to a catalog, but for the one whether it has changed."""

    def __init__(self, workspace: Workspace) -> None:
        self.count = 0
        query = workspace.catalog.engine.query

        def counted(sql: str, *parameters: Any) -> Any:
            self.count += "PRAGMA" not in sql
            return query(sql, *parameters)

        workspace.catalog.engine.query = counted  # type: ignore[method-assign]
