"""XGBoost: boosters and scikit-learn style models in XGBoost's own model format, and its data matrices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from artfs.classes import is_importable, qualified_name, recorded_name
from artfs.enums import ArtifactType, VisualizationType
from artfs.errors import MaterializerError
from artfs.materializers import html_page
from artfs.materializers.base import BaseMaterializer
from artfs.materializers.libraries import needs
from artfs.materializers.nested import is_pickled, load_nested, load_pickled, save_nested, save_pickled
from artfs.materializers.registry import registry

with needs("xgboost", extra="xgboost"):
    import xgboost

_MODEL_FILE = "model.ubj"
_CONFIG_FILE = "config.json"
_MATRIX_FILE = "matrix.bin"
_STATE_DIRECTORY = "state"


class BoosterMaterializer(BaseMaterializer):
    """Saves a booster as `model.ubj`, which `Booster.load_model` reads, with its training parameters beside."""

    ASSOCIATED_ARTIFACT_TYPE = ArtifactType.MODEL
    KNOWS_TYPE: ClassVar[bool] = True

    def save(self, data: xgboost.Booster) -> None:
        """Write the booster."""
        _write_booster(self, data)
        save_nested(self, _STATE_DIRECTORY, _state(data, without="handle"))

    def load(self, data_type: type[Any]) -> xgboost.Booster:
        """Return the booster.

        Raises:
            UntrustedPickle: somebody set attributes on it that had to be pickled, and the version is not trusted.
        """
        booster = _read_booster(self)
        vars(booster).update(load_nested(self, _STATE_DIRECTORY))
        return booster

    def extract_metadata(self, data: xgboost.Booster) -> dict[str, Any]:
        """Return the number of rounds and features, and the release."""
        return _describe(data)

    def save_visualizations(self, data: xgboost.Booster) -> dict[str, VisualizationType]:
        """Show which features matter."""
        return _show(self, data)


class ModelMaterializer(BaseMaterializer):
    """Saves a model of the scikit-learn interface: its booster as `model.ubj`, parameters and results beside."""

    ASSOCIATED_ARTIFACT_TYPE = ArtifactType.MODEL
    KNOWS_TYPE: ClassVar[bool] = True

    def save(self, data: xgboost.XGBModel) -> None:
        """Write the model, fitted or not; one of a class that others cannot import is pickled with its class."""
        if not is_importable(type(data)) or type(data).__module__ == "__main__":
            save_pickled(self, data)
            return
        booster = vars(data).get("_Booster")
        if booster is not None:
            _write_booster(self, booster)
        attributes = _state(data, without="_Booster")
        save_nested(self, _STATE_DIRECTORY, {"class": recorded_name(type(data)), "attributes": attributes})

    def load(self, data_type: type[Any]) -> xgboost.XGBModel:
        """Return the model.

        Raises:
            UntrustedPickle: it, or its callbacks or functions, had to be pickled, and the version is not trusted.
        """
        if is_pickled(self):
            return load_pickled(self)
        state = load_nested(self, _STATE_DIRECTORY)
        model: Any = object.__new__(registry.type_by_name(state["class"], trusted=self.trusted))
        vars(model).update(state["attributes"])
        if Path(self.uri, _MODEL_FILE).exists():
            model._Booster = _read_booster(self)
        return model

    def extract_metadata(self, data: xgboost.XGBModel) -> dict[str, Any]:
        """Return the class, the parameters that were set, and of a fitted model what its booster tells."""
        plain = ((name, value) for name, value in data.get_params().items() if isinstance(value, int | float | str))
        parameters = {name: value for name, value in plain if value == value}  # `missing` is NaN unless set
        facts = {"estimator": qualified_name(type(data)), "parameters": parameters}
        return {**facts, **(_describe(data.get_booster()) if "_Booster" in vars(data) else {})}

    def save_visualizations(self, data: xgboost.XGBModel) -> dict[str, VisualizationType]:
        """Show which features matter to a fitted model."""
        return _show(self, data.get_booster()) if "_Booster" in vars(data) else {}


class DMatrixMaterializer(BaseMaterializer):
    """Saves a data matrix in XGBoost's binary format: data, labels, weights, and names and types of the features."""

    ASSOCIATED_ARTIFACT_TYPE = ArtifactType.DATA
    KNOWS_TYPE: ClassVar[bool] = True

    def save(self, data: xgboost.DMatrix) -> None:
        """Write the matrix."""
        data.save_binary(Path(self.uri, _MATRIX_FILE))
        save_nested(self, _STATE_DIRECTORY, _state(data, without="handle"))

    def load(self, data_type: type[Any]) -> xgboost.DMatrix:
        """Return the matrix."""
        matrix = xgboost.DMatrix(str(Path(self.uri, _MATRIX_FILE)))
        vars(matrix).update(load_nested(self, _STATE_DIRECTORY))
        return matrix

    def extract_metadata(self, data: xgboost.DMatrix) -> dict[str, Any]:
        """Return rows and columns."""
        return {"shape": (data.num_row(), data.num_col()), "rows": data.num_row(), "columns": data.num_col()}


def _write_booster(materializer: BaseMaterializer, booster: xgboost.Booster) -> None:
    try:
        model, config = booster.save_raw("ubj"), booster.save_config()
    except xgboost.core.XGBoostError as error:
        first_line = str(error).partition("\n")[0]
        raise MaterializerError(
            f"this Booster cannot be saved; if it was never trained, train it first ({first_line})"
        ) from error
    Path(materializer.uri, _MODEL_FILE).write_bytes(model)
    Path(materializer.uri, _CONFIG_FILE).write_text(config, encoding="utf-8")


def _read_booster(materializer: BaseMaterializer) -> xgboost.Booster:
    booster = xgboost.Booster()
    booster.load_model(bytearray(Path(materializer.uri, _MODEL_FILE).read_bytes()))
    # After the model: it brings back what the model's format leaves out, such as the learning rate.
    booster.load_config(Path(materializer.uri, _CONFIG_FILE).read_text(encoding="utf-8"))
    return booster


def _state(thing: Any, *, without: str) -> dict[str, Any]:
    return {name: value for name, value in vars(thing).items() if name != without}


def _describe(booster: xgboost.Booster) -> dict[str, Any]:
    return {
        "rounds": booster.num_boosted_rounds(),
        "features": booster.num_features(),
        "xgboost_version": xgboost.__version__,
    }


def _show(materializer: BaseMaterializer, booster: xgboost.Booster) -> dict[str, VisualizationType]:
    is_linear = json.loads(booster.save_config())["learner"]["gradient_booster"]["name"] == "gblinear"
    gains = {} if is_linear else booster.get_score(importance_type="gain")  # linear models have no gains
    rows = sorted(gains.items(), key=lambda pair: pair[1], reverse=True)
    facts = html_page.table(_describe(booster).items())
    return html_page.write_page(
        materializer, "booster.html", "XGBoost model", facts, html_page.grid(["feature", "gain"], rows)
    )
