"""`artfs catalog` and `artfs init --begin-anew`: what cannot be undone needs words."""

from __future__ import annotations

from pathlib import Path

import pytest

from artfs import save_artifact
from artfs.artifacts.save import save
from artfs.workspace.workspace import Workspace
from cli.conftest import Run


@pytest.fixture
def backup(run: Run, home: Path, tmp_path: Path) -> Path:
    """A backup of a catalog with one version, after which another was made."""
    save_artifact("first", "a")
    assert run("catalog", "backup", str(tmp_path / "backup.db")).stdout.startswith("backed up ")
    with Workspace.open(home) as workspace:
        save(workspace, "second", "a")
    return tmp_path / "backup.db"


@pytest.mark.expected_warnings("does not know version")
def test_a_restored_catalog_is_accepted_in_words_only(run: Run, home: Path, backup: Path) -> None:
    restored = run("catalog", "restore", str(backup))
    assert restored.stdout.startswith(f"restored {home}/catalog.db with 1 artifacts; the one before is {home}/catalog-")
    refused = run("gc")
    assert refused.exit_code == 1 and "artfs catalog accept" in refused.stderr
    asked = run("catalog", "accept")
    assert asked.exit_code == 2 and "artfs catalog accept 'forget what is not listed'" in asked.stderr
    assert run("catalog", "accept", "forget what is not listed").exit_code == 0
    assert run("gc").exit_code == 0
    assert run("verify", "--all").exit_code == 0


def test_a_backup_that_is_not_there_is_one_line(run: Run, backup: Path) -> None:
    result = run("catalog", "restore", "nowhere.db")
    assert (result.exit_code, result.stderr) == (
        1,
        "artfs: there is no file 'nowhere.db': name the backup of a catalog\n",
    )


def test_a_home_is_begun_anew_in_words_only(run: Run, home: Path, backup: Path) -> None:
    for words in ([], ["yes"]):
        asked = run("init", "--begin-anew", *words)
        assert asked.exit_code == 2 and "artfs init --begin-anew 'forget all versions'" in asked.stderr
    assert run("verify", "--all").stdout.startswith("2 versions")
    done = run("init", "--begin-anew", "forget all versions")
    assert done.stdout.startswith(f"made a new artfs home at {home}; what was there before is in {home}/before-")
    assert run("artifact", "list").stdout == ""
