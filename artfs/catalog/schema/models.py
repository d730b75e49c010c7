"""The tables of models: collections of versions under one name."""

from __future__ import annotations

from artfs.catalog.schema.columns import CREATED, ID, USER, UUID
from artfs.catalog.schema.description import Column, Index, Table

MODEL_TABLES: tuple[Table, ...] = (
    Table(
        "model",
        "A name for collections of versions; the directory below /models.",
        (
            ID,
            Column("name", "TEXT NOT NULL UNIQUE", "What people call it."),
            Column("description", "TEXT", "What it is for."),
            Column("next_number", "INTEGER NOT NULL DEFAULT 1", "Number of the next version that gets one by itself."),
            USER,
            CREATED,
        ),
    ),
    Table(
        "model_version",
        "A collection of versions under one name.",
        (
            ID,
            UUID,
            Column("model_id", "INTEGER NOT NULL REFERENCES model(id)", "Model that it is a version of."),
            Column("name", "TEXT NOT NULL", "Its number as text, or the name that was chosen."),
            Column("number", "INTEGER", "The number, if the name is one; to sort by."),
            Column("stage", "TEXT", "staging, production, archived; NULL for none."),
            Column("description", "TEXT", "What is special about it."),
            USER,
            CREATED,
        ),
        ("UNIQUE (model_id, name)",),
        (
            Index(
                "model_version_stage",
                "model_id, stage",
                "the one version in a stage",
                True,
                "stage IN ('staging', 'production')",
            ),
            Index("model_version_created", "model_id, created_us, id", "versions of a model in order"),
        ),
    ),
    Table(
        "model_link",
        "A version, or a run, that belongs to a collection.",
        (
            ID,
            Column("model_version_id", "INTEGER NOT NULL REFERENCES model_version(id)", "The collection."),
            Column("version_id", "INTEGER REFERENCES version(id)", "The version; NULL for a run."),
            Column("run_id", "INTEGER REFERENCES run(id)", "The run; NULL for a version."),
            USER,
            CREATED,
        ),
        ("CHECK ((version_id IS NULL) <> (run_id IS NULL))",),
        (
            Index("model_link_version", "model_version_id, version_id", "a version is in it once", True),
            Index("model_link_run", "model_version_id, run_id", "a run is in it once", True),
            Index("model_link_of_version", "version_id", "collections of a version", where="version_id IS NOT NULL"),
            Index("model_link_of_run", "run_id", "collections of a run", where="run_id IS NOT NULL"),
        ),
    ),
)
