"""A draft that became a version is a working copy: nothing that is done to it reaches the version."""

from __future__ import annotations

import mmap
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from support.drafts import (
    commit,
    versions,
)
from support.mount import Mount

OTHER_OWNER = (12345, 54321) if os.geteuid() == 0 else (-1, os.getgid())
"""Only root can give a file away."""


class TestWorkingCopy:
    """The draft after it was sealed is the user's own; what it shares with the version is only bytes."""

    def test_it_takes_no_space(self, patient: Mount, name: str) -> None:
        path = patient.incoming / name
        path.write_bytes(os.urandom(2**20))
        commit(path)
        assert path.stat().st_blocks * 512 >= 2**20
        assert sum(stub.stat().st_blocks for stub in patient.home.glob(f"mounts/*/work/{name}")) == 0

    def test_links_are_the_users_own(self, draft: Path) -> None:
        assert (draft / "file").stat().st_nlink == 1
        os.link(draft / "file", draft / "other")
        assert (draft / "file").stat().st_nlink == 2
        assert (draft / "other").read_bytes() == b"first"

    def test_links_made_before(self, patient: Mount, name: str) -> None:
        path = patient.incoming / name
        path.mkdir()
        (path / "one").write_bytes(b"content")
        os.link(path / "one", path / "two")
        commit(path)
        assert {(path / each).stat().st_nlink for each in ("one", "two")} == {2}
        assert (path / "one").stat().st_ino == (path / "two").stat().st_ino
        with open(path / "one", "ab") as file:
            file.write(b" and more")
        assert (path / "two").read_bytes() == b"content and more"
        assert (patient.artifacts / name / "1" / "two").read_bytes() == b"content"

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(lambda path: path.chmod(0o600), id="chmod"),
            pytest.param(lambda path: os.chown(path, *OTHER_OWNER), id="chown"),
            pytest.param(lambda path: os.utime(path, ns=(5, 5)), id="utimens"),
            pytest.param(lambda path: _write(path, "ab", b" appended"), id="append"),
            pytest.param(lambda path: _write(path, "r+b", b"F"), id="overwrite"),
            pytest.param(lambda path: path.write_bytes(b"other"), id="truncate and write"),
            pytest.param(lambda path: os.truncate(path, 2), id="shorten"),
            pytest.param(lambda path: os.truncate(path, 10_000), id="lengthen"),
            pytest.param(lambda path: _write_mapped(path), id="shared mmap"),
            pytest.param(lambda path: os.setxattr(path, "user.mine", b"1"), id="attribute"),
            pytest.param(lambda path: path.rename(path.with_name("moved")), id="rename"),
            pytest.param(lambda path: path.unlink(), id="rm"),
        ],
    )
    def test_no_change_reaches_the_version(
        self, patient: Mount, request: pytest.FixtureRequest, change: Callable[[Path], object]
    ) -> None:
        name = request.node.callspec.id
        content = f"content before {name}".encode()
        path = patient.incoming / name
        path.mkdir()
        (path / "file").write_bytes(content)
        (path / "file").chmod(0o640)
        commit(path)
        (stored,) = patient.home.glob(f"store/{name}/*/file")
        version = patient.artifacts / name / "1" / "file"
        before = _facts(version), stored.read_bytes(), _facts(stored), os.listxattr(stored)
        change(path / "file")
        assert (_facts(version), stored.read_bytes(), _facts(stored), os.listxattr(stored)) == before
        assert version.read_bytes() == content

    def test_changes_become_the_next_version(self, patient: Mount, draft: Path, name: str) -> None:
        (draft / "unchanged").write_bytes(b"the same")
        commit(draft)
        with open(draft / "file", "r+b") as file:
            file.write(b"F")
        assert commit(draft) == "3"
        seen = [(patient.artifacts / name / version / "file").read_bytes() for version in versions(patient, name)]
        assert seen == [b"first", b"first", b"First"]
        assert len(list(patient.home.glob(f"store/{name}/*/unchanged"))) == 1

    def test_a_reader_of_the_version_reads_on_while_the_draft_is_overwritten(self, patient: Mount, name: str) -> None:
        old, new = os.urandom(6 * 2**20), os.urandom(2**20)
        path = patient.incoming / name
        path.write_bytes(old)
        commit(path)
        with open(patient.artifacts / name / "1" / name, "rb") as reader:
            begin = reader.read(2**20)
            path.write_bytes(new)
            assert commit(path) == "2"
            assert begin + reader.read() == old
        assert (patient.artifacts / name / "2" / name).read_bytes() == new

    def test_a_reader_of_the_draft_reads_on_while_it_becomes_a_version(self, patient: Mount, name: str) -> None:
        content = os.urandom(9 * 2**20)
        path = patient.incoming / name
        path.write_bytes(content)
        with open(path, "rb") as reader:
            begin = reader.read(100)
            commit(path)
            assert begin + reader.read() == content
            path.unlink()
            os.fchmod(reader.fileno(), 0o600)
            reader.seek(0)
            assert reader.read() == content

    def test_a_file_that_is_opened_while_stubs_are_put_in_place(self, patient: Mount, name: str) -> None:
        path = patient.incoming / name
        path.mkdir()
        files = [path / str(number) for number in range(300)]
        wrong: list[bytes] = []
        for round_number in range(3):
            for file in files:
                file.write_bytes(b"%d" % round_number * 100)
            done = threading.Event()
            reader = threading.Thread(target=_read_again_and_again, args=(files, b"%d" % round_number, done, wrong))
            reader.start()
            commit(path)
            done.set()
            reader.join()
        assert wrong == []

    def test_directories_keep_their_times(self, patient: Mount, name: str) -> None:
        (patient.incoming / name / "inner").mkdir(parents=True)
        (patient.incoming / name / "inner" / "file").write_bytes(b"content")
        for directory in (patient.incoming / name / "inner", patient.incoming / name):
            os.utime(directory, ns=(1_000_000_001, 2_000_000_002))
        commit(patient.incoming / name)
        (kept,) = patient.home.glob(f"mounts/*/work/{name}/inner")
        assert kept.stat().st_mtime_ns == kept.parent.stat().st_mtime_ns == 2_000_000_002
        assert (patient.artifacts / name / "1" / "inner").stat().st_mtime_ns == 2_000_000_002

    def test_rm_removes_no_version(self, patient: Mount, draft: Path, first: Path) -> None:
        shutil.rmtree(draft)
        assert first.read_bytes() == b"first"
        draft.mkdir()
        (draft / "file").write_bytes(b"anew")
        assert commit(draft) == "2"

    def test_many_files_can_be_shortened(self, patient: Mount, name: str) -> None:
        """Each stub gets its bytes back, and none of them stays open in the daemon."""
        path = patient.incoming / name
        path.mkdir()
        for number in range(200):
            (path / str(number)).write_bytes(b"content")
        commit(path)
        before = len(os.listdir(f"/proc/{patient.pid}/fd"))
        for number in range(200):
            os.truncate(path / str(number), 3)
        assert {(path / str(number)).read_bytes() for number in range(200)} == {b"con"}
        assert len(os.listdir(f"/proc/{patient.pid}/fd")) < before + 20


def _read_again_and_again(files: list[Path], digit: bytes, done: threading.Event, wrong: list[bytes]) -> None:
    while not done.is_set():
        wrong += [content for file in files if (content := file.read_bytes()) != digit * 100]


def _write(path: Path, mode: str, content: bytes) -> None:
    with open(path, mode) as file:
        file.write(content)


def _write_mapped(path: Path) -> None:
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as mapping:
        mapping[:1] = b"F"


def _facts(path: Path) -> tuple[int, ...]:
    status = path.stat()
    return status.st_mode, status.st_uid, status.st_gid, status.st_size, status.st_mtime_ns
