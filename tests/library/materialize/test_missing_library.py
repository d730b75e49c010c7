"""Where an optional library is missing, loading says in one line what to install; nothing else needs any of them."""

from __future__ import annotations

import subprocess
import sys

import pytest

LIBRARIES = {
    "numpy.NumpyArrayMaterializer": ("numpy", "artfs[numpy]"),
    "pandas.DataFrameMaterializer": ("pandas", "artfs[pandas]"),
    "polars.DataFrameMaterializer": ("polars", "artfs[polars]"),
    "arrow.TableMaterializer": ("pyarrow", "artfs[arrow]"),
    "pillow.ImageMaterializer": ("PIL", "artfs[pillow]"),
    "scipy.SparseMaterializer": ("scipy", "artfs[scipy]"),
    "sklearn.EstimatorMaterializer": ("skops", "artfs[sklearn]"),
    "torch.TensorMaterializer": ("safetensors", "artfs[torch]"),
    "xgboost.BoosterMaterializer": ("xgboost", "artfs[xgboost]"),
    "matplotlib.FigureMaterializer": ("matplotlib", "artfs[matplotlib]"),
    "lightgbm.BoosterMaterializer": ("lightgbm", "artfs[lightgbm]"),
}

_WITHOUT_IT = """
import sys
from artfs.errors import MissingLibrary
from artfs.materializers.registry import registry

library, materializer = sys.argv[1:]
sys.modules[library] = None  # as if it were not installed
try:
    registry.by_name(materializer)
except MissingLibrary as error:
    print(error)
"""

_NOTHING_HEAVY = """
import sys
import artfs.materializers
from artfs.materializers.registry import materializer_for

assert materializer_for({"a": [1, "x"]}).__name__ == "ContainerMaterializer"
heavy = {"numpy", "pandas", "polars", "pyarrow", "PIL", "scipy", "sklearn", "skops", "torch", "xgboost", "lightgbm"}
print(sorted(heavy & set(sys.modules)))
"""


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_missing_library_is_named_with_what_to_install(name: str) -> None:
    library, extra = LIBRARIES[name]
    printed = _run(_WITHOUT_IT, library, f"artfs.materializers.{name}")
    assert printed.count("\n") == 1
    assert f"pip install '{extra}'" in printed


def test_choosing_a_materializer_imports_no_library() -> None:
    assert _run(_NOTHING_HEAVY) == "[]\n"


def _run(code: str, *arguments: str) -> str:
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True).stdout
