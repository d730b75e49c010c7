"""scikit-learn: estimators in the format of skops, which can be checked before anything in it runs; else pickled."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, ClassVar

from artfs.classes import qualified_name
from artfs.enums import ArtifactType, VisualizationType
from artfs.errors import MaterializerError, UntrustedPickle
from artfs.materializers.base import BaseMaterializer
from artfs.materializers.libraries import needs
from artfs.materializers.nested import is_pickled, load_pickled, save_pickled

with needs("scikit-learn and skops", extra="sklearn"):
    import sklearn
    import skops.io

_MODEL_FILE = "model.skops"
_LONGEST_PARAMETER = 200

#: Packages whose types go into a skops file. Those that skops does not trust by itself (the trees of a forest, say)
#: load from it only where the version is trusted, as a pickle would; types of other packages are pickled at once.
_KNOWN_PACKAGES = frozenset({"sklearn", "numpy", "scipy", "pandas", "builtins", "collections", "functools"})

logger = logging.getLogger(__name__)


class EstimatorMaterializer(BaseMaterializer):
    """Saves an estimator as `model.skops`, or pickled where it holds what skops cannot keep.

    What consists of types that skops trusts by itself loads without trust: linear models, scalers, pipelines of them.
    """

    ASSOCIATED_ARTIFACT_TYPE = ArtifactType.MODEL
    KNOWS_TYPE: ClassVar[bool] = True

    def save(self, data: Any) -> None:
        """Write the estimator.

        Raises:
            MaterializerError: it can be neither kept by skops nor pickled.
        """
        content = _skops_content(data)
        if content is None:
            save_pickled(self, data)
        else:
            Path(self.uri, _MODEL_FILE).write_bytes(content)

    def load(self, data_type: type[Any]) -> Any:
        """Return the estimator.

        Raises:
            UntrustedPickle: it is pickled, or has types that skops does not trust, and the version is not trusted.
        """
        if is_pickled(self):
            return load_pickled(self)
        path = Path(self.uri, _MODEL_FILE)
        untrusted = skops.io.get_untrusted_types(file=path)
        if untrusted and not self.trusted:
            raise UntrustedPickle(
                f"this estimator holds {', '.join(untrusted)}, which may run code when loaded, and this catalog did not"
                " save it itself: load it as trusted only if you know who made it",
                subject=self.uri,
            )
        try:
            return skops.io.load(path, trusted=untrusted)
        except (ImportError, AttributeError, TypeError, ValueError) as error:
            raise MaterializerError(
                f"this estimator cannot be loaded with scikit-learn {sklearn.__version__}: {error}. Load it with the"
                " release that it was saved with (metadata sklearn_version)",
                subject=self.uri,
            ) from error

    def extract_metadata(self, data: Any) -> dict[str, Any]:
        """Return the class, its parameters, the number of features it was fitted with, and the release."""
        facts: dict[str, Any] = {
            "estimator": qualified_name(type(data)),
            "parameters": {name: _short(value) for name, value in data.get_params(deep=False).items()},
            "sklearn_version": sklearn.__version__,
            "format": "pickle" if is_pickled(self) else "skops",
        }
        features = getattr(data, "n_features_in_", None)
        return facts if features is None else {**facts, "features": int(features)}

    def save_visualizations(self, data: Any) -> dict[str, VisualizationType]:
        """Show the diagram that scikit-learn draws of an estimator."""
        path = self.visualization_path("estimator.html")
        diagram = sklearn.utils.estimator_html_repr(data)
        path.write_text(f"<!DOCTYPE html>\n<meta charset='utf-8'>{diagram}", encoding="utf-8")
        return {str(path): VisualizationType.HTML}


def _skops_content(estimator: Any) -> bytes | None:
    """Return the estimator as skops keeps it, or None where it cannot, or could not load it again."""
    try:
        content: bytes = skops.io.dumps(estimator)
        untrusted = skops.io.get_untrusted_types(data=content)
        if any(name.partition(".")[0] not in _KNOWN_PACKAGES for name in untrusted):
            return None
        skops.io.loads(content, trusted=untrusted)
    except Exception as error:  # noqa: BLE001 - it meets the code of any class in the estimator
        logger.debug("skops cannot keep this %s: %s", type(estimator).__name__, error)
        return None
    return content


def _short(value: Any) -> Any:
    """Return a parameter as metadata: plain values as they are, others as a text."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    text = repr(value)
    return text if len(text) <= _LONGEST_PARAMETER else f"{text[:_LONGEST_PARAMETER]}…"
