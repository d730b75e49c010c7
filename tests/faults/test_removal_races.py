"""Versions are made of the very bytes that others are just removing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from artfs.artifacts.gc import Garbage
from artfs.artifacts.verify import verify
from artfs.client import Client
from support.programs import all_ended

SAVES = 300

SAVE = f"""
import sys
from artfs import save_artifact
for number in range({SAVES}):
    save_artifact([number % 3, b"shared" * (number % 2)], name=f"artifact {{number % 4}}")
"""


@pytest.mark.timeout(200)
def test_saves_prunes_and_collections_at_once(home: Path) -> None:
    client = Client()
    workspace = client.workspace
    savers = [subprocess.Popen([sys.executable, "-c", SAVE], stderr=subprocess.PIPE) for _ in range(2)]
    removed = 0
    with all_ended(*savers):
        while any(saver.poll() is None for saver in savers):
            removed += len(client.prune_artifacts(keep_last=0).versions)
            assert client.collect_garbage().errors == []
        for saver in savers:
            assert saver.communicate()[1] == b""
            assert saver.returncode == 0
    assert removed > 0
    assert list(verify(workspace, workspace.catalog.versions.list())) == []
    assert workspace.catalog.versions.count(purged=True) == 2 * SAVES
    client.prune_artifacts(keep_last=0)
    assert list(workspace.stores.active.places()) == []
    assert client.collect_garbage() == Garbage()
