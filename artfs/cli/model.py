"""`artfs model`: collections of versions under one name."""

from __future__ import annotations

import click

from artfs.cli.confirming import confirm, yes_option
from artfs.cli.lazy import Lazy, LazyGroup
from artfs.cli.printing import (
    count,
    json_option,
    listed,
    moment,
    print_described,
    print_json,
    print_record,
    say,
    text,
)
from artfs.cli.selection import complete_version, version_named
from artfs.cli.session import Session, pass_session

COMMANDS = {
    "list": Lazy("artfs.cli.model:list_", "List all models."),
    "show": Lazy("artfs.cli.model:show", "Show a model with its versions, or what is in one of them."),
    "link": Lazy("artfs.cli.model:link", "Put versions into a version of a model."),
    "unlink": Lazy("artfs.cli.model:unlink", "Take versions out of a version of a model."),
    "stage": Lazy("artfs.cli.model:stage", "Put a version of a model into a stage."),
    "delete": Lazy("artfs.cli.model:delete", "Forget a model, or one version of it."),
}

COLUMNS = {
    "model": text("model"),
    "versions": count("versions"),
    "latest": text("latest"),
    "production": text("production"),
    "staging": text("staging"),
    "created": moment("created"),
}
VERSION_COLUMNS = {
    "version": text("version"),
    "stage": text("stage"),
    "artifacts": listed("artifacts"),
    "created": moment("created"),
}
FACTS = {
    "model": text("model"),
    "version": text("version"),
    "stage": text("stage"),
    "description": text("description"),
    "artifacts": listed("artifacts"),
    "runs": listed("runs"),
    "created": moment("created"),
    "id": text("id"),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def model() -> None:
    """Look at models, collections of versions under one name, and change them."""


@click.command("list")
@json_option
@pass_session
def list_(session: Session, as_json: bool) -> None:
    """List all models.

    Columns: model, number of versions, the newest, those in production and in staging, when it was made.
    """
    from artfs.describe.models import models

    with session.workspace() as workspace:
        found = models(workspace.catalog, workspace.catalog.models.list())
    if as_json:
        print_json(found)
        return
    rows = [{**each, **{stage: each["stages"].get(stage) for stage in ("production", "staging")}} for each in found]
    print_described(COLUMNS, rows, empty="No models yet.")


@click.command()
@click.argument("name", metavar="MODEL[/VERSION]")
@json_option
@pass_session
def show(session: Session, name: str, as_json: bool) -> None:
    """Show a model with its versions, or what is in one of them.

    VERSION is a number, a name, `production`, `staging` or `latest`.
    """
    from artfs.artifacts.models import find_model, find_model_version
    from artfs.describe.models import model_version, models

    wanted, _, version = name.partition("/")
    with session.workspace() as workspace:
        catalog = workspace.catalog
        if version:
            facts = model_version(catalog, find_model_version(catalog, wanted, version))
        else:
            row = find_model(catalog, wanted)
            versions = [model_version(catalog, each) for each in catalog.models.versions(row.id)]
            facts = {**models(catalog, [row])[0], "versions": versions}
    if as_json:
        print_json(facts)
    elif version:
        print_record([(column, facts[key]) for key, column in FACTS.items()])
    else:
        print_described(VERSION_COLUMNS, facts["versions"], empty="No versions yet.")


@click.command()
@click.argument("name", metavar="MODEL[/VERSION]")
@click.argument("versions", metavar="NAME[/VERSION]...", nargs=-1, required=True, shell_complete=complete_version)
@pass_session
def link(session: Session, name: str, versions: tuple[str, ...]) -> None:
    """Put versions into a version of a model.

    Model and version are made if there are none; without VERSION the newest of the model is meant.
    """
    from artfs.artifacts.models import ensured_model_version, link_version

    wanted, _, version = name.partition("/")
    with session.workspace() as workspace, workspace.catalog.transaction():
        found = [version_named(workspace.catalog, each, purged=False) for each in versions]
        collection = ensured_model_version(workspace, wanted, version or None)
        for each in found:
            link_version(workspace, collection, each)
    say(collection.shown_name)


@click.command()
@click.argument("name", metavar="MODEL/VERSION")
@click.argument("versions", metavar="NAME[/VERSION]...", nargs=-1, required=True, shell_complete=complete_version)
@pass_session
def unlink(session: Session, name: str, versions: tuple[str, ...]) -> None:
    """Take versions out of a version of a model.

    All of them, or none if one is not in it.
    """
    from artfs.artifacts.models import find_model_version, unlink_version

    wanted, _, version = name.partition("/")
    with session.workspace() as workspace, workspace.catalog.transaction():
        collection = find_model_version(workspace.catalog, wanted, version or None)
        for each in versions:
            unlink_version(workspace, collection, version_named(workspace.catalog, each))
    say(collection.shown_name)


@click.command()
@click.argument("name", metavar="MODEL/VERSION")
@click.argument("stage", metavar="STAGE")
@click.option("--force", is_flag=True, help="Archive the version that is in the stage.")
@pass_session
def stage(session: Session, name: str, stage: str, force: bool) -> None:
    """Put a version of a model into a stage.

    STAGE is staging, production, archived or none. At most one version of a model is in staging, and one in production.
    """
    from artfs.artifacts.models import find_model_version, set_stage

    wanted, _, version = name.partition("/")
    with session.workspace() as workspace:
        found = find_model_version(workspace.catalog, wanted, version or None)
        set_stage(workspace, found, stage, force=force)
    say(f"{found.shown_name} {stage}")


@click.command()
@click.argument("name", metavar="MODEL[/VERSION]")
@yes_option
@pass_session
def delete(session: Session, name: str, yes: bool) -> None:
    """Forget a model, or one version of it.

    The versions of artifacts that are in it stay, and are kept by it no longer.
    """
    from artfs.artifacts.models import delete_model, delete_model_version, find_model, find_model_version

    wanted, _, version = name.partition("/")
    with session.workspace() as workspace:
        if version:
            found = find_model_version(workspace.catalog, wanted, version)
            confirm(f"Delete model {found.shown_name}? What is in it stays.", yes=yes)
            delete_model_version(workspace, found)
        else:
            whole = find_model(workspace.catalog, wanted)
            confirm(f"Delete model {whole.name} with all its versions? What is in them stays.", yes=yes)
            delete_model(workspace, whole)
    say(f"deleted {name}")
