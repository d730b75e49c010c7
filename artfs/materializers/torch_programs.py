"""PyTorch programs: TorchScript and exported programs in torch's own files, and modules with parametrizations."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, ClassVar

from artfs.classes import qualified_name
from artfs.enums import ArtifactType, VisualizationType
from artfs.errors import MaterializerError, UntrustedPickle
from artfs.materializers import html_page
from artfs.materializers.base import BaseMaterializer
from artfs.materializers.libraries import needs

with needs("torch", extra="torch"):
    import torch
    from torch.nn.utils import parametrize


class ScriptMaterializer(BaseMaterializer):
    """Saves a scripted or traced module or function as `script.pt`, which torch loads also from C++."""

    ASSOCIATED_ARTIFACT_TYPE = ArtifactType.MODEL
    KNOWS_TYPE: ClassVar[bool] = True

    def save(self, data: Any) -> None:
        """Write the file.

        Raises:
            MaterializerError: torch cannot save it.
        """
        try:
            torch.jit.save(data, str(Path(self.uri, "script.pt")))
        except RuntimeError as error:
            raise _not_saved(data, error) from error

    def load(self, data_type: type[Any]) -> Any:
        """Return the module or function, on the devices that it was on, or else on the processor.

        Raises:
            UntrustedPickle: `trusted` is not set.
        """
        _check_trusted(self)
        try:
            return torch.jit.load(str(Path(self.uri, "script.pt")))
        except RuntimeError:
            return torch.jit.load(str(Path(self.uri, "script.pt")), map_location="cpu")

    def extract_metadata(self, data: Any) -> dict[str, Any]:
        """Return the class and torch's version."""
        return _facts(data)

    def save_visualizations(self, data: Any) -> dict[str, VisualizationType]:
        """Show the code."""
        return html_page.write_page(self, "script.html", "TorchScript", html_page.preformatted(_code(data)))


class ExportedProgramMaterializer(BaseMaterializer):
    """Saves what `torch.export` gives as `program.pt2`."""

    ASSOCIATED_ARTIFACT_TYPE = ArtifactType.MODEL
    KNOWS_TYPE: ClassVar[bool] = True

    def save(self, data: Any) -> None:
        """Write the file.

        Raises:
            MaterializerError: torch cannot save it.
        """
        try:
            torch.export.save(data, str(Path(self.uri, "program.pt2")))
        except (RuntimeError, TypeError, ValueError) as error:
            raise _not_saved(data, error) from error

    def load(self, data_type: type[Any]) -> Any:
        """Return the program.

        Raises:
            UntrustedPickle: `trusted` is not set.
        """
        _check_trusted(self)
        return torch.export.load(str(Path(self.uri, "program.pt2")))

    def extract_metadata(self, data: Any) -> dict[str, Any]:
        """Return the class and torch's version."""
        return _facts(data)

    def save_visualizations(self, data: Any) -> dict[str, VisualizationType]:
        """Show the graph."""
        return html_page.write_page(self, "program.html", "Exported program", html_page.preformatted(str(data)))


def reduced(module: Any) -> tuple[Any, ...] | None:
    """Return how pickle is to keep a module that it refuses: one with parametrizations, or a script within another.

    None for all other values. Torch refuses the first because their class is made when they are parametrized; it can
    be made again. Pickles name the functions that are returned: they stay where they are.
    """
    if isinstance(module, torch.jit.ScriptModule):
        return script_from_bytes, (_script_to_bytes(module),)
    if isinstance(module, torch.nn.Module) and parametrize.is_parametrized(module) and _is_made(type(module)):
        original = type(module).__bases__[0]
        return object.__new__, (original,), dict(vars(module)), None, None, parametrized
    return None


def parametrized(module: Any, state: dict[str, Any]) -> None:
    """Give a module its state, and the parametrizations that are in it."""
    module.__setstate__(state)
    parametrize._inject_new_class(module)
    for name in module.parametrizations:
        parametrize._inject_property(module, name)


def script_from_bytes(content: bytes) -> Any:
    """Return a scripted module."""
    return torch.jit.load(io.BytesIO(content))


def _script_to_bytes(module: Any) -> bytes:
    torch.jit.save(module, buffer := io.BytesIO())
    return buffer.getvalue()


def _is_made(kind: type[Any]) -> bool:
    return kind.__module__ == parametrize.__name__ and kind.__name__.startswith("Parametrized")


def _facts(data: Any) -> dict[str, Any]:
    return {"class": qualified_name(type(data)), "torch_version": torch.__version__}


def _code(data: Any) -> str:
    try:
        return str(data.code)
    except (AttributeError, RuntimeError):  # a module without a `forward`
        return str(data)


def _check_trusted(materializer: BaseMaterializer) -> None:
    if not materializer.trusted:
        raise UntrustedPickle(
            "this value is a program that this catalog did not save itself, and to use it would run its code: load it"
            " as trusted only if you know who made it",
            subject=materializer.uri,
        )


def _not_saved(data: Any, error: Exception) -> MaterializerError:
    line = str(error).strip().split("\n", 1)[0]
    return MaterializerError(f"torch cannot save this {type(data).__name__}: {line}. Save its state_dict()")
