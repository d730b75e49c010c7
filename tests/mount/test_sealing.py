"""When a draft becomes a version, and when it must not."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from support.drafts import (
    QUIET,
    commit,
    drafts,
    raises,
    state,
    versions,
    wait_for_version,
)
from support.mount import Mount
from support.mount_fixtures import StartMount

HUGE = 10 * 2**40
"""Nobody looks at all of a file of this size while a test runs, even if it is one hole."""


class TestTriggers:
    def test_a_quiet_file(self, quick: Mount, name: str) -> None:
        (quick.incoming / name).write_bytes(b"content")
        wait_for_version(quick, name, "1")
        assert (quick.artifacts / name / "1" / name).read_bytes() == b"content"

    def test_a_quiet_directory(self, quick: Mount, name: str) -> None:
        (quick.incoming / name / "deep").mkdir(parents=True)
        (quick.incoming / name / "deep" / "file").write_bytes(b"content")
        wait_for_version(quick, name, "1")
        assert (quick.artifacts / name / "latest" / "deep" / "file").read_bytes() == b"content"

    def test_the_command(self, patient: Mount, name: str) -> None:
        (patient.incoming / name).write_bytes(b"content")
        assert patient.commit(name, version="v1", tags=["best"]) == "v1"
        assert os.readlink(patient.artifacts / name / "@best") == "v1"

    def test_the_attribute(self, patient: Mount, name: str) -> None:
        (patient.incoming / name).write_bytes(b"content")
        assert commit(patient.incoming / name, b'{"version": "v1", "tags": ["best"]}') == "v1"
        assert (patient.artifacts / name / "@best" / name).read_bytes() == b"content"

    def test_sync_when_the_writer_has_ended(self, patient: Mount, name: str) -> None:
        patient.run(["cp", "/etc/passwd", patient.incoming / name])
        patient.sync()
        assert versions(patient, name) == ["1"]

    def test_sync_waits_for_quiet_while_the_writer_lives(self, quick: Mount, name: str) -> None:
        (quick.incoming / name).mkdir()
        (quick.incoming / name / "file").write_bytes(b"written by this process, which goes on")
        quick.sync()
        assert versions(quick, name) == ["1"]

    def test_moving_a_directory_into_artifacts(self, patient: Mount, name: str) -> None:
        (patient.incoming / name).mkdir()
        (patient.incoming / name / "file").write_bytes(b"content")
        (patient.artifacts / "chosen").mkdir()
        subprocess.run(["mv", patient.incoming / name, patient.artifacts / "chosen" / "v1"], check=True)
        assert (patient.artifacts / "chosen" / "v1" / "file").read_bytes() == b"content"
        assert not os.path.lexists(patient.incoming / name)
        assert not (patient.artifacts / name).exists()

    def test_moving_a_file_into_artifacts(self, patient: Mount, name: str) -> None:
        (patient.incoming / name).write_bytes(b"content")
        (patient.artifacts / name).mkdir()
        subprocess.run(["mv", patient.incoming / name, patient.artifacts / name / "v1"], check=True)
        assert (patient.artifacts / name / "v1" / name).read_bytes() == b"content"
        assert name not in os.listdir(patient.incoming)


class TestMovingIntoArtifacts:
    def test_over_a_version_that_exists(self, patient: Mount, draft: Path, name: str) -> None:
        (draft / "file").write_bytes(b"second")
        with raises(errno.EEXIST):
            os.rename(draft, patient.artifacts / name / "1")
        assert (draft / "file").read_bytes() == b"second"
        assert versions(patient, name) == ["1"]

    def test_while_a_file_is_open_for_writing(self, patient: Mount, draft: Path, name: str) -> None:
        with open(draft / "file", "r+b"), raises(errno.EBUSY):
            os.rename(draft, patient.artifacts / name / "v2")
        assert versions(patient, name) == ["1"]
        os.rename(draft, patient.artifacts / name / "v2")
        assert versions(patient, name) == ["1", "v2"]

    def test_only_whole_drafts(self, patient: Mount, draft: Path, name: str) -> None:
        with raises(errno.EPERM):
            os.rename(draft / "file", patient.artifacts / name / "v2")

    def test_only_below_an_artifact(self, patient: Mount, draft: Path) -> None:
        with raises(errno.EROFS):
            os.rename(draft, patient.artifacts / "elsewhere")

    @pytest.mark.parametrize("bad", ["latest", "@best", ".artfs", " x", "a\nb"])
    def test_bad_version_names(self, patient: Mount, name: str, bad: str) -> None:
        artifact = patient.artifacts / "bad versions"
        artifact.mkdir(exist_ok=True)
        (patient.incoming / "bad versions").write_bytes(b"content")
        with raises(errno.EINVAL):
            os.rename(patient.incoming / "bad versions", artifact / bad)
        assert os.listdir(artifact) == []

    def test_new_files_are_not_taken_for_those_that_left(self, patient: Mount, name: str) -> None:
        """The disk gives their inode numbers out again at once."""
        old = patient.incoming / name
        old.mkdir()
        for number in range(20):
            (old / str(number)).write_bytes(b"old %d" % number)
        (patient.artifacts / name).mkdir()
        os.rename(old, patient.artifacts / name / "v1")
        new = patient.incoming / "new"
        new.mkdir()
        for number in range(20):
            (new / f"directory {number}").mkdir()
            (new / f"file {number}").touch()
        assert all((new / f"directory {number}").is_dir() for number in range(20))
        assert {(new / f"file {number}").read_bytes() for number in range(20)} == {b""}

    def test_readers_of_the_draft_read_on(self, patient: Mount, draft: Path, name: str) -> None:
        with open(draft / "file", "rb") as reader:
            os.rename(draft, patient.artifacts / name / "v2")
            assert os.fstat(reader.fileno()).st_size == 5
            assert reader.read() == b"first"


class TestNever:
    """What keeps a draft from becoming a version, however quiet it is."""

    def test_while_a_handle_may_write(self, quick: Mount, name: str) -> None:
        with open(quick.incoming / name, "wb", buffering=0) as writer:
            writer.write(b"half")
            assert state(quick, name) == ("open", "1 file is open for writing")
            with raises(errno.EBUSY):
                commit(quick.incoming / name)
            _let_others_become_versions(quick, name)
            assert versions(quick, name) == []
            writer.write(b" and half")
        wait_for_version(quick, name, "1")
        assert (quick.artifacts / name / "1" / name).read_bytes() == b"half and half"

    def test_while_a_shared_mapping_may_write(self, quick: Mount, name: str) -> None:
        path = quick.incoming / name
        with open(path, "w+b") as file:
            file.truncate(mmap.PAGESIZE)
            mapping = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        # Python keeps a duplicate of the descriptor until the mapping is closed; the C library would not.
        _let_others_become_versions(quick, name)
        assert versions(quick, name) == []
        mapping[:7] = b"written"
        mapping.close()
        wait_for_version(quick, name, "1")
        assert (quick.artifacts / name / "1" / name).read_bytes()[:8] == b"written\0"

    def test_while_memory_is_mapped_and_no_descriptor_is_open(self, quick: Mount, name: str) -> None:
        path = quick.incoming / name
        path.write_bytes(bytes(mmap.PAGESIZE))
        descriptor = os.open(path, os.O_RDWR)
        address = _map_shared(descriptor)
        os.close(descriptor)
        _let_others_become_versions(quick, name)
        assert versions(quick, name) == []
        ctypes.memmove(address, b"written", 7)
        assert _libc.munmap(ctypes.c_void_p(address), mmap.PAGESIZE) == 0
        wait_for_version(quick, name, "1")
        assert (quick.artifacts / name / "1" / name).read_bytes()[:8] == b"written\0"

    def test_while_its_name_starts_with_a_dot(self, quick: Mount, name: str) -> None:
        temporary = quick.incoming / f".{name}.tmp"
        temporary.write_bytes(b"content")
        _let_others_become_versions(quick, name)
        assert state(quick, temporary.name)[0] == "aside"
        assert not (quick.artifacts / temporary.name).exists()
        temporary.rename(quick.incoming / name)
        wait_for_version(quick, name, "1")

    def test_with_a_fifo_in_it(self, quick: Mount, name: str) -> None:
        path = quick.incoming / name
        path.mkdir()
        (path / "file").write_bytes(b"content")
        os.mkfifo(path / "pipe")
        quick.wait_until(lambda: state(quick, name)[0] == "held", "the draft with a FIFO being held")
        assert state(quick, name)[1].startswith(f"'{path}/pipe' is a FIFO, ")  # and not where it lies in the home
        assert versions(quick, name) == []
        (path / "pipe").unlink()
        wait_for_version(quick, name, "1")

    @pytest.mark.parametrize("bad", [b"not utf-8 \xff", b"control \x01", b".artfs-x", b" space", b"space "])
    def test_names_that_no_artifact_can_have(self, patient: Mount, bad: bytes) -> None:
        path = os.fsencode(patient.incoming) + b"/" + bad
        for make in (os.mkdir, os.mkfifo, lambda path: os.symlink(b"/etc/services", path)):
            with raises(errno.EINVAL):
                make(path)
        with raises(errno.EINVAL):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT))
        assert bad not in os.listdir(os.fsencode(patient.incoming))

    def test_artfs_keeps_its_own_name_at_the_top_of_a_version(self, patient: Mount, draft: Path) -> None:
        with raises(errno.EINVAL):
            (draft / ".artfs").mkdir()
        (draft / "deeper" / ".artfs").mkdir(parents=True)

    def test_equal_content_is_no_new_version(self, patient: Mount, draft: Path, name: str) -> None:
        (draft / "file").write_bytes(b"first")
        os.utime(draft / "file", ns=(1, 1))
        assert commit(draft) == "1"
        assert versions(patient, name) == ["1"]
        (draft / "file").chmod(0o755)
        assert commit(draft) == "2"

    def test_equal_content_is_a_new_version_if_it_gets_a_name(self, patient: Mount, draft: Path, name: str) -> None:
        assert commit(draft, b'{"version": "again"}') == "again"
        assert versions(patient, name) == ["1", "again"]


class TestFrameworks:
    def test_rename_of_a_file_that_is_open(self, quick: Mount, name: str) -> None:
        """safetensors 0.8: the size first, the name while the file is open, then close; it stays 0600."""
        path = quick.incoming / name
        path.mkdir()
        header = b'{"weight":{"dtype":"U8","shape":[100000],"data_offsets":[0,100000]}}'
        content = len(header).to_bytes(8, "little") + header + os.urandom(100_000)
        descriptor = os.open(path / ".tmpabcdef", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        os.ftruncate(descriptor, len(content))
        os.pwrite(descriptor, content, 0)
        os.rename(path / ".tmpabcdef", path / "model.safetensors")
        _let_others_become_versions(quick, name)
        assert versions(quick, name) == []
        os.close(descriptor)
        wait_for_version(quick, name, "1")
        assert (quick.artifacts / name / "1" / "model.safetensors").read_bytes() == content

    def test_rename_over_a_sealed_file(self, patient: Mount, draft: Path, first: Path) -> None:
        (draft / "new").write_bytes(b"second")
        os.replace(draft / "new", draft / "file")
        assert commit(draft) == "2"
        assert first.read_bytes() == b"first"

    def test_modes_and_times_that_come_after_close(self, patient: Mount, name: str) -> None:
        """Lightning through shutil.move: times, 0600, 0644 after the file is closed, maybe after it is a version."""
        path = patient.incoming / name
        path.write_bytes(b"checkpoint")
        assert commit(path) == "1"
        os.utime(path, ns=(1_500_000_000, 1_500_000_000))
        path.chmod(0o600)
        path.chmod(0o644)
        assert (path.stat().st_mtime_ns, stat.S_IMODE(path.stat().st_mode)) == (1_500_000_000, 0o644)
        assert commit(path) == "1"
        assert (patient.artifacts / name / "1" / name).stat().st_mtime_ns != 1_500_000_000

    def test_rotation_of_checkpoints(self, patient: Mount, name: str) -> None:
        """save_total_limit: the oldest checkpoint is removed once the newest is written; versions keep them."""
        run = patient.incoming / name
        for step in range(1, 5):
            (run / f"checkpoint-{step}").mkdir(parents=True)
            (run / f"checkpoint-{step}" / "model").write_bytes(b"%d" % step * 1000)
            if step > 2:
                shutil.rmtree(run / f"checkpoint-{step - 2}")
            commit(run)
        kept = [sorted(os.listdir(patient.artifacts / name / version)) for version in versions(patient, name)]
        assert kept == [
            ["checkpoint-1"],
            ["checkpoint-1", "checkpoint-2"],
            ["checkpoint-2", "checkpoint-3"],
            ["checkpoint-3", "checkpoint-4"],
        ]
        assert (patient.artifacts / name / "1" / "checkpoint-1" / "model").read_bytes() == b"1" * 1000

    def test_an_append_after_the_file_was_closed(self, patient: Mount, name: str) -> None:
        """LightGBM writes a model in two goes."""
        path = patient.incoming / name
        path.write_bytes(b"tree\n")
        commit(path)
        with open(path, "ab") as file:
            file.write(b"pandas_categorical:[]\n")
        assert commit(path) == "2"
        assert (patient.artifacts / name / "2" / name).read_bytes() == b"tree\npandas_categorical:[]\n"


class TestBetweenDrafts:
    def test_hard_links_stay_within_a_draft(self, patient: Mount, draft: Path) -> None:
        other = draft.with_name("another draft")
        other.mkdir()
        with raises(errno.EXDEV):
            os.link(draft / "file", other / "file")
        with raises(errno.EXDEV):
            os.link(draft / "file", patient.incoming / "file draft")
        os.link(draft / "file", draft / "linked")
        with raises(errno.EXDEV):
            os.rename(draft / "linked", other / "file")

    def test_a_directory_that_leaves_half_of_a_hard_link_behind_is_held(self, patient: Mount, name: str) -> None:
        """Else a write through the one name would reach the version that was made of the other."""
        here, there = patient.incoming / name, patient.incoming / f"{name} there"
        for directory in (here / "inner", there):
            directory.mkdir(parents=True)
        (here / "inner" / "file").write_bytes(b"content")
        os.link(here / "inner" / "file", here / "file")
        os.rename(here / "inner", there / "inner")
        for path in (here, there):
            done = patient.artfs("commit", path, check=False)
            assert done.returncode == 1
            assert "it has hard links outside of its draft" in done.stderr

    def test_a_renamed_draft_is_another_artifact(self, patient: Mount, draft: Path, name: str) -> None:
        renamed = draft.rename(draft.with_name(f"{name} renamed"))
        assert commit(renamed) == "1"
        assert (patient.artifacts / renamed.name / "1" / "file").read_bytes() == b"first"
        assert name not in drafts(patient)

    def test_a_draft_renamed_over_another(self, patient: Mount, name: str) -> None:
        path = patient.incoming / name
        path.write_bytes(b"first")
        commit(path)
        (patient.incoming / f"{name}.new").write_bytes(b"second")
        os.replace(patient.incoming / f"{name}.new", path)
        assert commit(path) == "2"
        assert (patient.artifacts / name / "2" / name).read_bytes() == b"second"

    def test_equal_drafts_share_bytes(self, patient: Mount, name: str) -> None:
        content = os.urandom(2**20)
        for which in ("one", "other"):
            (patient.incoming / f"{name} {which}").write_bytes(content)
            commit(patient.incoming / f"{name} {which}")
        holding = [path for path in patient.home.rglob(f"{name}*") if path.is_file() and path.stat().st_blocks]
        assert len([path for path in holding if ".artfs" not in path.parts]) == 1
        for which in ("one", "other"):
            assert (patient.artifacts / f"{name} {which}" / "1" / f"{name} {which}").read_bytes() == content

    def test_two_drafts_become_versions_at_once(self, patient: Mount, name: str) -> None:
        paths = [patient.incoming / f"{name} {number}" for number in range(6)]
        for path in paths:
            path.mkdir()
            for number in range(100):
                (path / str(number)).write_bytes(f"{path.name} {number}".encode())
        threads = [threading.Thread(target=commit, args=(path,)) for path in paths]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for path in paths:
            assert drafts(patient)[path.name]["state"] == "sealed"
            for number in (0, 99):
                with open(path / str(number), "r+b") as file:
                    file.write(b"changed")
                stored = patient.artifacts / path.name / "1" / str(number)
                assert stored.read_bytes() == f"{path.name} {number}".encode()


class TestWhileItChanges:
    def test_a_commit_gives_up_when_the_draft_goes_on_changing(self, patient: Mount, name: str) -> None:
        path = patient.incoming / name
        path.mkdir()
        (path / "small").touch()
        with open(path / "takes long to look at", "wb") as file:
            file.truncate(HUGE)
        script = "import os, sys\nwhile True: os.utime(sys.argv[1])"
        with subprocess.Popen([sys.executable, "-c", script, path / "small"]) as changing:
            try:
                with raises(errno.EBUSY):
                    commit(path)
            finally:
                changing.kill()
        (path / "takes long to look at").unlink()
        assert commit(path) == "1"

    def test_unmounting_does_not_wait_until_a_large_draft_was_looked_at(self, start_mount: StartMount) -> None:
        mount = start_mount(settings=QUIET)
        with open(mount.incoming / "huge", "wb") as file:
            file.truncate(HUGE)
        mount.wait_until(lambda: state(mount, "huge")[1] == "it is complete and about to be sealed", "sealing")
        mount.unmount()
        os.truncate(next(mount.home.glob("mounts/*/work/huge")), 5)
        mount.remount()
        wait_for_version(mount, "huge", "1")

    def test_a_draft_that_is_removed_and_made_anew_is_not_mixed_up(self, quick: Mount, name: str) -> None:
        path = quick.incoming / name
        for generation in range(30):
            path.mkdir()
            for number in range(5):
                (path / str(number)).write_bytes(b"%d" % generation)
            shutil.rmtree(path)
        path.mkdir()
        (path / "last").write_bytes(b"last")
        quick.wait_until(lambda: state(quick, name)[0] == "sealed", "the last draft becoming a version")
        for version in versions(quick, name):
            files = [file.read_bytes() for file in (quick.artifacts / name / version).iterdir()]
            assert len(set(files)) <= 1, "files of two drafts in one version"
        assert os.listdir(quick.artifacts / name / "latest") == ["last"]

    def test_versions_are_moments_of_a_draft_that_goes_on_changing(self, quick: Mount, name: str) -> None:
        """One writer replaces one file at a time; a version must be what the draft was between two changes."""
        script = (
            "import os, sys, time\n"
            "os.mkdir(sys.argv[1])\n"
            "for number in range(120):\n"
            "    for file in 'ab':\n"
            "        with open(os.path.join(sys.argv[1], '.new'), 'wb') as new: new.write(b'%06d' % number * 500)\n"
            "        os.replace(new.name, os.path.join(sys.argv[1], file))\n"
            "    if number % 30 == 29: time.sleep(0.6)\n"
        )
        subprocess.run([sys.executable, "-c", script, quick.incoming / name], check=True)
        quick.wait_until(lambda: state(quick, name)[0] == "sealed", "the last version")
        found = versions(quick, name)
        assert found
        for version in found:
            root = quick.artifacts / name / version
            contents = {file: (root / file).read_bytes() for file in os.listdir(root)}
            numbers = {file: int(content[:6]) for file, content in contents.items()}
            assert all(content == b"%06d" % numbers[file] * 500 for file, content in contents.items())
            if numbers.keys() == {"a", "b"}:
                assert numbers["a"] - numbers["b"] in (0, 1)
        assert {int(path.read_bytes()[:6]) for path in (quick.artifacts / name / "latest").iterdir()} == {119}


def _let_others_become_versions(mount: Mount, name: str) -> None:
    """Waits until a draft that was complete after this one has become a version, by which time this one would have."""
    later = f"{name} later"
    (mount.incoming / later).mkdir()
    (mount.incoming / later / "file").write_bytes(b"later")
    wait_for_version(mount, later, "1")


def _write(path: Path, mode: str, content: bytes) -> None:
    with open(path, mode) as file:
        file.write(content)


_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p


def _map_shared(descriptor: int) -> int:
    """mmap(2) of a page, writable and shared, without keeping the descriptor."""
    length, offset = ctypes.c_size_t(mmap.PAGESIZE), ctypes.c_long(0)
    address: int = _libc.mmap(None, length, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED, descriptor, offset)
    return address
