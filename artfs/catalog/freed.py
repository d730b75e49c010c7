"""Which contents nothing would need any more, if some versions were purged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from artfs.catalog.engine import Engine, in_lists


def freed_by(engine: Engine, version_ids: Collection[int]) -> list[int]:
    """Return the ids of the blobs that only these versions need, as files or as visualizations."""
    below: set[int] = set()
    for names, parameters in in_lists(version_ids):
        rows = engine.query(
            "WITH RECURSIVE below(id) AS ("
            f"SELECT tree_id FROM version WHERE id IN ({names}) AND tree_id IS NOT NULL "
            "UNION SELECT e.child_id FROM below JOIN tree_entry e ON e.tree_id = below.id "
            "WHERE e.child_id IS NOT NULL) SELECT id FROM below",
            parameters,
        )
        below.update(row[0] for row in rows)
    return _only_in(engine, _freed_trees(engine, below, set(version_ids)), version_ids)


def _freed_trees(engine: Engine, below: set[int], version_ids: set[int]) -> set[int]:
    """Those of the trees that neither another version nor a tree outside needs."""
    needed: set[int] = set()
    for names, parameters in in_lists(below):
        users = engine.query(
            f"SELECT tree_id, id FROM version WHERE tree_id IN ({names}) AND tree_id IS NOT NULL", parameters
        )
        needed.update(tree for tree, version in users if version not in version_ids)
        parents = engine.query(
            f"SELECT DISTINCT child_id, tree_id FROM tree_entry WHERE child_id IN ({names}) AND child_id IS NOT NULL",
            parameters,
        )
        needed.update(child for child, parent in parents if parent not in below)
    while needed:
        below = below - needed
        found: set[int] = set()
        for names, parameters in in_lists(needed):
            rows = engine.query(
                f"SELECT DISTINCT child_id FROM tree_entry WHERE tree_id IN ({names}) AND child_id IS NOT NULL",
                parameters,
            )
            found.update(row[0] for row in rows)
        needed = found & below
    return below


def _only_in(engine: Engine, trees: set[int], version_ids: Collection[int]) -> list[int]:
    """The blobs that are in these trees, and among the visualizations of these versions, and nowhere else."""
    inside: Counter[int] = Counter()
    for ids, uses in ((trees, "tree_entry WHERE tree_id"), (version_ids, "visualization WHERE version_id")):
        for names, parameters in in_lists(ids):
            rows = engine.query(
                f"SELECT blob_id, COUNT(*) FROM {uses} IN ({names}) AND blob_id IS NOT NULL GROUP BY blob_id",
                parameters,
            )
            for blob_id, count in rows:
                inside[blob_id] += count
    only: list[int] = []
    for names, parameters in in_lists(inside):
        rows = engine.query(
            "SELECT id, (SELECT COUNT(*) FROM tree_entry e WHERE e.blob_id = blob.id) "
            "+ (SELECT COUNT(*) FROM visualization z WHERE z.blob_id = blob.id) "
            f"FROM blob WHERE id IN ({names})",
            parameters,
        )
        only += [blob_id for blob_id, uses in rows if uses == inside[blob_id]]
    return only
