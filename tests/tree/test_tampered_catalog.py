"""The tree of a catalog that something else wrote into shows nothing that leads out of it."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from artfs.catalog.versions import Version
from artfs.errors import CatalogCorrupt
from artfs_mount.fuse.errno import code_of
from support.tampering import tamper

At = Callable[[str], Any]
Record = Callable[..., Version]


@pytest.mark.parametrize("name", [b"..", b"a/b", b"", b"a\0b"], ids=repr)
def test_a_directory_with_a_hostile_name_cannot_be_listed(home: Path, at: At, record: Record, name: bytes) -> None:
    record("p")
    tamper(home, "UPDATE tree_entry SET name = ?", name)
    with pytest.raises(CatalogCorrupt) as raised:
        list(at("artifacts/p/1").entries())
    assert code_of(raised.value) == errno.EIO


@pytest.mark.parametrize(
    ("sql", "path"),
    [
        ("UPDATE artifact SET name = '../../etc'", "artifacts"),
        ("UPDATE version SET name = '../..'", "artifacts/p"),
        ("UPDATE tag SET name = '../../x'", "artifacts/p"),
        ("UPDATE tag SET name = '../../x'", "tags"),
        ("UPDATE version SET name = '../..'", "tags/best"),
    ],
)
def test_no_hostile_name_of_the_catalog_is_listed(home: Path, at: At, record: Record, sql: str, path: str) -> None:
    record("p", tags=["best"])
    tamper(home, sql)
    with pytest.raises(CatalogCorrupt):
        list(at(path).entries())
