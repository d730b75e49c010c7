"""Extended attributes: what the catalog knows of a version, and the part of it that can be set with `setfattr`."""

from __future__ import annotations

import errno
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artfs.content.digest import format_digest, hash_bytes
from artfs.describe.plain import plain
from artfs.errors import InvalidName, InvalidValue
from artfs.workspace.workspace import Workspace
from artfs_mount.tree.json_text import parsed, typed
from artfs_mount.tree.node import Stale
from support.entries import file

At = Callable[[str], Any]
Record = Callable[..., Any]


def test_a_version_tells_what_it_is(record: Record, at: At) -> None:
    version = record("x", tags=["b", "a"], type="ModelArtifact", metadata={"accuracy": 0.5, "note": "good"})
    assert at("artifacts/x/1").xattrs() == {
        b"user.artfs.id": version.uuid.encode(),
        b"user.artfs.digest": format_digest(version.digest).encode(),
        b"user.artfs.type": b"ModelArtifact",
        b"user.artfs.tags": b"a,b",
        b"user.artfs.metadata.accuracy": b"0.5",
        b"user.artfs.metadata.note": b"good",
    }


def test_a_file_tells_its_digest_and_a_directory_nothing(record: Record, at: At) -> None:
    record("x", {b"d/f": file(b"abc")})
    assert at("artifacts/x/1/d/f").xattrs() == {b"user.artfs.digest": format_digest(hash_bytes(b"abc")).encode()}
    assert at("artifacts/x/1/d").xattrs() == {}
    assert at("artifacts/x/latest").xattrs() == {}


@pytest.mark.parametrize(
    ("written", "tags"),
    [
        (b"best", ["best"]),
        (b"prod, best,,prod", ["best", "prod"]),
        (b"one, two\nthree\n", ["one, two", "three"]),
        ("größte".encode(), ["größte"]),
        (b"", []),
    ],
)
def test_setting_tags_replaces_them_all(
    record: Record, at: At, workspace: Workspace, written: bytes, tags: list[str]
) -> None:
    version = record("x", tags=["old"])
    node = at("artifacts/x/1")
    node.set_xattr(b"user.artfs.tags", written)
    assert list(workspace.catalog.tags.of_version(version.id)) == tags
    shown = node.xattrs()[b"user.artfs.tags"]
    node.set_xattr(b"user.artfs.tags", shown)
    assert list(workspace.catalog.tags.of_version(version.id)) == tags, "what is shown can be set again"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (b"0.93", 0.93),
        (b"12", 12),
        (b"true", True),
        (b"null", None),
        (b"plain words", "plain words"),
        (b'"12"', "12"),
        (b'{"a": [1, "b"]}', {"a": [1, "b"]}),
        (b"NaN", "NaN"),
        (b"", ""),
        ("größer".encode(), "größer"),
    ],
)
def test_metadata_is_typed_by_how_it_is_written(
    record: Record, at: At, workspace: Workspace, written: bytes, value: object
) -> None:
    version = record("x", metadata={"key.dotted": "before"})
    node = at("artifacts/x/1")
    node.set_xattr(b"user.artfs.metadata.key.dotted", written)
    assert workspace.catalog.metadata.get(version.id) == {"key.dotted": value}
    assert node.xattrs()[b"user.artfs.metadata.key.dotted"] == written


def test_what_is_set_is_in_the_audit_log(record: Record, at: At, workspace: Workspace) -> None:
    record("x", tags=["old"])
    at("artifacts/x/1").set_xattr(b"user.artfs.tags", b"new")
    at("artifacts/x/1").set_xattr(b"user.artfs.metadata.k", b"1")
    metadata, tags = workspace.catalog.audit.list("x@1")[:2]
    assert (tags.action, tags.detail) == ("version.tag", {"tags": ["new"], "before": ["old"]})
    assert (metadata.action, metadata.detail) == ("version.metadata", {"key": "k", "value": 1})
    assert metadata.user_id is not None
    assert workspace.catalog.audit.verify() is None


def test_a_tag_that_cannot_be_is_refused_and_nothing_changes(record: Record, at: At, workspace: Workspace) -> None:
    version = record("x", tags=["old"])
    before = len(workspace.catalog.audit.list())
    for value, error in ((b"good,.artfs", InvalidName), (b"a/b", InvalidName), (b"\xff", InvalidValue)):
        with pytest.raises(error):
            at("artifacts/x/1").set_xattr(b"user.artfs.tags", value)
    assert workspace.catalog.tags.of_version(version.id) == ["old"]
    assert len(workspace.catalog.audit.list()) == before


def test_metadata_that_cannot_be_is_refused(record: Record, at: At, workspace: Workspace) -> None:
    version = record("x")
    node = at("artifacts/x/1")
    for name, value, error in (
        (b"", b"1", InvalidName),
        (b"\xff", b"1", InvalidValue),
        (b"key", b"\xff", InvalidValue),
        (b"key", b"[" * 60_000, InvalidValue),
        (b"key", rb'["half a character: \ud800"]', InvalidValue),
    ):
        with pytest.raises(error):
            node.set_xattr(b"user.artfs.metadata." + name, value)
    assert workspace.catalog.metadata.get(version.id) == {}


@pytest.mark.parametrize("name", [b"id", b"digest", b"type"])
def test_what_follows_from_the_version_cannot_be_set(record: Record, at: At, name: bytes) -> None:
    record("x")
    with pytest.raises(PermissionError):
        at("artifacts/x/1").set_xattr(b"user.artfs." + name, b"other")


@pytest.mark.parametrize("path", ["README.txt", "artifacts", "artifacts/x", "artifacts/x/1", "artifacts/x/1/d/f"])
def test_other_attributes_are_not_supported(record: Record, at: At, path: str) -> None:
    record("x", {b"d/f": file()})
    for name in (b"user.other", b"user.artfs.other", b"security.selinux"):
        with pytest.raises(OSError) as caught:
            at(path).set_xattr(name, b"value")
        assert caught.value.errno == errno.ENOTSUP


def test_the_attributes_fit_what_the_kernel_can_carry(record: Record, at: At) -> None:
    values: dict[str, object] = {f"{number:04d}" + "k" * 200: "v" for number in range(400)}
    record("x", metadata={"long" * 80: 1, "wide": "w" * 70_000, "fits": "yes", **values})
    attributes = at("artifacts/x/1").xattrs()
    assert max(map(len, attributes)) <= 255
    assert max(map(len, attributes.values())) <= 65_536
    assert len(attributes) == 4 + 1 + len(values), "none is listed, so no list has to hold them"


def test_a_purged_version_cannot_be_changed(record: Record, at: At, workspace: Workspace) -> None:
    version = record("x")
    node = at("artifacts/x/1")
    workspace.catalog.versions.purge(version.id, "test")
    for name in (b"user.artfs.tags", b"user.artfs.metadata.k"):
        with pytest.raises(Stale):
            node.set_xattr(name, b"v")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(values)
def test_what_is_shown_can_be_typed_again(value: object) -> None:
    assert parsed(typed(value)) == value


def test_what_json_has_no_word_for_becomes_text() -> None:
    when = datetime(2026, 11, 21, tzinfo=UTC)
    value = {"when": when, "where": Path("/a"), 3: {2, 1}, "worst": float("inf"), "pair": (1, None)}
    expected = {"when": when.isoformat(), "where": "/a", "3": [1, 2], "worst": "inf", "pair": [1, None]}
    assert plain(value) == expected
