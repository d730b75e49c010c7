"""The tables of who writes to the catalog, from which machines, and of the stores that bytes go to."""

from __future__ import annotations

from artfs.catalog.schema.columns import CREATED, ID, USER, UUID
from artfs.catalog.schema.description import Column, Index, Table

PLACE_TABLES: tuple[Table, ...] = (
    Table(
        "schema_version",
        "A version of the schema that this catalog has been brought to. The greatest is the one it has.",
        (
            Column("version", "INTEGER PRIMARY KEY", "Number of the schema version."),
            Column("applied_us", "INTEGER NOT NULL", "When the catalog was brought to it."),
        ),
    ),
    Table(
        "identity",
        "Which catalog this is: one row. A copy that was restored has the same.",
        (
            Column("id", "INTEGER PRIMARY KEY CHECK (id = 1)", "1: there is no other row."),
            UUID,
            Column(
                "changes",
                "INTEGER NOT NULL",
                "Number of the last change that the stores' marks were told of; it only grows. Nothing counts "
                "them yet: stores remember the newest version.",
            ),
            CREATED,
        ),
    ),
    Table(
        '"user"',
        "Somebody who makes versions and runs. Quoted, as it is a reserved word of SQL.",
        (ID, Column("name", "TEXT NOT NULL UNIQUE", "Login name."), CREATED),
    ),
    Table(
        "machine",
        "A home on a machine that writes to this catalog: what is staged or owed lies in its landing areas.",
        (
            ID,
            Column(
                "uuid", "TEXT NOT NULL UNIQUE", "Identity of the home. A home that is moved stays the same machine."
            ),
            Column("name", "TEXT NOT NULL", "Host name when it was seen last, for people."),
            Column("home", "TEXT NOT NULL", "Path of the home there when it was seen last, for people."),
            Column("seen_us", "INTEGER NOT NULL", "When it last began to write."),
            CREATED,
        ),
    ),
    Table(
        "connector",
        "Named credentials that stores refer to. The secret itself lies on each machine, never here.",
        (
            ID,
            Column("name", "TEXT NOT NULL UNIQUE", "What people call it."),
            Column("flavor", "TEXT NOT NULL", "Which stores it is for: s3, gcs, azure, ..."),
            Column(
                "method",
                "TEXT NOT NULL",
                "Where credentials come from: implicit, environment, profile, keys, role, service_account, "
                "connection_string, sas, command.",
            ),
            Column("settings", "TEXT NOT NULL DEFAULT '{}'", "What is no secret: profile, role, file, command, JSON."),
            Column("verified_us", "INTEGER", "When it last opened a store for somebody; NULL if it never did."),
            Column(
                "updated_us", "INTEGER", "When its settings or its secret were changed last, so that all read again."
            ),
            USER,
            CREATED,
        ),
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
            Column(
                "connector_id", "INTEGER REFERENCES connector(id)", "Credentials for it; NULL for none, or its own."
            ),
            Column(
                "layout",
                "TEXT",
                "How contents lie in it: `plain`, a file each; `packed`, small ones together. Its root is then the "
                "store only if it bears its mark. NULL: without a mark, as the first release made it.",
            ),
        ),
        indexes=(
            Index("store_connector", "connector_id", "which stores use a connector", where="connector_id IS NOT NULL"),
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
)
