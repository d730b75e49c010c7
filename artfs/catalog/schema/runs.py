"""The tables of pipelines, runs and step runs, and of what they read, used and gave out."""

from __future__ import annotations

from artfs.catalog.schema.columns import CREATED, ID, USER, UUID, metadata_columns
from artfs.catalog.schema.description import Column, Index, Table

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
            Column(
                "machine_id", "INTEGER REFERENCES machine(id)", "Machine that holds its lock and its log while it runs."
            ),
        ),
        ("UNIQUE (pipeline_id, name)",),
        (
            Index("run_of_pipeline", "pipeline_id, started_us, id", "runs of a pipeline in order"),
            Index("run_unfinished", "host, id", "runs whose process may have died", where="ended_us IS NULL"),
            Index("run_environment", "environment_id", "who needs an environment"),
            Index("run_started", "started_us, id", "runs of all pipelines in order"),
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

USE_TABLES: tuple[Table, ...] = (
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
        "step_use",
        "Something else that a step run used: a later one may take over its outputs only if it is unchanged.",
        (
            Column("step_run_id", "INTEGER NOT NULL REFERENCES step_run(id)", "The step run."),
            Column(
                "kind",
                "TEXT NOT NULL",
                "name: a version looked up by `latest`, a tag or a listing; file; declared: a file named by the step; "
                "variable: of the environment; context: a ContextVar; random: a seeded generator; module: own code.",
            ),
            Column("name", "BYTES NOT NULL", "What was used: path of a file, name of a variable, `points/latest`, ..."),
            Column("digest", "BYTES", "Of what was there, keyed where it may be secret; NULL while not yet needed."),
            Column("size", "INTEGER", "Bytes of a file; else NULL."),
            Column("mtime_ns", "INTEGER", "Modification time of a file; else NULL."),
            Column("inode", "INTEGER", "Inode of a file; else NULL."),
            Column("version_id", "INTEGER REFERENCES version(id)", "What a name of versions gave; else NULL."),
        ),
        ("PRIMARY KEY (step_run_id, kind, name)",),
        (Index("step_use_version", "version_id", "what depends on a version", where="version_id IS NOT NULL"),),
    ),
)
