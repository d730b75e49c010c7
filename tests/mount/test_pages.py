"""The commands that README.md and docs/operations.md show, one after the other, do what stands beside them."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from artfs.artifacts.save import save
from artfs.workspace.workspace import Workspace
from support.mount import ARTFS

ROOT = Path(__file__).parents[2]
FINETUNE = """
import sys
from pathlib import Path

before, after = (Path(folder) / "weights.safetensors" for folder in sys.argv[1:])
after.write_bytes(before.read_bytes()[::-1])
"""

Type = Callable[[str], "subprocess.CompletedProcess[str]"]


def shown(page: str, title: str) -> list[list[str]]:
    """The commands of each console block of a section."""
    (section,) = re.findall(rf"^## {title}\n(.*?)(?=^## )", (ROOT / page).read_text("utf-8"), re.DOTALL | re.MULTILINE)
    blocks = re.findall(r"^```console\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    return [re.findall(r"^\$ (.*)$", block, re.MULTILINE) for block in blocks]


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a user who has set nothing."""
    monkeypatch.delenv("ARTFS_HOME")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{ARTFS.parent}:{os.environ['PATH']}")
    return tmp_path


@pytest.fixture
def type_(at_home: Path) -> Type:
    """Types a command in that home."""

    def type_(command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["bash", "-c", command], cwd=at_home, capture_output=True, text=True, timeout=120)

    return type_


@pytest.fixture
def unmounted(at_home: Path) -> Iterator[Path]:
    """Where the README mounts; nothing is mounted there afterwards."""
    yield at_home / "art"
    subprocess.run([ARTFS, "umount", at_home / "art"], check=False, capture_output=True)


def test_what_the_readme_shows_of_the_mount(
    fuse_for_everyone: None, type_: Type, at_home: Path, unmounted: Path
) -> None:
    (at_home / "my_model").mkdir()
    header = b'{"w":{"dtype":"U8","shape":[25600],"data_offsets":[0,25600]}}'
    weights = len(header).to_bytes(8, "little") + header + bytes(range(256)) * 100
    (at_home / "my_model/weights.safetensors").write_bytes(weights)
    (at_home / "my_model/config.json").write_text("{}")
    (at_home / "finetune.py").write_text(FINETUNE)
    [commands] = shown("README.md", "What it looks like")
    printed: dict[str, str] = {}
    for command in commands:
        done = type_(command)
        assert done.returncode == (1 if command.startswith("diff") else 0), (command, done.stderr)
        printed[command.partition("#")[0].strip()] = done.stdout
    assert " latest -> 1\n" in printed["ls -l ~/art/artifacts/my_model"]
    assert printed["artfs commit ~/art/incoming/my_model --tag best"] == "my_model/2\n"
    [differ] = [text for command, text in printed.items() if command.startswith("diff")]
    assert "weights.safetensors differ" in differ and "config.json" not in differ
    [checked] = [text for command, text in printed.items() if "b3sum" in command]
    assert checked == "config.json: OK\nweights.safetensors: OK\n"
    assert printed["ls ~/art/lineage/my_model/2/upstream"] == "my_model@1\n"


def test_a_backup_that_is_made_and_restored_as_the_page_says_is_whole(
    type_: Type, at_home: Path, tmp_path: Path
) -> None:
    with Workspace.open() as workspace:
        save(workspace, {"a": 1}, "small", tags=["kept"])
        save(workspace, bytes(100_000), "large")
    (tmp_path / "backup").mkdir()
    _, backup, restore = shown("docs/operations.md", "Back up, restore, move")

    def here(command: str) -> str:
        dated = re.sub(r"catalog-\d{4}-\d\d-\d\d", f"catalog-{datetime.now().astimezone():%F}", command)
        return dated.replace("/mnt/backup", f"{tmp_path}/backup").replace("/new/home", f"{tmp_path}/new/home")

    for command in backup:
        assert type_(here(command)).returncode == 0, command
    done = type_("set -e\n" + "\n".join(map(here, restore)))
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 versions with 2 files" in done.stdout and "are intact" in done.stdout
    assert sorted(path.name for path in (tmp_path / "new/home").iterdir() if "lock" not in path.name) == [
        "catalog.db", "classes.toml", "identity", "manifest.key", "store",
    ]  # fmt: skip
