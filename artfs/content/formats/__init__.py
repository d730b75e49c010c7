"""What a file's own bytes say about whether it is whole, from a few reads of it, whatever its size.

`check` knows zip (torch, Keras, numpy), safetensors, HDF5, parquet, arrow, npy, pickle, gzip, JSON, SQLite, XGBoost's
and LightGBM's models, and what installed packages add. It finds faults only where the bytes prove one: a file that a
library writes and reads has none. `sets` has what only the names of a directory say.
"""

from __future__ import annotations

from artfs.content.formats.checks import FormatChecks, check
from artfs.content.formats.finding import Finding
from artfs.content.formats.opened import MOST_BYTES, MOST_READS, OpenedDescriptor, OpenedFile
from artfs.content.formats.sets import INDEX_ENDINGS, IncompleteSet, incomplete_sets, journals, named_parts

__all__ = [
    "INDEX_ENDINGS",
    "MOST_BYTES",
    "MOST_READS",
    "Finding",
    "FormatChecks",
    "IncompleteSet",
    "OpenedDescriptor",
    "OpenedFile",
    "check",
    "incomplete_sets",
    "journals",
    "named_parts",
]
