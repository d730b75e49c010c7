"""Runs, their steps, and what a cache may reuse."""

from __future__ import annotations

import pytest

from artfs.catalog import Catalog
from artfs.catalog.steps import Input, StepRun
from artfs.catalog.versions import Version
from artfs.content.digest import hash_bytes
from artfs.errors import AlreadyExists, InvalidValue, RunNotFound
from support.catalogs import places_for, save, tree_with

KEY = hash_bytes(b"a cache key")


def _step(
    catalog: Catalog, name: str = "fit", status: str = "completed", outputs: int = 1
) -> tuple[StepRun, list[Version]]:
    """A step run of a run of its own, with the versions that it made."""
    run = catalog.runs.create("train", f"run {catalog.runs.count()}")
    step = catalog.steps.create(run.id, name, cache_key=KEY)
    made = [save(catalog, f"out{slot}", producer_id=step.id) for slot in range(outputs)]
    for version in made:
        catalog.steps.add_output(step.id, version.artifact, version.id)
    return catalog.steps.finish(step.id, status), made


def test_a_run_says_what_was_said_of_it(catalog: Catalog) -> None:
    environment = catalog.environments.ensure({"python": "3.11"})
    user = catalog.users.ensure("ada")
    run = catalog.runs.create(
        "train",
        "one",
        kind="exec",
        user_id=user.id,
        environment_id=environment,
        config={"lr": 0.1},
        host="here",
        pid=12,
        process_started="34",
    )
    assert (run.pipeline, run.name, run.kind, run.status, run.ended_us) == ("train", "one", "exec", "running", None)
    assert (run.config, run.host, run.pid, run.process_started) == ({"lr": 0.1}, "here", 12, "34")
    assert catalog.runs.get("train", "one") == catalog.runs.by_uuid(run.uuid) == run
    assert catalog.runs.by_uuid_prefix(run.uuid[:13]) == [run]
    assert catalog.runs.unfinished("here") == [run]
    assert catalog.runs.unfinished("elsewhere") == []
    done = catalog.runs.finish(run.id, "failed", "no data")
    assert (done.status, done.error) == ("failed", "no data")
    assert done.ended_us is not None
    assert done.ended_us >= done.started_us
    assert catalog.runs.unfinished("here") == []


def test_runs_of_a_pipeline_are_named_once_and_listed_in_order(catalog: Catalog) -> None:
    runs = [catalog.runs.create("train", name) for name in "ba"]
    other = catalog.runs.create("test", "a")
    with pytest.raises(AlreadyExists):
        catalog.runs.create("train", "a")
    train = catalog.runs.pipeline("train")
    assert train is not None
    assert catalog.runs.pipeline_by_id(train.id) == train
    assert [pipeline.name for pipeline in catalog.runs.pipelines()] == ["test", "train"]
    assert catalog.runs.names(train.id) == [("b", runs[0].id), ("a", runs[1].id)]
    assert catalog.runs.list(train.id) == runs
    assert catalog.runs.list() == [*runs, other]
    assert catalog.runs.latest(train.id) == runs[1]
    with pytest.raises(RunNotFound):
        catalog.runs.finish(10**9, "failed")
    with pytest.raises(RunNotFound):
        catalog.runs.delete(10**9)
    with pytest.raises(RunNotFound):
        catalog.steps.finish(10**9, "failed")


def test_a_step_says_what_was_said_of_it(catalog: Catalog) -> None:
    run = catalog.runs.create("train", "one")
    step = catalog.steps.create(run.id, "fit", parameters={"lr": 0.1}, source="def fit(): ...", log_path="logs/1")
    assert (step.status, step.parameters, step.source, step.log_path) == (
        "running",
        {"lr": 0.1},
        "def fit(): ...",
        "logs/1",
    )
    catalog.steps.set_cache_key(step.id, KEY, {"source": "abc"})
    done = catalog.steps.finish(step.id, "failed", "Traceback", attempt=3)
    assert (done.status, done.error, done.attempt) == ("failed", "Traceback", 3)
    assert (done.cache_key, done.cache_parts) == (KEY, {"source": "abc"})
    assert catalog.steps.get(run.id, "fit") == catalog.steps.by_uuid(step.uuid) == done
    assert catalog.steps.list(run.id) == [done]
    with pytest.raises(AlreadyExists):
        catalog.steps.create(run.id, "fit")


def test_inputs_and_outputs_are_kept_by_slot(catalog: Catalog) -> None:
    data, more = save(catalog, "data"), save(catalog, "data")
    run = catalog.runs.create("train", "one")
    step = catalog.steps.create(run.id, "fit")
    catalog.steps.add_input(step.id, "sets", more.id, position=1)
    catalog.steps.add_input(step.id, "sets", data.id, how="external")
    catalog.steps.add_input(step.id, "base", data.id, how="observed")
    catalog.steps.add_input(step.id, "base", data.id, how="observed")
    model = save(catalog, "model", producer_id=step.id)
    catalog.steps.add_output(step.id, "model", model.id)
    inputs = [(put.slot, put.position, put.version_id, put.how) for put in catalog.steps.inputs(step.id)]
    assert inputs == [
        ("base", 0, data.id, "observed"),
        ("sets", 0, data.id, "external"),
        ("sets", 1, more.id, "declared"),
    ]
    assert [(put.slot, put.version_id) for put in catalog.steps.outputs(step.id)] == [("model", model.id)]


def test_what_was_observed_is_recorded_at_once_and_once(catalog: Catalog) -> None:
    read = [save(catalog, f"data{number % 2}") for number in range(5)]
    step = catalog.steps.create(catalog.runs.create("train", "one").id, "fit")
    catalog.steps.add_observed(step.id, [])
    assert catalog.steps.inputs(step.id) == []
    catalog.steps.add_observed(step.id, [version.id for version in read[:3]])
    catalog.steps.add_observed(step.id, {version.id for version in read} | {10**9})
    assert sorted(catalog.steps.inputs(step.id), key=lambda put: put.version_id) == [
        Input(f"{version.artifact}@{version.name}", 0, version.id, "observed") for version in read
    ]


def test_what_was_observed_is_older_than_what_was_made(catalog: Catalog) -> None:
    step, (made,) = _step(catalog)
    newer = save(catalog, "data")
    with pytest.raises(InvalidValue, match="newer than one that it made"):
        catalog.steps.add_observed(step.id, [made.id - 1, newer.id])
    assert catalog.steps.inputs(step.id) == []


def test_the_cache_finds_the_newest_completed_step_with_the_key(catalog: Catalog) -> None:
    _step(catalog)
    newest, _ = _step(catalog)
    _step(catalog, status="failed")
    _step(catalog, status="cached")
    assert catalog.steps.find_cached(KEY) == newest
    assert catalog.steps.find_cached(hash_bytes(b"another key")) is None
    assert newest.ended_us is not None
    assert catalog.steps.find_cached(KEY, since_us=newest.ended_us) == newest
    assert catalog.steps.find_cached(KEY, since_us=newest.ended_us + 1) is None


def test_the_cache_does_not_find_a_step_whose_outputs_are_not_all_there(catalog: Catalog) -> None:
    older, _ = _step(catalog)
    newer, (_, second) = _step(catalog, outputs=2)
    assert catalog.steps.find_cached(KEY) == newer
    catalog.versions.purge(second.id, "test")
    assert catalog.steps.find_cached(KEY) == older


def test_staged_outputs_are_there_on_this_machine(catalog: Catalog) -> None:
    run = catalog.runs.create("train", "one")
    step = catalog.steps.create(run.id, "fit", cache_key=KEY)
    tree = tree_with({b"a": b"1"})
    model = save(
        catalog, "model", tree, state="staged", places=places_for(tree, "u", state="staged"), producer_id=step.id
    )
    catalog.steps.add_output(step.id, "model", model.id)
    done = catalog.steps.finish(step.id, "completed")
    assert catalog.steps.find_cached(KEY) == done


def test_a_deleted_run_leaves_its_versions(catalog: Catalog) -> None:
    step, (model,) = _step(catalog)
    reader = catalog.runs.create("test", "one")
    cached = catalog.steps.create(reader.id, "fit", status="cached", cached_from_id=step.id)
    catalog.steps.add_output(cached.id, "model", model.id, produced=False)
    catalog.run_metadata.set(step.run_id, {"loss": 1}, step.id)
    catalog.runs.delete(step.run_id)
    assert catalog.runs.by_id(step.run_id) is None
    assert catalog.steps.by_id(step.id) is None
    left = catalog.versions.by_id(model.id)
    assert left is not None
    assert (left.state, left.producer_id) == ("live", None)
    after = catalog.steps.by_id(cached.id)
    assert after is not None
    assert after.cached_from_id is None
    assert [put.version_id for put in catalog.steps.outputs(cached.id)] == [model.id]


def test_a_step_of_no_run_is_refused(catalog: Catalog) -> None:
    with pytest.raises(InvalidValue):
        catalog.steps.create(10**9, "fit")
    with pytest.raises(InvalidValue):
        save(catalog, "model", producer_id=10**9)
    assert catalog.versions.count() == 0


def test_all_runs_come_in_batches_oldest_first(catalog: Catalog) -> None:
    made = [catalog.runs.create(pipeline, f"run{number}") for number, pipeline in enumerate(("a", "b", "a"))]
    ids = [run.id for run in made]
    assert [[run.id for run in batch] for batch in catalog.runs.batches(None, 2)] == [ids[:2], ids[2:]]
    assert [run.id for batch in catalog.runs.batches(made[0].pipeline_id) for run in batch] == [ids[0], ids[2]]
    assert [run.id for run in catalog.runs.newest(None, 2)] == ids[1:]
    assert [run.id for run in catalog.runs.newest(made[0].pipeline_id, 1)] == [ids[2]]
