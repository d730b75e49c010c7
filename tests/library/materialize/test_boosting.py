"""XGBoost and LightGBM models come back in full from the libraries' own formats."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost

from artfs.errors import MaterializerError, UntrustedPickle
from support.library_cases import check_in_fresh_process, save_as_chosen, there_and_back
from support.round_trip import files

X = np.random.default_rng(7).random((60, 4))
Y = (X[:, 0] > 0.5).astype(int)
FRAME = pd.DataFrame({"kind": pd.Categorical(["x", "y"] * 30), "value": X[:, 0]})
TREES = {"n_estimators": 3, "max_depth": 2, "n_jobs": 1}
QUIET = {**TREES, "verbose": -1}


def _gradient(labels: Any, predictions: Any) -> Any:
    return predictions - labels, np.ones_like(predictions)


def _xgboost_booster() -> xgboost.Booster:
    booster = xgboost.train({"eta": 0.5, "max_depth": 2}, xgboost.DMatrix(X, label=Y), 3)
    booster.set_attr(author="a test")
    booster.remark = {"x": (1,)}
    return booster


def _lightgbm_booster() -> lightgbm.Booster:
    booster = lightgbm.train({"verbose": -1, "num_leaves": 5}, lightgbm.Dataset(X, label=Y), 4)
    booster.best_iteration = 2
    return booster


XGBOOST: dict[str, Callable[[], Any]] = {
    "xgboost booster": _xgboost_booster,
    "xgboost classifier": lambda: xgboost.XGBClassifier(**TREES, early_stopping_rounds=2, eval_metric="logloss").fit(
        X, Y, eval_set=[(X, Y)], verbose=False
    ),
    "xgboost regressor": lambda: xgboost.XGBRegressor(**TREES, learning_rate=0.3).fit(X, Y),
    "xgboost linear": lambda: xgboost.XGBRegressor(booster="gblinear", updater="coord_descent", n_jobs=1).fit(X, Y),
    "xgboost ranker": lambda: xgboost.XGBRanker(**TREES).fit(X, Y, qid=np.zeros(60, int)),
    "xgboost with categories": lambda: xgboost.XGBClassifier(**TREES, enable_categorical=True).fit(FRAME, Y),
    "xgboost, not fitted": lambda: xgboost.XGBClassifier(n_estimators=7, missing=-1.0, unknown_to_it=1),
}
LIGHTGBM: dict[str, Callable[[], Any]] = {
    "lightgbm booster": _lightgbm_booster,
    "lightgbm classifier": lambda: lightgbm.LGBMClassifier(**QUIET).fit(X, Y, eval_X=X, eval_y=Y),
    "lightgbm classifier of texts": lambda: lightgbm.LGBMClassifier(**QUIET, class_weight="balanced").fit(
        X, np.array(["no", "yes"])[Y]
    ),
    "lightgbm regressor": lambda: lightgbm.LGBMRegressor(**QUIET).fit(pd.DataFrame(X, columns=list("abcd")), Y),
    "lightgbm ranker": lambda: lightgbm.LGBMRanker(**QUIET).fit(X, Y, group=[60]),
    "lightgbm with categories": lambda: lightgbm.LGBMClassifier(**QUIET).fit(FRAME, Y),
    "lightgbm, not fitted": lambda: lightgbm.LGBMClassifier(num_leaves=7, unknown_to_it=1),
}
FUNCTIONS: dict[str, Callable[[], Any]] = {
    "xgboost with a function": lambda: xgboost.XGBRegressor(**TREES, objective=_gradient).fit(X, Y),
    "lightgbm with a function": lambda: lightgbm.LGBMRegressor(**QUIET, objective=_gradient).fit(X, Y),
}
CASES = {**XGBOOST, **LIGHTGBM, **FUNCTIONS}


def _predictions(model: Any) -> Any:
    names = getattr(model, "feature_names_in_", None) if not isinstance(model, lightgbm.Booster) else None
    if isinstance(model, xgboost.Booster):
        return model.predict(xgboost.DMatrix(X))
    if names is not None and list(names) == ["kind", "value"]:
        return model.predict(FRAME)
    return model.predict(X if names is None or "a" not in names else pd.DataFrame(X, columns=list("abcd")))


def assert_same(one: Any, other: Any) -> None:
    assert type(other) is type(one)
    assert set(vars(other)) == set(vars(one))
    if isinstance(one, xgboost.XGBModel | lightgbm.LGBMModel):
        parameters = {name: value for name, value in one.get_params().items() if not callable(value)}
        assert repr({name: other.get_params()[name] for name in parameters}) == repr(parameters)
        if vars(one).get("_Booster") is None:
            return
        xgboost_booster = isinstance(one, xgboost.XGBModel)
        assert_same(*((model.get_booster() if xgboost_booster else model.booster_) for model in (one, other)))
        if hasattr(one, "classes_"):
            assert np.array_equal(other.classes_, one.classes_)
        assert np.array_equal(_predictions(other), _predictions(one))
        results = "evals_result_" if hasattr(one, "evals_result_") else "_evals_result"
        assert repr(getattr(other, results, None)) == repr(getattr(one, results, None))
    elif isinstance(one, xgboost.Booster):
        assert other.save_raw("ubj") == one.save_raw("ubj")
        assert other.save_config() == one.save_config()
        assert other.attributes() == one.attributes()
        assert (other.feature_names, other.feature_types) == (one.feature_names, one.feature_types)
    else:
        assert other.model_to_string() == one.model_to_string()
        assert (other.params, other.best_iteration) == (one.params, one.best_iteration)
        assert repr(other.best_score) == repr(one.best_score)
        assert other.pandas_categorical == one.pandas_categorical


@pytest.mark.parametrize("name", CASES)
def test_a_model_comes_back(name: str, tmp_path: Path) -> None:
    value = CASES[name]()
    assert_same(value, there_and_back(value, tmp_path, trusted=name in FUNCTIONS))
    if name not in FUNCTIONS:
        assert not [path for path in files(tmp_path) if path.endswith(".pkl")]


def test_models_come_back_in_a_fresh_process(tmp_path: Path) -> None:
    check_in_fresh_process(__file__, {**XGBOOST, **LIGHTGBM}, (), tmp_path)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_pickled_and_load_only_with_trust(name: str, tmp_path: Path) -> None:
    with pytest.raises(UntrustedPickle):
        there_and_back(CASES[name](), tmp_path)


def test_a_model_of_a_local_class_is_pickled_with_its_class(tmp_path: Path) -> None:
    class Own(xgboost.XGBRegressor):
        pass

    model = Own(**TREES).fit(X, Y)
    loaded = there_and_back(model, tmp_path, trusted=True)
    assert (type(loaded), type(loaded).__name__) == (Own, "Own")
    assert np.array_equal(loaded.predict(X), model.predict(X))


def test_the_files_are_those_of_the_libraries(tmp_path: Path) -> None:
    save_as_chosen(_xgboost_booster(), tmp_path / "x")
    save_as_chosen(_lightgbm_booster(), tmp_path / "l")
    read = xgboost.Booster(model_file=tmp_path / "x" / "model.ubj")
    assert np.array_equal(_predictions(read), _predictions(_xgboost_booster()))
    read = lightgbm.Booster(model_file=tmp_path / "l" / "model.txt")
    assert read.num_trees() == 4


def test_training_goes_on_with_a_loaded_booster(tmp_path: Path) -> None:
    loaded = there_and_back(_xgboost_booster(), tmp_path)
    more = xgboost.train({"eta": 0.5}, xgboost.DMatrix(X, label=Y), 2, xgb_model=loaded)
    assert more.num_boosted_rounds() == 5


def test_a_data_matrix_comes_back(tmp_path: Path) -> None:
    matrix = xgboost.DMatrix(X, label=Y, weight=np.arange(60), feature_names=list("abcd"), missing=-1.0)
    loaded = there_and_back(matrix, tmp_path)
    assert (loaded.get_data() != matrix.get_data()).nnz == 0
    assert np.array_equal(loaded.get_label(), matrix.get_label())
    assert np.array_equal(loaded.get_weight(), matrix.get_weight())
    assert (loaded.feature_names, loaded.missing) == (matrix.feature_names, matrix.missing)


def test_an_untrained_booster_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(MaterializerError, match="train it first") as raised:
        save_as_chosen(xgboost.Booster({"eta": 0.1}), tmp_path / "data")
    assert "\n" not in str(raised.value)


def test_metadata_of_models(tmp_path: Path) -> None:
    model = XGBOOST["xgboost regressor"]()
    facts = save_as_chosen(model, tmp_path / "x").extract_metadata(model)
    assert (facts["rounds"], facts["features"], facts["parameters"]["max_depth"]) == (3, 4, 2)
    model = LIGHTGBM["lightgbm ranker"]()
    facts = save_as_chosen(model, tmp_path / "l").extract_metadata(model)
    assert (facts["trees"], facts["features"], facts["parameters"]["max_depth"]) == (3, 4, 2)
