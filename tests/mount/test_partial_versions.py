"""Versions of a draft that a program goes on writing: marked checkpoints that rotate, and a log beside them."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support import faulty_daemon
from support.drafts import commit, drafts, versions
from support.faulty_daemon import Fault
from support.mount import MYSELF, Mount
from support.mount_fixtures import StartMount

UNIT_SECONDS = 0.3
QUIET = {
    "quiet_file_seconds": 600,
    "quiet_unproven_seconds": 600,
    "quiet_directory_seconds": 600,
    "quiet_living_seconds": 600,
    "quiet_unit_seconds": UNIT_SECONDS,
}
"""Nothing becomes a version by itself but for what has a marker."""
MARKER = "trainer_state.json"
FILES = ("deep/er/optimizer.bin", "model.bin", MARKER)


def save(checkpoint: Path, number: int) -> None:
    """A checkpoint, its marker last."""
    for name in FILES:
        path = checkpoint / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%s of %d" % (name.encode(), number) * 1000)


def delete(directory: Path) -> None:
    """Removes a directory as rmtree does, name by name."""
    for path in sorted(directory.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    directory.rmdir()


def links(directory: Path) -> dict[str, int]:
    """What `ls -l` shows of files."""
    return {path.name: path.stat().st_nlink for path in directory.rglob("*") if path.is_file()}


def kept(mount: Mount) -> list[Path]:
    """Files that are kept for versions yet to come."""
    scratch = mount.home.glob("mounts/*/scratch")
    # Directories that go meanwhile are passed over by os.walk, and not by Path.glob.
    return [Path(folder, file) for top in scratch for folder, _, files in os.walk(top) for file in files]


def is_kept(mount: Mount, number: int) -> bool:
    """Whether a checkpoint is kept, or in a version already."""
    marker = b"%s of %d" % (MARKER.encode(), number)
    with contextlib.suppress(FileNotFoundError):  # what was kept goes when a version has it
        if any(path.name == MARKER and path.read_bytes().startswith(marker) for path in kept(mount)):
            return True
    return number in in_versions(mount, "run")


def checkpoints(version: Path) -> set[int]:
    """The numbers of the checkpoints in a version, each of which must be whole."""
    numbers = set()
    for checkpoint in version.rglob("checkpoint-*"):
        number = int(checkpoint.name.rpartition("-")[2])
        for name in FILES:
            assert (checkpoint / name).read_bytes() == b"%s of %d" % (name.encode(), number) * 1000
        numbers.add(number)
    return numbers


def in_versions(mount: Mount, name: str) -> set[int]:
    """The checkpoints that are in any version of an artifact."""
    found = [checkpoints(mount.artifacts / name / version) for version in versions(mount, name)]
    return set().union(*found)


@pytest.fixture
def mount(start_mount: StartMount) -> Mount:
    return start_mount(settings=QUIET)


@pytest.mark.parametrize("where", ["", "out"])
def test_every_checkpoint_is_in_a_version_however_fast_they_are_deleted(mount: Mount, where: str) -> None:
    """The next one is begun as soon as one is kept; that is long before it could have become a version."""
    run = mount.incoming / "run"
    run.mkdir()
    with open(run / "run.log", "a") as log:
        for number in range(8):
            save(run / where / f"checkpoint-{number}", number)
            print(number, file=log, flush=True)
            mount.wait_until(functools.partial(is_kept, mount, number), f"checkpoint {number} to be kept")
            assert links(run / where / f"checkpoint-{number}") == dict.fromkeys(map(os.path.basename, FILES), 1)
            if number:
                delete(run / where / f"checkpoint-{number - 1}")
        mount.wait_until(lambda: in_versions(mount, "run") == set(range(8)), "all checkpoints")
        newest = mount.artifacts / "run" / "latest"
        assert (newest / "run.log").read_text().split() == [str(number) for number in range(8)]
        mount.wait_until(lambda: kept(mount) == [], "an empty scratch")
        assert links(run / where / "checkpoint-7") == dict.fromkeys(map(os.path.basename, FILES), 1)
        log.write("more\n")
    assert (newest / "run.log").read_text().endswith("7\n")
    assert in_versions(mount, "run") == set(range(8))


def test_a_checkpoint_that_is_deleted_as_soon_as_it_is_finished_is_in_a_version(mount: Mount) -> None:
    """Nothing waits for anything: not even a look at the draft comes between a marker and the removal."""
    run = mount.incoming / "run"
    run.mkdir()
    with open(run / "run.log", "a"):
        for number in range(8):
            save(run / f"checkpoint-{number}", number)
            delete(run / f"checkpoint-{number}")
        for number in range(8):
            (run / f"epoch={number}.ckpt").write_bytes(b"%d" % number)
            if number:
                (run / f"epoch={number - 1}.ckpt").unlink()
        mount.wait_until(lambda: in_versions(mount, "run") == set(range(8)), "all checkpoints")

        def files() -> set[str]:
            return {path.name for name in versions(mount, "run") for path in (mount.artifacts / "run" / name).iterdir()}

        mount.wait_until(lambda: {f"epoch={number}.ckpt" for number in range(7)} <= files(), "all files of the series")


def test_a_link_to_what_is_left_out_is_not_in_the_version(mount: Mount) -> None:
    """As `last.ckpt` is renamed into place before the checkpoint that it leads to is known to be complete."""
    run = mount.incoming / "run"
    (run / "checkpoint-2").mkdir(parents=True)
    for name, target in {"last": "checkpoint-2", "newest": "./last/model.bin", "whole": "checkpoint-1"}.items():
        (run / name).symlink_to(target)
    with open(run / "checkpoint-2" / "model.bin", "wb") as begun:
        begun.write(b"half")
        save(run / "checkpoint-1", 1)
        mount.wait_until(lambda: versions(mount, "run") == ["1"], "the checkpoint that is complete")
        assert {path.name for path in (mount.artifacts / "run" / "1").iterdir()} == {"checkpoint-1", "whole"}
    save(run / "checkpoint-2", 2)
    mount.wait_until(lambda: versions(mount, "run") == ["1", "2"], "the other one")
    version = mount.artifacts / "run" / "2"
    assert (version / "newest").read_bytes() == (version / "checkpoint-2" / "model.bin").read_bytes()


@pytest.mark.parametrize("where", ["best", ""], ids=["in a draft", "the draft itself"])
def test_a_checkpoint_that_is_written_over_as_soon_as_it_is_finished_is_in_a_version(mount: Mount, where: str) -> None:
    best = mount.incoming / "run" / where
    save(best, 1)
    with open(best / "model.bin", "wb") as begun:
        begun.write(b"of 2")
        begun.flush()
        mount.wait_until(lambda: versions(mount, "run") == ["1"], "the checkpoint as it was")
        for name in FILES:
            assert (mount.artifacts / "run" / "1" / where / name).read_bytes() == b"%s of 1" % name.encode() * 1000
    assert (best / "model.bin").read_bytes() == b"of 2"


def test_a_checkpoint_that_is_written_on_is_not_in_the_version_of_another(mount: Mount) -> None:
    run = mount.incoming / "run"
    (run / "checkpoint-1").mkdir(parents=True)
    with open(run / "checkpoint-1" / "model.bin", "wb") as model:
        model.write(b"half")
        (run / "checkpoint-1" / MARKER).touch()
        save(run / "checkpoint-2", 2)
        mount.wait_until(lambda: versions(mount, "run") == ["1"], "a version")
        assert os.listdir(mount.artifacts / "run" / "1") == ["checkpoint-2"]
        os.truncate(run / "checkpoint-2" / "model.bin", 3)
    assert checkpoints(mount.artifacts / "run" / "1") == {2}


def test_what_is_left_of_a_checkpoint_that_is_being_deleted_is_the_draft_s_own(mount: Mount) -> None:
    run = mount.incoming / "run"
    save(run / "checkpoint-1", 1)
    mount.wait_until(lambda: is_kept(mount, 1), "checkpoint 1 to be kept")
    (run / "checkpoint-1" / "deep" / "er" / "optimizer.bin").unlink()
    mount.wait_until(lambda: versions(mount, "run") == ["1"], "a version")
    mount.wait_until(lambda: kept(mount) == [], "an empty scratch")
    with open(run / "checkpoint-1" / "model.bin", "r+b") as model:
        model.write(b"MINE")
    (run / "checkpoint-1" / MARKER).chmod(0o600)
    assert checkpoints(mount.artifacts / "run" / "1") == {1}
    assert mount.artfs("verify", "run/1").returncode == 0


@pytest.mark.parametrize(("keep", "what"), [(os.rename, "model.bin"), (os.rename, "deep"), (os.link, "model.bin")])
def test_what_went_from_a_checkpoint_into_the_next_one_is_the_draft_s_own(
    mount: Mount, keep: Callable[[Path, Path], None], what: str
) -> None:
    first, second = mount.incoming / "run" / "checkpoint-1", mount.incoming / "run" / "checkpoint-2"
    second.mkdir(parents=True)
    with open(second / "other.bin", "wb") as other:
        other.write(b"half")
        save(first, 1)
        mount.wait_until(lambda: is_kept(mount, 1), "checkpoint 1 to be kept")
        keep(first / what, second / what)
        delete(first)
        mount.wait_until(lambda: versions(mount, "run") == ["1"], "a version")
        for path in [path for path in second.rglob("*") if path.is_file()]:
            path.write_bytes(b"MINE")
    assert checkpoints(mount.artifacts / "run" / "1") == {1}
    assert mount.artfs("verify", "run/1").returncode == 0


def test_what_went_from_a_checkpoint_into_another_draft_is_in_no_version_of_the_checkpoint(mount: Mount) -> None:
    """The other draft may be written to at any time, also while the version is made."""
    run = mount.incoming / "run"
    save(run / "checkpoint-1", 1)
    mount.wait_until(lambda: is_kept(mount, 1), "checkpoint 1 to be kept")
    (run / "checkpoint-1" / "model.bin").rename(mount.incoming / "best.bin")
    delete(run / "checkpoint-1")
    save(run / "checkpoint-2", 2)
    mount.wait_until(lambda: 2 in in_versions(mount, "run"), "checkpoint 2")
    (mount.incoming / "best.bin").write_bytes(b"MINE")
    assert in_versions(mount, "run") == {2}
    assert mount.artfs("verify", "run").returncode == 0


def test_a_line_that_comes_to_a_log_while_a_version_is_made_holds_nothing_back(
    start_mount: StartMount, tmp_path: Path
) -> None:
    """Nothing changes after that line, so nothing else would have the draft looked at again."""
    fault = tmp_path / "fault"
    environment = {faulty_daemon.VARIABLE: str(fault)}
    mount = start_mount(MYSELF, environment=environment, daemon=[faulty_daemon.__file__ or ""], settings=QUIET)
    run = mount.incoming / "run"
    run.mkdir()
    (run / "closed.log").write_text("first\n")
    with open(run / "open.log", "a", buffering=1) as opened:
        print("first", file=opened)
        Fault("DraftCommit.snapshot", call=1, after=True, hang=True).write(fault)
        save(run / "checkpoint-1", 1)
        mount.wait_until(lambda: any(path.name == "0" for path in kept(mount)), "a copy of the open log")
        with open(run / "closed.log", "a") as log:
            log.write("second\n")
        fault.unlink()
        mount.wait_until(lambda: versions(mount, "run") == ["1"], "a version")
        assert (mount.artifacts / "run" / "1" / "closed.log").read_text() == "first\nsecond\n"
    assert mount.artfs("verify", "run/1").returncode == 0


PLACES = [
    ("DraftCommit.snapshot", True),
    ("make", False),
    ("stage planned", False),
    ("stage brought", False),
    ("LocalStore.place", True),
    ("Versions.create", False),
    ("stage committed", False),
    ("Stub.put", False),
    ("Stub.put", True),
]


@pytest.mark.expected_warnings("killed", "draft .* is held")
@pytest.mark.parametrize("part", PLACES, ids=lambda part: f"{part[0]}{' done' if part[1] else ''}")
def test_a_daemon_that_is_killed_in_the_middle_leaves_no_half_version(
    start_mount: StartMount, tmp_path: Path, part: tuple[str, bool]
) -> None:
    fault = tmp_path / "fault"
    mount = start_mount(
        MYSELF,
        environment={faulty_daemon.VARIABLE: str(fault)},
        daemon=[faulty_daemon.__file__ or ""],
        settings=QUIET,
    )
    run = mount.incoming / "run"
    save(run / "checkpoint-1", 1)
    mount.wait_until(lambda: versions(mount, "run") == ["1"], "a first version")
    mount.wait_until(lambda: kept(mount) == [], "an empty scratch")
    (run / "beside").write_bytes(b"beside")
    (run / "checkpoint-3").mkdir()
    (run / "checkpoint-3" / "model.bin").write_bytes(b"begun")
    name, after = part
    Fault(name, kill=True, after=after).write(fault)
    save(run / "checkpoint-2", 2)
    assert mount.wait() < 0
    fault.unlink()
    mount.run(["fusermount3", "-uz", mount.path])
    mount.remount()
    for number in (1, 2):
        for file in FILES:
            content = b"%s of %d" % (file.encode(), number) * 1000
            assert (run / f"checkpoint-{number}" / file).read_bytes() == content
    assert (run / "beside").read_bytes() == b"beside"
    assert (run / "checkpoint-3" / "model.bin").read_bytes() == b"begun"
    assert in_versions(mount, "run") >= {1}
    assert kept(mount) == []
    assert drafts(mount)["run"]["state"] == "held"  # nobody knows whether its writer had finished
    commit(run)
    newest = mount.artifacts / "run" / "latest"
    assert {path.name for path in newest.iterdir()} == {"beside", "checkpoint-1", "checkpoint-2", "checkpoint-3"}
    assert mount.artfs("verify", "run").returncode == 0


def test_what_a_killed_program_left_is_held_by_the_next_daemon_too(start_mount: StartMount) -> None:
    """That daemon has not seen how the program ended."""
    mount = start_mount(MYSELF, settings=dict.fromkeys(QUIET, UNIT_SECONDS))
    (mount.incoming / "run").mkdir()
    half = "echo half > half.bin; exec 3> model.bin; echo half >&3; kill -KILL $$"
    subprocess.run(["sh", "-c", half], cwd=mount.incoming / "run", check=False)
    mount.wait_until(lambda: drafts(mount)["run"]["state"] == "held", "the hold")
    reason = drafts(mount)["run"]["reason"]
    mount.unmount()
    mount.mount()
    assert (drafts(mount)["run"]["state"], drafts(mount)["run"]["reason"]) == ("held", reason)
    (mount.incoming / "run" / "model.bin").write_bytes(b"whole")
    mount.wait_until(lambda: versions(mount, "run") == ["1"], "what was written again")


def test_a_draft_of_which_all_is_held_says_why(start_mount: StartMount) -> None:
    """What is not held in it is one empty directory."""
    mount = start_mount(MYSELF, settings=dict.fromkeys(QUIET, UNIT_SECONDS))
    half = "mkdir -p run/checkpoint-1; cd run/checkpoint-1; echo half > a; exec 3> b.bin; echo half >&3; kill -KILL $$"
    subprocess.run(["sh", "-c", half], cwd=mount.incoming, check=False)
    mount.wait_until(lambda: drafts(mount)["run"]["state"] == "held", "the hold")
    assert "checkpoint-1" in drafts(mount)["run"]["reason"]
    assert versions(mount, "run") == []
