"""The tables of what goes on by itself, of what is still owed, and of what was done."""

from __future__ import annotations

from artfs.catalog.schema.columns import CREATED, ID, USER
from artfs.catalog.schema.description import Column, Index, Table

UPKEEP_TABLES: tuple[Table, ...] = (
    Table(
        "rule",
        "How a path in /incoming becomes a version of an artifact, where it is not simply the draft's name.",
        (
            ID,
            Column("pattern", "TEXT NOT NULL UNIQUE", "Which paths: names with `*` and `{field}`."),
            Column("artifact", "TEXT NOT NULL", "Name of the artifact, with `{1}` for what a `*` or a field matched."),
            Column("version", "TEXT", "Name of the version, made in the same way; NULL for the next number."),
            Column("settings", "TEXT NOT NULL DEFAULT '{}'", "Quiet times, ignored names, markers, ..., JSON."),
            Column("position", "INTEGER NOT NULL", "The first rule that matches counts."),
            USER,
            CREATED,
        ),
    ),
    Table(
        "pending",
        "What a machine owes to a store. A worker that is at it holds a lock on a file of that row in the home.",
        (
            ID,
            Column("kind", "TEXT NOT NULL", "upload; copy: from another store; reach: a cache hit's bytes elsewhere."),
            Column("machine_id", "INTEGER NOT NULL REFERENCES machine(id)", "Who owes it."),
            Column("store_id", "INTEGER NOT NULL REFERENCES store(id)", "Which store it is owed to."),
            Column("version_id", "INTEGER REFERENCES version(id)", "A whole version; NULL for a single blob."),
            Column("blob_id", "INTEGER REFERENCES blob(id)", "A single blob; NULL for a whole version."),
            Column("source_id", "INTEGER REFERENCES store(id)", "Store to copy from; NULL from the landing area."),
            Column("bytes", "INTEGER NOT NULL", "How many bytes are owed in all."),
            Column("done", "INTEGER NOT NULL DEFAULT 0", "How many of them are there."),
            Column("state", "TEXT NOT NULL DEFAULT '{}'", "What going on needs: ids and parts of open uploads, JSON."),
            Column("attempts", "INTEGER NOT NULL DEFAULT 0", "How often it failed since it last went on."),
            Column("next_us", "INTEGER NOT NULL DEFAULT 0", "Not to be tried again before."),
            Column("error", "TEXT", "Why it failed the last time, in words."),
            Column("since_us", "INTEGER", "Since when it fails; NULL while it does not."),
            Column("paused", "INTEGER NOT NULL DEFAULT 0", "1: it waits until somebody says `resume`."),
            CREATED,
        ),
        ("CHECK ((version_id IS NULL) <> (blob_id IS NULL))",),
        (
            Index("pending_due", "machine_id, paused, next_us, id", "what a machine does next"),
            Index("pending_version", "version_id, store_id", "a version is owed once", True, "version_id IS NOT NULL"),
            Index("pending_blob", "blob_id, store_id", "a blob is owed once", True, "blob_id IS NOT NULL"),
        ),
    ),
    Table(
        "audit",
        "Something that was done. Each row covers the one before of its machine, so that none can be changed unseen.",
        (
            ID,
            Column("at_us", "INTEGER NOT NULL", "When it was done."),
            USER,
            Column("action", "TEXT NOT NULL", "What was done: version.purge, tag.add, ..."),
            Column("subject", "TEXT NOT NULL", "What it was done to."),
            Column("detail", "TEXT NOT NULL DEFAULT '{}'", "More about it, JSON."),
            Column("previous", "BYTES NOT NULL", "Digest of the row before in its chain; empty for the first."),
            Column("digest", "BYTES NOT NULL", "Digest of all of this row and `previous`."),
            Column("machine_id", "INTEGER REFERENCES machine(id)", "Whose chain it is in; NULL: rows before schema 3."),
            Column("number", "INTEGER NOT NULL DEFAULT 0", "Its place in that chain; 0 in rows before schema 3."),
        ),
        indexes=(
            Index("audit_subject", "subject, id", "what was done to a thing"),
            Index(
                "audit_chain",
                "machine_id, number",
                "the end of a machine's chain, which has no forks",
                True,
                "number > 0",
            ),
            Index("audit_at", "at_us, id", "what was done when, by all machines"),
        ),
    ),
)
