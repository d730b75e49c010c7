"""Torch tensors in a safetensors file, and back: with their sharing, memory order and dtypes.

A safetensors file holds named, contiguous tensors of the usual dtypes, and none twice. `write` makes a file that
anyone can load, under the tensors' own names, and returns the facts that the file cannot say, by name:

- `same_as`: the very tensor of another name; `alias_of`: another tensor over the same elements (tied weights).
- `view`: one of several tensors that overlap in memory. The file has the memory, as bytes, and views are made of it.
- `stride`: of transposed tensors, channels-last images and the like.
- `pairs`: complex numbers of double or half precision are stored as pairs of real ones.
- `sparse`: its indices and values are tensors of the file. `meta`: a tensor without elements.
- `pickled`: what safetensors has no way to keep, such as quantized tensors.
- `parameter`, `requires_grad`, `device`, `attributes`: of the tensor object.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from artfs.materializers.libraries import needs
from artfs.materializers.nested import Opaque

with needs("torch and safetensors", extra="torch"):
    import torch
    from safetensors.torch import load_file, save_file

Facts = dict[str, dict[str, Any]]

_STORABLE = frozenset(
    getattr(torch, name)
    for name in (
        *("bool", "uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
        *("float16", "bfloat16", "float32", "float64", "complex64"),
        *("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz"),
    )
    if hasattr(torch, name)
)
_PAIRS = {torch.complex128: torch.float64, torch.complex32: torch.float16}
_SPARSE_PARTS = {
    "sparse_csr": ("crow_indices", "col_indices"),
    "sparse_csc": ("ccol_indices", "row_indices"),
    "sparse_bsr": ("crow_indices", "col_indices"),
    "sparse_bsc": ("ccol_indices", "row_indices"),
}
_ALIGNMENT = 16  # of shared memory, in bytes: the largest element, a complex128

logger = logging.getLogger(__name__)


def write(path: Path, tensors: Mapping[str, torch.Tensor]) -> Facts:
    """Save tensors.

    Args:
        path: of the file to write.
        tensors: by name, of any layout and on any device.

    Returns:
        what the file cannot say, for `read`; to be saved with artfs.materializers.nested.save_nested.
    """
    writer = _Writer()
    for name, tensor in tensors.items():
        writer.add(name, tensor)
    save_file(writer.content(), path)
    return writer.facts


def read(path: Path, facts: Mapping[str, Mapping[str, Any]]) -> dict[str, torch.Tensor]:
    """Load what `write` saved, mapped into memory; changing a tensor changes memory only, never the file.

    Args:
        path: of the file.
        facts: what `write` returned.

    Returns:
        the tensors by name, on the device that they were on if there is one here, else on the CPU.
    """
    reader = _Reader(load_file(path))
    for name, fact in facts.items():
        reader.restore(name, fact)
    return reader.tensors


class _Writer:
    """Sorts out what goes into the file, and gathers the facts."""

    def __init__(self) -> None:
        self.facts: Facts = {}
        self._stored: dict[str, torch.Tensor] = {}
        self._names: dict[int, str] = {}  # of the tensors added, by id
        self._added: list[torch.Tensor] = []  # keeps them alive, so that their ids stay theirs
        self._by_memory: dict[tuple[str, int], list[tuple[str, torch.Tensor]]] = {}

    def add(self, name: str, tensor: torch.Tensor) -> None:
        """Take a tensor in."""
        first = self._names.setdefault(id(tensor), name)
        if first != name:
            self.facts[name] = {"same_as": first}
            return
        self._added.append(tensor)
        self.facts[name] = fact = _describe(tensor)
        plain = tensor.detach().resolve_conj().resolve_neg()
        layout = _name(plain.layout)
        if plain.is_meta:
            fact["meta"] = {"size": list(plain.shape), "dtype": _name(plain.dtype)}
        elif layout == "sparse_coo":
            fact["sparse"] = {"layout": layout, "size": list(plain.shape), "coalesced": plain.is_coalesced()}
            self._stored[f"{name}.indices"] = plain._indices().cpu().contiguous()
            self._store(f"{name}.values", plain._values(), fact)
        elif layout in _SPARSE_PARTS:
            fact["sparse"] = {"layout": layout, "size": list(plain.shape)}
            for part in _SPARSE_PARTS[layout]:
                self._stored[f"{name}.{part}"] = getattr(plain, part)().cpu().contiguous()
            self._store(f"{name}.values", plain.values(), fact)
        elif layout != "strided" or plain.is_quantized or plain.is_nested:
            fact["pickled"] = Opaque(tensor.detach())
        else:
            self._by_memory.setdefault((str(plain.device), plain.untyped_storage().data_ptr()), []).append(
                (name, plain)
            )

    def content(self) -> dict[str, torch.Tensor]:
        """Return the file's tensors: those that overlap in memory as that memory, each of the others for itself."""
        for sharing in self._by_memory.values():
            for group in _overlapping(sharing):
                name, tensor = group[0]
                if len({_place(other) for _, other in group}) == 1:
                    self._store(name, tensor, self.facts[name])
                    for other_name, _ in group[1:]:
                        self.facts[other_name]["alias_of"] = name
                else:
                    self._store_memory(f"{name}.memory", group)
        return self._stored

    def _store_memory(self, memory_name: str, group: list[tuple[str, torch.Tensor]]) -> None:
        start = min(_extent(tensor)[0] for _, tensor in group) // _ALIGNMENT * _ALIGNMENT
        end = max(_extent(tensor)[1] for _, tensor in group)
        first = group[0][1]
        memory = torch.empty(0, dtype=torch.uint8, device=first.device)
        self._stored[memory_name] = memory.set_(first.untyped_storage(), start, (end - start,), (1,)).cpu()
        for name, tensor in group:
            byte_offset = tensor.storage_offset() * tensor.element_size() - start
            self.facts[name]["view"] = {
                "memory": memory_name,
                "dtype": _name(tensor.dtype),
                "offset": byte_offset // tensor.element_size(),
                "size": list(tensor.shape),
                "stride": list(tensor.stride()),
            }

    def _store(self, name: str, tensor: torch.Tensor, fact: dict[str, Any]) -> None:
        if tensor.dtype in _PAIRS:
            fact["pairs"] = _name(tensor.dtype)
        elif tensor.dtype not in _STORABLE:
            fact["pickled"] = Opaque(tensor)
            return
        if not tensor.is_contiguous() and _is_dense(tensor):
            fact["stride"] = list(tensor.stride())
        stored = tensor.cpu().contiguous()
        self._stored[name] = torch.view_as_real(stored) if tensor.dtype in _PAIRS else stored


class _Reader:
    """Makes the tensors, one after the other in the order in which they were added."""

    def __init__(self, stored: dict[str, torch.Tensor]) -> None:
        self.tensors: dict[str, torch.Tensor] = {}
        self._stored = stored
        self._memories: dict[str, torch.Tensor] = {}  # on the device where their views are

    def restore(self, name: str, fact: Mapping[str, Any]) -> None:
        """Make one tensor."""
        if "same_as" in fact:
            self.tensors[name] = self.tensors[fact["same_as"]]
            return
        tensor = self._elements(name, fact)
        if fact.get("parameter"):
            tensor = torch.nn.Parameter(tensor, requires_grad=False)
        if fact.get("requires_grad"):
            tensor.requires_grad_()
        for attribute, value in fact.get("attributes", {}).items():
            setattr(tensor, attribute, value)
        self.tensors[name] = tensor

    def _elements(self, name: str, fact: Mapping[str, Any]) -> torch.Tensor:
        device = _device(fact.get("device", "cpu"))
        if "alias_of" in fact:
            return self.tensors[fact["alias_of"]].detach()
        if "view" in fact:
            return self._view(device, **fact["view"])
        if "meta" in fact:
            return torch.empty(fact["meta"]["size"], dtype=_dtype(fact["meta"]["dtype"]), device="meta")
        if "sparse" in fact:
            return self._sparse(name, fact, **fact["sparse"]).to(device)
        return self._dense(name, fact).to(device)

    def _dense(self, name: str, fact: Mapping[str, Any]) -> torch.Tensor:
        if "pickled" in fact:
            pickled: torch.Tensor = fact["pickled"].value
            return pickled
        tensor = self._stored[name]
        if "pairs" in fact:
            # A clone, since the file aligns its tensors for their own elements only, not for pairs of them.
            tensor = torch.view_as_complex(tensor.clone())
        if "stride" in fact:
            tensor = torch.empty_strided(tensor.shape, fact["stride"], dtype=tensor.dtype).copy_(tensor)
        return tensor

    def _sparse(
        self, name: str, fact: Mapping[str, Any], layout: str, size: list[int], coalesced: bool = False
    ) -> torch.Tensor:
        values = self._dense(f"{name}.values", fact)
        if layout == "sparse_coo":
            indices = self._stored[f"{name}.indices"]
            return torch.sparse_coo_tensor(indices, values, size, is_coalesced=coalesced, check_invariants=True)
        compressed, plain = (self._stored[f"{name}.{part}"] for part in _SPARSE_PARTS[layout])
        return torch.sparse_compressed_tensor(
            compressed, plain, values, size, layout=getattr(torch, layout), check_invariants=True
        )

    def _view(
        self, device: torch.device, memory: str, dtype: str, offset: int, size: list[int], stride: list[int]
    ) -> torch.Tensor:
        if memory not in self._memories:
            self._memories[memory] = self._stored[memory].clone().to(device)  # a clone is aligned for any element
        storage = self._memories[memory].untyped_storage()
        view: torch.Tensor = torch.empty(0, dtype=_dtype(dtype), device=device).set_(storage, offset, size, stride)
        return view


def _describe(tensor: torch.Tensor) -> dict[str, Any]:
    """Return what a tensor object is besides its elements."""
    fact: dict[str, Any] = {}
    if isinstance(tensor, torch.nn.Parameter):
        fact["parameter"] = True
    if tensor.requires_grad:
        fact["requires_grad"] = True
    if tensor.device.type not in ("cpu", "meta"):
        fact["device"] = str(tensor.device)
    return {**fact, "attributes": dict(vars(tensor))} if vars(tensor) else fact


def _overlapping(sharing: list[tuple[str, torch.Tensor]]) -> list[list[tuple[str, torch.Tensor]]]:
    """Return tensors of one memory in groups that overlap, each in the order in which they were added."""
    order = {name: position for position, (name, _) in enumerate(sharing)}
    groups: list[list[tuple[str, torch.Tensor]]] = []
    covered = 0
    for name, tensor in sorted(sharing, key=lambda pair: _extent(pair[1])):
        start, end = _extent(tensor)
        if groups and tensor.numel() and start < covered:
            groups[-1].append((name, tensor))
        else:
            groups.append([(name, tensor)])
        covered = max(covered, end)
    return [sorted(group, key=lambda pair: order[pair[0]]) for group in groups]


def _extent(tensor: torch.Tensor) -> tuple[int, int]:
    """Return the first byte of a tensor in its memory, and the byte after its last."""
    start = int(tensor.storage_offset()) * tensor.element_size()
    if tensor.numel() == 0:
        return start, start
    last: int = sum((length - 1) * stride for length, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return start, start + (last + 1) * tensor.element_size()


def _place(tensor: torch.Tensor) -> tuple[Any, ...]:
    """Return what two tensors over the same elements have in common."""
    return tensor.storage_offset(), tensor.shape, tensor.stride(), tensor.dtype


def _is_dense(tensor: torch.Tensor) -> bool:
    """Return whether the elements fill their memory without gaps or repetition, in some order of dimensions."""
    start, end = _extent(tensor)
    if (end - start) != tensor.numel() * tensor.element_size():
        return False
    expected = 1
    dimensions = sorted(zip(tensor.stride(), tensor.shape, strict=True))
    for stride, length in dimensions:
        if length > 1 and stride != expected:
            return False
        expected *= length
    return expected == math.prod(tensor.shape)


def _device(name: str) -> torch.device:
    """Return a device, or the CPU where it is not there."""
    if name == "cpu":
        return torch.device("cpu")
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        logger.info("a tensor was on the device %s, which is not here, and is loaded to the CPU: %s", name, error)
        return torch.device("cpu")
    return torch.device(name)


def _name(thing: torch.dtype | torch.layout) -> str:
    return str(thing).removeprefix("torch.")


def _dtype(name: str) -> torch.dtype:
    dtype = getattr(torch, name, None)
    if not isinstance(dtype, torch.dtype):
        raise ValueError(f"{name} is no dtype of torch {torch.__version__}")
    return dtype
