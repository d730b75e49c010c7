"""The tables of pipelines, runs and step runs; what they read and gave out is with the versions."""

from __future__ import annotations

from artfs.catalog.schema import Column, Index, Table
from artfs.catalog.table_columns import CREATED, ID, USER, UUID, metadata_columns

RUN_TABLES: tuple[Table, ...] = (
    Table(
        "pipeline",
        "A name with runs.",
        (ID, Column("name", "TEXT NOT NULL UNIQUE", "Name; the directory below /runs."), CREATED),
    ),
    Table(
        "environment",
        "What a run ran in. Runs in equal environments share a row.",
        (
            ID,
            Column("digest", "BYTES NOT NULL UNIQUE", "Digest of `facts`."),
            Column("facts", "TEXT NOT NULL", "Python, packages, git commit, ..., JSON."),
        ),
    ),
    Table(
        "run",
        "One run of a pipeline, of a command under `artfs exec`, or of a program that was seen using a mount.",
        (
            ID,
            UUID,
            Column("pipeline_id", "INTEGER NOT NULL REFERENCES pipeline(id)", "What was run."),
            Column("name", "TEXT NOT NULL", "Name among the runs of its pipeline."),
            Column("status", "TEXT NOT NULL", "running, completed, failed, cached, cancelled."),
            Column("kind", "TEXT NOT NULL", "pipeline, observed, exec, client."),
            Column("started_us", "INTEGER NOT NULL", "When it began."),
            Column("ended_us", "INTEGER", "When it ended; NULL while it runs."),
            USER,
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
            ID,
            UUID,
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
        "run_meta",
        "A value that was logged for a run, or for one step run of it.",
        (
            *metadata_columns(Column("run_id", "INTEGER NOT NULL REFERENCES run(id)", "The run.")),
            Column("step_run_id", "INTEGER REFERENCES step_run(id)", "The step run; NULL for the run as a whole."),
        ),
        indexes=(
            Index("run_meta_key", "run_id, step_run_id, key, id", "all values of a key"),
            Index("run_meta_step", "step_run_id", "the values of a step run", where="step_run_id IS NOT NULL"),
        ),
    ),
)
