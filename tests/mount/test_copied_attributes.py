"""What a version says of itself in extended attributes is not true of a copy, and never comes along with one."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from support.mount import Mount

COPIES = {
    "cp": ["cp", "-a", "{source}/.", "{target}"],
    "rsync": ["rsync", "-aX", "{source}/", "{target}/"],
    "tar": [
        "sh",
        "-c",
        "tar --xattrs --xattrs-include='*' -C {source} -c . | tar --xattrs --xattrs-include='*' -C {target} -x",
    ],
}


@pytest.fixture
def version(patient: Mount, name: str) -> Path:
    """A version with a file in a directory, tags and metadata."""
    draft = patient.incoming / name
    (draft / "d").mkdir(parents=True)
    (draft / "d" / "f").write_text("1")
    patient.commit(name)
    patient.artfs("artifact", "tag", f"{name}/1", "best")
    patient.artfs("artifact", "metadata", f"{name}/1", "accuracy=0.5")
    return patient.artifacts / name / "1"


def test_they_are_answered_by_name(version: Path) -> None:
    assert os.getxattr(version, "user.artfs.tags") == b"best"
    assert os.getxattr(version, "user.artfs.metadata.accuracy") == b"0.5"
    assert os.getxattr(version / "d/f", "user.artfs.digest").startswith(b"b3:")
    assert os.listxattr(version) == os.listxattr(version / "d") == os.listxattr(version / "d/f") == []


@pytest.mark.parametrize("program", COPIES)
def test_no_copy_takes_them_along(version: Path, tmp_path: Path, program: str) -> None:
    target = tmp_path / "copy"
    copy(program, version, target)
    assert (target / "d/f").read_text() == "1"
    assert [os.listxattr(path) for path in (target, target / "d", target / "d/f")] == [[], [], []]


@pytest.mark.parametrize("program", COPIES)
def test_a_copy_that_has_them_from_elsewhere_can_be_brought_back(
    patient: Mount, version: Path, name: str, tmp_path: Path, program: str
) -> None:
    source = tmp_path / "source"
    shutil.copytree(version, source)
    for key, value in (("id", b"1"), ("digest", b"b3:0"), ("type", b"T"), ("tags", b"t"), ("metadata.k", b"1")):
        os.setxattr(source, f"user.artfs.{key}", value)
        os.setxattr(source / "d/f", f"user.artfs.{key}", value)
    os.setxattr(source / "d/f", "user.mine", b"kept")
    draft = patient.incoming / f"{name}-copy"
    copy(program, source, draft)
    assert os.listxattr(draft / "d/f") == ["user.mine"]
    for path in (draft, draft / "d/f"):
        with pytest.raises(OSError) as caught:
            os.getxattr(path, "user.artfs.digest")
        assert caught.value.errno == errno.ENODATA


def test_orders_stay_orders(patient: Mount, version: Path) -> None:
    draft = patient.incoming / version.parent.name
    os.setxattr(draft, "user.artfs.unit", b"child")
    assert os.getxattr(draft, "user.artfs.unit") == b"child"
    with pytest.raises(OSError) as caught:
        os.setxattr(draft, "user.artfs.comit", b"")
    assert caught.value.errno == errno.EOPNOTSUPP


class TestRefusals:
    """What a user asks for and does not get is no fault of the mount's."""

    @pytest.mark.parametrize("size", [5_000, 65_000])
    def test_an_attribute_that_the_disk_cannot_hold(self, patient: Mount, name: str, size: int, tmp_path: Path) -> None:
        (patient.incoming / name).write_text("1")
        try:
            os.setxattr(tmp_path, "user.mine", bytes(size))
        except OSError:
            pass
        else:
            pytest.skip("this disk can hold it")
        with pytest.raises(OSError) as caught:
            os.setxattr(patient.incoming / name, "user.mine", bytes(size))
        assert caught.value.errno == errno.E2BIG
        assert patient.status()["errors"]["count"] == 0

    @pytest.mark.parametrize(
        "value", [b"{", b"\xff", rb'{"draft": "\ud800"}', rb'{"version": "\ud800"}', b'{"tags": 1}']
    )
    def test_an_order_that_makes_no_sense(self, patient: Mount, name: str, value: bytes) -> None:
        (patient.incoming / name).write_text("1")
        with pytest.raises(OSError) as caught:
            os.setxattr(patient.incoming / name, "user.artfs.commit", value)
        assert caught.value.errno in (errno.EINVAL, errno.ENOENT)
        assert patient.status()["errors"]["count"] == 0

    @pytest.mark.parametrize(
        "attribute", [b"user.artfs.metadata.\xff", b"user.artfs.tags", b"user.\xff", b"user.artfs.\xff"]
    )
    def test_a_name_or_a_value_of_bytes_that_are_no_text(self, patient: Mount, version: Path, attribute: bytes) -> None:
        for path in (version, version / "d/f", patient.path):
            with pytest.raises(OSError):
                os.setxattr(path, attribute, b"\xff")
        assert patient.status()["errors"]["count"] == 0

    @pytest.mark.parametrize("artifact", [b"\xff", b".artfs", b"n" * 300, b"a:b\nc"])
    def test_a_name_that_no_artifact_may_have(self, patient: Mount, artifact: bytes) -> None:
        with pytest.raises(OSError):
            os.mkdir(os.fsencode(patient.artifacts) + b"/" + artifact)
        assert patient.status()["errors"]["count"] == 0


def copy(program: str, source: Path, target: Path) -> None:
    """Copies the content of a directory with all attributes. Fails if the program says that something is missing."""
    words: Sequence[str] = COPIES[program]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not here")
    target.mkdir()
    subprocess.run([word.format(source=source, target=target) for word in words], check=True, timeout=60)
