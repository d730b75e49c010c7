"""LightGBM: boosters and scikit-learn style models in LightGBM's own text format."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from artfs.classes import is_importable, qualified_name, recorded_name
from artfs.enums import ArtifactType, VisualizationType
from artfs.materializers import html_page
from artfs.materializers.base import BaseMaterializer
from artfs.materializers.libraries import needs
from artfs.materializers.nested import is_pickled, load_nested, load_pickled, save_nested, save_pickled
from artfs.materializers.registry import registry

with needs("lightgbm", extra="lightgbm"):
    import lightgbm

_MODEL_FILE = "model.txt"
_STATE_DIRECTORY = "state"


class BoosterMaterializer(BaseMaterializer):
    """Saves a booster as `model.txt`, which `Booster(model_file=...)` reads. Its training data is not kept."""

    ASSOCIATED_ARTIFACT_TYPE = ArtifactType.MODEL
    KNOWS_TYPE: ClassVar[bool] = True

    def save(self, data: lightgbm.Booster) -> None:
        """Write the booster."""
        save_nested(self, _STATE_DIRECTORY, _write_booster(self, data))

    def load(self, data_type: type[Any]) -> lightgbm.Booster:
        """Return the booster.

        Raises:
            UntrustedPickle: it was trained with functions that had to be pickled, and the version is not trusted.
        """
        return _read_booster(self, load_nested(self, _STATE_DIRECTORY))

    def extract_metadata(self, data: lightgbm.Booster) -> dict[str, Any]:
        """Return the number of trees and features, the best iteration, and the release."""
        return _describe(data)

    def save_visualizations(self, data: lightgbm.Booster) -> dict[str, VisualizationType]:
        """Show which features matter."""
        return _show(self, data)


class ModelMaterializer(BaseMaterializer):
    """Saves a model of the scikit-learn interface: its booster as `model.txt`, parameters and results beside."""

    ASSOCIATED_ARTIFACT_TYPE = ArtifactType.MODEL
    KNOWS_TYPE: ClassVar[bool] = True

    def save(self, data: lightgbm.LGBMModel) -> None:
        """Write the model, fitted or not; one of a class that others cannot import is pickled with its class."""
        if not is_importable(type(data)) or type(data).__module__ == "__main__":
            save_pickled(self, data)
            return
        attributes = dict(vars(data))
        booster = attributes.pop("_Booster", None)
        state = None if booster is None else _write_booster(self, booster)
        kept = {"class": recorded_name(type(data)), "attributes": attributes, "booster": state}
        save_nested(self, _STATE_DIRECTORY, kept)

    def load(self, data_type: type[Any]) -> lightgbm.LGBMModel:
        """Return the model.

        Raises:
            UntrustedPickle: it, or its functions, had to be pickled, and the version is not trusted.
        """
        if is_pickled(self):
            return load_pickled(self)
        state = load_nested(self, _STATE_DIRECTORY)
        model: Any = object.__new__(registry.type_by_name(state["class"], trusted=self.trusted))
        vars(model).update(state["attributes"])
        vars(model)["_Booster"] = None if state["booster"] is None else _read_booster(self, state["booster"])
        return model

    def extract_metadata(self, data: lightgbm.LGBMModel) -> dict[str, Any]:
        """Return the class, the parameters that were set, and of a fitted model what its booster tells."""
        parameters = {name: value for name, value in data.get_params().items() if isinstance(value, int | float | str)}
        facts = {"estimator": qualified_name(type(data)), "parameters": parameters}
        booster = vars(data).get("_Booster")
        return facts if booster is None else {**facts, **_describe(booster)}

    def save_visualizations(self, data: lightgbm.LGBMModel) -> dict[str, VisualizationType]:
        """Show which features matter to a fitted model."""
        booster = vars(data).get("_Booster")
        return {} if booster is None else _show(self, booster)


def _write_booster(materializer: BaseMaterializer, booster: lightgbm.Booster) -> dict[str, Any]:
    """Write the model, and return what its format leaves out."""
    text = booster.model_to_string(num_iteration=-1)
    Path(materializer.uri, _MODEL_FILE).write_text(text, encoding="utf-8", newline="")
    left_out = ("_handle", "train_set", "valid_sets")
    return {name: value for name, value in vars(booster).items() if name not in left_out}


def _read_booster(materializer: BaseMaterializer, state: dict[str, Any]) -> lightgbm.Booster:
    text = Path(materializer.uri, _MODEL_FILE).read_bytes().decode()
    booster = lightgbm.Booster(model_str=text)
    vars(booster).update(state)
    return booster


def _describe(booster: lightgbm.Booster) -> dict[str, Any]:
    return {
        "trees": booster.num_trees(),
        "features": booster.num_feature(),
        "best_iteration": booster.best_iteration,
        "lightgbm_version": lightgbm.__version__,
    }


def _show(materializer: BaseMaterializer, booster: lightgbm.Booster) -> dict[str, VisualizationType]:
    gains = zip(booster.feature_name(), booster.feature_importance("gain"), strict=True)
    rows = sorted(gains, key=lambda pair: pair[1], reverse=True)
    facts = html_page.table(_describe(booster).items())
    return html_page.write_page(
        materializer, "booster.html", "LightGBM model", facts, html_page.grid(["feature", "gain"], rows)
    )
