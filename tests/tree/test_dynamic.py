"""Artifacts, versions, `latest` and tags are read afresh: what was committed is seen by the very next look."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from artfs.catalog.catalog import Catalog
from artfs.workspace.workspace import Workspace
from artfs_mount.tree.node import TreeNode
from artfs_mount.tree.tree import MountTree
from support.entries import names

At = Callable[[str], Any]
Record = Callable[..., Any]


def test_a_new_artifact_is_seen_at_once(record: Record, at: At, workspace: Workspace) -> None:
    artifacts = at("artifacts")
    assert names(artifacts) == []
    record("x")
    workspace.catalog.artifacts.ensure("empty one: ü")
    assert names(artifacts) == [b"x", "empty one: ü".encode()]
    assert names(artifacts.lookup("empty one: ü".encode())) == []


def test_a_new_version_is_seen_at_once(record: Record, at: At) -> None:
    record("x")
    artifact = at("artifacts/x")
    assert names(artifact) == [b"1", b"latest"]
    record("x", name="final")
    assert names(artifact) == [b"1", b"final", b"latest"]
    assert artifact.lookup(b"final").attributes().is_directory


def test_what_another_process_commits_is_seen_at_once(record: Record, workspace: Workspace, home: Path) -> None:
    with Catalog.open(home / "catalog.db") as other:
        elsewhere = Workspace.of(workspace.home)
        tree = MountTree(elsewhere, status=lambda: b"")
        artifacts = tree.root.lookup(b"artifacts")
        assert names(artifacts) == []
        other.artifacts.ensure("x")
        assert names(artifacts) == [b"x"]
        elsewhere.close()


def test_versions_are_listed_in_the_order_of_their_creation(record: Record, at: At) -> None:
    chosen = ["b", "a", None, "c", None]
    made = [record("x", name=name).name for name in chosen]
    assert names(at("artifacts/x")) == [name.encode() for name in made] + [b"latest"]


def test_staged_versions_are_shown_and_purged_ones_are_not(record: Record, at: At, workspace: Workspace) -> None:
    purged = record("x", name="purged")
    record("x", name="staged", state="staged")
    workspace.catalog.versions.purge(purged.id, "test")
    assert names(at("artifacts/x")) == [b"staged", b"latest"]
    assert at("artifacts/x/staged/f").attributes().size
    with pytest.raises(FileNotFoundError):
        at("artifacts/x/purged")


def test_latest_follows_the_newest_version(record: Record, at: At, tree: MountTree, workspace: Workspace) -> None:
    record("x", name="a")
    latest = at("artifacts/x/latest")
    assert latest.target() == b"a"
    newest = record("x", name="b")
    assert tree.node(latest.ino).target() == at("artifacts/x/latest").target() == b"b"  # type: ignore[attr-defined]
    workspace.catalog.versions.purge(newest.id, "test")
    assert at("artifacts/x/latest").target() == b"a"


def test_tags_lead_to_the_newest_version_that_carries_them(
    record: Record, at: At, tree: MountTree, workspace: Workspace
) -> None:
    first = record("x", tags=["best", "größte"])
    record("x", tags=["best"])
    record("x")
    assert names(at("artifacts/x")) == [b"1", b"2", b"3", b"latest", b"@best", "@größte".encode()]
    best = at("artifacts/x/@best")
    assert (best.target(), at("artifacts/x/@größte").target()) == (b"2", b"1")
    workspace.catalog.tags.set(first.id, [])
    workspace.catalog.tags.add(3, "best")
    assert names(at("artifacts/x")) == [b"1", b"2", b"3", b"latest", b"@best"]
    assert tree.node(best.ino).target() == b"3"  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", [b"latest", b"@best", b"@", b"@none", b"1", b"\xff", b".artfs", b""])
def test_an_artifact_without_versions_has_nothing(at: At, workspace: Workspace, name: bytes) -> None:
    workspace.catalog.artifacts.ensure("x")
    workspace.catalog.tags.ensure("best")
    with pytest.raises(FileNotFoundError):
        at("artifacts/x").lookup(name)


@pytest.mark.parametrize("name", [b"missing", b"\xff", b"", b".artfs", b".."])
def test_an_artifact_that_is_not_there_is_not_found(record: Record, at: At, name: bytes) -> None:
    record("x")
    with pytest.raises(FileNotFoundError):
        at("artifacts").lookup(name)


def test_links_made_by_artfs_are_relative(record: Record, at: At) -> None:
    record("x", tags=["t"])
    for link in ("latest", "@t"):
        assert b"/" not in at(f"artifacts/x/{link}").target()


def test_the_kernel_keeps_no_name_that_may_come_to_mean_something_else(record: Record, at: At) -> None:
    record("x", tags=["t"])
    for path in ("artifacts/x/latest", "artifacts/x/@t"):
        attributes = at(path).attributes()
        assert (attributes.seconds, attributes.name_seconds) == (0, 0)


def test_how_long_names_of_versions_are_kept_can_be_chosen(record: Record, workspace: Workspace) -> None:
    record("x")
    tree = MountTree(workspace, status=lambda: b"", fresh_seconds=0.25)
    artifact: Any = tree.root.lookup(b"artifacts").lookup(b"x")  # type: ignore[attr-defined]
    assert artifact.attributes().name_seconds == artifact.attributes().seconds == 0.25
    assert artifact.lookup(b"1").attributes().name_seconds == 0.25


def test_an_artifact_shows_when_its_newest_version_was_made(record: Record, at: At) -> None:
    record("x")
    newest = record("x")
    attributes = at("artifacts/x").attributes()
    assert attributes.mtime_ns == newest.created_us * 1000
    assert attributes.mode & 0o777 == at("artifacts").attributes().mode & 0o777 == 0o755


def test_everything_listed_is_found_from_its_number_alone(record: Record, at: At, workspace: Workspace) -> None:
    record("x", tags=["a", "b"])
    record("y")
    new_daemon = MountTree(workspace, status=lambda: b"")
    known: list[TreeNode] = [
        node for path in ("", "artifacts", "artifacts/x") for _, node in _entries(new_daemon, path)
    ]
    assert len(known) == 7 + 2 + 4
    for node in known:
        found = new_daemon.node(node.ino)
        assert type(found) is type(node)
        assert found.attributes() == node.attributes()


def test_a_thousand_artifacts_are_listed_with_few_queries(record: Record, at: At, workspace: Workspace) -> None:
    newest = {name: record(name) for name in ("x", "y")}
    with workspace.catalog.transaction():
        for number in range(1000):
            workspace.catalog.artifacts.ensure(f"a{number}")
    asked: list[str] = []
    query = workspace.catalog.engine.query
    workspace.catalog.engine.query = lambda sql, *rest: asked.append(sql) or query(sql, *rest)  # type: ignore[method-assign]
    times = {name: node.attributes().mtime_ns for name, node in at("artifacts").entries()}
    assert len(times) == 1002
    assert times[b"x"] == newest["x"].created_us * 1000
    assert len(asked) < 12


def _entries(tree: MountTree, path: str) -> Any:
    node: Any = tree.root
    for component in path.encode().split(b"/") if path else []:
        node = node.lookup(component)
    return node.entries()


def test_a_run_that_is_deleted_while_runs_are_listed_hides_no_other(at: At, workspace: Workspace) -> None:
    """Whatever the clocks of the machines were that made them: run 1 began late, and run 2 early."""
    catalog = workspace.catalog
    for number, began in enumerate([90, 10, 20, 30]):
        run = catalog.runs.create("training", str(number))
        catalog.engine.execute("UPDATE run SET started_us = :began WHERE id = :id", {"began": began, "id": run.id})
    listing = at("runs/training").listing()
    first = listing.after(0, 1)
    assert [entry.name for entry in first] == [b"1"]
    catalog.runs.delete(first[-1].position)
    assert [entry.name for entry in listing.after(first[-1].position, 9)] == [b"2", b"3", b"0", b"latest"]
