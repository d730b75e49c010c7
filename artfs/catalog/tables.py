"""What the catalog holds: every table, column and index, and why it is there.

Times named `_us` are integer microseconds since 1970 UTC; `mtime_ns` is integer nanoseconds, as file systems have it.
JSON is TEXT, with sorted keys.
A change here is a new schema version: raise SCHEMA_VERSION and add a step to `migrations`.
"""

from __future__ import annotations

from artfs.catalog.run_tables import RUN_TABLES
from artfs.catalog.schema import Column, Index, Table
from artfs.catalog.table_columns import CREATED, ID, USER, UUID, metadata_columns

SCHEMA_VERSION = 2

TABLES: tuple[Table, ...] = (
    Table(
        "schema_version",
        "A version of the schema that this catalog has been brought to. The greatest is the one it has.",
        (
            Column("version", "INTEGER PRIMARY KEY", "Number of the schema version."),
            Column("applied_us", "INTEGER NOT NULL", "When the catalog was brought to it."),
        ),
    ),
    Table(
        '"user"',
        "Somebody who makes versions and runs. Quoted, as it is a reserved word of SQL.",
        (ID, Column("name", "TEXT NOT NULL UNIQUE", "Login name."), CREATED),
    ),
    Table(
        "store",
        "A place where bytes live: a folder or a bucket.",
        (
            ID,
            Column("name", "TEXT NOT NULL UNIQUE", "What people call it."),
            Column("flavor", "TEXT NOT NULL", "Which class serves it: local, s3, ..."),
            Column(
                "root", "TEXT NOT NULL", "Path or URI that everything in it lies below; inside the home relative to it."
            ),
            Column("options", "TEXT NOT NULL DEFAULT '{}'", "Settings of the flavor, JSON; never a secret."),
            CREATED,
        ),
    ),
    Table(
        "stack",
        "A named choice of where new versions go.",
        (
            ID,
            Column("name", "TEXT NOT NULL UNIQUE", "What people call it."),
            Column("store_id", "INTEGER NOT NULL REFERENCES store(id)", "Store that new versions go to."),
            CREATED,
        ),
        indexes=(Index("stack_store", "store_id", "which stacks use a store"),),
    ),
    Table(
        "artifact",
        "A name with versions.",
        (
            ID,
            Column("name", "TEXT NOT NULL UNIQUE", "Name; the directory below /artifacts."),
            Column("next_number", "INTEGER NOT NULL DEFAULT 1", "Number of the next version that gets one by itself."),
            Column(
                "deleted_us",
                "INTEGER",
                "When it was deleted; the row stays while lineage may name its versions, so that numbers are not used "
                "again. NULL while it exists.",
            ),
            CREATED,
            USER,
        ),
    ),
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
                "`live`; `staged`: on this machine, not yet in the store; `gone`: to be removed.",
            ),
        ),
        indexes=(
            Index(
                "blob_place_owned", "store_id, path", "no two blobs in one owned place", True, "store_id IS NOT NULL"
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
        "One name in a directory.",
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
            Column(
                "inode",
                "INTEGER NOT NULL",
                "Own id; for a file, the id of the first entry ever with the same blob, mode and time, so that the "
                "kernel caches their pages once.",
            ),
        ),
        indexes=(
            Index("tree_entry_name", "tree_id, name", "list a directory, find a name in it", True),
            Index(
                "tree_entry_blob",
                "blob_id, mode, mtime_ns, inode",
                "the inode of equal files; who needs a blob",
                False,
                "blob_id IS NOT NULL",
            ),
            Index("tree_entry_child", "child_id", "who needs a tree", where="child_id IS NOT NULL"),
            Index(
                "tree_entry_inode",
                "inode",
                "an entry by its inode when the first of its kind is gone",
                where="inode <> id",
            ),
        ),
    ),
    *RUN_TABLES,
    Table(
        "version",
        "A name for a tree: what `ls` shows below an artifact. Only its state, tags and metadata ever change.",
        (
            ID,
            UUID,
            Column("artifact_id", "INTEGER NOT NULL REFERENCES artifact(id)", "Artifact that it is a version of."),
            Column("name", "TEXT NOT NULL", "Its number as text, or the name that was chosen."),
            Column("number", "INTEGER", "The number, if the name is one; to sort by."),
            Column(
                "state",
                "TEXT NOT NULL",
                "`live`; `staged`: complete, but not all bytes are in the store yet; `purged`: a tombstone, without "
                "bytes.",
            ),
            Column("tree_id", "INTEGER REFERENCES tree(id)", "What it holds; NULL once purged."),
            Column("digest", "BYTES NOT NULL", "Digest of the tree, kept for tombstones."),
            Column("mode", "INTEGER NOT NULL", "Permission bits of its root directory, 0o777."),
            Column("mtime_ns", "INTEGER NOT NULL", "Modification time of its root directory."),
            Column("files", "INTEGER NOT NULL", "Files and links in it, kept for tombstones."),
            Column("bytes", "INTEGER NOT NULL", "Bytes of all files in it, kept for tombstones."),
            Column("type", "TEXT NOT NULL", "What it is for people: DataArtifact, ModelArtifact, ..."),
            Column("save_type", "TEXT NOT NULL", "How it came: incoming, manual, step_output, preexisting, external."),
            Column("materializer", "TEXT", "Class that wrote the files and can load them; NULL if unknown."),
            Column("data_type", "TEXT", "Class of the value that was saved; NULL if unknown."),
            Column(
                "trusted",
                "INTEGER NOT NULL DEFAULT 0",
                "1: this catalog's own save or step wrote it, so pickles in it may load.",
            ),
            Column("producer_id", "INTEGER REFERENCES step_run(id)", "Step run that made it; NULL if none did."),
            Column("store_id", "INTEGER REFERENCES store(id)", "Store it was written to; NULL in place."),
            USER,
            CREATED,
            Column("purged_us", "INTEGER", "When it was purged."),
            Column("purge_reason", "TEXT", "Why it was purged."),
        ),
        ("UNIQUE (artifact_id, name)", "CHECK ((state = 'purged') = (tree_id IS NULL))"),
        (
            Index(
                "version_live", "artifact_id, id", "versions of an artifact in order; counts", where="state <> 'purged'"
            ),
            Index("version_staged", "id", "what is still to be uploaded", where="state = 'staged'"),
            Index("version_tree", "tree_id", "who needs a tree", where="tree_id IS NOT NULL"),
            Index("version_producer", "producer_id", "what a step run made", where="producer_id IS NOT NULL"),
            Index("version_digest", "digest", "versions of equal content"),
            Index("version_name", "name", "filter by name over all artifacts"),
            Index("version_type", "type", "filter by type"),
            Index("version_created", "created_us", "filter by time"),
        ),
    ),
    Table(
        "step_input",
        "A version that a step run read.",
        (
            Column("step_run_id", "INTEGER NOT NULL REFERENCES step_run(id)", "The step run."),
            Column("slot", "TEXT NOT NULL", "Name of the input."),
            Column("position", "INTEGER NOT NULL DEFAULT 0", "Place in a list that was given as one input."),
            Column("version_id", "INTEGER NOT NULL REFERENCES version(id)", "The version."),
            Column("how", "TEXT NOT NULL", "declared, client, external, observed."),
        ),
        ("PRIMARY KEY (step_run_id, slot, position)",),
        (Index("step_input_version", "version_id, step_run_id", "who read a version"),),
    ),
    Table(
        "step_output",
        "A version that a step run gave out: made by it, or taken over from the cache.",
        (
            Column("step_run_id", "INTEGER NOT NULL REFERENCES step_run(id)", "The step run."),
            Column("slot", "TEXT NOT NULL", "Name of the output."),
            Column("position", "INTEGER NOT NULL DEFAULT 0", "Place in a list that was returned as one output."),
            Column("version_id", "INTEGER NOT NULL REFERENCES version(id)", "The version."),
        ),
        ("PRIMARY KEY (step_run_id, slot, position)",),
        (Index("step_output_version", "version_id, step_run_id", "who gave out a version"),),
    ),
    Table(
        "version_meta",
        "A value that was logged for a version.",
        metadata_columns(Column("version_id", "INTEGER NOT NULL REFERENCES version(id)", "The version.")),
        indexes=(
            Index("version_meta_key", "version_id, key, id", "all values of a key"),
            Index("version_meta_newest", "version_id, key", "the newest value of a key", True, "newest = 1"),
            Index("version_meta_number", "key, number, version_id", "filter versions by a number", where="newest = 1"),
        ),
    ),
    Table(
        "tag",
        "A label for artifacts and versions.",
        (
            ID,
            Column(
                "name", "TEXT NOT NULL UNIQUE", "The label; the directory below /tags, and `@name` beside versions."
            ),
            Column(
                "exclusive", "INTEGER NOT NULL DEFAULT 0", "1: at most one version of an artifact carries it; it moves."
            ),
            CREATED,
        ),
    ),
    Table(
        "version_tag",
        "A version that carries a tag. Tombstones carry none.",
        (
            Column("version_id", "INTEGER NOT NULL REFERENCES version(id)", "The version."),
            Column("tag_id", "INTEGER NOT NULL REFERENCES tag(id)", "The tag."),
            Column(
                "artifact_id",
                "INTEGER NOT NULL REFERENCES artifact(id)",
                "Artifact of the version, to find the newest of it.",
            ),
            CREATED,
        ),
        ("PRIMARY KEY (version_id, tag_id)",),
        (
            Index(
                "version_tag_newest", "artifact_id, tag_id, version_id", "the newest version of an artifact with a tag"
            ),
            Index("version_tag_tag", "tag_id, version_id", "all versions with a tag"),
        ),
    ),
    Table(
        "artifact_tag",
        "An artifact that carries a tag.",
        (
            Column("artifact_id", "INTEGER NOT NULL REFERENCES artifact(id)", "The artifact."),
            Column("tag_id", "INTEGER NOT NULL REFERENCES tag(id)", "The tag."),
            CREATED,
        ),
        ("PRIMARY KEY (artifact_id, tag_id)",),
        (Index("artifact_tag_tag", "tag_id, artifact_id", "all artifacts with a tag"),),
    ),
    Table(
        "visualization",
        "A picture or text that shows a version to people.",
        (
            ID,
            Column("version_id", "INTEGER NOT NULL REFERENCES version(id)", "The version."),
            Column("name", "TEXT NOT NULL", "File name below .artfs/visualizations."),
            Column("kind", "TEXT NOT NULL", "csv, html, image, markdown, json."),
            Column("path", "BYTES NOT NULL", "Where it lies, below the root of the version's store."),
            Column("digest", "BYTES NOT NULL", "BLAKE3 of its bytes."),
            Column("size", "INTEGER NOT NULL", "How many bytes."),
        ),
        ("UNIQUE (version_id, name)",),
        (Index("visualization_path", "path", "what is stray in a store"),),
    ),
    Table(
        "pin",
        "A promise that a version is not purged.",
        (
            Column("version_id", "INTEGER NOT NULL PRIMARY KEY REFERENCES version(id)", "The version."),
            Column("reason", "TEXT NOT NULL", "Why it is kept."),
            CREATED,
        ),
    ),
    Table(
        "audit",
        "Something that was done. Each row's digest covers the one before it, so that no row can be changed unseen.",
        (
            ID,
            Column("at_us", "INTEGER NOT NULL", "When it was done."),
            USER,
            Column("action", "TEXT NOT NULL", "What was done: version.purge, tag.add, ..."),
            Column("subject", "TEXT NOT NULL", "What it was done to."),
            Column("detail", "TEXT NOT NULL DEFAULT '{}'", "More about it, JSON."),
            Column("previous", "BYTES NOT NULL", "Digest of the row before; empty for the first."),
            Column("digest", "BYTES NOT NULL", "Digest of all of this row and `previous`."),
        ),
        indexes=(Index("audit_subject", "subject, id", "what was done to a thing"),),
    ),
)
