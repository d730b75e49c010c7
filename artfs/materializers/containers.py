"""Containers of the standard library, with anything in them."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Sized
from typing import Any, ClassVar

from artfs.materializers.json.materializer import JsonMaterializer


class ContainerMaterializer(JsonMaterializer):
    """dict, list, tuple, set, frozenset, OrderedDict, Counter, defaultdict, deque and named tuples.

    All that is plain, however deeply nested, is in one JSON file. Each other element (an array, a table, a model) is
    saved by its own materializer in a directory named after where it stands: `items/train`, `items/layers.0`.

    A container that holds itself is pickled. Two equal lists or dicts that were one object are two after loading.
    """

    ASSOCIATED_TYPES: ClassVar[tuple[type | str, ...]] = (
        list,
        tuple,
        dict,
        set,
        frozenset,
        OrderedDict,
        Counter,
        defaultdict,
        deque,
    )

    def extract_metadata(self, data: Sized) -> dict[str, Any]:
        """Return the number of elements as `length`."""
        return {"length": len(data)}
