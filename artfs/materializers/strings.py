"""Texts whose type says what they are: CSV, HTML, Markdown, JSON. They are kept as just such files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from artfs.enums import ArtifactType, VisualizationType
from artfs.errors import MaterializerError
from artfs.materializers.base import BaseMaterializer
from artfs.types import CSVString, HTMLString, JSONString, MarkdownString

_FILES: Mapping[type[str], tuple[str, VisualizationType]] = MappingProxyType(
    {
        CSVString: ("output.csv", VisualizationType.CSV),
        HTMLString: ("output.html", VisualizationType.HTML),
        MarkdownString: ("output.md", VisualizationType.MARKDOWN),
        JSONString: ("output.json", VisualizationType.JSON),
    }
)


class StructuredStringMaterializer(BaseMaterializer):
    """CSVString, HTMLString, MarkdownString and JSONString, as a UTF-8 file that holds just the text."""

    ASSOCIATED_TYPES: ClassVar[tuple[type | str, ...]] = tuple(_FILES)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.DATA_ANALYSIS

    def save(self, data: str) -> None:
        """Write the text.

        Raises:
            MaterializerError: UTF-8 cannot express it (a lone surrogate).
        """
        try:
            encoded = data.encode()
        except UnicodeEncodeError as error:
            raise MaterializerError(f"this {type(data).__name__} is no valid text: {error}") from error
        self._file(type(data)).write_bytes(encoded)

    def load(self, data_type: type[Any]) -> str:
        """Return the text as the type it was saved with."""
        text: str = data_type(self._file(data_type).read_bytes().decode())
        return text

    def save_visualizations(self, data: str) -> dict[str, VisualizationType]:
        """Show the text itself, in its format."""
        return {str(self._file(type(data))): _FILES[type(data)][1]}

    def extract_metadata(self, data: str) -> dict[str, Any]:
        """Return the number of characters as `length`."""
        return {"length": len(data)}

    def _file(self, data_type: type[Any]) -> Path:
        if data_type not in _FILES:
            raise MaterializerError(
                f"{data_type.__name__} is none of {', '.join(known.__name__ for known in _FILES)}: convert it first"
            )
        return Path(self.uri, _FILES[data_type][0])
