"""A real tree (Python's standard library and some of the worst names there are) copied in, read back and compared."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch

from support.mount import Mount

SPARSE_SIZE = 2 * 2**30


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The standard library, links, empty files, deep folders, odd names, a sparse file, files of the usual tools."""
    root = tmp_path_factory.mktemp("source") / "real tree"
    shutil.copytree(
        sysconfig.get_path("stdlib"), root / "stdlib", symlinks=True, ignore=shutil.ignore_patterns("site-packages")
    )
    odd = root / "odd"
    odd.mkdir()
    (odd / "name with spaces").write_text("spaces")
    (odd / "back\\slash and\nnewline").write_text("newline")
    Path(os.fsdecode(bytes(odd) + b"/not utf-8 \xff\xfe")).write_text("bytes")
    (odd / "empty").touch()
    (odd / "executable").write_text("#!/bin/sh\n")
    (odd / "executable").chmod(0o755)
    (odd / "relative link").symlink_to("name with spaces")
    (odd / "dangling").symlink_to("/nowhere/at/all")
    (odd / "link to a folder").symlink_to("../stdlib/json")
    deep = odd
    for level in range(40):
        deep = deep / f"level {level}"
    deep.mkdir(parents=True)
    (deep / "bottom").write_text("deep")
    with open(odd / "sparse", "wb") as file:
        file.seek(SPARSE_SIZE - 1)
        file.write(b"\0")
    _write_formats(root / "formats")
    for path in (odd / "empty", odd / "sparse"):
        os.utime(path, ns=(1_234_567_890_123_456_789, 1_234_567_890_123_456_789))
    return root


@pytest.fixture(scope="module")
def tree(module_mount: Mount, source: Path) -> Path:
    """The version that a `cp -r` made of it."""
    module_mount.run(["cp", "-r", "--preserve=mode,timestamps", source, module_mount.incoming / "x"])
    module_mount.commit("x")  # by itself it is held: one of its links leads to what is not there
    return module_mount.artifacts / "x" / "latest"


def test_diff_finds_no_difference(tree: Path, source: Path) -> None:
    found = subprocess.run(
        ["diff", "-r", "--no-dereference", source, f"{tree}/"], capture_output=True, text=True, errors="replace"
    )
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


def test_modes_and_times_are_kept(tree: Path, source: Path) -> None:
    def facts(root: Path) -> dict[str, tuple[object, ...]]:
        return {os.path.relpath(path, root): _kept(path) for path in _all(root)}

    assert facts(tree) == facts(source)


def test_b3sum_agrees(tree: Path) -> None:
    found = subprocess.run(["b3sum", "--check", "--quiet", ".artfs/B3SUMS"], cwd=tree, capture_output=True, text=True)
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


def test_the_working_copy_is_still_there(module_mount: Mount, tree: Path, source: Path) -> None:
    draft = module_mount.incoming / "x"
    found = subprocess.run(["diff", "-r", "--no-dereference", source / "odd", draft / "odd"], capture_output=True)
    assert found.returncode == 0
    assert stat.S_IMODE((draft / "odd" / "executable").stat().st_mode) == 0o755


def test_rsync_makes_an_equal_copy(tree: Path, source: Path, tmp_path: Path) -> None:
    subprocess.run(["rsync", "-a", f"{tree}/odd/", f"{source}/formats", tmp_path, "--exclude", "sparse"], check=True)
    again = subprocess.run(
        ["rsync", "-a", "--dry-run", "--itemize-changes", "--exclude", "sparse", f"{tree}/odd/", tmp_path],
        check=True,
        capture_output=True,
    )
    assert again.stdout == b""


def test_tar_holds_what_is_there(tree: Path, source: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive.tar"
    subprocess.run(["tar", "-C", tree, "-cf", archive, "stdlib/email", "odd/name with spaces", "formats"], check=True)
    subprocess.run(["tar", "-C", tmp_path, "-xf", archive], check=True)
    subprocess.run(["diff", "-r", source / "stdlib" / "email", tmp_path / "stdlib" / "email"], check=True)


def test_du_and_find_count_right(tree: Path, source: Path) -> None:
    def apparent(root: Path) -> int:
        return int(
            subprocess.run(["du", "-sb", "--", root / "stdlib"], check=True, capture_output=True).stdout.split()[0]
        )

    directories = sum(1 for path in _all(source / "stdlib") if path.is_dir() and not path.is_symlink()) + 1
    sizes = sum(path.lstat().st_size for path in _all(source / "stdlib") if path.is_file() or path.is_symlink())
    assert apparent(tree) == sizes
    found = subprocess.run(["find", tree / "stdlib", "-type", "d"], check=True, capture_output=True).stdout
    assert len(found.splitlines()) == directories


def test_usual_tools_read_their_formats(tree: Path) -> None:
    formats = tree / "formats"
    with closing(sqlite3.connect(f"file:{formats}/file.db?immutable=1", uri=True)) as database:
        assert database.execute("SELECT sum(x) FROM t").fetchone() == (4950,)
    shell = subprocess.run(
        ["sqlite3", f"file:{formats}/file.db?immutable=1", "SELECT count(*) FROM t"], capture_output=True
    )
    assert shell.stdout.strip() == b"100"
    array = np.load(formats / "array.npy", mmap_mode="r")
    assert isinstance(array, np.memmap)
    assert array.sum() == np.arange(3_000_000).sum()
    tensors = safetensors.numpy.load_file(formats / "model.safetensors")
    assert tensors["weight"].shape == (1000, 300)
    state = torch.load(formats / "model.pt", mmap=True, weights_only=True)
    assert torch.equal(state["weight"], torch.arange(300_000.0))


def test_an_equal_copy_is_no_new_version(module_mount: Mount, tree: Path, source: Path) -> None:
    before = os.readlink(tree)
    module_mount.run(["cp", "-r", "--preserve=mode,timestamps", f"{source}/odd", module_mount.incoming / "x"])
    module_mount.commit("x")
    assert os.readlink(tree) == before


def _write_formats(folder: Path) -> None:
    folder.mkdir()
    database = sqlite3.connect(folder / "file.db")
    database.execute("CREATE TABLE t (x INTEGER)")
    database.executemany("INSERT INTO t VALUES (?)", [(x,) for x in range(100)])
    database.commit()
    database.close()
    np.save(folder / "array.npy", np.arange(3_000_000))
    safetensors.numpy.save_file({"weight": np.ones((1000, 300))}, folder / "model.safetensors")
    torch.save({"weight": torch.arange(300_000.0)}, folder / "model.pt")


def _all(root: Path) -> Iterator[Path]:
    for folder, directories, files in os.walk(root):
        for name in directories + files:
            yield Path(folder, name)


def _kept(path: Path) -> tuple[object, ...]:
    """What of a file's status a version keeps: kind, whether it is executable, size, and when it was written."""
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return "link", os.readlink(path)
    if stat.S_ISDIR(status.st_mode):
        return "directory", status.st_mtime_ns
    return "file", bool(status.st_mode & 0o111), status.st_size, status.st_mtime_ns
