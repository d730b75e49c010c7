"""`artfs artifact prune`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from artfs.cli.confirming import confirm, yes_option
from artfs.cli.printing import (
    json_option,
    moment,
    print_json,
    print_table,
    progress,
    readable_count,
    readable_size,
    say,
    size,
    text,
    waiting,
)
from artfs.cli.reporting import complain
from artfs.cli.selection import artifact_named, complete_artifact
from artfs.cli.session import Session, pass_session
from artfs.text.times import iso

if TYPE_CHECKING:
    from artfs.artifacts.prune import Decision, Pruned, PrunePlan

COLUMNS = [text("plan"), text("artifact"), text("version"), size("bytes"), moment("made"), text("reason")]

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Age(click.ParamType):
    """How old something is, as `30d`, or since when, as a date."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta | datetime:
        """Return the age, or the moment; one without a time zone is in the one at hand."""
        if found := re.fullmatch(r"(\d+)\s*([smhdw])", str(value)):
            try:
                return timedelta(**{_UNITS[found[2]]: int(found[1])})
            except OverflowError:
                self.fail(f"'{value}' is too long ago", param, ctx)
        try:
            given = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"'{value}' is neither an age such as 12h, 30d or 6w, nor a date such as 2026-01-31", param, ctx)
        return given.astimezone()


@click.command()
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=complete_artifact)
@click.option("--older-than", type=Age(), metavar="AGE", help="Only versions older than 90s, 12h, 30d, 6w, or a date.")
@click.option(
    "--keep-last",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Keep so many of the newest versions of each artifact; 0 lets the newest go, too.",
)
@click.option("--only-artifact", "-a", is_flag=True, help="Remove bytes, and keep what was logged for the versions.")
@click.option("--only-metadata", "-m", is_flag=True, help="Leave the files where they lie, as your own from then on.")
@click.option("--ignore-errors", "-i", is_flag=True, help="Go on with other artifacts when one cannot be pruned.")
@click.option("--dry-run", is_flag=True, help="Print what would be kept and removed, with reasons, and change nothing.")
@yes_option
@json_option
@pass_session
def prune(
    session: Session,
    names: tuple[str, ...],
    older_than: timedelta | datetime | None,
    keep_last: int,
    only_artifact: bool,
    only_metadata: bool,
    ignore_errors: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Remove versions that no run, tag, model or pin needs.

    Kept are the newest version of each artifact, what is tagged or pinned, what a run read, what a run of a pipeline
    made, and what the options say. Every removed version leaves a tombstone, so that lineage stays true. The bytes of
    data registered in place are never removed. Without NAME, all artifacts are looked at.
    """
    from artfs.artifacts.prune import apply, plan

    if only_artifact and only_metadata:
        raise click.UsageError("--only-artifact and --only-metadata exclude each other", click.get_current_context())
    with session.workspace() as workspace:
        artifacts = [artifact_named(workspace.catalog, name).name for name in names] or None
        with waiting("looking at all versions"):
            planned = plan(workspace, artifacts=artifacts, older_than=older_than, keep_last=keep_last)
        going = planned.removed
        if dry_run:
            _print_plan(planned, as_json=as_json)
            return
        if going:
            what = f"{readable_count(len(going), 'version')} ({readable_size(planned.bytes)})"
            confirm(f"Remove {what}? --dry-run lists them.", yes=yes)
        with progress("pruning", len(going), "versions") as advance:
            done = apply(
                workspace,
                planned,
                only_artifact=only_artifact,
                only_metadata=only_metadata,
                ignore_errors=ignore_errors,
                advance=advance,
            )
    _print_done(done, left=only_metadata, as_json=as_json)


def _print_plan(planned: PrunePlan, *, as_json: bool) -> None:
    if as_json:
        print_json({"decisions": [_decision(each) for each in planned.decisions], "bytes": planned.bytes})
        return
    print_table(COLUMNS, [_row(each) for each in planned.decisions], empty="No versions yet.")
    removed, kept = len(planned.removed), len(planned.kept)
    say(
        f"{readable_count(removed, 'version')} would be removed ({readable_size(planned.bytes)}), {kept} kept", err=True
    )


def _print_done(done: Pruned, *, left: bool, as_json: bool) -> None:
    if as_json:
        spared = [_decision(each) for each in done.spared]
        amounts = {"files": done.files, "bytes": done.bytes, "kept_bytes": done.kept_bytes}
        print_json({"removed": done.versions, "spared": spared, **amounts, "errors": done.errors})
        return
    for each in done.spared:
        say(f"kept {each.version.artifact}/{each.version.name}: {each.reason}")
    for error in done.errors:
        complain(error)
    amount = f"left {readable_size(done.bytes)} to you" if left else f"freed {readable_size(done.bytes)}"
    kept = f"; drafts in a mount still need {readable_size(done.kept_bytes)}" if done.kept_bytes else ""
    say(f"removed {readable_count(len(done.versions), 'version')}, {amount}{kept}")


def _row(decision: Decision) -> Sequence[Any]:
    version = decision.version
    action = "keep" if decision.keep else "remove"
    return [action, version.artifact, version.name, version.bytes, iso(version.created_us), decision.reason]


def _decision(decision: Decision) -> dict[str, Any]:
    version = decision.version
    return {
        "artifact": version.artifact,
        "version": version.name,
        "id": version.uuid,
        "keep": decision.keep,
        "reason": decision.reason,
        "bytes": version.bytes,
        "created": iso(version.created_us),
    }
