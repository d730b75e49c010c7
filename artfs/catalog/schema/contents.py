"""The tables of what is in versions: contents of files, where their bytes lie, and directories."""

from __future__ import annotations

from artfs.catalog.schema.columns import ID
from artfs.catalog.schema.description import Column, Index, Table

CONTENT_TABLES: tuple[Table, ...] = (
    Table(
        "blob",
        "The content of files.",
        (
            ID,
            Column("digest", "BYTES NOT NULL UNIQUE", "BLAKE3 of the content; for kind `identity`, of the place."),
            Column(
                "kind",
                "TEXT NOT NULL DEFAULT 'content'",
                "`content`, or `identity`: the content's digest is not known (remote data registered in place), and "
                "the digest is that of the URI, size and ETag.",
            ),
            Column("size", "INTEGER NOT NULL", "How many bytes."),
            Column("blocks", "BYTES", "Digests of its 4 MiB blocks, 32 bytes each; NULL when there is one block."),
            Column(
                "pieces",
                "BYTES",
                "For each block the digest of the list of its pieces' (64 KiB) digests, 32 bytes each; NULL: no lists.",
            ),
            Column(
                "holes", "BYTES", "Offset and length of each hole, 8 bytes each, big-endian; NULL if none is known."
            ),
        ),
    ),
    Table(
        "blob_place",
        "Where the bytes of a blob lie. A blob may lie in several places.",
        (
            ID,
            Column("blob_id", "INTEGER NOT NULL REFERENCES blob(id)", "The blob."),
            Column(
                "store_id", "INTEGER REFERENCES store(id)", "Store whose root `path` is relative to; NULL in place."
            ),
            Column("path", "BYTES NOT NULL", "Path below the store's root; in place: absolute path or URI."),
            Column(
                "owned", "INTEGER NOT NULL", "1: artfs wrote these bytes and may remove them. 0: registered in place."
            ),
            Column("mtime_ns", "INTEGER", "In place: modification time when registered; another one means changed."),
            Column("etag", "TEXT", "In place, remote: ETag when registered."),
            Column(
                "state",
                "TEXT NOT NULL",
                "`live`; `staged`: on a machine, not yet in the store; `gone`: to be removed.",
            ),
            Column(
                '"offset"',
                "INTEGER NOT NULL DEFAULT 0",
                "Where the bytes begin in the object. Only packs begin elsewhere than at 0, and hold no empty content.",
            ),
            Column(
                "length", "INTEGER", "How many bytes of the object are these, as stored; NULL for all after `offset`."
            ),
            Column("encoding", "TEXT", "How they are stored: `zstd` in frames of a block each; NULL as they are."),
            Column("object_version", "TEXT", "Version of the object, in a bucket with versions, that has these bytes."),
            Column("checksum", "TEXT", "What the store itself has checked and answers with, as `algorithm:base64`."),
            Column(
                "generation",
                "INTEGER NOT NULL DEFAULT 0",
                "How often the bytes moved to another key: a manifest that names an earlier one is not the last.",
            ),
            Column("machine_id", "INTEGER REFERENCES machine(id)", "While staged: the machine that has the bytes."),
        ),
        indexes=(
            Index(
                "blob_place_owned",
                'store_id, path, "offset"',
                "no two blobs in one owned place",
                True,
                "store_id IS NOT NULL",
            ),
            Index(
                "blob_place_in_place",
                "path, blob_id",
                "a path registered again is one row a content",
                True,
                "owned = 0",
            ),
            Index("blob_place_blob", "blob_id, state", "where a blob's bytes are"),
            Index("blob_place_unsettled", "state, id", "what is to be uploaded or removed", where="state <> 'live'"),
        ),
    ),
    Table(
        "unsynced",
        "The bytes of a small blob, committed with the rows that need it: its file may not be on stable storage yet.",
        (
            Column("blob_id", "INTEGER NOT NULL PRIMARY KEY REFERENCES blob(id) ON DELETE CASCADE", "The blob."),
            Column("content", "BYTES NOT NULL", "All its bytes; the row goes when a sync has made its files durable."),
            Column("boot", "TEXT", "Boot of the machine in which the file was written: a later one may have lost it."),
        ),
        shared=False,
    ),
    Table(
        "tree",
        "A directory's entries, at any depth. Equal ones are one row.",
        (
            ID,
            Column(
                "digest", "BYTES NOT NULL", "Merkle digest over names, kinds, modes, targets and contents, not times."
            ),
            Column(
                "record_digest", "BYTES NOT NULL UNIQUE", "The same with all modification times: what makes rows equal."
            ),
            Column("files", "INTEGER NOT NULL", "Files and links at any depth."),
            Column("directories", "INTEGER NOT NULL", "Directories at any depth, this one included."),
            Column("bytes", "INTEGER NOT NULL", "Bytes of all files at any depth."),
        ),
    ),
    Table(
        "tree_entry",
        "One name in a directory. Owners are a matter of versions: equal directories of two users are one.",
        (
            ID,
            Column("tree_id", "INTEGER NOT NULL REFERENCES tree(id)", "The directory it is in."),
            Column("name", "BYTES NOT NULL", "One path component, as the file system had it (need not be UTF-8)."),
            Column("kind", "INTEGER NOT NULL", "1 file, 2 directory, 3 symbolic link."),
            Column("mode", "INTEGER NOT NULL", "Permission bits, 0o777."),
            Column("mtime_ns", "INTEGER NOT NULL", "Modification time."),
            Column("blob_id", "INTEGER REFERENCES blob(id)", "Content of a file; else NULL."),
            Column("child_id", "INTEGER REFERENCES tree(id)", "Entries of a directory; else NULL."),
            Column("target", "BYTES", "Where a link points, as written; else NULL."),
        ),
        indexes=(
            Index("tree_entry_name", "tree_id, name", "list a directory, find a name in it", True),
            Index("tree_entry_blob", "blob_id", "who needs a blob", where="blob_id IS NOT NULL"),
            Index("tree_entry_child", "child_id", "who needs a tree", where="child_id IS NOT NULL"),
        ),
    ),
)
