"""`.artfs` of a version: what is known about it, for people and programs."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from artfs.catalog.blobs import Place
from artfs.catalog.new_version import NewContents, NewVersion, NewVisualization
from artfs.content.digest import FileDigest, format_digest, hash_bytes
from artfs.content.tree import Tree
from artfs.describe.versions import versions
from artfs.errors import DigestMismatch
from artfs.workspace.workspace import Workspace
from artfs_mount.tree.blocking import Slow, WouldBlock
from artfs_mount.tree.node import Directory, Link, Stale, TreeNode
from artfs_mount.tree.tree import MountTree
from artfs_mount.tree.version import VersionFile
from support.entries import directory, file, link, names

At = Callable[[str], Any]
Record = Callable[..., Any]

NAMES = [b"info.json", b"metadata.json", b"tags", b"manifest.json", b"B3SUMS", b"visualizations", b"lineage.svg"]


def test_it_is_there_but_not_listed(record: Record, at: At) -> None:
    record("x", {b"d/f": file()})
    assert names(at("artifacts/x/1")) == [b"d"]
    assert names(at("artifacts/x/1/.artfs")) == NAMES
    with pytest.raises(FileNotFoundError):
        at("artifacts/x/1/d/.artfs")
    with pytest.raises(FileNotFoundError):
        at("artifacts/x/1/.artfs/other")


def test_every_file_has_the_size_of_its_content(record: Record, at: At, workspace: Workspace) -> None:
    record("x", tags=["t"], metadata={"k": 1})
    new_daemon = MountTree(workspace, status=lambda: b"")
    for name, node in at("artifacts/x/1/.artfs").entries():
        attributes = node.attributes()
        if name != b"visualizations":
            assert attributes.mode == stat.S_IFREG | 0o444
            assert attributes.size == len(node.content())
            new_daemon.remember(node)
        assert new_daemon.node(node.ino).attributes() == attributes


def test_info_says_what_the_version_is(record: Record, at: At, workspace: Workspace) -> None:
    version = record("x", {b"f": file(b"abc"), b"l": link(b"f")}, tags=["best"], type="ModelArtifact", user="ada")
    info = json.loads(at("artifacts/x/1/.artfs/info.json").content())
    assert info["artifact"] == "x"
    assert info["version"] == "1"
    assert info["id"] == version.uuid
    assert info["digest"] == format_digest(version.digest)
    assert (info["files"], info["bytes"], info["state"]) == (2, 3, "live")
    assert (info["type"], info["tags"], info["user"]) == ("ModelArtifact", ["best"], "ada")
    assert info["created"].endswith("+00:00")
    assert info == versions(workspace.catalog, [version])[0]


def test_tags_and_metadata_are_those_of_now(record: Record, at: At, workspace: Workspace) -> None:
    version = record("x", tags=["b", "a"], metadata={"accuracy": 0.5, "shape": (3, 4)})
    here = at("artifacts/x/1/.artfs")
    assert here.lookup(b"tags").content() == b"a\nb\n"
    assert json.loads(here.lookup(b"metadata.json").content()) == {"accuracy": 0.5, "shape": [3, 4]}
    workspace.catalog.tags.set(version.id, ["c"])
    workspace.catalog.metadata.set(version.id, {"accuracy": 0.75})
    assert here.lookup(b"tags").content() == b"c\n"
    assert json.loads(here.lookup(b"metadata.json").content())["accuracy"] == 0.75
    for name in (b"tags", b"metadata.json", b"info.json"):
        assert here.lookup(name).attributes().name_seconds == 0


def test_the_manifest_names_every_entry(record: Record, at: At) -> None:
    entries = {
        b"d": directory(mtime_ns=9),
        b"d/\xff.bin": file(b"abc", mode=0o755, mtime_ns=8),
        b"l": link(b"d", mtime_ns=7),
    }
    version = record("x", entries)
    manifest = json.loads(at("artifacts/x/1/.artfs/manifest.json").content())
    assert manifest["digest"] == format_digest(version.digest)
    found_directory, found_file, found_link = manifest["entries"]
    assert (
        found_directory.items() >= {"path": "d", "kind": "directory", "mode": "0750", "mtime_ns": 9, "size": 3}.items()
    )
    assert os.fsencode(found_file["path"]) == b"d/\xff.bin"
    assert found_file["digest"] == format_digest(hash_bytes(b"abc"))
    assert (found_file["size"], found_file["mode"], found_file["mtime_ns"]) == (3, "0755", 8)
    assert found_link == {"path": "l", "kind": "symlink", "mode": "0777", "mtime_ns": 7, "target": "d"}


def test_the_manifest_of_an_empty_version_is_empty(record: Record, at: At) -> None:
    record("x", {})
    assert json.loads(at("artifacts/x/1/.artfs/manifest.json").content())["entries"] == []
    assert at("artifacts/x/1/.artfs/B3SUMS").content() == b""


def test_b3sum_accepts_an_exported_version(seal_folder: Any, at: At, tmp_path: Path) -> None:
    if shutil.which("b3sum") is None:
        pytest.fail("b3sum is not installed: run scripts/test, which installs it")
    source = tmp_path / "source"
    for name in (
        "plain",
        "with space",
        "back\\slash",
        "new\nline",
        "ünï",
        "deep/er/file",
        "empty",
        os.fsdecode(b"\xff"),
    ):
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("" if name == "empty" else f"content of {name!a}")
    (source / "link").symlink_to("plain")
    seal_folder(source, "x")
    exported = tmp_path / "exported"
    _export(at("artifacts/x/1"), os.fsencode(exported))
    (tmp_path / "B3SUMS").write_bytes(at("artifacts/x/1/.artfs/B3SUMS").content())
    checked = subprocess.run(["b3sum", "--check", tmp_path / "B3SUMS"], cwd=exported, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    assert len(checked.stdout.splitlines()) == 7, "all files but the one that b3sum cannot name"
    (exported / "plain").write_text("other")
    assert subprocess.run(["b3sum", "--check", tmp_path / "B3SUMS"], cwd=exported, capture_output=True).returncode != 0


def test_files_without_a_known_digest_claim_none(workspace: Workspace, at: At) -> None:
    known, unknown = file(b"known"), file(b"s3://bucket/key 11 etag")
    assert known.file and unknown.file
    places = {
        known.file.digest: Place(b"/data/known", owned=False),
        unknown.file.digest: Place(b"s3://bucket/key", owned=False, identity=True),
    }
    tree = Tree.from_files({b"known": known, b"unknown": unknown})
    identifier = "8e4c6a0e-0000-4000-8000-000000000000"
    workspace.catalog.versions.create(NewVersion("x", tree, identifier, save_type="preexisting"), NewContents(places))
    assert at("artifacts/x/1/.artfs/B3SUMS").content().endswith(b"  known\n")
    assert at("artifacts/x/1/.artfs/B3SUMS").content().count(b"\n") == 1
    manifest = json.loads(at("artifacts/x/1/.artfs/manifest.json").content())
    assert [entry["digest"] is None for entry in manifest["entries"]] == [False, True]
    assert list(at("artifacts/x/1/known").xattrs()) == [b"user.artfs.digest"]
    assert at("artifacts/x/1/unknown").xattrs() == {}


def test_what_is_made_from_the_version_alone_needs_no_memory(record: Record, at: At, workspace: Workspace) -> None:
    record("x")
    for name in ("manifest.json", "B3SUMS"):
        known = at(f"artifacts/x/1/.artfs/{name}")
        found: Any = MountTree(workspace, status=lambda: b"").node(known.ino)
        assert found.content() == known.content()
        on_a_loop: Any = MountTree(workspace, status=lambda: b"", loop_thread=threading.get_ident()).node(known.ino)
        with pytest.raises(WouldBlock) as refused:
            on_a_loop.content()
        assert refused.value.slow is Slow.MAKING, "it is made from every file of the version"


def test_visualizations_are_read_from_the_store_and_checked(record: Record, at: At, workspace: Workspace) -> None:
    store = workspace.stores.active
    page = Path(store.root) / "x/page.html"
    page.parent.mkdir(exist_ok=True)
    page.write_bytes(b"<html>")
    shown = NewVisualization("page.html", "html", FileDigest(hash_bytes(b"<html>"), 6))
    tree = Tree.from_files({b"f": file(b"f")})
    digests = {b"x/page.html": shown.file.digest, b"x/f": tree.entries[0].digest}
    places = {digest: Place(path, store.id) for path, digest in digests.items()}
    new = NewVersion("x", tree, "c0ffee00-0000-4000-8000-000000000000", visualizations=[shown])
    workspace.catalog.versions.create(new, NewContents(places))
    node = at("artifacts/x/1/.artfs/visualizations/page.html")
    assert names(at("artifacts/x/1/.artfs/visualizations")) == [b"page.html"]
    assert (node.attributes().size, node.content()) == (6, b"<html>")
    found: Any = MountTree(workspace, status=lambda: b"").node(node.ino)
    assert found.content() == b"<html>"
    page.write_bytes(b"<html!")
    workspace.blobs.memory.clear()
    with pytest.raises(DigestMismatch):
        node.content()
    page.unlink()
    with pytest.raises(FileNotFoundError):
        node.content()
    workspace.catalog.versions.purge(1, "test")
    with pytest.raises(Stale):
        node.content()


def test_a_visualization_that_is_replaced_is_another_inode(record: Record, at: At, workspace: Workspace) -> None:
    version = record("x", {b"a": file(b"one"), b"b": file(b"another")})
    inodes = set()
    for content in (b"one", b"another"):
        blob = workspace.catalog.blobs.get(hash_bytes(content))
        assert blob is not None
        workspace.catalog.visualizations.add(version.id, "v", "json", blob.id)
        inodes.add(at("artifacts/x/1/.artfs/visualizations/v").ino)
    assert len(inodes) == 2


def test_a_purged_version_has_nothing_to_say(record: Record, at: At, workspace: Workspace) -> None:
    version = record("x")
    here = at("artifacts/x/1/.artfs")
    texts = [node for _, node in here.entries()]
    workspace.catalog.versions.purge(version.id, "test")
    for question in (here.attributes, here.entries, lambda: here.lookup(b"info.json")):
        with pytest.raises(Stale):
            question()
    with pytest.raises(Stale):
        MountTree(workspace, status=lambda: b"").node(texts[NAMES.index(b"B3SUMS")].ino)


def _export(node: TreeNode, to: bytes) -> None:
    """What `cp -r` would do."""
    if isinstance(node, Directory):
        os.mkdir(to)
        for name, child in node.entries():
            _export(child, to + b"/" + name)
    elif isinstance(node, Link):
        os.symlink(node.target(), to)
    else:
        assert isinstance(node, VersionFile)
        with node.open() as reader, open(to, "wb") as copy:
            copy.write(reader.read(0, node.size))
