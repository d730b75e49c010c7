"""TorchScript, exported programs and parametrized modules come back and compute the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.utils import parametrizations, parametrize

import artfs
from artfs.errors import UntrustedPickle
from support.library_cases import check_in_fresh_process, there_and_back
from support.round_trip import files

pytestmark = pytest.mark.filterwarnings("ignore")

DATA = torch.arange(6.0).reshape(3, 2)


class Doubled(torch.nn.Module):
    """A parametrization of a user."""

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight * 2


class Holder(torch.nn.Module):
    """A module with modules of other kinds in it."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.last = torch.nn.Linear(2, 2)

    def forward(self, data: torch.Tensor) -> torch.Tensor:
        return self.last(self.inner(data))


def _twice(data: torch.Tensor) -> torch.Tensor:
    return data * 2


def _linear() -> torch.nn.Module:
    torch.manual_seed(7)
    return torch.nn.Linear(2, 2)


def _own() -> torch.nn.Module:
    module = _linear()
    parametrize.register_parametrization(module, "weight", Doubled())
    parametrize.register_parametrization(module, "weight", Doubled())
    parametrize.register_parametrization(module, "bias", Doubled())
    return module


SCRIPTS: dict[str, Callable[[], Any]] = {
    "scripted": lambda: torch.jit.script(_linear()),
    "traced": lambda: torch.jit.trace(_linear(), DATA),
    "frozen": lambda: torch.jit.freeze(torch.jit.script(_linear().eval())),
    "function": lambda: torch.jit.script(_twice),
    "exported": lambda: torch.export.export(_linear(), (DATA,)),
}
MODULES: dict[str, Callable[[], Any]] = {
    "weight norm": lambda: parametrizations.weight_norm(_linear()),
    "spectral norm": lambda: parametrizations.spectral_norm(_linear()).eval(),
    "orthogonal": lambda: parametrizations.orthogonal(_linear()),
    "own": _own,
    "in a sequence": lambda: torch.nn.Sequential(parametrizations.weight_norm(_linear()), torch.nn.ReLU(), _own()),
    "script in a module": lambda: Holder(torch.jit.script(_linear())),
    "symbolic": lambda: torch.fx.symbolic_trace(_linear()),
}
CASES = {**SCRIPTS, **MODULES}


def assert_same(one: Any, other: Any) -> None:
    one, other = (each.module() if isinstance(each, torch.export.ExportedProgram) else each for each in (one, other))
    assert torch.equal(one(DATA), other(DATA))
    if isinstance(one, torch.nn.Module):
        assert list(other.state_dict()) == list(one.state_dict())
        assert parametrize.is_parametrized(other) == parametrize.is_parametrized(one)


@pytest.mark.parametrize("name", CASES)
def test_a_program_comes_back(name: str, tmp_path: Path) -> None:
    torch.manual_seed(7)
    value = CASES[name]()
    assert_same(value, there_and_back(value, tmp_path, trusted=True))


@pytest.mark.parametrize("name", CASES)
def test_a_program_of_somebody_else_is_not_run(name: str, tmp_path: Path) -> None:
    with pytest.raises(UntrustedPickle):
        there_and_back(CASES[name](), tmp_path)


def test_programs_are_files_of_torch(tmp_path: Path) -> None:
    there_and_back(SCRIPTS["scripted"](), tmp_path / "script", trusted=True)
    there_and_back(SCRIPTS["exported"](), tmp_path / "program", trusted=True)
    assert files(tmp_path / "script" / "data") == ["script.pt"]
    assert files(tmp_path / "program" / "data") == ["program.pt2"]
    assert torch.equal(torch.jit.load(tmp_path / "script" / "data" / "script.pt")(DATA), _linear()(DATA))


def test_programs_come_back_in_a_fresh_process(tmp_path: Path) -> None:
    cases = {name: make for name, make in CASES.items() if name in ("scripted", "exported", "weight norm")}
    check_in_fresh_process(__file__, cases, cases, tmp_path)


def test_a_parametrized_module_can_be_trained_and_made_plain_again(home: Path) -> None:
    made = parametrizations.weight_norm(_linear())
    artfs.save_artifact({"model": made, "scripted": torch.jit.script(_linear())}, "both")
    loaded = artfs.load_artifact("both")["model"]
    loaded(DATA).sum().backward()
    assert loaded.parametrizations.weight.original0.grad is not None
    parametrize.remove_parametrizations(loaded, "weight")
    assert type(loaded) is torch.nn.Linear
    assert type(made) is not torch.nn.Linear
