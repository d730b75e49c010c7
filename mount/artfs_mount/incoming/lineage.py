"""Recorded lineage: which run made a version, and from what.

A version exists, and its draft can be used again, before this is written down; nobody who writes waits for it. Whoever
asked for the version (`artfs commit`, `artfs sync`) gets his answer only afterwards. A kill in between leaves a version
without a producer: an edge may be missing, and is never false.

All of it is for worker threads.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from artfs.catalog.catalog import Catalog
from artfs.catalog.runs import Run
from artfs.catalog.versions import Version
from artfs.content.digest import tagged
from artfs.enums import ExecutionStatus
from artfs.linux import users
from artfs.names import check_artifact_name
from artfs.runs import title
from artfs.secrets.redaction import redacted_command
from artfs_mount.incoming.observed import Actor, Author

OBSERVED = "observed"
"""The kind of runs that nobody has declared."""

ANY = 2**63 - 1
"""Every row id comes before it."""


def record(catalog: Catalog, version: Version, authors: Sequence[Author]) -> None:
    """Writes down which run made a version, and from what, in one transaction.

    The run is the one that `artfs exec` or a pipeline in the same process has begun; else one is made for the author,
    if anybody has read a version. Each version gets a step of its own: what a step reads must be older than what it
    makes.
    """
    inputs = {id_ for author in authors for id_ in author.inputs(before=version.id)}
    for author in authors:
        run = _run_of(catalog, author)
        if run is None and not inputs:
            continue
        with catalog.transaction():
            run = run or _new_run(catalog, author)
            started_us = max(run.started_us, author.actor.since_us)
            step = catalog.steps.create(run.id, _free_name(catalog, run, version.artifact), started_us=started_us)
            catalog.steps.add_observed(step.id, inputs)
            catalog.steps.add_output(step.id, version.artifact, version.id)
            catalog.steps.finish(step.id, ExecutionStatus.COMPLETED)
            if run.kind == OBSERVED:
                catalog.runs.finish(run.id, ExecutionStatus.COMPLETED)
        return


def record_reads(catalog: Catalog, uuid: str, actors: Sequence[Actor]) -> None:
    """Writes down what a run of `artfs exec` read if it made nothing: what it made has said so already."""
    run = catalog.runs.by_uuid(uuid)
    if run is None or catalog.steps.list(run.id):
        return
    own = [actor for actor in actors if (of := _run_of(catalog, Author.now(actor))) is None or of.id == run.id]
    if actors and not own:
        return  # a program that runs a pipeline has a run already
    inputs = {id_ for actor in own for id_ in Author.now(actor).inputs(before=ANY)}
    with catalog.transaction():
        step = catalog.steps.create(run.id, run.pipeline, started_us=run.started_us)
        catalog.steps.add_observed(step.id, inputs)
        catalog.steps.finish(step.id, ExecutionStatus.COMPLETED)


def _run_of(catalog: Catalog, author: Author) -> Run | None:
    """The run of the pipeline that a process of the author has begun; else that of `artfs exec`.

    The pipeline may have ended: what a program writes becomes a version some time later.
    """
    for process, started in reversed(list(author.processes)):
        found = catalog.runs.of_process(socket.gethostname(), process, str(started))
        if found is not None:
            return found
    return catalog.runs.by_uuid(author.actor.run) if author.actor.run is not None else None


def _new_run(catalog: Catalog, author: Author) -> Run:
    """The run of an author that nobody has begun one for. Its uuid follows from who he is, so it is found again."""
    actor, name = author.actor, title(author.command)
    process, started = actor.process
    who = (actor.key.encode(), f"{process} {started}".encode(), name.encode("utf-8", "replace"))
    uuid = str(UUID(bytes=tagged(b"artfs.actor", *who)[:16], version=4))
    found = catalog.runs.by_uuid(uuid)
    if found is not None:
        return found
    moment = datetime.now(UTC).strftime("%Y_%m_%d-%H_%M_%S_%f")
    return catalog.runs.create(
        check_artifact_name(name),
        f"{name}-{moment}",
        kind=OBSERVED,
        uuid=uuid,
        user_id=catalog.users.ensure(users.name_of(os.geteuid())).id,
        config={"command": redacted_command(author.command)},
        host=socket.gethostname(),
        pid=process,
        process_started=str(started),
        started_us=actor.since_us,
    )


def _free_name(catalog: Catalog, run: Run, name: str) -> str:
    taken = {step.name for step in catalog.steps.list(run.id)}
    free, number = name, 2
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    return free
