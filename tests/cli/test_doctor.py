"""`artfs doctor` finds what is wrong and says what to do; what is right is not called wrong."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import Result

from artfs import save_artifact
from artfs.catalog import Catalog
from artfs.cli import checks
from artfs.cli.checks import Level
from artfs.home.home import Home
from artfs.linux import mounts
from artfs.workspace.current import current_workspace
from support.mount import ARTFS

Run = Callable[..., Result]


def test_every_check_is_told(run: Run, home: Path) -> None:
    run("init")
    result = run("doctor", "--json")
    found = {check["name"]: check for check in json.loads(result.stdout)}
    assert set(found) >= {
        "python", "pyfuse3", "fusermount3", "/dev/fuse", "user_allow_other", "home", "disk space", "file system",
        "extended attributes", "mounts", "drafts", "catalog",
    }  # fmt: skip
    assert [name for name in ("python", "home", "catalog", "extended attributes") if found[name]["level"] != "ok"] == []
    assert all(check["advice"] for check in found.values() if check["level"] == "fail")


def test_lines_and_exit_code(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        checks.Check("one", Level.OK, "fine"),
        checks.Check("two", Level.WARN, "not so fine", "look at it"),
    ]
    monkeypatch.setattr("artfs.cli.doctor.all_checks", lambda home: iter(found))
    assert run("doctor").stdout == "ok    one: fine\nwarn  two: not so fine; look at it\n"
    assert run("doctor").exit_code == 0
    found.append(checks.Check("three", Level.FAIL, "bad", "mend it"))
    assert run("doctor").stdout.endswith("fail  three: bad; mend it\n")
    assert run("doctor").exit_code == 1


def test_it_makes_no_home(run: Run, home: Path) -> None:
    assert f"warn  home: none at {home} yet; make it: artfs init" in run("doctor").stdout
    assert not home.exists()


def test_a_catalog_that_is_damaged(home: Path) -> None:
    Home(home).create()
    (home / "catalog.db").write_bytes(b"nothing" * 1000)
    check = checks.catalog(Home(home))
    assert check.level is Level.FAIL
    assert "restore it from a backup" in check.message


@pytest.mark.parametrize("content", [None, b""])
def test_a_catalog_that_is_missing_or_empty_is_not_begun_anew(run: Run, home: Path, content: bytes | None) -> None:
    run("init")
    (home / "catalog.db").unlink()
    if content is not None:
        (home / "catalog.db").write_bytes(content)
    before = sorted(home.rglob("*"))
    check = checks.catalog(Home(home))
    assert check.level is Level.FAIL
    assert "artfs catalog restore FILE" in check.message
    assert run("doctor").exit_code == 1
    words = {"_ARTFS_COMPLETE": "bash_complete", "COMP_WORDS": "artfs artifact show ", "COMP_CWORD": "3"}
    subprocess.run([ARTFS], env={**os.environ, **words}, check=True)
    assert sorted(home.rglob("*")) == before
    assert content is None or (home / "catalog.db").read_bytes() == content


def test_a_store_that_is_away(home: Path) -> None:
    save_artifact("content", "a")
    current_workspace().close()
    (home / "store").rename(home / "away")
    (home / "store").mkdir()
    [check] = checks.stores(Home(home))
    assert check.level is Level.FAIL
    assert "is its disk mounted" in check.message


@pytest.mark.expected_warnings("does not know version")
def test_an_older_catalog(run: Run, home: Path, tmp_path: Path) -> None:
    run("init")
    run("catalog", "backup", str(tmp_path / "backup.db"))
    save_artifact("content", "a")
    current_workspace().close()
    run("catalog", "restore", str(tmp_path / "backup.db"))
    [check] = checks.stores(Home(home))
    assert check.level is Level.FAIL
    assert "an older catalog was restored" in check.message


def test_rows_that_refer_to_nothing(run: Run, home: Path) -> None:
    run("init")
    with Catalog.open(home / "catalog.db") as catalog:
        insert = "INSERT INTO pin (version_id, reason, created_us) VALUES (77, 'x', 0)"
        catalog.engine.execute("PRAGMA foreign_keys = OFF")
        catalog.engine.execute(insert)
    result = run("catalog", "check")
    assert (result.exit_code, result.stdout) == (1, "pin row 77 refers to no version\n")
    assert json.loads(run("catalog", "check", "--json").stdout) == ["pin row 77 refers to no version"]


def test_a_sound_catalog_is_told(run: Run, home: Path) -> None:
    run("init")
    result = run("catalog", "check")
    assert (result.exit_code, result.stdout) == (0, f"{home}/catalog.db is sound\n")


def test_user_allow_other(tmp_path: Path) -> None:
    configuration = tmp_path / "fuse.conf"
    assert checks.allow_other(configuration).level is Level.WARN
    configuration.write_text("# user_allow_other\n#user_allow_other\n")
    assert checks.allow_other(configuration).level is Level.WARN
    configuration.write_text("mount_max = 10\n  user_allow_other\n")
    assert checks.allow_other(configuration).level is Level.OK


def test_the_fuse_device(tmp_path: Path) -> None:
    assert checks.fuse_device(Path("/dev/null")).level is Level.OK
    missing = checks.fuse_device(tmp_path / "fuse")
    assert (missing.level, missing.message) == (Level.FAIL, "No such file or directory")
    assert "modprobe fuse" in missing.advice
    (tmp_path / "fuse").touch()
    assert checks.fuse_device(tmp_path / "fuse").message == "it is not a device"


def test_fusermount_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert checks.fusermount() == checks.Check(
        "fusermount3", Level.FAIL, "it is not there", "install it: apt install fuse3"
    )


def test_fusermount_without_its_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "fusermount3"
    program.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert checks.fusermount().advice == f"as root: chmod u+s {program}"
    program.chmod(0o4755)
    assert checks.fusermount().level is Level.OK


@pytest.mark.parametrize(("free", "level"), [(10 * 2**20, Level.FAIL), (2**30, Level.WARN), (2**40, Level.OK)])
def test_disk_space(home: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: Level) -> None:
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    assert checks.disk_space(Home(home)).level is level


@pytest.mark.parametrize(
    ("file_system", "level"),
    [("ext4", Level.OK), ("tmpfs", Level.OK), ("nfs4", Level.FAIL), ("cifs", Level.FAIL), ("fuse.artfs", Level.FAIL)],
)
def test_the_home_s_file_system(home: Path, tmp_path: Path, file_system: str, level: Level) -> None:
    table = [mounts.Mounted(Path("/"), "8:1", "ext4", "x"), mounts.Mounted(tmp_path, "0:7", file_system, "x")]
    assert checks.file_system(Home(home), table).level is level


def test_a_home_that_keeps_no_extended_attributes(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Home(home).create()
    assert checks.extended_attributes(Home(home)).level is Level.OK

    def refuse(*arguments: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "setxattr", refuse)
    check = checks.extended_attributes(Home(home))
    assert (check.level, "Operation not supported" in check.message) == (Level.FAIL, True)


def test_drafts_that_no_daemon_serves(home: Path) -> None:
    Home(home).create()
    assert [check.level for check in checks.left_drafts(Home(home))] == [Level.OK]
    records = home / "mounts" / "1" / "drafts"
    records.mkdir(parents=True)
    (records.parent / "mount.json").write_text(json.dumps({"mount_point": "/mnt/x", "pid": None}))
    (records / "a.json").write_text(json.dumps({"name": "my_model", "state": "changed"}))
    (check,) = checks.left_drafts(Home(home))
    assert check.level is Level.WARN
    assert "my_model" in check.message
    assert check.advice == "go on with them: artfs mount /mnt/x"


def test_pyfuse3_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks.sys, "executable", "/bin/false")
    check = checks.fuse_library()
    assert (check.level, check.advice) == (Level.FAIL, "install it: pip install 'artfs[mount]'")


def test_it_says_where_programs_cannot_be_observed(tmp_path: Path) -> None:
    assert checks.process_namespace(tmp_path).level is checks.Level.WARN
    assert "no program's reads" in checks.process_namespace(tmp_path / "missing").message
