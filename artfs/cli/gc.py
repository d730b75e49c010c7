"""`artfs gc`."""

from __future__ import annotations

import dataclasses

import click

from artfs.cli.printing import json_option, print_json, readable_count, readable_size, say, waiting
from artfs.cli.reporting import FAILED, UNLISTED, complain
from artfs.cli.session import Session, pass_session


@click.command()
@click.option("--dry-run", is_flag=True, help="Only look, and change nothing.")
@json_option
@click.pass_context
@pass_session
def gc(session: Session, context: click.Context, dry_run: bool, as_json: bool) -> None:
    """Remove bytes that nothing accounts for, as killed processes leave them.

    These are contents that no version needs, directories of versions that never came to be, after seven days, and
    copies made for reading versions that were removed. What somebody is just making is left alone, and so is what
    drafts in a mount still need. Versions that the catalog does not know, but whose manifest lies in a store, are told
    and stay. Versions without a manifest get one.
    """
    from artfs.artifacts.gc import gc as collect

    with session.workspace() as workspace, waiting("looking for garbage") as tell:
        found = collect(workspace, dry_run=dry_run, tell=lambda what: tell(f"looking at {what}"))
    if as_json:
        print_json({"dry_run": dry_run, **dataclasses.asdict(found)})
    else:
        verb = "would remove" if dry_run else "removed"
        contents, directories = readable_count(found.files, "file"), len(found.directories)
        shown = f"{directories} director{'y' if directories == 1 else 'ies'}"
        say(f"{verb} {contents} that no version needs: {readable_size(found.bytes)}")
        say(f"{verb} {shown} of versions that never came to be: {readable_size(found.directory_bytes)}")
        if found.young:
            say(f"kept {found.young} more of those, which are younger than seven days")
        say(f"{verb} {found.views} copies of removed versions from the cache")
        if found.kept_files:
            kept = readable_size(found.kept_bytes)
            say(f"kept {found.kept_files} contents that only drafts in a mount need: {kept}")
    for path in found.unlisted:
        complain(f"{path}: {UNLISTED}; it stays")
    for error in found.errors:
        complain(error)
    if found.errors:
        context.exit(FAILED)
