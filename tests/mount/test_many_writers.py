"""Programs that write, rename and remove at once, while their drafts become versions, get what a directory gives."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import random_writer
from support.drafts import drafts, mount_for_a_module
from support.mount import Mount
from support.programs import all_ended

SEED = 20261121
STEPS = 400


@pytest.fixture(scope="module")
def mount(fuse_for_everyone: None) -> Iterator[Mount]:
    yield from mount_for_a_module({"quiet_file_seconds": 0.2, "quiet_directory_seconds": 0.2})


def test_two_writers(mount: Mount, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    (tmp_path / "plain").mkdir()
    writers = [_start(mount, tmp_path / "plain", name, chance.randrange(2**32)) for name in ("one", "two")]
    with all_ended(*writers):
        assert [writer.wait(120) for writer in writers] == [0, 0]
    assert_same(mount, tmp_path / "plain")
    mount.sync()
    assert {draft["state"] for draft in drafts(mount).values()} == {"sealed"}
    assert_same(mount, tmp_path / "plain")
    for draft in (tmp_path / "plain").iterdir():
        subprocess.run(["diff", "-r", draft, f"{mount.artifacts}/{draft.name}/latest/"], check=True)
    files = [path for path in mount.artifacts.rglob("*") if path.is_file()]
    assert len(files) > STEPS / 10
    assert [path for path in files if not random_writer.is_whole(path.read_bytes())] == []
    mount.artfs("verify", "--all")


def assert_same(mount: Mount, plain: Path) -> None:
    subprocess.run(["diff", "-r", "--no-dereference", plain, mount.incoming], check=True)


def _start(mount: Mount, plain: Path, name: str, seed: int) -> subprocess.Popen[bytes]:
    where = [mount.incoming, plain]
    return subprocess.Popen([sys.executable, random_writer.__file__, *where, name, str(seed), str(STEPS)])
