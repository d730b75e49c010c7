"""SciPy: sparse matrices and arrays of all formats, as `.npz` files that scipy.sparse.load_npz reads too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from artfs.enums import ArtifactType, VisualizationType
from artfs.errors import MaterializerError
from artfs.materializers import html_page
from artfs.materializers.base import BaseMaterializer
from artfs.materializers.libraries import needs
from artfs.types import DType

with needs("scipy", extra="scipy"):
    from scipy import sparse

_DATA_FILE = "sparse.npz"
_FACTS_FILE = "sparse.json"
_SHOWN_CHARACTERS = 10_000


class SparseMaterializer(BaseMaterializer):
    """Saves a sparse matrix or array, which comes back in its own class and format.

    Dictionaries of keys and lists of lists have no file format; they are saved as coordinates and rebuilt.
    """

    ASSOCIATED_ARTIFACT_TYPE = ArtifactType.DATA
    KNOWS_TYPE: ClassVar[bool] = True

    def save(self, data: Any) -> None:
        """Write the matrix.

        Raises:
            MaterializerError: it holds Python objects, which numpy would pickle into the file.
        """
        if data.dtype.hasobject:
            raise MaterializerError("a sparse matrix of Python objects cannot be saved: convert it to a number type")
        coordinates = data.tocoo() if data.format in ("dok", "lil") else data
        sparse.save_npz(Path(self.uri, _DATA_FILE), coordinates, compressed=False)
        facts = {"format": data.format}
        if data.format == "coo":
            facts["canonical"] = bool(data.has_canonical_format)
        Path(self.uri, _FACTS_FILE).write_text(json.dumps(facts), encoding="utf-8")

    def load(self, data_type: type[Any]) -> Any:
        """Return the matrix."""
        facts = json.loads(Path(self.uri, _FACTS_FILE).read_text(encoding="utf-8"))
        matrix = sparse.load_npz(Path(self.uri, _DATA_FILE)).asformat(facts["format"])
        if facts.get("canonical"):
            matrix.has_canonical_format = True
        return matrix

    def extract_metadata(self, data: Any) -> dict[str, Any]:
        """Return shape, dtype, format, stored values and their share of all."""
        cells = 1
        for length in data.shape:
            cells *= length
        return {
            "shape": data.shape,
            "dtype": DType(data.dtype),
            "format": data.format,
            "stored_values": int(data.nnz),
            "density": data.nnz / cells if cells else 0.0,
        }

    def save_visualizations(self, data: Any) -> dict[str, VisualizationType]:
        """Show the facts and the first stored values."""
        facts = html_page.table(self.extract_metadata(data).items())
        first = html_page.preformatted(str(data)[:_SHOWN_CHARACTERS])
        return html_page.write_page(self, "sparse.html", f"Sparse {type(data).__name__}", facts, first)
