"""`ln -s` into /incoming makes versions of data that stays where it is, and never shows other bytes than those."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.drafts import NEVER_BY_ITSELF, errors, mount_for_a_module, raises, state, versions, wait_for_version
from support.mount import Mount

LARGE = 5 * 2**20
"""More than one block, so that each block is checked by its own digest."""


@pytest.fixture(scope="module")
def mount(fuse_for_everyone: None) -> Iterator[Mount]:
    yield from mount_for_a_module({**NEVER_BY_ITSELF, "quiet_file_seconds": 0.2}, expected="data set")


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name of the test's own for its draft."""
    return request.node.name.removeprefix("test_")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with what folders have."""
    folder = tmp_path / "data set"
    (folder / "deep").mkdir(parents=True)
    (folder / "small").write_bytes(os.urandom(16))
    (folder / "deep" / "large").write_bytes(os.urandom(LARGE))
    (folder / "empty").touch()
    (folder / "script").write_bytes(b"#!/bin/sh\n")
    (folder / "script").chmod(0o755)
    (folder / "link").symlink_to("deep/large")
    (folder / "link to a folder").symlink_to("deep")
    (folder / "dangling").symlink_to("/nowhere/at/all")
    return folder


def register(mount: Mount, name: str, target: str | Path) -> Path:
    """Links to data and returns the version that came of it."""
    (mount.incoming / name).symlink_to(target)
    wait_for_version(mount, name, "1")
    return mount.artifacts / name / "1"


def refused(mount: Mount, name: str, target: str | Path) -> str:
    """Links to what cannot be registered and returns why."""
    (mount.incoming / name).symlink_to(target)
    mount.wait_until(lambda: state(mount, name)[0] == "held", "the link being held")
    assert versions(mount, name) == []
    return state(mount, name)[1]


def test_a_folder(mount: Mount, name: str, data: Path) -> None:
    version = register(mount, name, data)
    subprocess.run(["diff", "-r", "--no-dereference", data, version], check=True)
    assert os.readlink(version / "link") == "deep/large"
    assert (version / "link").read_bytes() == (data / "deep" / "large").read_bytes()
    assert (version / "small").stat().st_mtime_ns == (data / "small").stat().st_mtime_ns
    assert os.access(version / "script", os.X_OK)


def test_nothing_is_copied_and_nothing_is_written_there(mount: Mount, name: str, data: Path) -> None:
    before = {path: path.lstat() for path in data.rglob("*")}
    version = register(mount, name, data)
    (version / "deep" / "large").read_bytes()
    assert list(mount.home.glob(f"store/{name}")) == []
    after = {path: path.lstat() for path in data.rglob("*")}
    assert [path for path in before if before[path].st_ctime_ns != after[path].st_ctime_ns] == []


def test_a_file(mount: Mount, name: str, data: Path) -> None:
    assert (register(mount, name, data / "deep" / "large") / "large").read_bytes() == (
        data / "deep" / "large"
    ).read_bytes()


def test_a_uri(mount: Mount, name: str, data: Path) -> None:
    assert (register(mount, name, data.as_uri()) / "small").read_bytes() == (data / "small").read_bytes()


def test_a_link_to_a_link_registers_what_it_leads_to(mount: Mount, name: str, data: Path) -> None:
    outer = data.parent / "outer"
    outer.symlink_to(data)
    version = register(mount, name, outer)
    outer.unlink()
    assert (version / "small").read_bytes() == (data / "small").read_bytes()


def test_the_link_itself_stays(mount: Mount, name: str, data: Path) -> None:
    register(mount, name, data)
    assert os.readlink(mount.incoming / name) == str(data)
    (mount.incoming / name).unlink()
    assert (mount.artifacts / name / "1" / "small").read_bytes() == (data / "small").read_bytes()


def test_the_same_data_again_after_it_grew(mount: Mount, name: str, data: Path) -> None:
    register(mount, name, data)
    (data / "more").write_bytes(b"more")
    assert mount.commit(name) == "2"
    assert "more" not in os.listdir(mount.artifacts / name / "1")
    assert (mount.artifacts / name / "2" / "more").read_bytes() == b"more"
    assert mount.commit(name) == "2"


@pytest.mark.parametrize("scheme", ["s3://bucket/x", "gopher://host/x"])
def test_a_uri_that_nothing_here_can_read(mount: Mount, scheme: str) -> None:
    name = f"uri {scheme.partition(':')[0]}"
    assert scheme.partition(":")[0] in refused(mount, name, scheme)


def test_a_dangling_link(mount: Mount, name: str, data: Path) -> None:
    target = data / "later"
    assert f"cannot register '{target}': nothing is there" in refused(mount, name, target)
    target.write_bytes(b"here now")
    assert mount.commit(name) == "1"


def test_a_relative_link(mount: Mount, name: str) -> None:
    (mount.incoming / name).symlink_to("../artifacts")
    mount.wait_until(lambda: state(mount, name)[0] == "aside", "the link being left as it is")
    assert "a relative link registers nothing" in state(mount, name)[1]


def test_data_in_the_mount_itself(mount: Mount, name: str, data: Path) -> None:
    (mount.incoming / "inside").write_bytes(b"content")
    inside = mount.incoming / "inside"
    around = data / "around"
    around.symlink_to(mount.path)
    for number, target in enumerate([inside, mount.path, inside.as_uri(), around / "incoming" / "inside"]):
        assert "lies in the mount itself" in refused(mount, f"{name} {number}", target)


def test_data_around_the_mount(mount: Mount, name: str) -> None:
    for number, target in enumerate([mount.path.parent, mount.path.parent.as_uri(), "/"]):
        assert "the mount itself lies in" in refused(mount, f"{name} {number}", target)


def test_a_fifo_in_the_data(mount: Mount, name: str, data: Path) -> None:
    os.mkfifo(data / "pipe")
    assert "is a FIFO" in refused(mount, name, data)


class TestChangedData:
    @pytest.mark.parametrize("where", [0, LARGE - 1], ids=["first block", "last block"])
    def test_other_bytes(self, mount: Mount, data: Path, where: int) -> None:
        name = f"other bytes at {where}"
        version = register(mount, name, data)
        large = data / "deep" / "large"
        times = large.stat()
        with open(large, "r+b") as file:
            file.seek(where)
            byte = file.read(1)
            file.seek(where)
            file.write(bytes([byte[0] ^ 1]))
        os.utime(large, ns=(times.st_atime_ns, times.st_mtime_ns))  # so that only the bytes tell
        assert_refused(mount, version / "deep" / "large", large)
        assert (version / "small").read_bytes() == (data / "small").read_bytes()

    def test_fewer_bytes(self, mount: Mount, name: str, data: Path) -> None:
        version = register(mount, name, data)
        os.truncate(data / "deep" / "large", LARGE - 1)
        assert_refused(mount, version / "deep" / "large", data / "deep" / "large")

    def test_more_bytes_are_not_in_the_version(self, mount: Mount, name: str, data: Path) -> None:
        before = {path: (data / path).read_bytes() for path in ("small", "deep/large")}
        version = register(mount, name, data)
        for path, content in before.items():
            with open(data / path, "ab") as file:
                file.write(b"more")
            assert (version / path).read_bytes() == content

    def test_another_file_in_its_place(self, mount: Mount, name: str, data: Path) -> None:
        version = register(mount, name, data)
        (data / "new").write_bytes(b"other")
        (data / "new").replace(data / "small")
        assert_refused(mount, version / "small", data / "small")

    def test_a_link_in_its_place(self, mount: Mount, name: str, data: Path) -> None:
        version = register(mount, name, data)
        (data / "small").unlink()
        (data / "small").symlink_to("/etc/services")
        assert_refused(mount, version / "small", data / "small", "cannot be read: Too many levels of symbolic links")

    def test_no_file_in_its_place(self, mount: Mount, name: str, data: Path) -> None:
        version = register(mount, name, data)
        (data / "small").unlink()
        assert_refused(mount, version / "small", data / "small", "cannot be read: No such file or directory")

    def test_it_can_be_put_right_again(self, mount: Mount, name: str, data: Path) -> None:
        version = register(mount, name, data)
        content = (data / "small").read_bytes()
        (data / "small").write_bytes(b"wrong")
        assert_refused(mount, version / "small", data / "small")
        (data / "small").write_bytes(content)
        assert (version / "small").read_bytes() == content


def assert_refused(mount: Mount, path: Path, changed: Path, why: str = "was changed") -> None:
    """Reading fails with EIO, and the status says which file changed."""
    with raises(errno.EIO):
        path.read_bytes()
    assert any(f"'{changed}' {why}" in error for error in errors(mount))


def _hub(folder: Path) -> Path:
    """A snapshot as huggingface_hub makes it: links to blobs."""
    snapshot = folder / "hub" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (folder / "hub" / "blobs").mkdir()
    (folder / "hub" / "blobs" / "c0ffee").write_text('{"a": 1}')
    (snapshot / "config.json").symlink_to("../../blobs/c0ffee")
    return snapshot


def test_a_folder_of_links_to_files_outside_is_those_files(mount: Mount, name: str, tmp_path: Path) -> None:
    version = register(mount, name, _hub(tmp_path))
    assert not (version / "config.json").is_symlink()
    assert (version / "config.json").read_text() == '{"a": 1}'


def test_a_link_to_a_link_gives_the_file_its_name(mount: Mount, name: str, tmp_path: Path) -> None:
    version = register(mount, name, _hub(tmp_path) / "config.json")
    assert [path.name for path in version.iterdir()] == ["config.json"]


def test_a_link_into_the_mount_stays_a_link(mount: Mount, name: str, data: Path) -> None:
    within = register(mount, f"{name}_first", data) / "small"
    (data / "back").symlink_to(within)
    assert os.readlink(register(mount, name, data) / "back") == str(within)


def test_a_copy_of_links_that_lead_nowhere_is_held_until_somebody_says_so(
    mount: Mount, name: str, tmp_path: Path
) -> None:
    subprocess.run(["cp", "-r", _hub(tmp_path), mount.incoming / name], check=True)
    mount.artfs("sync", mount.path, check=False)
    why = state(mount, name)
    assert (why[0], "cp -rL" in why[1]) == ("held", True)
    assert versions(mount, name) == []
    mount.artfs("commit", mount.incoming / name)
    assert versions(mount, name) == ["1"]
    assert f"{name}/1: there is not one byte in it" in mount.artfs("verify", name).stdout


def test_a_draft_with_links_to_what_is_there_is_sealed(mount: Mount, name: str, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("x")
    (mount.incoming / name).mkdir()
    (mount.incoming / name / "file").write_text("y")
    for number, target in enumerate((tmp_path / "there", mount.artifacts, "../" + name)):
        (mount.incoming / name / f"link{number}").symlink_to(target)
    mount.artfs("sync", mount.path, check=False)
    assert versions(mount, name) == ["1"]
    assert f"{name}/1: not self-contained" in mount.artfs("verify", name).stdout
