"""Pillow: images, as the file they were read from, or else as PNG, TIFF or plain pixels, never with loss."""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

from artfs.enums import ArtifactType, VisualizationType
from artfs.errors import InvalidName, MaterializerError
from artfs.materializers.base import BaseMaterializer
from artfs.materializers.libraries import needs
from artfs.materializers.nested import load_nested, save_nested
from artfs.names import check_entry_name

with needs("pillow", extra="pillow"):
    from PIL import Image, ImageFile

_FACTS_DIRECTORY = "facts"
_LOSSLESS = (("PNG", "image.png"), ("TIFF", "image.tiff"))
_PIXELS_FILE = "pixels.bin"
_LONGEST_SHOWN_SIDE = 1024


class ImageMaterializer(BaseMaterializer):
    """Saves an image: size, mode, every pixel, palette and info come back.

    An image that was opened from a file and not changed is saved as that file, whatever its format and with all its
    frames. Any other becomes `image.png`, or `image.tiff` where PNG has no such mode, or raw pixels.
    """

    ASSOCIATED_ARTIFACT_TYPE = ArtifactType.DATA
    KNOWS_TYPE: ClassVar[bool] = True

    def save(self, data: Image.Image) -> None:
        """Write the image."""
        source = _unchanged_source(data)
        if source is not None:
            name = f"image.{(data.format or 'bin').lower()}"
            Path(self.uri, name).write_bytes(source)
            save_nested(self, _FACTS_DIRECTORY, {"file": name, "frame": data.tell(), "original": True})
            return
        palette = data.palette
        facts = {
            "mode": data.mode,
            "size": data.size,
            "info": data.info,
            "format": data.format,
            "palette": None if palette is None else (palette.mode, bytes(data.getpalette(palette.mode) or ())),
        }
        for name, content in _lossless_files(data):
            if _shows_the_same(content, data):
                Path(self.uri, name).write_bytes(content)
                break
        else:
            name = _PIXELS_FILE
            Path(self.uri, name).write_bytes(data.tobytes())
        save_nested(self, _FACTS_DIRECTORY, {**facts, "file": name, "original": False})

    def load(self, data_type: type[Any]) -> Image.Image:
        """Return the image."""
        facts = load_nested(self, _FACTS_DIRECTORY)
        content = Path(self.uri, _own_file(facts["file"])).read_bytes()
        if facts["original"]:
            original = Image.open(BytesIO(content))
            original.seek(facts["frame"])
            original.load()  # completes its info
            return original
        if facts["file"] == _PIXELS_FILE:
            image = Image.frombytes(facts["mode"], facts["size"], content)
        else:
            image = Image.open(BytesIO(content)).copy()
        if facts["palette"] is not None:
            palette_mode, palette = facts["palette"]
            image.putpalette(palette, palette_mode)
        image.info = facts["info"]
        image.format = facts["format"]
        return image

    def extract_metadata(self, data: Image.Image) -> dict[str, Any]:
        """Return size, mode, format and number of frames."""
        return {
            "width": data.width,
            "height": data.height,
            "mode": data.mode,
            "format": data.format,
            "frames": getattr(data, "n_frames", 1),
        }

    def save_visualizations(self, data: Image.Image) -> dict[str, VisualizationType]:
        """Show the image, at most 1,024 pixels wide or high."""
        if 0 in data.size:
            return {}
        try:
            shown = _displayable(data)
        except ValueError:
            return {}  # a mode that Pillow cannot turn into colours
        shown.thumbnail((_LONGEST_SHOWN_SIDE, _LONGEST_SHOWN_SIDE))
        path = self.visualization_path("image.png")
        shown.save(path)
        return {os.fspath(path): VisualizationType.IMAGE}


def _own_file(name: str) -> str:
    """Return the name of the file that the image is in: one of this version, whatever its facts say."""
    try:
        check_entry_name(os.fsencode(name))
    except InvalidName as error:
        raise MaterializerError(f"this image was not written by artfs: {error}") from error
    return name


def _unchanged_source(image: Image.Image) -> bytes | None:
    """Return the content of the file that `image` was read from, if it still shows just the same."""
    if not isinstance(image, ImageFile.ImageFile) or _is_huge(image):
        return None
    content = _source(image)
    if content is None:
        return None
    try:
        again = Image.open(BytesIO(content))
        again.seek(image.tell())
        again.load(), image.load()  # completes their info
        return content if again == image else None
    except (OSError, EOFError, ValueError, SyntaxError):
        return None  # another file by now


def _source(image: ImageFile.ImageFile) -> bytes | None:
    try:
        if image.filename:
            return Path(os.fsdecode(image.filename)).read_bytes()
        stream = image.fp
        if stream is None or stream.closed:
            return None
        position = stream.tell()
        stream.seek(0)
        content = stream.read()
        stream.seek(position)
    except (OSError, ValueError):
        return None
    return content


def _lossless_files(image: Image.Image) -> Iterator[tuple[str, bytes]]:
    """Yield file names with the image in that format, the most usual first."""
    if 0 in image.size or _is_huge(image):
        return
    plain = image.copy()
    plain.info = {}  # kept apart: writers refuse or change some of it
    for format_name, name in _LOSSLESS:
        stream = BytesIO()
        try:
            plain.save(stream, format_name)
        except (OSError, ValueError, KeyError):
            continue  # a mode that this format does not have
        yield name, stream.getvalue()


def _shows_the_same(content: bytes, image: Image.Image) -> bool:
    again = Image.open(BytesIO(content))
    return again.mode == image.mode and again.size == image.size and again.tobytes() == image.tobytes()


def _is_huge(image: Image.Image) -> bool:
    """Return whether Pillow would refuse to open a file of this size, in fear of a decompression bomb."""
    return Image.MAX_IMAGE_PIXELS is not None and image.width * image.height > Image.MAX_IMAGE_PIXELS


def _displayable(image: Image.Image) -> Image.Image:
    """Return a copy in a mode that any viewer shows; deep greys are stretched from black to white."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = image.convert("F")
        extremes: Any = values.getextrema()
        low, high = extremes
        scale = 255 / (high - low) if high > low else 0.0
        return values.point(lambda value: value * scale - low * scale).convert("L")
    premultiplied = {"La": "LA", "RGBa": "RGBA"}
    if image.mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        return image.copy()
    return image.convert(premultiplied.get(image.mode, "RGB"))
