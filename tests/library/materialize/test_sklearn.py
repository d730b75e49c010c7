"""Estimators come back and predict the same, from skops files where skops can keep them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from artfs.enums import ArtifactType
from artfs.errors import UntrustedPickle
from support.library_cases import check_in_fresh_process, save_as_chosen, there_and_back
from support.round_trip import files

X = np.random.default_rng(7).random((50, 4))
Y = (X[:, 0] > 0.5).astype(int)


class Threshold(BaseEstimator):
    """An estimator of somebody's own."""

    def __init__(self, at: float = 0.5) -> None:
        self.at = at

    def predict(self, data: Any) -> Any:
        return data[:, 0] > self.at


#: What skops trusts by itself.
SAFE: dict[str, Callable[[], Any]] = {
    "linear": lambda: LinearRegression().fit(X, Y),
    "logistic": lambda: LogisticRegression(C=0.3).fit(X, np.array(["a", "b"])[Y]),
    "not fitted": lambda: LogisticRegression(C=0.3),
    "of a frame": lambda: LinearRegression().fit(pd.DataFrame(X, columns=list("abcd")), Y),
    "pipeline": lambda: make_pipeline(FunctionTransformer(np.log1p), StandardScaler(), SVC()).fit(X, Y),
    "columns": lambda: make_pipeline(
        ColumnTransformer([("scaled", StandardScaler(), [0, 1]), ("kept", "passthrough", [2])]), LinearRegression()
    ).fit(X, Y),
    "encoder": lambda: OneHotEncoder().fit(np.array([["a"], ["b"]])),
    "texts": lambda: TfidfVectorizer().fit(["a bb cc", "dd bb"]),
}
#: What skops keeps, and what may run code all the same.
TRUSTED: dict[str, Callable[[], Any]] = {
    "forest": lambda: RandomForestClassifier(3, random_state=0).fit(X, Y),
    "boosting": lambda: HistGradientBoostingClassifier(max_iter=2).fit(X, Y),
    "neighbours": lambda: KNeighborsClassifier(algorithm="kd_tree").fit(X, Y),
    "search": lambda: GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=2).fit(X, Y),
}
#: What skops does not keep.
PICKLED: dict[str, Callable[[], Any]] = {
    "with a function": lambda: make_pipeline(FunctionTransformer(lambda x: x * 2), LinearRegression()).fit(X, Y),
    "of one's own": lambda: Threshold(0.25),
}
CASES = {**SAFE, **TRUSTED, **PICKLED}


def assert_same(one: Any, other: Any) -> None:
    assert type(other).__qualname__ == type(one).__qualname__
    assert set(vars(other)) == set(vars(one))
    if not hasattr(one, "steps") and not isinstance(one, GridSearchCV):
        assert repr(other.get_params()) == repr(one.get_params())
    if isinstance(one, TfidfVectorizer):
        assert other.vocabulary_ == one.vocabulary_
    elif isinstance(one, OneHotEncoder):
        assert other.transform([["b"]]).toarray().tolist() == [[0, 1]]
    elif hasattr(one, "n_features_in_") or isinstance(one, Threshold):
        names = getattr(one, "feature_names_in_", None)
        data = X if names is None else pd.DataFrame(X, columns=names)
        assert np.array_equal(other.predict(data), one.predict(data))
        assert names is None or list(other.feature_names_in_) == list(names)


@pytest.mark.parametrize("name", CASES)
def test_an_estimator_comes_back(name: str, tmp_path: Path) -> None:
    value = CASES[name]()
    assert_same(value, there_and_back(value, tmp_path, trusted=name not in SAFE))
    expected = ["artifact.pkl", "python.json"] if name in PICKLED else ["model.skops"]
    assert files(tmp_path / "data") == expected


def test_estimators_come_back_in_a_fresh_process(tmp_path: Path) -> None:
    check_in_fresh_process(__file__, {**SAFE, **TRUSTED}, TRUSTED, tmp_path)


@pytest.mark.parametrize("name", [*TRUSTED, *PICKLED])
def test_what_may_run_code_does_not_load_without_trust(name: str, tmp_path: Path) -> None:
    with pytest.raises(UntrustedPickle):
        there_and_back(CASES[name](), tmp_path)


def test_metadata_and_page_of_an_estimator(tmp_path: Path) -> None:
    estimator = SAFE["logistic"]()
    saver = save_as_chosen(estimator, tmp_path / "data")
    saver.visualizations_dir = str(tmp_path / "shown")
    facts = saver.extract_metadata(estimator)
    assert facts["estimator"] == "sklearn.linear_model._logistic.LogisticRegression"
    assert (facts["parameters"]["C"], facts["features"], facts["format"]) == (0.3, 4, "skops")
    assert saver.ASSOCIATED_ARTIFACT_TYPE is ArtifactType.MODEL
    [path] = saver.save_visualizations(estimator)
    assert "LogisticRegression" in Path(path).read_text()
