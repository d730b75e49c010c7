"""Sparse matrices and arrays come back as the class and format they were."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from artfs.errors import MaterializerError
from support.library_cases import check_in_fresh_process, save_as_chosen, there_and_back
from support.round_trip import files

FORMATS = ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")


def _sparse(form: str, kind: str, dtype: str) -> Any:
    return getattr(sparse, f"{form}_{kind}")(np.array([[0, 1, 0], [1, 0, 0]], dtype=dtype))


CASES: dict[str, Callable[[], Any]] = {
    **{
        f"{form} {kind} of {dtype}": lambda form=form, kind=kind, dtype=dtype: _sparse(form, kind, dtype)
        for form in FORMATS
        for kind in ("matrix", "array")
        for dtype in ("f4", "?")
    },
    "complex": lambda: _sparse("csr", "array", "c16"),
    "one dimension": lambda: sparse.csr_array(np.array([1, 0, 2])),
    "one dimension of keys": lambda: sparse.dok_array(np.array([1, 0, 2])),
    "three dimensions": lambda: sparse.coo_array(np.arange(8).reshape(2, 2, 2)),
    "no rows": lambda: sparse.csr_matrix((0, 3)),
    "zeros that are stored": lambda: sparse.csr_array((np.array([0.0, 1.0]), np.array([0, 1]), np.array([0, 2]))),
    "places given twice": lambda: sparse.coo_array((np.array([1, 2]), (np.array([0, 0]), np.array([1, 1])))),
}


def assert_same(one: Any, other: Any) -> None:
    assert type(other) is type(one)
    assert (other.shape, other.dtype, other.format, other.nnz) == (one.shape, one.dtype, one.format, one.nnz)
    assert np.array_equal(other.toarray(), one.toarray())


@pytest.mark.parametrize("name", CASES)
def test_a_value_comes_back(name: str, tmp_path: Path) -> None:
    value = CASES[name]()
    assert_same(value, there_and_back(value, tmp_path))


def test_values_come_back_in_a_fresh_process(tmp_path: Path) -> None:
    check_in_fresh_process(__file__, CASES, (), tmp_path)


def test_the_file_is_one_that_scipy_and_numpy_read_without_pickle(tmp_path: Path) -> None:
    matrix = _sparse("csr", "matrix", "f8")
    save_as_chosen(matrix, tmp_path / "data")
    assert files(tmp_path / "data") == ["sparse.json", "sparse.npz"]
    assert_same(matrix, sparse.load_npz(tmp_path / "data" / "sparse.npz"))
    with np.load(tmp_path / "data" / "sparse.npz", allow_pickle=False) as parts:
        assert parts["data"].tolist() == [1.0, 1.0]


def test_a_matrix_of_objects_is_never_hidden_in_an_npz_file(tmp_path: Path) -> None:
    matrix = _sparse("csr", "matrix", "f8")
    matrix.data = np.array([{}, None], dtype=object)  # what older releases let one make
    with pytest.raises(MaterializerError, match="Python objects"):
        save_as_chosen(matrix, tmp_path / "data")


def test_metadata_of_a_matrix(tmp_path: Path) -> None:
    matrix = _sparse("csc", "array", "f4")
    facts = save_as_chosen(matrix, tmp_path / "data").extract_metadata(matrix)
    assert facts == {"shape": (2, 3), "dtype": "float32", "format": "csc", "stored_values": 2, "density": 1 / 3}
