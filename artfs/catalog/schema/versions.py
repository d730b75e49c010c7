"""The tables of artifacts, their versions, and what people put on them."""

from __future__ import annotations

from artfs.catalog.schema.columns import CREATED, ID, LEADING, USER, UUID, metadata_columns
from artfs.catalog.schema.description import Column, Index, Table

ARTIFACT_TABLES: tuple[Table, ...] = (
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
        "artifact_setting",
        "How an artifact is treated, where that is not the default.",
        (
            Column("artifact_id", "INTEGER NOT NULL REFERENCES artifact(id)", "The artifact."),
            Column("name", "TEXT NOT NULL", "Which setting: readable, unit, retention, quiet times, ..."),
            Column("value", "TEXT NOT NULL", "Its value, JSON."),
            USER,
            CREATED,
        ),
        ("PRIMARY KEY (artifact_id, name)",),
    ),
)

VERSION_TABLES: tuple[Table, ...] = (
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
            Column(
                "machine_id", "INTEGER REFERENCES machine(id)", "Machine that made it, and has its bytes while staged."
            ),
            Column("owner", "TEXT", "Login name of the writer, whom its files belong to; NULL: whoever made it."),
            Column("owner_group", "TEXT", "Name of the group that its files had, all of them; NULL if they differed."),
            Column(
                "sealed_by",
                "TEXT",
                "What made a draft a version: commit, marker, rename, next, ended, quiet; NULL if none was. "
                "Those that nobody asked for (not `commit`) may give way where the disk fills.",
            ),
            Column(
                "previous_id", "INTEGER REFERENCES version(id)", "Version that the draft went on from (`continued`)."
            ),
            Column(
                "self_contained",
                "INTEGER NOT NULL DEFAULT 1",
                "0: links in it lead out of it, by their targets: a copy does not have what they lead to. "
                "Versions that were made before schema 3 have 1, whatever their links are.",
            ),
            Column(
                "folder",
                "BYTES",
                "Its folder below the root of the store `folder_store_id`, where its manifest lies; NULL: an earlier "
                "release made it, and it has no manifest yet.",
            ),
            Column(
                "folder_store_id",
                "INTEGER REFERENCES store(id)",
                "Store of its folder; for data in place the one that was active. NULL like `folder`.",
            ),
            Column(
                "manifest",
                "INTEGER NOT NULL DEFAULT 0",
                "Generation of its manifest, which counts how often it was written; 0: it is still to be written.",
            ),
        ),
        ("UNIQUE (artifact_id, name)", "CHECK ((state = 'purged') = (tree_id IS NULL))"),
        (
            Index(
                "version_live",
                "artifact_id, created_us, id",
                "versions of an artifact in order; counts",
                where="state <> 'purged'",
            ),
            Index("version_staged", "created_us, id", "what is still to be uploaded", where="state = 'staged'"),
            Index("version_tree", "tree_id", "who needs a tree", where="tree_id IS NOT NULL"),
            Index("version_producer", "producer_id", "what a step run made", where="producer_id IS NOT NULL"),
            Index("version_digest", "digest", "versions of equal content"),
            Index("version_name", "name", "filter by name over all artifacts"),
            Index("version_type", "type", "filter by type"),
            Index("version_created", "created_us, id", "filter by time, sort by it"),
            Index("version_bytes", "bytes, id", "sort by size"),
            Index("version_user", "user_id", "filter by user"),
            Index("version_previous", "previous_id", "what went on from a version", where="previous_id IS NOT NULL"),
            Index(
                "version_owed",
                "id",
                "whose manifest is still to be written",
                where="manifest = 0 AND folder IS NOT NULL AND state <> 'purged'",
            ),
        ),
    ),
    Table(
        "version_meta",
        "A value that was logged for a version.",
        (
            *metadata_columns(Column("version_id", "INTEGER NOT NULL REFERENCES version(id)", "The version.")),
            Column("time_us", "INTEGER", "The value as a time, for types that are one."),
        ),
        indexes=(
            Index("version_meta_key", "version_id, key, id", "all values of a key"),
            Index("version_meta_newest", "version_id, key", "the newest value of a key", True, "newest = 1"),
            Index(
                "version_meta_number",
                "key, number, version_id",
                "filter and sort versions by a number",
                where="newest = 1 AND number IS NOT NULL",
            ),
            Index(
                "version_meta_text",
                f"key, SUBSTR(text, 1, {LEADING}), version_id",
                "filter and sort versions by a text",
                where="newest = 1 AND text IS NOT NULL",
            ),
            Index(
                "version_meta_time",
                "key, time_us, version_id",
                "filter and sort versions by a time",
                where="newest = 1 AND time_us IS NOT NULL",
            ),
        ),
    ),
)

MARK_TABLES: tuple[Table, ...] = (
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
            Column(
                "version_us", "INTEGER NOT NULL DEFAULT 0", "When the version was made: the newest is the last one."
            ),
        ),
        ("PRIMARY KEY (version_id, tag_id)",),
        (
            Index(
                "version_tag_newest",
                "artifact_id, tag_id, version_us, version_id",
                "the newest version of an artifact with a tag",
            ),
            Index("version_tag_tag", "tag_id, version_us, version_id", "all versions with a tag, in order"),
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
        "run_tag",
        "A run that carries a tag.",
        (
            Column("run_id", "INTEGER NOT NULL REFERENCES run(id)", "The run."),
            Column("tag_id", "INTEGER NOT NULL REFERENCES tag(id)", "The tag."),
            CREATED,
        ),
        ("PRIMARY KEY (run_id, tag_id)",),
        (Index("run_tag_tag", "tag_id, run_id", "all runs with a tag"),),
    ),
    Table(
        "visualization",
        "A picture or text that shows a version to people: a file of a hidden directory of the version.",
        (
            ID,
            Column("version_id", "INTEGER NOT NULL REFERENCES version(id)", "The version."),
            Column("name", "TEXT NOT NULL", "File name below .artfs/visualizations."),
            Column("kind", "TEXT NOT NULL", "csv, html, image, markdown, json."),
            Column("blob_id", "INTEGER NOT NULL REFERENCES blob(id)", "Its content."),
        ),
        ("UNIQUE (version_id, name)",),
        (Index("visualization_blob", "blob_id", "who needs a blob"),),
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
)
