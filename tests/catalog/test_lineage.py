"""What was made from what; and no mix of calls makes a circle."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artfs.catalog import Catalog
from artfs.catalog.versions import Version
from artfs.errors import InvalidValue
from support.catalogs import save


class _Pipeline:
    """Makes versions of other versions, one step run each."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.run = catalog.runs.create("pipeline", "run")

    def make(self, artifact: str, *inputs: Version) -> Version:
        step = self.catalog.steps.create(self.run.id, f"make {artifact}")
        for number, version in enumerate(inputs):
            self.catalog.steps.add_input(step.id, "in", version.id, position=number)
        made = save(self.catalog, artifact, producer_id=step.id)
        self.catalog.steps.add_output(step.id, "out", made.id)
        return made


def test_lineage_is_followed_both_ways_at_any_depth(catalog: Catalog) -> None:
    pipeline = _Pipeline(catalog)
    raw, extra = pipeline.make("raw"), save(catalog, "extra")
    train, test = pipeline.make("train", raw), pipeline.make("test", raw, extra)
    model = pipeline.make("model", train)
    report = pipeline.make("report", model, test)
    lineage = catalog.lineage
    ids = {version.artifact: version.id for version in (raw, extra, train, test, model, report)}
    assert lineage.upstream(report.id) == [ids["test"], ids["model"]]
    assert lineage.downstream(raw.id) == [ids["train"], ids["test"]]
    assert lineage.ancestors(report.id) == [ids[name] for name in ("raw", "extra", "train", "test", "model")]
    assert lineage.descendants(raw.id) == [ids[name] for name in ("train", "test", "model", "report")]
    assert lineage.upstream(extra.id) == lineage.ancestors(extra.id) == lineage.descendants(report.id) == []
    assert lineage.producer(extra.id) is None
    assert lineage.producer(model.id) == model.producer_id
    assert lineage.consumers(raw.id) == [train.producer_id, test.producer_id]


def test_tombstones_keep_their_place(catalog: Catalog) -> None:
    pipeline = _Pipeline(catalog)
    raw = pipeline.make("raw")
    train = pipeline.make("train", raw)
    model = pipeline.make("model", train)
    catalog.versions.purge(train.id, "test")
    assert catalog.lineage.ancestors(model.id) == [raw.id, train.id]
    assert [version.state for version in catalog.versions.by_ids([raw.id, train.id])] == ["live", "purged"]


def test_a_cached_step_adds_consumers_but_no_ancestry(catalog: Catalog) -> None:
    pipeline = _Pipeline(catalog)
    raw = pipeline.make("raw")
    model = pipeline.make("model", raw)
    newer = save(catalog, "raw")
    cached = catalog.steps.create(pipeline.run.id, "again", status="cached", cached_from_id=model.producer_id)
    catalog.steps.add_input(cached.id, "in", newer.id)
    catalog.steps.add_output(cached.id, "out", model.id, produced=False)
    assert catalog.lineage.consumers(newer.id) == [cached.id]
    assert catalog.lineage.upstream(model.id) == [raw.id]
    assert catalog.lineage.downstream(newer.id) == []


def test_a_step_cannot_read_what_is_newer_than_what_it_made(catalog: Catalog) -> None:
    pipeline = _Pipeline(catalog)
    model = pipeline.make("model")
    later = save(catalog, "later")
    assert model.producer_id is not None
    for version in (model, later):
        with pytest.raises(InvalidValue, match="begin another step run"):
            catalog.steps.add_input(model.producer_id, "late", version.id)
    assert catalog.steps.inputs(model.producer_id) == []


def test_a_step_cannot_have_made_what_is_older_than_what_it_read(catalog: Catalog) -> None:
    older, newer = save(catalog, "older"), save(catalog, "newer")
    step = catalog.steps.create(catalog.runs.create("pipeline", "run").id, "step")
    catalog.steps.add_input(step.id, "in", newer.id)
    for version in (older, newer):
        with pytest.raises(InvalidValue, match="older than one that it read"):
            catalog.steps.add_output(step.id, "out", version.id)
    assert catalog.steps.outputs(step.id) == []
    assert catalog.lineage.producer(older.id) is None


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["save", "make", "read", "give", "overwrite"]), st.integers(0, 5), st.integers(0, 5)),
    max_size=25,
)


@settings(max_examples=25)
@given(actions=ACTIONS)
def test_no_mix_of_calls_makes_a_circle(
    actions: list[tuple[str, int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    with Catalog.open(tmp_path_factory.mktemp("circle") / "catalog.db") as catalog:
        run = catalog.runs.create("pipeline", "run")
        steps = [catalog.steps.create(run.id, f"step {number}").id for number in range(6)]
        versions = [save(catalog, "first").id]
        for action, at, which in actions:
            step, version = steps[at], versions[which % len(versions)]
            with contextlib.suppress(InvalidValue):
                if action == "save":
                    versions.append(save(catalog, "saved").id)
                elif action == "make":
                    versions.append(save(catalog, "made", producer_id=step).id)
                elif action == "give":
                    catalog.steps.add_output(step, "out", version, position=which)
                else:
                    position = 0 if action == "overwrite" else which
                    catalog.steps.add_input(step, "in", version, position=position)
        for version in versions:
            assert version not in catalog.lineage.ancestors(version)
            assert set(catalog.lineage.upstream(version)) <= set(range(version))
            assert set(catalog.lineage.ancestors(version)) == set(_walked(catalog, version))
            assert all(version in catalog.lineage.descendants(other) for other in catalog.lineage.ancestors(version))
            for made in _made_by_readers(catalog, version):
                assert made > version, "what is read is older than what is made, in every row"


def _walked(catalog: Catalog, version: int) -> Iterator[int]:
    for upstream in catalog.lineage.upstream(version):
        yield upstream
        yield from _walked(catalog, upstream)


def _made_by_readers(catalog: Catalog, version: int) -> list[int]:
    rows = catalog.engine.query(
        "SELECT v.id FROM step_input i JOIN version v ON v.producer_id = i.step_run_id WHERE i.version_id = :version",
        {"version": version},
    )
    return [row[0] for row in rows]
