"""Figures of matplotlib are pictures in any program, and figures again when they are loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure
from PIL import Image

import artfs
from artfs.client import Client
from artfs.errors import UntrustedPickle
from support.library_cases import save_as_chosen, there_and_back
from support.round_trip import files

mpl.use("Agg")


def _figure() -> Figure:
    figure = Figure(figsize=(4, 3), dpi=50)
    axes = figure.add_subplot()
    axes.plot([1, 2, 3], [3, 1, 2], label="loss")
    axes.set_title("Loss")
    return figure


def _pixels(figure: Any, path: Path) -> np.ndarray:
    figure.savefig(path, format="png")
    return np.asarray(Image.open(path))


def test_a_figure_is_pictures_and_comes_back(tmp_path: Path) -> None:
    loaded = there_and_back(_figure(), tmp_path / "it", trusted=True)
    assert files(tmp_path / "it" / "data") == ["figure.pkl", "figure.png", "figure.svg", "python.json"]
    kept = np.asarray(Image.open(tmp_path / "it" / "data" / "figure.png"))
    assert kept.shape == (150, 200, 4)
    assert (kept == _pixels(loaded, tmp_path / "again.png")).all()
    assert loaded.axes[0].lines[0].get_label() == "loss"
    assert (tmp_path / "it" / "data" / "figure.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize("name", ["figure.png", "figure.svg"])
def test_equal_figures_have_equal_pictures(tmp_path: Path, name: str) -> None:
    for folder in ("first", "second"):
        save_as_chosen(_figure(), tmp_path / folder)
    first, second = ((tmp_path / folder / name).read_bytes() for folder in ("first", "second"))
    assert first == second


def test_a_figure_of_pyplot_is_shown_once_and_has_a_picture(home: Path) -> None:
    figure, (left, right) = pyplot.subplots(1, 2)
    left.bar(["a"], [1])
    right.imshow(np.eye(3))
    try:
        artfs.save_artifact(figure, "figure")
        assert pyplot.get_fignums() == [figure.number]
    finally:
        pyplot.close("all")
    version = Client().get_artifact_version("figure")
    assert [each.kind for each in Client().workspace.catalog.visualizations.list(version.row.id)] == ["image"]
    assert version.type == "DataAnalysisArtifact"


def test_figures_among_other_values_are_pictures_too(home: Path) -> None:
    artfs.save_artifact({"loss": _figure(), "n": 3}, "report")
    names = [str(path.relative_to(home)) for path in home.rglob("*.png")]
    assert any(name.endswith("items/loss/figure.png") for name in names)
    assert artfs.load_artifact("report")["loss"].axes[0].get_title() == "Loss"


def test_a_figure_of_somebody_else_is_not_unpickled(tmp_path: Path) -> None:
    with pytest.raises(UntrustedPickle):
        there_and_back(_figure(), tmp_path)


@pytest.mark.parametrize("is_of_pyplot", [False, True])
def test_a_resolution_that_was_set_later_is_kept(home: Path, is_of_pyplot: bool) -> None:
    figure = pyplot.figure() if is_of_pyplot else _figure()
    figure.set_dpi(30)
    figure.set_size_inches(2, 1)
    try:
        artfs.save_artifact(figure, "figure")
        artfs.save_artifact([figure], "figures")
        for loaded in (artfs.load_artifact("figure"), artfs.load_artifact("figures")[0]):
            assert (loaded.dpi, [*loaded.get_size_inches()]) == (30, [2, 1])
            assert loaded.canvas.get_width_height() == (60, 30)
    finally:
        pyplot.close("all")
