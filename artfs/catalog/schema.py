"""What the catalog holds: every table, column and index, and why it is there.

Types are words of the engine's dialect: ID, BYTES, INTEGER, REAL, TEXT. Times named `_us` are integer microseconds
since 1970 UTC; `mtime_ns` is integer nanoseconds, as file systems have it. JSON is TEXT, with sorted keys.
A change here is a new schema version: raise SCHEMA_VERSION and add a step to `migrations`.
"""

from __future__ import annotations

from dataclasses import dataclass

from artfs.catalog.engine import Dialect

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, its type and constraints in words of the dialect, and what it means."""

    name: str
    type: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Index:
    """An index: what it is on, and the question that needs it. `where` makes it partial."""

    name: str
    columns: str
    purpose: str
    unique: bool = False
    where: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table: what one row is, its columns, constraints over several columns, and indexes."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    constraints: tuple[str, ...] = ()
    indexes: tuple[Index, ...] = ()


def statements(dialect: Dialect) -> list[str]:
    """Return the DDL that makes the whole schema, in order."""
    made = []
    for table in TABLES:
        parts = [f"{column.name} {_spelled(column.type, dialect)}" for column in table.columns] + [*table.constraints]
        made.append(f"CREATE TABLE {table.name} (\n  " + ",\n  ".join(parts) + "\n)")
        for index in table.indexes:
            unique, where = "UNIQUE " if index.unique else "", f" WHERE {index.where}" if index.where else ""
            made.append(f"CREATE {unique}INDEX {index.name} ON {table.name} ({index.columns}){where}")
    return made


def _spelled(type_: str, dialect: Dialect) -> str:
    word, _, rest = type_.partition(" ")
    spelled = {"ID": dialect.id, "BYTES": dialect.bytes, "INTEGER": dialect.integer, "REAL": dialect.real}
    return f"{spelled.get(word, word)} {rest}".strip()


_ID = Column("id", "ID", "Row id. Never used again, even when the row is gone: inodes and paths are made of ids.")
_CREATED = Column("created_us", "INTEGER NOT NULL", "When the row was made.")
_USER = Column("user_id", 'INTEGER REFERENCES "user"(id)', "Who made it; NULL if nobody was named.")
_UUID = Column(
    "uuid", "TEXT NOT NULL UNIQUE", "Name of the row that holds on every machine; what people see as its id."
)


def _metadata_columns(owner: Column) -> tuple[Column, ...]:
    return (
        _ID,
        owner,
        Column(
            "key", "TEXT NOT NULL", "Name of the value. The newest row of a key is its value; older ones are history."
        ),
        Column("type", "TEXT NOT NULL", "Type of the value, see `values.py`."),
        Column("text", "TEXT", "The value as text, for types that filter and sort as text; exact digits of numbers."),
        Column("number", "REAL", "The value as a number, for types that filter and sort as numbers (times: seconds)."),
        Column("json", "TEXT", "The whole value, for containers."),
        Column("newest", "INTEGER NOT NULL DEFAULT 1", "1 until the key is logged again, then 0."),
        _CREATED,
    )


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
        (_ID, Column("name", "TEXT NOT NULL UNIQUE", "Login name."), _CREATED),
    ),
    Table(
        "store",
        "A place where bytes live: a folder or a bucket.",
        (
            _ID,
            Column("name", "TEXT NOT NULL UNIQUE", "What people call it."),
            Column("flavor", "TEXT NOT NULL", "Which class serves it: local, s3, ..."),
            Column("root", "TEXT NOT NULL", "Path or URI that everything in it lies below."),
            Column("options", "TEXT NOT NULL DEFAULT '{}'", "Settings of the flavor, JSON; never a secret."),
            _CREATED,
        ),
    ),
    Table(
        "stack",
        "A named choice of where new versions go.",
        (
            _ID,
            Column("name", "TEXT NOT NULL UNIQUE", "What people call it."),
            Column("store_id", "INTEGER NOT NULL REFERENCES store(id)", "Store that new versions go to."),
            _CREATED,
        ),
        indexes=(Index("stack_store", "store_id", "which stacks use a store"),),
    ),
    Table(
        "artifact",
        "A name with versions.",
        (
            _ID,
            Column("name", "TEXT NOT NULL UNIQUE", "Name; the directory below /artifacts."),
            Column("next_number", "INTEGER NOT NULL DEFAULT 1", "Number of the next version that gets one by itself."),
            Column(
                "deleted_us",
                "INTEGER",
                "When it was deleted; the row stays while lineage may name its versions, so that numbers are not used "
                "again. NULL while it exists.",
            ),
            _CREATED,
            _USER,
        ),
    ),
    Table(
        "blob",
        "The content of files.",
        (
            _ID,
            Column("digest", "BYTES NOT NULL UNIQUE", "BLAKE3 of the content; for kind `identity`, of the place."),
            Column(
                "kind",
                "TEXT NOT NULL DEFAULT 'content'",
                "`content`, or `identity`: the content's digest is not known (remote data registered in place), and "
                "the digest is that of the URI, size and ETag.",
            ),
            Column("size", "INTEGER NOT NULL", "Bytes."),
            Column("blocks", "BYTES", "Digests of its 4 MiB blocks, 32 bytes each; NULL when there is one block."),
        ),
    ),
    Table(
        "blob_place",
        "Where the bytes of a blob lie. A blob may lie in several places.",
        (
            _ID,
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
            Index("blob_place_owned", "store_id, path", "no two blobs in one owned place", True, "owned = 1"),
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
        "tree",
        "A directory's entries, at any depth. Equal ones are one row.",
        (
            _ID,
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
        indexes=(Index("tree_digest", "digest", "which trees have this content"),),
    ),
    Table(
        "tree_entry",
        "One name in a directory.",
        (
            _ID,
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
    Table(
        "pipeline",
        "A name with runs.",
        (_ID, Column("name", "TEXT NOT NULL UNIQUE", "Name; the directory below /runs."), _CREATED),
    ),
    Table(
        "environment",
        "What a run ran in. Runs in equal environments share a row.",
        (
            _ID,
            Column("digest", "BYTES NOT NULL UNIQUE", "Digest of `facts`."),
            Column("facts", "TEXT NOT NULL", "Python, packages, git commit, ..., JSON."),
        ),
    ),
    Table(
        "run",
        "One run of a pipeline, of a command under `artfs exec`, or of a program that was seen using a mount.",
        (
            _ID,
            _UUID,
            Column("pipeline_id", "INTEGER NOT NULL REFERENCES pipeline(id)", "What was run."),
            Column("name", "TEXT NOT NULL", "Name among the runs of its pipeline."),
            Column("status", "TEXT NOT NULL", "running, completed, failed, cached, cancelled."),
            Column("kind", "TEXT NOT NULL", "pipeline, observed, exec, client."),
            Column("started_us", "INTEGER NOT NULL", "When it began."),
            Column("ended_us", "INTEGER", "When it ended; NULL while it runs."),
            _USER,
            Column("environment_id", "INTEGER REFERENCES environment(id)", "What it ran in."),
            Column("config", "TEXT NOT NULL DEFAULT '{}'", "Settings or command line it was started with, JSON."),
            Column("error", "TEXT", "Why it failed."),
            Column("host", "TEXT", "Machine it runs on."),
            Column("pid", "INTEGER", "Process it runs in, on that machine."),
            Column("process_started", "TEXT", "When that process began, as the system says it: a pid is used again."),
            Column("heartbeat_us", "INTEGER", "When it last said that it is alive."),
        ),
        ("UNIQUE (pipeline_id, name)",),
        (
            Index("run_of_pipeline", "pipeline_id, id", "runs of a pipeline in order"),
            Index("run_unfinished", "host, id", "runs whose process may have died", where="ended_us IS NULL"),
            Index("run_environment", "environment_id", "who needs an environment"),
        ),
    ),
    Table(
        "step_run",
        "One run of a step within a run.",
        (
            _ID,
            _UUID,
            Column("run_id", "INTEGER NOT NULL REFERENCES run(id)", "Run that it is part of."),
            Column("name", "TEXT NOT NULL", "Name within the run."),
            Column("status", "TEXT NOT NULL", "running, completed, failed, cached, cancelled, skipped."),
            Column("cache_key", "BYTES", "Digest of all that its outputs depend on; NULL if it may not be reused."),
            Column(
                "cache_parts",
                "TEXT NOT NULL DEFAULT '{}'",
                "What went into the key, part by part, JSON: to say what changed.",
            ),
            Column("source", "TEXT", "Source code of the step."),
            Column("parameters", "TEXT NOT NULL DEFAULT '{}'", "Values of its parameters, JSON."),
            Column("started_us", "INTEGER NOT NULL", "When it began."),
            Column("ended_us", "INTEGER", "When it ended; NULL while it runs."),
            Column("attempt", "INTEGER NOT NULL DEFAULT 1", "1, and one more for every retry."),
            Column("log_path", "TEXT", "Its log, below artfs's own directory."),
            Column("error", "TEXT", "Traceback of its failure."),
            Column(
                "cached_from_id",
                "INTEGER REFERENCES step_run(id)",
                "Step run whose outputs it took over; NULL if it ran.",
            ),
        ),
        ("UNIQUE (run_id, name)",),
        (
            Index(
                "step_run_cache",
                "cache_key, id",
                "an earlier step run with the same key",
                where="cache_key IS NOT NULL",
            ),
            Index(
                "step_run_cached_from",
                "cached_from_id",
                "who took over a step run's outputs",
                where="cached_from_id IS NOT NULL",
            ),
        ),
    ),
    Table(
        "version",
        "A name for a tree: what `ls` shows below an artifact. Only its state, tags and metadata ever change.",
        (
            _ID,
            _UUID,
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
            _USER,
            _CREATED,
            Column("purged_us", "INTEGER", "When it was purged."),
            Column("purge_reason", "TEXT", "Why it was purged."),
        ),
        ("UNIQUE (artifact_id, name)", "CHECK ((state = 'purged') = (tree_id IS NULL))"),
        (
            Index("version_of_artifact", "artifact_id, id", "versions of an artifact in order"),
            Index("version_live", "artifact_id, id", "the newest version; counts", where="state <> 'purged'"),
            Index("version_staged", "id", "what is still to be uploaded", where="state = 'staged'"),
            Index("version_tree", "tree_id", "who needs a tree", where="tree_id IS NOT NULL"),
            Index("version_producer", "producer_id", "what a step run made", where="producer_id IS NOT NULL"),
            Index("version_digest", "digest", "versions of equal content"),
            Index("version_name", "name", "filter by name over all artifacts"),
            Index("version_type", "type", "filter by type"),
            Index("version_created", "created_us", "filter by time"),
            Index("version_store", "store_id", "who needs a store"),
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
        _metadata_columns(Column("version_id", "INTEGER NOT NULL REFERENCES version(id)", "The version.")),
        indexes=(
            Index("version_meta_key", "version_id, key, id", "all values of a key"),
            Index("version_meta_newest", "version_id, key", "the newest value of a key", True, "newest = 1"),
            Index("version_meta_number", "key, number, version_id", "filter versions by a number", where="newest = 1"),
        ),
    ),
    Table(
        "run_meta",
        "A value that was logged for a run, or for one step run of it.",
        (
            *_metadata_columns(Column("run_id", "INTEGER NOT NULL REFERENCES run(id)", "The run.")),
            Column("step_run_id", "INTEGER REFERENCES step_run(id)", "The step run; NULL for the run as a whole."),
        ),
        indexes=(
            Index("run_meta_key", "run_id, step_run_id, key, id", "all values of a key"),
            Index("run_meta_step", "step_run_id", "the values of a step run", where="step_run_id IS NOT NULL"),
        ),
    ),
    Table(
        "tag",
        "A label for artifacts and versions.",
        (
            _ID,
            Column(
                "name", "TEXT NOT NULL UNIQUE", "The label; the directory below /tags, and `@name` beside versions."
            ),
            Column(
                "exclusive", "INTEGER NOT NULL DEFAULT 0", "1: at most one version of an artifact carries it; it moves."
            ),
            _CREATED,
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
            _CREATED,
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
            _CREATED,
        ),
        ("PRIMARY KEY (artifact_id, tag_id)",),
        (Index("artifact_tag_tag", "tag_id, artifact_id", "all artifacts with a tag"),),
    ),
    Table(
        "visualization",
        "A picture or text that shows a version to people.",
        (
            _ID,
            Column("version_id", "INTEGER NOT NULL REFERENCES version(id)", "The version."),
            Column("name", "TEXT NOT NULL", "File name below .artfs/visualizations."),
            Column("kind", "TEXT NOT NULL", "csv, html, image, markdown, json."),
            Column("path", "BYTES NOT NULL", "Where it lies, below the root of the version's store."),
            Column("digest", "BYTES NOT NULL", "BLAKE3 of its bytes."),
            Column("size", "INTEGER NOT NULL", "Bytes."),
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
            _CREATED,
        ),
    ),
    Table(
        "audit",
        "Something that was done. Each row's digest covers the one before it, so that no row can be changed unseen.",
        (
            _ID,
            Column("at_us", "INTEGER NOT NULL", "When it was done."),
            _USER,
            Column("action", "TEXT NOT NULL", "What was done: version.purge, tag.add, ..."),
            Column("subject", "TEXT NOT NULL", "What it was done to."),
            Column("detail", "TEXT NOT NULL DEFAULT '{}'", "More about it, JSON."),
            Column("previous", "BYTES NOT NULL", "Digest of the row before; empty for the first."),
            Column("digest", "BYTES NOT NULL", "Digest of all of this row and `previous`."),
        ),
        indexes=(Index("audit_subject", "subject, id", "what was done to a thing"),),
    ),
)
