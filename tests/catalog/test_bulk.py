"""Questions about many at once have the answers that one question each would have."""

from __future__ import annotations

from artfs.catalog import Catalog
from artfs.catalog.machines import Machine
from support.catalogs import save


def test_versions_and_what_is_on_them(catalog: Catalog) -> None:
    versions = [
        save(catalog, f"a{number % 3}", b"%d" % number, tags=["x", "b"] if number % 2 else [], metadata={"n": number})
        for number in range(7)
    ]
    ids = [version.id for version in versions]
    purged = catalog.versions.purge(versions[6].id, "test")
    found = catalog.versions.by_uuids([*(version.uuid for version in versions), "nothing"])
    assert found == {version.uuid: version for version in [*versions[:6], purged]}
    artifacts = [version.artifact_id for version in versions]
    newest = catalog.versions.newest_of([*artifacts, 10**6])
    assert newest == [catalog.versions.latest(artifact) for artifact in sorted(set(artifacts))]
    assert catalog.tags.of_versions(ids) == {id_: ["b", "x"] for id_ in (ids[1], ids[3], ids[5])}
    assert catalog.metadata.of_versions(ids) == {id_: {"n": number} for number, id_ in enumerate(ids)}


def test_tags_of_artifacts(catalog: Catalog) -> None:
    one, two = catalog.artifacts.ensure("one"), catalog.artifacts.ensure("two")
    catalog.tags.add_to_artifact(two.id, "z", "a")
    assert catalog.tags.of_artifacts([one.id, two.id]) == {two.id: ["a", "z"]}


def test_runs_and_their_steps(catalog: Catalog) -> None:
    runs = [catalog.runs.create("train", name, started_us=time) for name, time in (("b", 2), ("a", 1), ("c", 3))]
    steps = [catalog.steps.create(run.id, name) for run in runs[:2] for name in ("fit", "check")]
    assert [run.name for run in catalog.runs.by_ids([run.id for run in runs])] == ["a", "b", "c"]
    assert [name for name, _ in catalog.runs.names(runs[0].pipeline_id)] == ["a", "b", "c"]
    assert [list(catalog.steps.list(run.id)) for run in runs] == [steps[:2], steps[2:], []]


def test_names_of_users(catalog: Catalog) -> None:
    ada, bob = catalog.users.ensure("ada"), catalog.users.ensure("bob")
    assert catalog.users.names([bob.id, ada.id, 10**6]) == {ada.id: "ada", bob.id: "bob"}


def test_settings_of_artifacts(catalog: Catalog) -> None:
    one, two = catalog.artifacts.ensure("one"), catalog.artifacts.ensure("two")
    catalog.settings.set(one.id, "readable", True)
    catalog.settings.set(one.id, "unit", "child")
    catalog.settings.set(one.id, "unit", "draft")
    catalog.settings.set(two.id, "unit", "child")
    catalog.settings.set(two.id, "unit", None)
    assert catalog.settings.get(one.id, "unit") == "draft"
    assert catalog.settings.get(two.id, "unit") is None
    assert catalog.settings.of([one.id, two.id]) == {one.id: {"readable": True, "unit": "draft"}}
    catalog.artifacts.delete(one.id)
    assert catalog.settings.of([one.id]) == {}


def test_versions_and_the_audit_log_say_which_machine_wrote(catalog: Catalog) -> None:
    here = Catalog(catalog.engine, Machine("uuid-1", "host", "/home/artfs"))
    there = Catalog(catalog.engine, Machine("uuid-2", "other", "/home/artfs"))
    assert here.machines.known_id() is None
    rows = [each.audit.append("tag.add", "iris@1") for each in (here, there, catalog, here, catalog, there)]
    assert [row.number for row in rows] == [1, 1, 1, 2, 2, 2]
    assert catalog.audit.verify() is None
    version = save(here, "iris", b"1")
    assert version.machine_id == here.machines.own_id() == rows[0].machine_id
    assert [machine.name for machine in catalog.machines.list()] == ["host", "other"]
    catalog.engine.execute("DELETE FROM audit WHERE id = :id", {"id": rows[1].id})
    assert catalog.audit.verify() == rows[5].id
    catalog.engine.execute("DELETE FROM audit")


def test_a_machine_whose_first_write_is_undone_is_made_again(catalog: Catalog) -> None:
    here = Catalog(catalog.engine, Machine("uuid-1", "host", "/home/artfs"))
    try:
        with here.transaction():
            here.audit.append("tag.add", "iris@1")
            raise ZeroDivisionError
    except ZeroDivisionError:
        assert here.machines.list() == []
    row = here.audit.append("tag.add", "iris@1")
    machine = here.machines.by_uuid("uuid-1")
    assert machine is not None
    assert row.machine_id == machine.id


def test_what_a_version_remembers_of_its_draft(catalog: Catalog) -> None:
    first = save(catalog, "iris", b"1")
    version = save(
        catalog,
        "iris",
        b"2",
        owner="ada",
        owner_group="staff",
        sealed_by="marker",
        previous_id=first.id,
        self_contained=False,
        folder=b"iris/x",
    )
    assert catalog.versions.by_id(version.id) == version
    assert (version.owner, version.owner_group, version.sealed_by) == ("ada", "staff", "marker")
    assert (version.previous_id, version.self_contained, version.folder) == (first.id, False, b"iris/x")


def test_the_newest_version_stays_the_newest_when_a_clock_is_set_back(catalog: Catalog) -> None:
    first = save(catalog, "iris", b"1", tags=["best"])
    future = first.created_us + 10**12
    catalog.engine.execute("UPDATE version SET created_us = :time", {"time": future})
    catalog.engine.execute("UPDATE version_tag SET version_us = :time", {"time": future})
    second = save(catalog, "iris", b"2", tags=["best"])
    assert catalog.versions.latest(first.artifact_id) == second
    assert catalog.versions.by_tag(first.artifact_id, "best") == second
    assert [name for name, _ in catalog.versions.names(first.artifact_id)] == ["1", "2"]


def test_a_long_text_is_found_by_its_whole(catalog: Catalog) -> None:
    text = "x" * 5000
    version = save(catalog, "iris", b"1", metadata={"t": text + "a"})
    save(catalog, "iris", b"2", metadata={"t": text + "b"})
    assert catalog.versions.list(None, {"metadata.t": text + "a"}) == [version]
    assert catalog.versions.list(None, {"metadata.t": ("oneof", [text + "a"])}) == [version]
    assert catalog.versions.list(None, {"metadata.t": ("lt", text + "b")}) == [version]
    assert catalog.versions.count(None, {"metadata.t": ("gte", text + "a")}) == 2


def test_batches_follow_the_times_and_miss_nothing_where_those_are_equal(catalog: Catalog) -> None:
    made = [save(catalog, "iris", b"%d" % number) for number in range(7)]
    catalog.engine.execute("UPDATE version SET created_us = 5")
    catalog.engine.execute("UPDATE version SET created_us = 4 WHERE id = :id", {"id": made[6].id})
    ids = [version.id for version in made]
    found = [version.id for batch in catalog.versions.batches(None, 2) for version in batch]
    assert found == [ids[6], *ids[:6]]
    assert [version.id for version in catalog.versions.newest(made[0].artifact_id, 3)] == ids[3:6]
    for name, time in (("late", 3), ("early", 1), ("also early", 1)):
        catalog.runs.create("train", name, started_us=time)
    names = [run.name for batch in catalog.runs.batches(None, 1) for run in batch]
    assert names == ["early", "also early", "late"]
    assert [run.name for run in catalog.runs.newest(None, 2)] == ["also early", "late"]
