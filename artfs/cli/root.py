"""`artfs`: the options and errors that all commands share, and where each command is."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from artfs import __version__
from artfs.cli.lazy import Lazy, LazyGroup
from artfs.cli.reporting import ReportingGroup

COMMANDS = {
    "init": Lazy("artfs.cli.init:init", "Make the home: the catalog and the default store."),
    "mount": Lazy("artfs.cli.mount:mount", "Show all artifacts as files below DIR, and take in what is written there."),
    "umount": Lazy("artfs.cli.umount:umount", "End the mount at DIR, and wait until its daemon has ended."),
    "status": Lazy(
        "artfs.cli.status:status", "Show drafts and errors of the mount that DIR is in, or all mounts and what is owed."
    ),
    "sync": Lazy(
        "artfs.cli.drafts:sync", "Wait until everything written so far is a version, and in its artifact store."
    ),
    "commit": Lazy("artfs.cli.drafts:commit", "Make a version of DRAFT now, and print its name."),
    "discard": Lazy("artfs.cli.discard:discard", "Remove drafts, or what is in them, and no version."),
    "exec": Lazy(
        "artfs.cli.exec:exec_command", "Run COMMAND, and record what it read from a mount and what it wrote there."
    ),
    "artifact": Lazy("artfs.cli.artifact:artifact", "Look at artifacts and their versions, and change them."),
    "model": Lazy("artfs.cli.model:model", "Look at models, collections of versions under one name, and change them."),
    "run": Lazy("artfs.cli.run:run", "Look at runs of pipelines and programs."),
    "lineage": Lazy("artfs.cli.lineage:lineage", "Show what a version was made from, and what was made from it."),
    "artifact-store": Lazy("artfs.cli.artifact_store:artifact_store", "Say where the bytes of versions live."),
    "stack": Lazy("artfs.cli.stack:stack", "Choose where new versions go."),
    "catalog": Lazy("artfs.cli.catalog:catalog", "Back up, check and restore the catalog, which says what exists."),
    "verify": Lazy("artfs.cli.verify:verify", "Read all bytes of versions again, and compare them with their digests."),
    "gc": Lazy("artfs.cli.gc:gc", "Remove bytes that nothing accounts for, as killed processes leave them."),
    "doctor": Lazy("artfs.cli.doctor:doctor", "Look for whatever keeps artfs from working on this machine."),
}


class RootGroup(ReportingGroup, LazyGroup):
    """All commands."""


@click.group(
    cls=RootGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog='Completion of commands, artifacts and versions in bash: eval "$(_ARTFS_COMPLETE=bash_source artfs)"; '
    "also for zsh and fish.",
)
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="artfs's own directory, instead of $ARTFS_HOME or the user's data directory.",
)
@click.option(
    "--trust",
    "trusted_classes",
    metavar="CLASS",
    multiple=True,
    help="Import package.module.Class where it is needed, although nothing that was saved or registered here named it.",
)
@click.option("--debug", is_flag=True, help="Print the traceback of an error.")
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context, home: Path | None, trusted_classes: tuple[str, ...], debug: bool) -> None:
    """Keeps ML artifacts (datasets, models, checkpoints, reports) as versions that you can `ls`."""
    from artfs.cli.session import Session

    context.obj = Session(home, trusted_classes)


def main() -> None:
    """The entry point `artfs`."""
    _open_closed_streams()
    cli(prog_name="artfs")


def _open_closed_streams() -> None:
    """Let what was closed (`artfs ... >&-`) lead nowhere: or the first file that is opened would be standard output."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - until the program ends
