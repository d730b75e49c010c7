"""Values within the value that a materializer saves: each in a directory below, in the form that containers have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from artfs.materializers.base import BaseMaterializer
from artfs.materializers.json.materializer import JsonMaterializer
from artfs.materializers.pickle import CloudpickleMaterializer


class Opaque:
    """A value that is to be pickled whole, although parts of it could be saved in an open format.

    Args:
        value: anything that can be pickled.
    """

    def __init__(self, value: Any) -> None:
        self.value = value


def save_nested(parent: BaseMaterializer, directory: str, value: Any) -> None:
    """Save `value` below the parent's `uri`: as JSON where it is plain, with its own materializers, or pickled.

    Args:
        parent: the materializer that is saving.
        directory: a path below its `uri` that does not exist yet.
        value: anything.
    """
    path = Path(parent.uri, directory)
    path.mkdir(parents=True)
    JsonMaterializer(path, parent.artifact_store).save(value)


def load_nested(parent: BaseMaterializer, directory: str) -> Any:
    """Load what `save_nested` saved, with the trust that the parent has.

    Raises:
        UntrustedPickle: something in it is pickled, and the parent is not trusted.
    """
    materializer = JsonMaterializer(Path(parent.uri, directory), parent.artifact_store)
    materializer.trusted = parent.trusted
    return materializer.load(object)


def save_pickled(parent: BaseMaterializer, data: Any) -> None:
    """Pickle `data` as the whole content of the parent's `uri`, where no open format can keep it.

    Raises:
        MaterializerError: it cannot be pickled.
    """
    _pickler(parent).save(data)


def load_pickled(parent: BaseMaterializer) -> Any:
    """Load what `save_pickled` saved.

    Raises:
        UntrustedPickle: the parent is not trusted.
    """
    return _pickler(parent).load(object)


def is_pickled(parent: BaseMaterializer) -> bool:
    """Return whether `save_pickled` made what lies in the parent's `uri`."""
    return Path(parent.uri, CloudpickleMaterializer.DATA_FILE).exists()


def _pickler(parent: BaseMaterializer) -> CloudpickleMaterializer:
    materializer = CloudpickleMaterializer(parent.uri, parent.artifact_store)
    materializer.trusted = parent.trusted
    return materializer
