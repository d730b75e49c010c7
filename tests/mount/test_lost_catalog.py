"""A mount whose catalog is lost, replaced or an older one: drafts keep what they have, and the status is true."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.drafts import NEVER_BY_ITSELF, QUIET, commit, state, versions
from support.mount import Mount
from support.mount_fixtures import StartMount
from support.stores import stored_files

CONTENT = os.urandom(100_000)

pytestmark = pytest.mark.expected_warnings("does not know version|found the bytes|no draft becomes a version")


@pytest.fixture
def mount(start_mount: StartMount) -> Mount:
    return start_mount(settings=NEVER_BY_ITSELF)


def restore_an_older_catalog(mount: Mount, draft: str) -> None:
    """Seal a draft of a file and one of a folder after a backup, unmount, restore the backup and mount again."""
    (mount.incoming / "before").write_bytes(b"before")
    commit(mount.incoming / "before")
    mount.artfs("catalog", "backup", "backup.db")
    (mount.incoming / draft).mkdir()
    (mount.incoming / draft / "file").write_bytes(CONTENT)
    commit(mount.incoming / draft)
    mount.unmount()
    mount.artfs("catalog", "restore", "backup.db")
    mount.remount()


def test_a_draft_reads_on_after_an_older_catalog_was_restored(mount: Mount) -> None:
    restore_an_older_catalog(mount, "after")
    assert (mount.incoming / "after" / "file").read_bytes() == CONTENT
    assert (mount.incoming / "before").read_bytes() == b"before"
    assert versions(mount, "after") == []


def test_the_status_claims_no_version_that_is_not_there(mount: Mount) -> None:
    restore_an_older_catalog(mount, "after")
    assert state(mount, "before")[0] == "sealed"
    held, why = state(mount, "after")
    assert held == "held"
    assert "it was version 1, which the catalog does not know" in why


def test_such_a_draft_becomes_a_version_again_with_a_number_of_its_own(mount: Mount) -> None:
    restore_an_older_catalog(mount, "after")
    assert commit(mount.incoming / "after") == "2"
    assert (mount.artifacts / "after" / "2" / "file").read_bytes() == CONTENT


def test_no_collection_of_garbage_takes_what_a_draft_needs(mount: Mount) -> None:
    restore_an_older_catalog(mount, "after")
    assert mount.artfs("gc", check=False).returncode == 1
    mount.artfs("catalog", "accept", "forget what is not listed")
    mount.artfs("gc")
    os.posix_fadvise(fd := os.open(mount.incoming / "after" / "file", os.O_RDONLY), 0, 0, os.POSIX_FADV_DONTNEED)
    assert os.read(fd, len(CONTENT)) == CONTENT
    os.close(fd)
    mount.unmount()
    mount.remount()
    assert (mount.incoming / "after" / "file").read_bytes() == CONTENT


def test_a_kill_while_sealing_and_an_older_catalog_take_nothing_from_the_store(mount: Mount) -> None:
    """The record of a draft says that it is being sealed; the newer catalog knows the version."""
    (mount.incoming / "early").write_bytes(b"early")
    commit(mount.incoming / "early")
    mount.artfs("catalog", "backup", "backup.db")
    (mount.incoming / "late").write_bytes(CONTENT)
    commit(mount.incoming / "late")
    mount.unmount()
    [stored] = stored_files(mount.home / "store/late")
    [work] = (mount.home / "mounts").glob("*/work/late")
    work.unlink()
    os.link(stored, work)
    [record] = [file for file in (mount.home / "mounts").glob("*/drafts/*") if "late" in file.read_text()]
    uuid = stored.parent.name
    record.write_text(f'{{"name": "late", "state": "sealing", "uuid": "{uuid}", "version": null, "held": null}}')
    mount.artfs("catalog", "restore", "backup.db")
    mount.remount()
    assert (mount.incoming / "late").read_bytes() == CONTENT
    assert stored.exists() and not stored.samefile(work)


@pytest.mark.parametrize("replace", ["removed", "replaced"])
def test_a_daemon_whose_catalog_is_gone_seals_nothing_and_says_so(start_mount: StartMount, replace: str) -> None:
    mount = start_mount(settings=QUIET)
    (mount.incoming / "first").write_bytes(b"first")
    mount.sync()
    catalog = mount.home / "catalog.db"
    if replace == "replaced":
        mount.artfs("catalog", "backup", mount.base / "backup.db")
        os.rename(mount.base / "backup.db", catalog)
    else:
        catalog.rename(mount.base / "away.db")
    (mount.incoming / "second").write_bytes(b"second")
    mount.wait_until(lambda: state(mount, "second")[0] == "held", "the daemon's noticing")
    assert "was replaced or removed while it was in use" in state(mount, "second")[1]
    done = mount.artfs("commit", mount.incoming / "second", check=False)
    assert done.returncode == 1 and "was replaced or removed" in done.stderr
    assert (mount.artifacts / "first/1/first").read_bytes() == b"first"
    assert not (mount.home / "store/second").exists()
    mount.unmount()
    if replace == "removed":
        (mount.base / "away.db").rename(catalog)
    mount.remount()
    assert commit(mount.incoming / "second") == "1"


def test_a_mount_without_its_catalog_is_refused(mount: Mount) -> None:
    mount.unmount()
    (mount.home / "catalog.db").unlink()
    done = mount.artfs("mount", mount.path, check=False)
    assert done.returncode == 1
    assert "artfs catalog restore FILE" in done.stderr
    assert not Path(mount.home / "catalog.db").exists()
