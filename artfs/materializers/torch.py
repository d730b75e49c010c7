"""PyTorch: tensors and state dicts as safetensors; modules, optimizers and data sets with their tensors beside.

The tensors of a module lie in `module.safetensors` under the names of its state dict, where any program finds them.
Only the rest, the Python objects around them, is pickled.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, NamedTuple

from artfs.classes import qualified_name
from artfs.enums import ArtifactType, VisualizationType
from artfs.errors import MaterializerError
from artfs.materializers import html_page
from artfs.materializers.base import BaseMaterializer
from artfs.materializers.libraries import needs
from artfs.materializers.nested import load_nested, save_nested
from artfs.materializers.pickle import CloudpickleMaterializer, Pickler, Unpickler
from artfs.materializers.safetensors import read, write
from artfs.materializers.torch_programs import reduced
from artfs.types import DType

with needs("torch and safetensors", extra="torch"):
    import torch

_FACTS_DIRECTORY = "facts"
_SHOWN_TENSORS = 1000


class TensorReference(NamedTuple):
    """Stands for a tensor in a tree of Python objects; `name` is its name in the safetensors file."""

    name: str


class AttributedDict(NamedTuple):
    """Stands for an OrderedDict with attributes: a module's state dict has the versions of its parts as one."""

    items: Any
    attributes: dict[str, Any]


class TensorMaterializer(BaseMaterializer):
    """Saves a tensor or parameter as `tensor.safetensors`. Its gradient and its history are not kept."""

    ASSOCIATED_ARTIFACT_TYPE = ArtifactType.DATA
    KNOWS_TYPE: ClassVar[bool] = True

    def save(self, data: torch.Tensor) -> None:
        """Write the tensor."""
        save_nested(self, _FACTS_DIRECTORY, write(Path(self.uri, "tensor.safetensors"), {"tensor": data}))

    def load(self, data_type: type[Any]) -> torch.Tensor:
        """Return the tensor, mapped into memory.

        Raises:
            UntrustedPickle: it is of a kind that had to be pickled (quantized), and the version is not trusted.
        """
        return read(Path(self.uri, "tensor.safetensors"), load_nested(self, _FACTS_DIRECTORY))["tensor"]

    def extract_metadata(self, data: torch.Tensor) -> dict[str, Any]:
        """Return shape, dtype, device and memory."""
        return {
            "shape": tuple(data.shape),
            "dtype": DType(data.dtype),
            "device": str(data.device),
            "elements": data.numel(),
            "memory_size": data.numel() * data.element_size(),
        }

    def save_visualizations(self, data: torch.Tensor) -> dict[str, VisualizationType]:
        """Show the facts and the first and last elements."""
        facts = html_page.table(self.extract_metadata(data).items())
        return html_page.write_page(self, "tensor.html", "Tensor", facts, html_page.preformatted(str(data.detach())))


class StateDictMaterializer(BaseMaterializer):
    """Saves a dict, list or tuple with tensors in it, at any depth: state dicts of modules and optimizers, checkpoints.

    All tensors are in `tensors.safetensors`; a tensor's name is the keys that lead to it, joined by dots. For the
    state dict of a module these are the names of its parameters.
    """

    ASSOCIATED_ARTIFACT_TYPE = ArtifactType.MODEL
    KNOWS_TYPE: ClassVar[bool] = True

    def save(self, data: Any) -> None:
        """Write tensors and structure.

        Raises:
            MaterializerError: the tree holds itself, or is nested more deeply than Python can follow.
        """
        tensors: dict[str, torch.Tensor] = {}
        try:
            structure = _without_tensors(data, (), tensors)
        except RecursionError as error:
            raise MaterializerError(
                f"this {type(data).__name__} with tensors holds itself, or is nested too deeply to be saved"
            ) from error
        facts = write(Path(self.uri, "tensors.safetensors"), tensors)
        save_nested(self, _FACTS_DIRECTORY, {"tensors": facts, "structure": structure})

    def load(self, data_type: type[Any]) -> Any:
        """Return the structure with its tensors, mapped into memory.

        Raises:
            UntrustedPickle: it has other objects that had to be pickled, and the version is not trusted.
        """
        facts = load_nested(self, _FACTS_DIRECTORY)
        return _with_tensors(facts["structure"], read(Path(self.uri, "tensors.safetensors"), facts["tensors"]))

    def extract_metadata(self, data: Any) -> dict[str, Any]:
        """Return the number of tensors and of their elements, and the dtypes."""
        return _describe(tensors_in(data))

    def save_visualizations(self, data: Any) -> dict[str, VisualizationType]:
        """List the tensors."""
        return _list_tensors(self, data, "State dict")


class TorchObjectMaterializer(CloudpickleMaterializer):
    """Saves a module, optimizer, scheduler or data set: its tensors as `module.safetensors`, the rest pickled."""

    SKIP_REGISTRATION = True
    ASSOCIATED_ARTIFACT_TYPE = ArtifactType.MODEL
    DATA_FILE = "module.pkl"
    TENSORS_FILE = "module.safetensors"

    def dump(self, data: Any, file: BinaryIO) -> None:
        """Write the pickle, and the tensors beside it."""
        pickler = _Pickler(file, _names_of_tensors(data))
        pickler.dump(data)
        facts = write(Path(self.uri, self.TENSORS_FILE), pickler.tensors)
        save_nested(self, _FACTS_DIRECTORY, facts)

    def undump(self, file: BinaryIO) -> Any:
        """Read the pickle, and the tensors where it refers to them."""
        facts = load_nested(self, _FACTS_DIRECTORY)
        return _Unpickler(file, read(Path(self.uri, self.TENSORS_FILE), facts)).load()

    def extract_metadata(self, data: Any) -> dict[str, Any]:
        """Return the class, and of a module the number of its parameters."""
        facts = {"class": qualified_name(type(data)), "torch_version": torch.__version__}
        if not isinstance(data, torch.nn.Module):
            return facts
        parameters = list(data.parameters())
        return {
            **facts,
            "parameters": sum(parameter.numel() for parameter in parameters),
            "trainable_parameters": sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
            "dtypes": sorted({str(parameter.dtype) for parameter in parameters}),
            "modules": sum(1 for _ in data.modules()),
        }

    def save_visualizations(self, data: Any) -> dict[str, VisualizationType]:
        """Show the layers of a module."""
        text = html_page.preformatted(str(data))
        facts = html_page.table(self.extract_metadata(data).items())
        return html_page.write_page(self, "module.html", type(data).__name__, facts, text)


class DatasetMaterializer(TorchObjectMaterializer):
    """Saves a data set of torch as TorchObjectMaterializer does."""

    SKIP_REGISTRATION = True
    ASSOCIATED_ARTIFACT_TYPE = ArtifactType.DATA
    DATA_FILE = "dataset.pkl"
    TENSORS_FILE = "dataset.safetensors"


def tensors_in(data: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors in a tree of dicts, lists and tuples."""
    if isinstance(data, torch.Tensor):
        yield data
    elif type(data) in (dict, OrderedDict):
        for value in data.values():
            yield from tensors_in(value)
    elif type(data) in (list, tuple):
        for value in data:
            yield from tensors_in(value)


# --- trees with tensors in them ---


def _without_tensors(data: Any, place: tuple[str, ...], tensors: dict[str, torch.Tensor]) -> Any:
    """Return a copy of a tree with references in place of its tensors, which are put into `tensors`."""
    kind = type(data)
    if kind in (torch.Tensor, torch.nn.Parameter):
        name = _unused(".".join(place), tensors)
        tensors[name] = data
        return TensorReference(name)
    if kind is dict or kind is OrderedDict:
        copy = kind((key, _without_tensors(value, (*place, str(key)), tensors)) for key, value in data.items())
        attributes = vars(data) if kind is OrderedDict else {}
        return AttributedDict(copy, dict(attributes)) if attributes else copy
    if kind is list or kind is tuple:
        return kind(_without_tensors(value, (*place, str(index)), tensors) for index, value in enumerate(data))
    return data


def _with_tensors(structure: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    """Return the tree that `_without_tensors` got."""
    kind = type(structure)
    if kind is TensorReference:
        return tensors[structure.name]
    if kind is AttributedDict:
        items = _with_tensors(structure.items, tensors)
        vars(items).update(structure.attributes)
        return items
    if kind is dict or kind is OrderedDict:
        return kind((key, _with_tensors(value, tensors)) for key, value in structure.items())
    if kind is list or kind is tuple:
        return kind(_with_tensors(value, tensors) for value in structure)
    return structure


def _unused(name: str, taken: Mapping[str, Any]) -> str:
    """Return a name that safetensors allows and that no other tensor has."""
    wanted = name if name not in ("", "__metadata__") else f"{name}tensor"
    found, count = wanted, 1
    while found in taken:
        count += 1
        found = f"{wanted}-{count}"
    return found


# --- objects with tensors in them ---


class _Pickler(Pickler):
    """Pickles an object, but not its tensors: they are gathered in `tensors`, and the pickle has their names."""

    def __init__(self, file: BinaryIO, names: Mapping[int, str]) -> None:
        super().__init__(file)
        self.tensors: dict[str, torch.Tensor] = {}
        self._known = dict(names)

    def reducer_override(self, obj: Any) -> Any:
        """Keep modules that pickle refuses; the rest as `Pickler` does."""
        found = reduced(obj)
        return super().reducer_override(obj) if found is None else found

    def persistent_id(self, obj: Any) -> str | None:
        """Return the name of a tensor; other objects are pickled."""
        if type(obj) not in (torch.Tensor, torch.nn.Parameter):
            return None
        name = self._known.get(id(obj))
        if name is None:
            name = self._known[id(obj)] = _unused(f"other.{len(self.tensors)}", self.tensors)
        self.tensors.setdefault(name, obj)
        return name


class _Unpickler(Unpickler):
    def __init__(self, file: BinaryIO, tensors: Mapping[str, torch.Tensor]) -> None:
        super().__init__(file)
        self._tensors = tensors

    def persistent_load(self, name: str) -> torch.Tensor:
        """Return the tensor of a name."""
        return self._tensors[name]


def _names_of_tensors(data: Any) -> dict[int, str]:
    """Return the names that tensors of a module have in its state dict, by id; of tied ones the first."""
    if not isinstance(data, torch.nn.Module):
        return {}
    found: dict[int, str] = {}
    named: list[Callable[[], Iterator[tuple[str, torch.Tensor]]]] = [data.named_parameters, data.named_buffers]
    for iterate in named:
        for name, tensor in iterate():
            found.setdefault(id(tensor), name)
    return found


# --- what people see ---


def _describe(tensors: Iterator[torch.Tensor]) -> dict[str, Any]:
    found = list(tensors)
    return {
        "tensors": len(found),
        "elements": sum(tensor.numel() for tensor in found),
        "memory_size": sum(tensor.numel() * tensor.element_size() for tensor in found),
        "dtypes": sorted({str(tensor.dtype) for tensor in found}),
    }


def _list_tensors(materializer: BaseMaterializer, data: Any, title: str) -> dict[str, VisualizationType]:
    tensors: dict[str, torch.Tensor] = {}
    _without_tensors(data, (), tensors)
    rows = [
        (name, tuple(tensor.shape), tensor.dtype, tensor.device)
        for name, tensor in list(tensors.items())[:_SHOWN_TENSORS]
    ]
    facts = html_page.table(_describe(iter(tensors.values())).items())
    return html_page.write_page(
        materializer, "tensors.html", title, facts, html_page.grid(["tensor", "shape", "dtype", "device"], rows)
    )
