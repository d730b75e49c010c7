"""Which versions nothing needs, on every engine."""

from __future__ import annotations

from collections.abc import Collection

from artfs.catalog import Catalog
from artfs.catalog.versions import Version
from support.catalogs import save


def step(catalog: Catalog, kind: str) -> int:
    """A step run of a run of that kind."""
    return catalog.steps.create(catalog.runs.create(kind, "run", kind=kind).id, "step").id


def needless(catalog: Catalog, stores: Collection[int], **options: int) -> list[str]:
    found = catalog.uses.needless(stores, **{"newest": 1, "limit": 100, **options})
    return [version.shown_name for version in found]


def test_versions_that_nothing_needs(catalog: Catalog) -> None:
    near, far = (catalog.stores.register(name, "local", f"/{name}").id for name in ("near", "far"))

    def make(artifact: str = "run", sealed_by: str | None = "marker", store: int = near) -> Version:
        return save(catalog, artifact, b"content", sealed_by=sealed_by, store_id=store)

    assert needless(catalog, [near, far]) == []
    old = make()
    tagged, pinned, read, given_out, made, staged, modelled = (make() for _ in range(7))
    for sealed_by in ("commit", None):
        make(sealed_by=sealed_by)
    elsewhere, newer, newest = make(store=far), make(sealed_by="quiet"), make()
    other, _ = make("other"), make("other")
    catalog.tags.add(tagged.id, "best")
    catalog.pins.add(pinned.id, "in the paper")
    catalog.models.link(catalog.models.create_version(catalog.models.ensure("classifier").id).id, modelled.id)
    catalog.steps.add_input(step(catalog, "observed"), "data", read.id, how="observed")
    pipeline = step(catalog, "pipeline")
    catalog.steps.add_output(pipeline, "model", given_out.id, produced=False)
    catalog.steps.add_output(pipeline, "made", made.id)
    catalog.versions.set_state(staged.id, "staged")

    all_of_them = [old, elsewhere, newer, other]
    assert needless(catalog, [near, far]) == [version.shown_name for version in all_of_them]
    assert needless(catalog, [near]) == [version.shown_name for version in (old, newer, other)]
    assert needless(catalog, []) == []
    assert needless(catalog, [near, far], artifact_id=old.artifact_id, newest=2) == [
        version.shown_name for version in (old, elsewhere)
    ]
    assert needless(catalog, [near, far], after=old.id, limit=2) == [
        version.shown_name for version in (elsewhere, newer)
    ]
    catalog.versions.purge(newest.id, "gone")
    assert newer.shown_name not in needless(catalog, [near, far])
