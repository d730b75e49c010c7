"""Models of XGBoost (UBJSON) and LightGBM (text).

LightGBM's Python package writes a model, closes it, and opens it again to add one line. Other languages never add it:
a model without that line is no broken one, it only does not prove its end.
"""

from __future__ import annotations

import json
import re

from artfs.content.formats.format import Broken, Format, require
from artfs.content.formats.opened import BoundedFile

_XGBOOST = re.compile(rb"\{L\0{7}[\x07](learner|version)")
_LIGHTGBM = re.compile(rb"tree\nversion=v[3-9]\n")
_LONGEST_HEADER = 2**20
_LONGEST_END = 2**20
_TREE_SIZES = re.compile(rb"\ntree_sizes=([0-9 ]*)\n")
_AFTER_TREES = b"end of trees"
_PARAMETERS = b"\nparameters:\n"
_AFTER_PARAMETERS = b"\nend of parameters\n"
_LAST_LINE = b"\npandas_categorical:"


def _examine_xgboost(name: bytes, file: BoundedFile) -> bool:
    if file.end(1) != b"}":
        raise Broken(f"its outermost object is not closed, after {file.size} bytes")
    return False


def _examine_lightgbm(name: bytes, file: BoundedFile) -> bool:
    start = file.pread(0, _LONGEST_HEADER)
    header = start.find(b"\n\n") + 2
    if header < 2:
        if file.size <= _LONGEST_HEADER:
            raise Broken(f"it ends within its header, after {file.size} bytes")
        return False
    sizes = _TREE_SIZES.search(start, 0, header)
    if sizes is None:
        return False
    trees = header + sum(min(int(size[:20]), 2**62) for size in sizes[1].split())
    require(trees + len(_AFTER_TREES), file.size, "its header")
    if file.pread(trees, len(_AFTER_TREES)) != _AFTER_TREES or file.size - trees > _LONGEST_END:
        return False
    end = file.pread(trees, file.size - trees)
    if _PARAMETERS in end and _AFTER_PARAMETERS not in end:
        raise Broken(f"it ends within its parameters, after {file.size} bytes")
    _, line, categories = end.rpartition(_LAST_LINE)
    return bool(line) and categories.endswith(b"\n") and _is_json(categories)


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


XGBOOST = Format("XGBoost", lambda name, head: _XGBOOST.match(head) is not None, _examine_xgboost)
LIGHTGBM = Format("LightGBM", lambda name, head: _LIGHTGBM.match(head) is not None, _examine_lightgbm)
