"""`/models`: what belongs together, by the version or the stage of a model."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from artfs.artifacts.models import create_model_version, link_version, set_stage
from artfs.catalog.models import ModelVersion
from artfs.workspace.workspace import Workspace
from artfs_mount.tree.node import Link, Stale
from artfs_mount.tree.tree import MountTree
from support.entries import names

At = Callable[[str], Any]
Record = Callable[..., Any]


@pytest.fixture
def collections(record: Record, workspace: Workspace) -> list[ModelVersion]:
    """Two versions of `classifier`; the first has two versions of `weights` and one of `labels: ü`."""
    made = [create_model_version(workspace, "classifier", name) for name in (None, "tuned")]
    for artifact in ("weights", "labels: ü", "weights"):
        link_version(workspace, made[0], record(artifact))
    return made


def test_versions_and_stages_are_listed(collections: list[ModelVersion], at: At, workspace: Workspace) -> None:
    assert names(at("models")) == [b"classifier"]
    assert names(at("models/classifier")) == [b"1", b"tuned", b"latest"]
    set_stage(workspace, collections[0], "production")
    set_stage(workspace, collections[1], "archived")
    assert names(at("models/classifier")) == [b"1", b"tuned", b"latest", b"production"]
    assert at("models/classifier/production").target() == b"1"
    assert at("models/classifier/latest").target() == b"tuned"
    for name in ("staging", "archived", "none", "3"):
        with pytest.raises(FileNotFoundError):
            at(f"models/classifier/{name}")


def test_each_artifact_is_a_link_to_its_newest_version(
    collections: list[ModelVersion], at: At, record: Record, workspace: Workspace
) -> None:
    directory = at("models/classifier/1")
    assert sorted(names(directory)) == ["labels: ü".encode(), b"weights"]
    assert directory.lookup(b"weights").target() == b"../../../artifacts/weights/2"
    newer = record("weights")
    assert directory.lookup(b"weights").target() == b"../../../artifacts/weights/2", "it was not put in"
    link_version(workspace, collections[0], newer)
    assert directory.lookup(b"weights").target() == b"../../../artifacts/weights/3"
    workspace.catalog.versions.purge(newer.id, "test")
    assert directory.lookup(b"weights").target() == b"../../../artifacts/weights/2"
    with pytest.raises(FileNotFoundError):
        directory.lookup(b"other")
    assert names(at("models/classifier/tuned")) == []


def test_links_lead_to_what_is_there(collections: list[ModelVersion], at: At) -> None:
    for name in ("weights", "labels: ü"):
        link = at(f"models/classifier/1/{name}")
        assert isinstance(link, Link)
        led_to = os.path.normpath(f"/models/classifier/1/{os.fsdecode(link.target())}")
        assert at(led_to[1:]).attributes().is_directory


def test_inode_numbers_lead_back(
    collections: list[ModelVersion], at: At, tree: MountTree, workspace: Workspace
) -> None:
    set_stage(workspace, collections[0], "staging")
    for path in ("models", "models/classifier", "models/classifier/1", "models/classifier/1/weights"):
        node = at(path)
        assert tree.node(node.ino).attributes() == node.attributes() or isinstance(node, Link)
    for stage in ("latest", "staging"):
        link = at(f"models/classifier/{stage}")
        assert tree.node(link.ino).target() == link.target()  # type: ignore[union-attr]
    numbers = {at(path).ino for path in ("models/classifier", "models/classifier/1", "models/classifier/latest")}
    assert len(numbers) == 3
    gone = [at("models/classifier").ino, at("models/classifier/1").ino, at("models/classifier/staging").ino]
    workspace.catalog.models.delete(collections[0].model_id)
    for number in gone:
        with pytest.raises(Stale):
            tree.node(number)
    assert names(at("models")) == []
