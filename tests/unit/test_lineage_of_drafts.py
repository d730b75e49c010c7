"""What is written down about where a draft's version comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from artfs.catalog.catalog import Catalog
from artfs.workspace.workspace import Workspace
from artfs_mount.incoming.lineage import record
from artfs_mount.incoming.observed import VERSIONS_REMEMBERED, Actor, Author
from support.catalogs import save


@pytest.fixture
def catalog(home: Path) -> Catalog:
    return Workspace.open(home).catalog


@pytest.fixture
def actor() -> Actor:
    return Actor("group:1", 1, ("train.py",), None, (1, 1))


def test_a_thousand_versions_that_were_opened_take_a_few_statements(
    catalog: Catalog, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with catalog.transaction():
        opened = [save(catalog, f"shard{number}").id for number in range(1000)]
    for id_ in opened:
        actor.read(id_)
    model = save(catalog, "model")
    statements: list[str] = []
    execute = catalog.engine.execute

    def counted(sql: str, *arguments: Any) -> int:
        statements.append(sql)
        return execute(sql, *arguments)

    monkeypatch.setattr(catalog.engine, "execute", counted)
    record(catalog, model, [Author.now(actor)])
    assert len(statements) < 20
    assert catalog.lineage.upstream(model.id) == opened
    (run,) = catalog.runs.list()
    (step,) = catalog.steps.list(run.id)
    assert ("shard7@1", "observed") in {(put.slot, put.how) for put in catalog.steps.inputs(step.id)}


def test_all_of_it_is_written_down_or_nothing(catalog: Catalog, actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    actor.read(save(catalog, "data").id)
    model = save(catalog, "model")

    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(catalog.steps, "finish", fail)
        with pytest.raises(OSError):
            record(catalog, model, [Author.now(actor)])
    assert catalog.runs.count() == 0
    assert catalog.lineage.producer(model.id) is None
    record(catalog, model, [Author.now(actor)])
    assert catalog.lineage.producer(model.id) is not None


def test_what_is_read_after_the_writing_is_no_input(catalog: Catalog, actor: Actor) -> None:
    before, after = save(catalog, "before"), save(catalog, "after")
    actor.read(before.id)
    author = Author.now(actor)
    actor.read(after.id)
    actor.read(before.id)
    model = save(catalog, "model")
    record(catalog, model, [author])
    assert catalog.lineage.upstream(model.id) == [before.id]
    later = save(catalog, "later")
    record(catalog, later, [Author.now(actor)])
    assert catalog.lineage.upstream(later.id) == [before.id, after.id]


def test_what_several_read_counts_together_and_once(catalog: Catalog) -> None:
    data, more = save(catalog, "data"), save(catalog, "more")
    actors = [Actor(f"group:{number}", 1, ("train.py",), None, (number, 1)) for number in range(2)]
    actors[0].read(data.id)
    for id_ in (more.id, data.id):
        actors[1].read(id_)
    model = save(catalog, "model")
    record(catalog, model, [Author.now(actor) for actor in actors])
    assert catalog.lineage.upstream(model.id) == [data.id, more.id]
    assert catalog.runs.count() == 1


def test_of_very_many_versions_those_read_last_are_remembered(actor: Actor) -> None:
    for id_ in range(VERSIONS_REMEMBERED + 10):
        actor.read(id_)
        actor.read(5)
    assert Author.now(actor).inputs(before=20) == {5, *range(11, 20)}
