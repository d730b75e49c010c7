"""matplotlib: figures as pictures that everybody can look at, and as the figure itself beside them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from artfs.enums import ArtifactType, VisualizationType
from artfs.materializers.libraries import needs
from artfs.materializers.pickle import CloudpickleMaterializer, Pickler

with needs("matplotlib", extra="matplotlib"):
    import matplotlib as mpl
    from matplotlib.figure import Figure


class _FigurePickler(Pickler):
    """Keeps a resolution that was set later: matplotlib pickles the one that the figure was made with."""

    def reducer_override(self, obj: Any) -> Any:
        reduced: Any = obj.__reduce_ex__(2) if isinstance(obj, Figure) else ()
        if len(reduced) > 2 and isinstance(state := reduced[2], dict) and "_dpi" in state:
            made, arguments, _, *rest = reduced
            dpi = obj.dpi / obj.canvas.device_pixel_ratio  # which a window multiplies it by
            return made, arguments, {**state, "_dpi": dpi, "_original_dpi": dpi}, *rest
        return super().reducer_override(obj)


class FigureMaterializer(CloudpickleMaterializer):
    """Saves a figure as `figure.png` and `figure.svg`, and pickled, so that it can be changed."""

    SKIP_REGISTRATION = True
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.DATA_ANALYSIS
    DATA_FILE: ClassVar[str] = "figure.pkl"

    def dump(self, data: Any, file: BinaryIO) -> None:
        """Write the pictures and the pickle."""
        with mpl.rc_context({"svg.hashsalt": "artfs"}):  # and no date, so that equal figures are equal pictures
            data.savefig(Path(self.uri, "figure.png"))
            data.savefig(Path(self.uri, "figure.svg"), metadata={"Date": None})
        _FigurePickler(file).dump(data)

    def extract_metadata(self, data: Figure) -> dict[str, Any]:
        """Return size, resolution, titles and matplotlib's version."""
        titles = [title for axes in data.axes if (title := axes.get_title())]
        return {
            "width_inches": float(data.get_figwidth()),
            "height_inches": float(data.get_figheight()),
            "dpi": float(data.dpi),
            "axes": len(data.axes),
            "titles": titles,
            "matplotlib_version": mpl.__version__,
        }

    def save_visualizations(self, data: Figure) -> dict[str, VisualizationType]:
        """Show the figure."""
        return {os.path.join(self.uri, "figure.png"): VisualizationType.IMAGE}

    def _try_out(self, data: Any, path: Path) -> None:
        """Nothing: a figure of pyplot that is unpickled is one more that pyplot shows."""
