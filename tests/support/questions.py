"""What is asked of a catalog, by name: all kinds of statements that it has for an engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from artfs.catalog import Catalog
from artfs.content.digest import hash_bytes
from support.catalogs import save, tree_with

DIGEST = hash_bytes(b"content")

QUESTIONS: Mapping[str, Callable[[Catalog], object]] = {
    "artifact by name": lambda c: c.artifacts.get("iris"),
    "artifact by id": lambda c: c.artifacts.by_id(1),
    "newest version": lambda c: c.versions.latest(1),
    "version by name": lambda c: c.versions.get(1, "1"),
    "version by uuid": lambda c: c.versions.by_uuid("u"),
    "version by prefix": lambda c: c.versions.by_uuid_prefix("ab"),
    "version by tag": lambda c: c.versions.by_tag(1, "prod"),
    "versions of an artifact": lambda c: c.versions.names(1),
    "versions with a content": lambda c: c.versions.using_blob(1),
    "staged versions": lambda c: c.versions.staged(),
    "page of an artifact": lambda c: c.versions.list(1, {"type": "x"}, sort="desc:created", size=20),
    "page by rare number": lambda c: c.versions.list(None, {"metadata.n": "gt:5"}, sort="desc:created", size=20),
    "page by rare tag": lambda c: c.versions.list(None, {"tag": "prod"}, sort="desc:created", size=20),
    "page by name": lambda c: c.versions.list(None, {"name": "x"}, sort="desc:created", size=20),
    "page by type": lambda c: c.versions.list(None, {"type": "x"}, sort="desc:created", size=20),
    "count by rare number": lambda c: c.versions.count(None, {"metadata.n": "gt:5"}),
    "entries of a directory": lambda c: c.trees.entries(1),
    "entry of a directory": lambda c: c.trees.entry(1, b"file"),
    "entry by inode": lambda c: c.trees.by_inode(10**6),
    "tree": lambda c: c.trees.tree(1),
    "whole tree": lambda c: c.trees.load(1),
    "blob by digest": lambda c: c.blobs.get(DIGEST),
    "places of a blob": lambda c: c.blobs.places(1),
    "some places of a store": lambda c: c.blobs.paths_in(1, 10),
    "places below a directory": lambda c: c.blobs.any_below(1, b"iris/uuid"),
    "newest version of all": lambda c: c.versions.newest_row(),
    "known digests": lambda c: c.blobs.known([DIGEST]),
    "gone places": lambda c: c.blobs.gone_places(),
    "owned paths": lambda c: c.blobs.owned_paths(1, [b"x"]),
    "plan of a prune": lambda c: c.blobs.freed_by([1]),
    "tags of a version": lambda c: c.tags.of_version(1),
    "newest of every tag": lambda c: c.tags.newest(1),
    "versions with a tag": lambda c: c.tags.version_ids("prod"),
    "metadata": lambda c: c.metadata.get(1),
    "history": lambda c: c.metadata.history(1, "n"),
    "run metadata": lambda c: c.run_metadata.get(1),
    "runs of a pipeline": lambda c: c.runs.names(1),
    "newest run": lambda c: c.runs.latest(1),
    "page of runs": lambda c: c.runs.list(1, {"status": "failed"}, sort="desc:started", size=20),
    "unfinished runs": lambda c: c.runs.unfinished("host"),
    "steps of a run": lambda c: c.steps.list(1),
    "inputs": lambda c: c.steps.inputs(1),
    "outputs": lambda c: c.steps.outputs(1),
    "cached step": lambda c: c.steps.find_cached(DIGEST),
    "upstream": lambda c: c.lineage.upstream(1),
    "downstream": lambda c: c.lineage.downstream(1),
    "ancestors": lambda c: c.lineage.ancestors(1),
    "descendants": lambda c: c.lineage.descendants(1),
    "consumers": lambda c: c.lineage.consumers(1),
    "edges": lambda c: c.lineage.edges([1, 2]),
    "pin": lambda c: c.pins.get(1),
    "visualizations": lambda c: c.visualizations.list(1),
    "audit of a subject": lambda c: c.audit.list("iris@1"),
    "newest of the audit log": lambda c: c.audit.list(limit=10),
    "a save": lambda c: save(c, "iris", {b"d/a": b"new", b"b": b"content"}, tags=["prod"], metadata={"n": 2}, user="a"),
    "a save of a name": lambda c: save(c, "iris", tree_with({b"f": b"2"}), name="chosen"),
    "a purge": lambda c: c.versions.purge(1, "test"),
    "an input": lambda c: c.steps.add_input(1, "in", 1),
    "dropped places": lambda c: c.blobs.drop_places([1]),
    "forgotten places": lambda c: c.blobs.forget_places([1]),
}
