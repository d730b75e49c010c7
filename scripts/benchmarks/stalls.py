"""`scripts/bench stalls`: how long a listing of `/artifacts` waits while another process lists a large version whole.

The version's rows are made without bytes, since a listing reads none. Beside each listing of the mount stands one of a
folder on the disk of the machine: what that waits for, the machine is busy with, and no daemon.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from benchmarks import report
from benchmarks.mount import BENCH
from benchmarks.peers import discard

ARTFS = Path(sys.executable).with_name("artfs")
WANTED_MS = 100.0
OTHER_ARTIFACTS = 100
FOLDERS = {"one folder": 1, "many folders": 200}


@click.command("stalls")
@click.option("--files", type=click.IntRange(1), default=200_000, show_default=True, help="Files of the version.")
@click.option("--json", "print_json", is_flag=True, help="Print all figures as JSON.")
def command(files: int, print_json: bool) -> None:
    """Time `/artifacts` while `ls -lR` lists a large version and its `.artfs`."""
    BENCH.mkdir(exist_ok=True)
    found: dict[str, Mapping[str, float]] = {}
    with tempfile.TemporaryDirectory(dir=BENCH, prefix="stalls-") as folder:
        home, mount_point = Path(folder, "home"), Path(folder, "mount")
        mount_point.mkdir()
        for name, folders in FOLDERS.items():
            make_version(home, name.replace(" ", "-"), files, folders)
        for name in FOLDERS:
            # Each time anew: nothing is in the memory of the daemon or of the kernel.
            subprocess.run([ARTFS, "--home", home, "mount", mount_point], check=True, stdout=subprocess.DEVNULL)
            try:
                found[name] = waits(mount_point, name.replace(" ", "-"), Path(folder))
                subprocess.run([ARTFS, "umount", mount_point], check=True, stdout=subprocess.DEVNULL)
            finally:
                discard(mount_point)
    machine = report.machine_line(BENCH)
    if print_json:
        click.echo(json.dumps({"machine": machine, "files": files, "wanted_ms": WANTED_MS, **found}, indent=2))
        return
    click.echo(f"{machine}\nA version of {files:,} files is listed whole (`ls -lR`, also its .artfs) by one process,")
    click.echo(f"and `/artifacts` in a loop by another. No call of the latter should take {WANTED_MS:.0f} ms.")
    for name, figures in found.items():
        click.echo(f"\n{name}: " + ", ".join(f"{key} {value:,.1f}" for key, value in figures.items()))


def make_version(home: Path, artifact: str, files: int, folders: int) -> None:
    """Make a version of so many files in so many folders, each of other content; and small artifacts beside it."""
    from artfs.catalog.blobs import Place
    from artfs.catalog.new_version import NewContents, NewVersion
    from artfs.content.digest import FileDigest, hash_bytes
    from artfs.content.tree import Entry, EntryKind, Tree
    from artfs.workspace.workspace import Workspace

    def entries(count: int) -> Any:
        for number in range(count):
            content = b"%d" % number
            path = b"%04d/%07d.bin" % (number % folders, number) if folders > 1 else b"%07d.bin" % number
            yield path, Entry(b"-", EntryKind.FILE, 0o644, 7, file=FileDigest(hash_bytes(content), len(content)))

    with Workspace.open(home) as workspace:
        store_id = workspace.stores.active.id
        for name, count in ((artifact, files), *((f"{artifact}-{at}", 1) for at in range(OTHER_ARTIFACTS))):
            tree = Tree.from_files(dict(entries(count)), mtime_ns=7)
            places = {
                entry.file.digest: Place(b"made-without-bytes/" + path, store_id=store_id)
                for path, entry in tree.walk()
                if entry.file is not None
            }
            workspace.catalog.versions.create(NewVersion(name, tree, str(uuid.uuid4())), NewContents(places))


def waits(mount_point: Path, artifact: str, beside: Path) -> dict[str, float]:
    """List the version in another process, and meanwhile `/artifacts` and a folder on the disk."""
    version = mount_point / "artifacts" / artifact / "1"
    mounted: list[float] = []
    native: list[float] = []
    begun = time.perf_counter()
    lister = subprocess.Popen(["ls", "-lR", version, version / ".artfs"], stdout=subprocess.DEVNULL)
    while lister.poll() is None:
        native.append(_milliseconds(beside))
        mounted.append(_milliseconds(mount_point / "artifacts"))
    if lister.returncode:
        raise click.ClickException(f"ls -lR ended with {lister.returncode}")
    mounted.sort()
    return {
        "seconds of ls -lR": time.perf_counter() - begun,
        "calls": len(mounted),
        "median ms": mounted[len(mounted) // 2],
        "99 % ms": mounted[len(mounted) * 99 // 100],
        "longest ms": mounted[-1],
        "longest ms on the disk": max(native),
    }


def _milliseconds(folder: Path) -> float:
    begun = time.perf_counter()
    os.listdir(folder)
    return (time.perf_counter() - begun) * 1e3
