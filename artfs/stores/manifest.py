"""The manifest of a version: what its store knows of it without any catalog.

    <root>/<artifact>/<version's uuid>/.artfs/version.json

It is JSON, and a line each: the first has what the version says of itself, each of the others an entry of its tree,
a directory before what is in it, and the last a keyed digest of all before it, by which a home knows its own. So
600,000 entries are written and read without being in memory twice. `depth` is how many directories an entry is in.

    {"format":1,"state":"live",...,"entries":[
    {"name":"directory","depth":0,"mode":493,"mtime_ns":1},
    {"name":"a","depth":1,"mode":420,"mtime_ns":1,"digest":"b3:...","size":3},
    {"name":"link","depth":0,"mode":511,"mtime_ns":1,"target":"directory/a"}
    ],
    "seal":"<64 hex digits>"}

The content of a file lies in the version's own folder under the file's path, unless `key` says where else below the
root, `store` in which other store of the home, or `at` where it was registered. Names and paths are as Python's
`os.fsdecode` has them: what is no UTF-8 becomes lone surrogates.

A version that was removed keeps a manifest without entries, its tombstone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import IO, Annotated, Any, Final, Literal

from annotated_types import Ge, Le, Len
from blake3 import blake3

from artfs.content.digest import BLOCK_SIZE, DIGEST_SIZE, Digest, FileDigest, format_digest, parse_digest
from artfs.content.tree import Entry, EntryKind, Tree
from artfs.errors import InvalidName, ManifestInvalid
from artfs.names import PICTURES, check_artifact_name, check_entry_name, check_relative_path, check_version_name

FORMAT = 1
LIVE: Final = "live"
PURGED: Final = "purged"

MOST_HEAD_BYTES = 64 * 2**20
MOST_LINE_BYTES = 32 * 2**20
"""Of an entry: the digests of the blocks of a file of two TiB fit in."""
MOST_ENTRIES = 20_000_000

_OPEN, _CLOSE, _SEAL = b',"entries":[\n', b"],\n", b'"seal":"%s"}\n'
_HEADS = {b'{"format":1,"state":"live"': LIVE, b'{"format":1,"state":"purged"': PURGED}

_Count = Annotated[int, Ge(0), Le(2**63 - 1)]
_Time = Annotated[int, Ge(-(2**63)), Le(2**63 - 1)]
_Mode = Annotated[int, Ge(0), Le(0o777)]
_Uuid = Annotated[str, Len(36, 36)]
_DigestText = Annotated[str, Len(67, 67)]


@dataclass(frozen=True, slots=True)
class Value:
    """A metadata value, as the catalog's columns have it."""

    type: str
    text: str | None = None
    number: float | None = None
    json: str | None = None


@dataclass(frozen=True, slots=True)
class Producer:
    """The step run that made a version."""

    uuid: str
    step: str
    run_uuid: str
    run: str
    pipeline: str
    kind: str


@dataclass(frozen=True, slots=True)
class ManifestInput:
    """A version that the producer read."""

    slot: str
    position: _Count
    how: str
    uuid: _Uuid
    artifact: str
    version: str
    digest: _DigestText


@dataclass(frozen=True, slots=True)
class ManifestPicture:
    """A visualization: a file below `.artfs/visualizations`. The places are as those of an entry."""

    name: str
    kind: str
    digest: _DigestText
    size: _Count
    key: str | None = None
    store: str | None = None
    blocks: str | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """What a version says of itself; the fields are as in the catalog.

    Args:
        state: `live`, or `purged` for a tombstone.
        generation: how often the manifest was written.
        home: identity of the home that wrote it.
        digest: of the tree.
        previous: uuid of the version that a draft went on from.
    """

    state: Literal["live", "purged"]
    generation: _Count
    home: str
    uuid: _Uuid
    artifact: str
    name: str
    number: _Count | None
    created_us: _Time
    digest: _DigestText
    mode: _Mode
    mtime_ns: _Time
    files: _Count
    bytes: _Count
    type: str
    save_type: str
    materializer: str | None
    data_type: str | None
    trusted: bool
    user: str | None
    owner: str | None
    owner_group: str | None
    sealed_by: str | None
    previous: _Uuid | None
    self_contained: bool
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Value] | None = None
    producer: Producer | None = None
    inputs: tuple[ManifestInput, ...] = ()
    visualizations: tuple[ManifestPicture, ...] = ()
    purged_us: _Time | None = None
    purge_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """An entry of the tree. A file has a digest, a link a target, a directory neither.

    Args:
        name: in its directory.
        depth: how many directories it is in.
        blocks: hexadecimal digests of its blocks, one after the other, where it has several.
        key, store, at: where its content lies, if not under the same path in the version's folder.
    """

    name: str
    depth: _Count
    mode: _Mode
    mtime_ns: _Time
    digest: _DigestText | None = None
    size: _Count | None = None
    blocks: str | None = None
    key: str | None = None
    store: str | None = None
    at: str | None = None
    target: str | None = None


@dataclass(frozen=True, slots=True)
class ManifestPlace:
    """Where a content lies: below the root of a store of the home (None: the same), or where it was registered."""

    path: bytes
    store: str | None = None
    in_place: bool = False


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest that was read.

    Args:
        head: what the version says of itself.
        tree: what it holds; None for a tombstone.
        places: where each content lies.
        trusted: whether this home has written it, and nobody has changed it since.
    """

    head: Head
    tree: Tree | None
    places: Mapping[Digest, ManifestPlace]
    trusted: bool


def written(head: Head, lines: Iterable[Line], key: bytes) -> Iterator[bytes]:
    """Yield the bytes of a manifest.

    Args:
        head: what the version says of itself.
        lines: the entries of its tree, a directory before what is in it, by name.
        key: of the home.
    """
    seal = blake3(key=key)
    for piece in _body(head, lines):
        seal.update(piece)
        yield piece
    yield _SEAL % seal.hexdigest().encode()


def state_of(file: IO[bytes]) -> str | None:
    """Return the state that a manifest says, of which nothing was read yet; None for one that a crash left empty."""
    begin = file.read(64)
    return next((state for head, state in _HEADS.items() if begin.startswith(head)), None)


def read(file: IO[bytes], folder: bytes, key: bytes) -> Manifest:
    """Read a manifest, of which nothing is believed that does not hold.

    Args:
        file: open at its beginning.
        folder: of the version, below the root of its store.
        key: of the home.

    Raises:
        ManifestInvalid: it is not what `written` writes: cut off, changed, with names that lead elsewhere, ...
    """
    seal = blake3(key=key)
    try:
        head_line = file.readline(MOST_HEAD_BYTES)
        seal.update(head_line)
        head = _parsed_head(head_line)
        builder, places = _Builder(), _places_of_pictures(head, folder)
        for line in _entry_lines(file, seal):
            path = builder.add(line)
            if line.digest is not None:
                places.setdefault(parse_digest(line.digest), _where(line, folder + b"/" + path))
        trusted = _is_sealed(file, seal)
        if head.state == PURGED:
            return Manifest(head, None, {}, trusted)
        tree = builder.finish()
        if (format_digest(tree.digest), tree.files, tree.bytes) != (head.digest, head.files, head.bytes):
            raise ValueError("its entries are not those of the version")
    except (ValueError, TypeError, InvalidName) as error:
        shown = os.fsdecode(folder)
        raise ManifestInvalid(f"the manifest in '{shown}' is damaged: {_short(error)}", subject=shown) from error
    return Manifest(head, tree, places, trusted)


def _body(head: Head, lines: Iterable[Line]) -> Iterator[bytes]:
    yield _dumped({"format": FORMAT, **_plain(head)})[:-1] + _OPEN
    before = b""
    for line in lines:
        yield before + _dumped({key: value for key, value in _plain(line).items() if value is not None})
        before = b",\n"
    yield b"\n" * bool(before) + _CLOSE


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _plain(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in _names(value.__class__)}


def _default(value: Any) -> Any:
    if is_dataclass(value):
        return _plain(value)
    raise TypeError(f"{type(value).__name__} cannot be in a manifest")


_encoder = json.JSONEncoder(separators=(",", ":"), default=_default, allow_nan=True)


def _dumped(value: Mapping[str, Any]) -> bytes:
    return _encoder.encode(value).encode("ascii")


def _parsed_head(line: bytes) -> Head:
    if not line.endswith(_OPEN):
        raise ValueError("its first line is not whole")
    values = json.loads(line.removesuffix(_OPEN) + b"}")
    if not isinstance(values, dict) or values.pop("format", None) != FORMAT:
        raise ValueError(f"its format is not {FORMAT}: a newer release may have written it")
    head: Head = _validated(Head, values)
    check_artifact_name(head.artifact)
    check_version_name(head.name)
    parse_digest(head.digest)
    return head


def _entry_lines(file: IO[bytes], seal: blake3) -> Iterator[Line]:
    for _ in range(MOST_ENTRIES):
        text = file.readline(MOST_LINE_BYTES)
        seal.update(text)
        if text == _CLOSE:
            return
        if not text.endswith(b"\n"):
            raise ValueError("it ends too early")
        yield _validated(Line, json.loads(text.rstrip(b",\n")))
    raise ValueError(f"it has more than {MOST_ENTRIES:,} entries")


def _is_sealed(file: IO[bytes], seal: blake3) -> bool:
    wanted = _SEAL % seal.hexdigest().encode()
    found = file.readline(len(wanted) + 1)
    if len(found) != len(wanted) or file.read(1):
        raise ValueError("it does not end where it should")
    return found == wanted


@cache
def _adapter(kind: type) -> Any:
    from pydantic import TypeAdapter  # here: most programs read no manifest

    return TypeAdapter(kind)


def _validated(kind: type, values: Any) -> Any:
    return _adapter(kind).validate_python(values)


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _where(line: Line, own: bytes) -> ManifestPlace:
    if line.at is not None:
        return ManifestPlace(os.fsencode(line.at), in_place=True)
    return ManifestPlace(check_relative_path(os.fsencode(line.key)) if line.key is not None else own, line.store)


def _places_of_pictures(head: Head, folder: bytes) -> dict[Digest, ManifestPlace]:
    own = {each: folder + b"/" + PICTURES + os.fsencode(each.name) for each in head.visualizations}
    for each in head.visualizations:
        check_entry_name(os.fsencode(each.name), at_root=True)
    return {
        parse_digest(each.digest): ManifestPlace(
            check_relative_path(os.fsencode(each.key) if each.key else key), each.store
        )
        for each, key in own.items()
    }


class _Builder:
    """Puts a tree together from its entries, a directory before what is in it; without recursion."""

    def __init__(self) -> None:
        # Of each directory that is open: its line, and what is in it so far.
        self._open: list[tuple[Line | None, list[Entry]]] = [(None, [])]
        self._above = b""
        """The path of the innermost, with a slash at its end: one for each would be too much."""

    def add(self, line: Line) -> bytes:
        """Take the next entry, and return its path."""
        while len(self._open) > line.depth + 1:
            self._close()
        if len(self._open) <= line.depth:
            raise ValueError("an entry comes before the directory that it is in")
        name = check_entry_name(os.fsencode(line.name), at_root=not line.depth)
        path = self._above + name
        if line.digest is None and line.target is None:
            self._open.append((line, []))
            self._above = path + b"/"
        else:
            self._open[-1][1].append(_leaf(name, line))
        return path

    def finish(self) -> Tree:
        while len(self._open) > 1:
            self._close()
        return Tree(tuple(self._open[0][1]))

    def _close(self) -> None:
        line, entries = self._open.pop()
        assert line is not None, "the outermost is never closed"
        name = os.fsencode(line.name)
        self._above = self._above[: -len(name) - 1]
        entry = Entry(name, EntryKind.DIRECTORY, line.mode, line.mtime_ns, tree=Tree(tuple(entries)))
        self._open[-1][1].append(entry)


def _leaf(name: bytes, line: Line) -> Entry:
    if line.target is not None:
        return Entry(name, EntryKind.SYMLINK, line.mode, line.mtime_ns, target=os.fsencode(line.target))
    if line.digest is None or line.size is None:
        raise ValueError("a file has no size")
    blocks = bytes.fromhex(line.blocks) if line.blocks is not None else None
    count = -(-line.size // BLOCK_SIZE)
    if blocks is not None and len(blocks) != count * DIGEST_SIZE:
        raise ValueError(f"a file of {line.size} bytes has {count} blocks")
    return Entry(
        name, EntryKind.FILE, line.mode, line.mtime_ns, file=FileDigest(parse_digest(line.digest), line.size, blocks)
    )
