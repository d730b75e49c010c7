"""Any command as a run: what it reads from a mount are its inputs, what it writes into `/incoming` its outputs.

The run's id goes into the command's environment; the daemons of this home's mounts look for it in the processes that
read and write there. A command that fails leaves no versions: its drafts are held.
"""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from artfs.catalog.runs import Run
from artfs.enums import ExecutionStatus
from artfs.errors import MountError
from artfs.linux import mounts
from artfs.linux.processes import start_time
from artfs.names import check_artifact_name
from artfs.pipelines.define.plan import Names
from artfs.pipelines.fingerprint.environment import environment
from artfs.pipelines.run.alive import alive, fail_dead_runs
from artfs.pipelines.run.program import run_program
from artfs.runs import RUN_VARIABLE, title
from artfs.secrets.redaction import redacted_command
from artfs.workspace.workspace import Workspace

SYNC, FINISH = "user.artfs.sync", "user.artfs.finish"
KIND = "exec"
INTERRUPTED = 128 + signal.SIGINT


@dataclass(frozen=True)
class CommandResult:
    """How a command ended. status: as a shell tells it, 128 + number for a signal. held: drafts that wait, and why."""

    run: Run
    status: int
    held: Sequence[str]


def run_command(workspace: Workspace, command: Sequence[str], name: str | None = None) -> CommandResult:
    """Runs a command to its end as an observed run.

    Args:
        workspace: whose mounts are watched.
        command: program and arguments.
        name: of the pipeline that the run belongs to; the program's, or the script's, when not given.

    Raises:
        SourceNotFound: there is no such program.
        ProgramRefused: it cannot be run.
    """
    fail_dead_runs(workspace)
    uuid = str(uuid4())
    with alive(workspace, uuid):
        run = _begin(workspace, command, name, uuid)
        try:
            return _to_the_end(workspace, command, run, is_named=name is not None)
        except BaseException as error:
            workspace.catalog.runs.finish(run.id, ExecutionStatus.FAILED.value, error=str(error) or "interrupted")
            raise


def _to_the_end(workspace: Workspace, command: Sequence[str], run: Run, *, is_named: bool) -> CommandResult:
    log_path = workspace.home.path / "logs" / run.uuid / "command.log"
    sharing = workspace.home.sharing
    sharing.make_folders(log_path.parent, workspace.home.path)
    with open(log_path, "ab", buffering=0, opener=sharing.opener) as log:
        status = run_program(command, {**os.environ, RUN_VARIABLE: run.uuid}, log)
    try:
        held = _finish_drafts(workspace, run, None if status == 0 else f"the command that wrote it {_how(status)}")
    except MountError as silent:
        held = [str(silent)]
    workspace.catalog.run_metadata.set(run.id, {"exit_status": status, "log": str(log_path)})
    _describe_steps(workspace, run, status, log_path)
    error = None if status == 0 else f"exit status {status}"
    run = workspace.catalog.runs.finish(run.id, _ended(status).value, error=error)
    return CommandResult(run if is_named else _merged(workspace, run, log_path), status, held)


def _ended(status: int) -> ExecutionStatus:
    if status == INTERRUPTED:
        return ExecutionStatus.CANCELLED
    return ExecutionStatus.COMPLETED if status == 0 else ExecutionStatus.FAILED


def _how(status: int) -> str:
    return "was interrupted" if status == INTERRUPTED else f"ended with {status}"


def _describe_steps(workspace: Workspace, run: Run, status: int, log_path: Path) -> None:
    """Gives the steps that the daemons have recorded the command's log, and those that made nothing its failure."""
    steps = workspace.catalog.steps
    with workspace.catalog.transaction():
        steps.set_log(run.id, str(log_path))
        for step in steps.list(run.id) if status else ():
            if not steps.outputs(step.id):
                steps.finish(step.id, _ended(status).value, error=f"the command {_how(status)}")


def _merged(workspace: Workspace, run: Run, log_path: Path) -> Run:
    """The command's run; if all that it did was to run one pipeline, that pipeline's run, and only that is kept."""
    catalog = workspace.catalog
    within = [each for each in catalog.runs.list(sort="desc:started", size=100) if each.config.get("exec") == run.uuid]
    if len(within) != 1 or within[0].status not in (run.status, ExecutionStatus.CACHED):
        return run
    if any(catalog.steps.inputs(step.id) or catalog.steps.outputs(step.id) for step in catalog.steps.list(run.id)):
        return run
    kept = log_path.parent.parent / within[0].uuid / log_path.name
    workspace.home.sharing.make_folder(kept.parent)
    log_path.rename(kept)
    log_path.parent.rmdir()
    with catalog.transaction():
        catalog.run_metadata.set(within[0].id, {**catalog.run_metadata.get(run.id), "log": str(kept)})
        catalog.runs.delete(run.id)
    return within[0]


def _begin(workspace: Workspace, command: Sequence[str], name: str | None, uuid: str) -> Run:
    catalog, pipeline = workspace.catalog, check_artifact_name(name or title(command))
    moment = Names.at(datetime.now(UTC))
    with catalog.transaction():
        return catalog.runs.create(
            pipeline,
            f"{pipeline}-{moment.date}-{moment.time}",
            kind=KIND,
            uuid=uuid,
            user_id=catalog.users.ensure(workspace.user).id,
            environment_id=catalog.environments.ensure(environment()),
            config={"command": redacted_command(command), "directory": str(Path.cwd())},
            host=socket.gethostname(),
            pid=os.getpid(),
            process_started=str(start_time(os.getpid())),
        )


def _finish_drafts(workspace: Workspace, run: Run, failure: str | None) -> list[str]:
    """Lets every mount of this home seal what the run wrote, or hold it; returns what is no version, and why."""
    held = []
    for mount in mounts.all_mounts():
        if mount.is_artfs and not mount.is_dead and _is_of(mount.path, workspace):
            held += _finish_at(mount.path, run, failure)
    return held


def _is_of(mount_point: Path, workspace: Workspace) -> bool:
    """Whether a mount shows this home; another user's cannot be asked, and is not meant."""
    try:
        return mounts.read_status(mount_point).get("home") == str(workspace.home.path)
    except MountError:
        return False


def _finish_at(mount_point: Path, run: Run, failure: str | None) -> list[str]:
    try:
        if failure is None:
            question = f"{SYNC}.{run.uuid}"
            answer = json.loads(os.getxattr(mount_point, question))
            while not answer["done"]:
                answer = json.loads(os.getxattr(mount_point, question))
        order = json.dumps({"run": run.uuid, "failure": failure}).encode()
        os.setxattr(mounts.order_at(mount_point, run.uuid), FINISH, order)
    except OSError as error:
        raise MountError(f"{mount_point}: the mount does not answer: {error.strerror}", subject=mount_point) from error
    return [] if failure else [f"{draft['draft']}: {draft['reason']}" for draft in answer["held"]]
