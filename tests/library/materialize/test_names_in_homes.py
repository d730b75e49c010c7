"""Names of artfs's own classes that homes of older releases hold: they are found for ever, wherever the classes are
now."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from artfs.catalog.catalog import Catalog
from artfs.classes import MOVED, find_by_name
from artfs.materializers import CloudpickleMaterializer, DataclassMaterializer, builtin
from artfs.pipelines import ArtifactConfig, CachePolicy
from support.older import SCHEMAS, older_home

POLICY = CachePolicy(expires=60.0, files=("data.csv",))
SAVED_AS = {
    "$dataclass": {
        "class": "artfs.pipelines.config.CachePolicy",
        "fields": {"expires": 60.0, "files": {"$tuple": ["data.csv"]}, "environment": {"$tuple": []}, "code": True},
    }
}
PICKLED_AS = (
    b"\x80\x05\x95\x89\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x16artfs.pipelines.config\x94\x8c\x0bCachePolicy\x94\x93\x94)\x81"
    b"\x94}\x94(\x8c\x07expires\x94G@N\x00\x00\x00\x00\x00\x00\x8c\x05files\x94\x8c\x08data.csv\x94\x85\x94\x8c\x0benvironment"
    b"\x94)\x8c\x04code\x94\x88ubh\x01\x8c\x0eArtifactConfig\x94\x93\x94s."
)

# Every version has the name of its materializer in its row: none of these may ever move without an entry in `MOVED`.
MATERIALIZERS = frozenset(
    f"artfs.materializers.{name}Materializer"
    for name in (
        *("arrow.Array", "arrow.Schema", "arrow.Table", "containers.Container", "lightgbm.Booster", "lightgbm.Model"),
        "matplotlib.Figure",
        *("models.Dataclass", "models.Pydantic", "numpy.NumpyArray", "numpy.NumpyMaskedArray", "numpy.NumpyScalar"),
        *("pandas.Array", "pandas.DataFrame", "pandas.Index", "pandas.Scalar", "pandas.Series", "paths.Path"),
        *("paths.PreexistingData", "pickle.Cloudpickle", "pillow.Image", "plain.Bytes", "plain.Plain"),
        *("polars.DataFrame", "polars.LazyFrame", "polars.Series", "scipy.Sparse", "sklearn.Estimator"),
        *("strings.StructuredString", "torch.Dataset", "torch.StateDict", "torch.Tensor", "torch.TorchObject"),
        *("torch_programs.ExportedProgram", "torch_programs.Script"),
        *("xgboost.Booster", "xgboost.DMatrix", "xgboost.Model"),
    )
)


@pytest.mark.parametrize("name", sorted(MATERIALIZERS))
def test_a_materializer_keeps_its_name(name: str) -> None:
    assert find_by_name(name).__name__ == name.rpartition(".")[2]


def test_what_saves_values_now_is_among_them() -> None:
    saving = {*builtin.EXACT_TYPES.values(), *builtin.TYPES_WITH_SUBCLASSES.values(), *builtin.INLINE, builtin.FALLBACK}
    assert saving - MATERIALIZERS == set()


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_names_in_the_catalog_of_an_older_release_are_found(schema: int, tmp_path: Path) -> None:
    path = older_home(schema, tmp_path) / "catalog.db"
    with Catalog.open(f"sqlite://{path}", begin=False) as catalog:
        names = {name for name in catalog.class_names.of_versions() if name.startswith("artfs.")}
    assert "artfs.materializers.numpy.NumpyArrayMaterializer" in names
    for name in names:
        find_by_name(name)


@pytest.mark.parametrize("module", sorted(MOVED))
def test_a_class_that_moved_is_found_by_its_old_name(module: str) -> None:
    examples = {
        "artfs.pages": "Page",
        "artfs.pipelines.config": "CachePolicy",
        "artfs.pipelines.context": "StepContext",
        "artfs.pipelines.step": "Step",
    }
    assert find_by_name(f"{module}.{examples[module]}").__module__ == MOVED[module]


def test_a_value_is_loaded_whose_class_moved(tmp_path: Path) -> None:
    materializer = DataclassMaterializer(str(tmp_path))
    materializer.save(POLICY)
    (saved,) = tmp_path.glob("*.json")
    present = json.loads(json.dumps(SAVED_AS).replace("artfs.pipelines.config", CachePolicy.__module__))
    assert json.loads(saved.read_text()) == {"$dataclass": {**present["$dataclass"], "unlike": []}}
    saved.write_text(json.dumps(SAVED_AS))
    materializer.trusted = True
    assert materializer.load(CachePolicy) == POLICY


def test_a_pickle_is_loaded_whose_classes_moved(tmp_path: Path) -> None:
    materializer = CloudpickleMaterializer(str(tmp_path))
    materializer.save({POLICY: ArtifactConfig})
    (tmp_path / materializer.DATA_FILE).write_bytes(PICKLED_AS)
    materializer.trusted = True
    assert materializer.load(dict) == {POLICY: ArtifactConfig}
