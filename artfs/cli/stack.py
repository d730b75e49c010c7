"""`artfs stack`: named choices of where new versions go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from artfs.cli.artifact_store import complete_store
from artfs.cli.lazy import Lazy, LazyGroup
from artfs.cli.printing import (
    TableColumn,
    json_option,
    moment,
    print_described,
    print_json,
    print_record,
    say,
    text,
    yes_no,
)
from artfs.cli.selection import catalog_to_complete
from artfs.cli.session import Session, pass_session

if TYPE_CHECKING:
    pass

COMMANDS = {
    "register": Lazy("artfs.cli.stack:register", "Make a stack, whose versions go to an artifact store."),
    "list": Lazy("artfs.cli.stack:list_", "List all stacks."),
    "describe": Lazy("artfs.cli.stack:describe", "Show one stack, or the active one."),
    "set": Lazy("artfs.cli.stack:set_", "Let new versions of this machine go to the stack NAME from now on."),
    "delete": Lazy("artfs.cli.stack:delete", "Forget a stack; its artifact store and its versions stay."),
}

COLUMNS: dict[str, TableColumn] = {
    "name": text("name"),
    "active": yes_no("active"),
    "artifact_store": text("artifact store"),
    "path": text("path"),
    "created": moment("created"),
}


def complete_stack(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of a stack."""
    with catalog_to_complete(context) as catalog:
        names = [row.name for row in catalog.stacks.list()] if catalog else []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


@click.group(cls=LazyGroup, lazy=COMMANDS)
def stack() -> None:
    """Choose where new versions go."""


@click.command()
@click.argument("name")
@click.option(
    "-a",
    "--artifact-store",
    "store",
    required=True,
    shell_complete=complete_store,
    help="Where its versions go: see `artfs artifact-store list`.",
)
@click.option("--set", "activate", is_flag=True, help="Make it the active one.")
@pass_session
def register(session: Session, name: str, store: str, activate: bool) -> None:
    """Make a stack, whose versions go to an artifact store."""
    from artfs.workspace.stacks import activate_stack, register_stack

    with session.workspace() as workspace:
        register_stack(workspace, name, store)
        say(f"registered stack {name} with artifact store {store}")
        if activate:
            activate_stack(workspace, name)
            say(f"active stack: {name}")


@click.command("list")
@json_option
@pass_session
def list_(session: Session, as_json: bool) -> None:
    """List all stacks.

    Columns: name, whether it is the active one, its artifact store, that store's path, when it was registered.
    """
    from artfs.describe.stores import stacks
    from artfs.workspace.stacks import list_stacks

    with session.workspace() as workspace:
        found = stacks(workspace, list_stacks(workspace))
    if as_json:
        print_json(found)
        return
    print_described(COLUMNS, found, empty="")


@click.command()
@click.argument("name", required=False, shell_complete=complete_stack)
@json_option
@pass_session
def describe(session: Session, name: str | None, as_json: bool) -> None:
    """Show one stack, or the active one."""
    from artfs.describe.stores import stacks
    from artfs.workspace.stacks import active_stack, find_stack

    with session.workspace() as workspace:
        found = find_stack(workspace, name) if name is not None else active_stack(workspace)
        (facts,) = stacks(workspace, [found])
    if as_json:
        print_json(facts)
        return
    print_record([(column, facts[key]) for key, column in COLUMNS.items()])


@click.command("set")
@click.argument("name", shell_complete=complete_stack)
@pass_session
def set_(session: Session, name: str) -> None:
    """Let new versions of this machine go to the stack NAME from now on.

    Mounts and programs that are running take it for the next version that they make.
    """
    from artfs.workspace.stacks import activate_stack

    with session.workspace() as workspace:
        activate_stack(workspace, name)
        say(f"active stack: {name}")


@click.command()
@click.argument("name", shell_complete=complete_stack)
@pass_session
def delete(session: Session, name: str) -> None:
    """Forget a stack; its artifact store and its versions stay."""
    from artfs.workspace.stacks import delete_stack

    with session.workspace() as workspace:
        delete_stack(workspace, name)
        say(f"deleted stack {name}")
