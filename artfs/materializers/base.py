"""The base class of materializers: what turns a Python value into the files of a version, and back.

A materializer is short-lived: it is made for one directory (`uri`), saves or loads one value, and is thrown away.

    class ThingMaterializer(BaseMaterializer):
        ASSOCIATED_TYPES = (Thing,)
        ASSOCIATED_ARTIFACT_TYPE = ArtifactType.DATA

        def save(self, data: Thing) -> None:
            Path(self.uri, "thing.txt").write_text(data.text)

        def load(self, data_type: type[Thing]) -> Thing:
            return data_type(Path(self.uri, "thing.txt").read_text())

Defining the class is all that is needed: from then on values of `Thing` and of its subclasses are saved with it.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from artfs.classes import qualified_name
from artfs.content.files import walk_files
from artfs.content.long_paths import lstat
from artfs.enums import ArtifactType, VisualizationType
from artfs.errors import InvalidValue
from artfs.materializers import builtin
from artfs.types import StorageSize


class BaseMaterializer(ABC):
    """Saves values of its associated types below `uri` and loads them from there.

    Args:
        uri: a directory. For `save` it is fresh and writable; for `load` it holds the files of the version, already
            checked against their digests. Those files may share their bytes with the store: never write to them.
        artifact_store: the store that the version belongs to, for materializers that reach it through its own
            `open` or `makedirs`; None where there is none. The built-in ones use plain files below `uri`.
    """

    #: Types whose values this class handles, subclasses included: classes, or their names as
    #: "module.QualName" where `module` is the class's own `__module__` ("pandas.core.frame.DataFrame"), so that a
    #: heavy library need not be imported to be supported.
    ASSOCIATED_TYPES: ClassVar[tuple[type | str, ...]] = ()
    #: The type that a version gets when none is asked for.
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.BASE
    #: Set in the class's own body to keep it out of the automatic choice. Subclasses do not inherit it.
    SKIP_REGISTRATION: ClassVar[bool] = False
    #: Whether the files say themselves what type the value is, so that `load` takes any `data_type`, also `object`.
    KNOWS_TYPE: ClassVar[bool] = False

    #: Whether what lies in `uri` was made by this catalog's own save or step. Set by whoever loads; where it is
    #: False, nothing may be loaded that could run code (see artfs.errors.UntrustedPickle).
    trusted: bool = False
    #: The directory for `save_visualizations`, outside of `uri`. Set by whoever saves.
    visualizations_dir: str | None = None

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if not cls.__dict__.get("SKIP_REGISTRATION", False):
            defined.add(cls)

    def __init__(self, uri: str | os.PathLike[str], artifact_store: Any = None) -> None:
        self._uri = os.fspath(uri)
        self._artifact_store = artifact_store

    @property
    def uri(self) -> str:
        """The directory to save below or to load from."""
        return self._uri

    @property
    def artifact_store(self) -> Any:
        """The store that the version belongs to, or None."""
        return self._artifact_store

    @abstractmethod
    def save(self, data: Any) -> None:
        """Write `data` as files below `uri`, and nothing anywhere else.

        Args:
            data: a value of one of the associated types.
        """

    @abstractmethod
    def load(self, data_type: type[Any]) -> Any:
        """Return the value that `save` wrote.

        Args:
            data_type: the class of the value when it was saved.
        """

    def save_visualizations(self, data: Any) -> dict[str, VisualizationType]:
        """Write pictures, pages or tables of `data` into `visualizations_dir`; by default none.

        Args:
            data: the value that was saved.

        Returns:
            the absolute path of each file written, and how to display it. A file that `save` wrote may be among them.
        """
        return {}

    def extract_metadata(self, data: Any) -> dict[str, Any]:
        """Return facts about `data` that are worth searching for; by default none.

        Args:
            data: the value that was saved.

        Returns:
            metadata by key: str, int, float, bool, None, dict, list, tuple, set, datetime, or one of the metadata
            types of `artfs.types`.
        """
        return {}

    def extract_full_metadata(self, data: Any) -> dict[str, Any]:
        """Return `extract_metadata(data)` together with `storage_size`, the bytes that `save` wrote below `uri`."""
        return {"storage_size": StorageSize(_size_below(self.uri)), **self.extract_metadata(data)}

    def visualization_path(self, name: str) -> Path:
        """Return where to write the visualization file `name`, and make its directory.

        Raises:
            InvalidValue: nobody has set `visualizations_dir`.
        """
        if self.visualizations_dir is None:
            raise InvalidValue(
                f"{type(self).__name__} was asked for visualizations, but has no directory for them: set"
                " its visualizations_dir first"
            )
        path = Path(self.visualizations_dir, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


class DefinedMaterializers:
    """The materializers that classes of this process defined, by what they save. There is one, `defined`.

    `artfs.materializers.registry` chooses among them, the built-in ones and those that packages announce.
    """

    def __init__(self) -> None:
        self.by_type: dict[str, type[BaseMaterializer]] = {}
        self.by_name: dict[str, type[BaseMaterializer]] = {}
        self.types: dict[str, type] = {}
        """Associated types by name, for those that cannot be imported."""

    def add(self, materializer: type[BaseMaterializer]) -> None:
        """Choose `materializer` from now on for its associated types; subclassing BaseMaterializer calls this.

        Raises:
            InvalidValue: an associated type is neither a class nor a name with a dot.
        """
        if builtin.is_built_in(qualified_name(materializer)):
            return  # artfs.materializers.builtin says what for, without an import
        names = [_name_of_type(associated, materializer) for associated in materializer.ASSOCIATED_TYPES]
        self.by_name[qualified_name(materializer)] = materializer
        self.by_type.update(dict.fromkeys(names, materializer))
        for associated in materializer.ASSOCIATED_TYPES:
            if isinstance(associated, type):
                self.types[qualified_name(associated)] = associated


defined = DefinedMaterializers()


def _name_of_type(associated: type | str, materializer: type[BaseMaterializer]) -> str:
    if isinstance(associated, type):
        return qualified_name(associated)
    if isinstance(associated, str) and "." in associated:
        return associated
    raise InvalidValue(
        f"{qualified_name(materializer)}.ASSOCIATED_TYPES has {associated!r}: give a class, or its name as"
        " 'module.QualName'"
    )


def _size_below(directory: str) -> int:
    return sum(lstat(path).st_size for path in walk_files(os.fsencode(directory)))
