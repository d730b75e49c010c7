"""Nothing slow is asked on the event loop's thread: what may take long raises WouldBlock there, and only there."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import pytest
import trio

from artfs.artifacts.models import create_model_version, link_version
from artfs.workspace.workspace import Workspace
from artfs_mount.loop.threads import Questions
from artfs_mount.tree.blocking import Slow, WouldBlock
from artfs_mount.tree.node import Directory, Generated, Link, TreeNode
from artfs_mount.tree.tree import MountTree, found, told
from support.entries import file
from support.lineage import Recorder

Record = Callable[..., Any]


@pytest.fixture
def filled(record: Record, workspace: Workspace) -> Workspace:
    """A workspace with something of everything."""
    recorder = Recorder(workspace.catalog)
    raw = recorder.make("raw")
    recorder.make("model", [raw])
    recorder.end()
    version = record("x", {b"d/f": file(b"1"), b"g": file(b"2")}, tags=["best"], metadata={"k": 1}, user="31234")
    workspace.catalog.tags.add(version.id, "other")
    link_version(workspace, create_model_version(workspace, "classifier"), version)
    return workspace


@pytest.mark.parametrize(
    ("path", "slow"),
    [
        ("artifacts/x", Slow.QUERY),
        ("artifacts/x/1", Slow.QUERY),
        ("artifacts/x/1/.artfs/manifest.json", Slow.MAKING),
        ("artifacts/x/1/.artfs/B3SUMS", Slow.MAKING),
        ("artifacts/x/1/.artfs/lineage.svg", Slow.MAKING),
        ("lineage/model", Slow.QUERY),
        ("lineage/model/1/ancestors", Slow.QUERY),
        ("lineage/model/1/graph.svg", Slow.MAKING),
        ("lineage/model/1/graph.json", Slow.MAKING),
        ("runs/training/first/dag.svg", Slow.MAKING),
        ("runs/training/first/steps", Slow.QUERY),
        ("runs/training/first/steps/make model/inputs", Slow.QUERY),
        ("tags/best", Slow.QUERY),
        ("models/classifier", Slow.QUERY),
        ("models/classifier/1", Slow.QUERY),
    ],
)
def test_listings_and_what_is_made_are_refused_on_the_loop(filled: Workspace, path: str, slow: Slow) -> None:
    node: TreeNode = MountTree(filled, status=lambda: b"", loop_thread=threading.get_ident()).root
    for component in os.fsencode(path).split(b"/"):
        assert isinstance(node, Directory)
        node = node.lookup(component) if component != b"1" or not path.startswith("artifacts/x/1") else _known(node)
    with pytest.raises(WouldBlock) as refused:
        node.listing().after(0, 9) if isinstance(node, Directory) else node.attributes()
    assert refused.value.slow is slow


def test_each_piece_of_a_listing_is_refused_on_the_loop(filled: Workspace) -> None:
    paths = ("artifacts/x", "lineage/model", "lineage/model/1/upstream", "tags/best", "runs/training/first/steps")
    tree = MountTree(filled, status=lambda: b"", loop_thread=threading.get_ident())
    for path in paths:
        node: Any = tree.root
        for component in os.fsencode(path).split(b"/"):
            node = node.lookup(component)
        listing = trio.run(trio.to_thread.run_sync, node.listing)
        with pytest.raises(WouldBlock):
            listing.after(0, 9)


@pytest.mark.parametrize("path", ["artifacts", "lineage", "runs", "runs/training", "tags", "models"])
def test_a_piece_that_an_index_answers_is_one_query_on_the_loop(
    filled: Workspace, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = MountTree(filled, status=lambda: b"", loop_thread=threading.get_ident())
    node: Any = tree.root
    for component in os.fsencode(path).split(b"/"):
        node = node.lookup(component)
    asked: list[str] = []
    query = filled.catalog.engine.query
    monkeypatch.setattr(filled.catalog.engine, "query", lambda sql, *rest: asked.append(sql) or query(sql, *rest))
    assert told(node.listing(), 0)
    assert len(asked) <= (2 if path == "runs/training" else 1), "and one for the link `latest`"
    assert all("LIMIT" in sql for sql in asked)


def test_nothing_is_made_for_a_listing(filled: Workspace) -> None:
    tree = MountTree(filled, status=lambda: b"", loop_thread=threading.get_ident())
    node: Any = tree.root
    for path in ("lineage/model/1", "runs/training/first", "runs/training/first/steps/make model"):
        node = tree.root
        for component in path.encode().split(b"/"):
            node = node.lookup(component)
        for entry in told(node.listing(), 0):
            assert entry.attributes.seconds == 0 or not isinstance(entry.node, Generated)


def test_a_catalog_on_another_machine_is_never_asked_on_the_loop(
    filled: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = filled.catalog.engine
    monkeypatch.setattr(engine, "is_remote", True, raising=False)
    asked: set[int] = set()
    for name in ("query", "stamp"):
        ask = getattr(engine, name)

        def noted(*arguments: Any, ask: Callable[..., Any] = ask) -> Any:
            asked.add(threading.get_ident())
            return ask(*arguments)

        monkeypatch.setattr(engine, name, noted)

    async def main() -> int:
        tree = MountTree(filled, status=lambda: b"", loop_thread=threading.get_ident())
        questions = Questions(tree.look)
        return await _walk(tree, questions, tree.root)

    assert trio.run(main) > 60
    assert asked and threading.get_ident() not in asked


def test_what_was_committed_before_a_slow_question_is_in_its_answer(filled: Workspace) -> None:
    async def main() -> None:
        tree = MountTree(filled, status=lambda: b"", loop_thread=threading.get_ident())
        questions = Questions(tree.look)
        node: Any = tree.root.lookup(b"lineage")
        for name in (b"model", b"1", b"upstream"):
            node = (await questions.ask(found, node, name)).node
        targets = []
        for name in ("raw", "rohdaten", "again"):
            artifact = filled.catalog.artifacts.by_id(1)
            assert artifact is not None
            if artifact.name != name:
                await trio.to_thread.run_sync(filled.catalog.artifacts.rename, 1, name)
            listing = await questions.ask(node.listing)
            (entry,) = await questions.ask(told, listing, 0)
            targets.append((entry.name, entry.node.target()))
        assert targets == [
            (f"{name}@1".encode(), f"../../../{name}/1".encode()) for name in ("raw", "rohdaten", "again")
        ]

    trio.run(main)


async def _walk(tree: MountTree, questions: Questions, directory: Directory) -> int:
    """Looks at everything below a directory as the kernel would, and counts it."""
    count = 0
    listing = await questions.ask(directory.listing)
    for entry in await questions.ask(told, listing, 0):
        count += 1
        node, attributes = await questions.ask(found, directory, entry.name)
        again = await questions.ask(tree.node, attributes.ino) if entry.name != b"status.json" else node
        assert type(again) is type(node)
        if isinstance(node, Generated):
            await questions.ask(node.content)
        elif isinstance(node, Directory):
            count += await _walk(tree, questions, node)
        else:
            assert isinstance(node, Link) or await questions.ask(node.xattrs) is not None
    return count


def _known(artifact: Any) -> TreeNode:
    """The version, once it is known whose it is."""
    asking = threading.Thread(target=lambda: artifact.lookup(b"1"))
    asking.start()
    asking.join()
    node: TreeNode = artifact.lookup(b"1")
    return node
