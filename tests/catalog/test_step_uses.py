"""What step runs used, beside versions in slots."""

from __future__ import annotations

from artfs.catalog import Catalog
from artfs.catalog.step_uses import StepUse
from artfs.content.digest import hash_bytes
from support.catalogs import save


def test_uses_come_back_as_they_were(catalog: Catalog) -> None:
    version = save(catalog, "points", b"content")
    run = catalog.runs.create("training", "first")
    one, other = (catalog.steps.create(run.id, name).id for name in ("one", "other"))
    file = StepUse("file", b"/data/\xff.csv", hash_bytes(b"x"), 2**40, 1_700_000_000_000_000_001, 7)
    missing = StepUse("file", b"missing.csv")
    name = StepUse("name", b"points/latest", version_id=version.id)
    catalog.step_uses.add(one, [name, missing, file])
    catalog.step_uses.add(one, [])
    assert catalog.step_uses.of(one) == [file, missing, name]
    assert catalog.step_uses.of(other) == []
    again = StepUse("name", b"points/latest")
    catalog.step_uses.add(one, [again])
    assert catalog.step_uses.of(one) == [file, missing, again]


def test_a_run_that_is_deleted_takes_its_uses_along(catalog: Catalog) -> None:
    run = catalog.runs.create("training", "first")
    step = catalog.steps.create(run.id, "one").id
    catalog.step_uses.add(step, [StepUse("file", b"data.csv")])
    catalog.runs.delete(run.id)
    assert catalog.step_uses.of(step) == []
