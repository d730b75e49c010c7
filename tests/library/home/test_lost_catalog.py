"""A catalog that is missing, empty, replaced or older never leads to removal, and nothing is begun anew in silence."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from artfs.artifacts.delete import delete_artifact, delete_version
from artfs.artifacts.gc import Garbage, gc
from artfs.artifacts.load import load
from artfs.artifacts.prune import apply, plan
from artfs.artifacts.save import save
from artfs.artifacts.verify import verify
from artfs.catalog import Catalog
from artfs.errors import AlreadyExists, CatalogCorrupt, CatalogMissing, CatalogReplaced, HomeError, OlderCatalog
from artfs.home.home import Home
from artfs.home.older_catalog import give_up, is_older
from artfs.workspace.catalog_files import begin_anew, restore
from artfs.workspace.workspace import Workspace
from support.stores import stored_files

OLDER = "the catalog .* does not know version"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A home with a version, closed."""
    with Workspace.open(tmp_path / "home") as workspace:
        save(workspace, "first", "a")
    return tmp_path / "home"


@pytest.fixture
def older(path: Path, tmp_path: Path) -> Iterator[Workspace]:
    """The home after a backup of one version was restored over the catalog of three."""
    with Workspace.open(path) as workspace:
        workspace.catalog.back_up(tmp_path / "backup.db")
        save(workspace, "second", "a")
        save(workspace, "only", "b")
        workspace.catalog.back_up(tmp_path / "newer.db")
    restore(Home(path), tmp_path / "backup.db")
    with Workspace.open(path) as workspace:
        yield workspace


class TestMissing:
    def gone(self, path: Path) -> None:
        (path / "catalog.db").unlink()

    def empty(self, path: Path) -> None:
        (path / "catalog.db").write_bytes(b"")

    def without_tables(self, path: Path) -> None:
        self.gone(path)
        with sqlite3.connect(path / "catalog.db") as database:
            database.execute("VACUUM")

    @pytest.mark.parametrize("lose", [gone, empty, without_tables])
    def test_it_is_an_error_and_nothing_is_made(self, path: Path, lose: Callable[[object, Path], None]) -> None:
        lose(self, path)
        before = sorted(path.rglob("*"))
        with pytest.raises(CatalogMissing, match=r"artfs catalog restore FILE.*artfs init --begin-anew"):
            Workspace.open(path)
        with Workspace(Home(path)) as workspace:
            for use in (lambda: save(workspace, "second", "a"), lambda: gc(workspace)):
                with pytest.raises(CatalogMissing):
                    use()
        assert sorted(path.rglob("*")) == before

    def test_a_new_home_has_none_yet(self, tmp_path: Path) -> None:
        Home(tmp_path / "new").create()
        with Workspace.open(tmp_path / "new") as workspace:
            assert workspace.catalog.versions.count() == 0

    def test_an_identity_that_is_missing_is_not_made_anew(self, path: Path) -> None:
        identity = (path / "identity").read_text()
        (path / "identity").unlink()
        with pytest.raises(HomeError, match=f"echo {identity.strip()} > .*identity makes it the home again"):
            Workspace.open(path)
        (path / "identity").write_text(identity)
        with Workspace.open(path) as workspace:
            assert workspace.catalog.versions.count() == 1


class TestReplaced:
    @pytest.mark.parametrize("replace", [os.unlink, lambda file: shutil.move(file, f"{file}.away")])
    def test_whoever_has_it_open_changes_nothing_any_more(self, path: Path, replace: Callable[[Path], object]) -> None:
        with Workspace.open(path) as workspace:
            assert workspace.catalog.versions.count() == 1
            replace(path / "catalog.db")
            with pytest.raises(CatalogReplaced, match="start this program again"):
                save(workspace, "second", "a")
        assert len(stored_files(path / "store")) == 1

    def test_by_a_restored_one_too(self, path: Path, tmp_path: Path) -> None:
        with Workspace.open(path) as workspace:
            workspace.catalog.back_up(tmp_path / "backup.db")
            restore(Home(path), tmp_path / "backup.db")
            with pytest.raises(CatalogReplaced):
                save(workspace, "second", "a")

    def test_while_it_waited_to_write(self, path: Path, tmp_path: Path) -> None:
        """The save waits for another writer, and the catalog is replaced meanwhile."""
        with Workspace.open(path) as workspace, ThreadPoolExecutor(1) as pool:
            workspace.catalog.back_up(tmp_path / "backup.db")
            with closing(sqlite3.connect(path / "catalog.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                saving = pool.submit(save, workspace, "second", "a")
                while not list((path / "store/a").glob("*/*.artfs-*")) and len(list((path / "store/a").iterdir())) < 2:
                    assert not saving.done()
                for ending in ("", "-wal", "-shm"):
                    os.rename(path / f"catalog.db{ending}", path / f"moved.db{ending}")
                shutil.copyfile(tmp_path / "backup.db", path / "catalog.db")
                other.execute("ROLLBACK")
            with pytest.raises(CatalogReplaced):
                saving.result()


@pytest.mark.expected_warnings(OLDER)
class TestOlder:
    def test_nothing_is_removed(self, older: Workspace) -> None:
        there = stored_files(Path(older.stores.active.root))
        artifact = older.catalog.artifacts.ensure("a")
        [version] = older.catalog.versions.list()
        for remove in (
            lambda: gc(older),
            lambda: gc(older, dry_run=True),
            lambda: apply(older, plan(older, keep_last=0)),
            lambda: delete_version(older, version),
            lambda: delete_artifact(older, artifact),
        ):
            with pytest.raises(OlderCatalog, match=r"artfs catalog restore FILE.*artfs catalog accept"):
                remove()
        assert stored_files(Path(older.stores.active.root)) == there
        assert older.catalog.versions.list() == [version]

    def test_numbers_that_were_given_out_are_not_given_out_again(self, older: Workspace) -> None:
        assert save(older, "third", "a").name == "3"
        assert save(older, "another", "b").name == "2"

    def test_what_others_put_beside_what_the_store_remembers_says_nothing(self, path: Path, tmp_path: Path) -> None:
        with Workspace.open(path) as workspace:
            workspace.catalog.back_up(tmp_path / "backup.db")
            save(workspace, "second", "a")
        numbers = path / "store" / ".artfs" / "numbers"
        (numbers / "folder").mkdir()
        os.mkfifo(numbers / "pipe")
        (numbers / "link").symlink_to("a")
        (numbers / "a ").write_text("7\n")
        (numbers / "much").write_text("9" * 20 + "\n")
        (numbers / "text").write_text("seven\n")
        Path(os.fsdecode(bytes(numbers) + b"/\xff")).write_text("7\n")
        restore(Home(path), tmp_path / "backup.db")
        with Workspace.open(path) as workspace:
            assert save(workspace, "third", "a").number == 3
            assert {row[0] for row in workspace.catalog.engine.query("SELECT name FROM artifact")} == {"a"}

    def test_an_artifact_that_it_does_not_know_is_not_listed(self, older: Workspace) -> None:
        assert older.catalog.artifacts.names() == ["a"]

    def test_it_stays_an_older_one_when_versions_are_made(self, older: Workspace) -> None:
        for _ in range(5):
            save(older, os.urandom(10), "a")
        with Workspace.of(older.home) as again, pytest.raises(OlderCatalog):
            gc(again)

    def test_the_newer_one_makes_all_well_again(self, older: Workspace, tmp_path: Path) -> None:
        assert is_older(older.catalog, older.stores)
        older.close()
        restore(older.home, tmp_path / "newer.db")
        with Workspace.of(Home(older.home.path)) as newer:
            assert not is_older(newer.catalog, newer.stores)
            assert gc(newer) == Garbage()
            assert [load(newer, version) for version in newer.catalog.versions.list()] == ["first", "second", "only"]

    def test_but_not_when_versions_were_made_with_the_older_one(self, older: Workspace, tmp_path: Path) -> None:
        save(older, "third", "a")
        older.close()
        restore(older.home, tmp_path / "newer.db")
        with Workspace.of(Home(older.home.path)) as newer:
            assert is_older(newer.catalog, newer.stores)
            assert save(newer, "fourth", "a").name == "4"

    def test_the_user_may_give_the_others_up(self, older: Workspace) -> None:
        assert give_up(older.catalog, older.stores, older.user) == 1
        assert (gc(older).directories, gc(older).young) == ([], 2)
        for folder in older.home.store_root.glob("*/*"):
            os.utime(folder, (0, 0))
        assert len(gc(older).directories) == 2
        [version] = older.catalog.versions.list()
        assert list(verify(older, [version])) == []

    def test_versions_that_have_a_manifest_stay_even_then(self, path: Path, tmp_path: Path) -> None:
        with Workspace.open(path) as workspace:
            workspace.catalog.back_up(tmp_path / "backup.db")
            version = save(workspace, "second" * 10_000, "a")
        restore(Home(path), tmp_path / "backup.db")
        with Workspace.open(path) as workspace:
            give_up(workspace.catalog, workspace.stores, workspace.user)
            for folder in workspace.home.store_root.glob("*/*"):
                os.utime(folder, (0, 0))
            found = gc(workspace)
            assert found.directories == []
            [folder] = found.unlisted
            assert Path(folder).name == version.uuid.replace("-", "")
            assert stored_files(Path(folder))

    def test_the_catalog_of_another_home_is_no_better(self, path: Path, tmp_path: Path) -> None:
        with Workspace.open(tmp_path / "other") as other:
            other.catalog.back_up(tmp_path / "other.db")
        restore(Home(path), tmp_path / "other.db")
        with Workspace.open(path) as workspace, pytest.raises(OlderCatalog):
            gc(workspace)
        assert len(stored_files(path / "store")) == 1


class TestBackup:
    def test_it_is_the_catalog_of_one_moment_while_others_write(self, path: Path, tmp_path: Path) -> None:
        with Workspace.open(path) as workspace:
            workspace.catalog.back_up(tmp_path / "backup.db")
            save(workspace, "second", "a")
        with Catalog.open(tmp_path / "backup.db", begin=False) as backup:
            assert backup.check() == []
            assert backup.versions.count() == 1

    def test_it_replaces_nothing(self, path: Path, tmp_path: Path) -> None:
        (tmp_path / "taken").write_text("mine")
        with Workspace.open(path) as workspace, pytest.raises(AlreadyExists):
            workspace.catalog.back_up(tmp_path / "taken")
        assert (tmp_path / "taken").read_text() == "mine"

    def test_one_that_is_no_catalog_is_not_restored(self, path: Path, tmp_path: Path) -> None:
        (tmp_path / "notes").write_bytes(b"no catalog" * 1000)
        before = {file: file.stat() for file in path.iterdir() if file.is_file()}
        with pytest.raises(CatalogCorrupt):
            restore(Home(path), tmp_path / "notes")
        with Workspace.open(path) as workspace:
            assert workspace.catalog.versions.count() == 1
        assert {file.name for file in path.iterdir() if file.is_file()} >= {file.name for file in before}
        assert not list(path.glob(".restored*"))

    def test_the_one_before_is_kept(self, path: Path, tmp_path: Path) -> None:
        with Workspace.open(path) as workspace:
            workspace.catalog.back_up(tmp_path / "backup.db")
        before = restore(Home(path), tmp_path / "backup.db")
        assert before is not None
        with Catalog.open(before, begin=False) as kept:
            assert kept.versions.count() == 1

    def test_a_missing_one_is_restored(self, path: Path, tmp_path: Path) -> None:
        with Workspace.open(path) as workspace:
            workspace.catalog.back_up(tmp_path / "backup.db")
        for file in path.glob("catalog.db*"):
            file.unlink()
        assert restore(Home(path), tmp_path / "backup.db") is None
        with Workspace.open(path) as workspace:
            assert list(verify(workspace, workspace.catalog.versions.list())) == []


def test_beginning_anew_moves_everything_aside(path: Path) -> None:
    (path / "config.toml").write_text("quiet_file_seconds = 1\n")
    identity = Home(path).identity
    aside = begin_anew(Home(path))
    assert Home(path).identity != identity
    assert Home(path).config.quiet_file_seconds == 1
    with Workspace.open(path) as workspace:
        assert workspace.catalog.versions.count() == 0
        assert gc(workspace) == Garbage()
    with Workspace.open(aside) as before:
        assert [load(before, version) for version in before.catalog.versions.list()] == ["first"]


def test_a_version_whose_transaction_was_undone_makes_no_catalog_older(path: Path) -> None:
    """What a store remembers is written after the commit."""

    class Stopped(Exception):
        pass

    def undone(workspace: Workspace) -> None:
        with workspace.catalog.transaction():
            save(workspace, "undone", "a")
            raise Stopped

    with Workspace.open(path) as workspace:
        with pytest.raises(Stopped):
            undone(workspace)
        assert not is_older(workspace.catalog, workspace.stores)
        assert save(workspace, "second", "a").name == "2"
    with Workspace.open(path) as workspace:
        assert not is_older(workspace.catalog, workspace.stores)
