"""A home that was moved, copied or restored elsewhere, or that cannot be written, works where it is."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE

import pytest

from artfs.artifacts.delete import delete_version
from artfs.artifacts.gc import gc
from artfs.artifacts.load import load
from artfs.artifacts.save import save
from artfs.artifacts.verify import verify
from artfs.errors import StoreError
from artfs.stores.mark import MARK
from artfs.workspace.registration import register_store
from artfs.workspace.stacks import activate_stack, register_stack
from artfs.workspace.workspace import Workspace
from support.mount import ARTFS
from support.stores import stored_files

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")


@pytest.fixture
def used(tmp_path: Path) -> Path:
    """A home with a version, closed."""
    with Workspace.open(tmp_path / "used") as workspace:
        save(workspace, {"b": 2}, "b")
    return tmp_path / "used"


@contextmanager
def shown_read_only(what: Path, at: Path) -> Iterator[Path]:
    """A folder at a place, its own or another, as if it were on a file system that is mounted read-only."""
    at.mkdir(exist_ok=True)
    subprocess.run(["mount", "--bind", what, at], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", at], check=True)
        yield at
    finally:
        subprocess.run(["umount", at], check=True)


def is_whole(path: Path) -> bool:
    """Whether all versions of a home can be read where it is, and one more can be made."""
    with Workspace.open(path) as workspace:
        versions = workspace.catalog.versions.list()
        assert [load(workspace, version) for version in versions] == [{"b": 2}] * len(versions)
        save(workspace, {"b": 2}, "b")
        assert all(file.is_relative_to(path) for file in stored_files(Path(workspace.stores.active.root)))
        return versions != [] and not list(verify(workspace, versions))


def made_by_the_first_release(path: Path) -> None:
    """Turn a home into one whose catalog has full paths, and whose store has an attribute for a mark."""
    with sqlite3.connect(path / "catalog.db") as database:
        database.execute("UPDATE store SET root = ?, options = '{}', layout = NULL", (str(path / "store"),))
    identity = (path / "identity").read_text().strip()
    shutil.rmtree(path / "store/.artfs")
    os.setxattr(path / "store", "user.artfs.catalog", os.fsencode(f"{identity} {path.resolve()}"))


class TestMoved:
    def test_it_works_at_its_new_place(self, used: Path, tmp_path: Path) -> None:
        used.rename(tmp_path / "new")
        assert is_whole(tmp_path / "new")

    def test_also_if_the_first_release_made_it(self, used: Path, tmp_path: Path) -> None:
        made_by_the_first_release(used)
        used.rename(tmp_path / "new")
        assert is_whole(tmp_path / "new")
        with sqlite3.connect(tmp_path / "new/catalog.db") as database:
            assert database.execute("SELECT root FROM store").fetchall() == [("store",)]

    def test_stores_beside_it_stay_its_own(self, used: Path, tmp_path: Path) -> None:
        with Workspace.open(used) as workspace:
            register_store(workspace, "disk", "local", str(tmp_path / "disk"))
        used.rename(tmp_path / "new")
        with Workspace.open(tmp_path / "new") as workspace:
            workspace.stores.check_own(workspace.stores.by_name("disk"))


class TestCopied:
    @pytest.mark.parametrize("first_release", [False, True])
    @pytest.mark.parametrize("options", [["-a"], ["-r"]])
    def test_it_reads_and_keeps_its_own_bytes(
        self, used: Path, tmp_path: Path, options: list[str], first_release: bool
    ) -> None:
        if first_release:
            made_by_the_first_release(used)
        subprocess.run(["cp", *options, used, tmp_path / "copy"], check=True)
        shutil.rmtree(used / "store/b")  # whatever becomes of the first one
        assert is_whole(tmp_path / "copy")

    @pytest.mark.parametrize("first_release", [False, True])
    def test_what_it_removes_stays_in_the_first_one(self, used: Path, tmp_path: Path, first_release: bool) -> None:
        if first_release:
            made_by_the_first_release(used)
        subprocess.run(["cp", "-a", used, tmp_path / "copy"], check=True)
        with Workspace.open(tmp_path / "copy") as copy:
            [version] = copy.catalog.versions.list()
            delete_version(copy, version)
            gc(copy)
            assert stored_files(tmp_path / "copy/store") == []
        assert is_whole(used)

    @pytest.mark.expected_warnings("could not be (removed|replaced|synced) yet: .* belongs to another home")
    def test_stores_beside_it_are_the_first_ones(self, used: Path, tmp_path: Path) -> None:
        with Workspace.open(used) as workspace:
            register_store(workspace, "disk", "local", str(tmp_path / "disk"))
            register_stack(workspace, "disk", "disk")
            activate_stack(workspace, "disk")
            save(workspace, "on the disk", "d")
        subprocess.run(["cp", "-a", used, tmp_path / "copy"], check=True)
        with Workspace.open(tmp_path / "copy") as copy:
            [version] = copy.catalog.versions.list(copy.catalog.artifacts.ensure("d").id)
            assert load(copy, version) == "on the disk"
            delete_version(copy, version)
            with pytest.raises(StoreError, match="belongs to another home"):
                save(copy, "more", "d")
        assert len(stored_files(tmp_path / "disk")) == 1


class TestReadOnly:
    """The user who reads may write nothing: another user here, as root may write everywhere."""

    SCRIPT = """
import sys
from artfs.workspace.workspace import Workspace
from artfs.artifacts.load import load
with Workspace.open() as workspace:
    print([load(workspace, version) for version in workspace.catalog.versions.list()])
"""

    def read(self, home: Path, *command: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "ARTFS_HOME": str(home)}
        return subprocess.run(
            [*command, sys.executable, "-c", self.SCRIPT], env=environment, capture_output=True, text=True, check=False
        )

    @pytest.fixture
    def read_only(self, used: Path) -> Iterator[Path]:
        with shown_read_only(used, used):
            yield used

    @needs_root
    def test_a_version_has_a_directory(self, read_only: Path) -> None:
        command = [ARTFS, "--home", read_only, "artifact", "path", "b"]
        directory = Path(subprocess.run(command, stdout=PIPE, text=True, check=True).stdout.rstrip())
        assert [path.name for path in directory.iterdir() if path.name != ".artfs"] == ["data.json"]

    @needs_root
    def test_it_is_read_and_listed(self, read_only: Path) -> None:
        assert self.read(read_only).stdout == "[{'b': 2}]\n"
        listed = subprocess.run([ARTFS, "--home", read_only, "artifact", "list"], stdout=PIPE, text=True, check=True)
        assert listed.stdout.startswith("b\t1\t")

    @needs_root
    def test_a_log_that_a_copy_brought_along_is_read_too(self, used: Path, tmp_path: Path) -> None:
        """A copy of a catalog in use has what was committed last in its log, and no shared memory."""
        copy = tmp_path / "copy"
        with Workspace.open(used) as workspace:
            save(workspace, {"b": 2}, "later")
            shutil.copytree(used, copy, ignore=shutil.ignore_patterns("*-shm"))
        assert (copy / "catalog.db-wal").stat().st_size
        with shown_read_only(copy, copy):
            assert self.read(copy).stdout == "[{'b': 2}, {'b': 2}]\n"

    @needs_root
    def test_what_is_saved_meanwhile_through_another_way_is_seen(self, used: Path, tmp_path: Path) -> None:
        """A read-only bind mount of a home in use."""
        with shown_read_only(used, tmp_path / "view") as view, Workspace.open(view) as reading:
            assert reading.catalog.versions.count() == 1
            with Workspace.open(used) as writing:
                save(writing, {"b": 2}, "b")
                assert reading.catalog.versions.count() == 2
            assert reading.catalog.versions.count() == 2

    @needs_root
    def test_a_snapshot_at_another_path_is_intact(self, used: Path, tmp_path: Path) -> None:
        """A backup that is mounted: its store's mark says where the home was; small files cannot be synced."""
        with Workspace.open(used) as workspace:
            workspace.syncing.sync()
            save(workspace, {"b": 2}, "later")
        with shown_read_only(used, tmp_path / "view") as view:
            done = subprocess.run([ARTFS, "--home", view, "verify", "--all"], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert "intact" in done.stdout

    @needs_root
    def test_settings_say_why_not(self, read_only: Path) -> None:
        done = subprocess.run([ARTFS, "--home", read_only, "stack", "set", "default"], stderr=PIPE, text=True)
        why = f"cannot write {read_only}/config.toml: Read-only file system; allow it, or use another home"
        assert (done.returncode, done.stderr) == (1, f"artfs: {why}\n")

    @needs_root
    def test_saving_says_why_not(self, read_only: Path) -> None:
        script = "from artfs import save_artifact; save_artifact(1, 'x')"
        environment = {**os.environ, "ARTFS_HOME": str(read_only)}
        done = subprocess.run([sys.executable, "-c", script], env=environment, stderr=PIPE, text=True, check=False)
        assert done.stderr.splitlines()[-1].endswith("cannot be written, only read: use another one")


class TestMark:
    @pytest.mark.expected_warnings("small files could not be synced yet: .* is its disk mounted")
    def test_a_store_without_its_mark_is_not_the_store(self, used: Path) -> None:
        (used / "store" / MARK).unlink()
        (used / "store/b").rename(used / "elsewhere")  # an unmounted disk shows nothing of it
        with Workspace.open(used) as workspace:
            [version] = workspace.catalog.versions.list()
            for use in (
                lambda: load(workspace, version),
                lambda: save(workspace, 1, "c"),
                lambda: workspace.stores.active.listdir(""),
            ):
                with pytest.raises(StoreError, match="is its disk mounted"):
                    use()
            [damage] = verify(workspace, [version])
            assert "is its disk mounted" in damage.reason
        assert os.listdir(used / "store") == [".artfs"]

    @pytest.mark.expected_warnings("could not be (removed|replaced|synced) yet: .* is its disk mounted")
    def test_what_could_not_be_removed_is_removed_later(self, used: Path) -> None:
        (used / "store").rename(used / "away")
        (used / "store").mkdir()
        with Workspace.open(used) as workspace:
            [version] = workspace.catalog.versions.list()
            delete_version(workspace, version)
            assert len(gc(workspace).errors) == 2
        assert len(stored_files(used / "away")) == 1
        (used / "store").rmdir()
        (used / "away").rename(used / "store")
        with Workspace.open(used) as workspace:
            assert gc(workspace).files == 1
        assert stored_files(used / "store") == []

    def test_the_store_of_another_home_in_its_place_is_refused(self, used: Path, tmp_path: Path) -> None:
        with Workspace.open(tmp_path / "other") as other:
            save(other, {"b": 2}, "b")
        (used / "store").rename(used / "away")
        (tmp_path / "other/store").rename(used / "store")
        with Workspace.open(used) as workspace, pytest.raises(StoreError, match="another artifact store is at"):
            workspace.stores.active.open_place(b"b/file")

    @pytest.mark.expected_warnings("small files could not be synced yet: another artifact store is at")
    def test_also_by_a_process_that_has_the_store_open(self, used: Path, tmp_path: Path) -> None:
        with Workspace.open(tmp_path / "other") as other:
            save(other, {"b": 2}, "b")
        with Workspace.open(used) as workspace:
            [version] = workspace.catalog.versions.list()
            save(workspace, 1, "c")
            (used / "store").rename(used / "away")
            (tmp_path / "other/store").rename(used / "store")
            for use in (lambda: save(workspace, 2, "c"), lambda: load(workspace, version)):
                with pytest.raises(StoreError, match="another artifact store is at"):
                    use()
            assert gc(workspace).errors != []
        assert len(stored_files(used / "store")) == 1

    @needs_root
    def test_a_root_that_is_a_mount_point_is_noticed_when_its_disk_is_away(self, used: Path, tmp_path: Path) -> None:
        disk, point = tmp_path / "disk", tmp_path / "point"
        disk.mkdir()
        point.mkdir()
        subprocess.run(["mount", "--bind", disk, point], check=True)
        with Workspace.open(used) as workspace:
            register_store(workspace, "disk", "local", str(point))
            register_stack(workspace, "disk", "disk")
            activate_stack(workspace, "disk")
            save(workspace, "first", "c")
        subprocess.run(["umount", point], check=True)
        with Workspace.open(used) as workspace, pytest.raises(StoreError, match="is its disk mounted"):
            save(workspace, "second", "c")
        assert os.listdir(point) == []

    def test_a_store_of_the_first_release_gets_its_mark_only_where_its_bytes_are(self, used: Path) -> None:
        made_by_the_first_release(used)
        (used / "store").rename(used / "away")
        (used / "store").mkdir()
        with Workspace.open(used) as workspace, pytest.raises(StoreError, match="is its disk mounted"):
            workspace.stores.active.listdir("")
        assert os.listdir(used / "store") == []

    def test_one_that_is_still_empty_gets_no_second_mark(self, used: Path, tmp_path: Path) -> None:
        with Workspace.open(used) as workspace:
            register_store(workspace, "disk", "local", str(tmp_path / "disk"))
            register_stack(workspace, "disk", "disk")
            activate_stack(workspace, "disk")
        shutil.rmtree(tmp_path / "disk")
        (tmp_path / "disk").mkdir()
        with Workspace.open(used) as workspace, pytest.raises(StoreError, match="is its disk mounted"):
            save(workspace, 1, "c")
