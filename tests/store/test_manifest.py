"""Manifests: what is written is read again, and nothing is believed that does not hold."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from dataclasses import replace

import pytest

from artfs.content.digest import BLOCK_SIZE, FileDigest, format_digest, hash_bytes
from artfs.content.tree import Entry, EntryKind, Tree
from artfs.errors import ManifestInvalid
from artfs.stores.manifest import (
    PURGED,
    Head,
    Line,
    Manifest,
    ManifestInput,
    ManifestPicture,
    ManifestPlace,
    Producer,
    Value,
    read,
    state_of,
    written,
)
from support.entries import file

KEY, FOLDER = b"k" * 32, b"iris/" + b"0" * 32
TREE = Tree.from_files(
    {
        b"a": file(b"a"),
        b"deep/er/\xff\xfe": file(b"not UTF-8"),
        b"deep/link": Entry(b"link", EntryKind.SYMLINK, 0o777, 5, target=b"../\xe9"),
        b"empty": Entry(b"empty", EntryKind.DIRECTORY, 0o700, 6, tree=Tree(())),
    },
    mtime_ns=-1,
)
HEAD = Head(
    state="live",
    generation=2,
    home="a home",
    uuid="00000000-0000-4000-8000-000000000000",
    artifact="iris",
    name="7",
    number=7,
    created_us=1,
    digest=format_digest(TREE.digest),
    mode=0o755,
    mtime_ns=3,
    files=TREE.files,
    bytes=TREE.bytes,
    type="DataArtifact",
    save_type="manual",
    materializer=None,
    data_type=None,
    trusted=True,
    user="me",
    owner="somebody",
    owner_group="all",
    sealed_by="quiet",
    previous="10000000-0000-4000-8000-000000000000",
    self_contained=True,
    tags=("best", "raw \u00e9"),
    metadata={"rows": Value("int", "3", 3.0), "inf": Value("float", "inf", float("inf"))},
    producer=Producer("s", "fit", "r", "first", "training", "pipeline"),
    inputs=(
        ManifestInput("x", 0, "declared", "20000000-0000-4000-8000-000000000000", "raw", "1", format_digest(bytes(32))),
    ),
    visualizations=(ManifestPicture("page.html", "html", format_digest(hash_bytes(b"page")), 4),),
)


def lines(tree: Tree = TREE) -> list[Line]:
    found = []
    for path, entry in tree.walk():
        name, depth = os.fsdecode(entry.name), path.count(b"/")
        line = Line(name, depth, entry.mode, entry.mtime_ns)
        if entry.file is not None:
            blocks = entry.file.blocks.hex() if entry.file.blocks is not None else None
            line = replace(line, digest=format_digest(entry.file.digest), size=entry.file.size, blocks=blocks)
        elif entry.target is not None:
            line = replace(line, target=os.fsdecode(entry.target))
        found.append(line)
    return found


def text(head: Head = HEAD, its_lines: list[Line] | None = None, key: bytes = KEY) -> bytes:
    return b"".join(written(head, lines() if its_lines is None else its_lines, key))


def parsed(content: bytes, key: bytes = KEY) -> Manifest:
    return read(io.BytesIO(content), FOLDER, key)


def test_what_is_written_is_read_again() -> None:
    found = parsed(text())
    assert (found.head, found.tree, found.trusted) == (HEAD, TREE, True)
    assert found.places[hash_bytes(b"not UTF-8")] == ManifestPlace(FOLDER + b"/deep/er/\xff\xfe")
    assert found.places[hash_bytes(b"page")] == ManifestPlace(FOLDER + b"/.artfs/visualizations/page.html")


def test_it_is_json_with_a_line_for_each_entry() -> None:
    values = json.loads(text())
    assert next(entry["name"] for entry in values["entries"]) == "a"
    assert text().count(b"\n") == len(values["entries"]) + 3
    empty = replace(HEAD, digest=format_digest(Tree(()).digest), files=0, bytes=0)
    assert json.loads(text(empty, []))["entries"] == [] and parsed(text(empty, [])).tree == Tree(())


def test_content_may_lie_elsewhere() -> None:
    changed = [replace(line, key="other/\udcff") if line.name == "a" else line for line in lines()]
    assert parsed(text(HEAD, changed)).places[hash_bytes(b"a")] == ManifestPlace(b"other/\xff")
    changed = [replace(line, key="other/a", store="disk") if line.name == "a" else line for line in lines()]
    assert parsed(text(HEAD, changed)).places[hash_bytes(b"a")] == ManifestPlace(b"other/a", "disk")
    changed = [replace(line, at="/data/a") if line.name == "a" else line for line in lines()]
    assert parsed(text(HEAD, changed)).places[hash_bytes(b"a")] == ManifestPlace(b"/data/a", in_place=True)


def test_large_contents_have_the_digests_of_their_blocks() -> None:
    large = FileDigest(hash_bytes(b"large"), BLOCK_SIZE + 1, bytes(64))
    tree = Tree((Entry(b"large", EntryKind.FILE, 0o644, 1, file=large),))
    head = replace(HEAD, digest=format_digest(tree.digest), files=1, bytes=large.size)
    found = parsed(text(head, lines(tree))).tree
    assert found is not None and found.entries[0].file == large
    with pytest.raises(ManifestInvalid, match="has 2 blocks"):
        parsed(text(head, [replace(line, blocks="00" * 32) for line in lines(tree)]))


def test_directories_may_be_deeper_than_the_stack() -> None:
    tree = Tree.from_files({b"/".join([b"d"] * 3000): file(b"deep down")})
    content = text(replace(HEAD, digest=format_digest(tree.digest), files=1, bytes=9), lines(tree))
    assert len(content) < 3000 * 80
    assert parsed(content).tree == tree


def test_a_tombstone_has_no_entries() -> None:
    content = text(replace(HEAD, state=PURGED, purged_us=5, purge_reason="deleted"), [])
    assert [state_of(io.BytesIO(each)) for each in (content, text(), b"")] == ["purged", "live", None]
    found = parsed(content)
    assert (found.tree, found.head.purge_reason, found.trusted) == (None, "deleted", True)


def test_what_another_home_wrote_or_somebody_changed_is_not_trusted() -> None:
    assert not parsed(text(), b"another key".ljust(32)).trusted
    changed = text().replace(b'"user":"me"', b'"user":"him"')
    assert parsed(changed).head.user == "him" and not parsed(changed).trusted


@pytest.mark.parametrize("end", [0, 1, 100, -1, -2, -60, -80, -200])
def test_one_that_is_cut_off_is_damaged(end: int) -> None:
    with pytest.raises(ManifestInvalid):
        parsed(text()[:end])


FORGED: dict[str, Callable[[bytes], bytes]] = {
    "more after its end": lambda content: content + b"x",
    "another format": lambda content: content.replace(b'"format":1', b'"format":2'),
    "an artifact that leads out": lambda content: content.replace(b'"artifact":"iris"', b'"artifact":"../iris"'),
    "a version that leads out": lambda content: content.replace(b'"name":"7"', b'"name":".artfs"'),
    "a name that leads out": lambda content: content.replace(b'{"name":"a"', b'{"name":".."'),
    "a name that is reserved": lambda content: content.replace(b'{"name":"a"', b'{"name":".artfs"'),
    "a name twice": lambda content: content.replace(b'{"name":"empty"', b'{"name":"deep"'),
    "an entry in no directory": lambda content: content.replace(b'"depth":0', b'"depth":1', 1),
    "a negative depth": lambda content: content.replace(b'"depth":0', b'"depth":-1', 1),
    "a key that leads out": lambda content: content.replace(b'{"name":"a"', b'{"key":"../a","name":"a"'),
    "a key of the store's own": lambda content: content.replace(
        b'{"name":"a"', b'{"key":".artfs/mark.json","name":"a"'
    ),
    "a picture that leads out": lambda content: content.replace(b'"name":"page.html"', b'"name":"../page.html"'),
    "other bytes": lambda content: content.replace(format_digest(hash_bytes(b"a")).encode(), b"b3:" + b"0" * 64),
    "another mode": lambda content: content.replace(b'"mode":448', b'"mode":511'),
    "a mode that is none": lambda content: content.replace(b'"mode":448', b'"mode":2541'),
    "an entry less": lambda content: b"\n".join(line for line in content.split(b"\n") if b'"empty"' not in line),
    "no JSON": lambda content: content.replace(b'{"name":"a"', b'{"name":'),
    "no number": lambda content: content.replace(b'"size":1', b'"size":"much"'),
}


@pytest.mark.parametrize("forged", FORGED)
def test_what_cannot_be_is_refused(forged: str) -> None:
    content = FORGED[forged](text())
    assert content != text()
    with pytest.raises(ManifestInvalid, match=r"the manifest in 'iris/0+' is damaged"):
        parsed(content)
