"""Programs that copy a finished checkpoint into /incoming, file by file in any order, with pauses between the files."""

from __future__ import annotations

import io
import itertools
import os
import random
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from support import replay
from support.campaign import Campaign
from support.replay import Step

PAUSE_SECONDS = 0.25
"""Between two files: shorter than what a unit has to lie still, and than what a folder has to."""
ALL_ORDERS_OF = 5
ORDERS_OF_MORE = 24

Copy = Callable[[Campaign, str, Path, Sequence[str]], None]
"""Copies a folder's files in an order into a draft of a name."""


def orders(files: Sequence[str], seed: int) -> Iterator[Sequence[str]]:
    """All orders of a few files, and some of more."""
    if len(files) <= ALL_ORDERS_OF:
        yield from itertools.permutations(files)
        return
    chance = random.Random(seed)
    for first in range(ORDERS_OF_MORE):
        # Each file comes first, and last, in some.
        others = [name for name in files if name != files[first % len(files)]]
        chance.shuffle(others)
        order = [files[first % len(files)], *others]
        yield order if first % 2 else order[::-1]


def by_tar(campaign: Campaign, draft: str, folder: Path, order: Sequence[str]) -> None:
    """`tar x` of an archive that comes slowly."""
    target = campaign.mount.incoming / draft
    target.mkdir()
    with subprocess.Popen(["tar", "x", "--directory", target], stdin=subprocess.PIPE) as tar:
        assert tar.stdin is not None
        for name in order:
            tar.stdin.write(_member(folder, name))
            tar.stdin.flush()
            time.sleep(PAUSE_SECONDS)
        tar.stdin.write(bytes(tarfile.BLOCKSIZE * 2))
    assert tar.returncode == 0


def by_rsync(campaign: Campaign, draft: str, folder: Path, order: Sequence[str]) -> None:
    """As `rsync -a` does it: each under a temporary name, which is renamed when it has its times and its mode.

    rsync itself brings files in one order only.
    """
    steps: list[Step] = [("mkdir", "@")]
    for name in order:
        path, temporary = f"@/{name}", f"@/{os.path.dirname(name)}/.{os.path.basename(name)}.?"
        steps += [
            ("mkdir", f"@/{os.path.dirname(name)}"),
            ("open", "f", temporary, "x", 0o600),
            ("write", "f", str(folder / name), 0, 1),
            ("close", "f"),
            ("utime", temporary, 1_700_000_000.0),
            ("chmod", temporary, 0o644),
            ("rename", temporary, path),
            ("sleep", PAUSE_SECONDS),
        ]
    _replay(campaign, draft, steps)


def by_cp(campaign: Campaign, draft: str, folder: Path, order: Sequence[str]) -> None:
    """As `cp -r` does it; cp itself brings files in one order only."""
    steps: list[Step] = [("mkdir", "@")]
    for name in order:
        steps += [
            ("mkdir", f"@/{os.path.dirname(name)}"),
            ("open", "f", f"@/{name}", "x"),
            ("write", "f", str(folder / name), 0, 2),
            ("write", "f", str(folder / name), 1, 2),
            ("close", "f"),
            ("sleep", PAUSE_SECONDS),
        ]
    _replay(campaign, draft, steps)


def by_many_cps(campaign: Campaign, draft: str, folder: Path, order: Sequence[str]) -> None:
    """A `cp` for each file."""
    target = campaign.mount.incoming / draft
    target.mkdir()
    for name in order:
        subprocess.run(["cp", "--parents", name, target], cwd=folder, check=True)
        time.sleep(PAUSE_SECONDS)


def lay(folder: Path, files: Mapping[str, str], contents: Path) -> Path:
    """Makes a finished checkpoint on a plain disk."""
    for path, family in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes((contents / f"{family}-1").read_bytes())
    return folder


def contents_of(folder: Path) -> dict[str, bytes]:
    """The bytes of each file in a folder, by its path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _member(folder: Path, name: str) -> bytes:
    """A file as a part of an archive, without the archive's end."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(folder / name, arcname=name)
        end = archive.offset
    return buffer.getvalue()[:end]


def _replay(campaign: Campaign, draft: str, steps: Sequence[Step]) -> None:
    with replay.start(campaign.job(draft, draft[:6], steps)) as copier:
        copier.communicate()
    assert copier.returncode == 0
