"""`artfs artifact-store`: where the bytes of versions live."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from artfs.cli.lazy import Lazy, LazyGroup
from artfs.cli.printing import (
    TableColumn,
    count,
    json_option,
    listed,
    moment,
    print_described,
    print_json,
    print_record,
    print_table,
    say,
    text,
)
from artfs.cli.selection import catalog_to_complete
from artfs.cli.session import Session, pass_session
from artfs.errors import StoreNotFound

if TYPE_CHECKING:
    pass

FLAVOR_COMMANDS = {
    "list": Lazy("artfs.cli.artifact_store:list_flavors", "List the kinds of artifact stores."),
}

COMMANDS = {
    "flavor": Lazy("artfs.cli.artifact_store:flavor", "Look at kinds of artifact stores."),
    "register": Lazy("artfs.cli.artifact_store:register", "Make an artifact store known under NAME."),
    "update": Lazy("artfs.cli.artifact_store:update", "Say where an artifact store is now, or change its settings."),
    "list": Lazy("artfs.cli.artifact_store:list_", "List all artifact stores."),
    "describe": Lazy("artfs.cli.artifact_store:describe", "Show all that is known of one artifact store."),
    "delete": Lazy("artfs.cli.artifact_store:delete", "Forget an artifact store that nothing uses."),
}

FLAVOR_COLUMNS = [text("flavor"), listed("schemes"), text("source"), text("problem")]

COLUMNS: dict[str, TableColumn] = {
    "name": text("name"),
    "flavor": text("flavor"),
    "path": text("path"),
    "stacks": listed("stacks"),
    "created": moment("created"),
    "versions": count("versions"),
    "problem": text("problem"),
}


def complete_store(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of an artifact store."""
    with catalog_to_complete(context) as catalog:
        names = [row.name for row in catalog.stores.list()] if catalog else []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def complete_flavor(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a flavor."""
    from artfs.stores.registry import registry

    return [CompletionItem(each.name) for each in registry.flavors() if each.name.startswith(incomplete)]


LISTED = ("name", "flavor", "path", "stacks", "created")


@click.group("artifact-store", cls=LazyGroup, lazy=COMMANDS)
def artifact_store() -> None:
    """Say where the bytes of versions live."""


@click.group(cls=LazyGroup, lazy=FLAVOR_COMMANDS)
def flavor() -> None:
    """Look at kinds of artifact stores."""


@click.command("list")
@json_option
def list_flavors(as_json: bool) -> None:
    """List the kinds of artifact stores.

    Columns: flavor, what paths of its stores begin with, where it comes from, why it cannot be used here (if so).
    """
    from artfs.stores.registry import registry

    flavors = registry.flavors()
    if as_json:
        keys = ("name", "schemes", "source", "problem")
        print_json([{key: getattr(each, key) for key in keys} for each in flavors])
        return
    rows = [[each.name, list(each.schemes), each.source, each.problem] for each in flavors]
    print_table(FLAVOR_COLUMNS, rows, empty="")


@click.command()
@click.argument("name")
@click.option(
    "-f", "--flavor", "flavor_name", required=True, shell_complete=complete_flavor, help="Which kind of store it is."
)
@click.option("-p", "--path", required=True, help="Its root: a directory, or a URI such as s3://my_bucket.")
@click.option(
    "-o", "--option", "options", multiple=True, metavar="KEY=VALUE", help="A setting of the flavor; never a secret."
)
@pass_session
def register(session: Session, name: str, flavor_name: str, path: str, options: tuple[str, ...]) -> None:
    """Make an artifact store known under NAME.

    Its root is made if it is not there. New versions go to it once a stack that uses it is active: see `artfs stack`.
    """
    from artfs.workspace.registration import register_store

    settings = dict(_setting(option) for option in options)
    if flavor_name == "local" and "://" not in path:
        path = os.path.abspath(os.path.expanduser(path)) if path else path
    with session.workspace() as workspace:
        store = register_store(workspace, name, flavor_name, path, settings)
        say(f"registered artifact store {store.name} at {store.path}")


@click.command()
@click.argument("name", shell_complete=complete_store)
@click.option("-p", "--path", help="Where its root is now: the folder that bears its mark, or a URI.")
@click.option(
    "-o",
    "--option",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the flavor; never a secret. KEY=null takes it away.",
)
@pass_session
def update(session: Session, name: str, path: str | None, options: tuple[str, ...]) -> None:
    """Say where an artifact store is now, or change its settings.

    Move or copy its folder first, with nothing saving to it. Running mounts and programs go on in the new place.
    """
    from artfs.workspace.moving import update_store

    settings = dict(_setting(option) for option in options)
    if path is None and not settings:
        raise click.UsageError("nothing to change: give --path or --option")
    if path is not None and "://" not in path:
        path = os.path.abspath(os.path.expanduser(path)) if path else path
    with session.workspace() as workspace:
        store = update_store(workspace, name, path, settings)
        say(f"updated artifact store {store.name} at {store.path}")


@click.command("list")
@json_option
@pass_session
def list_(session: Session, as_json: bool) -> None:
    """List all artifact stores.

    Columns: name, flavor, path, the stacks that use it, when it was registered.
    """
    from artfs.describe.stores import stores

    with session.workspace() as workspace:
        found = stores(workspace, workspace.stores.rows())
    if as_json:
        print_json(found)
        return
    print_described({key: COLUMNS[key] for key in LISTED}, found, empty="")


@click.command()
@click.argument("name", shell_complete=complete_store)
@json_option
@pass_session
def describe(session: Session, name: str, as_json: bool) -> None:
    """Show all that is known of one artifact store."""
    from artfs.describe.stores import store as described

    with session.workspace() as workspace:
        row = next((row for row in workspace.stores.rows() if row.name == name), None)
        if row is None:
            raise StoreNotFound(
                f"no artifact store is named '{name}'; 'artfs artifact-store list' lists them", subject=name
            )
        facts = described(workspace, row)
    if as_json:
        print_json(facts)
        return
    record: list[tuple[TableColumn, Any]] = [(column, facts[key]) for key, column in COLUMNS.items()]
    print_record([*record, *((text(f"option.{key}"), value) for key, value in row.options.items())])


@click.command()
@click.argument("name", shell_complete=complete_store)
@pass_session
def delete(session: Session, name: str) -> None:
    """Forget an artifact store that nothing uses.

    What lies in it is left as it is.
    """
    from artfs.workspace.registration import delete_store

    with session.workspace() as workspace:
        delete_store(workspace, name)
        say(f"deleted artifact store {name}")


def _setting(option: str) -> tuple[str, Any]:
    """`key=value`; what is JSON, such as `true` or `3`, is taken as that, all else as text."""
    key, equals, value = option.partition("=")
    if not equals or not key:
        raise click.BadParameter(f"'{option}' is not KEY=VALUE", param_hint="'--option'")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value
