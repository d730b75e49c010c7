"""How versions are named on the command line, and how a shell completes the names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from artfs.catalog.versions import Version
from artfs.cli.selection import version_named, versions_named
from artfs.errors import ArtifactNotFound, VersionNotFound
from artfs.workspace.workspace import Workspace

Seal = Callable[..., Version]


@pytest.fixture
def versions(seal_files: Seal) -> dict[str, Version]:
    return {
        "iris/1": seal_files("iris", {"f": b"1"}, tags=["raw"]),
        "iris/v 2": seal_files("iris", {"f": b"2"}, name="v 2", tags=["raw"]),
        "iris:1/1": seal_files("iris:1", {"f": b"3"}),
        "a:b/1": seal_files("a:b", {"f": b"4"}),
        "iris/4": seal_files("iris", {"f": b"5"}, name="4"),
    }


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("iris", "iris/4"),
        ("iris/", "iris/4"),
        ("iris/1", "iris/1"),
        ("iris/v 2", "iris/v 2"),
        ("iris:v 2", "iris/v 2"),
        ("iris/latest", "iris/4"),
        ("iris:latest", "iris/4"),
        ("iris/@raw", "iris/v 2"),
        ("iris:@raw", "iris/v 2"),
        ("iris:1", "iris:1/1"),
        ("a:b", "a:b/1"),
        ("a:b:1", "a:b/1"),
        ("a:b/1", "a:b/1"),
    ],
)
def test_what_is_meant(workspace: Workspace, versions: dict[str, Version], text: str, meant: str) -> None:
    assert version_named(workspace.catalog, text) == versions[meant]


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("nothing", ArtifactNotFound, "'nothing' is neither an artifact's name nor the id of a version"),
        ("nothing/1", ArtifactNotFound, "no artifact is named 'nothing'"),
        ("nothing:1", ArtifactNotFound, "no artifact is named 'nothing'"),
        ("iris/2", VersionNotFound, "artifact 'iris' has no version '2'; 'artfs artifact version list iris'"),
        ("iris/@best", VersionNotFound, "artifact 'iris' has no version with the tag 'best'"),
        ("empty", VersionNotFound, "artifact 'empty' has no versions yet"),
    ],
)
def test_what_is_not_there(
    workspace: Workspace, versions: dict[str, Version], text: str, error: type[Exception], words: str
) -> None:
    workspace.catalog.artifacts.ensure("empty")
    with pytest.raises(error) as raised:
        version_named(workspace.catalog, text)
    assert words in str(raised.value)


def test_an_id_and_its_beginning_mean_the_version(workspace: Workspace, versions: dict[str, Version]) -> None:
    meant = versions["iris/v 2"]
    for text in (meant.uuid, meant.uuid[:13], meant.uuid.replace("-", "")):
        assert version_named(workspace.catalog, text) == meant
        assert versions_named(workspace.catalog, [text]) == [meant]


def test_a_tombstone_can_be_looked_at_and_nothing_else(workspace: Workspace, versions: dict[str, Version]) -> None:
    workspace.catalog.versions.purge(versions["iris/1"].id, "too old")
    assert version_named(workspace.catalog, "iris/1").state == "purged"
    with pytest.raises(VersionNotFound, match="iris/1 was removed: too old"):
        version_named(workspace.catalog, "iris/1", purged=False)


def test_an_artifact_alone_is_all_of_its_versions_once(workspace: Workspace, versions: dict[str, Version]) -> None:
    found = versions_named(workspace.catalog, ["iris/4", "iris", "iris/1"])
    assert [version.name for version in found] == ["4", "1", "v 2"]


@pytest.mark.parametrize(
    ("words", "incomplete", "offered"),
    [
        ("artfs artifact show", "", ["a:b", "iris", "iris:1"]),
        ("artfs artifact show", "ir", ["iris", "iris:1"]),
        ("artfs artifact version list", "a", ["a:b"]),
        ("artfs artifact version describe", "iris/", ["iris/1", "iris/v 2", "iris/4", "iris/latest", "iris/@raw"]),
        ("artfs artifact version describe", "iris/v", ["iris/v 2"]),
        ("artfs verify iris/1", "a", ["a:b"]),
        ("artfs artifact register /data", "iris", ["iris", "iris:1"]),
        ("artfs artifact download", "iris/@", ["iris/@raw"]),
        ("artfs artifact diff iris/1", "iris/v", ["iris/v 2"]),
        ("artfs artifact update", "a", ["a:b"]),
        ("artfs artifact tag", "iris/l", ["iris/latest"]),
        ("artfs artifact metadata", "a:b/", ["a:b/1", "a:b/latest"]),
        ("artfs artifact prune a:b", "iris:", ["iris:1"]),
        ("artfs artifact delete", "a", ["a:b"]),
        ("artfs artifact version update", "iris/4", ["iris/4"]),
        ("artfs artifact version delete iris/1", "iris/v", ["iris/v 2"]),
        ("artfs artifact-store describe", "", ["default"]),
        ("artfs artifact-store delete", "d", ["default"]),
        ("artfs stack set", "", ["default"]),
        ("artfs stack describe", "d", ["default"]),
        ("artfs", "un", []),
        ("artfs", "u", ["umount"]),
        ("artfs artifact", "v", ["verify", "version"]),
    ],
)
def test_completion(
    artfs: Callable[..., Result], versions: dict[str, Version], words: str, incomplete: str, offered: list[str]
) -> None:
    assert _completions(artfs, words, incomplete) == offered


def test_completion_makes_no_home(artfs: Callable[..., Result], home: Path) -> None:
    assert _completions(artfs, "artfs artifact show", "") == []
    assert not home.exists()


def test_completion_in_another_home(
    artfs: Callable[..., Result], home: Path, versions: dict[str, Version], tmp_path: Path
) -> None:
    assert _completions(artfs, f"artfs --home {tmp_path / 'none'} artifact show", "") == []


def test_completion_with_a_broken_catalog(artfs: Callable[..., Result], home: Path) -> None:
    home.mkdir()
    (home / "catalog.db").write_bytes(b"broken" * 1000)
    assert _completions(artfs, "artfs artifact show", "") == []


def _completions(artfs: Callable[..., Result], words: str, incomplete: str) -> list[str]:
    """What a zsh would offer."""
    position = str(len(words.split(" ")))
    done = artfs(_ARTFS_COMPLETE="zsh_complete", COMP_WORDS=f'{words} "{incomplete}"', COMP_CWORD=position)
    assert done.stderr == ""
    assert "Traceback" not in done.stdout
    lines = done.stdout.splitlines()
    return [lines[at + 1].replace("\\:", ":") for at in range(0, len(lines), 3) if lines[at] == "plain"]
