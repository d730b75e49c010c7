"""Tensors, state dicts and modules of torch come back with dtypes, sharing and memory order, from safetensors."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import artfs
from artfs.enums import ArtifactType
from artfs.errors import MaterializerError, UntrustedPickle
from artfs.materializers.containers import ContainerMaterializer
from artfs.materializers.registry import materializer_for
from artfs.materializers.torch import StateDictMaterializer
from support.library_cases import check_in_fresh_process, save_as_chosen, there_and_back
from support.round_trip import files

# Warnings that torch gives about itself, at the first use of a kind of tensor.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*ComplexHalf support is experimental"),
    pytest.mark.filterwarnings("ignore:.*Sparse .* tensor support is in beta"),
    pytest.mark.filterwarnings("ignore:.*TypedStorage is deprecated"),
    pytest.mark.filterwarnings("ignore:.*quantiz"),
]


class Net(torch.nn.Module):
    """A module with all that a module may have: tied weights, buffers of both kinds, and tensors as attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(3, 3, bias=False)
        self.second = torch.nn.Linear(3, 3, bias=False)
        self.second.weight = self.first.weight
        self.norm = torch.nn.BatchNorm1d(3)
        self.register_buffer("temporary", torch.ones(2), persistent=False)
        self.constant = torch.full((3,), 7.0)
        self.settings = {"scales": [torch.ones(1)], "name": "x"}

    def forward(self, data: torch.Tensor) -> torch.Tensor:
        return self.norm(self.second(self.first(data))) + self.constant


def _seeded(make: Callable[[], Any]) -> Any:
    torch.manual_seed(7)
    return make()


def _trained() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    net = Net()
    optimizer = torch.optim.AdamW(net.parameters(), amsgrad=True)
    net(torch.randn(4, 3)).sum().backward()
    optimizer.step()
    return net, optimizer


def _checkpoint() -> dict[str, Any]:
    net, optimizer = _trained()
    return {
        "model": net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epoch": 3,
        "history": [0.5, (1, None)],
        "rng": torch.get_rng_state(),
        "classes": np.array(["a", "b"]),
    }


def _quantized() -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.quantize_per_tensor(torch.tensor([0.1, 0.2]), 0.1, 0, torch.quint8)


SMALL_DTYPES = ("bool", "uint8", "int8", "uint16", "int64", "uint64", "float16", "bfloat16", "float8_e4m3fn", "float64")

TENSORS: dict[str, Callable[[], Any]] = {
    **{name: lambda name=name: torch.tensor([0, 1, 2]).to(getattr(torch, name)) for name in SMALL_DTYPES},
    "no dimensions": lambda: torch.tensor(3.5),
    "no elements": lambda: torch.zeros(0, 3),
    "nan": lambda: torch.tensor([float("nan"), -0.0]),
    "complex": lambda: torch.tensor([1 + 2j]),
    "complex double": lambda: torch.tensor([1 + 2j], dtype=torch.complex128),
    "complex half": lambda: torch.tensor([1 + 2j]).to(torch.complex32),
    "conjugated": lambda: torch.tensor([1 + 2j]).conj(),
    "transposed": lambda: torch.arange(6).reshape(2, 3).T,
    "channels last": lambda: torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
    "every other element": lambda: torch.randn(4, 6)[::2, ::3],
    "expanded": lambda: torch.ones(1).expand(5),
    "needing a gradient": lambda: torch.ones(2, requires_grad=True),
    "a result": lambda: torch.ones(2, requires_grad=True) * 2,
    "parameter": lambda: torch.nn.Parameter(torch.ones(2)),
    "frozen parameter": lambda: torch.nn.Parameter(torch.ones(2), requires_grad=False),
    "buffer": lambda: torch.nn.Buffer(torch.ones(2), persistent=False),
    "meta": lambda: torch.zeros(2, 3, device="meta"),
    "sparse": lambda: torch.eye(3).to_sparse(),
    "sparse rows": lambda: torch.eye(3).to_sparse_csr(),
    "sparse columns": lambda: torch.eye(3).to_sparse_csc(),
    "sparse blocks": lambda: torch.eye(4).to_sparse_bsr((2, 2)),
    "quantized": _quantized,
}
STATES: dict[str, Callable[[], Any]] = {
    "state dict": lambda: Net().state_dict(),
    "checkpoint": _checkpoint,
    "list": lambda: [torch.ones(2), 1, "x"],
    "tuple": lambda: (torch.ones(1), [torch.zeros(1)]),
    "odd keys": lambda: {1: torch.ones(1), "1": torch.zeros(1), (2, 3): torch.ones(2), "": torch.zeros(2)},
    "a reserved key": lambda: {"__metadata__": torch.ones(3)},
}
OBJECTS: dict[str, Callable[[], Any]] = {
    "module": lambda: Net().eval(),
    "optimizer": lambda: _trained()[1],
    "data set": lambda: torch.utils.data.TensorDataset(torch.ones(3, 2), torch.arange(3)),
}
CASES: dict[str, Callable[[], Any]] = {
    name: lambda make=make: _seeded(make) for name, make in {**TENSORS, **STATES, **OBJECTS}.items()
}
NEED_TRUST = {"quantized", *OBJECTS}


def assert_same(one: Any, other: Any) -> None:
    assert type(other).__qualname__ == type(one).__qualname__
    if isinstance(one, torch.Tensor):
        _assert_same_tensor(one, other)
    elif isinstance(one, dict):
        assert list(other) == list(one)
        assert repr(getattr(other, "_metadata", None)) == repr(getattr(one, "_metadata", None))
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list | tuple):
        assert len(other) == len(one)
        for left, right in zip(one, other, strict=True):
            assert_same(left, right)
    elif isinstance(one, torch.nn.Module):
        assert_same(one.state_dict(), other.state_dict())
        assert other.training == one.training
        assert_same([one.temporary, one.constant, one.settings], [other.temporary, other.constant, other.settings])
        assert torch.equal(other(torch.ones(2, 3)), one(torch.ones(2, 3)))
    elif isinstance(one, torch.optim.Optimizer):
        assert_same(one.state_dict(), other.state_dict())
    elif isinstance(one, torch.utils.data.TensorDataset):
        assert_same(one.tensors, other.tensors)
    else:
        assert repr(other) == repr(one)


def _assert_same_tensor(one: torch.Tensor, other: torch.Tensor) -> None:
    assert (other.dtype, other.shape, other.layout, other.requires_grad, other.is_meta) == (
        *(one.dtype, one.shape, one.layout, one.requires_grad, one.is_meta),
    )
    assert vars(other) == vars(one)
    if one.is_meta:
        return
    if one.layout != torch.strided:
        one, other = one.to_dense(), other.to_dense()
    one, other = (tensor.detach().resolve_conj() for tensor in (one, other))
    if one.is_quantized or one.dtype == torch.complex32:
        assert torch.equal(one, other) if one.is_quantized else one.tolist() == other.tolist()
    else:  # by bits: NaN equals NaN, and zero is not minus zero
        assert torch.equal(*(tensor.contiguous().reshape(-1).view(torch.uint8) for tensor in (one, other)))


@pytest.mark.parametrize("name", CASES)
def test_a_value_comes_back(name: str, tmp_path: Path) -> None:
    value = CASES[name]()
    assert_same(value, there_and_back(value, tmp_path, trusted=name in NEED_TRUST))


def test_values_come_back_in_a_fresh_process(tmp_path: Path) -> None:
    # Without the class that only this module has.
    check_in_fresh_process(__file__, {name: CASES[name] for name in CASES if name != "module"}, NEED_TRUST, tmp_path)


@pytest.mark.parametrize("name", sorted(set(CASES) - NEED_TRUST))
def test_tensors_and_states_are_not_pickled(name: str, tmp_path: Path) -> None:
    save_as_chosen(CASES[name](), tmp_path / "data")
    assert not [path for path in files(tmp_path) if path.endswith(".pkl")]


@pytest.mark.parametrize("name", ["transposed", "channels last"])
def test_the_order_of_elements_in_memory_is_kept(name: str, tmp_path: Path) -> None:
    tensor = CASES[name]()
    assert there_and_back(tensor, tmp_path).stride() == tensor.stride()


def test_a_state_dict_is_a_file_that_anyone_loads(tmp_path: Path) -> None:
    state = torch.nn.Linear(3, 2).state_dict()
    save_as_chosen(state, tmp_path / "data")
    torch.nn.Linear(3, 2).load_state_dict(load_file(tmp_path / "data" / "tensors.safetensors"))


def test_a_state_dict_is_saved_as_one_when_its_type_is_only_dict(home: Path) -> None:
    saved = artfs.save_artifact({"weights": torch.nn.Linear(3, 2).state_dict(), "epoch": 3}, "checkpoint")
    assert saved.type == ArtifactType.MODEL
    loaded = artfs.load_artifact("checkpoint")
    assert list(loaded["weights"]) == ["weight", "bias"]
    assert loaded["epoch"] == 3


def test_a_checkpoint_restores_model_and_optimizer(tmp_path: Path) -> None:
    loaded = there_and_back(_checkpoint(), tmp_path)
    net = Net()
    net.load_state_dict(loaded["model"])
    optimizer = torch.optim.AdamW(net.parameters(), amsgrad=True)
    optimizer.load_state_dict(loaded["optimizer"])
    net(torch.randn(4, 3)).sum().backward()
    optimizer.step()


def test_tied_weights_are_stored_once_and_tied_when_loaded(tmp_path: Path) -> None:
    loaded = there_and_back(Net().state_dict(), tmp_path / "state")
    assert "second.weight" not in load_file(tmp_path / "state" / "data" / "tensors.safetensors")
    loaded["first.weight"][0, 0] = 99
    assert loaded["second.weight"][0, 0] == 99
    net = there_and_back(Net(), tmp_path / "module", trusted=True)
    assert net.first.weight is net.second.weight


def test_one_tensor_in_two_places_is_one_tensor_again(tmp_path: Path) -> None:
    tensor = torch.ones(3)
    loaded = there_and_back({"a": tensor, "b": [tensor]}, tmp_path)
    assert loaded["a"] is loaded["b"][0]


def test_tensors_that_overlap_in_memory_overlap_again(tmp_path: Path) -> None:
    memory = torch.arange(10.0)
    views = {"x": memory[:6], "y": memory[4:], "bits": memory.view(torch.int32)[4:5], "alone": torch.zeros(1)}
    loaded = there_and_back(views, tmp_path)
    for name, view in views.items():
        assert torch.equal(loaded[name], view)
    loaded["x"][4] = 0
    assert (loaded["y"][0], loaded["bits"][0]) == (0, 0)


def test_neighbours_in_one_memory_are_stored_each_for_itself(tmp_path: Path) -> None:
    memory = torch.arange(1000.0)
    save_as_chosen({"left": memory[:5], "right": memory[5:10]}, tmp_path / "data")
    stored = load_file(tmp_path / "data" / "tensors.safetensors")
    assert {name: tensor.tolist() for name, tensor in stored.items()} == {
        "left": [0, 1, 2, 3, 4],
        "right": [5, 6, 7, 8, 9],
    }


def test_a_loaded_tensor_is_mapped_and_changing_it_changes_no_file(tmp_path: Path) -> None:
    loaded = there_and_back({"w": torch.arange(1_000_000.0)}, tmp_path)
    file = tmp_path / "data" / "tensors.safetensors"
    assert str(file) in _mapped_at(loaded["w"].data_ptr())
    before = file.read_bytes()
    loaded["w"][0] = 7
    assert file.read_bytes() == before


def _mapped_at(address: int) -> str:
    for line in Path("/proc/self/maps").read_text().splitlines():
        start, end = (int(bound, 16) for bound in line.split()[0].split("-"))
        if start <= address < end:
            return line
    return ""


def test_only_containers_with_tensors_become_state_dicts() -> None:
    looped: dict[str, Any] = {}
    looped["self"] = [looped]
    assert materializer_for({"a": [(1, {"b": torch.ones(1)})]}) is StateDictMaterializer
    assert materializer_for(OrderedDict(w=torch.nn.Parameter(torch.ones(1)))) is StateDictMaterializer
    for other in ({"a": [(1, {"b": np.ones(1)})]}, {}, looped, [], (1,)):
        assert materializer_for(other) is ContainerMaterializer


def test_a_tree_with_tensors_that_holds_itself_is_refused_in_one_line(tmp_path: Path) -> None:
    looped: dict[str, Any] = {"w": torch.ones(1)}
    looped["self"] = looped
    with pytest.raises(MaterializerError, match="holds itself"):
        save_as_chosen(looped, tmp_path / "data")


def test_the_weights_of_a_module_are_a_file_of_their_own(tmp_path: Path) -> None:
    net = Net()
    save_as_chosen(net, tmp_path / "data")
    assert files(tmp_path / "data") == ["facts/data.json", "module.pkl", "module.safetensors", "python.json"]
    stored = load_file(tmp_path / "data" / "module.safetensors")
    state = {name: tensor for name, tensor in net.state_dict().items() if name != "second.weight"}
    for name, tensor in state.items():
        assert torch.equal(stored[name], tensor)
    big = torch.nn.Linear(1000, 1000)
    save_as_chosen(big, tmp_path / "big")
    assert (tmp_path / "big" / "module.pkl").stat().st_size < 10_000


@pytest.mark.parametrize("name", sorted(NEED_TRUST))
def test_what_is_pickled_does_not_load_without_trust(name: str, tmp_path: Path) -> None:
    with pytest.raises(UntrustedPickle):
        there_and_back(CASES[name](), tmp_path)


def test_a_tensor_from_a_device_that_is_gone_is_loaded_to_the_cpu(tmp_path: Path) -> None:
    save_as_chosen(torch.ones(2), tmp_path / "data")
    facts = tmp_path / "data" / "facts" / "data.json"
    facts.write_text('{"tensor": {"device": "cuda:63"}}')
    loaded = materializer_for(torch.Tensor)(tmp_path / "data").load(torch.Tensor)
    assert (loaded.device.type, loaded.tolist()) == ("cpu", [1, 1])


def test_metadata_and_pages(tmp_path: Path) -> None:
    net = Net()
    facts = save_as_chosen(net, tmp_path / "module").extract_metadata(net)
    assert (facts["parameters"], facts["trainable_parameters"], facts["dtypes"]) == (15, 15, ["torch.float32"])
    state = net.state_dict()
    saver = save_as_chosen(state, tmp_path / "state")
    assert saver.extract_metadata(state)["tensors"] == 7
    saver.visualizations_dir = str(tmp_path / "shown")
    [path] = saver.save_visualizations(state)
    assert "norm.running_mean" in Path(path).read_text()
