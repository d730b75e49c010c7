"""The last resort: what no other materializer knows is pickled."""

from __future__ import annotations

import io
import json
import logging
import operator
import pickle
import platform
import sys
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import cloudpickle

from artfs.classes import MOVED, qualified_name
from artfs.enums import ArtifactType
from artfs.errors import MaterializerError, UntrustedPickle
from artfs.materializers.base import BaseMaterializer
from artfs.materializers.instances.pickled import reduced

logger = logging.getLogger(__name__)

_TRIED_UP_TO = 1 << 20
"""Bytes of a pickle that is tried out when it is saved: what makes one fail is its classes, and seldom its size."""


_HOW_ARRAYS_ARE_PICKLED = ("__reduce__", "__reduce_ex__", "__setstate__")


class Pickler(cloudpickle.Pickler):
    """Cloudpickle, but for what it loses: a memoryview stays one, an open file is refused and not turned into its text,
    a generic model of pydantic with its arguments is named by its parts, as other processes do not have it yet, and
    dataclasses, models and named tuples have their fields by name, so that a class that has lost one says so, and a
    subclass of numpy's array keeps the attributes of its instances.
    """

    def reducer_override(self, obj: Any) -> Any:
        if type(obj) is io.TextIOWrapper and obj not in (sys.stdout, sys.stderr):
            raise pickle.PicklingError(f"the open file {getattr(obj, 'name', '')!r} is in it; save its Path instead")
        if type(obj) is memoryview:
            data = obj.tobytes() if obj.readonly else bytearray(obj.tobytes())
            return _memoryview_from, (data, obj.format, obj.shape)
        if isinstance(obj, type) and (generic := vars(obj).get("__pydantic_generic_metadata__")) and generic["args"]:
            return operator.getitem, (generic["origin"], generic["args"])
        if (by_fields := reduced(obj)) is not None:
            return by_fields
        if (array := _reduced_array(obj)) is not None:
            return array
        return super().reducer_override(obj)


class Unpickler(pickle.Unpickler):
    """Finds the classes of artfs that a pickle names where an older release had them."""

    def find_class(self, module: str, name: str, /) -> Any:
        return super().find_class(MOVED.get(module, module), name)


class CloudpickleMaterializer(BaseMaterializer):
    """Any value, pickled by cloudpickle, with the version of Python beside it.

    A pickle may not load with another Python or other releases of the libraries in it, and loading one runs the code
    it names: so it is loaded only where `trusted` is set. A materializer of your own keeps values better.
    """

    ASSOCIATED_TYPES: ClassVar[tuple[type | str, ...]] = (object,)
    KNOWS_TYPE: ClassVar[bool] = True
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.BASE
    DATA_FILE: ClassVar[str] = "artifact.pkl"
    PYTHON_FILE: ClassVar[str] = "python.json"

    def save(self, data: Any) -> None:
        """Pickle `data`.

        Raises:
            MaterializerError: it cannot be pickled, or not be unpickled again; the line names its type.
        """
        path = Path(self.uri, self.DATA_FILE)
        try:
            with path.open("wb") as file:
                self.dump(data, file)
        except OSError:
            raise
        except Exception as error:  # pickling runs the value's own code, which may raise anything
            raise MaterializerError(
                f"a value of type {_culprit(data)} cannot be pickled: {error}. Write a materializer for it, or leave it"
                " out"
            ) from error
        made_by = {"python": platform.python_version(), "cloudpickle": cloudpickle.__version__}
        Path(self.uri, self.PYTHON_FILE).write_text(json.dumps(made_by) + "\n")
        if path.stat().st_size <= _TRIED_UP_TO:
            self._try_out(data, path)

    def load(self, data_type: type[Any]) -> Any:
        """Return the value.

        Raises:
            UntrustedPickle: `trusted` is not set.
            MaterializerError: it cannot be unpickled here; the line says with which Python it was made.
        """
        if not self.trusted:
            raise UntrustedPickle(
                "this value is a pickle that this catalog did not save itself, and loading it would run its code: load"
                " it as trusted only if you know who made it",
                subject=self.uri,
            )
        made_by = self._made_by()
        if _minor(made_by) != _minor(platform.python_version()):
            logger.warning(
                "this value was pickled by Python %s and is loaded by %s: it may fail or differ",
                made_by,
                platform.python_version(),
            )
        try:
            with Path(self.uri, self.DATA_FILE).open("rb") as file:
                return self.undump(file)
        except OSError:
            raise
        except Exception as error:  # unpickling runs the value's own code, which may raise anything
            raise MaterializerError(
                f"this value was pickled by Python {made_by} and cannot be loaded by {platform.python_version()}:"
                f" {type(error).__name__}: {error}. Load it with the Python and the packages it was saved with",
                subject=self.uri,
            ) from error

    def dump(self, data: Any, file: BinaryIO) -> None:
        """Write the pickle; subclasses may keep parts of the value elsewhere."""
        Pickler(file).dump(data)

    def undump(self, file: BinaryIO) -> Any:
        """Read what `dump` wrote."""
        return Unpickler(file).load()

    def _try_out(self, data: Any, path: Path) -> None:
        """Unpickle it once: some classes only find out then that they cannot, when the value may be gone."""
        try:
            with path.open("rb") as file:
                self.undump(file)
        except Exception as error:  # unpickling runs the value's own code, which may raise anything
            raise MaterializerError(
                f"a value of type {_culprit(data)} can be pickled, but not unpickled again:"
                f" {type(error).__name__}: {error}. Write a materializer for it, or give its class a __reduce__"
            ) from error

    def _made_by(self) -> str:
        try:
            return str(json.loads(Path(self.uri, self.PYTHON_FILE).read_text())["python"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise MaterializerError(
                f"{self.PYTHON_FILE} is missing or damaged in {self.uri}: this was not saved by {type(self).__name__}",
                subject=self.uri,
            ) from error


def _memoryview_from(data: bytes | bytearray, code: str, shape: tuple[int, ...]) -> memoryview[Any]:
    view = memoryview(data)
    return view.cast(code, shape) if all(shape) else view.cast(code)  # type: ignore[call-overload]


def _reduced_array(obj: object) -> tuple[Any, ...] | None:
    """How to pickle an array whose class adds attributes and leaves pickling to numpy, which forgets them."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(obj, numpy.ndarray) or not getattr(obj, "__dict__", None):
        return None
    if isinstance(obj, numpy.memmap):
        return None  # its attributes say where the file was
    kind, plain = type(obj), numpy.ndarray
    if any(getattr(kind, name) is not getattr(plain, name) for name in _HOW_ARRAYS_ARE_PICKLED):
        return None  # it sees to that itself
    make, arguments, state = obj.__reduce__()
    return make, arguments, (state, vars(obj)), None, None, _set_array


def _set_array(array: Any, states: tuple[Any, dict[str, Any]]) -> None:
    state, attributes = states
    array.__setstate__(state)
    vars(array).update(attributes)


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]


def _culprit(data: Any) -> str:
    """Return the type that cannot be pickled and unpickled: of the first such element where `data` is a list."""
    if type(data) is list:
        for element in data:
            try:
                Pickler(buffer := io.BytesIO()).dump(element)
                pickle.loads(buffer.getvalue())
            except Exception:  # noqa: BLE001 - which element raises is the answer
                return qualified_name(type(element))
    return qualified_name(type(data))
