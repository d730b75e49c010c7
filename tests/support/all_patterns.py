"""All patterns, and what may come of those of them that nothing says when they are finished."""

from __future__ import annotations

from support.file_patterns import file_patterns
from support.folder_patterns import folder_patterns
from support.patterns import Pattern

PATTERNS: dict[str, Pattern] = {each.name: each for each in (*file_patterns(), *folder_patterns())}

MAY_BE_HALF: dict[str, frozenset[str]] = {
    # Python's own formats end with a byte that is in the middle, too.
    "torch_legacy": frozenset({"fail", "catch"}),
    "joblib": frozenset({"fail", "catch"}),
    "joblib_in_a_folder": frozenset({"fail", "catch"}),
    "pickle": frozenset({"fail", "catch"}),
    # Any number of lines is a table; a name that logs have is no reason to hold back what a killed writer left.
    "pandas_csv": frozenset({"fail", "catch", "kill"}),
    # h5py closes a file well when its program has raised, whatever is not in it yet.
    "keras_h5": frozenset({"fail", "catch"}),
    "keras_h5_in_a_folder": frozenset({"fail", "catch"}),
    # It has its size from the beginning, and where no page was written there are zeros.
    "memmap": frozenset({"fail", "catch"}),
    # Between two opens a model is as it should be, but for what its last line says.
    "lightgbm": frozenset({"fail", "catch", "kill"}),
    # Nothing says which file is the last.
    "save_pretrained": frozenset({"fail", "catch", "kill"}),
    "accelerate": frozenset({"fail", "catch", "kill"}),
    # A configuration alone is a save of its own.
    "save_pretrained_sharded": frozenset({"catch"}),
}
"""Patterns without a signal: what may happen to their writer that makes a half version. A pause makes none."""

MAY_BE_HELD: dict[str, frozenset[str]] = {
    "save_pretrained": frozenset({"fail", "kill"}),
    "save_pretrained_sharded": frozenset({"fail", "kill"}),
    "accelerate": frozenset({"fail", "kill"}),
    "joblib_in_a_folder": frozenset({"fail", "kill"}),
    "keras_h5_in_a_folder": frozenset({"fail", "kill"}),
    "safetensors_renamed_in_a_folder": frozenset({"fail", "kill"}),
    "torch_zip_in_a_folder": frozenset({"fail", "kill"}),
}
"""Patterns of folders whose writer failed right after a finished save: nothing says that nothing was to follow."""
