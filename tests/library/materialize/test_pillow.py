"""Images come back with size, mode, every pixel, palette and info; those from files as those files."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from artfs.errors import MaterializerError
from support.library_cases import check_in_fresh_process, save_as_chosen, there_and_back
from support.round_trip import files

FILE_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")


def _pixels(mode: str, size: tuple[int, int]) -> Image.Image:
    length = len(Image.new(mode, size).tobytes())
    image = Image.frombytes(mode, size, np.random.default_rng(7).bytes(length))
    if mode in ("P", "PA"):
        image.putpalette(list(range(30)))
    image.info = {"dpi": (72, 72), "icc_profile": b"none", "own": {"x": (1, None)}}
    return image


def _file(file_format: str) -> bytes:
    stream = BytesIO()
    _pixels("RGB", (16, 16)).save(stream, file_format, icc_profile=None, dpi=(72, 72))
    return stream.getvalue()


def _palette_with_alpha() -> Image.Image:
    image = Image.new("P", (4, 4))
    image.putpalette([1, 2, 3, 4] * 3, "RGBA")
    return image


def _second_frame() -> Image.Image:
    frames = [Image.new("L", (8, 8), level) for level in (0, 80, 160)]
    stream = BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    image = Image.open(stream)
    image.seek(1)
    return image


def _changed_file() -> Image.Image:
    image = Image.open(BytesIO(_file("JPEG")))
    image.putpixel((0, 0), (1, 2, 3))
    return image


CASES: dict[str, Callable[[], Any]] = {
    **{f"{mode}": lambda mode=mode: _pixels(mode, (7, 5)) for mode in Image.MODES},
    **{f"file: {name}": lambda name=name: Image.open(BytesIO(_file(name))) for name in FILE_FORMATS},
    "no pixels": lambda: _pixels("RGB", (0, 3)),
    "palette with alpha": _palette_with_alpha,
    "a frame of several": _second_frame,
    "changed since it was opened": _changed_file,
}


def assert_same(one: Any, other: Any) -> None:
    one.load()
    other.load()
    assert (other.mode, other.size, other.format) == (one.mode, one.size, one.format)
    assert other.tobytes() == one.tobytes()
    assert other.info == one.info
    assert (other.palette is None) == (one.palette is None)
    if one.palette is not None:
        assert other.palette.mode == one.palette.mode
        assert other.getpalette(one.palette.mode) == one.getpalette(one.palette.mode)
    assert getattr(other, "n_frames", 1) == getattr(one, "n_frames", 1)
    assert other.tell() == one.tell()


@pytest.mark.parametrize("name", CASES)
def test_an_image_comes_back(name: str, tmp_path: Path) -> None:
    image = CASES[name]()
    assert_same(image, there_and_back(image, tmp_path))


def test_images_come_back_in_a_fresh_process(tmp_path: Path) -> None:
    check_in_fresh_process(__file__, CASES, (), tmp_path)


@pytest.mark.parametrize("name", FILE_FORMATS)
def test_an_image_from_a_file_is_saved_as_that_file(name: str, tmp_path: Path) -> None:
    source = tmp_path / f"source.{name.lower()}"
    source.write_bytes(_file(name))
    with Image.open(source) as image:
        save_as_chosen(image, tmp_path / "data")
    assert (tmp_path / "data" / f"image.{name.lower()}").read_bytes() == source.read_bytes()


def test_a_file_that_was_replaced_is_not_taken_for_the_image(tmp_path: Path) -> None:
    source = tmp_path / "source.png"
    source.write_bytes(_file("PNG"))
    with Image.open(source) as image:
        image.load()
        Image.new("RGB", (16, 16)).save(source)
        assert_same(image, there_and_back(image, tmp_path))


def test_a_picture_becomes_a_png_file(tmp_path: Path) -> None:
    save_as_chosen(_pixels("RGBA", (7, 5)), tmp_path / "data")
    assert files(tmp_path / "data") == ["facts/data.json", "image.png"]


def test_an_image_that_pillow_would_not_open_again_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    image = _pixels("RGB", (7, 5))
    assert_same(image, there_and_back(image, tmp_path))


def test_no_file_outside_of_the_version_is_read(tmp_path: Path) -> None:
    saver = save_as_chosen(_pixels("RGB", (7, 5)), tmp_path / "data")
    facts = tmp_path / "data" / "facts" / "data.json"
    (tmp_path / "image.png").write_bytes(_file("PNG"))
    facts.write_text(facts.read_text().replace('"image.png"', '"../image.png"'))
    with pytest.raises(MaterializerError, match="was not written by artfs"):
        saver.load(Image.Image)


def test_metadata_and_picture_of_an_image(tmp_path: Path) -> None:
    image = Image.fromarray(np.linspace(0, 1e6, 3000, dtype="f4").reshape(2, 1500))
    saver = save_as_chosen(image, tmp_path / "data")
    saver.visualizations_dir = str(tmp_path / "shown")
    facts = {"width": 1500, "height": 2, "mode": "F", "format": None, "frames": 1}
    assert saver.extract_metadata(image) == facts
    [path] = saver.save_visualizations(image)
    with Image.open(path) as shown:
        assert shown.width == 1024
        assert shown.getextrema()[1] > 250
