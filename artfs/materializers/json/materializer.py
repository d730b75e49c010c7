"""What the materializers of plain values, containers, dataclasses and models have in common: one JSON file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from artfs.content.files import write_file
from artfs.enums import ArtifactType, VisualizationType
from artfs.errors import MaterializerError
from artfs.materializers.base import BaseMaterializer
from artfs.materializers.json.decode import decode, item_path
from artfs.materializers.json.encode import PICKLED, encode
from artfs.materializers.registry import registry

DATA_FILE = "data.json"

_LONGEST_VISUALIZATION = 1024 * 1024


class JsonMaterializer(BaseMaterializer):
    """Writes a value as `data.json`, and what is not plain in it beside, in `items/`, with its own materializer.

    `artfs.materializers.json.encode` describes the file. All paths in it are relative.
    """

    SKIP_REGISTRATION = True
    KNOWS_TYPE: ClassVar[bool] = True
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.DATA

    def save(self, data: Any) -> None:
        """Write `data`.

        Raises:
            MaterializerError: something in it can neither be written as JSON nor be pickled.
        """
        encoded = encode(data)
        write_file(os.path.join(self.uri, DATA_FILE), encoded.text)
        for item in encoded.items:
            self._at(registry.by_name(item.materializer), item.path, create=True).save(item.value)
        if encoded.pickled:
            self._at(_pickler(), PICKLED, create=True).save(list(encoded.pickled))

    def load(self, data_type: type[Any]) -> Any:
        """Return the value; its type is in the file, `data_type` is not needed.

        Raises:
            MaterializerError: the file is missing or is not what `save` wrote.
            ClassNotFound: a class of a value in it cannot be imported any more.
            UntrustedPickle: something in it is pickled, and it is not trusted.
        """
        try:
            text = Path(self.uri, DATA_FILE).read_bytes()
        except FileNotFoundError as error:
            raise MaterializerError(
                f"there is no {DATA_FILE} in {self.uri}: this was not saved by {type(self).__name__}", subject=self.uri
            ) from error
        items: dict[str, Any] = {}  # an object that stood in several places is one object again

        def load_item(record: Mapping[str, str]) -> Any:
            path = item_path(record)
            if path not in items:
                materializer = registry.by_name(record["materializer"], trusted=self.trusted)
                item_type = registry.type_to_load(record["type"], materializer, trusted=self.trusted)
                items[path] = self._at(materializer, path).load(item_type)
            return items[path]

        def load_pickled(index: int) -> Any:
            if PICKLED not in items:
                items[PICKLED] = self._at(_pickler(), PICKLED).load(list)
            return items[PICKLED][index]

        return decode(text, load_item, load_pickled, trusted=self.trusted)

    def save_visualizations(self, data: Any) -> dict[str, VisualizationType]:
        """Show the JSON file itself, up to 1 MiB."""
        source = os.path.join(self.uri, DATA_FILE)
        return {} if os.path.getsize(source) > _LONGEST_VISUALIZATION else {source: VisualizationType.JSON}

    def _at(self, materializer: type[BaseMaterializer], path: str, *, create: bool = False) -> BaseMaterializer:
        """Return a materializer for the directory `path` below this one, with the same trust."""
        directory = Path(self.uri, path)
        if create:
            directory.mkdir(parents=True)
        made = materializer(str(directory), self.artifact_store)
        made.trusted = self.trusted
        return made


def _pickler() -> type[BaseMaterializer]:
    from artfs.materializers.pickle import CloudpickleMaterializer  # here: cloudpickle is needed rarely

    return CloudpickleMaterializer
