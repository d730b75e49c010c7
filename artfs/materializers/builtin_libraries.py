"""Which built-in materializer handles which type of the libraries that artfs knows: names only, nothing is imported.

Where a library has moved its classes between releases, both names are here.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from types import MappingProxyType
from typing import Any

_PACKAGE = "artfs.materializers"

_NUMPY_ARRAY = f"{_PACKAGE}.numpy.NumpyArrayMaterializer"
_MASKED_ARRAY = f"{_PACKAGE}.numpy.NumpyMaskedArrayMaterializer"
_FRAME = f"{_PACKAGE}.pandas.DataFrameMaterializer"
_SERIES = f"{_PACKAGE}.pandas.SeriesMaterializer"
_INDEX = f"{_PACKAGE}.pandas.IndexMaterializer"
_PANDAS_ARRAY = f"{_PACKAGE}.pandas.ArrayMaterializer"
_SPARSE = f"{_PACKAGE}.scipy.SparseMaterializer"
_TORCH_TENSOR = f"{_PACKAGE}.torch.TensorMaterializer"
_TORCH_OBJECT = f"{_PACKAGE}.torch.TorchObjectMaterializer"

#: Scalars of pandas, which stand in a container's JSON file.
PANDAS_SCALAR = f"{_PACKAGE}.pandas.ScalarMaterializer"

_TORCH_STATE = f"{_PACKAGE}.torch.StateDictMaterializer"

_PANDAS_INDEXES = {
    "Index": "base",
    "RangeIndex": "range",
    "MultiIndex": "multi",
    "CategoricalIndex": "category",
    "DatetimeIndex": "datetimes",
    "TimedeltaIndex": "timedeltas",
    "PeriodIndex": "period",
    "IntervalIndex": "interval",
}
_PANDAS_ARRAYS = {
    "ArrowExtensionArray": "arrow.array",
    "ArrowStringArray": "string_arrow",
    "ArrowStringArrayNumpySemantics": "string_arrow",
    "BooleanArray": "boolean",
    "DatetimeArray": "datetimes",
    "FloatingArray": "floating",
    "IntegerArray": "integer",
    "IntervalArray": "interval",
    "NumpyExtensionArray": "numpy_",
    "PeriodArray": "period",
    "SparseArray": "sparse.array",
    "StringArray": "string_",
    "StringArrayNumpySemantics": "string_",
    "TimedeltaArray": "timedeltas",
}
_PANDAS_SCALARS = (
    "pandas.Timestamp",
    "pandas.Timedelta",
    "pandas.Period",
    "pandas.Interval",
    "pandas.api.typing.NaTType",
    "pandas.api.typing.NAType",
    "pandas._libs.tslibs.timestamps.Timestamp",
    "pandas._libs.tslibs.timedeltas.Timedelta",
    "pandas._libs.tslibs.period.Period",
    "pandas._libs.interval.Interval",
    "pandas._libs.tslibs.nattype.NaTType",
    "pandas._libs.missing.NAType",
)
_TREE_TYPES = frozenset({dict, OrderedDict, list, tuple})
_SPARSE_FORMATS = ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")

#: For values of exactly this type: a subclass (a GeoDataFrame, say) holds more than these materializers keep.
EXACT_TYPES = MappingProxyType(
    {
        "numpy.ndarray": _NUMPY_ARRAY,
        "numpy.memmap": _NUMPY_ARRAY,
        "numpy.matrix": _NUMPY_ARRAY,
        "numpy.recarray": _NUMPY_ARRAY,
        "numpy.rec.recarray": _NUMPY_ARRAY,
        "numpy.chararray": _NUMPY_ARRAY,
        "numpy.char.chararray": _NUMPY_ARRAY,
        "numpy.ma.MaskedArray": _MASKED_ARRAY,
        "numpy.ma.core.MaskedArray": _MASKED_ARRAY,
        "numpy.ma.core.MaskedConstant": _MASKED_ARRAY,
        "pandas.DataFrame": _FRAME,
        "pandas.core.frame.DataFrame": _FRAME,
        "pandas.Series": _SERIES,
        "pandas.core.series.Series": _SERIES,
        **{f"pandas.{name}": _INDEX for name in _PANDAS_INDEXES},
        **{f"pandas.core.indexes.{module}.{name}": _INDEX for name, module in _PANDAS_INDEXES.items()},
        "pandas.Categorical": _PANDAS_ARRAY,
        "pandas.core.arrays.categorical.Categorical": _PANDAS_ARRAY,
        **{f"pandas.arrays.{name}": _PANDAS_ARRAY for name in _PANDAS_ARRAYS},
        **{f"pandas.core.arrays.{module}.{name}": _PANDAS_ARRAY for name, module in _PANDAS_ARRAYS.items()},
        **dict.fromkeys(_PANDAS_SCALARS, PANDAS_SCALAR),
        "polars.dataframe.frame.DataFrame": f"{_PACKAGE}.polars.DataFrameMaterializer",
        "polars.series.series.Series": f"{_PACKAGE}.polars.SeriesMaterializer",
        "polars.lazyframe.frame.LazyFrame": f"{_PACKAGE}.polars.LazyFrameMaterializer",
        "pyarrow.lib.Table": f"{_PACKAGE}.arrow.TableMaterializer",
        "pyarrow.lib.RecordBatch": f"{_PACKAGE}.arrow.TableMaterializer",
        "pyarrow.lib.ChunkedArray": f"{_PACKAGE}.arrow.ArrayMaterializer",
        "pyarrow.lib.Schema": f"{_PACKAGE}.arrow.SchemaMaterializer",
        **{f"scipy.sparse._{form}.{form}_{kind}": _SPARSE for form in _SPARSE_FORMATS for kind in ("matrix", "array")},
        "torch.Tensor": _TORCH_TENSOR,
        "torch.jit.torch.jit.ScriptFunction": f"{_PACKAGE}.torch_programs.ScriptMaterializer",
        "torch.export.exported_program.ExportedProgram": f"{_PACKAGE}.torch_programs.ExportedProgramMaterializer",
        "torch.nn.parameter.Parameter": _TORCH_TENSOR,
        "xgboost.core.Booster": f"{_PACKAGE}.xgboost.BoosterMaterializer",
        "xgboost.core.DMatrix": f"{_PACKAGE}.xgboost.DMatrixMaterializer",
        "lightgbm.basic.Booster": f"{_PACKAGE}.lightgbm.BoosterMaterializer",
    }
)

#: For values of this type and of its subclasses.
TYPES_WITH_SUBCLASSES = MappingProxyType(
    {
        "numpy.generic": f"{_PACKAGE}.numpy.NumpyScalarMaterializer",
        "pyarrow.lib.Array": f"{_PACKAGE}.arrow.ArrayMaterializer",
        "matplotlib.figure.Figure": f"{_PACKAGE}.matplotlib.FigureMaterializer",
        "PIL.Image.Image": f"{_PACKAGE}.pillow.ImageMaterializer",
        "sklearn.base.BaseEstimator": f"{_PACKAGE}.sklearn.EstimatorMaterializer",
        "torch.jit._script.ScriptModule": f"{_PACKAGE}.torch_programs.ScriptMaterializer",
        "torch.nn.modules.module.Module": _TORCH_OBJECT,
        "torch.optim.optimizer.Optimizer": _TORCH_OBJECT,
        "torch.optim.lr_scheduler.LRScheduler": _TORCH_OBJECT,
        "torch.utils.data.dataset.Dataset": f"{_PACKAGE}.torch.DatasetMaterializer",
        "xgboost.sklearn.XGBModel": f"{_PACKAGE}.xgboost.ModelMaterializer",
        "lightgbm.sklearn.LGBMModel": f"{_PACKAGE}.lightgbm.ModelMaterializer",
    }
)


def by_content(data: Any) -> str | None:
    """Return the materializer of containers that are more than the sum of their elements: state dicts of torch."""
    torch = sys.modules.get("torch")  # without it there are no tensors
    return _TORCH_STATE if torch is not None and _holds(data, torch.Tensor) else None


def _holds(data: Any, wanted: type) -> bool:
    """Return whether there is a value of a type anywhere in a tree of dicts, lists and tuples."""
    pending, seen = [data], set()
    while pending:
        container = pending.pop()
        kind = type(container)
        if kind is dict or kind is OrderedDict:
            elements = container.values()
        elif kind is list or kind is tuple:
            elements = container
        else:
            continue
        if id(container) in seen:  # it may hold itself
            continue
        seen.add(id(container))
        for element in elements:
            if isinstance(element, wanted):
                return True
            if type(element) in _TREE_TYPES:
                pending.append(element)
    return False
